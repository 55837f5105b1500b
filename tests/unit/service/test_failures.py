"""What goes wrong while it runs: verified, backed out, parked, told; never run twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState, ClaimResult, CloseCode
from engine.domain.effect import EffectPhase
from engine.domain.stage import Stage
from engine.domain.ticket import NativeApproval, TicketState
from engine.errors import (
    AuthenticationError,
    MissingRightError,
    NotApprovedError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnmappedValueError,
)
from engine.service import faults, operations, pauses
from engine.service.world import Services
from engine.testing.world import DIRECTORY, DOOR, JOIN, RESET, SYSTEM, MemoryWorld, memory_world
from tests.unit.service.scenes import SECOND, Failing, approved, phases, with_failure


def test_a_failed_verification_is_backed_out_and_said_so() -> None:
    world, ref = approved()
    world.directory.fails_verification.add("entry-req")
    world.run()
    assert world.handling(ref).stage is Stage.BACKED_OUT
    assert world.directory.groups["dba"] == {"entry-own1"}
    assert sorted(phases(world, ref)) == [EffectPhase.BACKED_OUT, EffectPhase.DONE]
    assert world.change(ref).close_code is CloseCode.UNSUCCESSFUL
    assert world.ticket(ref).ticket.state is TicketState.NEW
    assert any("backed out" in note.text for note in world.ticket(ref).notes)


def test_a_lost_answer_is_verified_and_not_repeated() -> None:
    world, ref = approved()
    world.directory.loses_answer.add("entry-req")
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_a_call_of_unknown_outcome_that_is_not_there_is_a_persons() -> None:
    world, ref = approved()
    world.directory.loses_call.add("entry-req")
    world.run()
    world.pass_time(timedelta(hours=1))
    assert world.handling(ref).stage is Stage.PARKED
    assert world.directory.calls == []
    assert phases(world, ref) == [EffectPhase.UNKNOWN]
    assert any("unknown" in note.text for note in world.ticket(ref).notes)


def test_an_interrupted_call_of_an_action_that_may_not_repeat_is_a_persons() -> None:
    class Dead(BaseException):
        pass

    def die(point: str) -> None:
        if point == "before directory.implement":
            raise Dead

    world, ref = approved(DOOR, die)
    with pytest.raises(Dead):
        world.run()
    world.services = memory_services(world, "process-2")
    world.pass_time(timedelta(minutes=5), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.PARKED
    assert world.directory.doors == {}
    assert phases(world, ref) == [EffectPhase.UNKNOWN]


def memory_services(world: MemoryWorld, owner: str) -> Services:
    """Return the plain ports again, as another process."""
    return replace(
        world.services,
        desks={SYSTEM: world.desk},
        changes={SYSTEM: world.changes},
        fulfillers={DIRECTORY: world.directory},
        settings=replace(world.services.settings, owner=owner),
    )


@pytest.mark.parametrize(
    "error",
    [TransientError("down"), RateLimitedError("busy", retry_after=timedelta(minutes=1))],
)
@pytest.mark.parametrize(
    "point",
    [
        "before desk.read",
        "before changes.find",
        "before changes.open",
        "before changes.submit",
        "before changes.snapshot",
        "before changes.claim",
        "before changes.begin",
        "before directory.implement",
        "before directory.verify",
        "before changes.close",
        "before desk.add_work_note",
        "before desk.resolve",
    ],
)
def test_an_outage_delays_and_changes_nothing_else(point: str, error: Exception) -> None:
    world = memory_world()
    world.services = with_failure(world.services, Failing(point, error, times=3))
    ref = world.ask(JOIN)
    for _ in range(12):
        world.run()
        if world.handling(ref).stage is Stage.AWAITING and not any(
            row.set_by for row in world.change(ref).rows
        ):
            world.approve(ref)
        world.clock.advance(timedelta(minutes=3))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1
    assert len(world.changes.records) == 1


def test_an_outage_that_never_ends_is_a_persons() -> None:
    world = memory_world()
    down = Failing("before changes.open", TransientError("down"), times=10_000)
    world.services = with_failure(world.services, down)
    ref = world.ask(JOIN)
    world.pass_time(timedelta(days=1), stride=timedelta(minutes=15))
    handling = world.handling(ref)
    assert handling.stage is Stage.PARKED
    assert "failures in a row" in handling.reason


def test_refused_credentials_park_no_ticket() -> None:
    world = memory_world()
    refused = Failing("before desk.read", AuthenticationError("401"), times=100)
    world.services = with_failure(world.services, refused)
    ref = world.ask(JOIN)
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=10))
    assert world.handling(ref).stage is Stage.INGESTED
    refused.times = 0
    world.pass_time(timedelta(hours=1), stride=timedelta(minutes=10))
    assert world.handling(ref).stage is Stage.AWAITING


@pytest.mark.parametrize(
    ("point", "error"),
    [
        ("before changes.submit", MissingRightError("may not write change_request")),
        ("before changes.snapshot", UnmappedValueError("state", "99")),
        ("before directory.baseline", PermanentError("broken schema")),
    ],
)
def test_what_trying_again_cannot_help_parks_with_its_reason(
    point: str, error: PermanentError
) -> None:
    world = memory_world()
    world.services = with_failure(world.services, Failing(point, error, times=1))
    ref = world.ask(JOIN)
    world.run()
    if world.handling(ref).stage is Stage.AWAITING:
        world.approve(ref)
        world.run()
    handling = world.handling(ref)
    assert handling.stage is Stage.PARKED
    assert str(error) in handling.reason
    assert any(str(error) in note.text for note in world.ticket(ref).notes)
    assert world.directory.calls == []


def test_a_change_that_another_daemon_claimed_is_left_alone() -> None:
    world, ref = approved()
    plan = world.handling(ref).plan
    assert plan is not None
    claimed = world.changes.claim(world.change_ref(ref), plan_digest=plan.digest, owner="other")
    assert claimed is ClaimResult.WON
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
    assert world.change(ref).state is ChangeState.SCHEDULED


def test_a_restored_backup_runs_nothing_again() -> None:
    world, ref = approved()
    backup = world.store._rows
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    world.store._rows = backup
    world.directory.groups["dba"].discard("entry-req")
    world.desk.move(ref, TicketState.NEW, by="agt1")
    world.change(ref).state = ChangeState.SCHEDULED
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=10))
    assert len(world.directory.calls) == 1
    assert world.handling(ref).stage is Stage.HANDED_OVER


@pytest.mark.parametrize("when", ["after changes.claim", "before changes.begin"])
def test_what_is_taken_back_between_the_claim_and_the_effect_stops_it(when: str) -> None:
    world, ref = approved()

    def cancel(point: str) -> None:
        if point == when and world.change(ref).state is ChangeState.SCHEDULED:
            world.changes.cancel_by(world.change_ref(ref), by=world.account("OWN1"))

    world.services = with_failure(world.services, cancel)
    world.run()
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
    assert world.change(ref).state is ChangeState.CANCELLED
    assert world.change(ref).moved_by == world.account("OWN1")


def test_on_hold_in_the_last_second_waits_and_goes_on_when_released() -> None:
    world, ref = approved()
    owner = world.account("OWN1")
    held: list[str] = []

    def hold(point: str) -> None:
        if point == "after changes.claim" and not held:
            held.append(point)
            world.changes.hold(world.change_ref(ref), is_held=True, by=owner)

    world.services = with_failure(world.services, hold)
    world.run()
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.AWAITING
    world.changes.hold(world.change_ref(ref), is_held=False, by=owner)
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_what_is_taken_back_while_it_runs_is_backed_out() -> None:
    world, ref = approved()

    def reject(point: str) -> None:
        if point == "after directory.implement":
            owner = world.account("OWN2")
            world.changes.decide(world.change_ref(ref), by=owner, approve=False)

    world.services = with_failure(world.services, reject)
    world.run()
    assert world.handling(ref).stage is Stage.BACKED_OUT
    assert world.directory.groups["dba"] == {"entry-own1"}


def test_a_change_that_refuses_to_begin_fires_nothing() -> None:
    world, ref = approved(watch=Failing("before changes.begin", NotApprovedError("no")))
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
    assert world.change(ref).state is ChangeState.CANCELLED


def test_a_target_that_refuses_closes_the_change_truthfully() -> None:
    world, ref = approved()

    def protect(point: str) -> None:
        if point == "after changes.begin":
            world.directory.protected.add("entry-req")

    world.services = with_failure(world.services, protect)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
    assert world.change(ref).close_code is CloseCode.UNSUCCESSFUL


def test_without_an_address_nothing_is_reset() -> None:
    world = memory_world()
    world.directory.addresses.clear()
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.passwords == {}
    assert world.mailer.sent == []


def test_a_secret_that_cannot_be_delivered_is_told_and_never_written_on_the_ticket() -> None:
    world = memory_world()
    world.services = with_failure(
        world.services, Failing("before mailer.send", PermanentError("550 no such user"))
    )
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    secret = world.directory.passwords["entry-req"]
    assert not any(secret in note.text for note in world.ticket(ref).notes)
    assert any("could not be delivered" in note.text for note in world.ticket(ref).notes)


def test_a_mail_server_that_is_down_gets_the_same_message_later() -> None:
    world = memory_world()
    world.services = with_failure(
        world.services, Failing("after mailer.send", TransientError("closed"), times=2)
    )
    ref = world.ask(RESET)
    world.pass_time(timedelta(minutes=5), stride=timedelta(seconds=10))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.mailer.sent) == 3
    assert len(world.mailer.delivered()) == 1
    assert len(world.directory.calls) == 1


@pytest.mark.parametrize(
    ("action", "system"),
    [(None, None), ("add_group_member", None), (None, DIRECTORY), (None, SYSTEM)],
)
def test_a_pause_stops_the_next_effect_and_resuming_lets_it_run(
    action: str | None, system: str | None
) -> None:
    world, ref = approved()
    pauses.pause(world.services, by="operator", action=action, system=system, reason="audit")
    world.run()
    world.pass_time(timedelta(minutes=5), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.APPROVED
    assert "audit" in world.handling(ref).reason
    assert world.directory.calls == []
    assert pauses.resume(world.services, by="operator", action=action, system=system)
    assert not pauses.resume(world.services, by="operator", action=action, system=system)
    world.pass_time(timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_pause_of_another_action_stops_nothing() -> None:
    world, ref = approved()
    pauses.pause(world.services, by="operator", action="reset_password", system=None)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_pause_between_intent_and_call_holds_the_call() -> None:
    world, ref = approved()

    def pause(point: str) -> None:
        if point == "after changes.begin":
            pauses.pause(world.services, by="operator", action=None, system=None)

    world.services = with_failure(world.services, pause)
    world.run()
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.APPROVED
    pauses.resume(world.services, by="operator", action=None, system=None)
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_the_tickets_own_approval_is_waited_for_and_a_rejection_ends_it() -> None:
    world = memory_world()
    ref = world.ask(RESET, native_approval=NativeApproval.PENDING)
    other = world.ask(RESET, native_approval=NativeApproval.PENDING)
    world.pass_time(timedelta(minutes=5))
    assert world.handling(ref).stage is Stage.TRIAGED
    world.desk.approve_natively(ref, NativeApproval.APPROVED)
    world.desk.approve_natively(other, NativeApproval.REJECTED)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert world.handling(other).stage is Stage.CANCELLED
    assert len(world.directory.calls) == 1


def test_a_limit_holds_also_for_two_that_were_decided_together() -> None:
    world = memory_world()
    world.policy.change("reset_password", per_day=1)
    refs = [world.ask(RESET), world.ask(RESET)]
    world.run()
    stages = sorted(world.handling(ref).stage for ref in refs)
    assert stages == [Stage.FULFILLED, Stage.HANDED_OVER]
    assert len(world.directory.calls) == 1


def test_a_fault_is_one_incident_and_one_mail_until_it_is_mended() -> None:
    world = memory_world()
    for why in ("401", "401 again"):
        faults.tell(world.services, "poll desk", why)
    assert faults.standing(world.services, "poll desk")
    assert len(world.desk.faults) == 1
    assert [mail.to for mail in world.mailer.sent] == ["ops@example.test"]
    faults.mend(world.services, "poll desk")
    faults.mend(world.services, "poll desk")
    assert world.desk.faults == {}
    world.clock.advance(SECOND)
    faults.tell(world.services, "poll desk", "503")
    assert len(world.mailer.delivered()) == 2


def test_a_fault_is_mailed_although_the_desk_is_down() -> None:
    world = memory_world()
    world.services = with_failure(
        world.services, Failing("before desk.open_fault", TransientError("down"))
    )
    with pytest.raises(TransientError):
        faults.tell(world.services, "poll desk", "down")
    assert len(world.mailer.sent) == 1


def test_a_retry_is_a_new_decision_and_a_new_change() -> None:
    world, ref = approved()
    world.services = with_failure(
        world.services, Failing("before changes.snapshot", UnmappedValueError("state", "99"))
    )
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    first = world.change(ref)
    operations.retry(world.services, ref, by="operator")
    world.run()
    handling = world.handling(ref)
    assert handling.attempt == 2
    assert handling.stage is Stage.AWAITING
    assert first.state is ChangeState.CANCELLED
    assert world.change(ref).ref != first.ref


def test_a_withdrawal_that_failed_at_first_still_tells_why_it_withdrew() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    down = Failing("before changes.cancel", TransientError("503 again"), times=2)
    world.services = with_failure(world.services, down)
    world.changes.edit(world.change_ref(ref), "test", "None.", by=world.account("OUT"))
    world.run()
    stuck = world.handling(ref)
    assert stuck.stage is Stage.WITHDRAWING
    assert "503 again" in stuck.trouble
    world.pass_time(timedelta(hours=1), stride=timedelta(minutes=5))
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.handling(ref).trouble == ""
    told = [note.text for note in world.ticket(ref).notes]
    assert any("the plan's text is not the submitted one" in text for text in told)
    assert not any("503 again" in text for text in told)


def test_a_parked_ticket_that_could_not_be_told_at_first_is_told_the_reason() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    down = Failing("before desk.add_work_note", TransientError("503 again"), times=2)
    world.services = with_failure(world.services, down)
    world.changes.records[world.change_ref(ref).id].unmapped = "perhaps"
    world.approve(ref)
    world.pass_time(timedelta(hours=1), stride=timedelta(minutes=5))
    assert world.handling(ref).stage is Stage.PARKED
    told = [note.text for note in world.ticket(ref).notes]
    assert any("perhaps" in text for text in told)
    assert not any("503 again" in text for text in told)


def test_a_change_that_is_found_after_a_crash_is_completed_before_it_counts_as_opened() -> None:
    seen: list[str] = []
    world = memory_world()
    lost = Failing("after changes.open", OutcomeUnknownError("no answer"))

    def watch(point: str) -> None:
        seen.append(point)
        lost(point)

    world.services = with_failure(world.services, watch)
    ref = world.ask(JOIN)
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.AWAITING
    assert seen.index("after changes.complete") < seen.index("before changes.submit")
    assert len(world.changes.records) == 1
