"""While it waits: calendars of the change system, who is told, and how often anybody looks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.schedule import NativeSchedule, Obstacle, ObstacleKind
from engine.domain.stage import Stage
from engine.errors import AuthenticationError, MissingRightError
from engine.testing.world import JOIN, SYSTEM, MemoryWorld, memory_world

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def waiting(**policy: object) -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    rule = world.policy.rules["add_group_member"]
    assert rule.policy is not None
    world.policy.change("add_group_member", policy=replace(rule.policy, **policy))  # type: ignore[arg-type]  # fields by name
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    return world, ref


def notes(world: MemoryWorld, ref: TicketRef, word: str) -> list[str]:
    return [note.text for note in world.ticket(ref).notes if word in note.text]


def blackout(world: MemoryWorld, *, begins: timedelta, ends: timedelta) -> None:
    now = world.clock.now()
    world.changes.schedule = NativeSchedule(
        obstacles=(
            Obstacle(
                kind=ObstacleKind.BLACKOUT,
                name="Audit",
                begins_at=now + begins,
                ends_at=now + ends,
            ),
        )
    )


def test_a_blackout_between_approval_and_window_holds_the_effect_until_it_ends() -> None:
    world, ref = waiting(lead=3 * HOUR, length=40 * HOUR)
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.APPROVED
    assert len(notes(world, ref, "window opens")) == 1
    blackout(world, begins=HOUR, ends=10 * HOUR)
    world.pass_time(6 * HOUR, stride=HOUR)
    assert world.directory.calls == []
    assert "blackout Audit" in world.handling(ref).reason
    assert len(notes(world, ref, "blackout Audit")) == 1
    wake_at = world.handling(ref).wake_at
    assert wake_at is not None
    assert wake_at <= world.clock.now() + HOUR
    world.pass_time(6 * HOUR, stride=HOUR)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1
    assert len(notes(world, ref, "blackout Audit")) == 1


def test_it_goes_on_as_soon_as_the_blackout_has_ended() -> None:
    world, ref = waiting()
    blackout(world, begins=timedelta(0), ends=timedelta(minutes=20))
    ended_at = world.clock.now() + timedelta(minutes=20)
    world.approve(ref)
    world.run()
    assert world.directory.calls == []
    assert world.handling(ref).wake_at == ended_at
    world.pass_time(timedelta(minutes=21), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED


def test_schedules_that_cannot_be_read_shut_the_gate_until_they_can() -> None:
    world, ref = waiting()
    world.changes.schedule = NativeSchedule(unreadable="403 on cmn_schedule_span")
    world.approve(ref)
    world.pass_time(5 * HOUR, stride=HOUR)
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.AWAITING
    assert len(notes(world, ref, "cmn_schedule_span")) == 1
    world.changes.schedule = NativeSchedule()
    world.pass_time(2 * HOUR, stride=HOUR)
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_blackout_that_lasts_as_long_as_the_window_ends_in_the_next_revision() -> None:
    world, ref = waiting(lead=HOUR, length=4 * HOUR)
    world.approve(ref)
    world.run()
    blackout(world, begins=timedelta(0), ends=30 * HOUR)
    world.pass_time(6 * HOUR, stride=HOUR)
    handling = world.handling(ref)
    assert handling.plan is not None
    assert handling.plan.revision == 2
    assert world.directory.calls == []


def test_a_conflict_that_approvers_were_told_of_holds_nothing() -> None:
    world, ref = waiting()
    conflict = Obstacle(kind=ObstacleKind.CONFLICT, name="CHG0000001", is_binding=False)
    world.changes.schedule = NativeSchedule(obstacles=(conflict,))
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_approvers_are_told_once_of_a_conflict_that_came_after_they_were_asked() -> None:
    world, ref = waiting()
    conflict = Obstacle(kind=ObstacleKind.CONFLICT, name="CHG0000001", is_binding=False)
    world.changes.schedule = NativeSchedule(obstacles=(conflict,))
    world.pass_time(5 * HOUR, stride=HOUR)
    told = [note for note in world.change(ref).notes if "CHG0000001" in note.text]
    assert len(told) == 1
    assert "approvers decide" in told[0].text


# --- who is told
WATCH = {SYSTEM: ("it-management",), "elsewhere": ("nobody-here",)}


def test_who_is_named_gets_a_mail_and_watches_once_and_nothing_is_approved() -> None:
    world, ref = waiting(tell_after=2 * DAY, tell_watch=WATCH)
    world.pass_time(3 * DAY, stride=6 * HOUR)
    assert world.change(ref).watchers == ["it-management"]
    told = [mail for mail in world.mailer.sent if mail.to == "it-management@example.test"]
    assert len(told) == 1
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.change(ref).state is ChangeState.AUTHORIZE
    world.pass_time(8 * DAY, stride=6 * HOUR)
    assert world.handling(ref).stage is Stage.EXPIRED
    assert world.directory.calls == []


class Refusing:
    """A change control whose account may not add watchers, or is logged out."""

    def __init__(self, control: object, error: Exception) -> None:
        self._control = control
        self._error = error

    def __getattr__(self, name: str) -> object:
        return getattr(self._control, name)

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        del ref, who
        raise self._error


def refusing(world: MemoryWorld, error: Exception) -> None:
    control = Refusing(world.services.changes[SYSTEM], error)
    world.services = replace(world.services, changes={SYSTEM: control})  # type: ignore[dict-item]  # stands in for it


def test_a_watcher_that_is_refused_is_kept_in_the_audit_and_parks_nothing() -> None:
    world, ref = waiting(tell_after=2 * DAY, tell_watch=WATCH)
    plain = world.services
    refusing(world, MissingRightError("may not manage watchers"))
    world.pass_time(3 * DAY, stride=6 * HOUR)
    assert world.handling(ref).stage is Stage.AWAITING
    with world.store.begin() as work:
        (row,) = [row for row in work.audit(f"{SYSTEM}:{ref.id}") if row.event == "told"]
    assert "may not manage watchers" in str(row.body["watch_refused"])
    world.services = plain
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_session_that_ran_out_is_no_refusal_and_is_tried_again() -> None:
    world, ref = waiting(tell_after=2 * DAY, tell_watch=WATCH)
    plain = world.services
    refusing(world, AuthenticationError("logged out"))
    world.pass_time(3 * DAY, stride=6 * HOUR)
    assert world.handling(ref).told_at is None
    world.services = plain
    world.pass_time(HOUR, stride=HOUR)
    assert world.change(ref).watchers == ["it-management"]


# --- how often anybody looks
@pytest.mark.parametrize(("standing", "hours"), [(1, 1), (100, 1), (1200, 10)])
def test_full_looks_have_a_fixed_budget_however_many_wait(standing: int, hours: int) -> None:
    world, ref = waiting()
    settings = replace(world.services.settings, look_spacing=timedelta(seconds=30))
    world.services = replace(world.services, settings=settings)
    with world.store.begin() as work:
        counts = work.stage_counts()
    assert sum(one.count for one in counts) == 1
    crowd(world, standing)
    world.pass_time(timedelta(minutes=61))
    wake_at = world.handling(ref).wake_at
    assert wake_at is not None
    assert wake_at - world.clock.now() == hours * HOUR


def crowd(world: MemoryWorld, standing: int) -> None:
    """Let so many handlings wait, as the store counts them."""
    rows = vars(world.store)["_rows"]
    (handling,) = rows.handlings.values()
    for number in range(1, standing):
        copy = replace(handling, id=f"{handling.id}-{number}", wake_at=None)
        rows.handlings[copy.id] = copy
        rows.arrivals[copy.id] = rows.arrivals[handling.id]
