"""How a use case writes: one transaction, one stage, one audit row, and when to wake next."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.domain.canonical import JSON
from engine.domain.handling import Handling
from engine.domain.stage import Stage
from engine.ports.store import UnitOfWork
from engine.service.world import Services, chain_of


def move(
    services: Services,
    handling: Handling,
    to: Stage,
    *,
    why: str,
    evidence: Mapping[str, JSON] | None = None,
    **changes: Any,  # noqa: ANN401  any field of Handling, typed there
) -> Handling:
    """Commit one step of a handling; it is due again at once unless `wake_at` says otherwise.

    Raises:
        IllegalTransitionError: The table has no such edge.
        LeaseLostError: Somebody else moved the handling meanwhile.
    """
    with services.store.begin() as work:
        return move_in(work, services, handling, to, why=why, evidence=evidence, **changes)


def move_in(
    work: UnitOfWork,
    services: Services,
    handling: Handling,
    to: Stage,
    *,
    why: str,
    evidence: Mapping[str, JSON] | None = None,
    **changes: Any,  # noqa: ANN401  as above
) -> Handling:
    """Do the same within a transaction that makes other rows true as well."""
    now = services.now()
    changes.setdefault("wake_at", None if to.is_end else now)
    changes.setdefault("attempts", 0)
    changes.setdefault("trouble", "")
    keeps_why = to.is_end or to in {Stage.PARKED, Stage.WITHDRAWING}
    changes.setdefault("reason", why if keeps_why else "")
    return work.advance(handling, to, why=why, at=now, evidence=evidence, **changes)


def touch(services: Services, handling: Handling, **changes: Any) -> Handling:  # noqa: ANN401  as above
    """Commit fields that are no step.

    Raises:
        LeaseLostError: Somebody else moved the handling meanwhile.
    """
    with services.store.begin() as work:
        return work.touch(handling, at=services.now(), **changes)


def wait_until(services: Services, handling: Handling, at: datetime | None) -> None:
    """Leave the handling where it is until `at`, or until somebody wakes it."""
    if handling.wake_at != at or handling.attempts:
        touch(services, handling, wake_at=at, attempts=0, trouble="")


def turn(
    services: Services, stages: Collection[Stage], shortest: timedelta, spacing: timedelta
) -> timedelta:
    """Return after how long one of all that wait at these stages is looked at again.

    However many they are, their looks cost the same: one in each `spacing`. What changes on the
    ticket or its change wakes a handling without it.
    """
    with services.store.begin() as work:
        counts = work.stage_counts()
    return max(shortest, spacing * sum(one.count for one in counts if one.stage in stages))


def wait_for_lease(services: Services, handling: Handling, at: datetime) -> None:
    """Wait until a lease has passed; failures before it still count, or they would never end."""
    if handling.wake_at != at:
        touch(services, handling, wake_at=at)


def record(
    services: Services,
    handling: Handling,
    event: str,
    *,
    body: Mapping[str, JSON],
    actor: str = "tiergate",
    private: Mapping[str, str] | None = None,
) -> None:
    """Append a row that is no step to the ticket's chain; `private` texts name persons."""
    with services.store.begin() as work:
        record_in(work, services, handling, event, body=body, actor=actor, private=private)


def record_in(
    work: UnitOfWork,
    services: Services,
    handling: Handling,
    event: str,
    *,
    body: Mapping[str, JSON],
    actor: str = "tiergate",
    private: Mapping[str, str] | None = None,
) -> None:
    """Do the same within a transaction that makes other rows true as well."""
    work.record(
        chain=chain_of(handling.ticket),
        event=event,
        actor=actor,
        at=services.now(),
        body={"handling": handling.id, **body},
        private=private,
    )


def has_recorded(services: Services, handling: Handling, event: str, **body: JSON) -> bool:
    """Whether the chain holds such a row of this handling with these values in its body."""
    return find_recorded(services, handling, event, **body) is not None


def find_recorded(
    services: Services, handling: Handling, event: str, **body: JSON
) -> Mapping[str, JSON] | None:
    """Return the newest such row's body, or None."""
    with services.store.begin() as work:
        rows = work.audit(chain_of(handling.ticket))
    wanted = {"handling": handling.id, **body}
    for row in reversed(rows):
        if row.event == event and all(row.body.get(name) == wanted[name] for name in wanted):
            return row.body
    return None
