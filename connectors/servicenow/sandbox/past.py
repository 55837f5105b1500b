"""What records were like a while ago: the last changes, kept in memory for indexes that lag."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime

_MOST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: the record as it was before, None where there was none."""

    at: datetime
    table: str
    sys_id: str
    before: dict[str, str] | None


class Past:
    """The last few thousand changes; what a transaction takes back never happened."""

    def __init__(self) -> None:
        self._kept: deque[Change] = deque(maxlen=_MOST)
        self._open: list[Change] = []

    def note(self, change: Change) -> None:
        """Remember a change of the transaction that is under way."""
        self._open.append(change)

    def committed(self) -> None:
        """Keep what the transaction changed."""
        self._kept.extend(self._open)
        self._open.clear()

    def taken_back(self) -> None:
        """Forget what the transaction changed."""
        self._open.clear()

    def forget(self) -> None:
        """Let everything that is there have been there for ever."""
        self._kept.clear()

    def since(self, moment: datetime) -> Generator[Change]:
        """Yield the changes after a moment, the newest first, the order in which to undo them."""
        for change in reversed(self._kept):
            if change.at <= moment:
                return
            yield change
