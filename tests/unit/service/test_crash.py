"""The process dies at every call and at every commit; after a restart everything is there once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.audit import first_misfit
from engine.domain.change import ChangeState
from engine.domain.effect import EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.service.world import Services, chain_of
from engine.testing.interruptions import Killed, interrupted
from engine.testing.store import MemoryStore
from engine.testing.world import DIRECTORY, JOIN, LEAVE, RESET, SYSTEM, MemoryWorld, memory_world

WAYS = {"reset": RESET, "change": JOIN, "desk": LEAVE}


class CountingStore(MemoryStore):
    """Tells a watch before and after every commit."""

    def __init__(self, watch: Callable[[str], None]) -> None:
        super().__init__()
        self.watch = watch

    def before_commit(self) -> None:
        self.watch("before commit")

    def after_commit(self) -> None:
        self.watch("after commit")


class Bomb:
    """Counts every point at which the process could die; dies at one of them, once."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.points: list[str] = []
        self.armed = False

    def __call__(self, point: str) -> None:
        if not self.armed:
            return
        self.points.append(point)
        if self.at is not None and len(self.points) == self.at + 1:
            raise Killed(point)


def watched(services: Services, bomb: Bomb) -> Services:
    return replace(
        services,
        desks={SYSTEM: interrupted(services.desks[SYSTEM], "desk", bomb)},
        changes={SYSTEM: interrupted(services.changes[SYSTEM], "changes", bomb)},
        fulfillers={DIRECTORY: interrupted(services.fulfillers[DIRECTORY], "directory", bomb)},
        mailer=interrupted(services.mailer, "mailer", bomb),
    )


def go(world: MemoryWorld, ref: TicketRef) -> None:
    """Do the next thing that people do, or let time pass."""
    handling = world.handling(ref)
    if handling.stage is Stage.AWAITING and handling.change is not None:
        if not any(row.set_by for row in world.change(ref).rows):
            world.approve(ref)
    elif (
        handling.stage is Stage.AWAITING
        and handling.plan is not None
        and not world.ticket(ref).answers
    ):
        code = handling.plan.code
        world.desk.answer(ref, by=world.account("AGT1"), answer="accept", code=code)
    world.clock.advance(timedelta(seconds=30))


def play(text: str, bomb: Bomb) -> tuple[MemoryWorld, TicketRef]:
    """Take one ticket to its end; restart the process whenever it dies."""
    world = memory_world(store=CountingStore(bomb))
    world.directory.groups["dba"] = {"entry-own1"} | ({"entry-req"} if text == LEAVE else set())
    plain = world.services
    world.services = watched(plain, bomb)
    world.clock.advance(timedelta(seconds=1))
    ref = world.desk.seed(text, requester=world.account("REQ"))
    process = 1
    for _ in range(60):
        try:
            bomb.armed = True
            world.run()
            bomb.armed = False
        except Killed:
            bomb.armed = False
            process += 1
            settings = replace(plain.settings, owner=f"process-{process}")
            world.services = watched(replace(plain, settings=settings), bomb)
            world.waker.take()
            world.clock.advance(timedelta(seconds=1))
            continue
        if world.handling(ref).stage.is_end:
            return world, ref
        go(world, ref)
    raise AssertionError(f"never ended: {world.handling(ref)}")


def points(text: str) -> list[str]:
    bomb = Bomb()
    play(text, bomb)
    return bomb.points


@pytest.mark.parametrize("way", WAYS)
def test_wherever_the_process_dies_everything_is_there_once(way: str) -> None:
    names = points(WAYS[way])
    assert len(names) > 40
    for number, name in enumerate(names):
        world, ref = play(WAYS[way], Bomb(number))
        where = f"{way}: died {name} (point {number})"
        assert world.handling(ref).stage is Stage.FULFILLED, f"{where}: {world.handling(ref)}"
        assert len(world.directory.calls) == 1, where
        assert len(world.changes.records) == (way == "change"), where
        record = world.ticket(ref)
        assert len({note.marker for note in record.notes}) == len(record.notes), where
        assert len(record.notes) == (1 if way == "reset" else 2), where
        assert len(world.mailer.delivered()) == (way == "reset"), where
        assert all(item.state is ChangeState.CLOSED for item in world.changes.records.values())
        handling_id = world.handling(ref).id
        with world.store.begin() as work:
            assert first_misfit(work.audit(chain_of(ref))) is None, where
            (effect,) = work.effects(handling_id)
            assert effect.phase is EffectPhase.DONE, where
            assert len(work.handlings()) == 1, where
