"""How the demo's people use the vendors' native APIs: accounts of their own, nothing of ours."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from connectors.sandboxkit.organisation import Organisation
from engine.errors import InvalidAnswerError, TransientError

_TIMEOUT = (5, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A ticket that somebody wrote."""

    system: str
    id: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An approval that waits for one person: on which change, and what the change says."""

    approval: str
    change: str
    number: str
    text: str

    def names(self, key: str) -> bool:
        """Whether the change says that it is for the ticket with this key."""
        return re.search(rf"(?<![\w-]){re.escape(key)}(?![\w-])", self.text) is not None


class Door(Protocol):
    """One vendor's APIs, as people use them."""

    def close(self) -> None:
        """Close every connection."""
        ...

    def approvals(self, uid: str) -> tuple[Asked, ...]:
        """Return what waits for this person's approval."""
        ...

    def decide(self, uid: str, asked: Asked, *, is_yes: bool, comment: str) -> None:
        """Approve or reject as this person."""
        ...

    def close_ticket(self, uid: str, ticket: Written, comment: str) -> None:
        """Resolve a ticket as this person."""
        ...

    def ticket_state(self, ticket: Written) -> str:
        """Return `open`, `solved` (by the daemon) or `solved by person`."""
        ...

    def notes(self, ticket: Written) -> tuple[str, ...]:
        """Return the internal notes on a ticket."""
        ...

    def change_end(self, ticket: Written) -> str:
        """Return how the newest change for this ticket stands, in the seed's words, or `none`."""
        ...

    def changes_for(self, ticket: Written) -> tuple[str, ...]:
        """Return the numbers of all changes for this ticket."""
        ...


