"""PauseControl: a native record by which people stop new effects without a shell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.ports.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReading:
    """What a control record says now.

    Attributes:
        is_paused: Whether new effects are stopped. Running is only what a member of the configured
            group switched to; an unknown value, or anybody else's switch, is paused.
        because: Why, in words for people; "" where it is running as it should.
        by: Who switched it last, as the native history names them; "" where nobody can tell.
        at: When, by the system's own clock; None where nobody can tell.
    """

    is_paused: bool
    because: str
    by: str
    at: datetime | None


class PauseControl(Protocol):
    """One native control record, group-restricted; read each cycle and before every effect."""

    @property
    def name(self) -> str:
        """Where people find the record: the system, and the record in it."""
        ...

    def read(self) -> ControlReading:
        """Return what the record says now, read directly; an error means stopped as well."""
        ...

    def check(self) -> tuple[Finding, ...]:
        """Return every finding: readable, a known value, and who can switch it to running."""
        ...
