"""Store: the rows of our handling, in transactions.

The unique keys that enforce what the code promises.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from engine.domain.audit import AuditRow, SignedHead
from engine.domain.canonical import JSON
from engine.domain.effect import Consumption, Effect, EffectPhase
from engine.domain.handling import Handling
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket
from engine.ports.paging import Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A stop of new effects: everything (both None), one action, or one system."""

    action: str | None
    system: str | None
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollHealth:
    """How polling of one source stands; `unread` records of it could not be read."""

    source: str
    last_good_at: datetime | None
    last_error: str
    errors_in_row: int
    seen: int
    hidden: int
    unread: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCount:
    """How many handlings stand at a stage, and when the oldest of them came there."""

    stage: Stage
    count: int
    oldest_at: datetime


class UnitOfWork(Protocol):
    """One transaction (SQLite: BEGIN IMMEDIATE).

    Everything in it becomes true at commit, or nothing.
    """

    # --- intake
    def cursor(self, source: str) -> Cursor | None:
        """Return the stored cursor of a source (tickets.

        `system/source`, changes: `system#changes`).
        """
        ...

    def save_cursor(self, source: str, cursor: Cursor) -> None:
        """Store the cursor, in the same transaction as what it covers."""
        ...

    def save_ticket(self, ticket: Ticket, *, seen_at: datetime) -> bool:
        """Insert or update the ticket by (system, id); return whether this version is new to us."""
        ...

    def ticket(self, ref: TicketRef) -> Ticket | None:
        """Return the ticket as last seen."""
        ...

    def find_ticket(self, name: str) -> TicketRef:
        """Return the ticket that `[SYSTEM:]KEY` names.

        Raises:
            RecordNotFoundError: None, or a key of several systems.
        """
        ...

    def save_broken(self, source: str, record_id: str, why: str, *, at: datetime) -> bool:
        """Note a record that could not be read; return whether it is news."""
        ...

    def broken(self, source: str) -> Mapping[str, str]:
        """Return which records of a source could not be read, and why, by their id."""
        ...

    def forget_broken(self, source: str, records: Iterable[str]) -> None:
        """Drop the notes of these records."""
        ...

    # --- handlings
    def start(self, ticket: TicketRef, *, at: datetime, actor: str) -> Handling | None:
        """Start a handling at INGESTED with its first audit row.

        None when one is live (unique key).
        """
        ...

    def handling(self, handling_id: str) -> Handling:
        """Return the handling.

        Raises:
            RecordNotFoundError: No such handling.
        """
        ...

    def latest(self, ticket: TicketRef) -> Handling | None:
        """Return the newest handling of a ticket, live or ended."""
        ...

    def handlings(
        self,
        *,
        stages: Sequence[Stage] | None = None,
        touching: Collection[str] | None = None,
        limit: int = 1000,
    ) -> tuple[Handling, ...]:
        """Return handlings, newest first, of these stages.

        With `touching` only those whose plan is about one of these stable ids.
        """
        ...

    def advance(
        self,
        handling: Handling,
        to: Stage,
        *,
        why: str,
        at: datetime,
        actor: str = "tiergate",
        evidence: Mapping[str, JSON] | None = None,
        **changes: Any,  # noqa: ANN401  any field of Handling, typed there
    ) -> Handling:
        """Move the handling: the only writer of `stage`.

        Writes its audit row in the same transaction.

        `changes` are other fields of `Handling` to replace (plan, change, wake_at, ...). `to` may
        equal
        the present stage only if nothing but `changes` happens and an audit row is wanted.

        Raises:
            IllegalTransitionError: The table has no such edge.
            LeaseLostError: The row has another version by now (compare-and-set).
        """
        ...

    def touch(self, handling: Handling, *, at: datetime, **changes: Any) -> Handling:  # noqa: ANN401  as above
        """Replace fields that are no step (wake_at, attempts).

        No stage, no audit row; compare-and-set.
        """
        ...

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        """Return ids of handlings whose `wake_at` has come, oldest first."""
        ...

    def next_wake(self, stages: Sequence[Stage]) -> datetime | None:
        """Return the earliest `wake_at` of handlings at these stages; None without one."""
        ...

    def stage_counts(self) -> tuple[StageCount, ...]:
        """Return how many handlings stand at each stage, only stages that have any."""
        ...

    def waiting(self, system: str) -> Mapping[str, ChangeRef]:
        """Return the changes in `system` of handlings that are AWAITING or APPROVED, by handling.

        Asked in every cycle: its cost is that of a narrow row each.
        """
        ...

    def find_by_change(self, system: str, change_id: str) -> Handling | None:
        """Return the live handling that owns this change."""
        ...

    # --- effects
    def intend(self, effect: Effect, consumption: Consumption | None) -> None:
        """Store intent and consumption together.

        Raises:
            AlreadyConsumedError: The effect key or the approval was used before.
        """
        ...

    def effect(self, key: str) -> Effect | None:
        """Return the effect with this key."""
        ...

    def effects(self, handling_id: str) -> tuple[Effect, ...]:
        """Return a handling's effects, oldest first."""
        ...

    def settle(self, effect: Effect) -> None:
        """Store phase, outcome, lease and evidence of a known effect; `fence` must not go back.

        Raises:
            LeaseLostError: A newer fence is stored.
        """
        ...

    def count_effects(self, *, action: str, since: datetime, subject: str | None = None) -> int:
        """Return how many effects of `action` began since then (for one subject's stable id.

        Or all).
        """
        ...

    # --- governance
    def effect_phases(self) -> Mapping[EffectPhase, int]:
        """Return how many effects stand at each phase; a phase without any is left out."""
        ...

    def pauses(self) -> tuple[Pause, ...]:
        """Return what is paused."""
        ...

    def pause(self, pause: Pause) -> None:
        """Pause; idempotent, audited."""
        ...

    def resume(self, *, action: str | None, system: str | None, by: str, at: datetime) -> bool:
        """Lift that pause; return whether it stood. Audited."""
        ...

    def record(
        self,
        *,
        chain: str,
        event: str,
        actor: str,
        at: datetime,
        body: Mapping[str, JSON],
        private: Mapping[str, str] | None = None,
    ) -> AuditRow:
        """Append an audit row.

        `private` texts stand beside the chain, salted hashes of them in it.
        """
        ...

    def audit(self, chain: str) -> tuple[AuditRow, ...]:
        """Return one chain's rows in order."""
        ...

    def private(self, chain: str) -> Mapping[int, Mapping[str, str]]:
        """Return the personal payloads beside a chain, by row number; erased ones are absent."""
        ...

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains."""
        ...

    # --- health
    def save_health(self, health: PollHealth) -> None:
        """Store how polling of a source stands."""
        ...

    def health(self) -> tuple[PollHealth, ...]:
        """Return how polling stands, by source."""
        ...

    def setting(self, name: str) -> str | None:
        """Return a stored setting of the installation (its id, its first start)."""
        ...

    def save_setting(self, name: str, value: str) -> None:
        """Store a setting of the installation."""
        ...

    def first_setting(self, name: str, value: str) -> str:
        """Store a setting unless one is stored; return what stands, the same for everybody."""
        ...


class Store(Protocol):
    """Opens transactions."""

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """Return a transaction that commits when left without an error.

        And rolls back otherwise.
        """
        ...

    def signed_head(self, chain: str, *, at: datetime) -> SignedHead:
        """Return the last row of a chain, signed with the installation's key.

        Raises:
            RecordNotFoundError: No such chain.
        """
        ...
