"""Jira beside the cloud: a Data Center, and plain issues gated by their status."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.jira.sandbox.definition import Transition
from tests.e2e.attacks.offices import JIRA_CAB, JiraOffice, account_id
from tests.e2e.attacks.theatre import Company, Theatre, edit_yaml

CAB_NAME = "CAB Approval"


class DataCenterOffice(JiraOffice):
    """Service Management on a server of one's own: people and groups go by their names there."""

    def _arguments(self, uid: str) -> dict[str, Any]:
        url = self._theatre.jira.url
        return {"url": url, "username": uid, "password": f"{uid}-pw", "cloud": False}

    def changes(self) -> list[dict[str, Any]]:
        jql = 'project = ITH AND issuetype = "[System] Change" ORDER BY created ASC, key ASC'
        body = {"jql": jql, "fields": ["*all"], "maxResults": 100}
        return list(self.client().post("rest/api/2/search", data=body)["issues"])

    def notes(self, ticket: str) -> str:
        """A server keeps in a property of the comment what the cloud shows as a field."""
        found = self.client().get(f"rest/servicedeskapi/request/{ticket}/comment?public=false")
        return "\n".join(one["body"] for one in found["values"])

    def change_requester(self, ticket: str, uid: str) -> None:
        self.client("luke.wilson").update_issue_field(ticket, {"reporter": {"name": uid}})

    def join_authority(self, uid: str) -> None:
        self.client().post(
            "rest/api/2/group/user", params={"groupname": CAB_NAME}, data={"name": uid}
        )


def on_data_center(company: Company) -> None:
    """What an admin configures for a Data Center: a login by name, and groups by name."""

    def installation(document: Any) -> None:
        auth = {"username": "tiergate", "password": "file:credentials/jira"}
        document["systems"]["itsm-jira"]["auth"] = auth
        document["systems"]["ops-jira"]["auth"] = auth

    def tiers(document: Any) -> None:
        document["authorities"]["identity-owners"]["itsm-jira"] = CAB_NAME
        document["authorities"]["service-desk"].pop("itsm-jira")

    edit_yaml(company.config, installation)
    edit_yaml(company.tiers, tiers)


class PlainOffice(JiraOffice):
    """A plain project: whoever may move an issue out of the approval status approves by it."""

    system = tickets = "ops-jira"
    closed = "Closed"
    states: Mapping[str, str] = {
        "Open": "new", "In Progress": "assess", "Reopened": "assess",
        "Awaiting approval": "authorize", "Approved": "scheduled", "Rejected": "rejected",
        "Closed": "closed", "Done": "closed successful", "Resolved": "closed successful",
    }  # fmt: skip

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

    def changes(self) -> list[dict[str, Any]]:
        """Our own issues of the project."""
        jql = "project = OPS ORDER BY created ASC, key ASC"
        body = {"jql": jql, "fields": ["*all"], "maxResults": 100}
        found = self.client().post("rest/api/2/search/jql", data=body)["issues"]
        ours = account_id("tiergate")
        return [one for one in found if one["fields"]["creator"]["accountId"] == ours]

    def approve(self, uid: str) -> None:
        self.move("scheduled", uid)

    def reject(self, uid: str) -> None:
        self.move("rejected", uid)

    def add_way(self, source: str, target: str) -> None:
        """An administrator draws one more arrow, which asks nobody to belong to anything."""
        site = self._theatre.jira.site
        flow = site.definition.workflows["plain"]
        way = Transition(
            id="99", name="Expedite", sources=(source,), target=target, screen=(), needs=(),
            resolution=None, internal=False, customer=False,
        )  # fmt: skip
        add_transition(self._theatre, "plain", flow, way)


def add_transition(theatre: Theatre, name: str, flow: Any, way: Transition) -> None:
    """Put one more transition into a workflow of the site."""
    site = theatre.jira.site
    wider = replace(flow, transitions=(*flow.transitions, way))
    flows = {**site.definition.workflows, name: wider}
    site.definition = replace(site.definition, workflows=flows)


def on_plain_issues(company: Company) -> None:
    """What an admin configures where no Service Management exists: the status is the gate."""

    def installation(document: Any) -> None:
        document["systems"]["ops-jira"]["changes"] = {
            "project": "OPS", "mode": "status", "index_lag": "1s",
            # What the project's screens do not have is said by naming a field that nobody has.
            "fields": dict.fromkeys(("kind", "planned_start", "planned_end"), "customfield_99999"),
        }  # fmt: skip
        document["changes"].pop("ops-jira")

    def tiers(document: Any) -> None:
        document["authorities"]["identity-owners"]["ops-jira"] = JIRA_CAB

    edit_yaml(company.config, installation)
    edit_yaml(company.tiers, tiers)
