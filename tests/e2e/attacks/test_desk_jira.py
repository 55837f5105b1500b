"""Attacks on the desk gate in Jira Service Management, one row each."""

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
    desk_decides,
    one_store_each,
    restored,
    strangers,
    with_way,
)
from tests.e2e.attacks.offices import JiraOffice, account_id
from tests.e2e.attacks.scene import REMOTE, Attack, Play, compare
from tests.e2e.attacks.theatre import edit_yaml

JSM = Play[JiraOffice]
DESK = "5b10ac8d-service-desk"
FIELD = {
    "by": "field", "field": "Affected account", "accept": "accept {code}", "wrong_person": "wrong",
}  # fmt: skip
APPROVAL = {"by": "approval", "status": "Waiting for approval"}


def say(play: JSM, uid: str, words: str = "", *, public: bool = False) -> None:
    text = words or f"tiergate: accept {codes(play)[-1]}"
    play.office.desk(uid).create_request_comment(play.key, text, public=public)


def move(play: JSM, uid: str) -> None:
    play.office.client(uid).set_issue_status(play.key, "In Progress")


def fill(play: JSM, uid: str, text: str) -> None:
    play.office.client(uid).update_issue_field(play.key, {"customfield_10046": text})


def join(play: JSM, uid: str, group: str = DESK) -> None:
    play.office.client().post(
        f"rest/api/3/group/user?groupId={group}", data={"accountId": account_id(uid)}
    )


def become_agent(play: JSM, uid: str) -> None:
    """An agent of the project who is not of the group that decides."""
    role = {"user": [account_id(uid)]}
    play.office.client().post("rest/api/3/project/ITH/role/10101", data=role)


def agent_says_yes(play: JSM) -> None:
    say(play, "luke.wilson")


def agent_sets_the_state(play: JSM) -> None:
    move(play, "luke.wilson")


def agent_sets_the_field(play: JSM) -> None:
    fill(play, "luke.wilson", f"accept {codes(play)[-1]}")


def agent_says_by_field_who_is_wrong(play: JSM) -> None:
    fill(play, "ada.tuter", "wrong")


def outsider_says_yes(play: JSM) -> None:
    become_agent(play, "hugo.lindt")
    say(play, "hugo.lindt")


def outsider_sets_the_state(play: JSM) -> None:
    become_agent(play, "hugo.lindt")
    move(play, "hugo.lindt")


def friend_joins_and_says_yes(play: JSM) -> None:
    become_agent(play, "hugo.lindt")
    join(play, "hugo.lindt")
    say(play, "hugo.lindt")


def group_is_made_anew(play: JSM) -> None:
    client = play.office.client()
    client.delete(f"rest/api/3/group?groupId={DESK}")
    made = client.post("rest/api/3/group", data={"name": "Service Desk"})["groupId"]
    for uid in ("luke.wilson", "ada.tuter"):
        become_agent(play, uid)
        join(play, uid, made)
    say(play, "luke.wilson")


def note_is_written_over(play: JSM) -> str:
    """An administrator writes over the note with the plan. Return the plan's code."""
    first = codes(play)[-1]
    client = play.office.client()
    notes = client.get(f"rest/api/2/issue/{play.key}/comment")["comments"]
    (asked,) = [one for one in notes if "asks the desk" in one["body"]]
    text = asked["body"].replace("vpn-staff", "git-users")
    client.put(f"rest/api/2/issue/{play.key}/comment/{asked['id']}", data={"body": text})
    return first


def note_edited_then_yes(play: JSM) -> None:
    say(play, "luke.wilson", f"tiergate: accept {note_is_written_over(play)}")


def note_edited_and_back(play: JSM) -> None:
    first = note_is_written_over(play)
    client = play.office.client()
    notes = client.get(f"rest/api/2/issue/{play.key}/comment")["comments"]
    (asked,) = [one for one in notes if "asks the desk" in one["body"]]
    text = asked["body"].replace("git-users", "vpn-staff")
    client.put(f"rest/api/2/issue/{play.key}/comment/{asked['id']}", data={"body": text})
    say(play, "luke.wilson", f"tiergate: accept {first}")


def code_of_the_older_plan(play: JSM) -> None:
    first = note_is_written_over(play)
    play.settle()
    assert codes(play)[-1] != first, "the next revision asks anew"
    say(play, "luke.wilson", f"tiergate: accept {first}")


def requester_comments_yes(play: JSM) -> None:
    say(play, play.asker, public=True)


def agent_comments_yes(play: JSM) -> None:
    say(play, "luke.wilson", public=True)


def daemon_says_yes(play: JSM) -> None:
    with play.stolen():
        say(play, "tiergate")


def daemon_sets_the_state(play: JSM) -> None:
    with play.stolen():
        move(play, "tiergate")


