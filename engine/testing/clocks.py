"""A clock that tests move, and a waker that remembers."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        """Start at this instant."""
        self._at = at

    def now(self) -> datetime:
        """Return the present instant."""
        return self._at

    def advance(self, step: timedelta) -> None:
        """Move on, or back."""
        self._at += step

    def set(self, at: datetime) -> None:
        """Go to an instant."""
        self._at = at


class RecordingWaker:
    """Remembers who was woken, in order."""

    def __init__(self) -> None:
        """Start with nobody woken."""
        self.woken: list[str] = []

    def wake(self, handling: str) -> None:
        """Remember the wake."""
        self.woken.append(handling)

    def take(self) -> tuple[str, ...]:
        """Return who was woken since the last call, once each."""
        found = tuple(dict.fromkeys(self.woken))
        self.woken.clear()
        return found
