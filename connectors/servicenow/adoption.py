"""Taking over a change that a person opened: only while it is New and nobody has been asked.

The ticket says which: an incident by its `rfc`, a requested item by being the change's `parent`.
Whoever is asked later is asked over our texts: they are on the record before it leaves New, and the
native history says that it never left New before.
"""

from collections.abc import Mapping

from connectors.servicenow import evidence
from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, Value, shown, text
from connectors.servicenow.change_reads import CHANGE_FIELDS
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.drafts import MARK
from connectors.servicenow.mapping import (
    BOOLEANS,
    CHANGE_KINDS,
    ROW_STATES,
    TABLES,
    map_or_raise,
)
from connectors.servicenow.snapshots import ChangeMapping, plan_text
from engine.domain.change import ApprovalState, ChangeState
from engine.domain.decision import ChangeKind
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef, TicketRef
from engine.errors import InvalidAnswerError, PreconditionError, RecordNotFoundError

_TABLE = "change_request"


class Adoption:
    """Adopts changes of one instance."""

    def __init__(self, client: ServiceNowClient, mapping: ChangeMapping) -> None:
        self._client = client
        self._mapping = mapping

    def linked(self, ticket: TicketRef) -> ChangeRef | None:
        """Return the change of a person that the ticket names, None where it names none.

        Raises:
            PreconditionError: It names more than one, or one that we cannot read.
        """
        if ticket.system != self._client.name:
            return None
        if TABLES[ticket.kind] == "incident":
            return self._by_rfc(ticket)
        rows, hidden = self._client.all_rows(
            _TABLE,
            q.equals("parent", ticket.id),
            fields=("sys_id", "number", "parent", "correlation_display"),
        )
        theirs = [
            row
            for row in rows
            if text(row, "parent") == ticket.id and text(row, "correlation_display") != MARK
        ]
        if hidden or len(theirs) > 1:
            numbers = ", ".join(text(row, "number") for row in theirs) or "hidden ones"
            raise PreconditionError(f"{ticket} belongs to more than one change ({numbers})")
        return self._mapping.ref(theirs[0]) if theirs else None

    def _by_rfc(self, ticket: TicketRef) -> ChangeRef | None:
        fields = ("sys_id", "rfc", "rfc.number", "rfc.correlation_display")
        incident = self._client.read("incident", ticket.id, fields=fields)
        rfc = text(incident, "rfc")
        if not rfc or text(incident, "rfc.correlation_display") == MARK:
            return None
        number = text(incident, "rfc.number") or shown(incident, "rfc")
        if not number:
            raise PreconditionError(f"the change that {ticket} names cannot be read")
        return self._mapping.ref({**incident, "sys_id": incident["rfc"], "number": _as(number)})

    def is_ours(self, record: Record) -> bool:
        """Whether our own account made the record."""
        return text(record, "sys_created_by") == self._client.account().name

    def adopt(self, ref: ChangeRef, draft: ChangeDraft, values: Mapping[str, str]) -> None:
        """Make a person's change ours: our texts, key and terms on it, and still nobody asked.

        Raises:
            PreconditionError: It cannot be adopted; the reason names what was seen.
            InvalidAnswerError: What was written does not stand there.
        """
        self._require_unasked(ref, draft)
        self._client.update(_TABLE, ref.id, values, fields=("sys_id",))
        record = self._require_unasked(ref, draft)
        if text(record, "correlation_id") != draft.correlation_id:
            raise InvalidAnswerError(f"{ref}: adopted, but the correlation id was not kept")
        if plan_text(record).digest != draft.text.digest:
            raise InvalidAnswerError(f"{ref}: adopted, but the plan's texts were not kept")

    def _require_unasked(self, ref: ChangeRef, draft: ChangeDraft) -> Record:
        try:
            record = self._client.read(_TABLE, ref.id, fields=CHANGE_FIELDS)
        except RecordNotFoundError:
            raise PreconditionError(
                f"{ref} is named on the ticket, and cannot be read: it is gone, or hidden from us"
            ) from None
        for objection in self._objections(ref, record, draft):
            raise PreconditionError(f"{ref} was opened by somebody else and {objection}")
        return record

    def _objections(self, ref: ChangeRef, record: Record, draft: ChangeDraft) -> list[str]:
        found: list[str] = []
        state = self._mapping.state(text(record, "state"))
        if state is not ChangeState.NEW:
            found.append(f"is {state}: it can only be adopted while it is new")
        approval = map_or_raise(ROW_STATES, "change_request.approval", text(record, "approval"))
        rows, hidden = evidence.approval_rows(self._client, ref.id)
        if approval is not ApprovalState.NOT_REQUESTED or rows:
            found.append("its approvers have been asked already")
        if hidden:
            found.append("its approvals cannot all be read")
        history = evidence.history(self._client, _TABLE, [ref.id])
        if history is None:
            found.append("its history cannot be read")
        if any(text(entry, "fieldname") == "state" for entry in history or ()):
            found.append("has been moved before")
        if map_or_raise(BOOLEANS, "change_request.on_hold", text(record, "on_hold")):
            found.append("is on hold")
        kind = text(record, "type")
        if draft.kind is ChangeKind.STANDARD or kind != CHANGE_KINDS[draft.kind]:
            found.append(f"is of the kind {kind}, where the tier map asks for {draft.kind}")
        if text(record, "correlation_id") not in {"", draft.correlation_id}:
            found.append("carries another system's correlation id")
        return found

    def require_asked_by_us(self, ref: ChangeRef, record: Record) -> None:
        """Return only if nobody else took an adopted change out of New.

        Raises:
            PreconditionError: Somebody else asked its approvers, or nobody can tell who did.
        """
        if self.is_ours(record):
            return
        own = self._client.account().name
        left = [
            text(entry, "user")
            for entry in evidence.history(self._client, _TABLE, [ref.id]) or ()
            if text(entry, "fieldname") == "state"
            and self._mapping.state(text(entry, "oldvalue")) is ChangeState.NEW
        ]
        if left != [own]:
            raise PreconditionError(f"{ref} was opened by somebody else, who asked its approvers")


def _as(value: str) -> Value:
    return Value(value, value)
