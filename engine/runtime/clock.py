"""The one place that reads this machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """The Clock port over the machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, aware UTC."""
        return datetime.now(UTC)  # noqa: TID251  this is what the port wraps
