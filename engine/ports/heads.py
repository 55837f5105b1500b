"""HeadSink: a place outside that keeps signed audit heads."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol


class Facility(StrEnum):
    """The syslog facility, by the names that syslog.conf(5) uses; AUDIT is "log audit", 13."""

    AUTH = "auth"
    AUTHPRIV = "authpriv"
    AUDIT = "audit"
    LOCAL0 = "local0"
    LOCAL1 = "local1"
    LOCAL2 = "local2"
    LOCAL3 = "local3"
    LOCAL4 = "local4"
    LOCAL5 = "local5"
    LOCAL6 = "local6"
    LOCAL7 = "local7"


class HeadSink(Protocol):
    """One place outside; `name` is how the store remembers what was told there."""

    @property
    def name(self) -> str:
        """The place, as the configuration names it."""
        ...

    def send(self, lines: Sequence[str]) -> None:
        """Hand every line over, in order; again is harmless, never is not.

        Without any line it only finds out whether the place is there, as far as that shows.

        Raises:
            TransientError: The place did not take them all.
        """
        ...
