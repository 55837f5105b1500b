"""ServiceNow's values in ITIL words, and back: total tables, pure functions.

An unknown value is an error, never a default. Values: ServiceNow docs, "Incident states", "State
model", "Approval status"; the numbers are those of the shipped choice lists, and configuration may
add the ones of an instance.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from connectors.servicenow.answers import Record, require_columns, shown, text
from connectors.servicenow.query import parse_instant
from engine.domain.change import ApprovalState, ChangeState
from engine.domain.decision import ChangeKind
from engine.domain.refs import Account, TicketKind, TicketRef
from engine.domain.ticket import NativeApproval, RunNow, Ticket, TicketField, TicketState
from engine.errors import InvalidAnswerError, MissingRightError, UnmappedValueError

V = TypeVar("V")

INCIDENT_STATES: Mapping[str, TicketState] = {
    "1": TicketState.NEW,
    "2": TicketState.IN_PROGRESS,
    "3": TicketState.ON_HOLD,
    "6": TicketState.RESOLVED,
    "7": TicketState.CLOSED,
    "8": TicketState.CANCELLED,
}
REQUEST_STATES: Mapping[str, TicketState] = {
    "-5": TicketState.ON_HOLD,
    "1": TicketState.NEW,
    "2": TicketState.IN_PROGRESS,
    "3": TicketState.CLOSED,
    "4": TicketState.CLOSED,
    "7": TicketState.CANCELLED,
}
TICKET_STATES: Mapping[str, Mapping[str, TicketState]] = {
    "incident": INCIDENT_STATES,
    "sc_req_item": REQUEST_STATES,
}
CHANGE_STATES: Mapping[str, ChangeState] = {
    "-5": ChangeState.NEW,
    "-4": ChangeState.ASSESS,
    "-3": ChangeState.AUTHORIZE,
    "-2": ChangeState.SCHEDULED,
    "-1": ChangeState.IMPLEMENT,
    "0": ChangeState.REVIEW,
    "3": ChangeState.CLOSED,
    "4": ChangeState.CANCELLED,
}
ROW_STATES: Mapping[str, ApprovalState] = {
    "not requested": ApprovalState.NOT_REQUESTED,
    "requested": ApprovalState.REQUESTED,
    "approved": ApprovalState.APPROVED,
    "rejected": ApprovalState.REJECTED,
    "cancelled": ApprovalState.CANCELLED,
    "not_required": ApprovalState.NOT_REQUIRED,
    "duplicate": ApprovalState.DUPLICATE,
    "skipped": ApprovalState.SKIPPED,
}
TICKET_APPROVALS: Mapping[str, NativeApproval] = {
    "": NativeApproval.NONE,
    "not requested": NativeApproval.NONE,
    "requested": NativeApproval.PENDING,
    "approved": NativeApproval.APPROVED,
    "rejected": NativeApproval.REJECTED,
    # It was asked for and nobody said yes: that it was called off is no permission.
    "cancelled": NativeApproval.PENDING,
    "not_required": NativeApproval.NONE,
    "duplicate": NativeApproval.NONE,
    "skipped": NativeApproval.NONE,
}
MAJOR_STATES: Mapping[str, bool] = {
    "": False,
    "proposed": True,
    "accepted": True,
    "rejected": False,
    "canceled": False,
}
CHANGE_KINDS: Mapping[ChangeKind, str] = {
    ChangeKind.NORMAL: "normal",
    ChangeKind.STANDARD: "standard",
    ChangeKind.EMERGENCY: "emergency",
}
# Priority is computed from impact and urgency and cannot be written (shipped lookup rules).
PRIORITIES: Mapping[str, tuple[str, str]] = {
    "1": ("1", "1"),
    "2": ("1", "2"),
    "3": ("2", "2"),
    "4": ("2", "3"),
    "5": ("3", "3"),
}
BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "": False}
KINDS: Mapping[str, TicketKind] = {
    "incident": TicketKind.INCIDENT,
    "sc_req_item": TicketKind.SERVICE_REQUEST,
}
TABLES: Mapping[TicketKind, str] = {kind: table for table, kind in KINDS.items()}
NATIVE_FIELDS: Mapping[str, Mapping[TicketField, tuple[str, ...]]] = {
    "incident": {
        TicketField.CATEGORY: ("category",),
        TicketField.ASSIGNMENT_GROUP: ("assignment_group",),
        TicketField.PRIORITY: ("impact", "urgency"),
    },
    # A requested item has no category; its catalog item says what it is.
    "sc_req_item": {
        TicketField.ASSIGNMENT_GROUP: ("assignment_group",),
        TicketField.PRIORITY: ("priority",),
    },
}

_COMMON = (
    "sys_id", "number", "sys_class_name", "sys_mod_count", "sys_created_on", "sys_created_by",
    "sys_updated_on", "sys_updated_by", "state", "approval", "short_description", "description",
    "opened_by", "assigned_to", "assignment_group", "contact_type", "priority", "impact", "urgency",
)  # fmt: skip
TICKET_FIELDS: Mapping[str, tuple[str, ...]] = {
    "incident": (
        *_COMMON, "caller_id", "category", "subcategory", "hold_reason", "rfc",
        "major_incident_state",
    ),
    "sc_req_item": (
        *_COMMON, "requested_for", "cat_item", "request", "request.approval", "parent",
    ),
}  # fmt: skip
_DECIDING = frozenset(
    {
        "sys_mod_count", "sys_created_by", "state", "approval", "short_description", "description",
        "opened_by", "assigned_to", "assignment_group", "contact_type", "priority",
    }
)  # fmt: skip
DECIDING: Mapping[str, frozenset[str]] = {
    "incident": _DECIDING | {"caller_id", "category", "impact", "urgency"},
    "sc_req_item": _DECIDING | {"requested_for", "cat_item", "request"},
}
"""The columns on which it is decided what happens to a ticket: hidden, they must not read empty."""
TASK_FIELDS = ("request_item", "assigned_to", "active", "state", "sys_updated_on")


def map_or_raise(table: Mapping[str, V], field: str, value: str) -> V:
    """Return the mapped value.

    Raises:
        UnmappedValueError: The table does not know it.
    """
    try:
        return table[value]
    except KeyError:
        raise UnmappedValueError(field, value) from None


def required_instant(record: Record, name: str) -> datetime:
    """Return an instant that every record has.

    Raises:
        InvalidAnswerError: It is missing or no instant.
    """
    try:
        found = parse_instant(text(record, name))
    except InvalidAnswerError:
        found = None
    if found is None:
        raise InvalidAnswerError(f"{name} holds no instant")
    return found


def account_of(system: str, record: Record, name: str) -> Account | None:
    """Return the account that a reference field names; None where it is empty."""
    sys_id = text(record, name)
    return Account(system=system, id=sys_id, name=shown(record, name)) if sys_id else None


class TicketMapping:
    """Records of one system as tickets; `users` looks up accounts by user name."""

    def __init__(
        self,
        system: str,
        url: str,
        *,
        states: Mapping[str, Mapping[str, TicketState]],
        unset: Mapping[str, tuple[str, ...]],
        security_categories: tuple[str, ...],
    ) -> None:
        self._system = system
        self._url = url
        self._states = {
            table: {**known, **states.get(table, {})} for table, known in TICKET_STATES.items()
        }
        self._unset = unset
        self._security = frozenset(security_categories)

    def state(self, table: str, value: str) -> TicketState:
        """Return the state in ITIL words.

        Raises:
            UnmappedValueError: No table knows it.
        """
        return map_or_raise(self._states[table], f"{table}.state", value)

    def native_state(self, table: str, state: TicketState) -> str:
        """Return the native value of a state: the documented one, or a configured one."""
        for value, known in self._states[table].items():
            if known is state:
                return value
        raise UnmappedValueError(f"{table}.state", str(state))

    def is_unset(self, name: str, value: str) -> bool:
        """Whether nobody chose this value: it is empty, or a default that the portal fills in."""
        return not value or value in self._unset.get(name, ())

    def ref(self, table: str, record: Record) -> TicketRef:
        """Return the record's typed name."""
        sys_id, number = text(record, "sys_id"), text(record, "number")
        if not sys_id or not number:
            raise InvalidAnswerError(f"{table}: a record without sys_id or number")
        return TicketRef(system=self._system, kind=KINDS[table], id=sys_id, key=number)

    def fields(self, table: str, record: Record) -> Mapping[TicketField, str]:
        """Return the triage fields as they stand; "" where nobody chose."""
        values: dict[TicketField, str] = {}
        for field, names in NATIVE_FIELDS[table].items():
            stored = [text(record, name) for name in names]
            is_unset = all(
                self.is_unset(name, value) for name, value in zip(names, stored, strict=True)
            )
            own = text(record, str(field))
            values[field] = "" if is_unset or self.is_unset(str(field), own) else own
        return values

    def ticket(self, table: str, record: Record, around: "Surroundings") -> Ticket:
        """Return one record with what stands around it as a ticket.

        Raises:
            UnmappedValueError: A value that no table knows.
            InvalidAnswerError: The record cannot be what was asked for.
            MissingRightError: A column on which something is decided is hidden from us.
        """
        require_columns(table, record, DECIDING[table])
        if text(record, "sys_class_name") not in {table, ""}:
            raise UnmappedValueError("sys_class_name", text(record, "sys_class_name"))
        ref = self.ref(table, record)
        is_incident = table == "incident"
        return Ticket(
            ref=ref,
            url=f"{self._url}/nav_to.do?uri={table}.do?sys_id={ref.id}",
            version=text(record, "sys_mod_count"),
            created_at=required_instant(record, "sys_created_on"),
            updated_at=required_instant(record, "sys_updated_on"),
            state=self.state(table, text(record, "state")),
            short_description=text(record, "short_description"),
            description=text(record, "description"),
            requester=account_of(self._system, record, "caller_id" if is_incident else "opened_by"),
            creator=around.creator(text(record, "sys_created_by")),
            subject=None if is_incident else account_of(self._system, record, "requested_for"),
            assignee=around.assignee(account_of(self._system, record, "assigned_to"), ref.id),
            group=shown(record, "assignment_group"),
            # A requested item seldom carries a contact type: it came through the catalog.
            channel=text(record, "contact_type") or ("" if is_incident else "catalog"),
            catalog_item=text(record, "cat_item"),
            catalog_item_name=shown(record, "cat_item"),
            variables=around.variables.get(ref.id, {}),
            fields=self.fields(table, record),
            edited=around.edited.get(ref.id, frozenset()),
            native_approval=_approval(record),
            is_held=ref.id in around.held,
            is_major_incident=map_or_raise(
                MAJOR_STATES, "incident.major_incident_state", text(record, "major_incident_state")
            ),
            is_security=is_incident and text(record, "category") in self._security,
            updated_by=text(record, "sys_updated_by"),
            run_now=around.run_now.get(ref.id),
        )


