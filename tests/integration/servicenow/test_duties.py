"""Every way to an approval that goes through groups and managers, each planted and found."""

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from engine.ports.findings import Severity
from tests.integration.servicenow.conftest import Call, Connect
from tests.integration.servicenow.test_check import HOWARD, OWN, TABLE


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect()


def group(call: Call, name: str, **more: str) -> str:
    made = call("POST", f"{TABLE}/sys_user_group", json={"name": name, **more})
    return str(made["sys_id"])


def role(call: Call, name: str) -> str:
    found = call("GET", f"{TABLE}/sys_user_role", params={"sysparm_query": f"name={name}"})
    return str(found[0]["sys_id"])


def join(call: Call, group_id: str) -> None:
    call("POST", f"{TABLE}/sys_user_grmember", json={"user": OWN, "group": group_id})


def codes(snow: ServiceNowAdapters, severity: Severity) -> set[str]:
    return {one.code for one in snow.changes.check() if one.severity is severity}


def test_a_role_that_a_group_brings_is_unsafe(call: Call, snow: ServiceNowAdapters) -> None:
    mine = group(call, "Robots")
    join(call, mine)
    assert not [code for code in codes(snow, Severity.UNSAFE) if "group_role" in code]
    body = {"group": mine, "role": role(call, "approver_user")}
    call("POST", f"{TABLE}/sys_group_has_role", json=body)
    assert "may_approve:group_role:approver_user" in codes(snow, Severity.UNSAFE)


def test_a_role_that_the_parent_of_a_group_brings_is_unsafe(
    call: Call, snow: ServiceNowAdapters
) -> None:
    top = group(call, "All approvers")
    middle = group(call, "Some approvers", parent=top)
    join(call, group(call, "Robots", parent=middle))
    body = {"group": top, "role": role(call, "approver_user")}
    call("POST", f"{TABLE}/sys_group_has_role", json=body)
    assert "may_approve:group_role:approver_user" in codes(snow, Severity.UNSAFE)


def test_a_group_nested_into_one_that_asks_all_its_members_is_unsafe(
    call: Call, snow: ServiceNowAdapters
) -> None:
    board = group(call, "Board", include_members="true")
    join(call, group(call, "Robots", parent=board))
    change = call("POST", f"{TABLE}/change_request", json={"short_description": "x"})
    body = {"assignment_group": board, "parent": change["sys_id"]}
    call("POST", f"{TABLE}/sysapproval_group", json=body)
    assert "may_approve:parent_group:Board" in codes(snow, Severity.UNSAFE)


def test_groups_in_a_circle_end_the_search(call: Call, snow: ServiceNowAdapters) -> None:
    one = group(call, "One")
    two = group(call, "Two", parent=one)
    call("PATCH", f"{TABLE}/sys_user_group/{one}", json={"parent": two})
    join(call, two)
    assert codes(snow, Severity.UNSAFE) == set()


def test_an_account_that_manages_a_group_or_people_is_told(
    call: Call, snow: ServiceNowAdapters
) -> None:
    group(call, "Robots", manager=OWN)
    call("PATCH", f"{TABLE}/sys_user/{HOWARD}", json={"manager": OWN})
    assert {"manager:Robots", "manager_of_people"} <= codes(snow, Severity.WARNING)
