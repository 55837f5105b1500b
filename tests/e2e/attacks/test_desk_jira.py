"""Attacks on the desk gate in Jira Service Management, one row each."""

from pathlib import Path

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks.desk import (
    codes,
    desk_decides,
    one_store_each,
    restored,
    strangers,
    with_way,
)
from tests.e2e.attacks.desk_rows import AGENT, OTHER_AGENT, Deeds, Hands, Row, play_row
from tests.e2e.attacks.offices import JiraOffice, account_id
from tests.e2e.attacks.scene import REMOTE, Attack, Play, compare
from tests.e2e.attacks.theatre import edit_yaml

JSM = Play[JiraOffice]
DESK = "5b10ac8d-service-desk"
FIELD = {
    "by": "field", "field": "Affected account", "accept": "accept {code}", "wrong_person": "wrong",
}  # fmt: skip
APPROVAL = {"by": "approval", "status": "Waiting for approval"}


def note(play: JSM, uid: str, words: str) -> None:
    play.office.desk(uid).create_request_comment(play.key, words, public=False)


def comment(play: JSM, uid: str, words: str) -> None:
    play.office.desk(uid).create_request_comment(play.key, words, public=True)


def move(play: JSM, uid: str) -> None:
    play.office.client(uid).set_issue_status(play.key, "In Progress")


def fill(play: JSM, uid: str, text: str) -> None:
    play.office.client(uid).update_issue_field(play.key, {"customfield_10046": text})


def empower(play: JSM, uid: str) -> None:
    role = {"user": [account_id(uid)]}
    play.office.client().post("rest/api/3/project/ITH/role/10101", data=role)


def join(play: JSM, uid: str, group: str = DESK) -> None:
    play.office.client().post(
        f"rest/api/3/group/user?groupId={group}", data={"accountId": account_id(uid)}
    )


def remake(play: JSM) -> None:
    client = play.office.client()
    client.delete(f"rest/api/3/group?groupId={DESK}")
    made = client.post("rest/api/3/group", data={"name": "Service Desk"})["groupId"]
    for uid in (AGENT, OTHER_AGENT):
        empower(play, uid)
        join(play, uid, made)


def write_over(play: JSM, before: str, after: str) -> None:
    """An administrator writes over the note with the plan."""
    client = play.office.client()
    notes = client.get(f"rest/api/2/issue/{play.key}/comment")["comments"]
    (asked,) = [one for one in notes if "asks the desk" in one["body"]]
    text = asked["body"].replace(before, after)
    client.put(f"rest/api/2/issue/{play.key}/comment/{asked['id']}", data={"body": text})


def ask_for_another_group(play: JSM) -> None:
    write_over(play, "vpn-staff", "git-users")


DEEDS = Deeds[JiraOffice](
    Hands(note=note, comment=comment, move=move, empower=empower, join=join, remake=remake,
          spoil=ask_for_another_group)
)  # fmt: skip


def agent_sets_the_field(play: JSM) -> None:
    fill(play, AGENT, f"accept {codes(play)[-1]}")


def agent_says_by_field_who_is_wrong(play: JSM) -> None:
    fill(play, OTHER_AGENT, "wrong")


def note_edited_and_back(play: JSM) -> None:
    code = codes(play)[-1]
    write_over(play, "vpn-staff", "git-users")
    write_over(play, "git-users", "vpn-staff")
    DEEDS.accept(play, AGENT, code)


def agent_comments_yes(play: JSM) -> None:
    DEEDS.accept_openly(play, AGENT)


ROWS = (
    *DEEDS.rows("itsm-jira", spoilt="somebody wrote over it"),
    Row(way=FIELD, attack=Attack(
        name="an agent accepts by field", act=agent_sets_the_field, end=Stage.FULFILLED,
        native=(), effects=1, reason="vpn-staff")),
    Row(way=FIELD, attack=Attack(
        name="an agent says by field who is wrong", act=agent_says_by_field_who_is_wrong,
        end=Stage.HANDED_OVER, native=(), reason="answered wrong person")),
    Row(attack=Attack(
        name="the plan is edited and edited back", act=note_edited_and_back,
        end=Stage.AWAITING, native=(), reason="somebody wrote over it")),
    Row(attack=Attack(
        name="an agent writes the code where customers read it", act=agent_comments_yes,
        end=Stage.AWAITING, native=(), reason="")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack.name.replace(" ", "-"))
def test_no_attack_on_the_desk_gets_more_than_the_row_allows(
    jira: JSM, row: Row[JiraOffice]
) -> None:
    play_row(jira, row)


def test_two_daemons_with_two_stores_use_one_acceptance_once(jira: JSM, tmp_path: Path) -> None:
    one_store_each(jira, tmp_path / "two", DEEDS.agent_sets_the_state)


def test_two_installations_on_one_site_ask_the_desk_once(jira: JSM) -> None:
    strangers(jira, DEEDS.agent_sets_the_state)


def test_a_backup_from_before_does_not_use_the_acceptance_again(jira: JSM, tmp_path: Path) -> None:
    restored(jira, tmp_path / "backup", DEEDS.agent_says_yes, reopened)


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
        name="by approval", act=DEEDS.agent_says_yes, end=stage, native=(), reason=reason,
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
