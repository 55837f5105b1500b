"""The corners: races between workers, plans that cannot be built, withdrawals at odd moments."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState
from engine.domain.decision import Authority
from engine.domain.plan import Plan, PlanText
from engine.domain.stage import Stage
from engine.domain.ticket import TicketState
from engine.errors import (
    ConfigurationError,
    DoesNotFitError,
    MissingRightError,
    OutcomeUnknownError,
    PermanentError,
    PlanChangedError,
)
from engine.ports.rendering import PlanContext
from engine.service import advance, operations
from engine.service.world import Occasion
from engine.testing.brains import PlainRenderer, understood
from engine.testing.interruptions import interrupted
from engine.testing.world import (
    DIRECTORY,
    GROUP,
    JOIN,
    LEAVE,
    RESET,
    SYSTEM,
    memory_world,
)
from tests.unit.service.scenes import SECOND, Failing, policy_of, set_pause, waiting, with_failure


# --- two workers
def test_of_two_workers_on_one_ticket_one_gives_way() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    plain = world.services
    inner: list[str] = []

    def race(point: str) -> None:
        if point == "before changes.open" and not inner:
            inner.append(point)
            advance.advance(plain, world.handling(ref).id)

    world.services = with_failure(plain, race)
    world.run()
    world.pass_time(timedelta(minutes=2))
    assert world.handling(ref).stage is Stage.AWAITING
    assert len(world.changes.records) == 1


def test_two_runs_on_one_group_go_one_after_the_other() -> None:
    world = memory_world()
    first, second = world.ask(JOIN), world.ask(JOIN, subject=world.account("SUB"))
    world.run()
    plain = world.services
    inner: list[str] = []

    def race(point: str) -> None:
        if point == "after directory.implement" and not inner:
            inner.append(point)
            advance.advance(plain, world.handling(second).id)

    world.approve(first)
    world.approve(second)
    world.services = with_failure(plain, race)
    world.run()
    assert inner
    assert world.handling(first).stage is Stage.FULFILLED
    world.pass_time(timedelta(minutes=1))
    assert world.handling(second).stage is Stage.FULFILLED
    assert world.directory.groups["dba"] == {"entry-own1", "entry-req", "entry-sub"}


def test_a_frozen_worker_that_wakes_after_its_lease_fires_nothing() -> None:
    world, ref = waiting()
    world.approve(ref)

    def freeze(point: str) -> None:
        if point == "after changes.begin":
            world.clock.advance(timedelta(minutes=5))

    world.services = with_failure(world.services, freeze)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_a_claim_that_always_takes_long_leaves_the_look_its_whole_lease() -> None:
    world, ref = waiting()
    world.approve(ref)
    claims: list[str] = []

    def slow(point: str) -> None:
        if point == "after changes.claim":
            claims.append(point)
            world.clock.advance(timedelta(seconds=100))

    world.services = with_failure(world.services, slow)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(claims) == 1


# --- plans that cannot be
class Forgetful(PlainRenderer):
    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        text = super().render_plan(plan, context)
        return replace(text, implementation="Do it.")


class TooLong(PlainRenderer):
    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        length = len(super().render_plan(plan, context).implementation)
        raise DoesNotFitError(f"implementation: {length} characters do not fit")


@pytest.mark.parametrize("renderer", [Forgetful(), TooLong()])
def test_a_plan_that_cannot_be_shown_whole_is_handed_over(renderer: PlainRenderer) -> None:
    world = memory_world()
    world.services = replace(world.services, renderer=renderer)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.changes.records == {}


def test_a_revision_that_cannot_be_drafted_is_handed_over() -> None:
    world, ref = waiting()
    world.services = replace(world.services, renderer=TooLong())
    world.clock.advance(SECOND)
    world.changes.edit(world.change_ref(ref), "test", "None.", by=world.account("OUT"))
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.change(ref).state is ChangeState.CANCELLED
    assert any("Olaf Outsider edited test" in note.text for note in world.change(ref).notes)


def test_an_authority_without_a_group_here_parks() -> None:
    world = memory_world()
    nowhere = replace(policy_of(world), authority=Authority(name="owners", groups={}))
    world.policy.change("add_group_member", policy=nowhere)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    assert "no group" in world.handling(ref).reason


def test_a_gate_without_terms_is_handed_over() -> None:
    world = memory_world()
    world.policy.change("add_group_member", policy=None)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER


@pytest.mark.parametrize("until", ["soon", "2020-02-30"])
def test_an_end_that_is_no_date_is_handed_over(until: str) -> None:
    world = memory_world()
    world.classifier.answers[JOIN] = understood(
        "add_group_member", parameters={"group": "dba", "until": until}
    )
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER


def test_a_day_without_a_time_lasts_until_its_end() -> None:
    world = memory_world()
    world.classifier.answers[JOIN] = understood(
        "add_group_member", parameters={"group": "dba", "until": "2026-12-24"}
    )
    ref = world.ask(JOIN)
    world.run()
    plan = world.handling(ref).plan
    assert plan is not None
    assert plan.ends_at is not None
    assert plan.ends_at.isoformat() == "2026-12-24T23:59:59+00:00"


@pytest.mark.parametrize(
    "parameters", [{}, {"group": " "}, {"group": "no such group"}, {"group": "dba", "subject": "?"}]
)
def test_what_cannot_be_bound_is_handed_over(parameters: dict[str, str]) -> None:
    world = memory_world()
    world.classifier.answers[JOIN] = understood("add_group_member", parameters=parameters)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.handling(ref).decision is not None


def test_an_action_that_the_target_does_not_know_is_handed_over() -> None:
    world = memory_world()
    world.policy.rules["dance"] = replace(world.policy.rules["open_door"])
    world.classifier.answers["dance"] = understood("dance")
    ref = world.ask("dance")
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER


def test_a_protected_account_is_handed_over() -> None:
    world = memory_world()
    world.directory.protected.add("entry-req")
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER


def test_a_session_of_nobody_we_know_authenticates_nobody() -> None:
    world = memory_world()
    ghost = replace(world.account("REQ"), id="ghost")
    ref = world.ask(RESET, creator=ghost)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def test_systems_that_the_configuration_no_longer_names_are_said() -> None:
    world = memory_world()
    for ask in (world.services.fulfiller, world.services.change_control):
        with pytest.raises(ConfigurationError, match="elsewhere"):
            ask("elsewhere")


# --- withdrawing at odd moments
def test_a_ticket_closed_while_its_create_is_unanswered_leaves_no_change_behind() -> None:
    world = memory_world()
    lost = Failing("after changes.open", OutcomeUnknownError("no answer"))
    world.services = with_failure(world.services, lost)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.DRAFTED
    world.desk.move(ref, TicketState.CLOSED, by="agt1")
    world.pass_time(timedelta(minutes=2))
    assert world.handling(ref).stage is Stage.CANCELLED
    assert {item.state for item in world.changes.records.values()} == {ChangeState.CANCELLED}


def test_a_create_that_never_came_is_looked_for_before_it_is_given_up() -> None:
    world = memory_world()
    lost = Failing("before changes.open", OutcomeUnknownError("no answer"))
    world.services = with_failure(world.services, lost)
    ref = world.ask(JOIN)
    world.run()
    world.desk.move(ref, TicketState.CLOSED, by="agt1")
    world.pass_time(timedelta(minutes=5), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.WITHDRAWING
    world.pass_time(timedelta(minutes=6), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.CANCELLED
    assert world.changes.records == {}


@pytest.mark.parametrize("when", ["before changes.link", "before changes.submit"])
def test_a_plan_edited_before_it_is_submitted_is_opened_again(when: str) -> None:
    world = memory_world()
    edits: list[str] = []

    def edit(point: str) -> None:
        if point == when and not edits:
            edits.append(point)
            (change,) = world.changes.records.values()
            world.changes.edit(change.ref, "test", "None.", by=world.account("OUT"))

    world.services = with_failure(world.services, edit)
    ref = world.ask(JOIN)
    world.run()
    plan = world.handling(ref).plan
    assert plan is not None
    assert plan.revision == 2
    assert world.handling(ref).stage is Stage.AWAITING


def test_a_plan_edited_and_edited_back_before_it_is_submitted_is_opened_again() -> None:
    world = memory_world()
    edits: list[str] = []

    def edit(point: str) -> None:
        if point == "before changes.submit" and not edits:
            edits.append(point)
            (change,) = world.changes.records.values()
            before = change.text.test
            world.changes.edit(change.ref, "test", "None.", by=world.account("OUT"))
            world.changes.edit(change.ref, "test", before, by=world.account("OUT"))

    world.services = with_failure(world.services, edit)
    ref = world.ask(JOIN)
    world.run()
    plan = world.handling(ref).plan
    assert plan is not None
    assert plan.revision == 2


def test_an_authority_whose_members_are_unreadable_parks_before_it_waits() -> None:
    world = memory_world()
    world.changes.set_members(GROUP, None)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    assert "unreadable" in world.handling(ref).reason


def test_a_withdrawal_that_parked_can_still_be_released() -> None:
    world, ref = waiting()
    world.services = with_failure(
        world.services, Failing("before changes.cancel", MissingRightError("may not cancel"))
    )
    world.desk.move(ref, TicketState.CLOSED, by="agt1")
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    assert world.handling(ref).parked_from is Stage.WITHDRAWING
    operations.release(world.services, ref, by="operator")
    assert world.handling(ref).stage is Stage.RELEASED
    assert world.change(ref).state is ChangeState.CANCELLED


def test_a_reason_that_cannot_be_written_on_the_ticket_stays_in_the_store() -> None:
    world, ref = waiting()
    refused = Failing("before desk.add_work_note", MissingRightError("no notes"), times=99)
    world.services = with_failure(world.services, refused)
    world.changes.records[world.change_ref(ref).id].unmapped = "perhaps"
    world.approve(ref)
    world.run()
    handling = world.handling(ref)
    assert handling.stage is Stage.PARKED
    assert handling.wake_at is None
    assert "perhaps" in handling.reason


def test_a_plan_that_is_out_of_time_is_not_opened_again() -> None:
    world = memory_world()
    brief = replace(policy_of(world), expires=timedelta(hours=3), length=timedelta(hours=2))
    world.policy.change("add_group_member", policy=brief)
    ref = world.ask(JOIN)
    world.run()
    world.pass_time(timedelta(hours=6), stride=timedelta(minutes=30))
    assert world.handling(ref).stage is Stage.EXPIRED
    assert len(world.changes.records) == 2


# --- waiting alone and at the desk
def test_what_waited_too_long_to_run_alone_is_a_persons() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    set_pause(world, is_paused=True)
    world.run()
    assert world.handling(ref).stage is Stage.READY
    world.pass_time(timedelta(hours=25), stride=timedelta(hours=5))
    assert world.handling(ref).stage is Stage.HANDED_OVER


def test_a_map_that_became_stricter_stops_what_runs_alone() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    set_pause(world, is_paused=True)
    world.run()
    world.policy.change("reset_password", least_confidence=1.1)
    set_pause(world, is_paused=False)
    world.pass_time(timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def test_a_desk_that_never_answers_expires() -> None:
    world, ref = waiting(LEAVE)
    world.pass_time(timedelta(days=11), stride=timedelta(days=1))
    assert world.handling(ref).stage is Stage.EXPIRED


def test_an_acceptance_after_the_plan_expired_is_too_late() -> None:
    world, ref = waiting(LEAVE)
    world.clock.advance(timedelta(days=10))
    world.desk.answer(ref, by=world.account("AGT1"), answer="accept")
    world.run()
    assert world.handling(ref).stage is Stage.EXPIRED


def test_an_answer_that_no_table_knows_parks() -> None:
    world, ref = waiting(LEAVE)
    world.clock.advance(SECOND)
    world.desk.answer(ref, by=world.account("AGT1"), answer="perhaps")
    world.run()
    assert world.handling(ref).stage is Stage.PARKED


def test_comments_are_written_where_they_are_switched_on() -> None:
    world = memory_world()
    comments = {occasion: f"comment_{occasion}" for occasion in Occasion}
    settings = replace(world.services.settings, comments=comments)
    world.services = replace(world.services, settings=settings)
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    markers = [item.marker.rpartition(":")[2] for item in world.ticket(ref).comments]
    assert markers == ["comment-waiting", "comment-done"]


def test_who_is_removed_from_the_change_system_hands_it_over() -> None:
    world, ref = waiting()
    world.people.persons = [item for item in world.people.persons if item.key != "REQ"]
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.change(ref).state is ChangeState.CANCELLED


def test_a_submission_that_reads_back_differently_is_opened_again() -> None:
    world = memory_world()
    changed = Failing("before changes.submit", PlanChangedError("description differs"))
    world.services = replace(
        world.services,
        changes={SYSTEM: interrupted(world.changes, "changes", changed)},
        fulfillers={DIRECTORY: world.directory},
    )
    ref = world.ask(JOIN)
    world.run()
    plan = world.handling(ref).plan
    assert plan is not None
    assert plan.revision == 2


@pytest.mark.parametrize("how", ["close", "hold"])
def test_a_parked_ticket_that_a_person_ends_withdraws_its_change(how: str) -> None:
    world, ref = waiting()
    world.changes.records[world.change_ref(ref).id].unmapped = "perhaps"
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    if how == "close":
        world.desk.move(ref, TicketState.CLOSED, by="agt1")
    else:
        world.desk.write_note(ref, "tiergate: hold", by=world.account("AGT1"))
    world.run()
    ended = {"close": Stage.CANCELLED, "hold": Stage.TAKEN_OVER}
    assert world.handling(ref).stage is ended[how]
    assert world.change(ref).state is ChangeState.CANCELLED


def test_a_parked_ticket_without_a_change_ends_when_a_person_takes_it() -> None:
    world = memory_world()
    broken = Failing("before directory.baseline", PermanentError("schema"))
    world.services = with_failure(world.services, broken)
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    world.desk.change_ticket(ref, by="agt1", assignee=world.account("AGT1"))
    world.run()
    assert world.handling(ref).stage is Stage.TAKEN_OVER
    assert world.directory.calls == []


def test_a_parked_call_of_unknown_outcome_stays_a_persons() -> None:
    world, ref = waiting()
    world.directory.loses_call.add("entry-req")
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    world.desk.move(ref, TicketState.CLOSED, by="agt1")
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    world.desk.move(ref, TicketState.ON_HOLD, by="agt1")
    operations.release(world.services, ref, by="operator")
    assert world.handling(ref).stage is Stage.RELEASED
    assert world.ticket(ref).ticket.state is TicketState.NEW
    assert world.change(ref).state is ChangeState.IMPLEMENT
    assert any("released by operator" in note.text for note in world.change(ref).notes)
