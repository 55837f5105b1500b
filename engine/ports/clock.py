"""Clock, Waker: time, and what makes `advance` run."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The daemon's own clock; aware UTC.

    Remote facts are judged by the remote system's clock instead.
    """

    def now(self) -> datetime:
        """Return the present instant."""
        ...


class Waker(Protocol):
    """Makes `advance` run soon for one handling.

    Called after the commit; a lost wake is repaired by a sweep.
    """

    def wake(self, handling: str) -> None:
        """Ask for `advance(handling)`; duplicates are harmless."""
        ...
