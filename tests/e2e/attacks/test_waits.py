"""What an approved change waits for, and that it goes on by itself, on both vendors."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Play
from tests.e2e.attacks.theatre import act_after, edit_yaml

SN = Play[ServiceNowOffice]
JSM = Play[JiraOffice]


def begin(play: SN | JSM) -> None:
    play.company.open()
    play.round()
    play.pass_time(seconds=5)
    play.ask()
    play.until_asked()


def approve(play: SN | JSM) -> None:
    play.office.approve("howard.johnson")
    play.pass_time(seconds=30)


def told(play: SN | JSM, words: str) -> int:
    return play.office.notes(play.ticket).count(words)


def ended(play: SN | JSM, stage: Stage, *, effects: int, native: list[str]) -> None:
    found = play.handling()
    reached = (found.stage, len(play.theatre.effects()), play.office.ends())
    assert reached == (stage, effects, native), f"{found.reason}\n{play.company.steps}"
    assert forbidden(play.office.system, play.office.log(), play.office.stolen) == []
    assert play.company.daemon is not None
    assert play.company.daemon.opened.store.verify(None) is None


def later_window(tiers: Any) -> None:
    tiers["gate"]["window"] = {"lead": "3h", "length": "9h"}


def blackout(play: SN, begins: datetime, ends: datetime) -> None:
    """An admin of the instance makes a blackout schedule."""
    schedule = play.office.insert(
        "cmn_schedule_blackout", {"name": "Audit of the books", "time_zone": "GMT"}
    )
    form = "%Y%m%dT%H%M%SZ"
    play.office.insert(
        "cmn_schedule_span",
        {
            "schedule": schedule,
            "type": "blackout",
            "start_date_time": begins.astimezone(UTC).strftime(form),
            "end_date_time": ends.astimezone(UTC).strftime(form),
        },
    )


def test_a_blackout_that_begins_between_approval_and_window_holds_until_it_ends(
    servicenow: SN,
) -> None:
    play = servicenow
    edit_yaml(play.company.tiers, later_window)
    begin(play)
    approve(play)
    play.round()
    assert told(play, "the window opens at") == 1
    now = play.theatre.clock.now()
    blackout(play, now + timedelta(hours=1), now + timedelta(hours=6))
    play.pass_time(hours=3, minutes=10)
    play.settle()
    ended(play, Stage.AWAITING, effects=0, native=["scheduled"])
    assert told(play, "blackout Audit of the books") == 1
    play.pass_time(hours=3)
    play.settle()
    ended(play, Stage.FULFILLED, effects=1, native=["closed successful"])
    assert told(play, "blackout Audit of the books") == 1


def test_a_blackout_in_the_window_stands_in_the_plan_that_approvers_read(servicenow: SN) -> None:
    play = servicenow
    edit_yaml(play.company.tiers, later_window)
    now = play.theatre.clock.now()
    blackout(play, now + timedelta(hours=5), now + timedelta(hours=6))
    begin(play)
    assert "blackout Audit of the books" in play.office.change()["risk_impact_analysis"]


@pytest.mark.parametrize("vendor", ["servicenow", "jira"])
def test_a_hold_before_the_second_read_is_told_once_and_after_its_release_it_runs_once(
    request: pytest.FixtureRequest, vendor: str
) -> None:
    play: SN | JSM = request.getfixturevalue(vendor)
    begin(play)
    approve(play)
    act_after(play.company, "claim", play.office.hold)
    play.settle()
    assert play.theatre.effects() == []
    assert play.handling().stage is Stage.AWAITING
    assert told(play, "on hold") == 1
    play.settle()
    assert told(play, "on hold") == 1
    play.office.release()
    play.pass_time(seconds=30)
    play.settle()
    ended(play, Stage.FULFILLED, effects=1, native=["closed successful"])


def test_a_window_that_waits_for_its_board_stands_on_the_native_record_and_is_kept(
    servicenow: SN,
) -> None:
    play = servicenow
    meeting = play.theatre.clock.now().astimezone(UTC) + timedelta(hours=3)
    meeting = meeting.replace(second=0, microsecond=0)

    def board(tiers: Any) -> None:
        tiers["calendars"]["always"] = {"timezone": "UTC", "hours": "Mon-Sun 00:00-24:00"}
        tiers["boards"] = {
            "cab": {"meets": f"Mon-Sun {meeting:%H:%M}", "timezone": "UTC", "calendar": "always"}
        }
        tiers["gate"]["calendar"] = "always"
        tiers["gate"]["window"] = {"board": "cab", "length": "4h"}

    edit_yaml(play.company.tiers, board)
    begin(play)
    change = play.office.change()
    form = "%Y-%m-%d %H:%M:%S"
    assert change["start_date"] == meeting.strftime(form)
    assert change["end_date"] == (meeting + timedelta(hours=4)).strftime(form)
    approve(play)
    play.settle()
    ended(play, Stage.APPROVED, effects=0, native=["scheduled"])
    play.pass_time(hours=2)
    play.settle()
    ended(play, Stage.FULFILLED, effects=1, native=["closed successful"])


def test_a_change_that_waits_too_long_is_watched_and_approved_by_nobody(servicenow: SN) -> None:
    play = servicenow
    manager = "6816f79cc0a8016401c5a33be04be441"

    def tell(tiers: Any) -> None:
        tiers["gate"]["window"] = {}
        tiers["gate"]["remind"] = "1d"
        tiers["gate"]["tell"] = {"after": "2d", "watch": {"servicenow": [manager]}}

    edit_yaml(play.company.tiers, tell)
    begin(play)
    for _ in range(5):
        play.pass_time(hours=12)
        play.round()
    assert manager in play.office.change()["watch_list"]
    ended(play, Stage.AWAITING, effects=0, native=["authorize"])
