"""A change on its way: legal moves, exact refusals, the approval engine."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.integration.sandbox_servicenow.conftest import Api

CAB = "b85d44954a3623120004689b2d5dd60a"
REFUSED_MOVE = "Change Model: Check State Transition"


def submitted(daemon: Api, **values: Any) -> str:
    change = daemon.create(
        "change_request", short_description="Plan", assignment_group="Software", **values
    )
    daemon.change("change_request", change["sys_id"], state="-4")
    number: str = change["sys_id"]
    return number


def answers(daemon: Api, change: str) -> list[dict[str, Any]]:
    return daemon.records("sysapproval_approver", f"sysapproval={change}^ORDERBYsys_created_on")


def answer(who: Api, change: str, state: str, status: int = 200, **values: str) -> None:
    (row,) = who.records("sysapproval_approver", f"sysapproval={change}^state=requested")
    who.change("sysapproval_approver", row["sys_id"], status, state=state, **values)


def test_a_normal_change_goes_through_the_cab_to_its_end(daemon: Api, approver: Api) -> None:
    change = daemon.create("change_request", short_description="Plan", assignment_group="Software")
    number = change["sys_id"]
    assert (change["state"], change["approval"], change["type"]) == (
        "-5",
        "not requested",
        "normal",
    )
    moved = daemon.change("change_request", number, state="-4")
    # The technical stage asks nobody: the cascade flips the approval before the CAB is asked.
    assert (moved["state"], moved["approval"]) == ("-4", "approved")
    asked = daemon.record("change_request", number)
    assert (asked["state"], asked["approval"]) == ("-3", "requested")
    assert {row["state"] for row in answers(daemon, number)} == {"requested"}
    assert len(answers(daemon, number)) == 3
    (group,) = daemon.records("sysapproval_group", f"parent={number}")
    assert (group["assignment_group"], group["approval"]) == (CAB, "requested")
    answer(approver, number, "approved", comments="fine")
    done = daemon.record("change_request", number)
    assert (done["state"], done["approval"]) == ("-2", "approved")
    states = sorted((row["state"], row["sys_updated_by"]) for row in answers(daemon, number))
    assert states == [
        ("approved", "howard.johnson"),
        ("not_required", "system"),
        ("not_required", "system"),
    ]
    began = daemon.change("change_request", number, state="-1")
    assert began["work_start"]
    tasks = daemon.records("change_task", f"change_request={number}^ORDERBYnumber")
    assert [task["short_description"] for task in tasks] == [
        "Implement",
        "Post implementation testing",
    ]
    daemon.change("change_task", tasks[0]["sys_id"], state="3", close_code="successful")
    assert daemon.change("change_request", number, state="0")["work_end"]
    refusal = daemon.change("change_request", number, 403, state="3")
    assert refusal["error"]["detail"] == (
        "Data Policy Exception: The following fields are mandatory: Close code, Close notes"
    )
    ended = daemon.change(
        "change_request", number, state="3", close_code="successful", close_notes="Done"
    )
    assert (ended["state"], ended["active"]) == ("3", "false")
    ends = [daemon.record("change_task", task["sys_id"])["state"] for task in tasks]
    assert ends == ["3", "4"]


@pytest.mark.parametrize("state", ["-3", "-2", "-1", "0", "3"])
def test_a_move_that_the_model_lacks_is_refused_by_name(daemon: Api, state: str) -> None:
    change = daemon.create("change_request", short_description="x", assignment_group="Software")
    refusal = daemon.change("change_request", change["sys_id"], 403, state=state)
    detail = refusal["error"]["detail"]
    assert detail.startswith(
        f"Operation against file 'change_request' was aborted by Business Rule '{REFUSED_MOVE}^"
    )
    assert detail.endswith(f"Business Rule Stack:{REFUSED_MOVE}")
    assert daemon.record("change_request", change["sys_id"])["state"] == "-5"


def test_a_change_without_a_group_cannot_ask_for_approval(daemon: Api) -> None:
    change = daemon.create("change_request", short_description="x")
    daemon.change("change_request", change["sys_id"], 403, state="-4")


def test_a_change_is_created_in_new_whatever_state_is_sent(daemon: Api) -> None:
    change = daemon.create("change_request", short_description="x", state="3", approval="approved")
    assert (change["state"], change["approval"]) == ("-5", "not requested")


def test_a_rejection_takes_it_back_to_new_and_an_edit_takes_the_rejection_back(
    daemon: Api, approver: Api
) -> None:
    number = submitted(daemon)
    answer(approver, number, "rejected", comments="too risky")
    back = daemon.record("change_request", number)
    assert (back["state"], back["approval"]) == ("-5", "rejected")
    edited = daemon.change("change_request", number, implementation_plan="another one")
    assert edited["approval"] == "not requested"
    daemon.change("change_request", number, state="-4")
    fresh = [row for row in answers(daemon, number) if row["state"] == "requested"]
    assert len(fresh) == 3


def test_cancelling_cancels_what_is_awaited(daemon: Api) -> None:
    number = submitted(daemon)
    assert daemon.change("change_request", number, state="4")["state"] == "4"
    assert {row["state"] for row in answers(daemon, number)} == {"cancelled"}


def test_a_hold_needs_a_reason_and_withdraws_the_request_until_its_end(
    daemon: Api, approver: Api
) -> None:
    number = submitted(daemon)
    daemon.record("change_request", number)
    refusal = daemon.change("change_request", number, 403, on_hold="true")
    assert "On hold reason" in refusal["error"]["detail"]
    daemon.change("change_request", number, on_hold="true", on_hold_reason="wait")
    assert {row["state"] for row in answers(daemon, number)} == {"not_required"}
    daemon.change("change_request", number, 403, state="-5")
    daemon.change("change_request", number, on_hold="false")
    assert {row["state"] for row in answers(daemon, number)} == {"requested"}
    answer(approver, number, "approved")
    assert daemon.record("change_request", number)["state"] == "-2"


@pytest.mark.parametrize("state", ["approved", "rejected"])
def test_the_daemon_cannot_answer_nor_add_an_approver_nor_write_the_approval(
    daemon: Api, state: str
) -> None:
    number = submitted(daemon)
    row = answers(daemon, number)[0]
    refusal = daemon.change("sysapproval_approver", row["sys_id"], 403, state=state)
    assert refusal == {
        "error": {
            "message": "Operation Failed",
            "detail": "ACL Exception Update Failed due to security constraints",
        },
        "status": "failure",
    }
    refusal = daemon.create("sysapproval_approver", 403, sysapproval=number, state=state)
    assert refusal["error"]["detail"].startswith("ACL Exception Insert Failed")
    assert daemon.change("change_request", number, approval=state)["approval"] == "requested"


def test_an_approver_sees_what_is_asked_of_him_and_nothing_else(daemon: Api, approver: Api) -> None:
    number = submitted(daemon)
    rows = approver.records("sysapproval_approver")
    assert {row["approver"] for row in rows} == {"08826bf03710200044e0bfc8bcbe5d01"}
    seen = approver.record("change_request", number)
    assert seen["short_description"] == "Plan"
    assert "test_plan" not in seen
    other = daemon.create("change_request", short_description="not asked")
    approver.get(f"/api/now/table/change_request/{other['sys_id']}", 404)
    assert approver.records("incident") == []


@pytest.fixture
def policy(admin: Api) -> Callable[..., None]:
    """Replace the approval policy of normal changes in Authorize."""

    def set_policy(*stages: dict[str, str]) -> None:
        for row in admin.records("change_approval_definition", "change_type=normal"):
            path = f"{admin.url}/api/now/table/change_approval_definition/{row['sys_id']}"
            assert admin.session.delete(path, timeout=10).status_code == 204
        for number, stage in enumerate(stages, 1):
            values: dict[str, Any] = {
                "change_type": "normal",
                "state": "-3",
                "order": str(number * 100),
                **stage,
            }
            admin.create("change_approval_definition", **values)

    return set_policy


def test_all_must_approve_where_the_policy_says_all(
    daemon: Api, log_in: Callable[[str], Api], policy: Callable[..., None]
) -> None:
    policy({"approval_group": CAB, "wait_for": "all"})
    number = submitted(daemon)
    for role in ("approver1", "approver2"):
        answer(log_in(role), number, "approved")
        assert daemon.record("change_request", number)["approval"] == "requested"
    answer(log_in("approver3"), number, "approved")
    assert daemon.record("change_request", number)["state"] == "-2"


def test_half_a_person_counts_as_one_in_a_percentage(
    daemon: Api, log_in: Callable[[str], Api], policy: Callable[..., None]
) -> None:
    policy({"approval_group": CAB, "wait_for": "percent", "wait_for_percent": "50"})
    number = submitted(daemon)
    answer(log_in("approver1"), number, "approved")
    assert daemon.record("change_request", number)["approval"] == "requested"
    answer(log_in("approver2"), number, "approved")
    assert daemon.record("change_request", number)["approval"] == "approved"


def test_stages_are_asked_one_after_the_other(
    daemon: Api, log_in: Callable[[str], Api], policy: Callable[..., None]
) -> None:
    beth = "08826bf03710200044e0bfc8bcbe5d02"
    policy({"approval_user": beth}, {"approval_group": CAB, "wait_for": "any"})
    number = submitted(daemon)
    assert [row["approver"] for row in answers(daemon, number)] == [beth]
    answer(log_in("approver2"), number, "approved")
    assert daemon.record("change_request", number)["approval"] == "requested"
    assert len(answers(daemon, number)) == 4
    answer(log_in("approver1"), number, "approved")
    assert daemon.record("change_request", number)["state"] == "-2"


def test_a_policy_that_skips_everybody_schedules_without_an_answer(
    daemon: Api, policy: Callable[..., None]
) -> None:
    policy()
    number = submitted(daemon)
    seen = daemon.record("change_request", number)
    assert (seen["state"], seen["approval"]) == ("-2", "approved")
    assert answers(daemon, number) == []
    policy({"approval_group": CAB, "wait_for": "any"})


def test_a_delegate_and_an_administrator_answer_in_somebodys_place(
    daemon: Api, admin: Api, requester: Api
) -> None:
    number = submitted(daemon)
    row = next(
        row
        for row in answers(daemon, number)
        if row["approver"] == "08826bf03710200044e0bfc8bcbe5d01"
    )
    requester.change("sysapproval_approver", row["sys_id"], 404, state="approved")
    admin.create(
        "sys_user_delegate",
        user="08826bf03710200044e0bfc8bcbe5d01",
        delegate="62826bf03710200044e0bfc8bcbe5df1",
        starts="2020-01-01 00:00:00",
        ends="2020-02-01 00:00:00",
    )
    requester.change("sysapproval_approver", row["sys_id"], 404, state="approved")
    admin.create(
        "sys_user_delegate",
        user="08826bf03710200044e0bfc8bcbe5d01",
        delegate="62826bf03710200044e0bfc8bcbe5df1",
    )
    requester.change("sysapproval_approver", row["sys_id"], state="approved")
    assert daemon.record("sysapproval_approver", row["sys_id"])["sys_updated_by"] == "abel.tuter"
    other = submitted(daemon)
    row = answers(daemon, other)[0]
    admin.change("sysapproval_approver", row["sys_id"], state="approved")
    history = daemon.record("change_request", other, sysparm_display_value="true")
    assert "permission granted by role" in history["approval_history"]


def test_an_emergency_change_goes_straight_to_authorize(daemon: Api, approver: Api) -> None:
    change = daemon.create(
        "change_request", short_description="x", type="emergency", assignment_group="Software"
    )
    number = change["sys_id"]
    daemon.change("change_request", number, 403, state="-4")
    daemon.change("change_request", number, state="-3")
    answer(approver, number, "approved")
    assert daemon.record("change_request", number)["state"] == "-2"


def test_a_standard_change_copies_its_template_and_needs_no_approval(daemon: Api) -> None:
    refusal = daemon.create("change_request", 403, short_description="x", type="standard")
    assert "Standard Change Template version" in refusal["error"]["detail"]
    change = daemon.create(
        "change_request",
        type="standard",
        short_description="mine",
        description="mine",
        std_change_producer_version="16c2273c47010200e90d87e8dee49006",
    )
    assert change["short_description"] == "mine"
    assert "Resend the complete BGP table" in change["description"]
    refusal = daemon.change("change_request", change["sys_id"], 403, description="mine")
    assert "Restrict fields from Standard Change" in refusal["error"]["detail"]
    moved = daemon.change("change_request", change["sys_id"], state="-2")
    assert moved["approval"] == "approved"


def test_a_manual_task_keeps_a_change_open_and_its_dates_inside_the_window(daemon: Api) -> None:
    change = daemon.create(
        "change_request",
        type="standard",
        std_change_producer_version="16c2273c47010200e90d87e8dee49006",
        start_date="2026-12-01 10:00:00",
        end_date="2026-12-01 12:00:00",
    )
    number = change["sys_id"]
    daemon.create(
        "change_task", 403, change_request=number, planned_start_date="2026-12-01 09:00:00"
    )
    task = daemon.create(
        "change_task", change_request=number, planned_start_date="2026-12-01T10:30:00"
    )
    assert task["planned_start_date"] == "2026-12-01 10:30:00"
    for state in ("-2", "-1", "0"):
        daemon.change("change_request", number, state=state)
    end: dict[str, Any] = {"state": "3", "close_code": "successful", "close_notes": "n"}
    daemon.change("change_request", number, 403, **end)
    daemon.change("change_task", task["sys_id"], state="3")
    daemon.change("change_request", number, **end)


def test_history_says_who_set_what_and_only_readers_of_history_see_it(
    daemon: Api, agent: Api, approver: Api
) -> None:
    number = submitted(daemon)
    answer(approver, number, "approved")
    row = next(row for row in answers(daemon, number) if row["state"] == "approved")
    query = f"documentkey={row['sys_id']}^fieldname=state"
    (entry,) = daemon.records("sys_audit", query)
    assert (entry["oldvalue"], entry["newvalue"]) == ("requested", "approved")
    assert entry["user"] == "howard.johnson"
    lines = daemon.records("sys_history_line", f"set.id={row['sys_id']}^field=state")
    assert [line["user_name"] for line in lines] == ["Howard Johnson"]
    hidden = agent.get("/api/now/table/sys_audit", sysparm_query=query)
    assert (hidden.json(), hidden.headers["X-Total-Count"]) == ({"result": []}, "1")


def test_the_sandbox_keeps_its_own_steps_back_when_it_is_told_to(
    daemon: Api, sandbox: ServiceNowSandbox
) -> None:
    seed = f"{sandbox.admin_url}/seed"
    assert requests.post(seed, json={"flow_delay_seconds": 3600}, timeout=10).ok
    number = submitted(daemon)
    assert daemon.record("change_request", number)["state"] == "-4"
    requests.post(f"{sandbox.admin_url}/clock", json={"advance_seconds": 3700}, timeout=10)
    assert requests.post(seed, json={"flow_delay_seconds": 0}, timeout=10).ok
    assert daemon.record("change_request", number)["state"] == "-3"
    asked = {row["sys_created_on"] for row in answers(daemon, number)}
    made = daemon.record("change_request", number)["sys_created_on"]
    # The steps carry the time at which they were due, not the one at which somebody looked.
    assert all(one[:13] > made[:13] for one in asked)
    late = sandbox.clock.now().strftime("%Y-%m-%d %H:%M:%S")
    assert all(one < late for one in asked)
