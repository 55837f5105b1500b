"""The table of ends: what stops a handling before its effect, and what becomes of everything then.

`docs/gate.md` shows the same rows to people; a test compares both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from engine.domain.handling import Outcome
from engine.domain.stage import Stage


class Cause(StrEnum):
    """What stops a handling before its effect."""

    REJECTED = "an approver rejects"
    CHANGE_ENDED = "a person cancels or closes the change"
    EXPIRED = "nobody decides in time"
    NOT_COUNTED = "an approval that does not count"
    STRICTER = "the map gives it to a person, or too many revisions were needed"
    ASKER_CHANGED = "the requester was changed or has left"
    OUR_RULES = "our own rules refuse it"
    CHANGE_GONE = "the change was deleted"
    TICKET_CLOSED = "a person closes or cancels the ticket"
    TICKET_GONE = "the ticket was deleted"
    TICKET_REJECTED = "the ticket's own approval is rejected"
    TICKET_HELD = "a person holds the ticket"
    TICKET_TAKEN = "a person takes the ticket, before the submission"
    RELEASED = "an operator releases it"
    STUCK = "an unknown remote value, a missing right, failures that do not pass"


class ChangeTerm(StrEnum):
    """What becomes of our change; one that a person ended is never moved again."""

    CANCELLED = "cancelled"
    LEFT = "left as it is"
    NONE = "nothing is left"


class TicketTerm(StrEnum):
    """What becomes of the ticket."""

    RETURNED = "off our hold, note"
    OFF_HOLD = "off our hold"
    LEFT = "left to the person"
    TOLD = "on our hold, note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One row of the table."""

    change: ChangeTerm
    ticket: TicketTerm
    stage: Stage


def _row(change: ChangeTerm, ticket: TicketTerm, stage: Stage) -> Ending:
    return Ending(change=change, ticket=ticket, stage=stage)


ENDINGS: Mapping[Cause, Ending] = MappingProxyType(
    {
        Cause.REJECTED: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.REJECTED),
        Cause.CHANGE_ENDED: _row(ChangeTerm.LEFT, TicketTerm.RETURNED, Stage.CANCELLED),
        Cause.EXPIRED: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.EXPIRED),
        Cause.NOT_COUNTED: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.HANDED_OVER),
        Cause.STRICTER: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.HANDED_OVER),
        Cause.ASKER_CHANGED: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.HANDED_OVER),
        Cause.OUR_RULES: _row(ChangeTerm.CANCELLED, TicketTerm.RETURNED, Stage.HANDED_OVER),
        Cause.CHANGE_GONE: _row(ChangeTerm.NONE, TicketTerm.RETURNED, Stage.HANDED_OVER),
        Cause.TICKET_CLOSED: _row(ChangeTerm.CANCELLED, TicketTerm.LEFT, Stage.CANCELLED),
        Cause.TICKET_GONE: _row(ChangeTerm.CANCELLED, TicketTerm.LEFT, Stage.CANCELLED),
        Cause.TICKET_REJECTED: _row(ChangeTerm.CANCELLED, TicketTerm.LEFT, Stage.CANCELLED),
        Cause.TICKET_HELD: _row(ChangeTerm.CANCELLED, TicketTerm.LEFT, Stage.TAKEN_OVER),
        Cause.TICKET_TAKEN: _row(ChangeTerm.CANCELLED, TicketTerm.LEFT, Stage.TAKEN_OVER),
        Cause.RELEASED: _row(ChangeTerm.CANCELLED, TicketTerm.OFF_HOLD, Stage.RELEASED),
        Cause.STUCK: _row(ChangeTerm.LEFT, TicketTerm.TOLD, Stage.PARKED),
    }
)
"""Total over `Cause`. A change that is said to be cancelled stays as it is where a person, or the
approval's own flow, ended it already."""


def end_by(cause: Cause, because: str) -> Outcome:
    """Return how a handling ends by this cause, in these words."""
    return Outcome(end=ENDINGS[cause].stage, because=because)
