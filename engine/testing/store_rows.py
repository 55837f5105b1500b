"""The rows behind MemoryStore."""

from dataclasses import dataclass, field, fields
from datetime import datetime

from engine.domain.audit import AuditRow
from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.domain.refs import ChangeRef
from engine.domain.ticket import Ticket
from engine.ports.paging import Cursor
from engine.ports.store import Pause, PollHealth

TicketId = tuple[str, str]


@dataclass(slots=True)
class Rows:
    """All tables; values are frozen, so a shallow copy of each table is a whole copy."""

    cursors: dict[str, Cursor] = field(default_factory=dict[str, Cursor])
    tickets: dict[TicketId, Ticket] = field(default_factory=dict[TicketId, Ticket])
    broken: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    handlings: dict[str, Handling] = field(default_factory=dict[str, Handling])
    owners: dict[TicketId, str] = field(default_factory=dict[TicketId, str])
    opened: dict[tuple[str, int], ChangeRef] = field(
        default_factory=dict[tuple[str, int], ChangeRef]
    )
    arrivals: dict[str, datetime] = field(default_factory=dict[str, datetime])
    effects: dict[str, Effect] = field(default_factory=dict[str, Effect])
    subjects: dict[str, str] = field(default_factory=dict[str, str])
    consumed: dict[tuple[str, str, int, str], str] = field(
        default_factory=dict[tuple[str, str, int, str], str]
    )
    pauses: dict[tuple[str, str], Pause] = field(default_factory=dict[tuple[str, str], Pause])
    chains: dict[str, tuple[AuditRow, ...]] = field(default_factory=dict[str, tuple[AuditRow, ...]])
    private: dict[tuple[str, int], dict[str, str]] = field(
        default_factory=dict[tuple[str, int], dict[str, str]]
    )
    healths: dict[str, PollHealth] = field(default_factory=dict[str, PollHealth])
    settings: dict[str, str] = field(default_factory=dict[str, str])

    def copy(self) -> "Rows":
        """Return a copy that can be changed without touching this one."""
        return Rows(**{item.name: dict(getattr(self, item.name)) for item in fields(self)})
