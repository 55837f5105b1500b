"""The control record on an instance: stopped by anybody who can write it, let run by its group."""

from collections.abc import Mapping

import pytest

from connectors.servicenow.control import ServiceNowControl
from engine.errors import PermanentError
from engine.ports.findings import Severity
from tests.integration.servicenow.conftest import TABLE, Call, Connect

DESK = "d625dccec0a8016700a222a0f7900d06"


class Record:
    """An incident that serves as the switch, and who switches it."""

    def __init__(self, call: Call, connect: Connect) -> None:
        self.call = call
        self.connect = connect
        made = call("POST", f"{TABLE}/incident", json={"short_description": "Tiergate switch"})
        self.id: str = made["sys_id"]

    def control(self, **changes: object) -> ServiceNowControl:
        way: Mapping[str, object] = {
            "table": "incident",
            "record": self.id,
            "field": "state",
            "paused": ["On Hold"],
            "running": ["2"],
            "group": DESK,
            **changes,
        }
        found = self.connect(control=way).control
        assert found is not None
        return found

    def switch(self, state: str, *, by: str) -> None:
        body = {"state": state, "hold_reason": "4"}
        self.call("PATCH", f"{TABLE}/incident/{self.id}", by=by, json=body)


@pytest.fixture
def record(call: Call, connect: Connect) -> Record:
    return Record(call, connect)


def test_a_member_of_its_group_switches_it_both_ways(record: Record) -> None:
    control = record.control()
    record.switch("3", by="luke.wilson")
    stopped = control.read()
    assert stopped.is_paused
    assert stopped.by == "luke.wilson"
    assert stopped.at is not None
    assert "On Hold" in stopped.because or "'3'" in stopped.because
    record.switch("2", by="ada.tuter")
    running = control.read()
    assert not running.is_paused
    assert (running.because, running.by) == ("", "ada.tuter")


@pytest.mark.parametrize("by", ["admin", "tiergate"])
def test_nobody_but_the_group_lets_us_run(record: Record, by: str) -> None:
    record.switch("2", by=by)
    found = record.control().read()
    assert found.is_paused
    assert by in found.because or "own account" in found.because


def test_anybody_who_can_write_it_stops_us(record: Record) -> None:
    record.switch("2", by="ada.tuter")
    record.switch("3", by="admin")
    assert record.control().read().is_paused


def test_a_value_that_nobody_chose_since_its_creation_is_its_creators(record: Record) -> None:
    control = record.control(running=["1"])
    found = control.read()
    assert found.is_paused
    assert found.by == "admin"


def test_an_unknown_value_pauses(record: Record) -> None:
    record.switch("1", by="luke.wilson")
    found = record.control().read()
    assert found.is_paused
    assert "is not known" in found.because


def test_a_record_that_cannot_be_read_is_an_error(record: Record) -> None:
    with pytest.raises(PermanentError):
        record.control(record="f" * 32).read()
    with pytest.raises(PermanentError):
        record.control(field="no_such_field").read()


def test_a_group_that_cannot_be_read_lets_nobody_run(record: Record) -> None:
    record.switch("2", by="luke.wilson")
    found = record.control(group="0" * 32).read()
    assert found.is_paused
    assert "group cannot be read" in found.because


def test_where_no_history_is_kept_the_last_writer_counts(record: Record) -> None:
    record.switch("2", by="luke.wilson")
    rows = record.call("GET", f"{TABLE}/sys_audit?sysparm_query=documentkey={record.id}")
    for row in rows:
        record.call("DELETE", f"{TABLE}/sys_audit/{row['sys_id']}")
    record.call("PATCH", f"{TABLE}/incident/{record.id}", json={"description": "touched"})
    found = record.control().read()
    assert found.is_paused
    assert "does not belong" in found.because


def codes(control: ServiceNowControl) -> dict[str, Severity]:
    return {one.code: one.severity for one in control.check()}


def test_check_tells_how_the_switch_stands(record: Record) -> None:
    record.switch("2", by="luke.wilson")
    assert codes(record.control())["control"] is Severity.OK
    record.switch("3", by="luke.wilson")
    assert codes(record.control())["control:paused"] is Severity.WARNING
    assert codes(record.control(record="f" * 32))["unreadable"] is Severity.FAULT
    assert codes(record.control(group="0" * 32))["control:group"] is Severity.FAULT


def test_check_refuses_a_group_that_our_own_account_belongs_to(record: Record) -> None:
    users = record.call("GET", f"{TABLE}/sys_user?sysparm_query=user_name=tiergate")
    body = {"user": users[0]["sys_id"], "group": DESK}
    record.call("POST", f"{TABLE}/sys_user_grmember", json=body)
    assert codes(record.control())["control:own_account"] is Severity.UNSAFE
