"""The way of a ticket, end to end over the shipped fakes."""

from datetime import timedelta

from engine.domain.audit import first_misfit
from engine.domain.change import ChangeState, CloseCode
from engine.domain.decision import Phase
from engine.domain.stage import Stage
from engine.domain.ticket import TicketField, TicketState
from engine.service.world import chain_of
from engine.testing.world import JOIN, LEAVE, RESET, VAGUE, memory_world


def test_a_password_reset_runs_alone_and_is_told_once() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    world.run()
    record = world.ticket(ref)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1
    assert len(record.notes) == 1
    assert record.ticket.state is TicketState.RESOLVED
    assert record.ticket.fields[TicketField.CATEGORY] == "access"
    (mail,) = world.mailer.sent
    assert mail.to == "rita@private.example.test"
    assert world.directory.passwords["entry-req"] in mail.body
    assert not any(world.directory.passwords["entry-req"] in note.text for note in record.notes)


def test_privileged_access_waits_for_its_owner_and_is_implemented_once() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    handling = world.handling(ref)
    assert handling.stage is Stage.AWAITING
    assert world.ticket(ref).ticket.state is TicketState.ON_HOLD
    assert world.directory.calls == []
    world.approve(ref)
    world.run()
    change = world.change(ref)
    assert world.handling(ref).stage is Stage.FULFILLED
    assert [call.action for call in world.directory.calls] == ["add_group_member"]
    assert change.state is ChangeState.CLOSED
    assert change.close_code is CloseCode.SUCCESSFUL
    assert len(change.attachments) == 1
    assert world.ticket(ref).ticket.state is TicketState.RESOLVED
    assert len(world.ticket(ref).notes) == 2


def test_an_agent_accepts_at_the_desk() -> None:
    world = memory_world()
    world.directory.groups["dba"].add("entry-req")
    ref = world.ask(LEAVE)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    plan = world.handling(ref).plan
    assert plan is not None
    world.clock.advance(timedelta(seconds=5))
    world.desk.answer(ref, by=world.account("AGT1"), answer="accept", code=plan.code)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert world.directory.groups["dba"] == {"entry-own1"}


def test_what_nothing_fits_is_handed_over_with_one_note() -> None:
    world = memory_world()
    ref = world.ask(VAGUE)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert len(world.ticket(ref).notes) == 1
    assert world.directory.calls == []


def test_in_phase_observe_nothing_is_written_anywhere() -> None:
    world = memory_world()
    for action in list(world.policy.rules):
        world.policy.change(action, phase=Phase.OBSERVE)
    refs = [world.ask(text) for text in (RESET, JOIN, LEAVE)]
    before = [world.ticket(ref).ticket for ref in refs]
    world.run()
    assert [world.handling(ref).stage for ref in refs] == [Stage.OBSERVED] * 3
    assert [world.ticket(ref).ticket for ref in refs] == before
    assert world.changes.records == {}
    assert world.directory.calls == []


def test_every_chain_fits_and_tells_every_stage() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.run()
    with world.store.begin() as work:
        rows = work.audit(chain_of(ref))
    assert first_misfit(rows) is None
    told = [row.body["to"] for row in rows if row.event in {"started", "stage"}]
    assert told == [
        "ingested",
        "triaged",
        "decided",
        "drafted",
        "opened",
        "awaiting",
        "approved",
        "implementing",
        "reporting",
        "fulfilled",
    ]
