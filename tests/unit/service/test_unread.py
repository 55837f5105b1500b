"""A record that cannot be read is told, and taken in as soon as it can be: none is lost by it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket
from engine.runtime.embedded import EmbeddedRuntime
from engine.runtime.work import DaemonWork
from engine.service import unread
from engine.testing.desk import SOURCE
from engine.testing.world import RESET, SYSTEM, VAGUE, MemoryWorld, memory_world

WHY = "INC7: state: value '99' is in no mapping table"
MINUTE = timedelta(minutes=1)
RECORDS = f"records {SYSTEM}/{SOURCE}"


def unreadable(world: MemoryWorld) -> TicketRef:
    """Return a ticket that no table knows, polled."""
    world.clock.advance(MINUTE)
    ref = world.desk.seed(RESET, requester=world.account("REQ"))
    world.desk.records[ref.id].broken = WHY
    return ref


def daemon(world: MemoryWorld) -> EmbeddedRuntime:
    """Return another process on the same rows."""
    work = DaemonWork(
        world.services,
        polls={SYSTEM: MINUTE},
        housekeeping=lambda: None,
        on_step=lambda _before, _after: None,
    )
    return EmbeddedRuntime(work, clock=world.clock)


def test_people_are_told_of_a_record_that_cannot_be_read() -> None:
    world = memory_world()
    unreadable(world)
    runtime = daemon(world)
    runtime.run_once()
    assert WHY in runtime.failing[RECORDS]
    assert WHY in str(world.desk.faults)
    assert [mail.to for mail in world.mailer.sent] == ["ops@example.test"]
    with world.store.begin() as work:
        (health,) = work.health()
    assert health.unread == 1


def test_a_record_is_taken_in_when_it_can_be_read_though_nobody_touched_it() -> None:
    world = memory_world()
    world.desk.page_size = 2
    for _ in range(3):
        world.clock.advance(MINUTE)
        world.desk.seed(VAGUE, requester=world.account("REQ"))
    ref = unreadable(world)
    daemon(world).run_once()
    world.clock.advance(timedelta(days=3))
    daemon(world).run_once()
    world.desk.records[ref.id].broken = ""
    for _ in range(2):  # the first finds that it can be read, the second sweeps again
        runtime = daemon(world)
        runtime.run_once()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert RECORDS not in runtime.failing
    assert world.desk.faults == {}
    with world.store.begin() as work:
        assert len(work.handlings()) == len(world.desk.records)
        assert work.broken(f"{SYSTEM}/{SOURCE}") == {}


def test_a_record_that_is_gone_is_told_no_more() -> None:
    world = memory_world()
    ref = unreadable(world)
    daemon(world).run_once()
    world.desk.delete(ref)
    runtime = daemon(world)
    runtime.run_once()
    assert RECORDS not in runtime.failing
    assert world.desk.faults == {}


def test_a_sweep_that_still_cannot_read_what_can_be_read_by_id_is_not_begun_for_ever() -> None:
    world = memory_world()
    unreadable(world)
    daemon(world).run_once()
    world.clock.advance(timedelta(days=1))
    readable = world.desk.records.values()
    known: set[str] = set()
    cursors = []
    for _ in range(3):
        world.poll()
        with replaced(world, {one.ticket.ref.id: one.ticket for one in readable}):
            unread.look_again(world.services, SYSTEM, SOURCE, known=known)
        with world.store.begin() as work:
            cursors.append(work.cursor(f"{SYSTEM}/{SOURCE}"))
    now = world.clock.now()
    assert [one is not None and one.at == now for one in cursors] == [False, True, True]


@contextmanager
def replaced(world: MemoryWorld, shown: Mapping[str, Ticket]) -> Generator[None]:
    """Let reading by id show what the sweep does not."""
    with mock.patch.object(world.desk, "read", lambda ref: shown[ref.id]):
        yield
