"""Two connections at once: for each promise, exactly one of them wins."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.domain.effect import EffectPhase
from engine.domain.stage import Gate, Stage
from engine.errors import AlreadyConsumedError, LeaseLostError
from engine.ports.store import UnitOfWork
from engine.store.store import SQLStore, open_store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WORKERS = 6


def at_once(store: SQLStore, attempts: Sequence[Callable[[UnitOfWork], object]]) -> list[object]:
    """Run each attempt in a thread and a transaction of its own; return results and errors."""
    together = threading.Barrier(len(attempts))
    results = list[object]()

    def run(attempt: Callable[[UnitOfWork], object]) -> None:
        together.wait()
        try:
            with store.begin() as unit:
                results.append(attempt(unit))
        except (AlreadyConsumedError, LeaseLostError) as exc:
            results.append(exc)

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(attempts), "a thread died of another error"
    return results


def lost(results: list[object], error: type[Exception]) -> int:
    return sum(isinstance(result, error) for result in results)


def test_one_live_handling_per_ticket(store: SQLStore, make: Any) -> None:
    results = at_once(
        store, [lambda unit: unit.start(make.ref(), at=NOW, actor="w") for _ in range(WORKERS)]
    )
    assert sum(result is not None for result in results) == 1
    with store.begin() as unit:
        assert len(unit.handlings()) == 1
        assert len(unit.audit("servicenow:sys1")) == 1


def test_one_step_per_version(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        handling = make.started(unit)
    results = at_once(
        store,
        [
            lambda unit: unit.advance(handling, Stage.TRIAGED, why="w", at=NOW)
            for _ in range(WORKERS)
        ],
    )
    assert lost(results, LeaseLostError) == WORKERS - 1
    with store.begin() as unit:
        assert len(unit.audit("servicenow:sys1")) == 2
    assert store.verify() is None


def test_one_intent_per_effect_key(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        effect = make.effect(make.moved(unit, gate=Gate.NONE))
    results = at_once(store, [lambda unit: unit.intend(effect, None) for _ in range(WORKERS)])
    assert lost(results, AlreadyConsumedError) == WORKERS - 1


def test_one_use_per_approval_and_no_intent_of_those_that_lost(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        handling = make.moved(unit, gate=Gate.CHANGE)

    def use(number: int) -> Callable[[UnitOfWork], object]:
        effect = make.effect(handling, f"k{number}")
        return lambda unit: unit.intend(effect, make.consumption())

    results = at_once(store, [use(number) for number in range(WORKERS)])
    assert lost(results, AlreadyConsumedError) == WORKERS - 1
    with store.begin() as unit:
        assert len(unit.effects(handling.id)) == 1


def test_one_owner_per_change(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        drafted = [
            make.moved(unit, Stage.DRAFTED, gate=Gate.CHANGE, name=str(number))
            for number in range(WORKERS)
        ]

    def own(handling: Any) -> Callable[[UnitOfWork], object]:
        return lambda unit: unit.advance(
            handling, Stage.OPENED, why="w", at=NOW, change=make.change()
        )

    results = at_once(store, [own(handling) for handling in drafted])
    assert lost(results, AlreadyConsumedError) == WORKERS - 1
    with store.begin() as unit:
        assert len(unit.handlings(stages=[Stage.OPENED])) == 1


def test_one_heir_of_a_dead_attempt(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        handling = make.moved(unit, gate=Gate.NONE)
        unit.intend(make.effect(handling), None)

    def take(number: int) -> Callable[[UnitOfWork], object]:
        heir = make.effect(handling, owner=f"heir-{number}", fence=2, phase=EffectPhase.UNKNOWN)
        return lambda unit: unit.settle(heir)

    results = at_once(store, [take(number) for number in range(WORKERS)])
    assert lost(results, LeaseLostError) == WORKERS - 1


def test_a_limit_holds_between_workers(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        handlings = [
            make.moved(unit, gate=Gate.NONE, name=str(number)) for number in range(WORKERS)
        ]

    def within_limit(number: int) -> Callable[[UnitOfWork], object]:
        def attempt(unit: UnitOfWork) -> bool:
            hour = NOW - timedelta(hours=1)
            if unit.count_effects(action="reset_password", since=hour) >= 2:
                return False
            unit.intend(make.effect(handlings[number], f"k{number}"), None)
            return True

        return attempt

    results = at_once(store, [within_limit(number) for number in range(WORKERS)])
    assert results.count(True) == 2


def test_daemons_that_start_together_agree_on_who_they_are(store: SQLStore) -> None:
    def choose(name: str) -> Callable[[UnitOfWork], object]:
        return lambda unit: unit.first_setting("installation.id", name)

    results = at_once(store, [choose(str(number)) for number in range(6)])
    assert len(set(map(str, results))) == 1, results


def test_rows_of_one_chain_queue_up_and_fit(store: SQLStore) -> None:
    def append(number: int) -> Callable[[UnitOfWork], object]:
        return lambda unit: unit.record(
            chain="a:b", event="e", actor="w", at=NOW, body={"number": number}
        )

    at_once(store, [append(number) for number in range(WORKERS)])
    with store.begin() as unit:
        rows = unit.audit("a:b")
    assert [row.number for row in rows] == list(range(1, WORKERS + 1))
    assert {row.body["number"] for row in rows} == set(range(WORKERS))
    assert store.verify() is None


@pytest.mark.postgres
def test_what_another_worker_moves_just_now_is_not_due(
    server: Any, make: Any, tmp_path: Any
) -> None:
    store = open_store(server.fresh(), data_dir=tmp_path)
    with store.begin() as unit:
        first, second = make.started(unit, "1"), make.started(unit, "2")
    with store.begin() as busy:
        busy.touch(first, at=NOW, attempts=1)
        with store.read() as unit:
            assert unit.due(NOW, limit=10) == (second.id,)
    store.close()


PATH = (Stage.INGESTED, Stage.TRIAGED, Stage.DECIDED, Stage.READY, Stage.IMPLEMENTING)


class Workers:
    """Threads that race for the same handlings, sealing beside them."""

    def __init__(self, store: SQLStore, make: Any) -> None:
        self.store, self.make = store, make
        self.errors = list[BaseException]()

    def run(self, count: int) -> None:
        threads = [threading.Thread(target=self.work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def work(self) -> None:
        try:
            while self.round():
                self.store.seal(NOW)
        except BaseException as exc:  # noqa: BLE001  shown by the test's assertion
            self.errors.append(exc)

    def round(self) -> bool:
        with self.store.read() as unit:
            ids = [handling.id for handling in unit.handlings()]
        return sum(self.step(handling_id) for handling_id in ids) > 0

    def step(self, handling_id: str) -> bool:
        try:
            with self.store.begin() as unit:
                handling = unit.handling(handling_id)
                if handling.stage is PATH[-1]:
                    return False
                to = PATH[PATH.index(handling.stage) + 1]
                if to is Stage.IMPLEMENTING:
                    unit.intend(self.make.effect(handling, f"key of {handling_id}"), None)
                changes: dict[str, Any] = {"gate": Gate.NONE} if to is Stage.DECIDED else {}
                unit.advance(handling, to, why="w", at=NOW, **changes)
        except (LeaseLostError, AlreadyConsumedError):
            pass
        return True


def test_threads_that_share_all_work_do_each_piece_once(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        for number in range(12):
            make.started(unit, str(number))
    workers = Workers(store, make)
    workers.run(4)
    assert workers.errors == []
    with store.begin() as unit:
        done = unit.handlings()
        assert [handling.stage for handling in done] == [Stage.IMPLEMENTING] * 12
        assert all(len(unit.effects(handling.id)) == 1 for handling in done)
        assert all(len(unit.audit(chain)) == len(PATH) for chain in unit.chains())
    assert store.verify() is None
