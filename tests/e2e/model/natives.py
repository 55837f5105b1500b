"""What people do to the tickets of both vendors, and what anybody with eyes sees there.

Read and written past the daemon, with requests of our own: the truth that the model compares with.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import requests

from tests.e2e.attacks.offices import JiraOffice, MixedOffice, ServiceNowOffice, account_id, sys_id
from tests.e2e.attacks.theatre import Theatre

AGENT = "luke.wilson"
STRANGE = "Quarantined"
"""A status, and a state, that no table knows."""
_STRANGE_STATE = "77"
_OVER = frozenset({"cancelled", "rejected", "closed", "closed successful", "closed unsuccessful"})


@dataclass(frozen=True, kw_only=True)
class TicketView:
    """A ticket as its page shows it: what persons may set, field by field."""

    state: str
    field: str
    assignee: str


@dataclass(frozen=True, kw_only=True)
class ChangeView:
    """A change as its page shows it."""

    id: str
    state: str
    is_on_hold: bool
    text: str
    ends_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state in _OVER


class Natives(Protocol):
    """One vendor's tickets and changes, past the daemon."""

    def tickets(self, keys: Mapping[str, str]) -> dict[str, TicketView]: ...

    def changes(self) -> list[ChangeView]: ...

    def set_field(self, ticket: str) -> None: ...

    def take(self, ticket: str) -> None: ...

    def close(self, ticket: str) -> None: ...

    def stop(self, ticket: str) -> None: ...

    def make_strange(self, record: str) -> Callable[[], None]: ...

    def make_change_strange(self, record: str) -> Callable[[], None]: ...


