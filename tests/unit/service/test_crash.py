"""The process dies at every call and at every commit; after a restart everything is there once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from engine.domain.audit import first_misfit
from engine.domain.change import ChangeState
from engine.domain.effect import EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.service.world import Services, chain_of
from engine.testing.brains import understood
from engine.testing.interruptions import Killed, interrupted
from engine.testing.store import MemoryStore
from engine.testing.world import (
    DIRECTORY,
    JOIN,
    LEAVE,
    RESET,
    SYSTEM,
    VAGUE,
    MemoryWorld,
    memory_world,
)

FOR_A_DAY = "access until tomorrow"


@dataclass(frozen=True)
class Way:
    """One way of a ticket, and what must be there when it ends, wherever the process died."""

    text: str
    end: Stage = Stage.FULFILLED
    calls: int = 1
    changes: int = 1
    notes: int = 2
    mails: int = 0
    phases: tuple[EffectPhase, ...] = (EffectPhase.DONE,)
    change_end: ChangeState = ChangeState.CLOSED
    may_park: bool = False
    """An interrupted run whose target is neither as planned nor as before is a person's."""


DONE, BACKED_OUT = EffectPhase.DONE, EffectPhase.BACKED_OUT
WAYS = {
    "reset": Way(text=RESET, changes=0, notes=1, mails=1),
    "change": Way(text=JOIN),
    "desk": Way(text=LEAVE, changes=0),
    "back out": Way(
        text=JOIN, end=Stage.BACKED_OUT, calls=2, phases=(BACKED_OUT, DONE), may_park=True
    ),
    "time box": Way(text=FOR_A_DAY, calls=2, notes=3, phases=(DONE, DONE)),
    "rejected": Way(
        text=JOIN, end=Stage.REJECTED, calls=0, phases=(), change_end=ChangeState.CANCELLED
    ),
    "hand over": Way(text=VAGUE, end=Stage.HANDED_OVER, calls=0, changes=0, notes=1, phases=()),
}


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


def go(world: MemoryWorld, ref: TicketRef, *, is_rejected: bool) -> None:
    """Do the next thing that people do, or let time pass."""
    handling = world.handling(ref)
    if handling.stage is Stage.AWAITING and handling.change is not None:
        if not any(row.set_by for row in world.change(ref).rows):
            world.clock.advance(timedelta(seconds=1))
            owner = world.account("OWN1")
            world.changes.decide(handling.change, by=owner, approve=not is_rejected)
    elif (
        handling.stage is Stage.AWAITING
        and handling.plan is not None
        and not world.ticket(ref).answers
    ):
        code = handling.plan.code
        world.desk.answer(ref, by=world.account("AGT1"), answer="accept", code=code)
    is_boxed = handling.stage is Stage.TIMEBOXED
    world.clock.advance(timedelta(days=1) if is_boxed else timedelta(seconds=30))


def play(name: str, bomb: Bomb) -> tuple[MemoryWorld, TicketRef]:
    """Take one ticket to its end; restart the process whenever it dies."""
    text = WAYS[name].text
    world = memory_world(store=CountingStore(bomb))
    world.directory.groups["dba"] = {"entry-own1"} | ({"entry-req"} if text == LEAVE else set())
    if name == "back out":
        world.directory.fails_verification.add("entry-req")
    until = (world.clock.now() + timedelta(hours=12)).isoformat()
    world.classifier.answers[FOR_A_DAY] = understood(
        "add_group_member", parameters={"group": "dba", "until": until}
    )
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
        if world.handling(ref).stage.is_end or world.handling(ref).stage is Stage.PARKED:
            return world, ref
        go(world, ref, is_rejected=name == "rejected")
    raise AssertionError(f"never ended: {world.handling(ref)}")


def points(name: str) -> list[str]:
    bomb = Bomb()
    play(name, bomb)
    return bomb.points


@pytest.mark.parametrize("name", WAYS)
def test_wherever_the_process_dies_everything_is_there_once(name: str) -> None:
    way, found = WAYS[name], points(name)
    assert len(found) > 20
    for number, point in enumerate(found):
        world, ref = play(name, Bomb(number))
        handling, record = world.handling(ref), world.ticket(ref)
        where = f"{name}: died {point} (point {number}): {handling.stage} {handling.reason}"
        if handling.stage is Stage.PARKED and way.may_park:
            assert len(world.directory.calls) == 1, where
            assert handling.parked_from is Stage.IMPLEMENTING, where
            continue
        assert handling.stage is way.end, where
        assert len(world.directory.calls) == way.calls, where
        assert len(world.changes.records) == way.changes, where
        assert {item.state for item in world.changes.records.values()} <= {way.change_end}, where
        assert len({note.marker for note in record.notes}) == len(record.notes), where
        assert len(record.notes) == way.notes, where
        assert len(world.mailer.delivered()) == way.mails, where
        with world.store.begin() as work:
            assert first_misfit(work.audit(chain_of(ref))) is None, where
            phases = sorted(effect.phase for effect in work.effects(handling.id))
            assert phases == sorted(way.phases), where
            assert len(work.handlings()) == 1, where
