"""Standard changes over sockets: from the pin, the plan on tasks, the approval the proposal's."""

import dataclasses
from datetime import timedelta

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.domain.change import ChainState, ChangeState, CloseCode, Preapproval
from engine.domain.decision import ChangeKind, TemplatePin
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef
from engine.errors import DoesNotFitError, PlanChangedError, PreconditionError
from engine.ports.findings import Finding, Severity
from tests.integration.servicenow.catalogue import TABLE, VALUE, propose, template_of
from tests.integration.servicenow.conftest import Call, Connect

HOUR = timedelta(hours=1)


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect()


@pytest.fixture
def pin(call: Call, sandbox: ServiceNowSandbox) -> TemplatePin:
    found = propose(call)
    sandbox.clock.advance(HOUR)
    return found


@pytest.fixture
def standard(draft: ChangeDraft, pin: TemplatePin) -> ChangeDraft:
    return dataclasses.replace(
        draft, kind=ChangeKind.STANDARD, template=pin.id, template_version=pin.version
    )


def opened(snow: ServiceNowAdapters, draft: ChangeDraft) -> ChangeRef:
    ref = snow.changes.open(draft)
    snow.changes.submit(ref, draft)
    return ref


def found_of(snow: ServiceNowAdapters, ref: ChangeRef) -> Preapproval:
    found = snow.changes.snapshot(ref).preapproval
    assert found is not None
    return found


def plan_tasks(call: Call, ref: ChangeRef) -> list[dict[str, str]]:
    query = f"change_request={ref.id}^correlation_display=Tiergate plan^ORDERBYshort_description"
    rows: list[dict[str, str]] = call(
        "GET", f"{TABLE}/change_task", params={"sysparm_query": query}
    )
    return rows


def test_a_standard_change_goes_from_its_template_to_its_end(
    call: Call,
    snow: ServiceNowAdapters,
    standard: ChangeDraft,
    pin: TemplatePin,
    sandbox: ServiceNowSandbox,
) -> None:
    ref = opened(snow, standard)
    seen = snow.changes.snapshot(ref)
    assert (seen.state, seen.chain) == (ChangeState.SCHEDULED, ChainState.COMPLETE)
    assert seen.text.digest == standard.text.digest
    assert seen.moved_by == seen.daemon
    assert seen.history is not None
    found = found_of(snow, ref)
    assert (found.template, found.version, found.current, found.proposal) == (
        pin.id, pin.version, pin.version, pin.proposal,
    )  # fmt: skip
    assert (found.is_approved, found.is_retired, found.is_as_proposed) == (True, False, True)
    assert [row.set_by.name for row in found.approvals if row.set_by] == ["howard.johnson"]
    record = call("GET", f"{TABLE}/change_request/{ref.id}")
    assert record["description"].startswith("One account becomes a member")  # the template's own
    snow.changes.begin(ref, at=sandbox.clock.now())
    snow.changes.close(ref, code=CloseCode.SUCCESSFUL, notes="Done.", at=sandbox.clock.now())
    assert snow.changes.snapshot(ref).state is ChangeState.CLOSED
    assert {task["state"] for task in plan_tasks(call, ref)} == {"3"}


def test_the_plan_stands_whole_on_tasks_that_are_made_once(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft
) -> None:
    long = dataclasses.replace(
        standard.text, implementation="1. Add.\n" * 450, backout="Remove. " * 400
    )
    wide = dataclasses.replace(standard, text=long)
    ref = opened(snow, wide)
    snow.changes.open(wide)
    tasks = plan_tasks(call, ref)
    assert [task["short_description"].partition(":")[0] for task in tasks] == [
        "Plan 1 of 2", "Plan 2 of 2",
    ]  # fmt: skip
    assert snow.changes.snapshot(ref).text.digest == long.digest


def test_a_plan_that_could_not_be_read_back_is_not_written(
    snow: ServiceNowAdapters, standard: ChangeDraft
) -> None:
    text = dataclasses.replace(standard.text, description="x\n[Justification]\nforged")
    with pytest.raises(DoesNotFitError):
        snow.changes.open(dataclasses.replace(standard, text=text))


@pytest.mark.parametrize("field", ["description", "short_description"])
def test_a_plan_task_that_was_edited_and_edited_back_shows(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft, field: str
) -> None:
    ref = opened(snow, standard)
    task = plan_tasks(call, ref)[0]
    path = f"{TABLE}/change_task/{task['sys_id']}"
    for text in ("another text", task[field]):
        call("PATCH", path, by="luke.wilson", json={field: text})
    seen = snow.changes.snapshot(ref)
    assert seen.text.digest == standard.text.digest
    by = [edit.by.name for edit in seen.history or () if edit.field == "implementation" and edit.by]
    assert by == ["luke.wilson", "luke.wilson"]


def test_a_plan_task_that_is_moved_to_another_change_leaves_the_plan_incomplete(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft
) -> None:
    ref = opened(snow, standard)
    other = call("POST", f"{TABLE}/change_request", json={"short_description": "x"})["sys_id"]
    path = f"{TABLE}/change_task/{plan_tasks(call, ref)[0]['sys_id']}"
    call("PATCH", path, json={"change_request": other})
    assert snow.changes.snapshot(ref).text.digest != standard.text.digest


