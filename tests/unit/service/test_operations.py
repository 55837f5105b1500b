"""Release, retry, undo, and access that ends by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState, CloseCode
from engine.domain.effect import EffectKind, EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import TicketState
from engine.errors import PreconditionError, RecordNotFoundError
from engine.service import operations
from engine.service.world import chain_of
from engine.testing.brains import understood
from engine.testing.world import JOIN, RESET, MemoryWorld, memory_world

FOR_A_DAY = "access until tomorrow evening"


def fulfilled() -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    return world, ref


def test_releasing_a_waiting_ticket_withdraws_its_change() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    operations.release(world.services, ref, by="operator")
    assert world.handling(ref).stage is Stage.RELEASED
    assert world.change(ref).state is ChangeState.CANCELLED
    assert world.ticket(ref).ticket.state is TicketState.NEW
    with world.store.begin() as work:
        assert "operator" in {row.actor for row in work.audit(chain_of(ref))}


def test_what_has_ended_is_not_released() -> None:
    world, ref = fulfilled()
    with pytest.raises(PreconditionError):
        operations.release(world.services, ref, by="operator")


def test_what_is_at_work_is_not_retried() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    with pytest.raises(PreconditionError):
        operations.retry(world.services, ref, by="operator")


def test_a_ticket_that_was_never_handled_cannot_be_retried() -> None:
    world = memory_world()
    ref = world.desk.seed(JOIN, requester=world.account("REQ"))
    with pytest.raises(RecordNotFoundError):
        operations.retry(world.services, ref, by="operator")


def test_a_retry_after_the_end_starts_anew() -> None:
    world = memory_world()
    world.directory.addresses.clear()
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    world.directory.addresses["entry-req"] = "rita@private.example.test"
    operations.retry(world.services, ref, by="operator")
    world.run()
    assert world.handling(ref).attempt == 2
    assert world.handling(ref).stage is Stage.FULFILLED


def test_undo_is_the_inverse_with_its_own_gate() -> None:
    world, ref = fulfilled()
    operations.undo(world.services, ref, by="operator")
    world.run()
    handling = world.handling(ref)
    assert handling.attempt == 2
    assert handling.plan is not None
    assert handling.plan.bound.action == "remove_group_member"
    assert handling.stage is Stage.AWAITING
    assert world.directory.groups["dba"] == {"entry-own1", "entry-req"}
    world.clock.advance(timedelta(seconds=1))
    world.desk.answer(ref, by=world.account("AGT1"), answer="accept", code=handling.plan.code)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert world.directory.groups["dba"] == {"entry-own1"}


def test_a_retry_of_a_closed_ticket_is_refused_instead_of_said_to_be_closed_by_a_person() -> None:
    world, ref = fulfilled()
    with pytest.raises(PreconditionError, match="open it there first"):
        operations.retry(world.services, ref, by="operator")
    assert world.handling(ref).attempt == 1


def test_what_was_done_can_be_taken_back_after_an_attempt_that_did_nothing() -> None:
    world, ref = fulfilled()
    operations.undo(world.services, ref, by="operator")
    world.run()
    operations.release(world.services, ref, by="operator")
    world.run()
    assert world.handling(ref).stage is Stage.RELEASED
    operations.undo(world.services, ref, by="operator")
    world.run()
    handling = world.handling(ref)
    assert (handling.attempt, handling.stage) == (3, Stage.AWAITING)
    assert handling.plan is not None
    assert handling.plan.bound.action == "remove_group_member"


def test_undo_is_refused_where_the_target_moved_on() -> None:
    world, ref = fulfilled()
    world.directory.groups["dba"].add("entry-new")
    with pytest.raises(PreconditionError, match="moved on"):
        operations.undo(world.services, ref, by="operator")


def test_undo_is_refused_where_nothing_of_ours_stands() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    with pytest.raises(PreconditionError):
        operations.undo(world.services, ref, by="operator")


def test_undo_is_refused_where_there_is_no_inverse() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    world.run()
    with pytest.raises(PreconditionError, match="inverse"):
        operations.undo(world.services, ref, by="operator")


def boxed() -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    until = (world.clock.now() + timedelta(days=1)).isoformat()
    world.classifier.answers[FOR_A_DAY] = understood(
        "add_group_member", parameters={"group": "dba", "until": until}
    )
    ref = world.ask(FOR_A_DAY)
    world.run()
    world.approve(ref)
    world.run()
    return world, ref


def test_time_boxed_access_is_told_at_once_and_ends_by_itself() -> None:
    world, ref = boxed()
    assert world.handling(ref).stage is Stage.TIMEBOXED
    assert world.directory.groups["dba"] == {"entry-own1", "entry-req"}
    assert world.change(ref).close_code is CloseCode.SUCCESSFUL
    assert world.ticket(ref).ticket.state is TicketState.RESOLVED
    world.pass_time(timedelta(hours=23), stride=timedelta(hours=1))
    assert world.handling(ref).stage is Stage.TIMEBOXED
    world.pass_time(timedelta(hours=2), stride=timedelta(minutes=30))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert world.directory.groups["dba"] == {"entry-own1"}
    handling_id = world.handling(ref).id
    with world.store.begin() as work:
        kinds = {effect.kind: effect.phase for effect in work.effects(handling_id)}
    assert kinds == {EffectKind.IMPLEMENT: EffectPhase.DONE, EffectKind.END: EffectPhase.DONE}
    markers = [note.marker for note in world.ticket(ref).notes]
    assert len(markers) == len(set(markers)) == 3


def test_a_date_in_the_past_is_handed_over() -> None:
    world = memory_world()
    world.classifier.answers[FOR_A_DAY] = understood(
        "add_group_member", parameters={"group": "dba", "until": "2020-01-01"}
    )
    ref = world.ask(FOR_A_DAY)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.changes.records == {}


def test_a_request_for_somebody_elses_account_is_handed_over() -> None:
    world = memory_world()
    world.classifier.answers[RESET] = understood(
        "reset_password", parameters={"subject": "Sam Subject"}
    )
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def test_record_and_text_that_name_different_people_are_handed_over() -> None:
    world = memory_world()
    world.classifier.answers[JOIN] = understood(
        "add_group_member", parameters={"group": "dba", "subject": "Sam Subject"}
    )
    ref = world.ask(JOIN, subject=world.account("OUT"))
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER


def test_access_for_a_colleague_is_bound_to_the_colleague() -> None:
    world = memory_world()
    ref = world.ask(JOIN, subject=world.account("SUB"))
    world.run()
    plan = world.handling(ref).plan
    assert plan is not None
    assert (plan.requester_key, plan.subject_key) == ("REQ", "SUB")
    world.approve(ref)
    world.run()
    assert world.directory.groups["dba"] == {"entry-own1", "entry-sub"}


@pytest.mark.parametrize(
    "facts",
    [{"channel": "email"}, {"creator": "OUT"}, {"requester": None}, {"creator": None}],
)
def test_who_is_not_authenticated_gets_nothing_unattended(facts: dict[str, str | None]) -> None:
    world = memory_world()
    named = {
        name: world.account(value) if value == "OUT" else value for name, value in facts.items()
    }
    world.clock.advance(timedelta(seconds=1))
    ref = world.desk.seed(RESET, requester=world.account("REQ"))
    world.desk.change_ticket(ref, by="admin", **named)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def test_two_persons_behind_one_account_are_handed_over() -> None:
    world = memory_world()
    found = next(item for item in world.people.persons if item.key == "OUT")
    world.people.replace(replace(found, accounts=(*found.accounts, world.account("REQ"))))
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
