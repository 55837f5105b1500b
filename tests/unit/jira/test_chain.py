"""The approval chain judged: every way to pass, and every way around it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.chain import judge, paired
from connectors.jira.history import Visit
from connectors.jira.mapping import CHANGE_STATES, Approval, NameMap, Vote
from engine.domain.change import ApprovalState, ChainState, ChangeState
from engine.domain.refs import Account
from engine.domain.ticket import NativeApproval

T0 = datetime(2026, 11, 20, 10, tzinfo=UTC)
STATES = NameMap("change.status", CHANGE_STATES, {})
CAB = tuple(Account(system="jira", id=f"cab{n}", name=f"Cab {n}") for n in range(3))
AGENT = Account(system="jira", id="agent", name="Agent")
APPROVED, REJECTED, PENDING = (
    NativeApproval.APPROVED,
    NativeApproval.REJECTED,
    NativeApproval.PENDING,
)
NEW, PLAN, PEER, AUTH = "Review", "Planning", "Peer review", "Authorize"
WAIT, RUN, DONE = "Awaiting Implementation", "Implementing", "Completed"
NO, OFF = "Declined", "Canceled"


def way(*names: str, step: timedelta = timedelta(minutes=10)) -> list[Visit]:
    """Return the stays of an issue that went through these statuses, ten minutes each."""
    stays: list[Visit] = []
    for number, name in enumerate(names):
        is_last = number == len(names) - 1
        stays.append(
            Visit(
                status_id=name.lower(),
                status=name,
                entered_at=T0 + step * number,
                entered_by=AGENT,
                left_at=None if is_last else T0 + step * (number + 1),
                left_by=None if is_last else CAB[0],
            )
        )
    return stays


def approval(number: int, stay: Visit, final: NativeApproval, votes: int = 1) -> Approval:
    """Return the approval that entering `stay` opened; the first `votes` approvers answered."""
    said = ApprovalState.REJECTED if final is REJECTED else ApprovalState.APPROVED
    return Approval(
        id=str(number),
        name=stay.status,
        final=final,
        votes=tuple(
            Vote(approver=who, state=said if place < votes else ApprovalState.REQUESTED)
            for place, who in enumerate(CAB)
        ),
        created_at=stay.entered_at,
        completed_at=None if final is PENDING else stay.left_at,
        may_answer=False,
    )


def chain(stays: list[Visit], *approvals: Approval, steps: tuple[str, ...] = ()) -> ChainState:
    return judge(stays, approvals, state_of=STATES, steps=steps).chain


def test_the_straight_way_is_complete() -> None:
    for end in ((WAIT,), (WAIT, RUN), (WAIT, RUN, DONE)):
        stays = way(NEW, PLAN, AUTH, *end)
        said = judge(stays, [approval(1, stays[2], APPROVED)], state_of=STATES)
        assert (said.chain, said.rollup) == (ChainState.COMPLETE, ApprovalState.APPROVED)
        assert [row.state for row in said.rows] == [
            ApprovalState.APPROVED,
            ApprovalState.NOT_REQUIRED,
            ApprovalState.NOT_REQUIRED,
        ]
        assert said.rows[0].set_by == said.rows[0].approver == CAB[0]
        assert said.rows[1].set_by is None


def test_before_the_approval_nothing_has_started() -> None:
    assert chain(way(NEW)) is ChainState.NOT_STARTED
    assert chain(way(NEW, PLAN)) is ChainState.NOT_STARTED


def test_in_the_approval_status_the_chain_waits_whatever_the_object_says() -> None:
    stays = way(NEW, PLAN, AUTH)
    assert chain(stays, approval(1, stays[2], PENDING, 0)) is ChainState.PENDING
    assert chain(stays) is ChainState.PENDING
    # Approved, and the workflow has not moved on yet: the roll-up alone is not the chain.
    assert chain(stays, approval(1, stays[2], APPROVED)) is ChainState.PENDING
    assert chain(stays, approval(1, stays[2], REJECTED)) is ChainState.REJECTED


def test_a_declined_or_cancelled_change_is_just_that() -> None:
    declined = way(NEW, PLAN, AUTH, NO)
    said = judge(declined, [approval(1, declined[2], REJECTED)], state_of=STATES)
    assert said.chain is ChainState.REJECTED
    assert said.rows[0].state is ApprovalState.REJECTED
    assert chain(way(NEW, PLAN, AUTH, NO)) is ChainState.REJECTED
    off = way(NEW, PLAN, AUTH, OFF)
    assert chain(off, approval(1, off[2], PENDING, 0)) is ChainState.CANCELLED


@pytest.mark.parametrize("end", [(WAIT,), (RUN,), (WAIT, RUN), (DONE,), (WAIT, RUN, DONE)])
def test_a_third_transition_out_of_the_approval_bypasses_it(end: tuple[str, ...]) -> None:
    stays = way(NEW, PLAN, AUTH, *end)
    assert chain(stays, approval(1, stays[2], PENDING, 0)) is ChainState.BYPASSED
    assert chain(stays) is ChainState.BYPASSED


@pytest.mark.parametrize("end", [WAIT, RUN, DONE])
def test_a_move_that_never_met_the_approval_bypasses_it(end: str) -> None:
    assert chain(way(NEW, PLAN, end)) is ChainState.BYPASSED
    assert chain(way(end)) is ChainState.BYPASSED


def test_an_approval_without_an_approving_approver_does_not_count() -> None:
    stays = way(NEW, PLAN, AUTH, WAIT)
    assert chain(stays, approval(1, stays[2], APPROVED, 0)) is ChainState.BYPASSED


def test_a_yes_given_after_the_change_had_left_moved_nothing() -> None:
    stays = way(NEW, PLAN, AUTH, WAIT)
    late = approval(1, stays[2], APPROVED)
    assert stays[2].left_at is not None
    late = Approval(
        id=late.id,
        name=late.name,
        final=late.final,
        votes=late.votes,
        created_at=late.created_at,
        completed_at=stays[2].left_at + timedelta(minutes=2),
        may_answer=False,
    )
    assert chain(stays, late) is ChainState.BYPASSED


def test_an_approval_of_an_earlier_pass_does_not_count_for_this_one() -> None:
    stays = way(NEW, PLAN, AUTH, WAIT, PLAN, AUTH)
    first = approval(1, stays[2], APPROVED)
    second = approval(2, stays[5], PENDING, 0)
    said = judge(stays, [first, second], state_of=STATES)
    assert said.chain is ChainState.PENDING
    assert {row.pass_id for row in said.rows} == {"2"}
    around = way(NEW, PLAN, AUTH, WAIT, PLAN, AUTH, WAIT)
    assert chain(around, approval(1, around[2], APPROVED), approval(2, around[5], PENDING, 0)) is (
        ChainState.BYPASSED
    )
    again = approval(2, around[5], APPROVED)
    assert chain(around, approval(1, around[2], REJECTED), again) is ChainState.COMPLETE


def test_going_back_to_planning_and_on_by_hand_bypasses_the_approval() -> None:
    stays = way(NEW, PLAN, AUTH, WAIT, PLAN, WAIT)
    assert chain(stays, approval(1, stays[2], APPROVED)) is ChainState.BYPASSED
    assert chain(stays[:-1], approval(1, stays[2], APPROVED)) is ChainState.NOT_STARTED


def test_reopened_after_a_rejection_and_moved_on_is_a_bypass() -> None:
    stays = way(NEW, PLAN, AUTH, NO, WAIT)
    assert chain(stays, approval(1, stays[2], REJECTED)) is ChainState.BYPASSED


def test_one_of_two_steps_is_not_the_chain() -> None:
    waiting = way(NEW, PLAN, PEER, AUTH)
    peer, cab = approval(1, waiting[2], APPROVED), approval(2, waiting[3], PENDING, 0)
    assert chain(waiting, peer, cab) is ChainState.PENDING
    around = way(NEW, PLAN, PEER, AUTH, WAIT)
    peer, cab = approval(1, around[2], APPROVED), approval(2, around[3], PENDING, 0)
    assert chain(around, peer, cab) is ChainState.BYPASSED
    both = approval(2, around[3], APPROVED, 2)
    assert chain(around, peer, both) is ChainState.COMPLETE
    assert chain(around, approval(1, around[2], PENDING, 0), both) is ChainState.BYPASSED


def test_a_step_that_the_configuration_asks_for_must_have_been_passed() -> None:
    stays = way(NEW, PLAN, AUTH, WAIT)
    yes = approval(1, stays[2], APPROVED)
    assert chain(stays, yes, steps=("Authorize",)) is ChainState.COMPLETE
    assert chain(stays, yes, steps=("Peer review", "Authorize")) is ChainState.BYPASSED


def test_a_step_that_was_entered_twice_counts_by_its_newest_approval() -> None:
    stays = way(NEW, PEER, AUTH, PEER, AUTH, WAIT)
    held = [approval(n + 1, stays[place], APPROVED) for n, place in enumerate((1, 2, 3, 4))]
    assert chain(stays, *held) is ChainState.COMPLETE
    held[2] = approval(3, stays[3], PENDING, 0)
    assert chain(stays, *held) is ChainState.BYPASSED


def test_quick_reentry_never_lends_an_old_approval_to_a_new_pass() -> None:
    stays = way(NEW, AUTH, PLAN, AUTH, WAIT, step=timedelta(seconds=1))
    old = approval(1, stays[1], APPROVED)
    # The second approval is missing (it asked nobody), so the numbers differ.
    assert paired([stays[1], stays[3]], [old]) == {stays[1]: old}
    assert chain(stays, old) is ChainState.BYPASSED


def test_two_approvals_in_one_stay_are_no_certain_one() -> None:
    stays = way(NEW, AUTH, WAIT)
    held = [approval(1, stays[1], APPROVED), approval(2, stays[1], APPROVED)]
    assert chain(stays, *held) is ChainState.BYPASSED


def test_an_issue_that_begins_in_the_approval_status_has_a_pass() -> None:
    stays = way(AUTH, WAIT)
    assert chain(stays, approval(1, stays[0], APPROVED)) is ChainState.COMPLETE


# --- plain Jira: the move itself is the approval


def plain(*names: str) -> tuple[ChainState, list[tuple[str, ApprovalState]]]:
    said = judge(way(*names), None, state_of=STATES)
    return said.chain, [(row.approver.id, row.state) for row in said.rows]


def test_in_plain_jira_who_moved_it_out_of_the_status_has_decided() -> None:
    assert plain("Open", "Awaiting approval", "Approved") == (
        ChainState.COMPLETE,
        [("cab0", ApprovalState.APPROVED)],
    )
    assert plain("Open", "Awaiting approval", "Rejected") == (
        ChainState.REJECTED,
        [("cab0", ApprovalState.REJECTED)],
    )
    assert plain("Open", "Awaiting approval") == (ChainState.PENDING, [])


def test_in_plain_jira_another_way_to_approved_is_a_bypass() -> None:
    assert plain("Open", "Approved")[0] is ChainState.BYPASSED
    assert plain("Open", "Awaiting approval", "In Progress", "Approved")[0] is ChainState.BYPASSED
    assert plain("Open", "Awaiting approval", "Done")[0] is ChainState.BYPASSED


def test_in_plain_jira_a_mover_who_cannot_be_told_approved_nothing() -> None:
    stays = way("Open", "Awaiting approval", "Approved")
    nobody = Visit(
        status_id=stays[1].status_id,
        status=stays[1].status,
        entered_at=stays[1].entered_at,
        entered_by=AGENT,
        left_at=stays[1].left_at,
        left_by=None,
    )
    said = judge([stays[0], nobody, stays[2]], None, state_of=STATES)
    assert said.chain is ChainState.BYPASSED


_NAMES = st.sampled_from([NEW, PLAN, PEER, AUTH, WAIT, RUN, DONE, NO, OFF])


@given(
    st.lists(_NAMES, min_size=1, max_size=9),
    st.lists(st.sampled_from([APPROVED, REJECTED, PENDING]), min_size=9, max_size=9),
)
def test_complete_always_rests_on_an_approved_approval_of_the_last_pass(
    names: list[str], finals: list[NativeApproval]
) -> None:
    stays = way(*names)
    gates = [stay for stay in stays if STATES("", stay.status) is ChangeState.AUTHORIZE]
    held = [
        approval(n, stay, final, 0 if final is PENDING else 1)
        for n, (stay, final) in enumerate(zip(gates, finals, strict=False))
    ]
    said = judge(stays, held, state_of=STATES)
    if said.chain is ChainState.COMPLETE:
        assert held[-1].final is APPROVED
        after = names[len(names) - names[::-1].index(gates[-1].status) :]
        assert set(after) <= {WAIT, RUN, DONE}
        assert any(row.state is ApprovalState.APPROVED for row in said.rows)
        assert not any(row.state is ApprovalState.REQUESTED for row in said.rows)
