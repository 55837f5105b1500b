"""The scenes that many plays of the use cases begin with, and the failures that strike them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from engine.domain.decision import GatePolicy
from engine.domain.effect import EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.service import pauses
from engine.service.world import Services
from engine.testing.brains import understood
from engine.testing.interruptions import interrupted
from engine.testing.world import DIRECTORY, JOIN, SYSTEM, MemoryWorld, memory_world

SECOND = timedelta(seconds=1)


class Failing:
    """Raises at one point of one port's calls, `times` times."""

    def __init__(self, point: str, error: Exception, times: int = 1) -> None:
        self.point = point
        self.error = error
        self.times = times

    def __call__(self, point: str) -> None:
        if point == self.point and self.times:
            self.times -= 1
            raise self.error


def with_failure(services: Services, watch: Callable[[str], None]) -> Services:
    return replace(
        services,
        desks={SYSTEM: interrupted(services.desks[SYSTEM], "desk", watch)},
        changes={SYSTEM: interrupted(services.changes[SYSTEM], "changes", watch)},
        fulfillers={DIRECTORY: interrupted(services.fulfillers[DIRECTORY], "directory", watch)},
        mailer=interrupted(services.mailer, "mailer", watch),
    )


def approved(
    text: str = JOIN, watch: Callable[[str], None] | None = None
) -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    ref = world.ask(text)
    world.run()
    if watch is not None:
        world.services = with_failure(world.services, watch)
    world.approve(ref)
    return world, ref


def phases(world: MemoryWorld, ref: TicketRef) -> list[EffectPhase]:
    handling_id = world.handling(ref).id
    with world.store.begin() as work:
        return [effect.phase for effect in work.effects(handling_id)]


def waiting(text: str = JOIN) -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    ref = world.ask(text)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    return world, ref


def policy_of(world: MemoryWorld) -> GatePolicy:
    found = world.policy.rules["add_group_member"].policy
    assert found is not None
    return found


def set_pause(world: MemoryWorld, *, is_paused: bool) -> None:
    if is_paused:
        pauses.pause(world.services, by="operator", action=None, system=None)
    else:
        pauses.resume(world.services, by="operator", action=None, system=None)


def boxed() -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    until = (world.clock.now() + timedelta(hours=2)).isoformat()
    world.classifier.answers[JOIN] = understood(
        "add_group_member", parameters={"group": "dba", "until": until}
    )
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.TIMEBOXED
    return world, ref