class Session:
    """One HTTP session; every call names the account that makes it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = requests.Session()
        self._http.trust_env = False

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        auth: tuple[str, str],
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401  a JSON document
        """Return the answer's JSON.

        Raises:
            TransientError: No answer.
            InvalidAnswerError: A refusal.
        """
        try:
            answer = self._http.request(
                method,
                self.url + path,
                auth=auth,
                json=json,
                params=params,
                timeout=_TIMEOUT,
                headers={"Accept": "application/json", "X-ExperimentalApi": "opt-in"},
            )
        except requests.RequestException as error:
            raise TransientError(f"{method} {path}: {type(error).__name__}") from error
        if not answer.ok:
            raise InvalidAnswerError(
                f"{method} {path} as {auth[0]}: {answer.status_code} {answer.text[:300]}"
            )
        return answer.json() if answer.content else {}


class ServiceNowDoor:
    """ServiceNow as its people use it: self-service, agents, approvers."""

    _CATALOG_ITEM = "29a39e830a0a0b27007d1e200ad52253"

    def __init__(self, url: str, organisation: Organisation, *, reader: str, daemon: str) -> None:
        """Take the sandbox, the uid of one who may read everything, and the daemon's uid."""
        self._session = Session(url)
        self._people = {person.uid: person for person in organisation.people}
        self._reader = reader
        self._daemon = daemon

    def incident(
        self, uid: str, *, short_description: str, description: str, caller: str = ""
    ) -> Written:
        """Write an incident: oneself through the portal, or for a caller on the phone."""
        body = {
            "short_description": short_description,
            "description": description,
            "caller_id": self._people[caller or uid].servicenow,
            "contact_type": "phone" if caller else "self-service",
        }
        record = self._post("/api/now/table/incident", uid, body)
        return Written(system="servicenow", id=record["sys_id"], key=record["number"])

    def order(self, uid: str) -> Written:
        """Order "Password Reset" for oneself."""
        person = self._people[uid].servicenow
        order = self._post(
            f"/api/sn_sc/servicecatalog/items/{self._CATALOG_ITEM}/order_now",
            uid,
            {"sysparm_quantity": 1, "variables": {"caller_id": person}},
        )
        rows = self._rows("sc_req_item", f"request={order['request_id']}", self._reader)
        return Written(system="servicenow", id=rows[0]["sys_id"], key=rows[0]["number"])

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def approvals(self, uid: str) -> tuple[Asked, ...]:
        """Return what waits for this person's approval."""
        query = (
            f"approver={self._people[uid].servicenow}^state=requested^source_table=change_request"
        )
        asked: list[Asked] = []
        for row in self._rows("sysapproval_approver", query, uid):
            change = row["sysapproval"]["value"]
            record = self._get(f"/api/now/table/change_request/{change}", uid)
            asked.append(
                Asked(
                    approval=row["sys_id"],
                    change=change,
                    number=record["number"],
                    text=self._text(record),
                )
            )
        return tuple(asked)

    def decide(self, uid: str, asked: Asked, *, is_yes: bool, comment: str) -> None:
        """Approve or reject as this person."""
        self._patch(
            f"/api/now/table/sysapproval_approver/{asked.approval}",
            uid,
            {"state": "approved" if is_yes else "rejected", "comments": comment},
        )

    def close_ticket(self, uid: str, ticket: Written, comment: str) -> None:
        """Resolve an incident as this person."""
        self._patch(
            f"/api/now/table/incident/{ticket.id}",
            uid,
            {"state": "6", "close_code": "Solution provided", "close_notes": comment},
        )

    def ticket_state(self, ticket: Written) -> str:
        """Return `open`, `solved` (by the daemon) or `solved by person`."""
        table = "incident" if ticket.key.startswith("INC") else "sc_req_item"
        record = self._get(f"/api/now/table/{table}/{ticket.id}", self._reader)
        solved = {"incident": {"6", "7"}, "sc_req_item": {"3"}}[table]
        if record["state"] not in solved:
            return "open"
        if table == "sc_req_item":
            return "solved"
        by = record["resolved_by"]
        resolver = by["value"] if isinstance(by, dict) else by
        daemon = self._rows("sys_user", f"user_name={self._daemon}", self._reader)[0]["sys_id"]
        return "solved" if resolver == daemon else "solved by person"

    def notes(self, ticket: Written) -> tuple[str, ...]:
        """Return the work notes on a ticket."""
        query = f"element_id={ticket.id}^element=work_notes"
        return tuple(row["value"] for row in self._rows("sys_journal_field", query, self._reader))

    def change_end(self, ticket: Written) -> str:
        """Return how the newest change for this ticket stands, in the seed's words."""
        return next((self._end_of(record) for record in self._changes(ticket)), "none")

    def changes_for(self, ticket: Written) -> tuple[str, ...]:
        """Return the numbers of all changes for this ticket."""
        return tuple(record["number"] for record in self._changes(ticket))

    def _changes(self, ticket: Written) -> Iterator[Mapping[str, Any]]:
        for record in self._rows("change_request", "ORDERBYDESCsys_created_on", self._reader):
            asked = Asked(approval="", change="", number="", text=self._text(record))
            if asked.names(ticket.key):
                yield record

    @staticmethod
    def _text(record: Mapping[str, Any]) -> str:
        names = ("short_description", "description", "justification", "implementation_plan")
        return "\n".join(str(record.get(name, "")) for name in names)

    @staticmethod
    def _end_of(record: Mapping[str, Any]) -> str:
        if record["state"] == "3":
            is_good = record["close_code"] == "successful"
            return "closed successful" if is_good else "closed unsuccessful"
        if record["approval"] == "rejected":
            return "rejected"
        return "cancelled" if record["state"] == "4" else f"state {record['state']}"

    def _auth(self, uid: str) -> tuple[str, str]:
        return (uid, f"{uid}-pw")

    def _get(self, path: str, uid: str) -> Any:  # noqa: ANN401  a JSON document
        return self._session.call("GET", path, auth=self._auth(uid))["result"]

    def _post(self, path: str, uid: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
        return self._session.call("POST", path, auth=self._auth(uid), json=body)["result"]

    def _patch(self, path: str, uid: str, body: Mapping[str, Any]) -> None:
        self._session.call("PATCH", path, auth=self._auth(uid), json=body)

    def _rows(self, table: str, query: str, uid: str) -> list[Any]:
        answer = self._session.call(
            "GET", f"/api/now/table/{table}", auth=self._auth(uid), params={"sysparm_query": query}
        )
        rows: list[Any] = answer["result"]
        return rows
