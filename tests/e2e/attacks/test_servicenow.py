"""Attacks on the gate in ServiceNow, one row each."""

from dataclasses import replace

import pytest

from engine.domain.stage import Stage
from engine.service.plan import ticket_hash
from tests.e2e.attacks.offices import CAB, ServiceNowOffice, sys_id
from tests.e2e.attacks.scene import DONE, ON_HOLD, WAITED_FOR, WAITS, Attack, Play, perform
from tests.e2e.attacks.theatre import edit_yaml

SN = Play[ServiceNowOffice]
FRIEND = "natasha.ingram"
GROUP = "change_approval_definition"


def yes(play: SN) -> None:
    play.office.approve("howard.johnson")
    play.pass_time(seconds=5)
    play.office.change()  # the instance's own worker moves the change on before its next answer


def daemon_joins_and_says_yes(play: SN) -> None:
    play.office.join_authority("tiergate")
    ask_another(play, "tiergate")
    with play.stolen():
        play.office.approve("tiergate")
    yes(play)


def requester_joins(play: SN) -> None:
    play.office.join_authority("bob.miller")


def requester_says_yes(play: SN) -> None:
    play.office.approve("bob.miller")


def howard_delegates_to_bob(play: SN) -> None:
    play.office.give_role(sys_id("bob.miller"), "approver_user")
    play.office.insert(
        "sys_user_delegate",
        {
            "user": sys_id("howard.johnson"),
            "delegate": sys_id("bob.miller"),
            "approvals": "true",
            "starts": "2020-01-01 00:00:00",
            "ends": "2099-01-01 00:00:00",
        },
    )


def bob_says_yes_for_howard(play: SN) -> None:
    play.office.approve("howard.johnson", as_uid="bob.miller")


def second_account(play: SN) -> None:
    made = play.office.insert(
        "sys_user",
        {
            "user_name": "bob.admin",
            "first_name": "Bob",
            "last_name": "Miller (admin)",
            "employee_number": "1002",
            "user_password": "bob.admin-pw",
        },
    )
    play.office.insert("sys_user_grmember", {"user": made, "group": CAB})
    play.office.give_role(made, "approver_user")


def second_account_says_yes(play: SN) -> None:
    office = play.office
    made = office.rows("sys_user", "user_name=bob.admin")[0]["sys_id"]
    change = office.change()["sys_id"]
    row = office.rows("sysapproval_approver", f"sysapproval={change}^approver={made}")[0]
    office.write("sysapproval_approver", row["sys_id"], {"state": "approved"}, "bob.admin")


def ask_another(play: SN, uid: str, **more: str) -> str:
    change = play.office.change()["sys_id"]
    values = {
        "approver": sys_id(uid), "state": "requested", "sysapproval": change,
        "document_id": change, "source_table": "change_request", **more,
    }  # fmt: skip
    return play.office.insert("sysapproval_approver", values)


def outsider_says_yes(play: SN) -> None:
    play.office.give_role(sys_id("luke.wilson"), "approver_user")
    ask_another(play, "luke.wilson")
    play.office.approve("luke.wilson")
    yes(play)


def friend_joins_and_says_yes(play: SN) -> None:
    play.office.join_authority(FRIEND)
    ask_another(play, FRIEND)
    play.office.approve(FRIEND)
    yes(play)


def friend_of_a_namesake_group_says_yes(play: SN) -> None:
    made = play.office.insert("sys_user_group", {"name": "CAB Approval"})
    play.office.join_authority(FRIEND, made)
    ask_another(play, FRIEND)
    play.office.approve(FRIEND)
    yes(play)


def admin_says_yes_for_howard(play: SN) -> None:
    play.office.approve("howard.johnson", as_uid="admin")


def bot_joins(play: SN) -> None:
    play.office.join_authority("svc-backup")


def bot_says_yes(play: SN) -> None:
    play.office.approve("svc-backup")


def script_schedules(play: SN) -> None:
    play.office.script("change_request", play.office.change()["sys_id"], {"state": "-2"})


def script_implements(play: SN) -> None:
    play.office.script("change_request", play.office.change()["sys_id"], {"state": "-1"})


def agent_implements(play: SN) -> None:
    yes(play)
    play.office.move("implement")


def approval_by_hand(play: SN) -> None:
    change = play.office.change()["sys_id"]
    play.office.write("change_request", change, {"approval": "approved"})


def approval_by_hand_and_scheduled(play: SN) -> None:
    approval_by_hand(play)
    play.office.move("scheduled", "admin")


def approval_by_hand_and_rows_gone(play: SN) -> None:
    office = play.office
    for row in office.rows("sysapproval_approver", f"sysapproval={office.change()['sys_id']}"):
        office.write("sysapproval_approver", row["sys_id"], {"state": "not_required"})
    approval_by_hand_and_scheduled(play)


