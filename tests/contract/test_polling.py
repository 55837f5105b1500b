"""TicketDesk: nothing is lost, nothing fails quietly."""

from datetime import timedelta

import pytest

from engine.domain.refs import TicketRef
from engine.domain.ticket import Ticket, TicketState
from engine.errors import RecordNotFoundError, TiergateError, TransientError
from engine.ports.desk import TicketDesk
from engine.ports.paging import Cursor
from tests.contract.harness import Fault, Harness


def sweep(desk: TicketDesk, source: str, cursor: Cursor) -> tuple[list[Ticket], Cursor]:
    """Read pages until the sweep ends; return what came and the next cursor."""
    found: list[Ticket] = []
    for _ in range(200):
        page = desk.changed_since(source, cursor)
        found += page.items
        cursor = page.cursor
        if page.is_last:
            return found, cursor
    raise AssertionError("the sweep does not end")


def ids(tickets: list[Ticket]) -> set[str]:
    return {ticket.ref.id for ticket in tickets}


def refs(*tickets: TicketRef) -> set[str]:
    return {ticket.id for ticket in tickets}


def test_a_new_source_touches_nothing_that_was_there_before(harness: Harness) -> None:
    harness.seed_ticket("old")
    harness.settle()
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    new = harness.seed_ticket("new")
    harness.settle()
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert ids(tickets) == refs(new)


def test_an_old_ticket_that_is_edited_later_is_still_not_ours(harness: Harness) -> None:
    old = harness.seed_ticket("old")
    harness.settle()
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    harness.edit_text(old, "touched", by=harness.agent)
    harness.settle()
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert ids(tickets) == set()


def test_more_tickets_than_a_page_holds_all_come(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    made = [harness.seed_ticket(f"number {n}") for n in range(2 * harness.page_size + 1)]
    harness.settle()
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert ids(tickets) == refs(*made)


def test_tickets_of_the_same_instant_all_come(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    at = harness.now()
    made = [harness.seed_at(f"tie {n}", at) for n in range(2 * harness.page_size + 2)]
    harness.settle()
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert ids(tickets) == refs(*made)


def test_a_ticket_that_becomes_visible_late_is_met_by_the_next_sweep(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    stamp = harness.now()
    harness.seed_ticket("in time")
    harness.settle()
    _, cursor = sweep(harness.desk, harness.source, cursor)
    late = harness.seed_at("late", stamp)
    harness.advance(harness.overlap / 4)
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert late.id in ids(tickets)


def test_a_changed_ticket_comes_again_with_another_version(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    ticket = harness.seed_ticket("changes")
    harness.settle()
    (first,), cursor = sweep(harness.desk, harness.source, cursor)
    harness.advance(harness.overlap * 2)
    _, cursor = sweep(harness.desk, harness.source, cursor)
    harness.edit_text(ticket, "more words", by=harness.agent)
    harness.settle()
    (second,), _ = sweep(harness.desk, harness.source, cursor)
    assert (first.ref.id, second.ref.id) == (ticket.id, ticket.id)
    assert first.version != second.version
    assert second.description == "more words"


def test_a_sweep_over_nothing_ends_and_moves_on(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    tickets, after = sweep(harness.desk, harness.source, cursor)
    assert tickets == []
    assert after.at > cursor.at - timedelta(seconds=1)


def test_a_ticket_tells_who_asks_and_whose_session_made_it(harness: Harness) -> None:
    ref = harness.seed_ticket("Forgot it", description="Locked out since monday")
    ticket = harness.desk.read(ref)
    assert ticket.requester is not None
    assert ticket.creator is not None
    assert ticket.requester.identity == ticket.creator.identity
    assert (ticket.short_description, ticket.description) == (
        "Forgot it",
        "Locked out since monday",
    )
    assert ticket.state is TicketState.NEW
    assert ticket.ref == ref
    assert ticket.channel


def test_a_broken_record_is_named_and_the_others_come(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    good = harness.seed_ticket("good")
    broken = harness.seed_broken()
    harness.settle()
    found: list[Ticket] = []
    named: list[str] = []
    is_last = False
    while not is_last:
        page = harness.desk.changed_since(harness.source, cursor)
        found += page.items
        named += [record for record, _ in page.broken]
        cursor, is_last = page.cursor, page.is_last
    assert ids(found) == refs(good)
    assert named == [broken.id]


def test_a_deleted_ticket_is_said_to_be_gone(harness: Harness) -> None:
    ref = harness.seed_ticket("short-lived")
    harness.delete(ref)
    with pytest.raises(RecordNotFoundError):
        harness.desk.read(ref)


def test_hidden_tickets_do_not_end_a_sweep_early(harness: Harness) -> None:
    if not harness.hides:
        pytest.skip(f"{harness.name} cannot hide single records")
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    for number in range(3 * harness.page_size):
        harness.hide(harness.seed_ticket(f"hidden {number}"))
    harness.settle()  # whatever hiding wrote, what can be seen comes behind it
    made = [harness.seed_ticket(f"number {n}") for n in range(harness.page_size)]
    harness.settle()
    tickets, _ = sweep(harness.desk, harness.source, cursor)
    assert ids(tickets) == refs(*made)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.TRUNCATE,
        Fault.ANONYMOUS,
        Fault.NOT_JSON,
        Fault.SERVER_ERROR,
        Fault.RATE_LIMITED,
    ],
)
def test_a_failure_is_never_an_empty_page(harness: Harness, fault: Fault) -> None:
    if fault not in harness.faults:
        pytest.skip(f"{harness.name} cannot play {fault}")
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    harness.seed_ticket("there")
    harness.settle()
    harness.desk.changed_since(harness.source, cursor)
    with harness.fault(fault), pytest.raises(TiergateError):
        harness.desk.changed_since(harness.source, cursor)


def test_after_an_outage_the_sweep_goes_on_where_it_was(harness: Harness) -> None:
    cursor = harness.desk.first_cursor(harness.source)
    harness.settle()
    made = [harness.seed_ticket(f"number {n}") for n in range(harness.page_size + 1)]
    harness.settle()
    page = harness.desk.changed_since(harness.source, cursor)
    with harness.fault(Fault.SERVER_ERROR), pytest.raises(TransientError):
        harness.desk.changed_since(harness.source, page.cursor)
    rest, _ = sweep(harness.desk, harness.source, page.cursor)
    assert ids([*page.items, *rest]) == refs(*made)


def test_check_finds_a_healthy_system_healthy(harness: Harness) -> None:
    findings = (*harness.desk.check(), *harness.changes.check())
    assert [f for f in findings if f.severity in {"fault", "unsafe"}] == []
    assert {f.system for f in findings} <= {harness.desk.system}
