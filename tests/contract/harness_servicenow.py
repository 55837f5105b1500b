"""The ServiceNow connector against its sandbox, over sockets."""

import contextlib
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from connectors.desk_way import DeskWay
from connectors.sandboxkit.organisation import load_organisation
from connectors.servicenow.factory import build
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.change import ChangeState
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.ports.changes import ChangeControl
from engine.ports.desk import TicketDesk
from engine.runtime.clock import SystemClock
from tests.contract.harness import Fault, Harness

_TICKET_STATES = {
    "1": TicketState.NEW,
    "2": TicketState.IN_PROGRESS,
    "3": TicketState.ON_HOLD,
    "6": TicketState.RESOLVED,
    "7": TicketState.CLOSED,
    "8": TicketState.CANCELLED,
}
_CHANGE_STATES = {
    "-5": ChangeState.NEW,
    "-4": ChangeState.ASSESS,
    "-3": ChangeState.AUTHORIZE,
    "-2": ChangeState.SCHEDULED,
    "-1": ChangeState.IMPLEMENT,
    "0": ChangeState.REVIEW,
    "3": ChangeState.CLOSED,
    "4": ChangeState.CANCELLED,
}
_PLAN_FIELDS = {
    "short_description": "short_description",
    "description": "description",
    "justification": "justification",
    "risk_and_impact": "risk_impact_analysis",
    "implementation": "implementation_plan",
    "test": "test_plan",
    "backout": "backout_plan",
}
_PRIORITIES = {"1": ("1", "1"), "2": ("1", "2"), "3": ("2", "2"), "4": ("2", "3"), "5": ("3", "3")}
_DAEMON = "tiergate"
_FAULTS: Mapping[Fault, tuple[Mapping[str, object], ...]] = {
    Fault.LOSE_ANSWER: (
        {"kind": "drop_after", "method": "POST"},
        {"kind": "drop_after", "method": "PATCH"},
    ),
    Fault.LOSE_REQUEST: (
        {"kind": "drop_before", "method": "POST"},
        {"kind": "drop_before", "method": "PATCH"},
    ),
    Fault.TRUNCATE: ({"kind": "truncated"},),
    # ServiceNow answers an anonymous session with 401, never with an empty list.
    Fault.ANONYMOUS: ({"kind": "5xx", "status": 401},),
    Fault.NOT_JSON: ({"kind": "html"},),
    Fault.SERVER_ERROR: ({"kind": "5xx", "status": 503},),
    Fault.RATE_LIMITED: ({"kind": "429"},),
    Fault.IGNORE_STATE: ({"kind": "ignored_state"},),
}


