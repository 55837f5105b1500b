"""Pauses by command and by a native control record: either stops new effects."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.errors import TransientError
from engine.ports.control import ControlReading
from engine.ports.findings import Finding
from engine.ports.store import Pause
from engine.service import pauses
from engine.testing.world import MemoryWorld
from tests.unit.service.scenes import approved

MINUTE = timedelta(minutes=1)


class Switch:
    """A native control record."""

    name = "desk CTRL0001"

    def __init__(self) -> None:
        self.reading = running()
        self.is_readable = True
        self.reads = 0

    def read(self) -> ControlReading:
        self.reads += 1
        if not self.is_readable:
            raise TransientError("503")
        return self.reading

    def check(self) -> tuple[Finding, ...]:
        return ()


def running(by: str = "Ada Tuter") -> ControlReading:
    return ControlReading(is_paused=False, because="", by=by, at=None)


def stopped(by: str = "Luke Wilson") -> ControlReading:
    return ControlReading(is_paused=True, because=f"switched to 'stop' by {by}", by=by, at=None)


@pytest.fixture
def stage() -> tuple[MemoryWorld, TicketRef, Switch]:
    world, ref = approved()
    switch = Switch()
    world.services = replace(world.services, controls=(switch,))
    return world, ref, switch


def stored(world: MemoryWorld) -> tuple[Pause, ...]:
    with world.store.begin() as work:
        return work.pauses()


def switched(world: MemoryWorld) -> list[tuple[str, str]]:
    with world.store.begin() as work:
        rows = [row for chain in work.chains() for row in work.audit(chain)]
    return [(row.event, row.actor) for row in rows if row.event in {"paused", "resumed"}]


def test_a_control_record_pauses_and_unreadable_it_pauses_too(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, ref, switch = stage
    switch.reading = stopped()
    world.run()
    assert world.directory.calls == []
    assert "Luke Wilson" in world.handling(ref).reason
    switch.is_readable = False
    switch.reading = running()
    world.pass_time(MINUTE)
    assert world.directory.calls == []
    assert "cannot be read" in world.handling(ref).reason
    switch.is_readable = True
    world.pass_time(MINUTE)
    assert world.handling(ref).stage is Stage.FULFILLED


def test_who_switched_it_stands_in_status_and_audit_once(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, _, switch = stage
    switch.reading = stopped()
    for _ in range(3):
        pauses.watch(world.services, switch)
    (one,) = stored(world)
    assert (one.system, one.by) == ("control desk CTRL0001", "Luke Wilson")
    assert "stop" in one.reason
    switch.reading = running()
    pauses.watch(world.services, switch)
    pauses.watch(world.services, switch)
    assert stored(world) == ()
    assert switched(world) == [("paused", "Luke Wilson"), ("resumed", "Ada Tuter")]


def test_an_unreadable_record_is_kept_as_paused_and_told(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, _, switch = stage
    switch.is_readable = False
    with pytest.raises(TransientError):
        pauses.watch(world.services, switch)
    assert "cannot be read" in stored(world)[0].reason


def test_either_of_command_and_record_pauses(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, ref, switch = stage
    switch.reading = stopped()
    pauses.pause(world.services, by="operator", action=None, system=None)
    world.run()
    assert pauses.resume(world.services, by="operator", action=None, system=None)
    world.pass_time(MINUTE)
    assert world.directory.calls == []
    pauses.pause(world.services, by="operator", action=None, system=None)
    switch.reading = running()
    world.pass_time(MINUTE)
    assert world.directory.calls == []
    assert pauses.resume(world.services, by="operator", action=None, system=None)
    world.pass_time(MINUTE)
    assert world.handling(ref).stage is Stage.FULFILLED


def test_what_the_last_cycle_read_still_holds_in_the_transaction_of_the_call(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, ref, switch = stage
    switch.reading = stopped()
    pauses.watch(world.services, switch)
    handling = world.handling(ref)
    with world.store.begin() as work:
        assert "stop" in pauses.standing_in(work, handling)


def test_the_record_is_read_anew_before_the_effect(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, _, switch = stage
    before = switch.reads
    world.run()
    assert len(world.directory.calls) == 1
    assert switch.reads >= before + 2, "before the intent, and before the call"


def test_a_record_that_the_configuration_names_no_more_pauses_no_more(
    stage: tuple[MemoryWorld, TicketRef, Switch],
) -> None:
    world, _, switch = stage
    switch.reading = stopped()
    pauses.watch(world.services, switch)
    pauses.pause(world.services, by="operator", action=None, system="desk")
    world.services = replace(world.services, controls=())
    pauses.forget_removed(world.services)
    assert [one.system for one in stored(world)] == ["desk"]
