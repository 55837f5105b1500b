"""TicketDesk: what is written stands once, and a person's word stands above it."""

import contextlib
from datetime import timedelta

import pytest

from engine.domain.action import BoundAction, BoundTarget, ParameterKind, Tier
from engine.domain.decision import Window
from engine.domain.plan import Plan
from engine.domain.refs import TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.errors import OutcomeUnknownError, TiergateError, UnmappedValueError
from tests.contract.harness import Fault, Harness


def plan_for(harness: Harness, ref: TicketRef) -> Plan:
    subject = BoundTarget(kind=ParameterKind.PERSON, id="6f1c", name="bob.miller")
    return Plan(
        revision=1,
        ticket=ref,
        bound=BoundAction(
            action="reset_password", version=1, system="corporate-directory", subject=subject
        ),
        requester_key="1001",
        requester_name="Abel Tuter",
        subject_key="1001",
        subject_name="Abel Tuter",
        tier=Tier.ONE,
        reasons=("floor",),
        authority="",
        authority_group="",
        least_approvers=1,
        window=Window(),
        expires_at=harness.now() + timedelta(days=1),
    )


# --- notes and comments
def test_a_work_note_is_internal_and_written_once(harness: Harness) -> None:
    ref = harness.seed_ticket("note me")
    harness.desk.add_work_note(ref, "classified as reset", marker="triage:1")
    harness.desk.add_work_note(ref, "classified as reset", marker="triage:1")
    assert len([note for note in harness.notes(ref) if "classified as reset" in note]) == 1
    assert harness.comments(ref) == ()


def test_another_marker_is_another_note(harness: Harness) -> None:
    ref = harness.seed_ticket("note me")
    harness.desk.add_work_note(ref, "the same words", marker="one")
    harness.desk.add_work_note(ref, "the same words", marker="two")
    assert len([note for note in harness.notes(ref) if "the same words" in note]) == 2


def test_a_note_whose_answer_was_lost_is_there_once(harness: Harness) -> None:
    ref = harness.seed_ticket("note me")
    # allowed: the caller calls again, as below
    with harness.fault(Fault.LOSE_ANSWER, times=1), contextlib.suppress(OutcomeUnknownError):
        harness.desk.add_work_note(ref, "only once", marker="m")
    harness.desk.add_work_note(ref, "only once", marker="m")
    assert len([note for note in harness.notes(ref) if "only once" in note]) == 1


def test_a_note_whose_request_was_lost_is_there_after_the_next_call(harness: Harness) -> None:
    ref = harness.seed_ticket("note me")
    # allowed: the caller calls again, as below
    with harness.fault(Fault.LOSE_REQUEST, times=1), contextlib.suppress(OutcomeUnknownError):
        harness.desk.add_work_note(ref, "in the end", marker="m")
    harness.desk.add_work_note(ref, "in the end", marker="m")
    assert len([note for note in harness.notes(ref) if "in the end" in note]) == 1


def test_a_comment_is_what_the_requester_reads(harness: Harness) -> None:
    ref = harness.seed_ticket("tell me")
    harness.desk.add_comment(ref, "Your request is done.", marker="done")
    harness.desk.add_comment(ref, "Your request is done.", marker="done")
    assert len([one for one in harness.comments(ref) if "Your request is done." in one]) == 1
    assert not any("Your request is done." in note for note in harness.notes(ref))


# --- triage fields
def test_fields_that_nobody_set_are_written(harness: Harness) -> None:
    ref = harness.seed_ticket("route me")
    ticket = harness.desk.read(ref)
    wanted = {
        TicketField.ASSIGNMENT_GROUP: harness.group,
        TicketField.PRIORITY: harness.priority,
    }
    written = harness.desk.write_fields(ticket, wanted)
    assert set(written) == set(wanted)
    assert harness.field(ref, TicketField.ASSIGNMENT_GROUP) == harness.group
    assert harness.field(ref, TicketField.PRIORITY) == harness.priority


def test_a_field_that_a_person_set_is_left_alone(harness: Harness) -> None:
    ref = harness.seed_ticket("route me")
    harness.edit_field(ref, TicketField.PRIORITY, harness.priority, by=harness.agent)
    ticket = harness.desk.read(ref)
    other = next(value for value in ("1", "3", "High", "Low") if value != harness.priority)
    assert TicketField.PRIORITY in ticket.edited
    assert harness.desk.write_fields(ticket, {TicketField.PRIORITY: other}) == {}
    assert harness.field(ref, TicketField.PRIORITY) == harness.priority


def test_a_field_set_between_reading_and_writing_is_left_alone(harness: Harness) -> None:
    ref = harness.seed_ticket("route me")
    ticket = harness.desk.read(ref)
    harness.edit_field(ref, TicketField.PRIORITY, harness.priority, by=harness.agent)
    other = next(value for value in ("1", "3", "High", "Low") if value != harness.priority)
    assert harness.desk.write_fields(ticket, {TicketField.PRIORITY: other}) == {}
    assert harness.field(ref, TicketField.PRIORITY) == harness.priority


def test_our_own_edit_is_no_persons(harness: Harness) -> None:
    ref = harness.seed_ticket("route me")
    harness.desk.write_fields(harness.desk.read(ref), {TicketField.ASSIGNMENT_GROUP: harness.group})
    assert harness.desk.read(ref).edited == frozenset()


