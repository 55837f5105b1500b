"""The Jira connector against its sandbox, over sockets: the Cloud flavour."""

import contextlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import requests

from connectors.jira.factory import build
from connectors.jira.sandbox.server import JiraSandbox
from connectors.jira.settings import JiraDeskWay, JiraSettings
from connectors.sandboxkit.organisation import load_organisation
from engine.domain.change import ChangeState
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.ports.changes import ChangeControl
from engine.ports.desk import TicketDesk
from engine.runtime.clock import SystemClock
from tests.contract.harness import Fault, Harness

Flavour = Literal["cloud", "datacenter"]
_REQUEST_TYPES = {
    TicketKind.INCIDENT: "Report a system problem",
    TicketKind.SERVICE_REQUEST: "Get IT help",
}
_TICKET_STATES = {
    "Waiting for support": TicketState.NEW,
    "Reopened": TicketState.NEW,
    "In Progress": TicketState.IN_PROGRESS,
    "Pending": TicketState.ON_HOLD,
    "Waiting for customer": TicketState.ON_HOLD,
    "Resolved": TicketState.RESOLVED,
    "Closed": TicketState.CLOSED,
    "Canceled": TicketState.CANCELLED,
}
_CHANGE_STATES = {
    "Review": ChangeState.NEW,
    "Planning": ChangeState.ASSESS,
    "Authorize": ChangeState.AUTHORIZE,
    "Awaiting Implementation": ChangeState.SCHEDULED,
    "Implementing": ChangeState.IMPLEMENT,
    "Completed": ChangeState.CLOSED,
    "Failed": ChangeState.CLOSED,
    "Canceled": ChangeState.CANCELLED,
    "Declined": ChangeState.REJECTED,
}
_PLAN_FIELDS = {
    "short_description": "summary",
    "description": "description",
    "justification": "customfield_10044",
    "risk_and_impact": "customfield_10043",
    "implementation": "customfield_10040",
    "test": "customfield_10042",
    "backout": "customfield_10041",
}
_DAEMON = "tiergate"
_PREFIX = {TicketField.CATEGORY: "category-", TicketField.ASSIGNMENT_GROUP: "group-"}
_RULES: Mapping[Fault, tuple[Mapping[str, object], ...]] = {
    Fault.LOSE_ANSWER: tuple(
        {"kind": "drop_after", "method": method} for method in ("POST", "PUT")
    ),
    Fault.LOSE_REQUEST: tuple(
        {"kind": "drop_before", "method": method} for method in ("POST", "PUT")
    ),
    # Cloud's pages carry no count: what breaks off in transfer is what can be told there.
    Fault.TRUNCATE: ({"kind": "truncated", "variant": "cut"},),
    Fault.ANONYMOUS: ({"kind": "expired_token"},),
    Fault.NOT_JSON: ({"kind": "html"},),
    Fault.SERVER_ERROR: ({"kind": "5xx", "status": 503},),
    Fault.RATE_LIMITED: ({"kind": "429", "seconds": 1},),
    Fault.IGNORE_STATE: ({"kind": "ignored_state"},),
}


