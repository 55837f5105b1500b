"""`show --json` says how the change stands, as the chain's newest word has it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.cli.documents import show_document
from engine.domain.refs import TicketRef
from engine.domain.ticket import TicketState
from engine.testing.world import JOIN, MemoryWorld, memory_world


def waits(_world: MemoryWorld, _ref: TicketRef) -> None:
    """Nobody has answered yet."""


def is_approved(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)


def is_rejected(world: MemoryWorld, ref: TicketRef) -> None:
    world.clock.advance(timedelta(seconds=1))
    world.changes.decide(world.change_ref(ref), by=world.account("OWN1"), approve=False)


def is_not_wanted(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.move(ref, TicketState.CLOSED, by="agt1")


@pytest.mark.parametrize(
    ("act", "approval"),
    [
        (waits, "requested"),
        (is_approved, "approved"),
        (is_rejected, "rejected"),
        (is_not_wanted, "requested"),
    ],
)
def test_how_a_change_stood_is_shown_as_it_was_last_judged_closed_or_withdrawn(
    act: Callable[[MemoryWorld, TicketRef], None], approval: str
) -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    act(world, ref)
    world.run()
    with world.services.store.begin() as unit:
        shown: dict[str, Any] = show_document(unit, ref)
    assert shown["change"]["state"] == str(world.change(ref).state)
    assert shown["change"]["approval"] == approval
