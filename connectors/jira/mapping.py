"""Jira's words in ours: total tables, and an error for everything that is in none of them.

Status names are those of Jira's shipped workflows (software, business, Jira Service Management,
ITSM template); a site with others configures them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from connectors.jira.values import Payload, account, instant, listing, mapping
from engine.domain.change import ApprovalState, ChangeState
from engine.domain.refs import Account, TicketKind
from engine.domain.ticket import NativeApproval, TicketState
from engine.errors import InvalidAnswerError, UnmappedValueError

T = TypeVar("T")

TICKET_STATES: Mapping[str, TicketState] = {
    "open": TicketState.NEW,
    "new": TicketState.NEW,
    "to do": TicketState.NEW,
    "backlog": TicketState.NEW,
    "reopened": TicketState.NEW,
    "waiting for support": TicketState.NEW,
    "waiting for triage": TicketState.NEW,
    "waiting for approval": TicketState.NEW,
    "awaiting approval": TicketState.NEW,
    "approved": TicketState.IN_PROGRESS,
    "in progress": TicketState.IN_PROGRESS,
    "work in progress": TicketState.IN_PROGRESS,
    "in review": TicketState.IN_PROGRESS,
    "under review": TicketState.IN_PROGRESS,
    "escalated": TicketState.IN_PROGRESS,
    "under investigation": TicketState.IN_PROGRESS,
    "pending": TicketState.ON_HOLD,
    "on hold": TicketState.ON_HOLD,
    "waiting for customer": TicketState.ON_HOLD,
    "waiting for change": TicketState.ON_HOLD,
    "resolved": TicketState.RESOLVED,
    "done": TicketState.RESOLVED,
    "completed": TicketState.RESOLVED,
    "closed": TicketState.CLOSED,
    "canceled": TicketState.CANCELLED,
    "cancelled": TicketState.CANCELLED,
    "declined": TicketState.CANCELLED,
    "rejected": TicketState.CANCELLED,
}

CHANGE_STATES: Mapping[str, ChangeState] = {
    # The ITSM template's first status is called Review; it stands before the planning.
    "review": ChangeState.NEW,
    "open": ChangeState.NEW,
    "to do": ChangeState.NEW,
    "draft": ChangeState.NEW,
    "reopened": ChangeState.NEW,
    "planning": ChangeState.ASSESS,
    "in progress": ChangeState.ASSESS,
    "peer review": ChangeState.AUTHORIZE,
    "authorize": ChangeState.AUTHORIZE,
    "cab approval": ChangeState.AUTHORIZE,
    "waiting for approval": ChangeState.AUTHORIZE,
    "awaiting approval": ChangeState.AUTHORIZE,
    "awaiting implementation": ChangeState.SCHEDULED,
    "approved": ChangeState.SCHEDULED,
    "implementing": ChangeState.IMPLEMENT,
    "post implementation review": ChangeState.REVIEW,
    "post-implementation review": ChangeState.REVIEW,
    "completed": ChangeState.CLOSED,
    "failed": ChangeState.CLOSED,
    "done": ChangeState.CLOSED,
    "closed": ChangeState.CLOSED,
    "resolved": ChangeState.CLOSED,
    "canceled": ChangeState.CANCELLED,
    "cancelled": ChangeState.CANCELLED,
    "declined": ChangeState.REJECTED,
    "rejected": ChangeState.REJECTED,
}

TICKET_KINDS: Mapping[str, TicketKind] = {
    "[system] incident": TicketKind.INCIDENT,
    "incident": TicketKind.INCIDENT,
    "bug": TicketKind.INCIDENT,
    "[system] service request": TicketKind.SERVICE_REQUEST,
    "[system] service request with approvals": TicketKind.SERVICE_REQUEST,
    "service request": TicketKind.SERVICE_REQUEST,
    "service request with approvals": TicketKind.SERVICE_REQUEST,
    "it help": TicketKind.SERVICE_REQUEST,
    "access": TicketKind.SERVICE_REQUEST,
    "task": TicketKind.SERVICE_REQUEST,
    "story": TicketKind.SERVICE_REQUEST,
    "support": TicketKind.SERVICE_REQUEST,
}

# An approval that is still open may show no final decision at all: anything but exactly "approved"
# is not approved.
_FINAL: Mapping[str, NativeApproval] = {
    "approved": NativeApproval.APPROVED,
    "declined": NativeApproval.REJECTED,
    "pending": NativeApproval.PENDING,
    "": NativeApproval.PENDING,
}
_VOTES: Mapping[str, ApprovalState] = {
    "approved": ApprovalState.APPROVED,
    "declined": ApprovalState.REJECTED,
    "pending": ApprovalState.REQUESTED,
    "": ApprovalState.REQUESTED,
}


class NameMap(Generic[T]):
    """A total table by id or by name, however written; what it does not know is an error."""

    def __init__(self, field: str, shipped: Mapping[str, T], configured: Mapping[str, T]) -> None:
        """Let the configured entries win over the shipped ones."""
        self._field = field
        self._table = {
            **shipped,
            **{name.strip().casefold(): value for name, value in configured.items()},
        }

    def __call__(self, native_id: str, name: str) -> T:
        """Return what the value means.

        Raises:
            UnmappedValueError: Neither id nor name is in the table.
        """
        found = self.get(native_id, name)
        if found is None:
            raise UnmappedValueError(self._field, name or native_id)
        return found

    def get(self, native_id: str, name: str) -> T | None:
        """Return what the value means, or None where it is in no table."""
        found = self._table.get(native_id) if native_id else None
        return found if found is not None else self._table.get(name.strip().casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One approver of one native approval, with his answer."""

    approver: Account
    state: ApprovalState


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One native approval object: one pass through one approval step."""

    id: str
    name: str
    final: NativeApproval
    votes: tuple[Vote, ...]
    created_at: datetime
    completed_at: datetime | None
    may_answer: bool

    @property
    def is_approved(self) -> bool:
        """Whether it says yes by itself and by at least one approver."""
        return self.final is NativeApproval.APPROVED and any(
            vote.state is ApprovalState.APPROVED for vote in self.votes
        )


def approval(system: str, bean: Payload, *, is_cloud: bool) -> Approval:
    """Return a native approval (ApprovalDTO of the Service Management REST API).

    Raises:
        UnmappedValueError: A decision that no table knows.
        InvalidAnswerError: A shape that it cannot have.
    """
    final = str(bean.get("finalDecision") or "")
    if final not in _FINAL:
        raise UnmappedValueError("approval.finalDecision", final)
    created = bean.get("createdDate")
    completed = bean.get("completedDate")
    return Approval(
        id=str(bean.get("id", "")),
        name=str(bean.get("name", "")),
        final=_FINAL[final],
        votes=tuple(
            _vote(system, one, is_cloud=is_cloud)
            for one in listing(bean.get("approvers") or [], "approval.approvers")
        ),
        created_at=_desk(created, "approval.createdDate"),
        completed_at=None if completed is None else _desk(completed, "approval.completedDate"),
        may_answer=bean.get("canAnswerApproval") is True,
    )


def _desk(value: object, field: str) -> datetime:
    return instant(mapping(value, field).get("epochMillis"), field)


def _vote(system: str, bean: Payload, *, is_cloud: bool) -> Vote:
    approver = account(system, bean.get("approver"), is_cloud=is_cloud)
    if approver is None:
        raise InvalidAnswerError("approval.approvers: an approver without an id")
    said = str(bean.get("approverDecision") or "")
    if said not in _VOTES:
        raise UnmappedValueError("approval.approverDecision", said)
    return Vote(approver=approver, state=_VOTES[said])


def native_approval(approvals: Iterable[Approval]) -> NativeApproval:
    """Return what a ticket's own approvals say: the newest decides, an open one anywhere waits."""
    ordered = sorted(approvals, key=lambda one: (one.created_at, one.id))
    if not ordered:
        return NativeApproval.NONE
    if any(one.final is NativeApproval.PENDING for one in ordered):
        return NativeApproval.PENDING
    last = ordered[-1]
    if last.final is NativeApproval.APPROVED and not last.is_approved:
        # Said to be approved, and nobody did: wait for a person.
        return NativeApproval.PENDING
    return last.final