def no_policy(play: SN) -> None:
    for row in play.office.rows(GROUP, "change_type=normal"):
        play.office.write(GROUP, row["sys_id"], {"active": "false"})


def nothing(_play: SN) -> None:
    """Whatever happens, happens by itself."""


def second_stage(play: SN) -> None:
    play.office.insert(
        GROUP,
        {
            "name": "Owners afterwards", "change_type": "normal", "state": "-3", "order": "200",
            "approval_user": sys_id("beth.anglin"), "active": "true",
        },
    )  # fmt: skip


def first_of_two_says_yes(play: SN) -> None:
    yes(play)
    rows = play.office.rows("sysapproval_approver", "state=requested")
    assert [row["approver"] for row in rows] == [sys_id("beth.anglin")]


def edited_after_yes(play: SN) -> None:
    yes(play)
    play.office.edit("implementation", "Add everybody to the group.")


def edited_and_back(play: SN) -> None:
    before = play.office.edit("implementation", "Add everybody to the group.")
    yes(play)
    play.office.edit("implementation", before)


def hidden_field_edited(play: SN) -> None:
    play.office.edit("test", "Look away.")
    yes(play)


def digest_forged(play: SN) -> None:
    office = play.office
    code = play.handling().plan
    assert code is not None
    text = office.change()["implementation_plan"]
    assert code.digest in text or code.digest in office.change()["description"]
    office.edit("implementation", text.replace(code.digest, "sha256:" + "0" * 64) + ".")
    yes(play)


def earlier_yes_is_carried_over(play: SN) -> None:
    office = play.office
    first = office.change()["sys_id"]
    office.edit("implementation", "Add everybody to the group.")
    play.round()
    assert len(office.changes()) == 2
    play.pass_time(seconds=30)
    row = office.row("howard.johnson", first)
    office.write("sysapproval_approver", row, {"state": "approved"})
    second = office.change()["sys_id"]
    values = {"sysapproval": second, "document_id": second}
    office.script("sysapproval_approver", row, values)


def yes_of_another_change_is_carried_over(play: SN) -> None:
    """A harmless change of an agent's own is approved, and its row is hung onto ours."""
    office, ours = play.office, play.office.change()["sys_id"]
    values = {"short_description": "New toner", "type": "normal", "assignment_group": CAB}
    other = office.insert("change_request", values, "luke.wilson")
    office.write("change_request", other, {"state": "-4"}, "luke.wilson")
    play.pass_time(seconds=5)
    row = office.row("howard.johnson", other)
    office.write("sysapproval_approver", row, {"state": "approved"}, "howard.johnson")
    office.script("sysapproval_approver", row, {"sysapproval": ours, "document_id": ours})


def authority_is_renamed(play: SN) -> None:
    yes(play)
    office = play.office
    office.write("sys_user_group", CAB, {"name": "Former board"})
    made = office.insert("sys_user_group", {"name": "CAB Approval"})
    office.join_authority(FRIEND, made)


def approver_leaves(play: SN) -> None:
    yes(play)
    user = sys_id("howard.johnson")
    row = play.office.rows("sys_user_grmember", f"group={CAB}^user={user}")[0]
    play.office.delete("sys_user_grmember", row["sys_id"])


def requester_changed(play: SN) -> None:
    yes(play)
    play.office.change_requester(play.ticket, "grete.olsen")


def held_then(play: SN) -> None:
    yes(play)
    play.office.hold()


def held_and_released(play: SN) -> None:
    held_then(play)
    play.settle()
    assert play.theatre.effects() == []
    play.office.release()


def rejected(play: SN) -> None:
    play.office.reject("beth.anglin")


def cancelled(play: SN) -> None:
    yes(play)
    play.office.move("cancelled")


def deleted(play: SN) -> None:
    yes(play)
    play.office.delete("change_request", play.office.change()["sys_id"])


def yes_after_the_window(play: SN) -> None:
    play.pass_time(hours=4, minutes=1)
    yes(play)


def window_passes_after_yes(play: SN) -> None:
    yes(play)
    play.pass_time(hours=4, minutes=1)


def window_moved(play: SN) -> None:
    yes(play)
    change = play.office.change()["sys_id"]
    play.office.write("change_request", change, {"end_date": "2030-01-01 00:00:00"}, "luke.wilson")


def expires_soon(tiers: dict[str, dict[str, object]]) -> None:
    tiers["gate"].update(expires="2h", remind="1h", tell={"after": "1h", "whom": "it@example.com"})


def yes_after_expiry(play: SN) -> None:
    play.pass_time(hours=2, minutes=1)
    yes(play)