class _Reader:
    def __init__(self, url: str, login: tuple[str, str]) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.auth = login

    def get(self, path: str, **params: str) -> Any:
        answer = self._session.get(f"{self._url}/{path}", params=params, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self._session.post(f"{self._url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def close(self) -> None:
        self._session.close()


class ServiceNowNatives:
    """Incidents and change requests."""

    def __init__(self, theatre: Theatre, office: ServiceNowOffice) -> None:
        self._office = office
        self._reader = _Reader(theatre.servicenow.url, ("admin", "admin-pw"))

    def shut(self) -> None:
        self._reader.close()

    def _rows(self, table: str, query: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._reader.get(
            f"api/now/table/{table}", sysparm_query=query, sysparm_exclude_reference_link="true"
        )["result"]
        return found

    def tickets(self, keys: Mapping[str, str]) -> dict[str, TicketView]:
        rows = self._rows("incident", f"sys_idIN{','.join(keys)}")
        return {
            row["sys_id"]: TicketView(
                state=row["state"], field=row["category"], assignee=row["assigned_to"]
            )
            for row in rows
        }

    def changes(self) -> list[ChangeView]:
        rows = self._rows("change_request", "correlation_display=Tiergate^ORDERBYnumber")
        return [
            ChangeView(
                id=row["sys_id"],
                state="rejected" if row["approval"] == "rejected" else _state(row["state"]),
                is_on_hold=row["on_hold"] == "true",
                text=f"{row['short_description']}\n{row['description']}",
                ends_at=_instant(row["end_date"], "%Y-%m-%d %H:%M:%S"),
            )
            for row in rows
        ]

    def set_field(self, ticket: str) -> None:
        self._office.write("incident", ticket, {"category": "hardware"}, AGENT)

    def take(self, ticket: str) -> None:
        self._office.write("incident", ticket, {"assigned_to": sys_id(AGENT)}, AGENT)

    def close(self, ticket: str) -> None:
        self._office.write("incident", ticket, {"state": "8"}, AGENT)

    def stop(self, ticket: str) -> None:
        self._office.write("incident", ticket, {"work_notes": "tiergate hold"}, AGENT)

    def make_strange(self, record: str) -> Callable[[], None]:
        return self._strange("incident", record)

    def make_change_strange(self, record: str) -> Callable[[], None]:
        return self._strange("change_request", record)

    def _strange(self, table: str, record: str) -> Callable[[], None]:
        before = self._rows(table, f"sys_id={record}")[0]["state"]
        self._office.script(table, record, {"state": _STRANGE_STATE})
        return lambda: self._office.script(table, record, {"state": before})


class JiraNatives:
    """Requests and changes of a site; `project` says whose tickets."""

    def __init__(self, theatre: Theatre, office: JiraOffice | MixedOffice) -> None:
        self._office = office
        self._admin_url = theatre.jira.admin_url
        self._reader = _Reader(theatre.jira.url, ("admin@example.com", "admin-pw"))
        site = theatre.jira.site
        row = {"id": "10099", "name": STRANGE, "category": "indeterminate"}
        # What an administrator adds to a site that had another set of statuses when we came.
        statuses = {**site.definition.statuses, "10099": {**_any(site), **row}}
        site.definition = replace(site.definition, statuses=statuses)

    def shut(self) -> None:
        self._reader.close()

    def tickets(self, keys: Mapping[str, str]) -> dict[str, TicketView]:
        found: dict[str, TicketView] = {}
        for key in keys:
            fields = self._reader.get(f"rest/api/3/issue/{key}", fields="status,priority,assignee")
            values = fields["fields"]
            found[key] = TicketView(
                state=values["status"]["name"],
                field=values["priority"]["name"],
                assignee=(values["assignee"] or {}).get("accountId", ""),
            )
        return found

    def changes(self) -> list[ChangeView]:
        names = "status,summary,description,labels,customfield_10009"
        jql = 'project = ITH AND issuetype = "[System] Change" ORDER BY created ASC, key ASC'
        body = {"jql": jql, "fields": names.split(","), "maxResults": 100}
        issues = self._reader.post("rest/api/2/search/jql", body)["issues"]
        return [
            ChangeView(
                id=one["id"],
                state=JiraOffice.states.get(one["fields"]["status"]["name"], STRANGE),
                is_on_hold="tiergate-hold" in one["fields"]["labels"],
                text=f"{one['fields']['summary']}\n{one['fields']['description']}",
                ends_at=_instant(one["fields"]["customfield_10009"], "%Y-%m-%dT%H:%M:%S.%f%z"),
            )
            for one in issues
        ]

    def _client(self) -> Any:
        return self._office.client(AGENT)

    def set_field(self, ticket: str) -> None:
        self._client().update_issue_field(ticket, {"priority": {"name": "Lowest"}})

    def take(self, ticket: str) -> None:
        self._client().update_issue_field(ticket, {"assignee": {"accountId": account_id(AGENT)}})

    def close(self, ticket: str) -> None:
        self._client().set_issue_status(ticket, self._office.closed)

    def stop(self, ticket: str) -> None:
        body = {"update": {"labels": [{"add": "tiergate-hold"}]}}
        self._client().put(f"rest/api/2/issue/{ticket}", data=body)

    def make_strange(self, record: str) -> Callable[[], None]:
        issue = self._reader.get(f"rest/api/3/issue/{record}", fields="status")
        before = issue["fields"]["status"]["name"]
        self._force(issue["key"], STRANGE)
        return lambda: self._force(issue["key"], before)

    def make_change_strange(self, record: str) -> Callable[[], None]:
        return self.make_strange(record)

    def _force(self, key: str, status: str) -> None:
        body = {"statuses": [{"issue": key, "status": status, "by": "admin"}]}
        requests.post(f"{self._admin_url}/seed", json=body, timeout=10).raise_for_status()


class MixedNatives(JiraNatives):
    """Issues of a plain Jira project, whose changes live in ServiceNow."""

    def __init__(self, theatre: Theatre, office: MixedOffice) -> None:
        super().__init__(theatre, office)
        self._changes = ServiceNowNatives(theatre, office.servicenow)

    def shut(self) -> None:
        super().shut()
        self._changes.shut()

    def changes(self) -> list[ChangeView]:
        return self._changes.changes()

    def make_change_strange(self, record: str) -> Callable[[], None]:
        return self._changes.make_change_strange(record)


def _any(site: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(site.definition.statuses.values()))
    return found


def _state(native: str) -> str:
    return ServiceNowOffice.states.get(native, STRANGE)


def _instant(text: str | None, form: str) -> datetime | None:
    if not text:
        return None
    found = datetime.strptime(text, form)  # noqa: DTZ007  the next line gives it its zone
    return found if found.tzinfo else found.replace(tzinfo=UTC)
