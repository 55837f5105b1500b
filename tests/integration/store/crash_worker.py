"""Does the store's part of a ticket's way, and kills itself with SIGKILL at one commit.

Usage: crash_worker.py DATA_DIR URL... ; one child per URL: the n-th dies at the n-th commit, first
all of them before the commit reaches the database, then all of them after its answer.
"""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase
from engine.domain.refs import ChangeRef, TicketKind, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import Ticket, TicketState
from engine.ports.paging import Cursor
from engine.store.store import SQLStore, open_store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REF = TicketRef(system="servicenow", kind=TicketKind.INCIDENT, id="sys1", key="INC1")
CHANGE = ChangeRef(system="servicenow", id="chg1", number="CHG1", url="u")
STEPS: tuple[tuple[Stage, dict[str, Any]], ...] = (
    (Stage.TRIAGED, {}),
    (Stage.DECIDED, {"gate": Gate.CHANGE}),
    (Stage.DRAFTED, {}),
    (Stage.OPENED, {"change": CHANGE}),
    (Stage.AWAITING, {}),
    (Stage.APPROVED, {}),
    (Stage.IMPLEMENTING, {}),
    (Stage.REPORTING, {}),
    (Stage.FULFILLED, {}),
)


def way(store: SQLStore) -> Iterator[None]:
    """Yield after every commit."""
    with store.begin() as unit:
        ticket = Ticket(
            ref=REF,
            url="u",
            version="1",
            created_at=NOW,
            updated_at=NOW,
            state=TicketState.NEW,
            short_description="lost",
            description="",
            requester=None,
            creator=None,
        )
        unit.save_ticket(ticket, seen_at=NOW)
        unit.save_cursor("servicenow/incidents", Cursor(at=NOW))
        unit.start(REF, at=NOW, actor="tiergate")
    yield
    for stage, changes in STEPS:
        with store.begin() as unit:
            handling = unit.latest(REF)
            if handling is None:
                raise AssertionError("committed, and gone")
            effect = Effect(
                key="k1",
                handling=handling.id,
                kind=EffectKind.IMPLEMENT,
                action="reset_password",
                phase=EffectPhase.INTENT,
                owner="w",
                lease_until=NOW,
                fence=1,
                started_at=NOW,
            )
            unit.advance(handling, stage, why="next", at=NOW, **changes)
            if stage is Stage.IMPLEMENTING:
                used = Consumption(
                    system="servicenow", change_id="chg1", revision=1, plan_digest="sha256:1"
                )
                unit.intend(effect, used)
            if stage is Stage.REPORTING:
                done = Effect(**{**_fields(effect), "phase": EffectPhase.DONE, "verified": True})
                unit.settle(done)
        yield
    store.seal(NOW)
    yield


def _fields(effect: Effect) -> dict[str, Any]:
    return {name: getattr(effect, name) for name in Effect.__dataclass_fields__}


def die_at(store: SQLStore, number: int, *, is_after: bool) -> None:
    """Arm the engine: SIGKILL at the n-th commit from here."""
    engine: Any = store._engine  # the test stands outside; shipped code has no hook
    seen = 0

    def strike() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    if is_after:
        commit = engine.dialect.do_commit

        def and_die(connection: Any) -> None:
            commit(connection)
            strike()

        engine.dialect.do_commit = and_die
    else:
        event.listen(engine, "commit", lambda _: strike())


def main() -> None:
    """Fork one child per URL and print how each of them ended."""
    data, urls = Path(sys.argv[1]), sys.argv[2:]
    for number, url in enumerate(urls):
        child = os.fork()
        if child == 0:
            store = open_store(url, data_dir=data / str(number))
            half = len(urls) // 2
            die_at(store, number % half + 1, is_after=number >= half)
            for _ in way(store):
                pass
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else "alive")  # noqa: T201  its answer


if __name__ == "__main__":
    main()
