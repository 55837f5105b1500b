"""What is read of the desk gate on one ticket: the request as it stands, and every answer to it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.refs import Account


class DeskChannel(StrEnum):
    """By what agents answer natively; chosen per system by configuration."""

    NOTE = "note"
    """An internal note that carries the plan's short code."""
    STATE = "state"
    """The ticket is moved into a state; who moved it stands in the history."""
    FIELD = "field"
    """A field of the ticket is set to a value; who set it stands in the history."""
    APPROVAL = "approval"
    """A native approval on the ticket (Jira Service Management)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskAnswer:
    """One native answer to a plan at the desk gate.

    Attributes:
        id: The native fact's own id (journal entry, history entry, comment, approval): it is what
            can be used once, whatever store stands behind the daemon.
        by: Who gave it, from the record's own authorship or history; None when nobody can tell.
        answer: One of accept, wrong_action, wrong_person, do_it_myself.
        code: The plan's short code as it was written, "" where none was.
        at: By the ticket system's own clock.
        is_final: The native record cannot be answered again, so nobody can put the answer right.
    """

    id: str
    by: Account | None
    answer: str
    code: str
    at: datetime
    channel: DeskChannel = DeskChannel.NOTE
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSnapshot:
    """Everything the desk's verdict needs of one ticket, read afresh in one go.

    Attributes:
        taken_at: By the ticket system's own clock.
        request: Our internal note with the plan, as it reads now; None when it is gone, or when
            somebody else wrote over it (also where its words are the old ones again).
        requested_at: When that note was written, by the ticket system's clock.
        answers: Every answer since, oldest first; None when the history that says who gave them
            cannot be read (the gate stays shut).
        unreadable: Then: what cannot be read.
        daemon: Our own account there.
    """

    taken_at: datetime
    request: str | None
    requested_at: datetime | None
    answers: tuple[DeskAnswer, ...] | None
    daemon: Account
    unreadable: str = ""
