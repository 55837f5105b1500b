"""Corners of the APIs that no client of ours asks for, and values at the ends of their ranges."""

from typing import Any

import pytest

from tests.integration.sandbox_servicenow.conftest import Api

SC = "/api/sn_sc/servicecatalog"
STATS = "/api/now/stats/incident"
CATALOG = "e0d08b13c3330100c8b837659bba8fb4"
HARDWARE = "d258b953c611227a0146101fb1be7c31"
ENDS = [
    "9" * 30, "²", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00", "1e400", "nan", "2026-02-30", "20260101T000000Z",
    "99991231T235959Z", "٣", {"value": {"value": "1"}}, [[[1]]], None, True, 10**30, -1.5,
]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("incident", ("calendar_duration", "due_date", "activity_due", "priority", "watch_list")),
        ("cmn_schedule_span", ("start_date_time", "end_date_time", "repeat_count", "repeat_until")),
        ("change_request", ("start_date", "end_date", "review_date")),
        ("sc_cat_item", ("price", "delivery_time", "order")),
    ],
)
def test_values_at_the_end_of_the_calendar_and_of_numbers_break_nothing(
    admin: Api, table: str, columns: tuple[str, ...]
) -> None:
    number = admin.create(table)["sys_id"]
    for column in columns:
        for value in ENDS:
            for meant in ("false", "true"):
                answer = admin.session.patch(
                    f"{admin.url}/api/now/table/{table}/{number}", json={column: value},
                    params={"sysparm_input_display_value": meant}, timeout=20,
                )  # fmt: skip
                assert answer.status_code == 200, (column, value, answer.text)
                admin.record(table, number, sysparm_display_value="all")
            if isinstance(value, str):
                for operator in (">", "ON", "BETWEEN"):
                    admin.records(table, f"{column}{operator}{value}", sysparm_limit="1")


def test_a_change_planned_at_the_end_of_the_calendar_has_no_conflict(admin: Api) -> None:
    item = admin.create("cmdb_ci", name="late item")["sys_id"]
    change = "/api/sn_chg_rest/change"
    for start, end in (
        ("9999-12-31 23:59:58", "9999-12-31 23:59:59"),
        ("0001-01-01 00:00:00", "9999-12-31 23:59:59"),
    ):
        body = {"cmdb_ci": item, "start_date": start, "end_date": end}
        made = admin.post(f"{change}/normal", body, 200)["result"]["sys_id"]["value"]
        found = admin.session.get(f"{admin.url}{change}/{made}/schedule", timeout=20)
        assert found.status_code == (400 if start.startswith("0001") else 202)
        answer = admin.session.patch(
            f"{admin.url}{change}/{made}/schedule/first_available",
            json={"duration_in_seconds": 86_400 * 3650},
            timeout=20,
        )
        notes = admin.worked(answer.json())["messages"]["infoMessages"]
        assert notes == ["No slots found for 90 days from now"]
        admin.post(f"{change}/{made}/conflict", {}, 200 if found.status_code == 202 else 400)


def test_an_account_with_a_time_zone_that_is_none_sees_utc(admin: Api) -> None:
    for zone in ("Europe", "../../x", "A" * 200):
        user = admin.create(
            "sys_user", user_name=f"zone {zone}"[:40], user_password="p", time_zone=zone
        )
        answer = admin.session.get(
            f"{admin.url}/api/now/table/sys_user/{user['sys_id']}?sysparm_display_value=all",
            auth=(user["user_name"], "p"), timeout=20,
        )  # fmt: skip
        shown = answer.json()["result"]["sys_created_on"]
        assert shown["display_value"] == shown["value"]


def test_catalogues_and_categories_are_read_one_by_one(agent: Api) -> None:
    one = agent.get(f"{SC}/catalogs/{CATALOG}").json()["result"]
    assert one["title"] == "Service Catalog"
    titles = {row["title"] for row in agent.get(f"{SC}/catalogs").json()["result"]}
    assert {"Service Catalog", "Technical Catalog", "Standard Change Catalog"} <= titles
    assert agent.get(f"{SC}/catalogs/{CATALOG}/categories").json()["result"]
    assert agent.get(f"{SC}/categories/{HARDWARE}").json()["result"]["title"] == "Hardware"
    agent.get(f"{SC}/catalogs/{'0' * 32}", 400)
    agent.get(f"{SC}/nothing", 400)
    item = agent.records("sc_cat_item", "sys_class_name=sc_cat_item")[0]["sys_id"]
    agent.post(f"{SC}/items/{item}/submit_producer", {"variables": {}}, 400)