def _approval(record: Record) -> NativeApproval:
    """Return the item's approval together with its request's; the stricter one counts."""
    if text(record, "request") and not text(record, "request.approval"):
        # It is never empty (its default is "not requested"), so it is hidden from us.
        raise MissingRightError("sc_req_item: our account cannot read request.approval")
    found = {
        map_or_raise(TICKET_APPROVALS, name, text(record, name))
        for name in ("approval", "request.approval")
    }
    for state in (NativeApproval.REJECTED, NativeApproval.PENDING, NativeApproval.APPROVED):
        if state in found:
            return state
    return NativeApproval.NONE


class Surroundings:
    """What a ticket needs from other tables, fetched for a whole page at once.

    Attributes:
        users: Accounts by user name, as `sys_created_by` and journals name them.
        variables: Record id to catalog answers.
        edited: Record id to the triage fields that a person changed.
        held: Record ids that a person told us to leave alone.
        tasks: Requested item id to the assignees of its open catalog tasks.
        run_now: Record ids to the newest note that asks to run the plan now.
        own: Our own account; being assigned to us is nobody's taking.
    """

    def __init__(
        self,
        own: Account,
        *,
        users: Mapping[str, Account],
        variables: Mapping[str, Mapping[str, str]],
        edited: Mapping[str, frozenset[TicketField]],
        held: frozenset[str],
        tasks: Mapping[str, tuple[Account, ...]],
        run_now: Mapping[str, RunNow] | None = None,
    ) -> None:
        self.own = own
        self.users = users
        self.variables = variables
        self.edited = edited
        self.held = held
        self.tasks = tasks
        self.run_now = run_now or {}

    def creator(self, user_name: str) -> Account | None:
        """Return the account whose session made the record; None when it cannot be told."""
        return self.users.get(user_name)

    def assignee(self, own: Account | None, ticket_id: str) -> Account | None:
        """Return who took the ticket, or one of its open catalog tasks."""
        for account in (own, *self.tasks.get(ticket_id, ())):
            if account is not None and account.identity != self.own.identity:
                return account
        return None


