"""The control issue on a site: stopped by anybody who can edit it, let run by its group."""

from typing import Any

import pytest

from connectors.jira.control import JiraControl
from engine.errors import PermanentError
from engine.ports.findings import Severity
from tests.integration.jira.conftest import World

FIELD = "customfield_10046"


class Issue:
    """An issue of the service project that serves as the switch."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = world.seed_ticket("Tiergate switch").key
        desk = next(one for one in world._organisation.itsm_groups if one.name == "Service Desk")
        self.desk = desk.jira if world.flavour == "cloud" else desk.name

    def control(self, **changes: Any) -> JiraControl:
        way = {
            "issue": self.key,
            "paused": ["Pending"],
            "running": ["In Progress"],
            "group": self.desk,
            **changes,
        }
        found = self.world.again(control=way).control
        assert found is not None
        return found

    def move(self, name: str, *, by: str) -> None:
        self.world._move(self.key, {name}, by=by)

    def fill(self, text: str, *, by: str) -> None:
        self.world.call("PUT", f"api/2/issue/{self.key}", by=by, json={"fields": {FIELD: text}})


@pytest.fixture
def issue(world: World) -> Issue:
    return Issue(world)


def test_a_member_of_its_group_switches_it_both_ways(issue: Issue) -> None:
    control = issue.control()
    issue.move("Pending", by="luke.wilson")
    stopped = control.read()
    assert stopped.is_paused
    assert stopped.by == "Luke Wilson"
    assert stopped.at is not None
    issue.move("In Progress", by="ada.tuter")
    running = control.read()
    assert not running.is_paused
    assert (running.because, running.by) == ("", "Ada Tuter")


@pytest.mark.parametrize("by", ["admin", "tiergate"])
def test_nobody_but_the_group_lets_us_run(issue: Issue, by: str) -> None:
    issue.move("In Progress", by=by)
    found = issue.control().read()
    assert found.is_paused
    assert "does not belong" in found.because or "own account" in found.because


def test_a_field_is_a_switch_as_well(issue: Issue) -> None:
    control = issue.control(field="Affected account", paused=["stop"], running=["go"])
    assert "is not known" in control.read().because
    issue.fill("go", by="luke.wilson")
    assert not control.read().is_paused
    issue.fill("stop", by="admin")
    assert control.read().is_paused
    issue.fill("go", by="admin")
    assert "does not belong" in control.read().because


def test_a_status_that_nobody_moved_since_its_creation_is_its_creators(issue: Issue) -> None:
    found = issue.control(running=["Waiting for support"]).read()
    assert found.is_paused
    assert found.by == "Bob Miller"


def test_an_unknown_status_pauses(issue: Issue) -> None:
    assert "is not known" in issue.control().read().because


def test_an_issue_that_cannot_be_read_is_an_error(issue: Issue) -> None:
    with pytest.raises(PermanentError):
        issue.control(issue="ITH-99999").read()


def codes(control: JiraControl) -> dict[str, Severity]:
    return {one.code: one.severity for one in control.check()}


def test_check_tells_how_the_switch_stands_and_who_could_touch_it(issue: Issue) -> None:
    issue.move("In Progress", by="luke.wilson")
    found = codes(issue.control())
    assert found["control"] is Severity.OK
    assert found["control:writable"] is Severity.WARNING
    issue.move("Pending", by="luke.wilson")
    assert codes(issue.control())["control:paused"] is Severity.WARNING
    assert codes(issue.control(issue="ITH-99999"))["control:unreadable"] is Severity.FAULT
    assert codes(issue.control(group="nobody-here"))["control:group"] is Severity.FAULT
