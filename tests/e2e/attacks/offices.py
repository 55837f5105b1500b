"""The people at both vendors, played by independent clients: pysnow, and atlassian-python-api."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import atlassian
import pysnow
import requests
from atlassian.errors import ApiError
from pysnow import exceptions

from connectors.sandboxkit.organisation import load_organisation
from connectors.servicenow.sandbox.actors import SYSTEM
from tests.e2e.attacks.theatre import Theatre

REFUSALS = (exceptions.ResponseError, exceptions.NoResults, ApiError,
            requests.HTTPError)  # fmt: skip
ORGANISATION = load_organisation()
CAB = "b85d44954a3623120004689b2d5dd60a"
JIRA_CAB = "5b10ac8d-cab-approval"
_APPROVERS = ("howard.johnson", "beth.anglin", "bow.ruggeri")


def sys_id(uid: str) -> str:
    people = {person.uid: person.servicenow for person in ORGANISATION.people}
    return (people | {one.uid: one.servicenow for one in ORGANISATION.accounts})[uid]


def account_id(uid: str) -> str:
    people = {person.uid: person.jira for person in ORGANISATION.people}
    return (people | {one.uid: one.jira for one in ORGANISATION.accounts})[uid]


class ServiceNowOffice:
    """ServiceNow as its people and its attackers use it."""

    system = tickets = "servicenow"
    states: Mapping[str, str] = {
        "-5": "new", "-4": "assess", "-3": "authorize", "-2": "scheduled", "-1": "implement",
        "0": "review", "3": "closed", "4": "cancelled",
    }  # fmt: skip
    fields: Mapping[str, str] = {
        "implementation": "implementation_plan", "test": "test_plan", "backout": "backout_plan",
        "summary": "short_description", "description": "description",
    }  # fmt: skip

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre
        self._clients: dict[str, Any] = {}
        self.stolen: set[int] = set()

    def close(self) -> None:
        for client in self._clients.values():
            client.session.close()

    def table(self, name: str, uid: str) -> Any:
        """The package has no types."""
        if uid not in self._clients:
            host = urlsplit(self._theatre.servicenow.url).netloc
            self._clients[uid] = pysnow.Client(
                host=host, user=uid, password=f"{uid}-pw", use_ssl=False
            )
        return self._clients[uid].resource(api_path=f"/table/{name}")

    def rows(self, table: str, query: str, uid: str = "admin") -> list[dict[str, str]]:
        found = self.table(table, uid).get(query=query).all()
        return [{name: _plain(value) for name, value in row.items()} for row in found]

    def insert(self, table: str, values: Mapping[str, str], uid: str = "admin") -> str:
        made = self.table(table, uid).create(payload=dict(values)).one()
        return str(made["sys_id"])

    def write(self, table: str, key: str, values: Mapping[str, str], uid: str = "admin") -> None:
        """Update a record as this person."""
        self.table(table, uid).update(query={"sys_id": key}, payload=dict(values))

    def delete(self, table: str, key: str) -> None:
        self.table(table, "admin").delete(query={"sys_id": key})

    def script(self, table: str, key: str, values: Mapping[str, str]) -> None:
        """What a background script of an administrator does, rules and rights aside."""
        inside = self._theatre.servicenow
        inside._application.executor.submit(
            inside._instance.records.update, table, key, values, SYSTEM
        ).result()

    # --- tickets
    def ask(self, uid: str, summary: str, words: str) -> tuple[str, str]:
        """Write an incident for oneself; return sys_id and number."""
        key = self.insert(
            "incident",
            {
                "short_description": summary,
                "description": words,
                "caller_id": sys_id(uid),
                "contact_type": "self-service",
            },
            uid,
        )
        return key, self.rows("incident", f"sys_id={key}")[0]["number"]

    def notes(self, ticket: str) -> str:
        rows = self.rows("sys_journal_field", f"element_id={ticket}^element=work_notes")
        return "\n".join(row["value"] for row in rows)

    def public(self, ticket: str) -> str:
        rows = self.rows("sys_journal_field", f"element_id={ticket}^element=comments")
        return "\n".join(row["value"] for row in rows)

    def change_requester(self, ticket: str, uid: str) -> None:
        self.write("incident", ticket, {"caller_id": sys_id(uid)}, "luke.wilson")

    # --- changes
    def changes(self) -> list[dict[str, str]]:
        return self.rows("change_request", "correlation_display=Tiergate^ORDERBYnumber")

    def change(self) -> dict[str, str]:
        """The newest change of the daemon."""
        return self.changes()[-1]

    def ends(self) -> list[str]:
        """How each change of the daemon stands, oldest first."""
        found: list[str] = []
        for row in self.changes():
            state = self.states[row["state"]]
            if state == "closed":
                state = f"closed {row['close_code']}"
            if row["approval"] == "rejected":
                state = "rejected"
            found.append(f"{state}, on hold" if row["on_hold"] == "true" else state)
        return found

    def row(self, uid: str, change: str = "") -> str:
        """The sys_id of this approver's row on the newest (or that) change."""
        key = change or self.change()["sys_id"]
        rows = self.rows("sysapproval_approver", f"sysapproval={key}^approver={sys_id(uid)}")
        assert rows, f"{uid} was not asked"
        return rows[-1]["sys_id"]

    def approve(self, uid: str, *, as_uid: str = "", change: str = "") -> None:
        """Say yes on this approver's row, as himself or as somebody else."""
        row = self.row(uid, change)
        self.write("sysapproval_approver", row, {"state": "approved"}, as_uid or uid)
        assert self.rows("sysapproval_approver", f"sys_id={row}")[0]["state"] == "approved"

    def reject(self, uid: str) -> None:
        self.write("sysapproval_approver", self.row(uid), {"state": "rejected"}, uid)

    def edit(self, field: str, text: str, uid: str = "luke.wilson") -> str:
        """Edit a plan field; return what stood there."""
        change = self.change()
        name = self.fields[field]
        self.write("change_request", change["sys_id"], {name: text}, uid)
        assert self.change()[name] == text
        return change[name]

    def hold(self) -> None:
        values = {"on_hold": "true", "on_hold_reason": "Wait for the auditors"}
        self.write("change_request", self.change()["sys_id"], values, "luke.wilson")

    def release(self) -> None:
        self.write("change_request", self.change()["sys_id"], {"on_hold": "false"}, "luke.wilson")

    def move(self, state: str, uid: str = "luke.wilson") -> None:
        value = next(key for key, word in self.states.items() if word == state)
        self.write("change_request", self.change()["sys_id"], {"state": value}, uid)

    # --- who may
    def join_authority(self, uid: str, group: str = CAB) -> None:
        self.insert("sys_user_grmember", {"user": sys_id(uid), "group": group})
        self.give_role(sys_id(uid), "approver_user")

    def give_role(self, user: str, role: str) -> None:
        found = self.rows("sys_user_role", f"name={role}")[0]["sys_id"]
        self.insert("sys_user_has_role", {"user": user, "role": found})

    def log(self, user: str = "tiergate") -> list[dict[str, Any]]:
        return _log(self._theatre.servicenow.admin_url, user)