def choose(wanted: str, choices: Iterable[tuple[str, str]], *, field: str) -> str:
    """Return the stored value of a choice that `wanted` names by value or by a label.

    Args:
        wanted: The value, or what people see for it in any language.
        choices: Stored values with their labels; a value has one for each language.
        field: What is chosen, for the error.

    Raises:
        UnmappedValueError: None, or more than one, is named so.
    """
    pairs = tuple(choices)
    if any(value == wanted for value, _ in pairs):
        return wanted
    named = wanted.casefold()
    found = {value for value, label in pairs if named in {label.casefold(), value.casefold()}}
    if len(found) != 1:
        raise UnmappedValueError(field, wanted)
    return found.pop()


_COMMAND = re.compile(
    r"^\s*tiergate\s*:\s*(?P<word>[a-z][a-z _-]*?[a-z])(?:\s+(?P<code>[0-9a-f]{8}))?\s*[.!]?\s*$",
    re.IGNORECASE,
)
ANSWERS: Mapping[str, str] = {
    "accept": "accept",
    "wrong action": "wrong_action",
    "wrong person": "wrong_person",
    "do it myself": "do_it_myself",
}
RUN_NOW = "run now"
HOLDS: Mapping[str, bool] = {"hold": True, "release": False}


# To stop us must be easy: whatever follows the word, it holds, and a forgotten colon does not let
# us go on. A yes must be exact.
_HOLD = re.compile(r"^\s*tiergate\s*[:,]?\s*hold\b", re.IGNORECASE)


def commands(note: str) -> tuple[tuple[str, str], ...]:
    """Return what a note tells us, a line each: (word, plan code or "")."""
    found: list[tuple[str, str]] = []
    for line in note.splitlines():
        match = _COMMAND.match(line)
        if _HOLD.match(line):
            found.append(("hold", ""))
        elif match:
            word = " ".join(re.split(r"[ _-]+", match["word"].lower()))
            found.append((word, (match["code"] or "").lower()))
    return tuple(found)
