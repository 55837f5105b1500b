"""JSONv2 and the CSV export, as the old integrations use them."""

import csv
import io
from typing import Any

import pytest

from tests.integration.sandbox_servicenow.conftest import Api, Record


def asked(api: Api, table: str, query: str, body: object = None) -> list[Record]:
    method = "GET" if body is None else "POST"
    answer = api.session.request(
        method, f"{api.url}/{table}.do?JSONv2{query}", json=body, timeout=20
    )
    assert answer.status_code == 200, answer.text
    found: list[Record] = answer.json()["records"]
    return found


@pytest.mark.parametrize(
    ("table", "values", "change"),
    [
        ("sys_user_role", {"name": "acc_role"}, {"description": "changed"}),
        ("sys_properties", {"name": "acc.property", "type": "string"}, {"value": "v"}),
        ("sys_user", {"user_name": "acc.user", "first_name": "Acc"}, {"title": "t"}),
        ("sys_user_group", {"name": "acc group"}, {"description": "changed"}),
        ("sc_category", {"title": "acc category"}, {"description": "changed"}),
    ],
)
def test_a_record_is_made_read_changed_and_deleted(
    admin: Api, table: str, values: dict[str, str], change: dict[str, str]
) -> None:
    (made,) = asked(admin, table, "&sysparm_action=insert", values)
    assert made["__status"] == "success"
    by_id = f"&sysparm_query=sys_id={made['sys_id']}"
    (read,) = asked(admin, table, by_id)
    assert read == made
    (changed,) = asked(admin, table, f"&sysparm_action=update{by_id}", change)
    assert changed.items() >= change.items()
    asked(admin, table, f"&sysparm_action=deleteRecord&sysparm_sys_id={made['sys_id']}", {})
    assert asked(admin, table, by_id) == []


def test_references_are_plain_ids_and_display_values_on_demand(admin: Api) -> None:
    (made,) = asked(admin, "incident", "&sysparm_action=insert", {"caller_id": "Abel Tuter"})
    assert made["caller_id"] == "62826bf03710200044e0bfc8bcbe5df1"
    (shown,) = asked(admin, "incident_list", f"&sysparm_sys_id={made['sys_id']}&displayvalue=true")
    assert (shown["caller_id"], shown["state"]) == ("Abel Tuter", "New")
    assert len(asked(admin, "incident", "&sysparm_record_count=3")) == 3


def test_a_refused_record_tells_so_itself(agent: Api, admin: Api) -> None:
    (told,) = asked(agent, "sys_user_role", "&sysparm_action=insert", {"name": "mine"})
    assert told["__status"] == "failure"
    rows = [{"short_description": "a"}, {"short_description": "b"}]
    made = asked(agent, "incident", "&sysparm_action=insertMultiple", {"records": rows})
    assert [one["short_description"] for one in made] == ["a", "b"]
    query = f"&sysparm_query=sys_id={made[0]['sys_id']}"
    (told,) = asked(agent, "incident", f"&sysparm_action=update{query}", {"state": "6"})
    assert "Resolution code" in told["__error"]["reason"]
    (told,) = asked(agent, "incident", f"&sysparm_action=deleteMultiple{query}", {})
    assert told["__status"] == "failure"
    (same,) = asked(admin, "incident", query)
    assert same["state"] == "1"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("nothing.do?JSONv2", None),
        ("incident.do", None),
        ("incident.do?JSONv2&sysparm_action=explode", None),
        ("incident.do?JSONv2&sysparm_action=deleteMultiple", {}),
    ],
)
def test_what_is_no_service_is_a_400(admin: Api, path: str, body: Any) -> None:
    answer = admin.session.request(
        "GET" if body is None else "POST", f"{admin.url}/{path}", json=body, timeout=20
    )
    assert answer.status_code == 400


def test_a_list_is_exported_as_csv(admin: Api) -> None:
    made = admin.create("incident", short_description='with "quotes",\nand lines', urgency="1")
    answer = admin.session.get(
        f"{admin.url}/incident.do?CSV&sysparm_query=sys_id={made['sys_id']}",
        headers={"Accept": "text/csv"}, timeout=20,
    )  # fmt: skip
    assert answer.headers["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["short_description"] == 'with "quotes",\nand lines'
    assert (row["number"], row["urgency"]) == (made["number"], "1 - High")
    few = admin.session.get(
        f"{admin.url}/incident_list.do?CSV&sysparm_fields=number,nope&sysparm_record_count=1",
        headers={"Accept": "*/*"}, timeout=20,
    )  # fmt: skip
    assert few.text.splitlines()[0] == '"number","nope"'
    assert few.text.splitlines()[1].endswith('""')