class JiraHarness:
    """One sandbox with everybody in it."""

    source = "ITH"
    requester = "bob.miller"
    agent = "luke.wilson"
    approvers = ("howard.johnson", "beth.anglin")
    faults = frozenset(_RULES)
    hides = False
    page_size = 3
    overlap = timedelta(minutes=5)
    priority = "High"
    group = "Network"

    def __init__(self, sandbox: JiraSandbox, flavour: Flavour) -> None:
        self._sandbox = sandbox
        self._flavour = flavour
        self.name = "jira" if flavour == "cloud" else "jira-datacenter"
        self._organisation = load_organisation()
        account = sandbox.accounts["integration"]
        auth = (
            {"email": account["username"], "token": account["password"]}
            if flavour == "cloud"
            else {"pat": account["token"]}
        )
        self._settings = JiraSettings.model_validate(
            {
                "url": sandbox.url,
                "auth": auth,
                "tickets": [{"project": "ITH"}],
                "changes": {"project": "ITH", "index_lag": "1s"},
                "fields": {
                    "priority": "priority",
                    "category": {"field": "labels", "prefix": _PREFIX[TicketField.CATEGORY]},
                    "assignment_group": {
                        "field": "labels",
                        "prefix": _PREFIX[TicketField.ASSIGNMENT_GROUP],
                        "values": [group.name for group in self._organisation.itsm_groups],
                    },
                },
                "unset": {"priority": ["Medium"]},
                "faults": {"project": "ITH"},
                "overlap": "5m",
                "page_size": self.page_size,
                "attempts": 2,
            }
        )
        adapters = build(self.name, self._settings, SystemClock())
        assert adapters.changes is not None
        self.desk: TicketDesk = adapters.desk
        self.changes: ChangeControl = adapters.changes
        cab = next(one for one in self._organisation.itsm_groups if one.name == "CAB Approval")
        self.authority_group = cab.jira if flavour == "cloud" else cab.name

    # --- the site, as other people reach it
    def call(self, method: str, path: str, *, by: str = "admin", **kwargs: Any) -> Any:
        """Send one request with a person's own account and return the JSON."""
        name = f"{by}@example.com" if self._flavour == "cloud" else by
        answer = requests.request(
            method,
            f"{self._sandbox.url}/rest/{path}",
            auth=(name, f"{by}-pw"),
            headers={"X-ExperimentalApi": "opt-in", "X-Atlassian-Token": "no-check"},
            timeout=30,
            **kwargs,
        )
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def _fields(self, issue: str, names: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"api/2/issue/{issue}", params={"fields": names})
        return dict(found["fields"])

    def _user(self, uid: str) -> str:
        params = {"query": f"{uid}@example.com", "username": uid}
        found = self.call("GET", "api/2/user/search", params=params)
        key = "accountId" if self._flavour == "cloud" else "key"
        (one,) = [bean[key] for bean in found]
        return str(one)

    def _search(self, jql: str, fields: str = "status") -> list[dict[str, Any]]:
        path = "api/2/search/jql" if self._flavour == "cloud" else "api/2/search"
        params = {"jql": jql, "fields": fields, "maxResults": 100}
        found: list[dict[str, Any]] = self.call("GET", path, params=params)["issues"]
        return found

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
        values = {"summary": short_description}
        if description:
            values["description"] = description
        return self._request(_REQUEST_TYPES[kind], values, kind)

    def _request(self, name: str, values: Mapping[str, str], kind: TicketKind) -> TicketRef:
        types = self.call("GET", "servicedeskapi/servicedesk/1/requesttype")["values"]
        (chosen,) = [one["id"] for one in types if one["name"] == name]
        made = self.call(
            "POST",
            "servicedeskapi/request",
            by=self.requester,
            json={
                "serviceDeskId": "1",
                "requestTypeId": chosen,
                "requestFieldValues": dict(values),
            },
        )
        return TicketRef(system=self.name, kind=kind, id=made["issueId"], key=made["issueKey"])

    def seed_at(self, short_description: str, at: datetime) -> TicketRef:
        offset = self._sandbox.clock.offset
        self._sandbox.clock.freeze()
        self._sandbox.clock.set_now(at)
        try:
            return self.seed_ticket(short_description)
        finally:
            self._sandbox.clock.set_offset(offset)

    def seed_broken(self) -> TicketRef:
        ref = self.seed_ticket("broken")
        self._invent_a_status(ref.id)
        return ref

    def break_change(self, change: ChangeRef) -> None:
        self._invent_a_status(change.id)

    def _invent_a_status(self, issue: str) -> None:
        """Put an issue into a status that an administrator has just invented."""
        site = self._sandbox.site
        invented = {"id": "19999", "name": "Limbo", "category": "indeterminate"}
        # The definition is shared between sandboxes; this site gets one of its own.
        statuses = {**site.definition.statuses, "19999": invented}
        site.definition = replace(site.definition, statuses=statuses)
        store = site.store
        with store.transaction():
            store.run("UPDATE issue SET status='19999' WHERE id=?", int(issue))

    def hide(self, ref: TicketRef) -> None:
        raise NotImplementedError("Jira leaves hidden issues out of its counts as well")

    def delete(self, ref: TicketRef) -> None:
        self.call("DELETE", f"api/2/issue/{ref.id}")

    def edit_field(self, ref: TicketRef, field: TicketField, value: str, *, by: str) -> None:
        body: dict[str, Any]
        if field is TicketField.PRIORITY:
            body = {"fields": {"priority": {"name": value}}}
        else:
            held = [one for one in self._labels(ref) if one.startswith(_PREFIX[field])]
            edits = [*({"remove": one} for one in held), {"add": f"{_PREFIX[field]}{value}"}]
            body = {"update": {"labels": edits}}
        self.call("PUT", f"api/2/issue/{ref.id}", by=by, json=body)

    def _labels(self, ref: TicketRef | ChangeRef) -> list[str]:
        found: list[str] = self._fields(ref.id, "labels")["labels"]
        return found

    def edit_text(self, ref: TicketRef, text: str, *, by: str) -> None:
        self.call("PUT", f"api/2/issue/{ref.id}", by=by, json={"fields": {"description": text}})

    def write_note(self, ref: TicketRef, text: str, *, by: str) -> None:
        body = {"body": text, "public": False}
        self.call("POST", f"servicedeskapi/request/{ref.id}/comment", by=by, json=body)

    def take(self, ref: TicketRef, *, by: str) -> None:
        who = {"accountId": self._user(by)} if self._flavour == "cloud" else {"name": by}
        self.call("PUT", f"api/2/issue/{ref.id}/assignee", by=by, json=who)

    def move_ticket(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        if to is TicketState.CLOSED and self.ticket_state(ref).is_open:
            self._move(ref.id, {"Resolved"}, by=by)
        names = {name for name, state in _TICKET_STATES.items() if state is to}
        self._move(ref.id, names, by=by)

    def _move(self, issue: str, names: set[str], *, by: str) -> None:
        ways = self.call("GET", f"api/2/issue/{issue}/transitions", by=by)["transitions"]
        chosen = next(way["id"] for way in ways if way["to"]["name"] in names)
        body = {"transition": {"id": chosen}}
        self.call("POST", f"api/2/issue/{issue}/transitions", by=by, json=body)

    def ticket_state(self, ref: TicketRef) -> TicketState:
        return _TICKET_STATES[self._fields(ref.id, "status")["status"]["name"]]

    def field(self, ref: TicketRef, field: TicketField) -> str:
        if field is TicketField.PRIORITY:
            name: str = self._fields(ref.id, "priority")["priority"]["name"]
            return "" if name == "Medium" else name
        prefix = _PREFIX[field]
        found = [one.removeprefix(prefix) for one in self._labels(ref) if one.startswith(prefix)]
        return found[0] if found else ""

    def _talk(self, issue: str, *, public: bool) -> tuple[str, ...]:
        params = {"limit": 100}
        found = self.call("GET", f"servicedeskapi/request/{issue}/comment", params=params)
        ordered = sorted(found["values"], key=lambda one: int(one["id"]))
        return tuple(one["body"] for one in ordered if one["public"] is public)

    def notes(self, ref: TicketRef) -> tuple[str, ...]:
        return self._talk(ref.id, public=False)

    def comments(self, ref: TicketRef) -> tuple[str, ...]:
        return self._talk(ref.id, public=True)

    def linked_changes(self, ref: TicketRef) -> tuple[str, ...]:
        links = self._fields(ref.id, "issuelinks")["issuelinks"]
        return tuple((one.get("inwardIssue") or one["outwardIssue"])["id"] for one in links)

    def faults_open(self) -> int:
        found = self._search("project = ITH AND labels = tiergate-fault")
        names = [one["fields"]["status"]["name"] for one in found]
        return sum(_TICKET_STATES[name].is_open for name in names)

    def desk_by(self, way: Mapping[str, str]) -> TicketDesk | None:
        settings = self._settings.model_copy(update={"desk": JiraDeskWay.model_validate(dict(way))})
        return build(self.name, settings, SystemClock()).desk

    def answer_field(self) -> str:
        return "Affected account"

    def set_answer(self, ref: TicketRef, text: str, *, by: str) -> None:
        body = {"fields": {"customfield_10046": text}}
        self.call("PUT", f"api/2/issue/{ref.id}", by=by, json=body)

    # --- changes
    def draft(self, ticket: TicketRef, *, correlation_id: str) -> ChangeDraft:
        return ChangeDraft(
            correlation_id=correlation_id,
            plan_digest="sha256:" + "5b" * 32,
            text=PlanText(
                short_description="Add bob.miller to PROD-DB-Admins",
                description="What was asked, and by whom.\nSecond *line* with {braces} [x].",
                justification="Requested in a ticket.",
                risk_and_impact="Blast radius: 1 account.",
                implementation='1. Add the account.\n2. Read it back.\n{"action":"add","v":1}',
                test="As step 2.",
                backout="Remove the membership.",
            ),
            kind=ChangeKind.NORMAL,
            window=Window(),
            ticket=ticket,
            requested_by=Account(
                system=self.name, id=self._user(self.requester), name=self.requester
            ),
            authority_group=self.authority_group,
        )

    def adopting(self) -> ChangeControl:
        assert self._settings.changes is not None
        changes = self._settings.changes.model_copy(update={"adopt": True})
        settings = self._settings.model_copy(update={"changes": changes})
        adapters = build(self.name, settings, SystemClock())
        assert adapters.changes is not None
        return adapters.changes

    def change_by_hand(self, ticket: TicketRef, *, by: str, words: str = "The usual.") -> ChangeRef:
        desks = self.call("GET", "servicedeskapi/servicedesk", by=by)["values"]
        desk = next(one["id"] for one in desks if one["projectKey"] == "ITH")
        path = f"servicedeskapi/servicedesk/{desk}/requesttype"
        kinds = self.call("GET", path, by=by)["values"]
        kind = next(one["id"] for one in kinds if one["name"] == "Request a change")
        values = {"summary": "Somebody gets somewhere", "description": words}
        body = {"serviceDeskId": desk, "requestTypeId": kind, "requestFieldValues": values}
        made = self.call("POST", "servicedeskapi/request", by=by, json=body)
        link = {
            "type": {"name": "Relates"},
            "inwardIssue": {"key": made["issueKey"]},
            "outwardIssue": {"key": ticket.key},
        }
        self.call("POST", "api/2/issueLink", by=by, json=link)
        self.settle()
        return ChangeRef(system=self.name, id=made["issueId"], number=made["issueKey"], url="")

    def move_change(self, change: ChangeRef, *, by: str) -> None:
        self._move(change.id, {"Planning"}, by=by)

    def decide(self, change: ChangeRef, *, by: str, approve: bool) -> None:
        path = f"servicedeskapi/request/{change.id}/approval"
        approvals = self.call("GET", path, by=by)["values"]
        (pending,) = [one["id"] for one in approvals if one["canAnswerApproval"]]
        decision = {"decision": "approve" if approve else "decline"}
        self.call("POST", f"{path}/{pending}", by=by, json=decision)

    def edit_change(self, change: ChangeRef, field: str, text: str, *, by: str) -> None:
        body = {"fields": {_PLAN_FIELDS[field]: text}}
        self.call("PUT", f"api/2/issue/{change.id}", by=by, json=body)

    def cancel_change(self, change: ChangeRef, *, by: str) -> None:
        self._move(change.id, {"Canceled"}, by=by)

    def hold_change(self, change: ChangeRef, *, is_held: bool, by: str) -> None:
        edit = [{"add" if is_held else "remove": "tiergate-hold"}]
        body = {"update": {"labels": edit}}
        self.call("PUT", f"api/2/issue/{change.id}", by=by, json=body)

    def change_state(self, change: ChangeRef) -> ChangeState:
        return _CHANGE_STATES[self._fields(change.id, "status")["status"]["name"]]

    def count_changes(self, correlation_id: str) -> int:
        found = self._search("project = ITH AND labels = tiergate-change", "customfield_10049")
        held = [one["fields"]["customfield_10049"] for one in found]
        return held.count(correlation_id)

    def change_notes(self, change: ChangeRef) -> tuple[str, ...]:
        return self._talk(change.id, public=False)

    def watcher(self, uid: str) -> str:
        return self._user(uid) if self._flavour == "cloud" else uid

    def watchers(self, change: ChangeRef) -> tuple[str, ...]:
        found = self.call("GET", f"api/2/issue/{change.id}/watchers")["watchers"]
        return tuple(str(one["accountId" if self._flavour == "cloud" else "name"]) for one in found)

    def attachments(self, change: ChangeRef) -> tuple[str, ...]:
        return tuple(one["filename"] for one in self._fields(change.id, "attachment")["attachment"])

    # --- failures
    @contextlib.contextmanager
    def fault(self, fault: Fault, *, times: int | None = None) -> Generator[None]:
        if fault is Fault.ANONYMOUS and self._flavour == "cloud":
            # An API token that ran out: endpoints open to anybody still answer 200.
            with self._password("another"):
                yield
            return
        rules = [
            self._sandbox.faults.add({**rule, "user": _DAEMON, "next_n": times})
            for rule in _RULES[fault]
        ]
        try:
            yield
        finally:
            for rule in rules:
                self._sandbox.faults.remove(rule.id)

    @contextlib.contextmanager
    def _password(self, password: str) -> Generator[None]:
        store = self._sandbox.site.store
        change = "UPDATE account SET password=? WHERE name=?"
        with store.transaction():
            store.run(change, password, _DAEMON)
        try:
            yield
        finally:
            with store.transaction():
                store.run(change, f"{_DAEMON}-pw", _DAEMON)


@contextlib.contextmanager
def started(flavour: Flavour) -> Iterator[Harness]:
    """A fresh sandbox of one flavour without tickets, and the connector on it."""
    with JiraSandbox(seed="empty", flavour=flavour) as sandbox:
        yield JiraHarness(sandbox, flavour)


def harness() -> contextlib.AbstractContextManager[Harness]:
    """The Cloud flavour."""
    return started("cloud")