def yes_taken_back(play: JSM) -> None:
    say(play, "luke.wilson")
    say(play, "ada.tuter", "tiergate: do it myself")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table, by which way the desk answers, and who asks."""

    attack: Attack[JiraOffice]
    way: Mapping[str, str] = field(default_factory=lambda: NOTE)
    asker: str = "dan.wolter"


BY_STATE = STATE["itsm-jira"]
ROWS = (
    Row(attack=Attack(
        name="an agent accepts by note", act=agent_says_yes, end=Stage.FULFILLED, native=(),
        effects=1, reason="vpn-staff")),
    Row(way=BY_STATE, attack=Attack(
        name="an agent accepts by status", act=agent_sets_the_state, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent accepts by field", act=agent_sets_the_field, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent says by field who is wrong", act=agent_says_by_field_who_is_wrong,
        end=Stage.HANDED_OVER, native=(), reason="answered wrong person")),
    Row(asker="luke.wilson", attack=Attack(
        name="the requester accepts", act=agent_says_yes, end=Stage.AWAITING, native=(),
        reason="asked for this, or it is about")),
    Row(asker="luke.wilson", way=BY_STATE, attack=Attack(
        name="the requester sets the status", act=agent_sets_the_state, end=Stage.AWAITING,
        native=(), reason="asked for this, or it is about")),
    Row(attack=Attack(
        name="the subject accepts", words=FOR_LUKE, act=agent_says_yes, end=Stage.AWAITING,
        native=(), reason="asked for this, or it is about")),
    Row(attack=Attack(
        name="an agent outside the group accepts", act=outsider_says_yes, end=Stage.AWAITING,
        native=(), reason="does not belong to service-desk")),
    Row(way=BY_STATE, attack=Attack(
        name="an agent outside the group sets the status", act=outsider_sets_the_state,
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
        name="the plan is edited before the agent accepts", act=note_edited_then_yes,
        end=Stage.AWAITING, native=(), reason="somebody wrote over it")),
    Row(attack=Attack(
        name="the plan is edited and edited back", act=note_edited_and_back,
        end=Stage.AWAITING, native=(), reason="somebody wrote over it")),
    Row(attack=Attack(
        name="the requester writes the code into a public comment", act=requester_comments_yes,
        end=Stage.AWAITING, native=(), reason="")),
    Row(attack=Attack(
        name="an agent writes the code where customers read it", act=agent_comments_yes,
        end=Stage.AWAITING, native=(), reason="")),
    Row(attack=Attack(
        name="a note by the daemon's own account", act=daemon_says_yes, end=Stage.AWAITING,
        native=(), reason="")),
    Row(way=BY_STATE, attack=Attack(
        name="the bot sets the status", act=daemon_sets_the_state, end=Stage.AWAITING,
        native=(), reason="is the daemon's own account")),
    Row(attack=Attack(
        name="another agent says no after the yes", act=yes_taken_back, end=Stage.HANDED_OVER,
        native=(), reason="answered do it myself")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack.name.replace(" ", "-"))
def test_no_attack_on_the_desk_gets_more_than_the_row_allows(jira: JSM, row: Row) -> None:
    play = replace(jira, words=row.attack.words or REMOTE, asker=row.asker)
    attack_the_desk(play, row.attack, row.way)


def test_two_daemons_with_two_stores_use_one_acceptance_once(jira: JSM, tmp_path: Path) -> None:
    one_store_each(jira, tmp_path / "two", agent_sets_the_state)


def test_two_installations_on_one_site_ask_the_desk_once(jira: JSM) -> None:
    strangers(jira, agent_sets_the_state)


def test_a_backup_from_before_does_not_use_the_acceptance_again(jira: JSM, tmp_path: Path) -> None:
    restored(jira, tmp_path / "backup", agent_says_yes, reopened)


def reopened(play: JSM) -> None:
    play.office.client().set_issue_status(play.key, "Reopened")


# --- a native approval on the ticket
def asked_by_approval(play: JSM) -> None:
    """A request whose own approval was given, and whose approval status is entered again."""
    edit_yaml(play.company.tiers, desk_decides)
    with_way(play.company, APPROVAL)
    play.company.open()
    play.round()
    play.pass_time(seconds=5)
    types = play.office.desk(play.asker).get_request_types(1)
    found = types["values"] if isinstance(types, dict) else types
    kind = next(one["id"] for one in found if one["name"] == "Request hardware")
    summary, words = REMOTE
    made = play.office.desk(play.asker).create_customer_request(
        "1", kind, {"summary": summary, "description": words}
    )
    play.ticket, play.key = str(made["issueId"]), str(made["issueKey"])
    answer(play, "howard.johnson", "approve")
    play.until_asked()


def answer(play: JSM, uid: str, word: str) -> None:
    newest = max(play.office.desk("admin").get_approvals(play.key), key=lambda one: int(one["id"]))
    play.office.desk(uid).answer_approval(play.key, newest["id"], word)


def outcome(play: JSM, stage: Stage, reason: str, *, effects: int = 0) -> None:
    play.settle()
    attack = Attack[JiraOffice](
        name="by approval", act=agent_says_yes, end=stage, native=(), reason=reason,
        effects=effects,
    )  # fmt: skip
    compare(play, attack)


def test_an_agent_approves_on_the_ticket(jira: JSM) -> None:
    asked_by_approval(jira)
    answer(jira, "luke.wilson", "approve")
    outcome(jira, Stage.FULFILLED, "vpn-staff", effects=1)


def test_an_agent_declines_on_the_ticket(jira: JSM) -> None:
    asked_by_approval(jira)
    answer(jira, "luke.wilson", "decline")
    outcome(jira, Stage.HANDED_OVER, "answered do it myself")


def test_an_approver_outside_the_desk_approves_on_the_ticket(jira: JSM) -> None:
    asked_by_approval(jira)
    answer(jira, "beth.anglin", "approve")
    outcome(jira, Stage.HANDED_OVER, "does not belong to service-desk")


def test_the_earlier_approval_of_the_ticket_itself_accepts_nothing(jira: JSM) -> None:
    asked_by_approval(jira)
    outcome(jira, Stage.AWAITING, "")
