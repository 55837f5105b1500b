"""PauseControl: a native record by which agents stop new effects without a shell."""

from typing import Protocol


class PauseControl(Protocol):
    """One native control record, group-restricted; read before every effect."""

    @property
    def name(self) -> str:
        """Where people find the record, for the reason that is shown."""
        ...

    def is_paused(self) -> bool:
        """Return whether new effects are stopped; an error means stopped as well."""
        ...
