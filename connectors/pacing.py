"""How hard one system is asked: requests at once, and the pauses it asks for."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from engine.errors import RateLimitedError, TransientError


@dataclass(slots=True)
class Pacer:
    """Bounds the requests to one system: how many at once, and none while it asked for a pause.

    After a 429 the pace stays slow for a while: the gap between two requests starts at 0.2 s,
    doubles with every further 429 up to 5 s, and halves with every success.
    """

    concurrency: int
    _slots: threading.BoundedSemaphore = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _blocked_until: float = 0.0
    _gap: float = 0.0
    _next_at: float = 0.0

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.concurrency)

    @contextmanager
    def turn(self, what: str, *, patience: float) -> Generator[None]:
        """Hold one of the system's slots.

        Raises:
            RateLimitedError: The system asked for a pause that is not over; nothing was sent.
            TransientError: No slot came free within `patience` seconds; nothing was sent.
        """
        if not self._slots.acquire(timeout=patience):
            raise TransientError(f"{what}: no free slot within {patience:g} s")
        try:
            self._keep_the_gap(what)
            yield
        finally:
            self._slots.release()

    def _keep_the_gap(self, what: str) -> None:
        with self._lock:
            now = time.monotonic()
            if now < self._blocked_until:
                raise RateLimitedError(
                    what, retry_after=timedelta(seconds=self._blocked_until - now)
                )
            wait = max(0.0, self._next_at - now)
            self._next_at = max(now, self._next_at) + self._gap
        if wait:
            threading.Event().wait(wait)

    def refused(self, pause: timedelta) -> None:
        """Note a 429: nothing is sent before `pause` is over, and slowly afterwards."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, time.monotonic() + pause.total_seconds())
            self._gap = min(max(0.2, self._gap * 2), 5.0)

    def served(self) -> None:
        """Note a success: the pace quickens again."""
        with self._lock:
            self._gap = self._gap / 2 if self._gap > 0.05 else 0.0  # noqa: PLR2004  too small to matter
