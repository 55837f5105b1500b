"""Attacks on the desk gate in ServiceNow, one row each."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.desk import STATE, codes, one_store_each, restored, strangers
from tests.e2e.attacks.desk_rows import AGENT, OTHER_AGENT, Deeds, Hands, Row, play_row
from tests.e2e.attacks.offices import ServiceNowOffice, sys_id
from tests.e2e.attacks.scene import REMOTE, Attack, Play

SN = Play[ServiceNowOffice]
DESK = "d625dccec0a8016700a222a0f7900d06"
FIELD = {"by": "field", "field": "user_input", "accept": "accept {code}", "wrong_action": "wrong"}


def note(play: SN, uid: str, words: str) -> None:
    play.office.write("incident", play.ticket, {"work_notes": words}, uid)


def comment(play: SN, uid: str, words: str) -> None:
    play.office.write("incident", play.ticket, {"comments": words}, uid)


def move(play: SN, uid: str) -> None:
    play.office.write("incident", play.ticket, {"state": "2"}, uid)


def fill(play: SN, uid: str, text: str) -> None:
    play.office.write("incident", play.ticket, {"user_input": text}, uid)


def empower(play: SN, uid: str) -> None:
    play.office.give_role(sys_id(uid), "itil")


def join(play: SN, uid: str) -> None:
    play.office.insert("sys_user_grmember", {"user": sys_id(uid), "group": DESK})


def remake(play: SN) -> None:
    office = play.office
    rows = office.rows("sys_user_grmember", f"group={DESK}")
    for row in rows:
        office.delete("sys_user_grmember", row["sys_id"])
    office.delete("sys_user_group", DESK)
    made = office.insert("sys_user_group", {"name": "Service Desk"})
    for row in rows:
        office.insert("sys_user_grmember", {"user": row["user"], "group": made})


def take_the_note_away(play: SN) -> None:
    code = codes(play)[-1]
    rows = play.office.rows("sys_journal_field", f"element_id={play.ticket}^valueLIKE{code}")
    (asked,) = [row for row in rows if "asks the desk" in row["value"]]
    play.office.delete("sys_journal_field", asked["sys_id"])


def agent_sets_the_field(play: SN) -> None:
    fill(play, AGENT, f"accept {codes(play)[-1]}")


def agent_says_wrong_action_in_the_field(play: SN) -> None:
    fill(play, OTHER_AGENT, "wrong")


def script_sets_the_state(play: SN) -> None:
    play.office.script("incident", play.ticket, {"state": "2", "incident_state": "2"})


DEEDS = Deeds[ServiceNowOffice](
    Hands(note=note, comment=comment, move=move, empower=empower, join=join, remake=remake,
          spoil=take_the_note_away)
)  # fmt: skip
ROWS = (
    *DEEDS.rows("servicenow", spoilt="the note with the plan is gone"),
    Row(way=FIELD, attack=Attack(
        name="an agent accepts by field", act=agent_sets_the_field, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent says by field that it is wrong", act=agent_says_wrong_action_in_the_field,
        end=Stage.HANDED_OVER, native=(), reason="answered wrong action")),
    Row(way=STATE["servicenow"], attack=Attack(
        name="a script sets the state", act=script_sets_the_state, end=Stage.AWAITING,
        native=(), reason="nobody can tell who answered")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack.name.replace(" ", "-"))
def test_no_attack_on_the_desk_gets_more_than_the_row_allows(
    servicenow: SN, row: Row[ServiceNowOffice]
) -> None:
    play_row(servicenow, row)


@pytest.fixture
def desk(servicenow: SN) -> SN:
    return replace(servicenow, words=REMOTE, asker="dan.wolter")


def test_two_daemons_with_two_stores_use_one_acceptance_once(desk: SN, tmp_path: Path) -> None:
    one_store_each(desk, tmp_path / "two", DEEDS.agent_sets_the_state)


def test_two_installations_on_one_instance_ask_the_desk_once(desk: SN) -> None:
    strangers(desk, DEEDS.agent_sets_the_state)


def test_a_backup_from_before_does_not_use_the_acceptance_again(desk: SN, tmp_path: Path) -> None:
    restored(desk, tmp_path / "backup", DEEDS.agent_says_yes, reopened)


def reopened(play: SN) -> None:
    open_again = {"state": "2", "incident_state": "2", "active": "true", "close_code": ""}
    play.office.script("incident", play.ticket, open_again)
