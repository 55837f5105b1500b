"""The approval chain of one change, judged from its statuses, approvals and moves; pure.

The status alone proves nothing: any third transition out of an approval status, and every global
one, goes around the approval. A pass is one uninterrupted stay in approval statuses; each entry
opens an approval object of its own, and only those of the last pass count.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connectors.jira.history import Visit
from connectors.jira.mapping import Approval
from engine.domain.change import ApprovalRow, ApprovalState, ChainState, ChangeState
from engine.domain.ticket import NativeApproval

BEHIND = frozenset(
    {ChangeState.SCHEDULED, ChangeState.IMPLEMENT, ChangeState.REVIEW, ChangeState.CLOSED}
)
"""The states that only an approval may lead to."""
_LEEWAY = timedelta(seconds=60)
"""Between the vote's own stamp and that of the move that the vote causes."""
_STAMPS_APART = timedelta(seconds=2)
"""Between the stamp of the move into a status and that of the approval which it opens."""

_ENDED: Mapping[ChangeState, ChainState] = {
    ChangeState.CANCELLED: ChainState.CANCELLED,
    ChangeState.REJECTED: ChainState.REJECTED,
}
_ROLLUP: Mapping[ChainState, ApprovalState] = {
    ChainState.NOT_STARTED: ApprovalState.NOT_REQUESTED,
    ChainState.PENDING: ApprovalState.REQUESTED,
    ChainState.COMPLETE: ApprovalState.APPROVED,
    ChainState.REJECTED: ApprovalState.REJECTED,
    ChainState.CANCELLED: ApprovalState.CANCELLED,
    ChainState.BYPASSED: ApprovalState.NOT_REQUESTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the chain says, with the rows of the current pass."""

    chain: ChainState
    rollup: ApprovalState
    rows: tuple[ApprovalRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """The last pass: its steps (the newest stay per status), and what came after it."""

    steps: tuple[tuple[int, Visit], ...]
    after: tuple[ChangeState, ...]


def judge(
    visits: Sequence[Visit],
    approvals: Sequence[Approval] | None,
    *,
    state_of: Callable[[str, str], ChangeState],
    steps: Sequence[str] = (),
) -> Judgement:
    """Return what the chain says now.

    Args:
        visits: Every stay in a status, oldest first; the last is the present one.
        approvals: The request's approval objects; None where the status itself is the gate.
        state_of: Status id and name to our state.
        steps: Statuses that must all have been passed, by name or id.

    Raises:
        UnmappedValueError: A status that no table knows.
    """
    states = [state_of(visit.status_id, visit.status) for visit in visits]
    last = _last_pass(visits, states)
    now = states[-1]
    if approvals is None:
        rows, is_approved = _by_moves(last, visits, states)
        open_final = None
    else:
        pairs = paired(
            [
                visit
                for visit, state in zip(visits, states, strict=True)
                if state is ChangeState.AUTHORIZE
            ],
            approvals,
        )
        rows, is_approved, open_final = _by_approvals(last, pairs)
    has_all = _has_all_steps(last, steps)
    match now:
        case ChangeState.NEW | ChangeState.ASSESS:
            return Judgement(
                chain=ChainState.NOT_STARTED, rollup=_ROLLUP[ChainState.NOT_STARTED], rows=()
            )
        case ChangeState.AUTHORIZE:
            chain = (
                ChainState.REJECTED if open_final is NativeApproval.REJECTED else ChainState.PENDING
            )
        case ChangeState.CANCELLED | ChangeState.REJECTED:
            chain = _ENDED[now]
        case (
            ChangeState.SCHEDULED | ChangeState.IMPLEMENT | ChangeState.REVIEW | ChangeState.CLOSED
        ):
            is_straight = last is not None and set(last.after) <= BEHIND
            chain = (
                ChainState.COMPLETE
                if is_straight and is_approved and has_all
                else ChainState.BYPASSED
            )
    return Judgement(chain=chain, rollup=_ROLLUP[chain], rows=rows)


def _last_pass(visits: Sequence[Visit], states: Sequence[ChangeState]) -> _Pass | None:
    ends = [i for i, state in enumerate(states) if state is ChangeState.AUTHORIZE]
    if not ends:
        return None
    end = begin = ends[-1]
    while begin > 0 and states[begin - 1] is ChangeState.AUTHORIZE:
        begin -= 1
    newest = {visits[i].status_id: (i, visits[i]) for i in range(begin, end + 1)}
    return _Pass(
        steps=tuple(sorted(newest.values(), key=lambda one: one[0])), after=tuple(states[end + 1 :])
    )


def _has_all_steps(last: _Pass | None, steps: Sequence[str]) -> bool:
    if last is None:
        return False
    met = {visit.status_id for _, visit in last.steps} | {
        visit.status.casefold() for _, visit in last.steps
    }
    return all(step in met or step.casefold() in met for step in steps)


def paired(stays: Sequence[Visit], approvals: Sequence[Approval]) -> Mapping[Visit, Approval]:
    """Return which approval belongs to which stay in an approval status.

    Each entry opens one approval, so equal numbers pair by order. Otherwise (a step without
    approvers opens none) an approval belongs to the stay whose beginning is nearest to its own, and
    a stay with none or several has no certain one: it does not count as approved.
    """
    ordered = sorted(approvals, key=lambda one: (one.created_at, len(one.id), one.id))
    if len(ordered) == len(stays):
        pairs = dict(zip(stays, ordered, strict=True))
        if all(_fits(stay, one, _LEEWAY) for stay, one in pairs.items()):
            return pairs
    near: dict[Visit, list[Approval]] = {}
    for one in ordered:
        fitting = [stay for stay in stays if _fits(stay, one, _STAMPS_APART)]
        if fitting:
            begun = min(fitting, key=lambda stay: abs(stay.entered_at - one.created_at))
            near.setdefault(begun, []).append(one)
    return {stay: found[0] for stay, found in near.items() if len(found) == 1}


def _fits(stay: Visit, one: Approval, leeway: timedelta) -> bool:
    is_late_enough = one.created_at >= stay.entered_at - leeway
    return is_late_enough and (stay.left_at is None or one.created_at <= stay.left_at + leeway)


def _by_approvals(
    last: _Pass | None, pairs: Mapping[Visit, Approval]
) -> tuple[tuple[ApprovalRow, ...], bool, NativeApproval | None]:
    if last is None:
        return (), False, None
    rows: list[ApprovalRow] = []
    is_approved = True
    final: NativeApproval | None = None
    for _, visit in last.steps:
        one = pairs.get(visit)
        final = None if one is None else one.final
        is_approved = is_approved and one is not None and _counts(visit, one)
        if one is not None:
            rows.extend(_rows(one))
    return tuple(rows), is_approved, final


def _counts(visit: Visit, one: Approval) -> bool:
    """Whether the approval said yes before the stay ended; a yes given afterwards moved nothing."""
    if not one.is_approved or visit.left_at is None:
        return False
    return one.completed_at is None or one.completed_at <= visit.left_at + _LEEWAY


def _rows(one: Approval) -> list[ApprovalRow]:
    rows: list[ApprovalRow] = []
    for vote in one.votes:
        has_decided = vote.state in {ApprovalState.APPROVED, ApprovalState.REJECTED}
        state = vote.state
        if not has_decided and one.final is not NativeApproval.PENDING:
            # The condition was met without this approver; nobody waits for him any more.
            state = ApprovalState.NOT_REQUIRED
        rows.append(
            ApprovalRow(
                id=f"{one.id}:{vote.approver.id}",
                approver=vote.approver,
                state=state,
                # Only an approver can answer, as himself; there is no override for administrators.
                set_by=vote.approver if has_decided else None,
                created_at=one.created_at,
                decided_at=one.completed_at if has_decided else None,
                pass_id=one.id,
            )
        )
    return rows


def _by_moves(
    last: _Pass | None, visits: Sequence[Visit], states: Sequence[ChangeState]
) -> tuple[tuple[ApprovalRow, ...], bool]:
    """Return rows and verdict where the move out of the status is the approval (plain Jira)."""
    if last is None:
        return (), False
    rows: list[ApprovalRow] = []
    is_approved = True
    for index, visit in last.steps:
        following = states[index + 1] if index + 1 < len(visits) else None
        said = _MOVES.get(following) if following is not None else None
        is_approved = is_approved and said is ApprovalState.APPROVED
        if said is not None and visit.left_by is not None:
            pass_id = f"{visit.status_id}@{visit.entered_at.isoformat()}"
            rows.append(
                ApprovalRow(
                    id=f"{pass_id}:{visit.left_by.id}",
                    approver=visit.left_by,
                    state=said,
                    set_by=visit.left_by,
                    created_at=visit.entered_at,
                    decided_at=visit.left_at,
                    pass_id=pass_id,
                )
            )
    return tuple(rows), is_approved and bool(rows)


# A move on to the next approval step says yes to this one; only SCHEDULED ends the chain.
_MOVES: Mapping[ChangeState, ApprovalState] = {
    ChangeState.AUTHORIZE: ApprovalState.APPROVED,
    ChangeState.SCHEDULED: ApprovalState.APPROVED,
    ChangeState.REJECTED: ApprovalState.REJECTED,
}
