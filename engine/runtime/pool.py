"""Threads that run `advance`, at most one at a time for each handling."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class AdvancePool:
    """The Waker port over a thread pool.

    A wake for a handling that is being advanced is remembered, and runs once more afterwards: what
    was committed in between is seen. After `stop` nothing new begins, and what runs is finished.
    """

    def __init__(self, advance: Callable[[str], None], *, workers: int) -> None:
        """Take what to run for one handling (it must not raise), and how many at a time."""
        self._advance = advance
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="advance")
        self._idle = threading.Condition()
        self._running: set[str] = set()
        self._again: set[str] = set()
        self._stopped = False

    def wake(self, handling: str) -> None:
        """Run `advance` for this handling soon; duplicates fold into one."""
        with self._idle:
            if self._stopped:
                return
            if handling in self._running:
                self._again.add(handling)
                return
            self._running.add(handling)
        self._executor.submit(self._run, handling)

    def wait_idle(self, timeout: float | None = None) -> bool:
        """Return True when nothing runs, or False when `timeout` seconds passed before."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, timeout)

    def stop(self) -> None:
        """Begin nothing new, finish what runs, and return."""
        with self._idle:
            self._stopped = True
            self._again.clear()
        self._executor.shutdown(wait=True)

    def _run(self, handling: str) -> None:
        while True:
            self._advance(handling)
            with self._idle:
                if handling in self._again and not self._stopped:
                    self._again.discard(handling)
                    continue
                self._running.discard(handling)
                self._idle.notify_all()
                return
