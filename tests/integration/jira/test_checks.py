"""`check`: what is wrong with a site, named; and what it could not see."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.jira.factory import JiraAdapters
from engine.domain.decision import Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, TicketKind
from engine.domain.ticket import TicketField, TicketState
from engine.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    PermanentError,
    PlanChangedError,
    TransientError,
    UnmappedValueError,
)
from engine.ports.findings import Finding, Severity
from tests.contract.harness import Fault
from tests.integration.jira.conftest import World

KEY = "tiergate:demo:1:r1"


def codes(findings: Iterable[Finding], severity: Severity) -> set[str]:
    return {one.code for one in findings if one.severity is severity}


def join(world: World, group: str) -> None:
    """Let an administrator add our account to a group."""
    store = world.sandbox.site.store
    number = store.value("SELECT id FROM cluster WHERE name=?", group)
    account = store.value("SELECT id FROM account WHERE name='tiergate'")
    with store.transaction():
        store.run("INSERT INTO membership VALUES (?, ?)", number, account)


def leave(world: World) -> None:
    """Let an administrator take our account out of every group."""
    store = world.sandbox.site.store
    account = store.value("SELECT id FROM account WHERE name='tiergate'")
    with store.transaction():
        store.run("DELETE FROM membership WHERE account=?", account)


def control_check(adapters: JiraAdapters) -> tuple[Finding, ...]:
    assert adapters.changes is not None
    return adapters.changes.check()


@pytest.mark.parametrize(
    ("fields", "told"), [({}, ""), ({"justification": "environment"}, "environment")]
)
def test_one_call_needs_a_create_screen_that_takes_the_whole_plan(
    world: World, fields: dict[str, str], told: str
) -> None:
    changes = {"project": "ITH", "create": "issue", "fields": fields}
    found = control_check(world.again(changes=changes))
    said = [f"{one.seen}; {one.remedy}" for one in found if one.code == "create_screen"]
    if world.flavour == "datacenter":
        assert "takes no request type" in said[0]
    else:
        assert [told in one for one in said] == [True] * bool(told)


def test_an_administrator_could_make_itself_an_approver(world: World) -> None:
    join(world, "jira-administrators")
    assert "over_mighty" in codes(world.desk.check(), Severity.WARNING)
    assert "could_approve" in codes(world.changes.check(), Severity.UNSAFE)


def test_rights_that_are_missing_are_named(world: World) -> None:
    world.seed_ticket("there")
    assert "rights" in codes(world.desk.check(), Severity.OK)
    leave(world)
    assert "filter" in codes(world.desk.check(), Severity.FAULT)
    wrong = [one for one in world.changes.check() if one.code == "right_missing"]
    assert wrong
    assert "EDIT_ISSUES" in wrong[0].seen
    assert all(one.remedy for one in wrong)


def test_a_filter_that_jira_refuses_is_a_fault(world: World) -> None:
    desk = world.again(tickets=[{"jql": "project = NOWHERE"}]).desk
    assert codes(desk.check(), Severity.FAULT) == {"filter"}


def test_a_field_that_the_site_does_not_have_is_a_fault(world: World) -> None:
    adapters = world.again(
        fields={"category": "No Such Field"},
        changes={"project": "ITH", "fields": {"backout": "No Such Field"}},
    )
    assert "field_unknown" in codes(adapters.desk.check(), Severity.FAULT)
    assert "plan_field_unknown" in codes(control_check(adapters), Severity.UNSAFE)


def test_statuses_without_a_meaning_are_listed(world: World) -> None:
    world.seed_ticket("there")
    site = world.sandbox.site
    renamed = {**site.definition.statuses["10004"], "name": "Wartet"}
    site.definition = replace(
        site.definition, statuses={**site.definition.statuses, "10004": renamed}
    )
    (found,) = [one for one in world.desk.check() if one.code == "states_unmapped"]
    assert "Wartet" in found.seen


def test_a_project_without_a_known_approval_status_has_no_gate(world: World) -> None:
    # Whoever maps the approval statuses to something else has no gate left.
    names = ("Authorize", "Peer review", "Waiting for approval")
    statuses = dict.fromkeys(names, "assess")
    adapters = world.again(changes={"project": "ITH", "statuses": statuses})
    assert "no_approval_status" in codes(control_check(adapters), Severity.UNSAFE)


def test_a_change_request_type_that_is_not_there_is_a_fault(world: World) -> None:
    adapters = world.again(changes={"project": "ITH", "request_type": "Change the world"})
    assert "request_type" in codes(control_check(adapters), Severity.FAULT)


def test_a_form_without_labels_is_unsafe_and_nothing_is_opened_by_it(world: World) -> None:
    store = world.sandbox.site.store
    with store.transaction():
        store.run("UPDATE request_type SET spec=replace(spec, '\"labels\"', '\"duedate\"')")
    adapters = world.again()
    assert "not_found_again" in codes(control_check(adapters), Severity.UNSAFE)
    assert adapters.changes is not None
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    with pytest.raises(ConfigurationError, match="Labels"):
        adapters.changes.open(draft)
    assert world.sent("POST", "/servicedeskapi/request") == 0


def test_on_plain_jira_an_account_that_may_approve_is_unsafe(world: World) -> None:
    adapters = world.again(changes={"project": "OPS", "mode": "status"})
    assert adapters.changes is not None
    draft = world.draft(world.seed_ticket("x"), correlation_id=KEY)
    ref = adapters.changes.open(draft)
    adapters.changes.submit(ref, draft)
    assert not codes(control_check(adapters), Severity.UNSAFE)
    join(world, "CAB Approval")
    assert "could_approve" in codes(control_check(adapters), Severity.UNSAFE)


def test_an_approval_that_asks_nobody_is_told(world: World) -> None:
    draft = world.draft(world.seed_ticket("x"), correlation_id=KEY)
    ref = world.changes.open(draft)
    world.changes.submit(ref, draft)
    store = world.sandbox.site.store
    with store.transaction():
        store.run("DELETE FROM approver")
    assert "no_approvers" in codes(world.changes.check(), Severity.WARNING)


def test_a_site_that_does_not_answer_is_one_fault(world: World) -> None:
    with world.fault(Fault.SERVER_ERROR):
        assert codes(world.desk.check(), Severity.FAULT) == {"unreachable"}
        assert codes(world.changes.check(), Severity.FAULT) == {"unreachable"}


# --- the window, replaced revisions, fields of other kinds
def windowed(world: World) -> ChangeDraft:
    begin = datetime(2026, 12, 1, 18, tzinfo=UTC)
    window = Window(earliest=begin, latest=begin + timedelta(hours=4))
    draft = world.draft(world.seed_ticket("later"), correlation_id=KEY)
    return replace(draft, window=window, native={"Change risk": "Low"})


def test_the_window_and_what_decides_who_approves_stand_in_native_fields(world: World) -> None:
    draft = windowed(world)
    ref = world.changes.open(draft)
    world.changes.submit(ref, draft)
    assert world.changes.snapshot(ref).window == draft.window
    fields = world._fields(ref.id, "customfield_10006,customfield_10005")
    assert [one["value"] for one in fields.values()] == ["Low", "Normal"]


def test_a_window_that_somebody_moved_before_submission_is_not_submitted(world: World) -> None:
    draft = windowed(world)
    ref = world.changes.open(draft)
    body = {"fields": {"customfield_10008": "2026-12-02T18:00:00.000+0000"}}
    world.call("PUT", f"api/2/issue/{ref.id}", by=world.agent, json=body)
    with pytest.raises(PlanChangedError, match="planned_start"):
        world.changes.submit(ref, draft)


def test_the_next_revision_is_linked_to_the_one_it_replaces(world: World) -> None:
    ticket = world.seed_ticket("please")
    first = world.changes.open(world.draft(ticket, correlation_id=KEY))
    draft = replace(world.draft(ticket, correlation_id=KEY + "r2"), replaces=first.number)
    second = world.changes.open(draft)
    links = world._fields(second.id, "issuelinks")["issuelinks"]
    linked = {(one.get("inwardIssue") or one["outwardIssue"])["id"] for one in links}
    assert linked == {ticket.id, first.id}


def test_a_triage_field_of_any_kind_is_written_by_its_name(world: World) -> None:
    desk = world.again(fields={"category": "Urgency", "assignment_group": "Affected account"}).desk
    ref = world.seed_ticket("route me", kind=TicketKind.SERVICE_REQUEST)
    values = {TicketField.CATEGORY: "High", TicketField.ASSIGNMENT_GROUP: "Network"}
    assert desk.write_fields(desk.read(ref), values) == values
    assert desk.read(ref).fields == values
    assert desk.read(ref).group == "Network"
    with pytest.raises(UnmappedValueError):
        desk.write_fields(desk.read(ref), {TicketField.CATEGORY: "No Such Urgency"})


# --- our own faults, and whose account it is
def test_a_fault_is_told_as_a_request_where_so_configured(world: World) -> None:
    desk = world.again(faults={"project": "ITH", "request_type": "Report a system problem"}).desk
    for text in ("first", "second"):
        desk.open_fault("Polling fails\nagain", text, marker="poll")
    assert world.faults_open() == 1
    desk.close_fault("it works again", marker="poll")
    assert world.faults_open() == 0


def test_without_a_queue_a_fault_is_a_mistake_of_the_configuration(world: World) -> None:
    desk = world.again().desk
    with pytest.raises(ConfigurationError, match="queue"):
        desk.open_fault("Polling fails", "text", marker="poll")
    desk.close_fault("nothing to close", marker="poll")


def test_a_fault_whose_creation_got_no_answer_is_found(world: World) -> None:
    rule = {"kind": "drop_after", "method": "POST", "path": "/issue$", "user": "tiergate"}
    world.sandbox.faults.add({**rule, "next_n": 1})
    world.desk.open_fault("Polling fails", "text", marker="poll")
    assert world.faults_open() == 1
    rule["kind"] = "drop_before"
    world.sandbox.faults.add({**rule, "next_n": 1})
    with pytest.raises(OutcomeUnknownError):
        world.desk.open_fault("Another", "text", marker="other")
    assert world.faults_open() == 1


def test_a_move_that_jira_ignored_is_tried_later_and_one_that_it_refuses_is_not(
    world: World,
) -> None:
    ref = world.seed_ticket("stubborn")
    with world.fault(Fault.IGNORE_STATE), pytest.raises(TransientError):
        world.desk.resolve(ref, "done")
    leave(world)
    with pytest.raises(PermanentError):
        world.desk.resolve(ref, "done")
    assert world.ticket_state(ref) is TicketState.NEW


def test_an_account_is_joined_by_a_property_of_the_user(cloud: World) -> None:
    adapters = cloud.again(people={"by": "property", "property": "employeeNumber"})
    bob = Account(system=cloud.name, id=cloud._user("bob.miller"), name="Bob")
    nobody = Account(system=cloud.name, id=cloud._user("admin"), name="Admin")
    assert adapters.accounts.account_key(bob) == "1002"
    assert adapters.accounts.account_key(nobody) == ""
    assert adapters.accounts.system == cloud.name


def test_groups_whose_members_may_not_be_read_are_told(world: World) -> None:
    assert "membership_unread" not in codes(world.changes.check(), Severity.WARNING)
    refused = {"kind": "5xx", "status": 403, "path": "/group/member", "user": "tiergate"}
    world.sandbox.faults.add(refused)
    assert "membership_unread" in codes(world.changes.check(), Severity.WARNING)
    assert world.changes.members(world.authority_group) is None
