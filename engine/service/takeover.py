"""The person wins: what a ticket's own record says against our going on."""

from engine.domain.desk import DeskChannel
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import NativeApproval, Ticket, TicketState
from engine.errors import PersonUnknownError, RecordNotFoundError
from engine.service.endings import Cause, end_by
from engine.service.world import Services

SUBMITTED = frozenset({Stage.AWAITING, Stage.APPROVED, Stage.WITHDRAWING})
"""Here an assignment no longer stops us; holding or closing the ticket does."""

UNDO_MODEL = "operator: undo"
"""The `model` of a classification that an operator gave: its ticket may be closed already."""


def look(services: Services, handling: Handling) -> Ticket | Outcome:
    """Read the ticket afresh; return it, or how the handling ends because a person wants it so.

    Before a submission a person stops us by taking, holding or closing the ticket, or by asking in
    another name; afterwards by holding or closing it. A ticket that is gone cancels.
    """
    desk = services.desk(handling.ticket)
    try:
        ticket = desk.read(handling.ticket)
    except RecordNotFoundError:
        return end_by(Cause.TICKET_GONE, "the ticket is gone or hidden from us")
    return _ended(services, handling, ticket) or _taken(services, handling, ticket) or ticket


def _ended(services: Services, handling: Handling, ticket: Ticket) -> Outcome | None:
    if ticket.is_held:
        return end_by(Cause.TICKET_HELD, "a person told us to stop on this ticket")
    is_rejected = ticket.native_approval is NativeApproval.REJECTED
    if is_rejected and _is_desk_answer(services, handling):
        return None  # its workflow may have closed the ticket with the no
    if is_rejected:
        return end_by(Cause.TICKET_REJECTED, "the ticket's own approval was rejected")
    if not ticket.state.is_open and not is_undo(handling):
        word = "cancelled" if ticket.state is TicketState.CANCELLED else "closed"
        return end_by(Cause.TICKET_CLOSED, f"a person {word} the ticket")
    return None


def _is_desk_answer(services: Services, handling: Handling) -> bool:
    """Whether the ticket's native approval is the one that we opened for the desk gate.

    Its verdict then says what a no leads to, as with every other way of answering.
    """
    at = handling.parked_from if handling.stage is Stage.PARKED else handling.stage
    is_asked = handling.gate is Gate.DESK and at in SUBMITTED
    return is_asked and services.desk(handling.ticket).desk_channel is DeskChannel.APPROVAL


def _taken(services: Services, handling: Handling, ticket: Ticket) -> Outcome | None:
    at = handling.parked_from if handling.stage is Stage.PARKED else handling.stage
    if at in SUBMITTED or is_undo(handling):
        return None
    if _is_held_by_others(handling, ticket):
        return end_by(Cause.TICKET_HELD, "somebody put the ticket on hold")
    if ticket.assignee is None:
        return None
    if ticket.assignee.identity == services.desk(handling.ticket).account().identity:
        return None
    return end_by(Cause.TICKET_TAKEN, f"{ticket.assignee.name} took the ticket")


def _is_held_by_others(handling: Handling, ticket: Ticket) -> bool:
    """Whether the ticket is on hold, and neither for us nor for its own approval.

    A person waits for something there; or another daemon's change does.
    """
    is_ours = handling.held_from is not None or handling.change is not None
    is_asked = ticket.native_approval is NativeApproval.PENDING
    return ticket.state is TicketState.ON_HOLD and not is_ours and not is_asked


def is_undo(handling: Handling) -> bool:
    """Whether an operator asked to take an earlier handling of this ticket back."""
    return handling.classification is not None and handling.classification.model == UNDO_MODEL


def asker_changed(services: Services, handling: Handling, ticket: Ticket) -> Outcome | None:
    """Return how it ends when the requester is no longer the plan's, or has left, else None."""
    plan = handling.plan
    if plan is None:
        return None
    because = _person_misfit(services, ticket, plan.requester_key)
    return end_by(Cause.ASKER_CHANGED, because) if because else None


def _person_misfit(services: Services, ticket: Ticket, key: str) -> str:
    if ticket.requester is None:
        return "the ticket no longer names a requester"
    try:
        person = services.people.person(ticket.requester)
    except PersonUnknownError as unknown:
        return f"the requester is no longer known: {unknown}"
    if person.key != key:
        return "the ticket's requester was changed"
    return "the requester has left" if person.facts.get("active") is False else ""