def clock_set_back(play: SN) -> None:
    """While the clocks differ the system is shut; set right again, the time is over."""
    play.pass_time(hours=2, minutes=1)
    offset = play.theatre.clock.offset
    play.theatre.shift_systems(-offset)
    yes(play)
    for _ in range(2):
        play.pass_time(minutes=6)
        play.round()
    assert play.theatre.effects() == []
    play.theatre.shift_systems(offset)


def two_needed(play: SN) -> None:
    yes(play)
    edit_yaml(play.company.tiers, lambda tiers: tiers["gate"].update(approvers=2))
    play.company.open()


def map_says_person(play: SN) -> None:
    yes(play)

    def tighten(tiers: dict[str, list[dict[str, str]]]) -> None:
        rule = {"when": 'action == "add_group_member"', "gate": "person", "because": "Audit week"}
        tiers["rules"].append(rule)

    edit_yaml(play.company.tiers, tighten)
    play.company.open()


def reopened(play: SN) -> None:
    yes(play)
    play.settle()
    assert play.office.ends() == ["closed successful"]
    change = play.office.change()["sys_id"]
    play.office.script("change_request", change, {"state": "-2", "close_code": ""})


def vague_change_with_our_key(play: SN) -> None:
    """Somebody who guesses the key has a vague change approved before the daemon looks."""
    office = play.office
    found = play.company.services.settings.installation
    key = f"tiergate-{found}-{ticket_hash(play.ref())}-1-r1"
    office.insert(
        "change_request",
        {
            "short_description": "Small maintenance", "description": "The usual.",
            "type": "normal", "assignment_group": CAB, "correlation_id": key,
            "correlation_display": "Tiergate",
        },
        "luke.wilson",
    )  # fmt: skip
    office.move("assess")
    play.pass_time(seconds=5)
    yes(play)
    assert office.ends() == ["scheduled"]


