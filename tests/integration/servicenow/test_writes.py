"""Choices, kinds of change, queues: what is written where an instance decides what it keeps."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.domain.change import ChainState, ChangeState, CloseCode
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.errors import (
    ConfigurationError,
    DoesNotFitError,
    InvalidAnswerError,
    MissingRightError,
    TiergateError,
    UnmappedValueError,
)
from tests.integration.servicenow.conftest import Call, Connect

TABLE = "/api/now/table"
CAB = "b85d44954a3623120004689b2d5dd60a"


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect(unset={"category": ["inquiry"]}, faults_group="Automation")


# --- triage
@pytest.mark.parametrize("named", ["software", "Software"])
def test_a_category_is_written_by_value_or_label(
    call: Call, snow: ServiceNowAdapters, ticket: TicketRef, named: str
) -> None:
    written = snow.desk.write_fields(snow.desk.read(ticket), {TicketField.CATEGORY: named})
    assert written == {TicketField.CATEGORY: named}
    assert call("GET", f"{TABLE}/incident/{ticket.id}")["category"] == "software"


@pytest.mark.parametrize("named", ["Software", "Programme"])
def test_a_category_is_found_by_its_label_in_any_language(
    call: Call, snow: ServiceNowAdapters, ticket: TicketRef, named: str
) -> None:
    body = {"name": "incident", "element": "category", "value": "software", "inactive": "false"}
    for language, label in (("de", "Programme"), ("fr", "Logiciels")):
        call("POST", f"{TABLE}/sys_choice", json={**body, "language": language, "label": label})
    snow.desk.write_fields(snow.desk.read(ticket), {TicketField.CATEGORY: named})
    assert call("GET", f"{TABLE}/incident/{ticket.id}")["category"] == "software"


def test_a_change_that_a_person_put_on_the_incident_stays_there(
    call: Call, snow: ServiceNowAdapters, ticket: TicketRef, draft: ChangeDraft
) -> None:
    theirs = call("POST", f"{TABLE}/change_request", json={"short_description": "ours"})["sys_id"]
    call("PATCH", f"{TABLE}/incident/{ticket.id}", json={"rfc": theirs})
    ref = snow.changes.open(draft)
    snow.changes.link(ref, ticket, url="")
    snow.desk.put_on_hold(snow.desk.read(ticket), ref)
    found = call("GET", f"{TABLE}/incident/{ticket.id}")
    assert (found["state"], found["rfc"]["value"]) == ("3", theirs)


def test_a_category_that_the_instance_does_not_offer_is_an_error(
    call: Call, snow: ServiceNowAdapters, ticket: TicketRef
) -> None:
    with pytest.raises(UnmappedValueError):
        snow.desk.write_fields(snow.desk.read(ticket), {TicketField.CATEGORY: "Access"})
    assert call("GET", f"{TABLE}/incident/{ticket.id}")["category"] == "inquiry"


def test_a_category_that_the_requester_chose_is_kept(call: Call, snow: ServiceNowAdapters) -> None:
    body = {"short_description": "help", "category": "network"}
    made = call("POST", f"{TABLE}/incident", by="abel.tuter", json=body)
    ref = TicketRef(system="snow", kind=TicketKind.INCIDENT, id=made["sys_id"], key=made["number"])
    assert snow.desk.write_fields(snow.desk.read(ref), {TicketField.CATEGORY: "software"}) == {}


def test_a_close_code_off_the_list_is_refused_and_not_lost(
    connect: Connect, ticket: TicketRef
) -> None:
    snow = connect(resolve={"close_code": "Fixed by magic"})
    with pytest.raises(TiergateError):
        snow.desk.resolve(ticket, "Done.")
    assert snow.desk.read(ticket).state is TicketState.NEW


def test_notes_too_long_for_their_field_are_not_cut(
    snow: ServiceNowAdapters, ticket: TicketRef
) -> None:
    with pytest.raises(DoesNotFitError):
        snow.desk.resolve(ticket, "x" * 4001)
    assert snow.desk.read(ticket).state is TicketState.NEW


def test_notes_cannot_be_rendered_as_html(
    call: Call, snow: ServiceNowAdapters, ticket: TicketRef
) -> None:
    snow.desk.add_work_note(ticket, "They wrote: [code]<script>x</script>[/CODE]", marker="m")
    query = {"sysparm_query": f"element_id={ticket.id}^element=work_notes"}
    (entry,) = call("GET", f"{TABLE}/sys_journal_field", params=query)
    assert "[code]" not in entry["value"].lower()
    assert "[/code]" not in entry["value"].lower()


# --- kinds of change
def approve(call: Call, change_id: str) -> None:
    query = {"sysparm_query": f"sysapproval={change_id}^state=requested^ORDERBYsys_id"}
    rows = call("GET", f"{TABLE}/sysapproval_approver", params=query)
    first = next(row for row in rows if row["approver"]["value"].startswith("08826bf0"))
    approver = call("GET", f"{TABLE}/sys_user/{first['approver']['value']}")["user_name"]
    path = f"{TABLE}/sysapproval_approver/{first['sys_id']}"
    call("PATCH", path, by=approver, json={"state": "approved"})


def test_an_emergency_change_goes_its_own_way(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, sandbox: ServiceNowSandbox
) -> None:
    emergency = dataclasses.replace(draft, kind=ChangeKind.EMERGENCY)
    ref = snow.changes.open(emergency)
    snow.changes.submit(ref, emergency)
    assert snow.changes.snapshot(ref).state is ChangeState.AUTHORIZE
    approve(call, ref.id)
    assert snow.changes.snapshot(ref).chain is ChainState.COMPLETE
    snow.changes.begin(ref, at=sandbox.clock.now())
    snow.changes.close(ref, code=CloseCode.SUCCESSFUL, notes="Done.", at=sandbox.clock.now())
    assert snow.changes.snapshot(ref).state is ChangeState.CLOSED


def test_a_standard_change_needs_its_pinned_template(
    snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    with pytest.raises(ConfigurationError):
        snow.changes.open(dataclasses.replace(draft, kind=ChangeKind.STANDARD))


def test_a_window_is_written_and_read_back_in_utc(
    snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    start = datetime(2027, 1, 5, 18, tzinfo=UTC)
    window = Window(earliest=start, latest=start + timedelta(hours=4))
    ref = snow.changes.open(dataclasses.replace(draft, window=window))
    assert snow.changes.snapshot(ref).window == window


def test_a_change_without_a_group_cannot_ask_and_the_rule_is_named(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    ref = snow.changes.open(draft)
    call("PATCH", f"{TABLE}/change_request/{ref.id}", json={"assignment_group": ""})
    with pytest.raises(MissingRightError):
        snow.changes.submit(ref, draft)
    assert snow.changes.snapshot(ref).chain is ChainState.NOT_STARTED


def test_a_change_that_is_gone_is_said_to_be_gone(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    ref = snow.changes.open(draft)
    call("DELETE", f"{TABLE}/change_request/{ref.id}")
    with pytest.raises(TiergateError):
        snow.changes.snapshot(ref)
    assert snow.changes.find(draft.correlation_id) is None


def test_an_admins_approval_for_somebody_names_the_admin(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    ref = snow.changes.open(draft)
    snow.changes.submit(ref, draft)
    query = {"sysparm_query": f"sysapproval={ref.id}^state=requested"}
    row = call("GET", f"{TABLE}/sysapproval_approver", params=query)[0]
    call("PATCH", f"{TABLE}/sysapproval_approver/{row['sys_id']}", json={"state": "approved"})
    (decided,) = [one for one in snow.changes.snapshot(ref).approvals if one.set_by]
    assert decided.set_by is not None
    assert decided.set_by.name == "admin"
    assert decided.approver.id == row["approver"]["value"]


def test_an_approval_of_an_earlier_pass_does_not_count(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, sandbox: ServiceNowSandbox
) -> None:
    ref = snow.changes.open(draft)
    snow.changes.submit(ref, draft)
    path = f"{TABLE}/change_request/{ref.id}"
    before = {row.id for row in snow.changes.snapshot(ref).approvals}
    call("PATCH", path, json={"state": "-5"}, by="admin")
    sandbox.clock.advance(timedelta(seconds=5))
    snow.changes.submit(ref, draft)
    after = {row.id for row in snow.changes.snapshot(ref).approvals}
    assert before
    assert after
    assert not before & after


def test_the_next_revision_takes_the_earlier_ones_place_on_the_incident(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, ticket: TicketRef
) -> None:
    first = snow.changes.open(draft)
    snow.changes.link(first, ticket, url="")
    second = snow.changes.open(dataclasses.replace(draft, correlation_id="tg:next:1-r2"))
    snow.changes.link(second, ticket, url="")
    assert call("GET", f"{TABLE}/incident/{ticket.id}")["rfc"]["value"] == second.id
    theirs = call("POST", f"{TABLE}/change_request", json={"short_description": "x"})
    body = {"rfc": theirs["sys_id"]}
    call("PATCH", f"{TABLE}/incident/{ticket.id}", json=body)
    snow.changes.link(second, ticket, url="")
    assert call("GET", f"{TABLE}/incident/{ticket.id}")["rfc"]["value"] == theirs["sys_id"]


# --- faults of our own
def test_a_fault_without_a_configured_queue_is_a_configuration_error(connect: Connect) -> None:
    with pytest.raises(ConfigurationError):
        connect().desk.open_fault("t", "x", marker="m")


def test_a_fault_that_a_person_took_is_told_and_not_closed(
    call: Call, snow: ServiceNowAdapters
) -> None:
    snow.desk.open_fault("Polling fails", "x", marker="m")
    query = {"sysparm_query": "correlation_display=Tiergate"}
    (made,) = call("GET", f"{TABLE}/incident", params=query)
    body = {"assigned_to": "07826bf03710200044e0bfc8bcbe5d01"}
    call("PATCH", f"{TABLE}/incident/{made['sys_id']}", json=body)
    snow.desk.close_fault("It works again", marker="m")
    assert call("GET", f"{TABLE}/incident/{made['sys_id']}")["state"] == "1"


def test_a_fault_whose_answer_was_lost_is_opened_once(
    call: Call, snow: ServiceNowAdapters, sandbox: ServiceNowSandbox
) -> None:
    sandbox.faults.add({"kind": "drop_after", "method": "POST", "user": "tiergate", "next_n": 1})
    snow.desk.open_fault("Polling fails", "x", marker="m")
    query = {"sysparm_query": "correlation_display=Tiergate"}
    assert len(call("GET", f"{TABLE}/incident", params=query)) == 1


def test_a_fault_that_stays_open_against_a_200_is_not_called_mended(
    call: Call, snow: ServiceNowAdapters, sandbox: ServiceNowSandbox
) -> None:
    snow.desk.open_fault("Polling fails", "x", marker="m")
    sandbox.faults.add({"kind": "ignored_state", "user": "tiergate"})
    with pytest.raises(InvalidAnswerError, match="ignored"):
        snow.desk.close_fault("It works again", marker="m")
    sandbox.faults.remove()
    snow.desk.close_fault("It works again", marker="m")
    query = {"sysparm_query": "correlation_display=Tiergate"}
    assert [one["state"] for one in call("GET", f"{TABLE}/incident", params=query)] == ["6"]


def test_a_fault_in_a_configured_state_is_found_again(call: Call, connect: Connect) -> None:
    own = connect(faults_group="Automation", states={"incident": {"10": "in_progress"}})
    choice = {"name": "incident", "element": "state", "value": "10", "label": "Assigned"}
    call("POST", f"{TABLE}/sys_choice", json={**choice, "language": "en", "inactive": "false"})
    own.desk.open_fault("Polling fails", "x", marker="m")
    query = {"sysparm_query": "correlation_display=Tiergate"}
    (made,) = call("GET", f"{TABLE}/incident", params=query)
    call("PATCH", f"{TABLE}/incident/{made['sys_id']}", json={"state": "10"})
    own.desk.open_fault("Polling fails", "still", marker="m")
    own.desk.close_fault("It works again", marker="m")
    assert [one["state"] for one in call("GET", f"{TABLE}/incident", params=query)] == ["10"]


# --- what the whole traffic holds
def test_the_daemons_account_never_writes_an_approval(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, sandbox: ServiceNowSandbox
) -> None:
    ref = snow.changes.open(draft)
    snow.changes.submit(ref, draft)
    approve(call, ref.id)
    snow.changes.claim(ref, plan_digest=draft.plan_digest, owner="one")
    snow.changes.begin(ref, at=sandbox.clock.now())
    snow.changes.close(ref, code=CloseCode.SUCCESSFUL, notes="Done.", at=sandbox.clock.now())
    ours = [entry for entry in sandbox.log.entries() if entry.user == "tiergate"]
    writes = [entry for entry in ours if entry.method != "GET"]
    assert writes
    assert not [entry for entry in writes if "sysapproval" in entry.target]
    assert {entry.method for entry in writes} == {"POST", "PATCH"}


@pytest.mark.parametrize(
    ("native", "theirs", "expected"),
    [("2", "3", "2"), ("3", "2", "2"), ("4", "3", "3"), ("1", "1", "1")],
)
def test_risk_and_impact_are_raised_to_the_maps_and_never_lowered(
    call: Call,
    snow: ServiceNowAdapters,
    draft: ChangeDraft,
    native: str,
    theirs: str,
    expected: str,
) -> None:
    """What the instance calculated may be more severe; that stays."""
    drafted = dataclasses.replace(draft, native={"risk": native, "impact": native})
    ref = snow.changes.open(drafted)
    path = f"{TABLE}/change_request/{ref.id}"
    call("PATCH", path, json={"risk": theirs, "impact": theirs})
    snow.changes.submit(ref, drafted)
    found = call("GET", path)
    assert (found["risk"], found["impact"]) == (expected, expected)


def test_a_risk_that_is_no_number_is_a_configuration_error(
    snow: ServiceNowAdapters, draft: ChangeDraft
) -> None:
    with pytest.raises(ConfigurationError, match="no number"):
        snow.changes.open(dataclasses.replace(draft, native={"risk": "high"}))


def test_the_map_chooses_the_change_model(call: Call, connect: Connect, draft: ChangeDraft) -> None:
    model = "007c4001c343101035ae3f52c1d3aeb2"
    snow = connect(changes={"assignment_group": "Software", "models": {"normal": "0" * 32}})
    ref = snow.changes.open(dataclasses.replace(draft, native={"chg_model": model}))
    found = call("GET", f"{TABLE}/change_request/{ref.id}")["chg_model"]["value"]
    assert found == model
