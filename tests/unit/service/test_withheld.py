"""An intent that was stopped before it fired waits again, and runs at most once afterwards."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState
from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import TicketState
from engine.errors import AlreadyConsumedError
from engine.service import advance, effects, operations, pauses
from engine.service.implement import WAITS_AT
from engine.service.world import Services
from engine.testing.clocks import RecordingWaker
from engine.testing.interruptions import interrupted
from engine.testing.store import MemoryStore
from engine.testing.world import DIRECTORY, JOIN, LEAVE, RESET, SYSTEM, MemoryWorld, memory_world

MINUTES = timedelta(minutes=10)


def watched(services: Services, watch: Callable[[str], None]) -> Services:
    return replace(
        services,
        changes={SYSTEM: interrupted(services.changes[SYSTEM], "changes", watch)},
        fulfillers={DIRECTORY: interrupted(services.fulfillers[DIRECTORY], "directory", watch)},
    )


def withheld() -> tuple[MemoryWorld, TicketRef]:
    """A change that was put on hold between its claim and the second read."""
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    done: list[str] = []

    def hold(point: str) -> None:
        if point == "after changes.claim" and not done:
            done.append(point)
            hold_change(world, ref, is_held=True)

    plain = world.services
    world.services = watched(plain, hold)
    world.run()
    world.services = plain
    world.pass_time(MINUTES, stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.AWAITING
    assert effect_of(world, ref).phase is EffectPhase.WITHHELD
    return world, ref


def hold_change(world: MemoryWorld, ref: TicketRef, *, is_held: bool) -> None:
    owner = world.account("OWN1")
    world.changes.hold(world.change_ref(ref), is_held=is_held, by=owner, reason="parts are late")


def effect_of(world: MemoryWorld, ref: TicketRef) -> Effect:
    handling = world.handling(ref)
    with world.store.begin() as work:
        (found,) = work.effects(handling.id)
    return found


def run_long(world: MemoryWorld) -> None:
    world.pass_time(MINUTES, stride=timedelta(minutes=1))


def test_every_gate_behind_which_something_runs_has_a_place_to_wait_again() -> None:
    assert set(WAITS_AT) == set(Gate) - {Gate.UNDECIDED, Gate.PERSON}


def test_a_withheld_intent_is_resumed_once_by_the_same_approval() -> None:
    world, ref = withheld()
    first = effect_of(world, ref)
    hold_change(world, ref, is_held=False)
    run_long(world)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1
    last = effect_of(world, ref)
    assert (last.key, last.phase) == (first.key, EffectPhase.DONE)
    assert last.fence > first.fence


def test_the_ticket_is_told_once_why_it_waits() -> None:
    world, ref = withheld()
    told = [note for note in world.ticket(ref).notes if "parts are late" in note.text]
    assert len(told) == 1
    run_long(world)
    hold_change(world, ref, is_held=False)
    hold_change(world, ref, is_held=True)
    run_long(world)
    assert [note for note in world.ticket(ref).notes if "parts are late" in note.text] == told


def test_what_was_withheld_ends_with_its_handling_and_is_never_resumed() -> None:
    world, ref = withheld()
    world.changes.cancel_by(world.change_ref(ref), by=world.account("OWN1"))
    run_long(world)
    assert world.handling(ref).stage is Stage.CANCELLED
    ended = effect_of(world, ref)
    assert ended.phase is EffectPhase.FAILED
    assert world.directory.calls == []
    with pytest.raises(AlreadyConsumedError), world.store.begin() as work:
        work.settle(replace(ended, phase=EffectPhase.INTENT, fence=ended.fence + 1))


def test_an_operator_releases_what_was_withheld() -> None:
    world, ref = withheld()
    operations.release(world.services, ref, by="ops")
    run_long(world)
    assert world.handling(ref).stage is Stage.RELEASED
    assert world.change(ref).state is ChangeState.CANCELLED
    assert effect_of(world, ref).phase is EffectPhase.FAILED


def test_an_edited_plan_that_was_withheld_is_revised_and_needs_a_new_approval() -> None:
    world, ref = withheld()
    world.changes.edit(world.change_ref(ref), "description", "more", by=world.account("OWN1"))
    hold_change(world, ref, is_held=False)
    run_long(world)
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.directory.calls == []
    world.approve(ref)
    run_long(world)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_it_can_be_withheld_again_and_again_and_still_runs_once() -> None:
    world, ref = withheld()
    plain, count = world.services, [0]

    def hold(point: str) -> None:
        if point == "after changes.claim" and count[0] < 6:
            count[0] += 1
            hold_change(world, ref, is_held=True)

    world.services = watched(plain, hold)
    for _ in range(8):
        hold_change(world, ref, is_held=False)
        run_long(world)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def restored(world: MemoryWorld, store: MemoryStore) -> MemoryWorld:
    """The same installation, started again on an older copy of its rows."""
    settings = replace(world.services.settings, owner="restored")
    waker = RecordingWaker()
    services = replace(world.services, settings=settings, store=store, waker=waker)
    return replace(world, services=services, store=store, waker=waker)


def backup_of(world: MemoryWorld) -> MemoryStore:
    """A backup, taken behind the store's back."""
    store = MemoryStore()
    vars(store)["_rows"] = vars(world.store)["_rows"].copy()
    return store


