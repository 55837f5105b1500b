"""Run it now, on both vendors: the approval of the change that waited is never used."""

from datetime import timedelta
from typing import Any

import pytest

from engine.domain.stage import Stage
from engine.service import emergency
from tests.e2e.attacks.desk import changed
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Play
from tests.e2e.attacks.test_moments import begin
from tests.e2e.attacks.theatre import edit_yaml


def far_window(tiers: Any) -> None:
    """Changes wait for a window that opens tomorrow."""
    tiers["gate"]["window"] = {"lead": "24h", "length": "4h"}


def say_now(play: Play[Any], uid: str) -> None:
    words = "tiergate: run now"
    if isinstance(play.office, ServiceNowOffice):
        play.office.write("incident", play.ticket, {"work_notes": words}, uid)
    else:
        play.office.desk(uid).create_request_comment(play.key, words, public=False)


def kind(play: Play[Any]) -> str:
    change = play.office.change()
    if isinstance(play.office, ServiceNowOffice):
        return str(change["type"])
    return str(change["fields"]["customfield_10005"]["value"]).lower()


def approved_for_tomorrow(play: Play[Any]) -> None:
    edit_yaml(play.company.tiers, far_window)
    begin(play)
    play.office.approve("howard.johnson")
    play.pass_time(seconds=30)
    play.settle()
    assert play.handling().stage is Stage.APPROVED
    assert kind(play) == "normal"
    changed(play, effects=0)


def runs_after_its_own_approval(play: Play[Any]) -> None:
    play.settle()
    assert play.handling().stage is Stage.AWAITING
    assert len(play.office.ends()) == 2
    assert play.office.ends()[0] == "cancelled"
    assert kind(play) == "emergency"
    play.pass_time(hours=25)
    play.settle()
    changed(play, effects=0)
    play.office.approve("beth.anglin")
    play.pass_time(seconds=30)
    play.settle()
    changed(play, effects=1)
    assert play.handling().stage is Stage.FULFILLED
    assert play.office.ends() == ["cancelled", "closed successful"]


@pytest.mark.parametrize("vendor", ["servicenow", "jira"])
def test_an_agents_note_skips_the_window_by_a_new_approval(
    request: pytest.FixtureRequest, vendor: str
) -> None:
    play: Play[ServiceNowOffice] | Play[JiraOffice] = request.getfixturevalue(vendor)
    approved_for_tomorrow(play)
    say_now(play, "luke.wilson")
    runs_after_its_own_approval(play)


def test_an_operator_skips_the_window_by_a_new_approval(
    servicenow: Play[ServiceNowOffice],
) -> None:
    play = servicenow
    approved_for_tomorrow(play)
    old = play.office.change()["number"]
    emergency.expedite(play.company.services, play.ref(), by="operator", reason="shop is down")
    runs_after_its_own_approval(play)
    assert old in play.office.change()["justification"]


def test_the_requester_cannot_hurry_his_own_change(jira: Play[JiraOffice]) -> None:
    play = jira
    play.asker = "luke.wilson"
    approved_for_tomorrow(play)
    say_now(play, "luke.wilson")
    play.settle()
    assert len(play.office.ends()) == 1
    play.theatre.pass_time(timedelta(hours=1))
    changed(play, effects=0)
