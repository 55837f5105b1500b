"""Taking back: ends of time boxes, backouts, and what changed while it ran."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.change import ChangeSnapshot
from engine.domain.effect import EffectPhase
from engine.domain.refs import ChangeRef
from engine.domain.stage import Stage
from engine.errors import (
    OutcomeUnknownError,
    PermanentError,
    PreconditionError,
    TransientError,
)
from engine.service import operations
from engine.testing.changes import MemoryChangeControl
from engine.testing.world import (
    DOOR,
    RESET,
    memory_world,
)
from tests.unit.service.scenes import Failing, boxed, set_pause, waiting, with_failure


# --- taking back
def test_a_pause_holds_the_end_of_a_time_box_as_well() -> None:
    world, ref = boxed()
    set_pause(world, is_paused=True)
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=30))
    assert world.handling(ref).stage is Stage.TIMEBOXED
    set_pause(world, is_paused=False)
    world.pass_time(timedelta(minutes=2))
    assert world.handling(ref).stage is Stage.FULFILLED


@pytest.mark.parametrize(
    ("when", "error", "stage"),
    [
        ("before", PreconditionError("the target moved on"), Stage.HANDED_OVER),
        ("before", OutcomeUnknownError("no answer"), Stage.PARKED),
        ("after", OutcomeUnknownError("no answer"), Stage.FULFILLED),
        ("before", TransientError("down"), Stage.FULFILLED),
        ("before", PermanentError("broken"), Stage.PARKED),
    ],
)
def test_what_fails_while_a_time_box_ends(when: str, error: Exception, stage: Stage) -> None:
    world, ref = boxed()
    world.services = with_failure(world.services, Failing(f"{when} directory.back_out", error))
    world.pass_time(timedelta(hours=4), stride=timedelta(minutes=10))
    assert world.handling(ref).stage is stage


def test_who_releases_a_time_box_is_told_that_nobody_takes_it_back() -> None:
    world, ref = boxed()
    broken = Failing("before directory.back_out", PermanentError("broken"))
    world.services = with_failure(world.services, broken)
    world.pass_time(timedelta(hours=4), stride=timedelta(minutes=10))
    operations.release(world.services, ref, by="operator")
    assert world.handling(ref).stage is Stage.RELEASED
    assert "nothing of ours takes it back" in world.handling(ref).reason
    told = [note.text for note in world.change(ref).notes]
    assert any("nothing of ours takes it back" in text for text in told)


def test_a_backout_that_is_refused_goes_to_a_person() -> None:
    world, ref = waiting()
    world.directory.fails_verification.add("entry-req")
    world.approve(ref)
    refused = Failing("before directory.back_out", PreconditionError("moved on"))
    world.services = with_failure(world.services, refused)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert any("moved on" in note.text for note in world.ticket(ref).notes)


def test_what_cannot_be_undone_is_told_when_its_verification_fails() -> None:
    world = memory_world()
    ref = world.ask(RESET)

    def spoil(point: str) -> None:
        if point == "after directory.implement":
            world.directory.passwords["entry-req"] = "somebody else's"

    world.services = with_failure(world.services, spoil)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert "cannot be undone" in world.handling(ref).reason
    assert world.mailer.sent == []


def test_a_change_deleted_while_it_runs_is_backed_out() -> None:
    world, ref = waiting()
    world.approve(ref)
    change = world.change_ref(ref)

    def delete(point: str) -> None:
        if point == "after directory.implement":
            world.changes.delete(change)

    world.services = with_failure(world.services, delete)
    world.run()
    assert world.handling(ref).stage is Stage.BACKED_OUT
    assert world.directory.groups["dba"] == {"entry-own1"}


@pytest.mark.parametrize(
    "hidden", [{"history": None}, {"moved_by": None}], ids=["history", "who moved it"]
)
@pytest.mark.parametrize(
    ("looks", "stage"), [(3, Stage.FULFILLED), (1000, Stage.PARKED)], ids=["lags", "stays away"]
)
def test_what_cannot_be_told_after_the_effect_undoes_nothing(
    hidden: dict[str, Any], looks: int, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ref = waiting()
    world.approve(ref)
    real, left = MemoryChangeControl.snapshot, looks

    def lagging(control: MemoryChangeControl, change: ChangeRef) -> ChangeSnapshot:
        nonlocal left
        found = real(control, change)
        if world.directory.calls and left:
            left -= 1
            return replace(found, **hidden)
        return found

    monkeypatch.setattr(MemoryChangeControl, "snapshot", lagging)
    world.pass_time(timedelta(hours=12), stride=timedelta(minutes=5))
    assert world.handling(ref).stage is stage
    assert world.directory.groups["dba"] == {"entry-own1", "entry-req"}
    assert len(world.directory.calls) == 1


def test_a_change_deleted_before_the_second_verdict_stops_it() -> None:
    world, ref = waiting()
    world.approve(ref)
    change = world.change_ref(ref)

    def delete(point: str) -> None:
        if point == "after changes.claim":
            world.changes.delete(change)

    world.services = with_failure(world.services, delete)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def test_a_refusal_that_nobody_foresaw_is_verified_and_then_a_persons() -> None:
    world, ref = waiting(DOOR)
    world.approve(ref)
    broken = Failing("before directory.implement", PermanentError("schema violation"))
    world.services = with_failure(world.services, broken)
    world.run()
    assert world.handling(ref).stage is Stage.PARKED
    handling_id = world.handling(ref).id
    with world.store.begin() as work:
        (effect,) = work.effects(handling_id)
    assert effect.phase is EffectPhase.UNKNOWN
