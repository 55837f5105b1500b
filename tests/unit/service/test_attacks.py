"""People who try to talk around the gate: no effect, the reason kept, the record in its end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import ChangeState, Membership
from engine.domain.decision import Freeze, GatePolicy, Window
from engine.domain.refs import Account, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import TicketState
from engine.errors import OutcomeUnknownError
from engine.service.world import chain_of
from engine.testing.interruptions import interrupted
from engine.testing.world import GROUP, JOIN, LEAVE, SYSTEM, MemoryWorld, memory_world

SECOND = timedelta(seconds=1)
Attack = Callable[[MemoryWorld, TicketRef], None]


def waiting(**policy: object) -> tuple[MemoryWorld, TicketRef]:
    """Return a world with one change that waits for its approval."""
    world = memory_world()
    if policy:
        with_policy(world, **policy)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    world.clock.advance(SECOND)
    return world, ref


def with_policy(world: MemoryWorld, **changes: object) -> None:
    before = world.policy.rules["add_group_member"].policy
    assert before is not None
    after: GatePolicy = replace(before, **changes)  # type: ignore[arg-type]  # fields by name
    world.policy.change("add_group_member", policy=after)


def whys(world: MemoryWorld, ref: TicketRef) -> list[str]:
    with world.store.begin() as work:
        return [texts.get("why", "") for texts in work.private(chain_of(ref)).values()]


def add_account(world: MemoryWorld, key: str, account: Account) -> None:
    found = next(item for item in world.people.persons if item.key == key)
    world.people.replace(replace(found, accounts=(*found.accounts, account)))


def join_authority(world: MemoryWorld, *accounts: Account, since: timedelta) -> None:
    members = world.changes.groups[GROUP]
    assert members is not None
    at = world.clock.now() - since
    new = [Membership(account=account, since=at) for account in accounts]
    world.changes.set_members(GROUP, [*members, *new])


def the_daemon_approves(world: MemoryWorld, ref: TicketRef) -> None:
    daemon = world.changes.account()
    add_account(world, "OUT", daemon)
    join_authority(world, daemon, since=timedelta(days=9))
    world.changes.decide(world.change_ref(ref), by=daemon, approve=True)


def the_requester_approves(world: MemoryWorld, ref: TicketRef) -> None:
    join_authority(world, world.account("REQ"), since=timedelta(days=9))
    world.approve(ref, by="REQ")


def the_requester_approves_as_a_delegate(world: MemoryWorld, ref: TicketRef) -> None:
    join_authority(world, world.account("REQ"), since=timedelta(days=9))
    world.approve(ref, by="OWN1", set_by="REQ")


def the_requesters_second_account_approves(world: MemoryWorld, ref: TicketRef) -> None:
    second = Account(system=SYSTEM, id="req-admin", name="Rita (admin)")
    add_account(world, "REQ", second)
    join_authority(world, second, since=timedelta(days=9))
    world.changes.decide(world.change_ref(ref), by=second, approve=True)


def somebody_outside_approves(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref, by="OUT")


def an_admin_acts_for_an_approver(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref, by="OWN1", set_by="OUT")


def a_friend_is_added_after_submission(world: MemoryWorld, ref: TicketRef) -> None:
    join_authority(world, world.account("OUT"), since=timedelta(0))
    world.approve(ref, by="OUT")


def a_bot_approves(world: MemoryWorld, ref: TicketRef) -> None:
    bot = Account(system=SYSTEM, id="bot", name="Release Bot")
    join_authority(world, bot, since=timedelta(days=9))
    world.changes.decide(world.change_ref(ref), by=bot, approve=True)


def nobody_can_tell_who_set_it(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.decide(
        world.change_ref(ref), by=world.account("OWN1"), approve=True, is_anonymous=True
    )


def the_state_is_moved_by_hand(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.move_by(world.change_ref(ref), ChangeState.SCHEDULED, by=world.account("OUT"))


def somebody_else_moves_it_to_implement(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.changes.move_by(world.change_ref(ref), ChangeState.IMPLEMENT, by=world.account("OWN1"))


def the_policy_skips_everybody(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.change(ref).rows.clear()


def a_stranger_takes_the_key(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.change(ref).correlation_id = "tiergate-other-1-r1"


def the_tickets_requester_is_changed(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.desk.change_ticket(ref, by="agent", requester=world.account("OUT"))


def the_requester_has_left(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    found = next(item for item in world.people.persons if item.key == "REQ")
    world.people.replace(replace(found, facts={**found.facts, "active": False}))


def the_map_gives_it_to_a_person(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.policy.change("add_group_member", least_confidence=1.1)


def the_change_is_deleted(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.delete(world.change_ref(ref))


HANDED_OVER: tuple[Attack, ...] = (
    the_daemon_approves,
    the_requester_approves,
    the_requester_approves_as_a_delegate,
    the_requesters_second_account_approves,
    somebody_outside_approves,
    an_admin_acts_for_an_approver,
    a_friend_is_added_after_submission,
    a_bot_approves,
    nobody_can_tell_who_set_it,
    the_state_is_moved_by_hand,
    somebody_else_moves_it_to_implement,
    the_policy_skips_everybody,
    a_stranger_takes_the_key,
    the_tickets_requester_is_changed,
    the_requester_has_left,
    the_map_gives_it_to_a_person,
)


@pytest.mark.parametrize("attack", HANDED_OVER, ids=lambda item: item.__name__)
def test_what_is_no_approval_withdraws_the_change_and_gives_the_ticket_to_a_person(
    attack: Attack,
) -> None:
    world, ref = waiting()
    attack(world, ref)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []
    change = world.change(ref)
    assert change.state is ChangeState.CANCELLED
    assert world.ticket(ref).ticket.state is TicketState.NEW
    reason = world.handling(ref).reason
    assert reason
    assert any(reason in note.text for note in world.ticket(ref).notes)
    assert any(reason in note.text for note in change.notes)
    assert reason in whys(world, ref)


def test_a_deleted_change_gives_the_ticket_to_a_person() -> None:
    world, ref = waiting()
    the_change_is_deleted(world, ref)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert world.directory.calls == []


def edited_after_approval(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    world.clock.advance(SECOND)
    world.changes.edit(
        world.change_ref(ref), "implementation", "Add everybody.", by=world.account("OUT")
    )


def edited_and_edited_back(world: MemoryWorld, ref: TicketRef) -> None:
    change = world.change(ref)
    before = change.text.backout
    world.changes.edit(change.ref, "backout", "Nothing.", by=world.account("OUT"))
    world.approve(ref)
    world.changes.edit(change.ref, "backout", before, by=world.account("OUT"))


def edited_while_it_waits(world: MemoryWorld, ref: TicketRef) -> None:
    world.changes.edit(world.change_ref(ref), "justification", "Because.", by=world.account("OUT"))


def the_map_asks_for_more_approvers(world: MemoryWorld, ref: TicketRef) -> None:
    world.approve(ref)
    with_policy(world, least_approvers=2)


REVISED: tuple[Attack, ...] = (
    edited_after_approval,
    edited_and_edited_back,
    edited_while_it_waits,
    the_map_asks_for_more_approvers,
)


@pytest.mark.parametrize("attack", REVISED, ids=lambda item: item.__name__)
def test_a_plan_that_is_not_the_approved_one_is_withdrawn_and_opened_again(attack: Attack) -> None:
    world, ref = waiting()
    first = world.change(ref)
    attack(world, ref)
    world.pass_time(timedelta(hours=2))
    handling = world.handling(ref)
    assert handling.stage is Stage.AWAITING
    assert world.directory.calls == []
    assert first.state is ChangeState.CANCELLED
    second = world.change(ref)
    assert second.ref != first.ref
    assert second.draft.replaces == first.correlation_id
    assert second.correlation_id == first.correlation_id.removesuffix("1") + "2"
    assert handling.plan is not None
    assert handling.plan.revision == 2
    assert world.ticket(ref).held_for == second.ref


def test_a_plan_is_not_revised_for_ever() -> None:
    world, ref = waiting()
    for _ in range(10):
        if world.handling(ref).stage is not Stage.AWAITING:
            break
        edited_while_it_waits(world, ref)
        world.pass_time(SECOND * 5)
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert len(world.changes.records) == world.services.settings.max_revisions
    assert {item.state for item in world.changes.records.values()} == {ChangeState.CANCELLED}


def test_a_rejection_ends_it_with_its_reason() -> None:
    world, ref = waiting()
    world.changes.decide(
        world.change_ref(ref), by=world.account("OWN2"), approve=False, comment="not this group"
    )
    world.run()
    assert world.handling(ref).stage is Stage.REJECTED
    assert world.ticket(ref).ticket.state is TicketState.NEW
    assert any("not this group" in note.text for note in world.ticket(ref).notes)
    assert world.directory.calls == []


def test_a_change_that_a_person_cancelled_is_not_moved_again() -> None:
    world, ref = waiting()
    owner = world.account("OWN1")
    world.changes.cancel_by(world.change_ref(ref), by=owner, reason="no")
    world.run()
    assert world.handling(ref).stage is Stage.CANCELLED
    assert world.change(ref).moved_by == owner
    assert world.ticket(ref).ticket.state is TicketState.NEW


def test_nobody_who_answers_is_a_no() -> None:
    world, ref = waiting()
    world.pass_time(timedelta(days=11), stride=timedelta(hours=6))
    assert world.handling(ref).stage is Stage.EXPIRED
    assert world.change(ref).state is ChangeState.CANCELLED
    reminders = [note for note in world.change(ref).notes if "reminder" in note.marker]
    assert len(reminders) == 4
    assert [mail.to for mail in world.mailer.sent] == ["it-management@example.test"]


def test_approved_after_expiry_is_too_late() -> None:
    world, ref = waiting()
    world.clock.advance(timedelta(days=10))
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.EXPIRED
    assert world.directory.calls == []


def test_on_hold_stops_it_and_released_it_goes_on() -> None:
    world, ref = waiting()
    world.changes.hold(world.change_ref(ref), is_held=True, by=world.account("OWN1"))
    world.approve(ref)
    world.pass_time(timedelta(hours=3))
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.directory.calls == []
    world.changes.hold(world.change_ref(ref), is_held=False, by=world.account("OWN1"))
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_it_waits_for_its_window() -> None:
    lead, length = timedelta(hours=4), timedelta(hours=2)
    world, ref = waiting(lead=lead, length=length)
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.APPROVED
    assert world.directory.calls == []
    world.pass_time(lead)
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_window_that_passed_unapproved_is_asked_for_again() -> None:
    world, ref = waiting(lead=timedelta(0), length=timedelta(hours=2))
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=30))
    handling = world.handling(ref)
    assert handling.stage is Stage.AWAITING
    assert handling.plan is not None
    assert handling.plan.revision == 2


def test_a_window_that_the_board_moved_is_another_plan() -> None:
    world, ref = waiting(lead=timedelta(hours=1), length=timedelta(hours=2))
    world.changes.move_window(world.change_ref(ref), Window(), by=world.account("OWN1"))
    world.approve(ref)
    world.run()
    handling = world.handling(ref)
    assert handling.plan is not None
    assert handling.plan.revision == 2


def test_a_freeze_that_begins_before_the_window_holds_it() -> None:
    world, ref = waiting()
    now = world.clock.now()
    freeze = Freeze(name="year end", begins_at=now, ends_at=now + timedelta(hours=5))
    with_policy(world, freezes=(freeze,))
    world.approve(ref)
    world.pass_time(timedelta(hours=4))
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.directory.calls == []
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.FULFILLED


def test_unreadable_history_or_members_keep_the_gate_shut() -> None:
    world, ref = waiting()
    members = world.changes.groups[GROUP]
    world.changes.is_history_readable = False
    world.approve(ref)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.AWAITING
    world.changes.is_history_readable = True
    world.changes.set_members(GROUP, None)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.AWAITING
    assert world.directory.calls == []
    world.changes.set_members(GROUP, members)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_ticket_that_a_person_closes_withdraws_its_change() -> None:
    world, ref = waiting()
    world.desk.move(ref, TicketState.CLOSED, by="agt1")
    world.run()
    assert world.handling(ref).stage is Stage.CANCELLED
    assert world.change(ref).state is ChangeState.CANCELLED
    assert world.ticket(ref).ticket.state is TicketState.CLOSED


def test_a_ticket_that_a_person_holds_withdraws_its_change() -> None:
    world, ref = waiting()
    world.desk.write_note(ref, "tiergate: hold", by=world.account("AGT1"))
    world.run()
    assert world.handling(ref).stage is Stage.TAKEN_OVER
    assert world.change(ref).state is ChangeState.CANCELLED


def test_once_submitted_an_assignment_stops_nothing() -> None:
    world, ref = waiting()
    world.desk.change_ticket(ref, by="agt1", assignee=world.account("AGT1"))
    world.approve(ref)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_ticket_that_a_person_took_before_is_left_alone() -> None:
    world = memory_world()
    ref = world.ask(JOIN)
    world.desk.change_ticket(ref, by="agt1", assignee=world.account("AGT1"))
    before = world.ticket(ref).ticket
    world.run()
    assert world.handling(ref).stage is Stage.TAKEN_OVER
    assert world.ticket(ref).ticket == before
    assert world.changes.records == {}


def test_a_deleted_ticket_withdraws_its_change() -> None:
    world, ref = waiting()
    change = world.change(ref)
    world.desk.delete(ref)
    world.pass_time(timedelta(hours=2))
    assert world.handling(ref).stage is Stage.CANCELLED
    assert change.state is ChangeState.CANCELLED


def test_an_unanswered_create_is_looked_for_and_never_made_twice() -> None:
    world = memory_world()

    def lose(point: str) -> None:
        if point == "after changes.open":
            raise OutcomeUnknownError("no answer")

    world.services = replace(
        world.services, changes={SYSTEM: interrupted(world.changes, "changes", lose)}
    )
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.DRAFTED
    world.pass_time(timedelta(minutes=2))
    assert world.handling(ref).stage is Stage.AWAITING
    assert len(world.changes.records) == 1


def test_a_create_that_is_never_found_is_a_persons() -> None:
    world = memory_world()
    creates: list[str] = []

    def lose(point: str) -> None:
        if point == "before changes.open":
            creates.append(point)
            raise OutcomeUnknownError("no answer")

    world.services = replace(
        world.services, changes={SYSTEM: interrupted(world.changes, "changes", lose)}
    )
    ref = world.ask(JOIN)
    world.run()
    world.pass_time(timedelta(minutes=9), stride=timedelta(seconds=30))
    assert world.handling(ref).stage is Stage.DRAFTED
    world.pass_time(timedelta(minutes=2), stride=timedelta(seconds=30))
    handling = world.handling(ref)
    assert handling.stage is Stage.PARKED
    assert handling.gate is Gate.CHANGE
    assert len(creates) == 1
    assert any("got no answer" in note.text for note in world.ticket(ref).notes)


@pytest.mark.parametrize(
    ("by", "answer", "code", "stage"),
    [
        ("AGT1", "accept", "", Stage.FULFILLED),
        ("AGT1", "accept", "deadbeef", Stage.AWAITING),
        ("REQ", "accept", "", Stage.AWAITING),
        ("OUT", "accept", "", Stage.AWAITING),
        ("AGT1", "wrong_action", "", Stage.HANDED_OVER),
        ("AGT2", "wrong_person", "", Stage.HANDED_OVER),
        ("AGT1", "do_it_myself", "", Stage.HANDED_OVER),
    ],
)
def test_only_an_agent_who_is_no_party_answers_at_the_desk(
    by: str, answer: str, code: str, stage: Stage
) -> None:
    world = memory_world()
    world.directory.groups["dba"].add("entry-req")
    world.desk.groups["grp-agents"].append(world.account("REQ"))
    ref = world.ask(LEAVE)
    world.run()
    world.clock.advance(SECOND)
    world.desk.answer(ref, by=world.account(by), answer=answer, code=code)
    world.run()
    assert world.handling(ref).stage is stage
    assert len(world.directory.calls) == (stage is Stage.FULFILLED)
    with world.store.begin() as work:
        kept = [row.body["answer"] for row in work.audit(chain_of(ref)) if row.event == "feedback"]
    assert kept == ([answer] if stage is Stage.HANDED_OVER else [])
