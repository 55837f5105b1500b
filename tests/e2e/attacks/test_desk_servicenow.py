"""Attacks on the desk gate in ServiceNow, one row each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.desk import (
    FOR_LUKE,
    NOTE,
    STATE,
    attack_the_desk,
    codes,
    one_store_each,
    restored,
    strangers,
)
from tests.e2e.attacks.offices import ServiceNowOffice, sys_id
from tests.e2e.attacks.scene import REMOTE, Attack, Play

SN = Play[ServiceNowOffice]
DESK = "d625dccec0a8016700a222a0f7900d06"
FRIEND = "beth.anglin"
FIELD = {"by": "field", "field": "user_input", "accept": "accept {code}", "wrong_action": "wrong"}


def say(play: SN, uid: str, words: str = "", *, element: str = "work_notes") -> None:
    text = words or f"tiergate: accept {codes(play)[-1]}"
    play.office.write("incident", play.ticket, {element: text}, uid)


def move(play: SN, uid: str, state: str = "2") -> None:
    play.office.write("incident", play.ticket, {"state": state}, uid)


def agent_says_yes(play: SN) -> None:
    say(play, "luke.wilson")


def agent_sets_the_state(play: SN) -> None:
    move(play, "luke.wilson")


def agent_sets_the_field(play: SN) -> None:
    values = {"user_input": f"accept {codes(play)[-1]}"}
    play.office.write("incident", play.ticket, values, "luke.wilson")


def agent_says_wrong_action_in_the_field(play: SN) -> None:
    play.office.write("incident", play.ticket, {"user_input": "wrong"}, "ada.tuter")


def outsider_says_yes(play: SN) -> None:
    play.office.give_role(sys_id("hugo.lindt"), "itil")
    say(play, "hugo.lindt")


def outsider_sets_the_state(play: SN) -> None:
    play.office.give_role(sys_id("hugo.lindt"), "itil")
    move(play, "hugo.lindt")


def friend_joins_and_says_yes(play: SN) -> None:
    play.office.insert("sys_user_grmember", {"user": sys_id(FRIEND), "group": DESK})
    play.office.give_role(sys_id(FRIEND), "itil")
    say(play, FRIEND)


def group_is_made_anew(play: SN) -> None:
    office = play.office
    rows = office.rows("sys_user_grmember", f"group={DESK}")
    for row in rows:
        office.delete("sys_user_grmember", row["sys_id"])
    office.delete("sys_user_group", DESK)
    made = office.insert("sys_user_group", {"name": "Service Desk"})
    for row in rows:
        office.insert("sys_user_grmember", {"user": row["user"], "group": made})
    say(play, "luke.wilson")


def asked_again(play: SN) -> str:
    """An administrator takes the note with the plan away. Return the plan's code."""
    first = codes(play)[-1]
    rows = play.office.rows("sys_journal_field", f"element_id={play.ticket}^valueLIKE{first}")
    (asked,) = [row for row in rows if "asks the desk" in row["value"]]
    play.office.delete("sys_journal_field", asked["sys_id"])
    return first


def note_edited_then_yes(play: SN) -> None:
    say(play, "luke.wilson", f"tiergate: accept {asked_again(play)}")


def code_of_the_older_plan(play: SN) -> None:
    first = asked_again(play)
    play.settle()
    assert codes(play)[-1] != first, "the next revision asks anew"
    say(play, "luke.wilson", f"tiergate: accept {first}")


def requester_comments_yes(play: SN) -> None:
    say(play, play.asker, f"tiergate: accept {codes(play)[-1]}", element="comments")


def daemon_says_yes(play: SN) -> None:
    with play.stolen():
        say(play, "tiergate")


def daemon_sets_the_state(play: SN) -> None:
    with play.stolen():
        move(play, "tiergate")


def script_sets_the_state(play: SN) -> None:
    play.office.script("incident", play.ticket, {"state": "2", "incident_state": "2"})


