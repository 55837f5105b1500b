"""The clock of one sandbox: real time plus an offset, or standing still."""

import threading
import time
from datetime import UTC, datetime, timedelta


class SandboxClock:
    """A clock that the admin API can set; safe to read and set from any thread.

    Everything a sandbox stamps or compares (record times, the HTTP `Date` header, token expiry)
    comes from here, so that a test can move a sandbox against the daemon without touching a host.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._frozen_at: datetime | None = None

    def now(self) -> datetime:
        """Return the sandbox's present moment as an aware UTC datetime."""
        with self._lock:
            return self._now()

    def _now(self) -> datetime:
        if self._frozen_at is not None:
            return self._frozen_at
        return datetime.fromtimestamp(time.time(), tz=UTC) + self._offset

    @property
    def offset(self) -> timedelta:
        """Return how far this clock runs ahead of the host's."""
        with self._lock:
            return self._offset

    @property
    def frozen(self) -> bool:
        """Say whether the clock stands still."""
        with self._lock:
            return self._frozen_at is not None

    def set_offset(self, offset: timedelta) -> None:
        """Let the clock run `offset` ahead of real time (behind, where negative)."""
        with self._lock:
            self._offset = offset
            self._frozen_at = None

    def set_now(self, moment: datetime) -> None:
        """Make `moment` the present; a frozen clock stays frozen there, a running one runs on.

        Raises:
            ValueError: the moment carries no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError("a sandbox clock is set to an aware datetime")
        with self._lock:
            self._offset = moment.astimezone(UTC) - datetime.fromtimestamp(time.time(), tz=UTC)
            if self._frozen_at is not None:
                self._frozen_at = moment.astimezone(UTC)

    def freeze(self) -> None:
        """Stop at the present moment."""
        with self._lock:
            self._frozen_at = self._now()

    def resume(self) -> None:
        """Run on from the moment at which the clock stood."""
        with self._lock:
            if self._frozen_at is not None:
                self._offset = self._frozen_at - datetime.fromtimestamp(time.time(), tz=UTC)
                self._frozen_at = None

    def advance(self, step: timedelta) -> None:
        """Move the present by `step`, frozen or running."""
        with self._lock:
            self._offset += step
            if self._frozen_at is not None:
                self._frozen_at += step
