"""The table of ends: the page and the code say the same, and every row is reached."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.domain.change import ChangeState
from engine.domain.decision import Phase
from engine.domain.refs import TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import NativeApproval, TicketState
from engine.service import operations
from engine.service.endings import ENDINGS, Cause, ChangeTerm, TicketTerm
from engine.service.takeover import look
from engine.service.withdraw import END_TERMS
from engine.testing.world import JOIN, MemoryWorld, memory_world

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gate.md"


def rows() -> dict[str, tuple[str, str, str]]:
    text = PAGE.read_text("utf-8").partition("## How it ends before an effect")[2]
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return {because: (change, ticket, stage.strip("`")) for because, change, ticket, stage in cells}


def test_the_page_has_exactly_the_rows_of_the_code() -> None:
    assert rows() == {
        str(cause): (str(end.change), str(end.ticket), str(end.stage))
        for cause, end in ENDINGS.items()
    }


def test_the_table_is_total_and_fits_how_each_end_is_told() -> None:
    assert set(ENDINGS) == set(Cause)
    told = {TicketTerm.RETURNED: True, TicketTerm.OFF_HOLD: False, TicketTerm.LEFT: False}
    for cause, ending in ENDINGS.items():
        if ending.stage is Stage.PARKED or cause is Cause.CHANGE_ENDED:
            continue
        assert END_TERMS[ending.stage].has_note is told[ending.ticket], cause


Act = Callable[[MemoryWorld, TicketRef], None]


def owner_rejects(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.decide(world.change_ref(ref), by=world.account("OWN1"), approve=False)


def owner_cancels(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.cancel_by(world.change_ref(ref), by=world.account("OWN1"))


def time_goes_by(world: MemoryWorld, ref: TicketRef) -> None:
    del ref
    world.clock.advance(timedelta(days=11))


def outsider_approves(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref, by="OUT")


def map_says_person(world: MemoryWorld, ref: TicketRef) -> None:
    del ref
    world.policy.change("add_group_member", gate=Gate.PERSON, phase=Phase.AUTOMATIC, policy=None)


def requester_is_changed(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.change_ticket(ref, by="agt1", requester=world.account("SUB"))


def change_is_deleted(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.delete(world.change_ref(ref))


def ticket_is_closed(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.move(ref, TicketState.RESOLVED, by="agt1")


def ticket_is_deleted(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.delete(ref)


def ticket_is_rejected(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.approve_natively(ref, NativeApproval.REJECTED)


def ticket_is_held(world: MemoryWorld, ref: TicketRef) -> None:
    world.desk.change_ticket(ref, by="agt1", is_held=True)


def operator_releases(world: MemoryWorld, ref: TicketRef) -> None:
    operations.release(world.services, ref, by="ops")


def a_value_is_unknown(world: MemoryWorld, ref: TicketRef) -> None:
    world.change(ref).unmapped = "maybe"


ACTS: dict[Cause, Act] = {
    Cause.REJECTED: owner_rejects,
    Cause.CHANGE_ENDED: owner_cancels,
    Cause.EXPIRED: time_goes_by,
    Cause.NOT_COUNTED: outsider_approves,
    Cause.STRICTER: map_says_person,
    Cause.ASKER_CHANGED: requester_is_changed,
    Cause.CHANGE_GONE: change_is_deleted,
    Cause.TICKET_CLOSED: ticket_is_closed,
    Cause.TICKET_GONE: ticket_is_deleted,
    Cause.TICKET_REJECTED: ticket_is_rejected,
    Cause.TICKET_HELD: ticket_is_held,
    Cause.RELEASED: operator_releases,
    Cause.STUCK: a_value_is_unknown,
}
ELSEWHERE = {Cause.TICKET_TAKEN, Cause.OUR_RULES}


def test_every_row_is_played() -> None:
    assert set(ACTS) == set(Cause) - ELSEWHERE


@pytest.mark.parametrize("cause", ACTS, ids=lambda cause: cause.name.lower())
def test_a_waiting_handling_ends_as_its_row_says(cause: Cause) -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    before = world.change(ref)
    ACTS[cause](world, ref)
    world.pass_time(timedelta(minutes=70), stride=timedelta(minutes=10))
    ending = ENDINGS[cause]
    handling = world.handling(ref)
    assert handling.stage is ending.stage, handling.reason
    assert world.directory.calls == []
    if ending.change is ChangeTerm.NONE:
        assert world.changes.records == {}
    if ending.change is ChangeTerm.CANCELLED and cause is not Cause.REJECTED:
        assert before.state is ChangeState.CANCELLED
        assert before.moved_by == world.changes.account()
    if ending.change is ChangeTerm.LEFT:
        assert before.moved_by != world.changes.account() or cause is Cause.STUCK
    if cause is Cause.TICKET_GONE:
        return
    ticket = world.ticket(ref)
    is_on_hold = ticket.ticket.state is TicketState.ON_HOLD
    assert is_on_hold is (ending.ticket is TicketTerm.TOLD)
    if ending.ticket in {TicketTerm.RETURNED, TicketTerm.TOLD}:
        assert any(handling.reason in note.text for note in ticket.notes)


def test_before_the_submission_taking_the_ticket_ends_it_and_nothing_was_asked() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    handling = replace(world.handling(ref), stage=Stage.OPENED)
    world.desk.change_ticket(ref, by="agt1", assignee=world.account("AGT1"))
    outcome = look(world.services, handling)
    assert getattr(outcome, "end", None) is ENDINGS[Cause.TICKET_TAKEN].stage
