"""A create that got no answer: looked for, then a person's; never a second create."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Play

_CREATES = {
    "servicenow": r"/api/now/table/change_request(\?|$)",
    "itsm-jira": r"/rest/servicedeskapi/request(\?|$)",
}


@dataclass
class Line:
    """The connection between the daemon and one vendor, which can be cut."""

    play: Play[Any]

    @property
    def _sandbox(self) -> Any:
        theatre = self.play.theatre
        return theatre.servicenow if self.play.office.system == "servicenow" else theatre.jira

    def cut(self, kind: str) -> None:
        """Cut the daemon's next create off, before or after it reached the vendor."""
        path = _CREATES[self.play.office.system]
        rule = {"kind": kind, "method": "POST", "path": path, "user": "tiergate", "next_n": 1}
        self._sandbox.faults.add(rule)

    def creates(self) -> int:
        """How often the daemon asked for a change, answered or not."""
        pattern = re.compile(_CREATES[self.play.office.system])
        asked = [one for one in self.play.office.log() if one["method"] == "POST"]
        return sum(pattern.search(one["target"]) is not None for one in asked)

    def cuts(self) -> int:
        """How often the line was cut: without that the plays below would prove nothing."""
        return sum(rule["struck"] for rule in self._sandbox.faults.listing())


def asked(play: Play[Any], line: Line, kind: str) -> None:
    """A ticket whose change is created over a line that breaks."""
    play.company.open()
    play.round()
    play.pass_time(seconds=5)
    play.ask()
    play.pass_time(seconds=90)
    line.cut(kind)
    play.round()
    assert line.cuts() == 1


@pytest.fixture(params=["servicenow", "jira"])
def play(request: pytest.FixtureRequest) -> Play[ServiceNowOffice] | Play[JiraOffice]:
    found: Play[ServiceNowOffice] | Play[JiraOffice] = request.getfixturevalue(request.param)
    return found


def test_a_change_that_was_made_without_an_answer_is_found_and_goes_on(play: Play[Any]) -> None:
    line = Line(play)
    asked(play, line, "drop_after")
    for _ in range(4):
        play.pass_time(seconds=60)
        play.round()
    assert play.handling().stage is Stage.AWAITING
    assert len(play.office.changes()) == 1
    assert line.creates() == 1


def test_a_create_that_was_lost_is_looked_for_ten_minutes_and_then_a_persons(
    play: Play[Any],
) -> None:
    line = Line(play)
    asked(play, line, "drop_before")
    stages: list[Stage] = []
    for _ in range(9):
        stages.append(play.handling().stage)
        play.pass_time(seconds=60)
        play.round()
    assert set(stages) == {Stage.DRAFTED}
    for _ in range(3):
        play.pass_time(seconds=60)
        play.round()
    found = play.handling()
    assert (found.stage, found.parked_from) == (Stage.PARKED, Stage.DRAFTED)
    assert "got no answer" in found.reason
    assert "got no answer" in play.office.notes(play.ticket)
    play.pass_time(hours=2)
    play.round()
    assert play.office.changes() == []
    assert line.creates() == 1
    assert play.theatre.effects() == []
