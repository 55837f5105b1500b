"""The pool: one thread a ticket, wakes fold, stopping finishes what runs."""

import threading

from engine.runtime.pool import AdvancePool


def test_one_handling_is_never_advanced_by_two_threads_at_once() -> None:
    lock, clashes, runs = threading.Lock(), [], []

    def advance(handling: str) -> None:
        if not lock.acquire(blocking=False):
            clashes.append(handling)
            return
        runs.append(handling)
        lock.release()

    pool = AdvancePool(advance, workers=8)
    for _ in range(500):
        pool.wake("a")
    pool.stop()
    assert not clashes
    assert runs


def test_a_wake_during_a_run_runs_once_more_afterwards() -> None:
    entered, release, runs = threading.Event(), threading.Event(), []

    def advance(handling: str) -> None:
        runs.append(handling)
        entered.set()
        release.wait(5)

    pool = AdvancePool(advance, workers=2)
    pool.wake("a")
    assert entered.wait(5)
    for _ in range(10):
        pool.wake("a")
    release.set()
    assert pool.wait_idle(5)
    pool.stop()
    assert runs == ["a", "a"]


def test_after_stop_nothing_new_begins_and_what_runs_is_finished() -> None:
    entered, release, finished = threading.Event(), threading.Event(), []

    def advance(handling: str) -> None:
        entered.set()
        release.wait(5)
        finished.append(handling)

    pool = AdvancePool(advance, workers=1)
    pool.wake("a")
    assert entered.wait(5)
    stopper = threading.Thread(target=pool.stop)
    stopper.start()
    release.set()
    stopper.join(5)
    pool.wake("b")
    assert finished == ["a"]