class ServiceNowHarness:
    """One sandbox with everybody in it."""

    name = "servicenow"
    source = "incident"
    table = "incident"
    kind = TicketKind.INCIDENT
    requester = "abel.tuter"
    agent = "luke.wilson"
    approvers = ("howard.johnson", "beth.anglin")
    faults = frozenset(_FAULTS)
    hides = True
    page_size = 3
    overlap = timedelta(seconds=120)
    priority = "2"
    group = "Network"

    def __init__(self, sandbox: ServiceNowSandbox) -> None:
        self._sandbox = sandbox
        self._organisation = load_organisation()
        account = sandbox.accounts["integration"]
        self._settings = ServiceNowSettings.model_validate(
            {
                "url": sandbox.url,
                "auth": {"user": account.username, "password": account.password},
                "tickets": [{"table": self.table, "filter": "active=true"}],
                "changes": {"assignment_group": "Software"},
                "unset": {
                    "category": ["inquiry"],
                    "impact": ["3"],
                    "urgency": ["3"],
                    "priority": ["4"],
                },
                "page_size": self.page_size,
                "overlap": "120s",
                "lag": "3s",
                "attempts": 2,
                "faults_group": "Automation",
            }
        )
        adapters = build(self.name, self._settings, SystemClock())
        self.desk: TicketDesk = adapters.desk
        self.changes: ChangeControl = adapters.changes
        self.authority_group = next(
            group.servicenow
            for group in self._organisation.itsm_groups
            if group.name == "CAB Approval"
        )

    # --- the instance, as other people reach it
    def call(self, method: str, path: str, *, by: str = "admin", **kwargs: Any) -> Any:
        """Send one request with a person's own account and return the result."""
        answer = requests.request(
            method,
            f"{self._sandbox.url}/api/now/{path}",
            auth=(by, f"{by}-pw"),
            timeout=30,
            **kwargs,
        )
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()["result"] if answer.content else None

    def rows(self, table: str, query: str, *, by: str = "admin") -> list[dict[str, str]]:
        """Return rows with plain values."""
        params = {"sysparm_query": query, "sysparm_exclude_reference_link": "true"}
        found: list[dict[str, str]] = self.call("GET", f"table/{table}", by=by, params=params)
        return found

    def patch(self, table: str, sys_id: str, values: Mapping[str, str], *, by: str) -> None:
        """Write as a person."""
        self.call("PATCH", f"table/{table}/{sys_id}", by=by, json=dict(values))

    def _read(self, table: str, sys_id: str) -> dict[str, str]:
        found: dict[str, str] = self.call(
            "GET",
            f"table/{table}/{sys_id}",
            params={"sysparm_exclude_reference_link": "true"},
        )
        return found

    def _user(self, uid: str) -> str:
        return self._organisation.person(uid).servicenow

    def account(self, uid: str) -> Account:
        """Return a person's account."""
        return Account(system=self.name, id=self._user(uid), name=uid)

    # --- time
    def now(self) -> datetime:
        return self._sandbox.clock.now()

    def settle(self) -> None:
        self.advance(timedelta(seconds=10))

    def advance(self, step: timedelta) -> None:
        self._sandbox.clock.advance(step)

    # --- tickets
    def seed_ticket(
        self,
        short_description: str,
        *,
        description: str = "",
        kind: TicketKind = TicketKind.INCIDENT,
    ) -> TicketRef:
        assert kind is TicketKind.INCIDENT
        record = self.call(
            "POST",
            "table/incident",
            by=self.requester,
            json={
                "short_description": short_description,
                "description": description,
                "caller_id": self._user(self.requester),
                "contact_type": "self-service",
            },
        )
        return self._ref(record)

    def _ref(self, record: Mapping[str, str]) -> TicketRef:
        return TicketRef(
            system=self.name,
            kind=self.kind,
            id=record["sys_id"],
            key=record["number"],
        )

    def _insert(self, **values: str) -> TicketRef:
        """Insert as the system would, with times and states of our choice."""
        row = {**self._values(), **values}
        answer = requests.post(
            f"{self._sandbox.admin_url}/seed",
            json={"kind": "records", "table": self.table, "records": [row]},
            timeout=30,
        )
        assert answer.ok, answer.text
        return self._ref(self._read(self.table, answer.json()["sys_ids"][0]))

    def _values(self) -> dict[str, str]:
        return {
            "caller_id": self._user(self.requester),
            "sys_created_by": self.requester,
            "sys_updated_by": self.requester,
            "contact_type": "self-service",
        }

    def seed_at(self, short_description: str, at: datetime) -> TicketRef:
        stamp = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        return self._insert(
            short_description=short_description, sys_created_on=stamp, sys_updated_on=stamp
        )

    def seed_broken(self) -> TicketRef:
        return self._insert(short_description="broken", state="99")

    def hide(self, ref: TicketRef) -> None:
        # Domain separation: counted, and not shown to accounts of the global domain.
        self.patch(self.table, ref.id, {"sys_domain": "other"}, by="admin")

    def delete(self, ref: TicketRef) -> None:
        self.call("DELETE", f"table/{self.table}/{ref.id}")

    def edit_field(self, ref: TicketRef, field: TicketField, value: str, *, by: str) -> None:
        match field:
            case TicketField.CATEGORY:
                values = {"category": value}
            case TicketField.ASSIGNMENT_GROUP:
                values = {"assignment_group": self._group(value)}
            case TicketField.PRIORITY:
                impact, urgency = _PRIORITIES[value]
                values = {"impact": impact, "urgency": urgency}
        self.patch(self.table, ref.id, values, by=by)

    def _group(self, name: str) -> str:
        return next(
            group.servicenow for group in self._organisation.itsm_groups if group.name == name
        )

    def edit_text(self, ref: TicketRef, text: str, *, by: str) -> None:
        self.patch(self.table, ref.id, {"description": text}, by=by)

    def write_note(self, ref: TicketRef, text: str, *, by: str) -> None:
        self.patch(self.table, ref.id, {"work_notes": text}, by=by)

    def take(self, ref: TicketRef, *, by: str) -> None:
        self.patch(self.table, ref.id, {"assigned_to": self._user(by)}, by=by)

    def move_ticket(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        native = next(value for value, state in _TICKET_STATES.items() if state is to)
        values = {"state": native}
        if to is TicketState.ON_HOLD:
            values["hold_reason"] = "4"
        if to in {TicketState.RESOLVED, TicketState.CLOSED}:
            values |= {"close_code": "Solution provided", "close_notes": "done"}
        self.patch(self.table, ref.id, values, by=by)

    def ticket_state(self, ref: TicketRef) -> TicketState:
        return _TICKET_STATES[self._read(self.table, ref.id)["state"]]

    def field(self, ref: TicketRef, field: TicketField) -> str:
        record = self._read(self.table, ref.id)
        match field:
            case TicketField.CATEGORY:
                return "" if record["category"] == "inquiry" else record["category"]
            case TicketField.PRIORITY:
                return "" if record["priority"] == "5" else record["priority"]
            case TicketField.ASSIGNMENT_GROUP:
                groups = self._organisation.itsm_groups
                value = record["assignment_group"]
                return next((group.name for group in groups if group.servicenow == value), "")

    def _journal(self, sys_id: str, element: str) -> tuple[str, ...]:
        rows = self.rows("sys_journal_field", f"element_id={sys_id}^element={element}")
        rows.sort(key=lambda row: row["sys_created_on"])
        return tuple(row["value"] for row in rows)

    def notes(self, ref: TicketRef) -> tuple[str, ...]:
        return self._journal(ref.id, "work_notes")

    def comments(self, ref: TicketRef) -> tuple[str, ...]:
        return self._journal(ref.id, "comments")

    def linked_changes(self, ref: TicketRef) -> tuple[str, ...]:
        rfc = self._read(self.table, ref.id)["rfc"]
        return (rfc,) if rfc else ()

    def faults_open(self) -> int:
        rows = self.rows("incident", "correlation_display=Tiergate")
        return sum(_TICKET_STATES[row["state"]].is_open for row in rows)

    def desk_by(self, way: Mapping[str, str]) -> TicketDesk | None:
        if way.get("by") == "approval":
            return None
        settings = self._settings.model_copy(update={"desk": DeskWay.model_validate(dict(way))})
        return build(self.name, settings, SystemClock()).desk

    def answer_field(self) -> str:
        return "user_input"

    def set_answer(self, ref: TicketRef, text: str, *, by: str) -> None:
        self.patch(self.table, ref.id, {"user_input": text}, by=by)

    # --- changes
    def draft(self, ticket: TicketRef, *, correlation_id: str) -> ChangeDraft:
        return ChangeDraft(
            correlation_id=correlation_id,
            plan_digest="sha256:" + "5b" * 32,
            text=PlanText(
                short_description="Add bob.miller to PROD-DB-Admins",
                description="What was asked, and by whom.\nSecond line.",
                justification="Requested in a ticket.",
                risk_and_impact="Blast radius: 1 account.",
                implementation="1. Add the account.\n2. Read the group back.",
                test="As step 2.",
                backout="Remove the membership.",
            ),
            kind=ChangeKind.NORMAL,
            window=Window(),
            ticket=ticket,
            requested_by=self.account(self.requester),
            authority_group=self.authority_group,
        )

    def adopting(self) -> ChangeControl:
        changes = self._settings.changes.model_copy(update={"adopt": True})
        settings = self._settings.model_copy(update={"changes": changes})
        return build(self.name, settings, SystemClock()).changes

    def change_by_hand(self, ticket: TicketRef, *, by: str, words: str = "The usual.") -> ChangeRef:
        made = self.call(
            "POST",
            "table/change_request",
            by=by,
            json={
                "short_description": "Somebody gets somewhere",
                "description": words,
                "type": "normal",
                "assignment_group": self._group("Software"),
            },
        )
        self._name_change(ticket, made["sys_id"], by=by)
        return ChangeRef(system=self.name, id=made["sys_id"], number=made["number"], url="")

    def _name_change(self, ticket: TicketRef, change: str, *, by: str) -> None:
        self.patch("incident", ticket.id, {"rfc": change}, by=by)

    def move_change(self, change: ChangeRef, *, by: str) -> None:
        self.patch("change_request", change.id, {"state": "-4"}, by=by)

    def decide(self, change: ChangeRef, *, by: str, approve: bool) -> None:
        query = f"sysapproval={change.id}^approver={self._user(by)}^state=requested"
        (row,) = self.rows("sysapproval_approver", query)
        values = {"state": "approved" if approve else "rejected", "comments": "decided in a test"}
        self.patch("sysapproval_approver", row["sys_id"], values, by=by)

    def edit_change(self, change: ChangeRef, field: str, text: str, *, by: str) -> None:
        self.patch("change_request", change.id, {_PLAN_FIELDS[field]: text}, by=by)

    def cancel_change(self, change: ChangeRef, *, by: str) -> None:
        self.patch("change_request", change.id, {"state": "4"}, by=by)

    def hold_change(self, change: ChangeRef, *, is_held: bool, by: str) -> None:
        values = {"on_hold": str(is_held).lower(), "on_hold_reason": "not today" if is_held else ""}
        self.patch("change_request", change.id, values, by=by)

    def break_change(self, change: ChangeRef) -> None:
        self.patch("change_request", change.id, {"approval": "perhaps"}, by="admin")

    def change_state(self, change: ChangeRef) -> ChangeState:
        return _CHANGE_STATES[self._read("change_request", change.id)["state"]]

    def count_changes(self, correlation_id: str) -> int:
        return len(self.rows("change_request", f"correlation_id={correlation_id}"))

    def change_notes(self, change: ChangeRef) -> tuple[str, ...]:
        return self._journal(change.id, "work_notes")

    def watcher(self, uid: str) -> str:
        return self._user(uid)

    def watchers(self, change: ChangeRef) -> tuple[str, ...]:
        (row,) = self.rows("change_request", f"sys_id={change.id}")
        return tuple(one for one in row["watch_list"].split(",") if one)

    def attachments(self, change: ChangeRef) -> tuple[str, ...]:
        rows = self.rows("sys_attachment", f"table_sys_id={change.id}")
        return tuple(row["file_name"] for row in rows)

    # --- failures
    @contextlib.contextmanager
    def fault(self, fault: Fault, *, times: int | None = None) -> Generator[None]:
        rules = [
            self._sandbox.faults.add({**rule, "user": _DAEMON, "next_n": times})
            for rule in _FAULTS[fault]
        ]
        try:
            yield
        finally:
            for rule in rules:
                self._sandbox.faults.remove(rule.id)


@contextlib.contextmanager
def harness() -> Iterator[Harness]:
    """A fresh sandbox without tickets, and the connector on it."""
    with ServiceNowSandbox(seed="empty") as sandbox:
        yield ServiceNowHarness(sandbox)
