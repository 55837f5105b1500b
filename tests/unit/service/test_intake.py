"""Intake: nothing lost, nothing twice, nothing old."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.stage import Stage
from engine.domain.ticket import TicketField, TicketState
from engine.errors import TransientError
from engine.service import intake
from engine.service.world import Settings, chain_of
from engine.testing.desk import SOURCE
from engine.testing.interruptions import interrupted
from engine.testing.world import JOIN, RESET, SYSTEM, VAGUE, memory_world


def test_every_ticket_of_many_pages_is_started_once() -> None:
    world = memory_world()
    world.desk.page_size = 3
    world.clock.advance(timedelta(seconds=1))
    refs = [world.desk.seed(VAGUE, requester=world.account("REQ")) for _ in range(10)]
    assert intake.poll(world.services, SYSTEM, SOURCE)
    world.run()
    with world.store.begin() as work:
        assert len(work.handlings()) == len(refs)
    world.run()
    with world.store.begin() as work:
        assert len(work.handlings()) == len(refs)
        (health,) = work.health()
    assert health.errors_in_row == 0
    assert health.seen >= len(refs)


def test_what_was_made_before_we_began_is_not_ours() -> None:
    world = memory_world()
    since = world.clock.now() + timedelta(hours=1)
    settings = replace(world.services.settings, since={f"{SYSTEM}/{SOURCE}": since})
    world.services = replace(world.services, settings=settings)
    ref = world.ask(RESET)
    world.run()
    with world.store.begin() as work:
        assert work.latest(ref) is None
        assert work.ticket(ref) is not None


def test_a_ticket_that_is_closed_already_is_not_started() -> None:
    world = memory_world()
    ref = world.ask(RESET, state=TicketState.CLOSED)
    with world.store.begin() as work:
        assert work.latest(ref) is None


def test_an_outage_keeps_the_cursor_and_is_kept_as_health() -> None:
    world = memory_world()
    name = f"{SYSTEM}/{SOURCE}"
    with world.store.begin() as work:
        before = work.cursor(name)

    def down(point: str) -> None:
        raise TransientError(point)

    broken = replace(world.services, desks={SYSTEM: interrupted(world.desk, "desk", down)})
    for _ in range(2):
        with pytest.raises(TransientError):
            intake.poll(broken, SYSTEM, SOURCE)
    with world.store.begin() as work:
        assert work.cursor(name) == before
        (health,) = work.health()
    assert health.errors_in_row == 2
    assert "TransientError" in health.last_error
    assert health.last_good_at is not None
    intake.poll(world.services, SYSTEM, SOURCE)
    with world.store.begin() as work:
        (health,) = work.health()
    assert health.errors_in_row == 0
    assert health.last_error == ""


def test_a_broken_record_is_noted_once_and_stops_nobody_else() -> None:
    world = memory_world()
    world.clock.advance(timedelta(seconds=1))
    broken = world.desk.seed(RESET, requester=world.account("REQ"))
    world.desk.records[broken.id].broken = "state: value '99' is in no mapping table"
    good = world.ask(RESET)
    world.run()
    world.run()
    assert world.handling(good).stage is Stage.FULFILLED
    with world.store.begin() as work:
        rows = [row for row in work.audit(chain_of(broken)) if row.event == "unreadable"]
    assert len(rows) == 1


def test_a_person_who_corrects_a_field_is_kept_as_feedback_once() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    world.run()
    world.desk.edit_field(ref, TicketField.CATEGORY, "network", by=world.account("AGT1"))
    world.run()
    world.desk.write_note(ref, "hm", by=world.account("AGT1"))
    world.run()
    with world.store.begin() as work:
        rows = [row for row in work.audit(chain_of(ref)) if row.event == "feedback"]
        by = [work.private(chain_of(ref))[row.number]["by"] for row in rows]
    assert [(row.actor, row.body["edited"]) for row in rows] == [("a person", ["category"])]
    assert by == ["agt1"]


def test_a_field_that_a_person_set_is_left_alone_and_said_so() -> None:
    world = memory_world()
    world.clock.advance(timedelta(seconds=1))
    ref = world.desk.seed(RESET, requester=world.account("REQ"))
    world.desk.edit_field(ref, TicketField.CATEGORY, "network", by=world.account("AGT1"))
    world.run()
    assert world.ticket(ref).ticket.fields[TicketField.CATEGORY] == "network"
    (note,) = world.ticket(ref).notes
    assert "kept: ['category']" in note.text


def test_settings_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(Exception, match="shorter than its lease"):
        Settings(installation="a", owner="b", lease=timedelta(seconds=5))
    with pytest.raises(Exception, match="have names"):
        Settings(installation="", owner="b")


def test_requester_visible_comments_are_written_only_where_switched_on() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    assert world.ticket(ref).comments == []


def test_a_ticket_that_is_opened_again_is_kept_as_feedback() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    world.run()
    world.desk.move(ref, TicketState.IN_PROGRESS, by="req")
    world.run()
    with world.store.begin() as work:
        kept = [row for row in work.audit(chain_of(ref)) if row.event == "feedback"]
        by = [work.private(chain_of(ref))[row.number]["by"] for row in kept]
    assert [(row.actor, row.body["reopened"]) for row in kept] == [("a person", True)]
    assert by == ["req"]
    assert world.handling(ref).attempt == 1
