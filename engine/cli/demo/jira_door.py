"""Jira as the demo's people use it: customers at the portal, agents, approvers."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.sandboxkit.organisation import Organisation
from engine.cli.demo.doors import Asked, Session, Written
from engine.errors import RecordNotFoundError

_CHANGE_ENDS = {
    "Completed": "closed successful",
    "Failed": "closed unsuccessful",
    "Declined": "rejected",
    "Canceled": "cancelled",
}


class JiraDoor:
    """Jira Service Management (project ITH) and plain Jira (project OPS) as people use them."""

    def __init__(self, url: str, organisation: Organisation, *, reader: str, daemon: str) -> None:
        """Take the sandbox, the uid of one who may read everything, and the daemon's uid."""
        self._session = Session(url)
        self._logins = {
            person.uid: (person.mail, person.password) for person in organisation.people
        } | {account.uid: (account.mail, account.password) for account in organisation.accounts}
        self._daemon = next(a.jira for a in organisation.accounts if a.uid == daemon)
        self._reader = reader

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def request(self, uid: str, *, request_type: str, summary: str, description: str) -> Written:
        """Raise a request at the portal for oneself."""
        desks = self._call("GET", "/rest/servicedeskapi/servicedesk", uid)["values"]
        desk = next(desk for desk in desks if desk["projectKey"] == "ITH")
        types = self._call(
            "GET", f"/rest/servicedeskapi/servicedesk/{desk['id']}/requesttype", uid
        )["values"]
        kind = next((kind for kind in types if kind["name"] == request_type), None)
        if kind is None:
            raise RecordNotFoundError(f"the portal has no request type {request_type!r}")
        made = self._call(
            "POST",
            "/rest/servicedeskapi/request",
            uid,
            json={
                "serviceDeskId": str(desk["id"]),
                "requestTypeId": str(kind["id"]),
                "requestFieldValues": {"summary": summary, "description": description},
            },
        )
        return Written(system="itsm-jira", id=str(made["issueId"]), key=made["issueKey"])

    def issue(self, uid: str, *, summary: str, description: str) -> Written:
        """Create a plain issue."""
        fields = {
            "project": {"key": "OPS"},
            "issuetype": {"name": "Task"},
            "summary": summary,
            "description": description,
        }
        made = self._call("POST", "/rest/api/2/issue", uid, json={"fields": fields})
        return Written(system="ops-jira", id=str(made["id"]), key=made["key"])

    def approvals(self, uid: str) -> tuple[Asked, ...]:
        """Return what waits for this person's approval."""
        found = self._call(
            "GET",
            "/rest/servicedeskapi/request",
            uid,
            params={
                "requestOwnership": "APPROVER",
                "approvalStatus": "MY_PENDING_APPROVAL",
                "expand": "requestType",
            },
        )
        asked: list[Asked] = []
        for request in found["values"]:
            key = request["issueKey"]
            text = "\n".join(str(f.get("value", "")) for f in request["requestFieldValues"])
            rows = self._call("GET", f"/rest/servicedeskapi/request/{key}/approval", uid)
            asked.extend(
                Asked(approval=str(row["id"]), change=key, number=key, text=text)
                for row in rows["values"]
                if row.get("canAnswerApproval")
            )
        return tuple(asked)

    def decide(self, uid: str, asked: Asked, *, is_yes: bool, comment: str) -> None:
        """Approve or decline as this person, with a word to the others."""
        path = f"/rest/servicedeskapi/request/{asked.change}"
        self._call("POST", f"{path}/comment", uid, json={"body": comment, "public": True})
        decision = {"decision": "approve" if is_yes else "decline"}
        self._call("POST", f"{path}/approval/{asked.approval}", uid, json=decision)

    def close_ticket(self, uid: str, ticket: Written, comment: str) -> None:
        """Resolve a request as this person."""
        path = f"/rest/api/2/issue/{ticket.key}"
        moves = self._call("GET", f"{path}/transitions", uid)["transitions"]
        move = next(move for move in moves if move["to"]["statusCategory"]["key"] == "done")
        self._call("POST", f"{path}/comment", uid, json={"body": comment})
        self._call("POST", f"{path}/transitions", uid, json={"transition": {"id": move["id"]}})

    def ticket_state(self, ticket: Written) -> str:
        """Return `open`, `solved` (by the daemon) or `solved by person`."""
        issue = self._issue(ticket.key, expand="changelog")
        if issue["fields"]["status"]["statusCategory"]["key"] != "done":
            return "open"
        moves = [
            history
            for history in issue["changelog"]["histories"]
            if any(item["field"] == "status" for item in history["items"])
        ]
        last = max(moves, key=lambda history: history["created"])
        return "solved" if last["author"]["accountId"] == self._daemon else "solved by person"

    def notes(self, ticket: Written) -> tuple[str, ...]:
        """Return the comments on a ticket, internal ones too."""
        found = self._call("GET", f"/rest/api/2/issue/{ticket.key}/comment", self._reader)
        return tuple(comment["body"] for comment in found["comments"])

    def change_end(self, ticket: Written) -> str:
        """Return how the newest change for this ticket stands, in the seed's words, or `none`."""
        for change in self._changes(ticket):
            status = change["fields"]["status"]["name"]
            return _CHANGE_ENDS.get(status, f"status {status}")
        return "none"

    def changes_for(self, ticket: Written) -> tuple[str, ...]:
        """Return the keys of all changes for this ticket."""
        return tuple(change["key"] for change in self._changes(ticket))

    def _changes(self, ticket: Written) -> Iterator[Mapping[str, Any]]:
        found = self._call(
            "POST",
            "/rest/api/2/search/jql",
            self._reader,
            json={
                "jql": 'project = ITH AND issuetype = "[System] Change" ORDER BY created DESC',
                "fields": ["*all"],
                "maxResults": 100,
            },
        )
        for change in found["issues"]:
            text = "\n".join(v for v in change["fields"].values() if isinstance(v, str))
            if Asked(approval="", change="", number="", text=text).names(ticket.key):
                yield change

    def _issue(self, key: str, *, expand: str) -> Any:  # noqa: ANN401  a JSON document
        return self._call(
            "GET", f"/rest/api/2/issue/{key}", self._reader, params={"expand": expand}
        )

    def _call(
        self,
        method: str,
        path: str,
        uid: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401  a JSON document
        return self._session.call(method, path, auth=self._logins[uid], json=json, params=params)
