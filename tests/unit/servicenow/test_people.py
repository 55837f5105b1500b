"""Members, accounts and journals: what is hidden is never taken for absent."""

import pytest
import responses

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.journals import token
from engine.domain.refs import Account, TicketKind, TicketRef
from engine.errors import MissingRightError, RecordNotFoundError
from tests.unit.servicenow.conftest import API, HEADERS, OWN, Instance, record

GROUP = "b8" * 16
REF = TicketRef(system="snow", kind=TicketKind.INCIDENT, id="a1" * 16, key="INC0010001")


def member(number: int, group: str = GROUP) -> dict[str, object]:
    return record(
        sys_id=f"{number:032x}",
        user=(f"{number:032d}", f"Person {number}"),
        group=(group, "CAB Approval"),
        sys_created_on="2026-01-01 00:00:00",
        sys_updated_on="2026-01-01 00:00:00",
    )


def group(instance: Instance, active: str = "true") -> None:
    instance.write("GET", f"sys_user_group/{GROUP}", record(sys_id=GROUP, active=active))


def test_members_come_with_the_day_they_joined(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    group(instance)
    instance.rows("sys_user_grmember", [member(1), member(2)])
    found = snow.changes.members(GROUP)
    assert found is not None
    assert [one.account.name for one in found] == ["Person 1", "Person 2"]
    assert all(one.since is not None for one in found)


def test_one_hidden_member_makes_a_group_unreadable(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    group(instance)
    instance.rows("sys_user_grmember", [member(1), member(2)], total=3)
    assert snow.changes.members(GROUP) is None
    with pytest.raises(MissingRightError):
        snow.desk.members(GROUP)


def test_members_that_a_dropped_term_let_through_are_not_believed(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    group(instance)
    instance.rows("sys_user_grmember", [member(1), member(2, group="c9" * 16)])
    assert snow.changes.members(GROUP) is None


def test_an_inactive_or_absent_group_has_no_readable_members(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    group(instance, active="false")
    assert snow.changes.members(GROUP) is None
    assert snow.changes.members("CAB Approval") is None
    other = "d0" * 16
    instance.mock.get(f"{API}/sys_user_group/{other}", status=404, json={}, headers=HEADERS)
    assert snow.changes.members(other) is None


def test_an_account_that_is_no_sys_id_is_not_looked_up(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    odd = Account(system="snow", id="x^ORactive=true", name="x")
    with pytest.raises(RecordNotFoundError):
        snow.accounts.account_key(odd)
    assert len(instance.mock.calls) == 0


def test_hidden_journal_entries_stop_a_note(snow: ServiceNowAdapters) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        own = record(sys_id=OWN, user_name="tiergate")
        headers = {**HEADERS, "X-Total-Count": "1"}
        mock.get(f"{API}/sys_user", json={"result": [own]}, headers=headers)
        mock.get(f"{API}/sys_journal_field", json={"result": []}, headers=headers)
        with pytest.raises(MissingRightError, match="sys_journal_field"):
            snow.desk.add_work_note(REF, "x", marker="m")
        assert not [call for call in mock.calls if call.request.method == "PATCH"]


def test_somebody_elses_quote_of_our_note_is_not_our_note(snow: ServiceNowAdapters) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        own = record(sys_id=OWN, user_name="tiergate")
        headers = {**HEADERS, "X-Total-Count": "1"}
        mock.get(f"{API}/sys_user", json={"result": [own]}, headers=headers)
        quote = record(sys_id="1" * 32, value=f"see ({token('m')})", sys_created_by="luke.wilson")
        mock.get(f"{API}/sys_journal_field", json={"result": [quote]}, headers=headers)
        mock.patch(f"{API}/incident/{REF.id}", json={"result": record(sys_id=REF.id)})
        snow.desk.add_work_note(REF, "x", marker="m")
        assert [call.request.method for call in mock.calls].count("PATCH") == 1


def test_an_item_with_a_hidden_task_is_not_completed(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    item = TicketRef(system="snow", kind=TicketKind.SERVICE_REQUEST, id="a2" * 16, key="RITM001")
    instance.write("GET", f"sc_req_item/{item.id}", record(sys_id=item.id, state="2"))
    instance.rows("sc_task", [], total=1)
    with pytest.raises(MissingRightError, match="sc_task"):
        snow.desk.resolve(item, "done")
    assert instance.bodies("PATCH") == []