class JiraOffice:
    """Jira Service Management as its people and its attackers use it."""

    system = tickets = "itsm-jira"
    closed = "Canceled"
    states: Mapping[str, str] = {
        "Review": "new", "Planning": "assess", "Authorize": "authorize",
        "Awaiting Implementation": "scheduled", "Implementing": "implement",
        "Completed": "closed successful", "Failed": "closed unsuccessful", "Declined": "rejected",
        "Canceled": "cancelled",
    }  # fmt: skip
    fields: Mapping[str, str] = {
        "implementation": "customfield_10040", "test": "customfield_10042",
        "backout": "customfield_10041", "summary": "summary", "description": "description",
    }  # fmt: skip

    def __init__(self, theatre: Theatre) -> None:
        self._theatre = theatre
        self._clients: dict[str, Any] = {}
        self._desks: dict[str, Any] = {}
        self.stolen: set[int] = set()

    def close(self) -> None:
        for client in (*self._clients.values(), *self._desks.values()):
            client.close()

    def _arguments(self, uid: str) -> dict[str, Any]:
        return {
            "url": self._theatre.jira.url,
            "username": f"{uid}@example.com",
            "password": f"{uid}-pw",
            "cloud": True,
        }

    def client(self, uid: str = "admin") -> Any:
        """The package has no types."""
        if uid not in self._clients:
            self._clients[uid] = atlassian.Jira(**self._arguments(uid))
        return self._clients[uid]

    def desk(self, uid: str) -> Any:
        if uid not in self._desks:
            self._desks[uid] = atlassian.ServiceDesk(**self._arguments(uid))
        return self._desks[uid]

    # --- tickets
    def ask(self, uid: str, summary: str, words: str) -> tuple[str, str]:
        types = self.desk(uid).get_request_types(1)
        found = types["values"] if isinstance(types, dict) else types
        kind = next(one["id"] for one in found if one["name"] == "Request access")
        made = self.desk(uid).create_customer_request(
            "1", kind, {"summary": summary, "description": words}
        )
        return str(made["issueId"]), str(made["issueKey"])

    def notes(self, ticket: str) -> str:
        found = self.client().get(f"rest/api/2/issue/{ticket}/comment")
        return "\n".join(one["body"] for one in found["comments"] if not one.get("jsdPublic", True))

    def public(self, ticket: str) -> str:
        found = self.client().get(f"rest/api/2/issue/{ticket}/comment")
        return "\n".join(one["body"] for one in found["comments"] if one.get("jsdPublic", True))

    def change_requester(self, ticket: str, uid: str) -> None:
        self.client("luke.wilson").update_issue_field(ticket, {"reporter": {"id": account_id(uid)}})

    # --- changes
    def changes(self) -> list[dict[str, Any]]:
        jql = 'project = ITH AND issuetype = "[System] Change" ORDER BY created ASC, key ASC'
        body = {"jql": jql, "fields": ["*all"], "maxResults": 100}
        return list(self.client().post("rest/api/2/search/jql", data=body)["issues"])

    def change(self) -> dict[str, Any]:
        return self.changes()[-1]

    def ends(self) -> list[str]:
        found: list[str] = []
        for one in self.changes():
            state = self.states[one["fields"]["status"]["name"]]
            held = "tiergate-hold" in [label.lower() for label in one["fields"]["labels"]]
            found.append(f"{state}, on hold" if held else state)
        return found

    def approvals(self) -> list[dict[str, Any]]:
        return list(self.desk("admin").get_approvals(self.change()["key"]))

    def approve(self, uid: str) -> None:
        self._answer(uid, "approve")

    def reject(self, uid: str) -> None:
        self._answer(uid, "decline")

    def _answer(self, uid: str, word: str) -> None:
        newest = max(self.approvals(), key=lambda one: int(one["id"]))
        self.desk(uid).answer_approval(self.change()["key"], newest["id"], word)

    def edit(self, field: str, text: str, uid: str = "luke.wilson") -> str:
        change, name = self.change(), self.fields[field]
        self.client(uid).update_issue_field(change["key"], {name: text})
        assert self.change()["fields"][name] == text
        return str(change["fields"][name] or "")

    def hold(self) -> None:
        self._label("add")

    def release(self) -> None:
        self._label("remove")

    def _label(self, verb: str) -> None:
        body = {"update": {"labels": [{verb: "tiergate-hold"}]}}
        key = self.change()["key"]
        self.client("luke.wilson").put(f"rest/api/2/issue/{key}", data=body)

    def move(self, state: str, uid: str = "luke.wilson") -> None:
        name = next(key for key, word in self.states.items() if word == state)
        self.client(uid).set_issue_status(self.change()["key"], name)
        assert self.change()["fields"]["status"]["name"] == name

    # --- who may
    def join_authority(self, uid: str) -> None:
        self.client().post(
            f"rest/api/3/group/user?groupId={JIRA_CAB}", data={"accountId": account_id(uid)}
        )

    def log(self, user: str = "tiergate") -> list[dict[str, Any]]:
        return _log(self._theatre.jira.admin_url, user)