def test_a_lost_answer_makes_neither_a_second_change_nor_a_second_task(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft, sandbox: ServiceNowSandbox
) -> None:
    sandbox.faults.add({"kind": "drop_after", "method": "POST", "user": "tiergate", "next_n": 2})
    ref = snow.changes.open(standard)
    query = {"sysparm_query": f"correlation_id={standard.correlation_id}"}
    assert len(call("GET", f"{TABLE}/change_request", params=query)) == 1
    assert len(plan_tasks(call, ref)) == 1
    snow.changes.submit(ref, standard)


def test_a_template_that_went_on_since_the_pin_makes_no_change(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft, pin: TemplatePin
) -> None:
    propose(call, kind="2", producer=pin.id, value=f"{VALUE}^urgency=3")
    with pytest.raises(PreconditionError, match="not the current one"):
        snow.changes.open(standard)
    assert snow.changes.find(standard.correlation_id) is None


def test_a_retired_template_makes_no_change(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft, pin: TemplatePin
) -> None:
    propose(call, kind="3", producer=pin.id)
    with pytest.raises(PreconditionError, match="not in use"):
        snow.changes.open(standard)


def test_a_change_from_another_version_is_not_submitted(
    call: Call, snow: ServiceNowAdapters, standard: ChangeDraft, pin: TemplatePin
) -> None:
    ref = snow.changes.open(standard)
    newer = propose(call, kind="2", producer=pin.id, value=f"{VALUE}^urgency=3")
    path = f"{TABLE}/change_request/{ref.id}"
    call("PATCH", path, json={"std_change_producer_version": newer.version})
    with pytest.raises(PlanChangedError, match="pinned version"):
        snow.changes.submit(ref, standard)


def test_what_happens_to_the_template_after_the_change_was_opened_is_seen(
    call: Call,
    snow: ServiceNowAdapters,
    standard: ChangeDraft,
    pin: TemplatePin,
    sandbox: ServiceNowSandbox,
) -> None:
    ref = opened(snow, standard)
    assert found_of(snow, ref).edits is not None
    sandbox.clock.advance(HOUR)
    path = f"{TABLE}/std_change_template/{template_of(call, pin)}"
    call("PATCH", path, json={"template": VALUE.replace("One account", "Any account")})
    assert not found_of(snow, ref).is_as_proposed
    call("PATCH", path, json={"template": VALUE})
    back = found_of(snow, ref)
    assert back.is_as_proposed
    # Templates are not audited here: that it was written at all, and by whom, is still told.
    assert back.edits
    last = back.edits[-1]
    assert (last.field, last.by and last.by.name) == ("template", "admin")
    assert back.settled_at is not None
    assert last.at > back.settled_at
    call("PATCH", f"{TABLE}/std_change_proposal/{pin.proposal}", json={"approval": "requested"})
    assert not found_of(snow, ref).is_approved
    call("PATCH", f"{TABLE}/std_change_record_producer/{pin.id}", json={"retired": "true"})
    assert found_of(snow, ref).is_retired


def test_who_set_the_yes_on_a_proposal_is_read_from_its_history(
    call: Call, snow: ServiceNowAdapters, draft: ChangeDraft, sandbox: ServiceNowSandbox
) -> None:
    pin = propose(call, as_uid="admin")
    sandbox.clock.advance(HOUR)
    ref = opened(
        snow,
        dataclasses.replace(
            draft, kind=ChangeKind.STANDARD, template=pin.id, template_version=pin.version
        ),
    )
    (row,) = [one for one in found_of(snow, ref).approvals if one.set_by]
    assert (row.approver.name, row.set_by and row.set_by.name) == ("Howard Johnson", "admin")


# --- check
def faults(findings: tuple[Finding, ...]) -> str:
    return "\n".join(one.seen for one in findings if one.severity is not Severity.OK)


def test_check_says_that_a_good_pin_is_in_force(snow: ServiceNowAdapters, pin: TemplatePin) -> None:
    (found,) = snow.changes.check_template(pin)
    assert (found.severity, found.code) == (Severity.OK, f"template:{pin.id}")


def test_check_names_everything_that_is_wrong_with_a_pin(
    call: Call, snow: ServiceNowAdapters, pin: TemplatePin, sandbox: ServiceNowSandbox
) -> None:
    nowhere = dataclasses.replace(pin, version="0" * 32)
    assert "does not exist" in faults(snow.changes.check_template(nowhere))
    other = dataclasses.replace(pin, proposal="1" * 32)
    assert "names another proposal" in faults(snow.changes.check_template(other))
    strange = dataclasses.replace(pin, id="2" * 32)
    assert "belongs to another template" in faults(snow.changes.check_template(strange))
    hiding = f"{VALUE}^correlation_id=mine^start_date=2027-01-01 00:00:00"
    newer = propose(call, kind="2", producer=pin.id, value=hiding)
    assert "is not the current one" in faults(snow.changes.check_template(pin))
    found = faults(snow.changes.check_template(newer))
    assert "it sets correlation_id" in found
    assert "it sets start_date" in found
    call("PATCH", f"{TABLE}/std_change_proposal/{newer.proposal}", json={"approval": "rejected"})
    assert "is not approved" in faults(snow.changes.check_template(newer))
    path = f"{TABLE}/std_change_template/{template_of(call, newer)}"
    sandbox.clock.advance(HOUR)
    call("PATCH", path, json={"template": f"{hiding}^urgency=1"})
    assert "was edited after" in faults(snow.changes.check_template(newer))
    propose(call, kind="3", producer=pin.id)
    assert "retired" in faults(snow.changes.check_template(newer))