def test_an_inactive_item_cannot_be_ordered(admin: Api) -> None:
    item = admin.create("sc_cat_item", name="gone", active="false")["sys_id"]
    admin.get(f"{SC}/items/{item}", 400)
    admin.post(f"{SC}/items/{item}/order_now", {"sysparm_quantity": 1}, 400)


def test_closing_an_item_closes_its_tasks_and_its_request(admin: Api) -> None:
    request = admin.create("sc_request")["sys_id"]
    item = admin.create("sc_req_item", request=request)["sys_id"]
    tasks = [admin.create("sc_task", request_item=item)["sys_id"] for _ in range(2)]
    loose = admin.create("sc_task", short_description="of nothing")["sys_id"]
    admin.change("sc_task", loose, state="3")
    admin.change("sc_task", tasks[0], state="3")
    assert admin.record("sc_req_item", item)["active"] == "true"
    admin.change("sc_req_item", item, state="4")
    assert admin.record("sc_task", tasks[1])["state"] == "4"
    row = admin.record("sc_request", request)
    assert (row["request_state"], row["active"]) == ("closed_incomplete", "false")
    assert admin.record("sc_req_item", item)["stage"] == "Request Cancelled"


def test_any_task_takes_over_the_answer_of_its_approver(admin: Api) -> None:
    number = admin.create("task", short_description="asks somebody")["sys_id"]
    for decision in ("approved", "rejected"):
        row = admin.create(
            "sysapproval_approver", document_id=number, source_table="task", state="requested",
            approver="howard.johnson",
        )  # fmt: skip
        assert row["sysapproval"] == number
        admin.change("sysapproval_approver", row["sys_id"], state=decision)
        assert admin.record("task", number)["approval"] == decision
    stray = admin.create("sysapproval_approver", approver="howard.johnson", state="requested")
    admin.change("sysapproval_approver", stray["sys_id"], state="approved")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"sysparm_having": "count^x^>^0", "sysparm_group_by": "state"}, 400),
        ({"sysparm_having": "count^number^>^many", "sysparm_group_by": "state"}, 200),
        ({"sysparm_having": "sum^priority^~^1", "sysparm_group_by": "state"}, 400),
        ({"sysparm_group_by": "state", "sysparm_order_by": "COUNT^DESC,state,nope"}, 200),
        ({"sysparm_group_by": "nope"}, 200),
        ({"sysparm_avg_fields": "nope"}, 200),
    ],
)
def test_aggregates_with_odd_parameters(
    admin: Api, parameters: dict[str, str], expected: int
) -> None:
    admin.get(STATS, expected, sysparm_count="true", **parameters)


def test_aggregates_show_groups_as_they_are_asked_for(admin: Api) -> None:
    def fields(display: str) -> dict[str, Any]:
        found = admin.get(
            STATS, sysparm_count="true", sysparm_group_by="state", sysparm_query="state=2",
            sysparm_display_value=display,
        ).json()["result"]  # fmt: skip
        one: dict[str, Any] = found[0]["groupby_fields"][0]
        return one

    assert fields("true") == {"field": "state", "value": "In Progress"}
    assert fields("all") == {"field": "state", "value": "2", "display_value": "In Progress"}
    assert fields("false") == {"field": "state", "value": "2"}
    admin.get("/api/now/stats/xyz", 400)
    assert admin.session.post(f"{admin.url}{STATS}", json={}, timeout=20).status_code == 405


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("opened_atONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()", True),
        ("opened_atNOTONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()", False),
        ("caller_idDYNAMIC90d1921e5f510100a9ad2572f2b477fe", True),
        ("caller_idDYNAMIC00000000000000000000000000000000", False),
        ("caller_id.departmentANYTHING", True),
        ("caller_idIN_HIERARCHY6816f79cc0a8016401c5a33be04be441", True),
        ("caller_id.department.ref_cmn_department.nameISNOTEMPTY", True),
        ("caller_id.department.ref_nothing.name=x", True),
        ("impactIN", False),
        ("impactNOT IN1,2", True),
        ("ORDERBYcaller_id^ORDERBYDESCwork_notes", True),
        ("JOINincident.nope=sys_user.sys_id!active=true", True),
        ("JOINincident.caller_id=nope.sys_id!active=true", True),
        ("RLQUERYnope.caller_id,>0^ENDRLQUERY", True),
    ],
)
def test_rare_operators(admin: Api, query: str, matches: bool) -> None:  # noqa: FBT001 - a column of the table
    admin.create("incident", short_description="rare", caller_id="admin")
    found = admin.records("incident", f"short_description=rare^{query}")
    assert bool(found) is matches