class MixedOffice(ServiceNowOffice):
    """Tickets are issues of a plain Jira project; their changes live in ServiceNow."""

    tickets = "ops-jira"
    closed = "Closed"

    def __init__(self, theatre: Theatre) -> None:
        super().__init__(theatre)
        self.jira = JiraOffice(theatre)

    @property
    def servicenow(self) -> ServiceNowOffice:
        return self

    def close(self) -> None:
        super().close()
        self.jira.close()

    def client(self, uid: str = "admin") -> Any:
        return self.jira.client(uid)

    def ask(self, uid: str, summary: str, words: str) -> tuple[str, str]:
        fields = {
            "project": {"key": "OPS"}, "issuetype": {"name": "Task"},
            "summary": summary, "description": words,
        }  # fmt: skip
        made = self.client(uid).create_issue(fields=fields)
        return str(made["id"]), str(made["key"])

    def notes(self, ticket: str) -> str:
        """Everybody who sees a plain project works there: its comments are our internal notes."""
        found = self.client().get(f"rest/api/2/issue/{ticket}/comment")
        return "\n".join(one["body"] for one in found["comments"])

    def change_requester(self, ticket: str, uid: str) -> None:
        self.jira.change_requester(ticket, uid)


Office = ServiceNowOffice | JiraOffice


def _plain(value: object) -> str:
    """A reference comes as link and value."""
    return str(value["value"]) if isinstance(value, dict) else str(value)


def _log(admin_url: str, user: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{admin_url}/log", timeout=10)
    answer.raise_for_status()
    return [one for one in answer.json()["requests"] if user in one["user"]]
