"""What `check` says of calendars that an instance lacks or hides."""

import pytest

from connectors.servicenow.factory import ServiceNowAdapters, build
from engine.domain.decision import Window
from engine.ports.findings import Finding, Severity
from tests.unit.servicenow.conftest import Instance, StoppedClock, record, settings

TABLES = (
    "cmn_schedule_blackout",
    "cmn_schedule_maintenance",
    "cmn_schedule_span",
    "cmdb_ci",
    "conflict",
)


def absent(instance: Instance, table: str) -> None:
    body = {"error": {"message": f"Invalid table {table}", "detail": None}, "status": "failure"}
    instance.answer(table, body, status=400)


def findings(instance: Instance, snow: ServiceNowAdapters, told: str) -> dict[str, Finding]:
    """What `check` finds where `told` has its answer already and every other table is empty."""
    for table in (*TABLES, "sys_user_has_role", "sys_user_grmember", "sysapproval_approver"):
        if table != told:
            instance.rows(table, [])
    for table in ("sys_user_delegate", "sys_security_acl", "sys_dictionary", "change_request"):
        instance.rows(table, [])
    return {one.code: one for one in snow.changes.check()}


@pytest.mark.parametrize(
    ("table", "switch"),
    [
        ("cmn_schedule_blackout", "blackouts: false"),
        ("cmn_schedule_maintenance", "maintenance: false"),
        ("conflict", "conflicts: off"),
    ],
)
def test_a_table_that_the_instance_lacks_is_a_fault_until_it_is_switched_off(
    instance: Instance, snow: ServiceNowAdapters, table: str, switch: str
) -> None:
    instance.mock.reset()
    instance.rows("sys_user", [record(sys_id="0" * 32, user_name="tiergate", sys_updated_on="")])
    absent(instance, table)
    found = findings(instance, snow, table)[f"schedule:absent:{table}"]
    assert found.severity is Severity.FAULT
    assert switch in found.remedy


def test_rows_that_are_counted_and_not_shown_are_unsafe_and_unreadable(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.mock.reset()
    instance.rows("sys_user", [record(sys_id="0" * 32, user_name="tiergate", sys_updated_on="")])
    instance.rows("cmn_schedule_blackout", [], total=2)
    found = findings(instance, snow, "cmn_schedule_blackout")
    assert found["unreadable:cmn_schedule_blackout"].severity is Severity.UNSAFE
    assert "hidden" in found["schedule:unreadable"].seen


def test_with_everything_switched_off_no_calendar_is_asked(instance: Instance) -> None:
    off = {"blackouts": False, "maintenance": False, "conflicts": "off"}
    snow = build("snow", settings(schedule=off), StoppedClock())
    snow.changes.ahead(Window(), {})
    for table in TABLES:
        assert instance.queries(table) == []


def test_a_configuration_item_that_is_no_id_cannot_be_judged(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    assert instance.queries("cmdb_ci") == []
    assert "no sys_id" in snow.changes.ahead(Window(), {"cmdb_ci": "DB-9"}).unreadable
