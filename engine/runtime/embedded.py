"""The embedded runtime: APScheduler timers drive the duties and the sweep; threads advance.

Timers live in memory and are rebuilt from the configuration at every start. A timer that is late
runs once (`coalesce`), and never beside itself (`max_instances=1`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, cast

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from engine.ports.clock import Clock
from engine.runtime.guard import Guard
from engine.runtime.notify import notify
from engine.runtime.pool import AdvancePool

_log = structlog.stdlib.get_logger("tiergate.runtime")
_SWEEPING = "sweep"
_SWEEP = timedelta(seconds=1)
_SWEEP_SIZE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One thing done again and again: `work` returns whether more is waiting right behind it."""

    name: str
    every: timedelta
    work: Callable[[], bool]


class Work(Protocol):
    """What the runtime wakes; `engine.bootstrap` binds it to the use cases."""

    def duties(self) -> tuple[Duty, ...]:
        """Return polling, approval sync and housekeeping, each with its interval."""
        ...

    def advance(self, handling: str) -> None:
        """Do the next steps of one handling."""
        ...

    def park(self, handling: str, why: str) -> None:
        """Park a handling that met an error nobody foresaw, for a person to look at."""
        ...

    def due(self, limit: int) -> tuple[str, ...]:
        """Return handlings whose time has come."""
        ...

    def next_due_at(self) -> datetime | None:
        """Return when the next unsettled handling is due; None when everything is settled."""
        ...

    def fault(self, name: str, why: str) -> None:
        """Tell people, once, that this part of the daemon fails."""
        ...

    def mended(self, name: str) -> None:
        """Tell people that it works again."""
        ...


def _interval(every: timedelta) -> IntervalTrigger:
    # APScheduler takes fractions of a second; only its annotation says int.
    return IntervalTrigger(seconds=cast("int", every.total_seconds()))


class EmbeddedRuntime:
    """Runs the daemon in this process until `stop`."""

    def __init__(self, work: Work, *, clock: Clock, workers: int = 4) -> None:
        """Take the work to wake; nothing starts yet."""
        self._work = work
        self._clock = clock
        self._stop = threading.Event()
        self._quiet = Guard(lambda _name, _why: True, lambda _name: True)
        duties = [duty.name for duty in work.duties()]
        self._guard = Guard(self._fault, self._mended, known=[*duties, _SWEEPING])
        self.pool = AdvancePool(self._advance, workers=workers)

    def stop(self) -> None:
        """Ask the runtime to finish its running steps and return; safe in a signal handler."""
        self._stop.set()

    @property
    def failing(self) -> dict[str, str]:
        """What fails as of now, by name."""
        return self._guard.failing

    def run(self) -> None:
        """Poll and advance until `stop`; running steps are finished, nothing is left half done.

        The service manager is told READY when every duty was done, or failed, once.
        """
        for duty in self._work.duties():
            self._duty(duty)
        notify("READY=1")
        scheduler = BackgroundScheduler(timezone="UTC")
        for duty in self._work.duties():
            scheduler.add_job(
                self._duty,
                _interval(duty.every),
                args=[duty],
                id=duty.name,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        scheduler.add_job(
            self._sweep,
            _interval(_SWEEP),
            id="sweep",
            next_run_time=self._clock.now(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        scheduler.start()
        _log.info("running", duties=len(self._work.duties()))
        try:
            self._stop.wait()
        finally:
            notify("STOPPING=1")
            scheduler.shutdown(wait=True)
            self.pool.stop()
            _log.info("stopped")

    def run_once(self) -> None:
        """Do every duty to its end once, advance everything that is due, and return."""
        try:
            self._round()
        finally:
            self.pool.stop()

    def run_until_settled(self, *, lag: timedelta = timedelta(0)) -> None:
        """Go on until nothing moves without a person, an approval or a date; then return.

        Nothing is left out that stood in the systems when this began: `lag` is how long that may
        hide from a sweep, and the last round begins no earlier than so much later.
        """
        all_shown_at = self._clock.now() + lag
        try:
            while not self._stop.is_set():
                begun_at = self._clock.now()
                self._round()
                next_at = self._work.next_due_at()
                if next_at is None and begun_at >= all_shown_at:
                    return
                next_at = all_shown_at if next_at is None else next_at
                self._stop.wait(max(0.05, (next_at - self._clock.now()).total_seconds()))
        finally:
            self.pool.stop()

    def _round(self) -> None:
        for duty in self._work.duties():
            while self._duty(duty) and not self._stop.is_set():
                pass
        while not self._stop.is_set() and self._sweep():
            self.pool.wait_idle()
        self.pool.wait_idle()

    def _duty(self, duty: Duty) -> bool:
        if self._stop.is_set():
            return False
        more = bool(self._guard.run(duty.name, duty.work))
        while more and not self._stop.is_set():
            more = bool(self._guard.run(duty.name, duty.work))
        return more

    def _sweep(self) -> bool:
        due = self._guard.run(_SWEEPING, lambda: self._work.due(_SWEEP_SIZE)) or ()
        for handling in due:
            self.pool.wake(handling)
        return bool(due)

    def _advance(self, handling: str) -> None:
        name = f"ticket {handling}"

        def work() -> bool:
            self._work.advance(handling)
            return True

        parking = f"parking {handling}"
        if self._quiet.run(name, work):
            if parking in self._guard.failing:
                self._guard.run(parking, lambda: True)
            return
        why = self._quiet.failing[name]

        def park() -> bool:
            self._work.park(handling, why)
            return True

        # A row that cannot even be parked says nothing on its ticket: that is told as a fault.
        if self._guard.run(parking, park):
            self._quiet.forget(name)

    def _fault(self, name: str, why: str) -> bool:
        def tell() -> bool:
            self._work.fault(name, why)
            return True

        return bool(self._quiet.run(f"telling of {name}", tell))

    def _mended(self, name: str) -> bool:
        def tell() -> bool:
            self._work.mended(name)
            return True

        return bool(self._quiet.run(f"telling of {name}", tell))
