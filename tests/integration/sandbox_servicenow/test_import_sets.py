"""Import sets: what is put into a staging table, and what its transform map makes of it."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.servicenow.sandbox.past import Change, Past
from tests.integration.sandbox_servicenow.conftest import Api

IMPORT = "/api/now/import"


def test_a_row_is_inserted_then_ignored_then_updated(admin: Api) -> None:
    row = {"u_correlation_id": "ext-1", "u_caller": "Abel Tuter", "u_short_description": "s"}
    first = admin.post(f"{IMPORT}/u_incident_import", row)
    assert first["staging_table"] == "u_incident_import"
    assert first["import_set"].startswith("ISET")
    (told,) = first["result"]
    assert (told["status"], told["table"], told["transform_map"]) == (
        "inserted", "incident", "Incident",
    )  # fmt: skip
    made = admin.record("incident", told["sys_id"])
    assert (told["display_name"], told["display_value"]) == ("number", made["number"])
    assert told["record_link"].endswith(f"/api/now/table/incident/{made['sys_id']}")
    assert made["caller_id"] == "62826bf03710200044e0bfc8bcbe5df1"
    again = admin.post(f"{IMPORT}/u_incident_import", row)["result"][0]
    assert (again["status"], again["sys_id"]) == ("ignored", made["sys_id"])
    row["u_short_description"] = "changed"
    assert admin.post(f"{IMPORT}/u_incident_import", row)["result"][0]["status"] == "updated"


def test_the_answer_can_be_read_again_at_its_location(admin: Api) -> None:
    answer = admin.session.post(
        f"{admin.url}{IMPORT}/imp_user", json={"user_name": "new.user", "first_name": "New"},
        timeout=20,
    )  # fmt: skip
    assert answer.status_code == 201
    read = admin.session.get(answer.headers["Location"], timeout=20)
    assert read.json() == answer.json()
    admin.get(f"{IMPORT}/imp_user/{'0' * 32}", 404)


def test_a_rule_that_refuses_is_told_in_the_row(admin: Api) -> None:
    row = {"u_correlation_id": "ext-2", "u_short_description": "s", "u_state": "6"}
    (told,) = admin.post(f"{IMPORT}/u_incident_import", row)["result"]
    assert told["status"] == "error"
    assert "mandatory" in told["error_message"]


def test_many_rows_come_in_one_set(admin: Api) -> None:
    rows = [{"user_name": f"bulk.{n}", "last_name": "Bulk"} for n in range(3)]
    answer = admin.post(f"{IMPORT}/imp_user/insertMultiple", {"records": rows})
    assert answer["import_set_id"] == answer["multi_import_set_id"]
    staged = admin.records("imp_user", f"sys_import_set={answer['import_set_id']}")
    assert {one["sys_import_state"] for one in staged} == {"inserted"}
    assert len(admin.records("sys_user", "last_name=Bulk")) == 3
    assert admin.record("sys_import_set", answer["import_set_id"])["state"] == "processed"


def test_without_a_map_nothing_is_carried_over(admin: Api) -> None:
    (one,) = admin.records("sys_transform_map", "source_table=imp_user")
    admin.change("sys_transform_map", one["sys_id"], active="false")
    (told,) = admin.post(f"{IMPORT}/imp_user", {"user_name": "lost"})["result"]
    assert told["status"] == "error"
    assert admin.records("sys_user", "user_name=lost") == []
    admin.change("sys_transform_map", one["sys_id"], active="true")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/incident", 400),
        ("POST", "/nothing", 400),
        ("GET", "/imp_user", 405),
        ("POST", "/imp_user/insertMultiple", 400),
    ],
)
def test_what_is_no_import_is_refused(admin: Api, method: str, path: str, status: int) -> None:
    answer = admin.session.request(method, f"{admin.url}{IMPORT}{path}", json={}, timeout=20)
    assert answer.status_code == status


def test_an_agent_may_not_import(agent: Api) -> None:
    agent.post(f"{IMPORT}/imp_user", {"user_name": "x"}, 403)


def test_the_past_is_bounded_and_knows_no_rolled_back_change() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    past = Past()
    for second in range(6000):
        past.note(Change(at=start + timedelta(seconds=second), table="t", sys_id="s", before=None))
        past.committed()
    assert len(list(past.since(start - timedelta(seconds=1)))) == 5000
    past.note(Change(at=start + timedelta(days=1), table="t", sys_id="s", before=None))
    past.taken_back()
    assert list(past.since(start + timedelta(seconds=5999))) == []
    past.forget()
    assert list(past.since(start)) == []