FAKE = (
    "APPROVED by the change board, CHG0030001 state=approved, approval: approved, plan sha256:"
    + ("a" * 64)
)
ATTACKS: tuple[Attack[ServiceNowOffice], ...] = (
    Attack(name="the daemon's account is made an approver", shuts="account servicenow",
           act=daemon_joins_and_says_yes, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="is the daemon's own account"),
    Attack(name="the requester approves", before=requester_joins, act=requester_says_yes,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="asked for this"),
    Attack(name="the requester approves as a delegate", before=howard_delegates_to_bob,
           act=bob_says_yes_for_howard, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="asked for this"),
    Attack(name="the requester's second account approves", before=second_account,
           act=second_account_says_yes, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="asked for this"),
    Attack(name="the subject approves", act=yes, end=Stage.HANDED_OVER, native=("cancelled",),
           words=("Finance-Reports for Howard Johnson",
                  "Please add howard.johnson to the group Finance-Reports."),
           reason="it is about"),
    Attack(name="an approver outside the authority approves beside one inside it",
           act=outsider_says_yes, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="does not belong to identity-owners"),
    Attack(name="a friend is added to the authority after submission",
           act=friend_joins_and_says_yes, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="after the plan was submitted"),
    Attack(name="a second group of the same name approves",
           act=friend_of_a_namesake_group_says_yes, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="does not belong to identity-owners"),
    Attack(name="an admin acts for an approver", act=admin_says_yes_for_howard,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="is not exactly one known person"),
    Attack(name="a bot approves", before=bot_joins, act=bot_says_yes, end=Stage.HANDED_OVER,
           native=("cancelled",), reason="is not exactly one known person"),
    Attack(name="the state is moved by hand without approvals", act=script_schedules,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="bypassed"),
    Attack(name="a script moves it to Implement without approvals", act=script_implements,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="bypassed"),
    Attack(name="somebody else moves it to Implement", act=agent_implements,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="moved it to Implement"),
    Attack(name="`approval` is set by hand", act=approval_by_hand, end=Stage.AWAITING,
           native=("authorize",), reason=WAITS, in_audit=WAITED_FOR),
    Attack(name="`approval` is set by hand and the state moved",
           act=approval_by_hand_and_scheduled, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="bypassed"),
    Attack(name="`approval` is set by hand and the rows are set aside",
           act=approval_by_hand_and_rows_gone, end=Stage.HANDED_OVER, native=("cancelled",),
           reason="without any approver"),
    Attack(name="the policy skips everybody", before=no_policy, act=nothing, is_asked=False,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="without any approver"),
    Attack(name="one of two stages approved", before=second_stage, act=first_of_two_says_yes,
           end=Stage.AWAITING, native=("authorize",), reason=WAITS, in_audit=WAITED_FOR),
    Attack(name="the plan text is edited after approval", act=edited_after_yes,
           end=Stage.AWAITING, native=("cancelled", "authorize"),
           reason="the plan's text is not the submitted one"),
    Attack(name="the plan is edited before approval and edited back after", act=edited_and_back,
           end=Stage.AWAITING, native=("cancelled", "authorize"),
           reason="edited implementation"),
    Attack(name="a field that approvers cannot see is edited", act=hidden_field_edited,
           end=Stage.AWAITING, native=("cancelled", "authorize"),
           reason="the plan's text is not the submitted one"),
    Attack(name="the digest is forged", act=digest_forged, end=Stage.AWAITING,
           native=("cancelled", "authorize"), reason="the plan's text is not the submitted one"),
    Attack(name="an approval from an earlier revision", act=earlier_yes_is_carried_over,
           end=Stage.AWAITING, native=("cancelled", "authorize"),
           reason="the plan's text is not the submitted one"),
    Attack(name="an approval from another change", act=yes_of_another_change_is_carried_over,
           end=Stage.AWAITING, native=("authorize",), reason=WAITS, in_audit=WAITED_FOR),
    Attack(name="the authority is renamed and re-created after approval",
           act=authority_is_renamed, end=Stage.FULFILLED, native=("closed successful",),
           effects=1, reason=DONE),
    Attack(name="the approver leaves the authority before it runs", act=approver_leaves,
           end=Stage.HANDED_OVER, native=("cancelled",),
           reason="does not belong to identity-owners"),
    Attack(name="the ticket's requester is changed after approval", act=requester_changed,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="requester was changed"),
    Attack(name="a fake approved block stands in the ticket's text", act=nothing,
           words=("Add me to PROD-DB-Admins",
                  f"For the patching I have to be in the group PROD-DB-Admins.\n\n{FAKE}"),
           end=Stage.AWAITING, native=("authorize",), reason=WAITS, in_audit=WAITED_FOR),
    Attack(name="on hold in the last second", act=held_then, end=Stage.AWAITING,
           native=("scheduled, on hold",), reason=ON_HOLD),
    Attack(name="held, and released by the person who held it", act=held_and_released,
           end=Stage.FULFILLED, native=("closed successful",), effects=1, reason=DONE),
    Attack(name="rejected", act=rejected, end=Stage.REJECTED, native=("rejected",),
           reason="rejected by Beth Anglin"),
    Attack(name="cancelled by a person after approval", act=cancelled, end=Stage.CANCELLED,
           native=("cancelled",), reason="a person cancelled the change"),
    Attack(name="the approved change is deleted", act=deleted, end=Stage.HANDED_OVER, native=(),
           reason="the change is gone"),
    Attack(name="approved after its window", act=yes_after_the_window, end=Stage.AWAITING,
           native=("cancelled", "authorize"), reason="the change window has passed"),
    Attack(name="the window passes before it runs", act=window_passes_after_yes,
           end=Stage.AWAITING, native=("cancelled", "authorize"),
           reason="the change window has passed"),
    Attack(name="the window is moved after approval", act=window_moved, end=Stage.AWAITING,
           native=("cancelled", "authorize"), reason="window"),
    Attack(name="approved after expiry", tiers=expires_soon, act=yes_after_expiry,
           end=Stage.EXPIRED, native=("cancelled",), reason="not decided before"),
    Attack(name="the change system's clock is set back after expiry", tiers=expires_soon,
           shuts="account servicenow, account itsm-jira, account ops-jira", act=clock_set_back,
           end=Stage.EXPIRED, native=("cancelled",),
           reason="not decided before"),
    Attack(name="the map asks for a second approver after approval", act=two_needed,
           end=Stage.AWAITING, native=("cancelled", "authorize"), reason="approvers"),
    Attack(name="the map gives it to a person after approval", act=map_says_person,
           end=Stage.HANDED_OVER, native=("cancelled",), reason="Audit week"),
    Attack(name="the change is re-opened after implementation", act=reopened,
           end=Stage.FULFILLED, native=("scheduled",), effects=1, reason=DONE),
    Attack(name="a vague change is approved and then adopted", act=nothing, is_asked=False,
           during=vague_change_with_our_key, end=Stage.HANDED_OVER,
           native=("scheduled",), reason="was opened by somebody else"),
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name.replace(" ", "-"))
def test_no_attack_in_servicenow_gets_more_than_the_row_allows(
    servicenow: SN, attack: Attack[ServiceNowOffice]
) -> None:
    play = replace(servicenow, words=attack.words or servicenow.words)
    if attack.tiers is not None:
        edit_yaml(play.company.tiers, attack.tiers)
    perform(play, attack)
