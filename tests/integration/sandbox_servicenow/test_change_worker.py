"""The Change Management API as its reference has it: lists, deletions, workers, associations."""

import json
from typing import Any

import pytest

from tests.integration.sandbox_servicenow.conftest import Api

CHANGE = "/api/sn_chg_rest/v1/change"


def opened(api: Api, **values: str) -> str:
    body = {"short_description": "worked on", **values}
    number: str = api.post(f"{CHANGE}/normal", body, 200)["result"]["sys_id"]["value"]
    return number


def server(admin: Api) -> str:
    number: str = admin.create("cmdb_ci_linux_server", name="worked on")["sys_id"]
    return number


def test_values_have_the_keys_of_a_recorded_answer(daemon: Api) -> None:
    """No link at a reference; an empty date has its third key; a due date reads UNKNOWN."""
    seen = daemon.get(f"{CHANGE}/{opened(daemon)}").json()["result"]
    empty = {"display_value": "", "value": "", "display_value_internal": ""}
    assert seen["start_date"] == empty
    assert seen["sla_due"] == {**empty, "display_value": "UNKNOWN"}
    assert set(seen["opened_by"]) == {"display_value", "value"}
    assert seen["variables"] == {"display_value": "variable_pool", "value": "variable_pool"}


def test_a_list_is_filtered_by_pairs_in_which_labels_count(daemon: Api) -> None:
    number = opened(daemon, short_description="found by its words", category="Hardware")
    pairs: dict[str, Any] = {"short_description": "found by its words", "state": "New"}
    found = daemon.get(CHANGE, **pairs).json()["result"]
    assert [one["sys_id"]["value"] for one in found] == [number]
    assert daemon.get(f"{CHANGE}/emergency", **pairs).json()["result"] == []
    # The kind holds for every alternative of the caller's query.
    either = f"sys_id={number}^NQsys_id={number}"
    assert daemon.get(f"{CHANGE}/emergency", sysparm_query=either).json()["result"] == []
    assert len(daemon.get(f"{CHANGE}/normal", sysparm_query=either).json()["result"]) == 1
    names = daemon.get(f"{CHANGE}/standard/template", name="no such").json()["result"]
    assert names == []


def test_tasks_are_listed_page_by_page_in_the_order_asked_for(daemon: Api) -> None:
    number = opened(daemon)
    for text in ("b", "c", "a"):
        daemon.post(f"{CHANGE}/{number}/task", {"short_description": text}, 200)
    path = f"{CHANGE}/{number}/task"

    def texts(**parameters: Any) -> list[str]:
        found = daemon.get(path, **parameters).json()["result"]
        return [one["short_description"]["value"] for one in found]

    assert texts(sysparm_query="active=true^ORDERBYDESCshort_description") == ["c", "b", "a"]
    assert texts(order="short_description", sysparm_offset="1", sysparm_limit="1") == ["b"]
    assert texts(short_description="c") == ["c"]


def test_a_deletion_answers_with_what_was_deleted(admin: Api) -> None:
    number = opened(admin)
    for path in (f"{CHANGE}/emergency/{number}", f"{CHANGE}/normal/{number}"):
        answer = admin.session.delete(f"{admin.url}{path}", timeout=20)
        if "normal" in path:
            assert answer.status_code == 200
            assert answer.json()["result"]["state"]["value"] == -5.0
        else:
            assert answer.status_code == 404
    admin.get(f"{CHANGE}/{number}", 404)


def test_items_are_associated_by_a_worker_that_says_what_was_wrong(admin: Api) -> None:
    number, item = opened(admin), server(admin)
    path = f"{CHANGE}/{number}/ci"
    body = {"cmdb_ci_sys_ids": [item, "0" * 32], "association_type": "affected"}
    done = admin.worked(admin.post(path, body, 202))
    assert (done["type"], json.loads(done["request"])["cmdb_ci_sys_ids"]) == (
        "affected", [item, "0" * 32],
    )  # fmt: skip
    assert len(done["messages"]["errorMessages"]) == 1
    again = admin.worked(admin.post(path, {**body, "cmdb_ci_sys_ids": item}, 202))
    assert len(again["messages"]["infoMessages"]) == 1
    assert len(admin.get(path, association_type="affected").json()["result"]) == 1
    for refused in ("", "related"):
        admin.get(path, 400, association_type=refused)
        admin.post(path, {"cmdb_ci_sys_ids": item, "association_type": refused}, 400)
    admin.post(path, {"association_type": "affected"}, 400)
    admin.get(f"{CHANGE}/worker/{'0' * 32}", 404)


def test_impacted_services_are_those_above_the_item(admin: Api) -> None:
    item, cluster = server(admin), server(admin)
    service = admin.create("cmdb_ci_service", name="on top")["sys_id"]
    admin.create("cmdb_rel_ci", parent=cluster, child=item)
    admin.create("cmdb_rel_ci", parent=service, child=cluster)
    admin.create("cmdb_rel_ci", parent=item, child=service)
    number = opened(admin, cmdb_ci=item)
    started = admin.post(f"{CHANGE}/{number}/refresh_impacted_services", {}, 200)
    assert admin.worked(started)["type"] == "impacted"
    (found,) = admin.get(f"{CHANGE}/{number}/ci", association_type="impacted").json()["result"]
    assert found["cmdb_ci_service"]["display_value"] == "on top"
    other = opened(admin)
    body = {"cmdb_ci_sys_ids": item, "association_type": "impacted"}
    assert admin.worked(admin.post(f"{CHANGE}/{other}/ci", body, 202))["messages"]["errorMessages"]
    body = {**body, "association_type": "affected", "refresh_impacted_services": "true"}
    admin.post(f"{CHANGE}/{other}/ci", body, 202)
    assert len(admin.records("task_cmdb_ci_service", f"task={other}")) == 1


def test_free_times_of_an_item_need_a_duration(admin: Api) -> None:
    item = server(admin)
    path = f"/api/sn_chg_rest/change/ci/{item}/schedule"
    for wrong in ("", "x", "-1", "0"):
        admin.get(path, 400, duration_in_seconds=wrong)
    admin.get(path, 400, duration_in_seconds="60", planned_start_time="tomorrow")
    admin.get(path.replace(item, "0" * 32), 400, duration_in_seconds="60")
    late = "2031-01-01 00:00:00"
    spans = admin.spans(path, duration_in_seconds="10800", planned_start_time=late)
    assert spans
    assert all(one["start"]["value"] >= late for one in spans)
    assert set(spans[0]["end"]) == {"value", "display_value"}


@pytest.mark.parametrize("values", [{}, {"start_date": "2030-03-04 10:00:00"}])
def test_free_times_of_a_change_need_an_item_and_a_plan(admin: Api, values: dict[str, str]) -> None:
    number = opened(admin, **values)
    admin.get(f"{CHANGE}/{number}/schedule", 400)
    answer = admin.session.patch(
        f"{admin.url}{CHANGE}/{number}/schedule/first_available",
        json={"duration_in_seconds": 60}, timeout=20,
    )  # fmt: skip
    assert answer.status_code == 400


def test_who_rejects_says_why(admin: Api, approver: Api) -> None:
    (group,) = admin.records("sys_user_group", "name=Network")
    number = opened(admin, assignment_group=group["sys_id"])
    admin.change("change_request", number, state="-4")
    path = f"{admin.url}{CHANGE}/{number}/approvals"
    for comment, status in (({}, 400), ({"comments": " "}, 400), ({"comments": "too soon"}, 200)):
        answer = approver.session.patch(path, json={"state": "rejected", **comment}, timeout=20)
        assert answer.status_code == status, answer.text
