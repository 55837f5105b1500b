"""The embedded runtime over work that needs no other part."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from engine.errors import TransientError
from engine.runtime.clock import SystemClock
from engine.runtime.embedded import Duty, EmbeddedRuntime


@dataclass
class CountingWork:
    """Tickets that need a number of advances each; records what the runtime does."""

    left: dict[str, int]
    on_advance: Callable[[str], None] = lambda _handling: None
    polls: int = 0
    pages: int = 3
    parked: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    mends: list[str] = field(default_factory=list)
    poll_error: Exception | None = None
    park_error: Exception | None = None
    telling_error: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def duties(self) -> tuple[Duty, ...]:
        return (Duty(name="poll", every=timedelta(milliseconds=20), work=self.poll),)

    def poll(self) -> bool:
        if self.poll_error is not None:
            raise self.poll_error
        self.polls += 1
        return self.polls % self.pages != 0

    def advance(self, handling: str) -> None:
        self.on_advance(handling)
        with self.lock:
            self.left[handling] -= 1

    def park(self, handling: str, why: str) -> None:
        if self.park_error is not None:
            raise self.park_error
        with self.lock:
            self.parked[handling] = why
            self.left[handling] = 0

    def due(self, limit: int) -> tuple[str, ...]:
        with self.lock:
            return tuple(name for name, left in self.left.items() if left > 0)[:limit]

    def next_due_at(self) -> datetime | None:
        return SystemClock().now() if self.due(1) else None

    def fault(self, name: str, why: str) -> None:
        if self.telling_error is not None:
            raise self.telling_error
        self.faults.append(f"{name}: {why}")

    def mended(self, name: str) -> None:
        if self.telling_error is not None:
            raise self.telling_error
        self.mends.append(name)


def test_until_settled_polls_every_page_and_returns_when_nothing_is_left() -> None:
    work = CountingWork(left={f"t{number}": number for number in range(1, 6)})
    EmbeddedRuntime(work, clock=SystemClock()).run_until_settled()
    assert work.polls >= work.pages
    assert not work.due(1)


class HidingWork(CountingWork):
    """A system whose newest ticket is shown to no sweep before `shown_at`."""

    shown_at: datetime

    def poll(self) -> bool:
        if SystemClock().now() >= self.shown_at:
            self.left.setdefault("late", 1)
        return super().poll()


def test_until_settled_meets_what_was_written_just_before_it_began() -> None:
    lag = timedelta(seconds=0.2)
    work = HidingWork(left={})
    work.shown_at = SystemClock().now() + lag
    EmbeddedRuntime(work, clock=SystemClock()).run_until_settled(lag=lag)
    assert work.left == {"late": 0}


@pytest.mark.parametrize("error", [TransientError("remote is down"), ValueError("row 7 is odd")])
def test_an_error_in_one_ticket_parks_that_ticket_and_no_other(error: Exception) -> None:
    def fail_for_bad(handling: str) -> None:
        if handling == "bad":
            raise error

    work = CountingWork(left={"good": 2, "bad": 1, "fine": 1}, on_advance=fail_for_bad)
    EmbeddedRuntime(work, clock=SystemClock()).run_until_settled()
    assert set(work.parked) == {"bad"}
    assert not work.due(1)


def test_an_unforeseen_error_is_told_by_its_kind_never_by_its_text() -> None:
    def fail(_handling: str) -> None:
        raise ValueError("password=hunter2")

    work = CountingWork(left={"bad": 1}, on_advance=fail)
    EmbeddedRuntime(work, clock=SystemClock()).run_once()
    assert "hunter2" not in str(work.parked)
    assert "ValueError" in work.parked["bad"]


def test_a_failing_duty_is_told_once_and_its_mending_once() -> None:
    work = CountingWork(left={}, pages=1, poll_error=TransientError("no route"))
    runtime = EmbeddedRuntime(work, clock=SystemClock())
    runtime.run_once()
    runtime.run_once()
    work.poll_error = None
    runtime.run_once()
    assert work.faults == ["poll: TransientError: no route"]
    assert work.mends.count("poll") == 1


def test_a_fault_that_could_not_be_told_is_told_with_the_next_failure() -> None:
    work = CountingWork(left={}, pages=1, poll_error=TransientError("no route"))
    work.telling_error = TransientError("the desk is down too")
    runtime = EmbeddedRuntime(work, clock=SystemClock())
    runtime.run_once()
    work.telling_error = None
    runtime.run_once()
    runtime.run_once()
    assert work.faults == ["poll: TransientError: no route"]
    work.poll_error, work.telling_error = None, TransientError("the desk is down again")
    runtime.run_once()
    work.telling_error = None
    runtime.run_once()
    runtime.run_once()
    assert work.mends.count("poll") == 1


def test_a_fault_of_an_earlier_process_is_mended_by_the_first_good_run() -> None:
    work = CountingWork(left={}, pages=1)
    runtime = EmbeddedRuntime(work, clock=SystemClock())
    runtime.run_once()
    runtime.run_once()
    assert work.mends.count("poll") == 1


def test_a_ticket_that_cannot_even_be_parked_is_told_once_and_mended_when_it_goes_on() -> None:
    is_broken = [True]

    def fail(_handling: str) -> None:
        if is_broken[0]:
            raise ValueError("row 7 is odd")

    work = CountingWork(left={"bad": 1}, on_advance=fail, park_error=ValueError("row 7 again"))
    runtime = EmbeddedRuntime(work, clock=SystemClock())
    for _ in range(3):
        runtime.pool.wake("bad")
        assert runtime.pool.wait_idle(5)
    assert work.faults == ["parking bad: unexpected ValueError, see the log"]
    is_broken[0] = False
    runtime.pool.wake("bad")
    assert runtime.pool.wait_idle(5)
    runtime.pool.stop()
    assert work.mends == ["parking bad"]


def test_stop_ends_a_running_daemon_after_its_running_step() -> None:
    entered, release = threading.Event(), threading.Event()

    def advance(_handling: str) -> None:
        entered.set()
        release.wait(5)

    work = CountingWork(left={"a": 1}, on_advance=advance)
    runtime = EmbeddedRuntime(work, clock=SystemClock())
    daemon = threading.Thread(target=runtime.run)
    daemon.start()
    assert entered.wait(5)
    runtime.stop()
    release.set()
    daemon.join(5)
    assert not daemon.is_alive()
    assert work.left == {"a": 0}