def test_a_group_below_another_is_found_by_hierarchy(admin: Api) -> None:
    top = admin.create("sys_user_group", name="top")["sys_id"]
    below = admin.create("sys_user_group", name="below", parent=top)["sys_id"]
    admin.create("incident", short_description="deep", assignment_group=below)
    query = f"short_description=deep^assignment_groupIN_HIERARCHY{top}"
    assert len(admin.records("incident", query)) == 1
    assert admin.records("incident", query.replace(top, "0" * 32)) == []


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/api/now/v1/batch", {"batch_request_id": "1"}, 400),
        ("/api/now/v1/batch", {"batch_request_id": "1", "rest_requests": ["x"]}, 400),
        ("/api/now/v1/batch", {"batch_request_id": "1", "rest_requests": []}, 200),
        ("/api/now/tinyurl", {}, 400),
        ("/api/now/attachment/file", {}, 400),
        ("/api/now/attachment/file?table_name=x&table_sys_id=y&file_name=z", {}, 400),
    ],
)
def test_incomplete_requests_are_refused(
    admin: Api, path: str, body: dict[str, Any], expected: int
) -> None:
    admin.post(path, body, expected)


def test_relations_of_items_are_checked(admin: Api) -> None:
    path = "/api/now/cmdb/instance/cmdb_ci_linux_server"
    body = {"attributes": {"name": "checked"}, "source": "ServiceNow"}
    made = admin.post(path, body)["result"]["attributes"]["sys_id"]
    admin.post(path, {**body, "attributes": "no object"}, 400)
    admin.post(f"{path}/{made}/relation", {"outbound_relations": [{"target": "x"}]}, 400)
    admin.post(
        f"{path}/{made}/relation", {"outbound_relations": ["x"], "inbound_relations": 1}, 200
    )
    for method, place, expected in (
        ("DELETE", f"{path}/{made}/relation/{'0' * 32}", 404),
        ("PUT", f"{path}/{made}/relation", 405),
        ("DELETE", f"{path}/{made}", 405),
        ("DELETE", path, 405),
        ("GET", "/api/now/cmdb/instance/incident", 400),
    ):
        answer = admin.session.request(method, f"{admin.url}{place}", json={}, timeout=20)
        assert answer.status_code == expected, place


def test_single_quotes_do_not_excuse_everything(admin: Api) -> None:
    for body in (b"{'a':", b"{'a\":1}"):
        answer = admin.session.post(
            f"{admin.url}/api/now/table/incident", data=body,
            headers={"Content-Type": "application/json"}, timeout=20,
        )  # fmt: skip
        assert answer.status_code == 400


def test_a_template_that_is_gone_leaves_the_change_as_it_was_written(admin: Api) -> None:
    made = admin.create(
        "change_request", type="standard", std_change_producer_version="0" * 32,
        short_description="own words",
    )  # fmt: skip
    assert (made["short_description"], made["implementation_plan"]) == ("own words", "")
    by_version = admin.create(
        "change_request", std_change_producer_version="16c2273c47010200e90d87e8dee49006"
    )
    assert by_version["type"] == "standard"
    by_model = admin.create("change_request", chg_model="62c4b5e6c343101035ae3f52c1d3aeb1")
    assert by_model["type"] == "emergency"
    moved = admin.change("change_request", by_model["sys_id"], type="normal")
    assert moved["chg_model"] == "007c4001c343101035ae3f52c1d3aeb2"


def test_what_an_account_may_not_see_of_others(requester: Api, approver: Api, admin: Api) -> None:
    assert requester.records("sc_cart") == []
    assert requester.records("sc_item_option") == []
    rows = requester.records("sys_user_has_role", sysparm_fields="user.user_name")
    assert {row["user.user_name"] for row in rows} <= {"abel.tuter"}
    states = {row["workflow_state"] for row in requester.records("kb_knowledge")}
    assert states == {"published"}
    approver.create("sysapproval_group", 403)
    refused = requester.session.patch(
        f"{requester.url}/api/now/table/sys_user/{'0' * 32}", json={}, timeout=20
    )
    assert refused.status_code == 404
    admin.get("/api/sn_km_api/knowledge/articles/KB9999999", 404)
    assert admin.session.post(
        f"{admin.url}/api/sn_km_api/knowledge/articles", json={}, timeout=20
    ).status_code == 405  # fmt: skip