def yes_taken_back(play: SN) -> None:
    say(play, "luke.wilson")
    say(play, "ada.tuter", "tiergate: wrong person")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table, by which way the desk answers, and who asks."""

    attack: Attack[ServiceNowOffice]
    way: Mapping[str, str] = field(default_factory=lambda: NOTE)
    asker: str = "dan.wolter"


BY_STATE = STATE["servicenow"]
ROWS = (
    Row(attack=Attack(
        name="an agent accepts by note", act=agent_says_yes, end=Stage.FULFILLED, native=(),
        effects=1, reason="vpn-staff")),
    Row(way=BY_STATE, attack=Attack(
        name="an agent accepts by state", act=agent_sets_the_state, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent accepts by field", act=agent_sets_the_field, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent says by field that it is wrong", act=agent_says_wrong_action_in_the_field,
        end=Stage.HANDED_OVER, native=(), reason="answered wrong action")),
    Row(asker="luke.wilson", attack=Attack(
        name="the requester accepts", act=agent_says_yes, end=Stage.AWAITING, native=(),
        reason="asked for this, or it is about")),
    Row(asker="luke.wilson", way=BY_STATE, attack=Attack(
        name="the requester sets the state", act=agent_sets_the_state, end=Stage.AWAITING,
        native=(), reason="asked for this, or it is about")),
    Row(attack=Attack(
        name="the subject accepts", words=FOR_LUKE, act=agent_says_yes, end=Stage.AWAITING,
        native=(), reason="asked for this, or it is about")),
    Row(attack=Attack(
        name="an agent outside the group accepts", act=outsider_says_yes, end=Stage.AWAITING,
        native=(), reason="does not belong to service-desk")),
    Row(way=BY_STATE, attack=Attack(
        name="an agent outside the group sets the state", act=outsider_sets_the_state,
        end=Stage.AWAITING, native=(), reason="does not belong to service-desk")),
    Row(attack=Attack(
        name="a friend joins the group afterwards", act=friend_joins_and_says_yes,
        end=Stage.AWAITING, native=(), reason="after the desk was asked")),
    Row(attack=Attack(
        name="the group is deleted and made anew under its name", act=group_is_made_anew,
        end=Stage.AWAITING, native=(), reason="the members of service-desk cannot be read")),
    Row(attack=Attack(
        name="the code of an older plan", act=code_of_the_older_plan, end=Stage.AWAITING,
        native=(), reason="of another plan")),
    Row(attack=Attack(
        name="the plan is taken away before the agent accepts", act=note_edited_then_yes,
        end=Stage.AWAITING, native=(), reason="the note with the plan is gone")),
    Row(attack=Attack(
        name="the requester writes the code into a public comment", act=requester_comments_yes,
        end=Stage.AWAITING, native=(), reason="")),
    Row(attack=Attack(
        name="a note by the daemon's own account", act=daemon_says_yes, end=Stage.AWAITING,
        native=(), reason="")),
    Row(way=BY_STATE, attack=Attack(
        name="the bot sets the state", act=daemon_sets_the_state, end=Stage.AWAITING,
        native=(), reason="is the daemon's own account")),
    Row(way=BY_STATE, attack=Attack(
        name="a script sets the state", act=script_sets_the_state, end=Stage.AWAITING,
        native=(), reason="nobody can tell who answered")),
    Row(attack=Attack(
        name="another agent says no after the yes", act=yes_taken_back, end=Stage.HANDED_OVER,
        native=(), reason="answered wrong person")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack.name.replace(" ", "-"))
def test_no_attack_on_the_desk_gets_more_than_the_row_allows(servicenow: SN, row: Row) -> None:
    play = replace(servicenow, words=row.attack.words or REMOTE, asker=row.asker)
    attack_the_desk(play, row.attack, row.way)


@pytest.fixture
def desk(servicenow: SN) -> SN:
    return replace(servicenow, words=REMOTE, asker="dan.wolter")


def test_two_daemons_with_two_stores_use_one_acceptance_once(desk: SN, tmp_path: Path) -> None:
    one_store_each(desk, tmp_path / "two", agent_sets_the_state)


def test_two_installations_on_one_instance_ask_the_desk_once(desk: SN) -> None:
    strangers(desk, agent_sets_the_state)


def test_a_backup_from_before_does_not_use_the_acceptance_again(desk: SN, tmp_path: Path) -> None:
    restored(desk, tmp_path / "backup", agent_says_yes, reopened)


def reopened(play: SN) -> None:
    open_again = {"state": "2", "incident_state": "2", "active": "true", "close_code": ""}
    play.office.script("incident", play.ticket, open_again)