def test_a_group_that_does_not_exist_is_no_default(harness: Harness) -> None:
    ref = harness.seed_ticket("route me")
    with pytest.raises(UnmappedValueError):
        harness.desk.write_fields(
            harness.desk.read(ref), {TicketField.ASSIGNMENT_GROUP: "No Such Group"}
        )
    assert harness.field(ref, TicketField.ASSIGNMENT_GROUP) == ""


# --- a person's word
def test_a_ticket_shows_that_a_person_took_it(harness: Harness) -> None:
    ref = harness.seed_ticket("mine")
    assert harness.desk.read(ref).assignee is None
    harness.take(ref, by=harness.agent)
    assignee = harness.desk.read(ref).assignee
    assert assignee is not None
    assert assignee.identity != harness.desk.account().identity


def test_a_hold_note_of_an_agent_holds_and_a_release_lifts_it(harness: Harness) -> None:
    ref = harness.seed_ticket("careful")
    assert not harness.desk.read(ref).is_held
    harness.write_note(ref, "tiergate: hold", by=harness.agent)
    assert harness.desk.read(ref).is_held
    harness.advance(timedelta(seconds=2))
    harness.write_note(ref, "tiergate: release", by=harness.agent)
    assert not harness.desk.read(ref).is_held


def test_our_own_note_that_explains_holding_does_not_hold(harness: Harness) -> None:
    ref = harness.seed_ticket("careful")
    harness.desk.add_work_note(ref, "To stop me write:\ntiergate: hold", marker="m")
    assert not harness.desk.read(ref).is_held


def test_words_of_the_requester_do_not_hold_or_accept(harness: Harness) -> None:
    ref = harness.seed_ticket("tiergate: hold", description="tiergate: accept 00000000")
    assert not harness.desk.read(ref).is_held
    since = harness.now() - timedelta(hours=1)
    assert harness.desk.desk_snapshot(ref, marker="none", since=since).answers == ()


# --- hold, restore, resolve
def test_a_waiting_ticket_shows_its_change_and_is_restored(harness: Harness) -> None:
    ref = harness.seed_ticket("wait")
    change = harness.changes.open(harness.draft(ref, correlation_id="tg:wait:1-r1"))
    harness.desk.put_on_hold(harness.desk.read(ref), change)
    harness.desk.put_on_hold(harness.desk.read(ref), change)
    assert harness.ticket_state(ref) is TicketState.ON_HOLD
    assert harness.linked_changes(ref) == (change.id,)
    harness.desk.take_off_hold(ref, TicketState.IN_PROGRESS)
    assert harness.ticket_state(ref) is TicketState.IN_PROGRESS


def test_a_ticket_that_a_person_moved_meanwhile_is_not_restored(harness: Harness) -> None:
    ref = harness.seed_ticket("wait")
    change = harness.changes.open(harness.draft(ref, correlation_id="tg:wait:1-r1"))
    harness.desk.put_on_hold(harness.desk.read(ref), change)
    harness.move_ticket(ref, TicketState.RESOLVED, by=harness.agent)
    harness.desk.take_off_hold(ref, TicketState.IN_PROGRESS)
    assert not harness.ticket_state(ref).is_open


def test_a_resolved_ticket_is_resolved_and_stays_so(harness: Harness) -> None:
    ref = harness.seed_ticket("solve")
    harness.desk.resolve(ref, "Password reset and verified.")
    harness.desk.resolve(ref, "Password reset and verified.")
    assert not harness.ticket_state(ref).is_open
    assert not harness.desk.read(ref).state.is_open


def test_a_ticket_that_a_person_ended_is_not_resolved_again(harness: Harness) -> None:
    ref = harness.seed_ticket("solve")
    harness.move_ticket(ref, TicketState.CANCELLED, by=harness.agent)
    harness.desk.resolve(ref, "Done.")
    assert harness.ticket_state(ref) is TicketState.CANCELLED


def test_a_resolution_that_is_accepted_and_ignored_is_an_error(harness: Harness) -> None:
    if Fault.IGNORE_STATE not in harness.faults:
        pytest.skip(f"{harness.name} cannot ignore a state")
    ref = harness.seed_ticket("solve")
    with harness.fault(Fault.IGNORE_STATE), pytest.raises(TiergateError):
        harness.desk.resolve(ref, "Done.")


# --- history, people, faults
def test_history_tells_who_edited_what(harness: Harness) -> None:
    ref = harness.seed_ticket("remember")
    harness.edit_field(ref, TicketField.PRIORITY, harness.priority, by=harness.agent)
    history = harness.desk.history(ref)
    assert history is not None
    edits = [edit for edit in history if edit.new and edit.by is not None]
    assert edits
    assert all(edit.by.identity != harness.desk.account().identity for edit in edits if edit.by)


def test_members_of_a_group_are_read_by_its_id(harness: Harness) -> None:
    names = {member.id for member in harness.desk.members(harness.authority_group)}
    memberships = harness.changes.members(harness.authority_group)
    assert memberships is not None
    assert names == {membership.account.id for membership in memberships}
    assert len(names) >= 2
    assert harness.desk.account().id not in names


def test_one_fault_is_one_incident_however_often_it_is_told(harness: Harness) -> None:
    harness.desk.open_fault("Polling fails", "first time", marker="poll:servicenow")
    harness.desk.open_fault("Polling fails", "second time", marker="poll:servicenow")
    assert harness.faults_open() == 1
    harness.desk.open_fault("Mail fails", "other", marker="mail")
    assert harness.faults_open() == 2
    harness.desk.close_fault("Polling works again", marker="poll:servicenow")
    harness.desk.close_fault("Polling works again", marker="poll:servicenow")
    assert harness.faults_open() == 1
