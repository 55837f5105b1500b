"""The ServiceNow connector with catalog requests as its tickets, against the same sandbox."""

import contextlib
from collections.abc import Iterator

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from tests.contract.harness import Harness
from tests.contract.harness_servicenow import ServiceNowHarness

_ITEM = "29a39e830a0a0b27007d1e200ad52253"
_STATES = {
    "-5": TicketState.ON_HOLD,
    "1": TicketState.NEW,
    "2": TicketState.IN_PROGRESS,
    "3": TicketState.CLOSED,
    "4": TicketState.CLOSED,
    "7": TicketState.CANCELLED,
}
_NATIVE = {
    TicketState.ON_HOLD: "-5",
    TicketState.NEW: "1",
    TicketState.IN_PROGRESS: "2",
    TicketState.RESOLVED: "3",
    TicketState.CLOSED: "3",
    TicketState.CANCELLED: "7",
}


class RequestHarness(ServiceNowHarness):
    """The same instance; people order a catalog item instead of reporting an incident."""

    source = "sc_req_item"
    table = "sc_req_item"
    kind = TicketKind.SERVICE_REQUEST
    group = "Network"

    def seed_ticket(
        self,
        short_description: str,
        *,
        description: str = "",
        kind: TicketKind = TicketKind.SERVICE_REQUEST,
    ) -> TicketRef:
        assert kind is self.kind
        return self._insert(short_description=short_description, description=description)

    def _values(self) -> dict[str, str]:
        user = self._user(self.requester)
        return {
            "opened_by": user,
            "requested_for": user,
            "cat_item": _ITEM,
            "sys_created_by": self.requester,
            "sys_updated_by": self.requester,
            "contact_type": "self-service",
            "approval": "approved",
        }

    def edit_field(self, ref: TicketRef, field: TicketField, value: str, *, by: str) -> None:
        match field:
            case TicketField.CATEGORY:
                raise AssertionError("a requested item has no category")
            case TicketField.ASSIGNMENT_GROUP:
                values = {"assignment_group": self._group(value)}
            case TicketField.PRIORITY:
                values = {"priority": value}
        self.patch(self.table, ref.id, values, by=by)

    def move_ticket(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        self.patch(self.table, ref.id, {"state": _NATIVE[to]}, by=by)

    def ticket_state(self, ref: TicketRef) -> TicketState:
        return _STATES[self._read(self.table, ref.id)["state"]]

    def field(self, ref: TicketRef, field: TicketField) -> str:
        if field is TicketField.PRIORITY:
            priority = self._read(self.table, ref.id)["priority"]
            return "" if priority == "4" else priority
        return super().field(ref, field)

    def _name_change(self, ticket: TicketRef, change: str, *, by: str) -> None:
        self.patch("change_request", change, {"parent": ticket.id}, by=by)

    def linked_changes(self, ref: TicketRef) -> tuple[str, ...]:
        return tuple(row["sys_id"] for row in self.rows("change_request", f"parent={ref.id}"))


@contextlib.contextmanager
def harness() -> Iterator[Harness]:
    """A fresh sandbox without tickets, and the connector on it."""
    with ServiceNowSandbox(seed="empty") as sandbox:
        yield RequestHarness(sandbox)