def test_a_backup_of_a_withheld_intent_cannot_run_what_the_original_ran() -> None:
    world, ref = withheld()
    backup = backup_of(world)
    hold_change(world, ref, is_held=False)
    died: list[str] = []

    def die(point: str) -> None:
        if point == "before changes.close":
            died.append(point)
            raise AssertionError("the machine is lost before the change is closed")

    plain = world.services
    world.services = watched(plain, die)
    with pytest.raises(AssertionError, match="machine is lost"):
        run_long(world)
    assert died
    assert len(world.directory.calls) == 1
    assert world.change(ref).state is ChangeState.IMPLEMENT
    world.services = plain
    again = restored(world, backup)
    run_long(again)
    assert len(world.directory.calls) == 1
    assert again.handling(ref).stage is Stage.HANDED_OVER


@pytest.mark.parametrize("text", [RESET, LEAVE])
def test_a_pause_before_the_call_sends_it_back_behind_every_gate(text: str) -> None:
    world = memory_world()
    ref = world.ask(text)
    done: list[str] = []

    def pause(point: str) -> None:
        if point == "before directory.baseline" and not done:
            done.append(point)
            pauses.pause(world.services, by="ops", action=None, system=None)

    plain = world.services
    world.services = watched(plain, pause)
    world.run()
    if text == LEAVE:
        code = world.handling(ref).plan
        assert code is not None
        world.desk.answer(ref, by=world.account("AGT1"), answer="accept", code=code.code)
        run_long(world)
    assert world.directory.calls == []
    assert world.handling(ref).stage in {Stage.READY, Stage.APPROVED}
    world.services = plain
    pauses.resume(world.services, by="ops", action=None, system=None)
    run_long(world)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_a_person_who_takes_the_ticket_during_a_pause_wins() -> None:
    """It once stayed in implementing for the length of the pause, where nobody looked again."""
    world = memory_world()
    ref = world.ask(RESET)
    done: list[str] = []

    def pause(point: str) -> None:
        if point == "before directory.baseline" and not done:
            done.append(point)
            pauses.pause(world.services, by="ops", action=None, system=None)

    plain = world.services
    world.services = watched(plain, pause)
    world.run()
    world.services = plain
    run_long(world)
    world.desk.change_ticket(ref, by="agt1", assignee=world.account("AGT1"))
    pauses.resume(world.services, by="ops", action=None, system=None)
    run_long(world)
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.TAKEN_OVER


def test_a_withheld_intent_counts_for_no_limit_until_it_is_resumed() -> None:
    world, ref = withheld()
    since = world.clock.now() - timedelta(days=1)
    action = effect_of(world, ref).action

    with world.store.begin() as work:
        assert work.count_effects(action=action, since=since) == 0
    hold_change(world, ref, is_held=False)
    run_long(world)
    with world.store.begin() as work:
        assert work.count_effects(action=action, since=since) == 1


def test_what_was_fired_is_never_withheld() -> None:
    world, ref = withheld()
    hold_change(world, ref, is_held=False)
    run_long(world)
    done = effect_of(world, ref)
    with pytest.raises(AssertionError, match="never fired"), world.store.begin() as work:
        effects.withhold_in(work, done, world.clock.now())
    assert advance.advance(world.services, world.handling(ref).id) is False
    assert world.ticket(ref).ticket.state is not TicketState.ON_HOLD
    assert done.kind is EffectKind.IMPLEMENT
