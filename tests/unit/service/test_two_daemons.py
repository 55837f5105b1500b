"""Two daemons, on one store or on two: one effect, whatever they do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import TicketState
from engine.service.world import Services
from engine.testing.clocks import RecordingWaker
from engine.testing.store import MemoryStore
from engine.testing.world import JOIN, MemoryWorld, memory_world


def second_daemon(world: MemoryWorld, *, installation: str, store: MemoryStore) -> MemoryWorld:
    """Return another daemon on the same systems."""
    settings = replace(world.services.settings, owner="other", installation=installation)
    waker = RecordingWaker()
    services: Services = replace(world.services, settings=settings, store=store, waker=waker)
    other = replace(world, services=services, store=store, waker=waker)
    other.poll()
    return other


def settle(*worlds: MemoryWorld) -> None:
    for _ in range(8):
        for world in worlds:
            world.run()
        worlds[0].clock.advance(timedelta(minutes=2))


def approve_everything(world: MemoryWorld) -> None:
    for change in list(world.changes.records.values()):
        if change.state == "authorize":
            world.changes.decide(change.ref, by=world.account("OWN1"), approve=True)


def ask(world: MemoryWorld) -> TicketRef:
    world.clock.advance(timedelta(seconds=1))
    return world.desk.seed(JOIN, requester=world.account("REQ"))


@pytest.mark.parametrize("installation", ["memory", "elsewhere"])
def test_two_daemons_with_two_stores_have_one_effect(installation: str) -> None:
    world = memory_world()
    other = second_daemon(world, installation=installation, store=MemoryStore())
    ref = ask(world)
    for _ in range(4):
        settle(world, other)
        approve_everything(world)
    settle(world, other)
    assert len(world.directory.calls) <= 1
    stages = {world.handling(ref).stage, other.handling(ref).stage}
    assert all(stage.is_end for stage in stages)


def test_two_daemons_on_one_store_have_one_effect() -> None:
    world = memory_world()
    other = second_daemon(world, installation="memory", store=world.store)
    ref = ask(world)
    settle(world, other)
    approve_everything(world)
    settle(other, world)
    assert len(world.directory.calls) == 1
    assert len(world.changes.records) == 1
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_ticket_that_somebody_put_on_hold_is_left_alone() -> None:
    world = memory_world()
    ref = ask(world)
    world.desk.move(ref, TicketState.ON_HOLD, by="agt1")
    before = world.ticket(ref).ticket
    world.run()
    assert world.handling(ref).stage is Stage.TAKEN_OVER
    assert world.ticket(ref).ticket == before
