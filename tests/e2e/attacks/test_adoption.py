"""A person's change is named on the ticket: submitted as ours while it is new, else handed over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.offices import CAB, JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Attack, Play, perform
from tests.e2e.attacks.theatre import edit_yaml

DONE = "done and verified at the target"
AGENT = "luke.wilson"
VAGUE = "The usual, as discussed."


def adopting(play: Play[Any], system: str) -> None:
    def change(installation: dict[str, Any]) -> None:
        installation["systems"][system]["changes"]["adopt"] = True

    edit_yaml(play.company.config, change)


def in_servicenow(play: Play[ServiceNowOffice]) -> str:
    """An agent opens a change and names it in the incident's `rfc`."""
    values = {"short_description": "Access", "description": VAGUE, "assignment_group": CAB}
    made = play.office.insert("change_request", values, AGENT)
    play.office.write("incident", play.ticket, {"rfc": made}, AGENT)
    return made


def in_jira(play: Play[JiraOffice]) -> str:
    """An agent opens a change request and links the ticket to it."""
    types = play.office.desk(AGENT).get_request_types(1)
    found = types["values"] if isinstance(types, dict) else types
    kind = next(one["id"] for one in found if one["name"] == "Request a change")
    made = play.office.desk(AGENT).create_customer_request(
        "1", kind, {"summary": "Access", "description": VAGUE}
    )
    play.office.client(AGENT).create_issue_link(
        {
            "type": {"name": "Relates"},
            "inwardIssue": {"key": made["issueKey"]},
            "outwardIssue": {"key": play.key},
        }
    )
    play.pass_time(seconds=10)
    return str(made["issueKey"])


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the agent does with his change before the daemon comes, and how everything ends."""

    name: str
    act: Callable[[Any, str], None]
    end: Stage
    servicenow: tuple[str, ...]
    jira: tuple[str, ...]
    effects: int
    reason: str


def nothing(_play: Any, _change: str) -> None:
    """He leaves it to us."""


def asks(play: Any, change: str) -> None:
    """He asks the approvers himself, over his own words."""
    if isinstance(play.office, ServiceNowOffice):
        play.office.write("change_request", change, {"state": "-4"}, AGENT)
    else:
        play.office.move("assess")


ROWS = (
    Row(name="new", act=nothing, end=Stage.FULFILLED, servicenow=("closed successful",),
        jira=("closed successful",), effects=1, reason=DONE),
    Row(name="asked", act=asks, end=Stage.HANDED_OVER, servicenow=(), jira=("assess",), effects=0,
        reason="was opened by somebody else"),
)  # fmt: skip


def attack(row: Row, native: tuple[str, ...], open_change: Callable[[Any], str]) -> Attack[Any]:
    def during(play: Any) -> None:
        row.act(play, open_change(play))
        play.pass_time(seconds=90)
        if row.effects:
            play.until_asked()
            assert VAGUE not in str(play.office.change())
            play.office.approve("howard.johnson")

    return Attack(
        name=row.name,
        end=row.end,
        native=native,
        reason=row.reason,
        effects=row.effects,
        act=lambda _: None,
        during=during,
        is_asked=False,
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda one: one.name)
def test_a_change_named_in_the_incident_is_adopted_only_while_it_is_new(
    servicenow: Play[ServiceNowOffice], row: Row
) -> None:
    adopting(servicenow, "servicenow")
    perform(servicenow, attack(row, row.servicenow, in_servicenow))


@pytest.mark.parametrize("row", ROWS, ids=lambda one: one.name)
def test_a_change_linked_to_the_request_is_adopted_only_while_it_is_new(
    jira: Play[JiraOffice], row: Row
) -> None:
    adopting(jira, "itsm-jira")
    perform(jira, attack(row, row.jira, in_jira))
