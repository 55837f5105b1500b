"""How fast the store is: commits, chains verified, seals; figures for docs/performance.md.

Usage: python scripts/bench_store.py [--url URL] [--handlings N] [--threads N]

Without a URL: SQLite in a temporary directory. A database given by URL must be empty; it is
filled and left as it is.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.refs import Account, TicketKind, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import Ticket, TicketState
from engine.store.store import SQLStore, open_store

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
STAGES = (Stage.TRIAGED, Stage.DECIDED, Stage.READY, Stage.IMPLEMENTING)
STAGES_AFTER = (Stage.REPORTING, Stage.FULFILLED)
COMMITS = 1 + len(STAGES) + len(STAGES_AFTER)


def ticket(number: int) -> Ticket:
    """Return a ticket of ordinary size."""
    asker = Account(system="servicenow", id="u1", name="Ada Lovelace")
    return Ticket(
        ref=TicketRef(
            system="servicenow",
            kind=TicketKind.INCIDENT,
            id=f"{number:032x}",
            key=f"INC{number:07}",
        ),
        url=f"https://example.org/{number}",
        version="1",
        created_at=AT,
        updated_at=AT,
        state=TicketState.NEW,
        short_description="I forgot my password and cannot log in",
        description="Since this morning the portal refuses my password. " * 10,
        requester=asker,
        creator=asker,
    )


def whole_way(store: SQLStore, number: int) -> None:
    """Take one ticket through the commits of a tier-1 fulfilment."""
    asked = ticket(number)
    with store.begin() as unit:
        unit.save_ticket(asked, seen_at=AT)
        handling = unit.start(asked.ref, at=AT, actor="tiergate")
    if handling is None:
        raise SystemExit("the database is not empty")
    intent = Effect(
        key=f"key of {handling.id}",
        handling=handling.id,
        kind=EffectKind.IMPLEMENT,
        action="unlock_account",
        phase=EffectPhase.INTENT,
        owner="bench",
        lease_until=AT,
        fence=1,
        started_at=AT,
    )
    for stage in (*STAGES, *STAGES_AFTER):
        with store.begin() as unit:
            gate = Gate.NONE if stage is Stage.DECIDED else handling.gate
            handling = unit.advance(handling, stage, why="next", at=AT, gate=gate)
            if stage is Stage.IMPLEMENTING:
                unit.intend(intent, None)


def timed(what: Callable[[], object]) -> float:
    """Return how many seconds `what` took."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def fill(store: SQLStore, count: int, threads: int) -> None:
    """Take `count` tickets their way in so many threads."""
    errors = list[BaseException]()

    def work(first: int) -> None:
        try:
            for number in range(first, count, threads):
                whole_way(store, number)
        except BaseException as exc:  # noqa: BLE001  raised again below, in the thread that waits
            errors.append(exc)

    workers = [threading.Thread(target=work, args=(first,)) for first in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]


def seal_all(store: SQLStore) -> None:
    """Seal until nothing is left to seal."""
    while store.seal(AT) is not None:
        pass


def verify_all(store: SQLStore) -> None:
    """Verify every chain, and stop the benchmark at a misfit."""
    misfit = store.verify()
    if misfit is not None:
        raise SystemExit(str(misfit))


def main() -> None:
    """Print one line of figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url")
    parser.add_argument("--handlings", type=int, default=500)
    parser.add_argument("--threads", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tiergate-bench-") as folder:
        url = asked.url or f"sqlite:///{folder}/bench.db"
        store = open_store(url, data_dir=Path(folder) / "data")
        filled = timed(lambda: fill(store, asked.handlings, asked.threads))
        sealed = timed(lambda: seal_all(store))
        verified = timed(lambda: verify_all(store))
        one = f"servicenow:{0:032x}"
        single = timed(lambda: store.verify(one))
        exported = timed(lambda: store.export(one, at=AT))
        store.close()
    rows = asked.handlings * COMMITS
    print(
        f"{url.partition(':')[0]}, {asked.handlings} handlings, {asked.threads} threads:"
        f" {asked.handlings * COMMITS / filled:.0f} commits/s,"
        f" {asked.handlings / filled:.0f} handlings/s; sealed in {sealed:.2f} s;"
        f" verified {rows / verified:.0f} rows/s, one chain {single * 1000:.0f} ms;"
        f" export {exported * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
