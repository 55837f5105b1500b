"""Run it now: the old change is withdrawn, an emergency change is opened, and approved anew."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState
from engine.domain.decision import ChangeKind
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.errors import PreconditionError, RecordNotFoundError
from engine.service import emergency
from engine.service.world import chain_of
from engine.testing.world import JOIN, LEAVE, SYSTEM, MemoryWorld, memory_world
from tests.unit.service.scenes import policy_of, set_pause

SECOND = timedelta(seconds=1)


def waiting(text: str = JOIN) -> tuple[MemoryWorld, TicketRef]:
    world = memory_world()
    ref = world.ask(text)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    world.clock.advance(SECOND)
    return world, ref


def kinds(world: MemoryWorld, ref: TicketRef) -> ChangeKind | None:
    decision = world.handling(ref).decision
    return decision.policy.change if decision and decision.policy else None


def test_an_operator_gets_an_emergency_change_that_cites_the_old_one() -> None:
    world, ref = waiting()
    old = world.handling(ref).change
    assert old is not None
    emergency.expedite(world.services, ref, by="operator", reason="the shop is down")
    world.run()
    found = world.handling(ref)
    assert found.change is not None
    assert found.change.id != old.id
    assert found.stage is Stage.AWAITING
    assert kinds(world, ref) is ChangeKind.EMERGENCY
    assert world.changes.records[old.id].state is ChangeState.CANCELLED
    text = world.changes.records[found.change.id].text
    assert old.number in text.justification
    assert "the shop is down" in text.justification
    assert world.directory.calls == []
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_an_approval_of_the_old_change_is_never_used() -> None:
    world, ref = waiting()
    set_pause(world, is_paused=True)
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.APPROVED
    emergency.expedite(world.services, ref, by="operator")
    set_pause(world, is_paused=False)
    world.pass_time(timedelta(hours=2), stride=timedelta(minutes=10))
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.directory.calls == []


def test_a_second_emergency_of_the_same_is_refused() -> None:
    world, ref = waiting()
    emergency.expedite(world.services, ref, by="operator")
    world.run()
    with pytest.raises(PreconditionError, match="emergency change already"):
        emergency.expedite(world.services, ref, by="operator")


def test_what_has_no_waiting_change_is_refused() -> None:
    world, ref = waiting(LEAVE)
    with pytest.raises(PreconditionError):
        emergency.expedite(world.services, ref, by="operator")
    world, ref = waiting()
    world.approve(ref)
    world.run()
    with pytest.raises(PreconditionError):
        emergency.expedite(world.services, ref, by="operator")


def test_an_unknown_ticket_is_refused() -> None:
    world, ref = waiting()
    other = TicketRef(system=ref.system, kind=ref.kind, id="nobody", key="INC9")
    with pytest.raises(RecordNotFoundError):
        emergency.expedite(world.services, other, by="operator")


def test_an_agents_note_does_the_same_once() -> None:
    world, ref = waiting()
    group = policy_of(world).authority.groups[SYSTEM]
    world.desk.groups[group] = [world.account("AGT1")]
    world.desk.write_note(ref, "tiergate: run now", by=world.account("AGT1"))
    world.run()
    assert kinds(world, ref) is ChangeKind.EMERGENCY
    assert world.handling(ref).plan is not None
    revision = world.handling(ref).plan
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=30))
    assert world.handling(ref).plan == revision
    with world.store.begin() as work:
        rows = [row for row in work.audit(chain_of(ref)) if row.event == emergency.ASKED]
    assert len(rows) == 1


def test_a_note_is_followed_though_the_process_died_right_after_it_was_put_on_record() -> None:
    world, ref = waiting()
    group = policy_of(world).authority.groups[SYSTEM]
    world.desk.groups[group] = [world.account("AGT1")]
    world.desk.write_note(ref, "tiergate: run now", by=world.account("AGT1"))
    seen = world.desk.read(ref)
    assert emergency.asked(world.services, world.handling(ref), seen) is not None
    world.run()
    assert kinds(world, ref) is ChangeKind.EMERGENCY
    with world.store.begin() as work:
        rows = [row for row in work.audit(chain_of(ref)) if row.event == emergency.ASKED]
    assert len(rows) == 1


def test_a_note_by_the_person_behind_our_own_account_changes_nothing() -> None:
    world, ref = waiting()
    group = policy_of(world).authority.groups[SYSTEM]
    world.desk.groups[group] = [world.account("OWN1")]
    owner = next(one for one in world.people.persons if one.key == "OWN1")
    world.people.replace(replace(owner, accounts=(*owner.accounts, world.desk.account())))
    world.desk.write_note(ref, "tiergate: run now", by=world.account("OWN1"))
    world.run()
    assert kinds(world, ref) is ChangeKind.NORMAL


@pytest.mark.parametrize("by", ["REQ", "OUT"])
def test_a_note_of_the_requester_or_an_outsider_changes_nothing(by: str) -> None:
    world, ref = waiting()
    world.desk.write_note(ref, "tiergate: run now", by=world.account(by))
    world.run()
    assert kinds(world, ref) is ChangeKind.NORMAL
    with world.store.begin() as work:
        rows = [row for row in work.audit(chain_of(ref)) if row.event == emergency.IGNORED]
    assert len(rows) == 1
