"""The verdict's parts, each one question over one snapshot; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
    FieldEdit,
    InvalidReason,
    Membership,
    Verdict,
    VerdictKind,
)
from engine.domain.decision import Freeze, Window
from engine.domain.handling import Submission
from engine.domain.plan import Plan
from engine.domain.refs import Person
from engine.service.electorate import Electorate, Identity, OldEnough, Parties, frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a verdict rests on, all of it read afresh but the plan and its submission.

    Attributes:
        snapshot: The change, its approval rows and its history, as of `snapshot.taken_at`.
        correlation_id: Ours, for this installation, ticket, attempt and revision.
        members: The authority's members now; None when they could not be read.
        members_then: Ids of the members at submission, for groups that keep no dates.
        seen_at: Our own clock at the reading: setting the change system's back gains nothing.
        persons: Account to person, for approvers, setters and the daemon; None: nobody, or several.
        own_now: Our own clock. A deadline has passed when either clock says so, and a window is
            open when both do: setting one of them back opens nothing.
    """

    snapshot: ChangeSnapshot
    plan: Plan
    submission: Submission
    correlation_id: str
    members: tuple[Membership, ...] | None
    members_then: frozenset[str]
    persons: Mapping[Identity, Person | None]
    freezes: tuple[Freeze, ...] = field(default_factory=tuple)
    seen_at: datetime | None = None
    own_now: datetime | None = None

    @property
    def clocks(self) -> tuple[datetime, ...]:
        """Return what the clocks say: the change system's, and ours where it was read."""
        own = () if self.own_now is None else (self.own_now,)
        return (self.snapshot.taken_at, *own)

    @property
    def parties(self) -> Parties:
        """Return who may not say yes."""
        return Parties(plan=self.plan, daemon=self.snapshot.daemon, persons=self.persons)

    @property
    def electorate(self) -> Electorate:
        """Return who may."""
        what = "plan was submitted" if self.plan.template is None else "template was approved"
        return Electorate(
            authority=self.plan.authority,
            members=self.members,
            members_then=self.members_then,
            asked_at=self.submission.submitted_at,
            asked=f"the {what}",
        )


def invalid(reason: InvalidReason, because: str, *, not_before: datetime | None = None) -> Verdict:
    """Return that the approval does not count."""
    return Verdict(kind=VerdictKind.INVALID, reason=reason, because=because, not_before=not_before)


def answer(kind: VerdictKind, because: str) -> Verdict:
    """Return any other verdict without approvers."""
    return Verdict(kind=kind, because=because)


NATIVE_ENDS: Mapping[ChangeState, Verdict | None] = {
    ChangeState.NEW: None,
    ChangeState.ASSESS: None,
    ChangeState.AUTHORIZE: None,
    ChangeState.SCHEDULED: None,
    ChangeState.IMPLEMENT: None,
    ChangeState.REVIEW: invalid(
        InvalidReason.MOVED_BY_OTHER, "somebody moved the change on to Review"
    ),
    ChangeState.CLOSED: answer(VerdictKind.CANCELLED, "a person closed the change"),
    ChangeState.CANCELLED: answer(VerdictKind.CANCELLED, "a person cancelled the change"),
    ChangeState.REJECTED: answer(VerdictKind.REJECTED, "the change was rejected"),
}
"""What the record's own state says, before anything else is asked; None: it goes on."""


def is_ours(facts: Facts) -> Verdict | None:
    """The record carries our correlation id and the digest of exactly this plan."""
    snapshot = facts.snapshot
    if snapshot.correlation_id != facts.correlation_id:
        return invalid(InvalidReason.WRONG_RECORD, "the correlation id is not ours")
    submitted = facts.submission.text.fields().values()
    if not any(facts.plan.digest in text for text in submitted):
        return invalid(InvalidReason.WRONG_RECORD, "another plan was submitted")
    return None


def has_native_end(facts: Facts) -> Verdict | None:
    """A person, or the native chain, ended it: cancelled, closed, rejected."""
    snapshot = facts.snapshot
    if (ended := NATIVE_ENDS[snapshot.state]) is not None:
        return _with_reason(ended, snapshot)
    rejecting = [row for row in snapshot.approvals if row.state is ApprovalState.REJECTED]
    if rejecting:
        comment = f": {rejecting[0].comment}" if rejecting[0].comment else ""
        return answer(VerdictKind.REJECTED, f"rejected by {rejecting[0].approver.name}{comment}")
    if ChainState.REJECTED is snapshot.chain or ApprovalState.REJECTED is snapshot.rollup:
        return _with_reason(answer(VerdictKind.REJECTED, "the change was rejected"), snapshot)
    if ChainState.CANCELLED is snapshot.chain or ApprovalState.CANCELLED is snapshot.rollup:
        return answer(VerdictKind.CANCELLED, "the approval was called off")
    return None


def _with_reason(verdict: Verdict, snapshot: ChangeSnapshot) -> Verdict:
    because = f"{verdict.because}: {snapshot.reason}" if snapshot.reason else verdict.because
    return Verdict(kind=verdict.kind, because=because, reason=verdict.reason)


def is_unedited(facts: Facts) -> Verdict | None:
    """No plan field differs from what was submitted, nor was one edited and edited back."""
    snapshot = facts.snapshot
    if snapshot.history is None:
        # What nobody can judge does not wait for ever either.
        return is_in_time(facts) or invalid(
            InvalidReason.HISTORY_UNREADABLE, "the change's history cannot be read"
        )
    edits = [edit for edit in snapshot.history if _counts(facts, edit)]
    told = next((_who(edit) for edit in edits if edit.field in snapshot.text.fields()), "")
    if snapshot.text.digest != facts.submission.text.digest:
        because = "the plan's text is not the submitted one"
        because = f"{because}: {told}" if told else because
        return invalid(InvalidReason.PLAN_EDITED, because)
    if told:
        return invalid(InvalidReason.PLAN_EDITED, told)
    if any(edit.field == "window" for edit in edits) and facts.plan.window != Window():
        moved = next(_who(edit) for edit in edits if edit.field == "window")
        return invalid(InvalidReason.WINDOW_CHANGED, moved)
    return _window_changed(facts)


def _counts(facts: Facts, edit: FieldEdit) -> bool:
    """Whether an edit came after the submission; our own writes belong to it."""
    since = facts.submission.submitted_at
    is_ours_at_submission = facts.parties.is_daemon(edit.by) and edit.at <= since
    return edit.at >= since and not is_ours_at_submission and edit.old != edit.new


def _who(edit: FieldEdit) -> str:
    return f"{edit.by.name if edit.by else 'somebody'} edited {edit.field.replace('_', ' ')}"


def _window_changed(facts: Facts) -> Verdict | None:
    planned, shown = facts.plan.window, facts.snapshot.window
    pairs = ((planned.earliest, shown.earliest), (planned.latest, shown.latest))
    for ours, theirs in pairs:
        if ours is not None and theirs is not None and ours != theirs:
            return invalid(InvalidReason.WINDOW_CHANGED, "the window is not the planned one")
    return None


def is_in_time(facts: Facts) -> Verdict | None:
    """Neither expired nor past its window, by the change system's own clock and by ours."""
    now, plan = max(facts.clocks), facts.plan
    if plan.window.latest is not None and now >= plan.window.latest:
        return invalid(InvalidReason.WINDOW_PASSED, "the change window has passed")
    if max(now, facts.seen_at or now) >= plan.expires_at:
        return answer(VerdictKind.EXPIRED, f"not decided before {plan.expires_at:%d %b %Y %H:%M}")
    return None


def is_not_held(facts: Facts) -> Verdict | None:
    """Nobody holds the change."""
    if not facts.snapshot.is_on_hold:
        return None
    why = f": {facts.snapshot.on_hold_reason}" if facts.snapshot.on_hold_reason else ""
    return answer(VerdictKind.ON_HOLD, f"the change is on hold{why}")


_UNDECIDED = frozenset({ChangeState.NEW, ChangeState.ASSESS, ChangeState.AUTHORIZE})


def is_complete(facts: Facts) -> Verdict | None:
    """The native chain is complete by its roll-up and its state, and no row is left open."""
    snapshot = facts.snapshot
    if snapshot.chain is ChainState.BYPASSED:
        return invalid(InvalidReason.BYPASSED, "the native approval chain was bypassed")
    if snapshot.state is ChangeState.IMPLEMENT and not facts.parties.is_daemon(snapshot.moved_by):
        return invalid(InvalidReason.MOVED_BY_OTHER, "somebody else moved it to Implement")
    is_past = snapshot.state not in _UNDECIDED
    if is_past and snapshot.chain is ChainState.NOT_STARTED:
        return invalid(
            InvalidReason.BYPASSED, "the change stands behind an approval nobody was asked for"
        )
    because = ""
    if snapshot.chain is not ChainState.COMPLETE:
        because = "the native approval is not complete"
    elif not is_past or snapshot.rollup is not ApprovalState.APPROVED:
        because = "the native roll-up does not say approved yet"
    elif any(row.state is ApprovalState.REQUESTED for row in snapshot.approvals):
        because = "an approver has not decided yet"
    return answer(VerdictKind.PENDING, because) if because else None


def deciding(snapshot: ChangeSnapshot) -> tuple[ApprovalRow, ...]:
    """Return the rows that said yes."""
    return tuple(row for row in snapshot.approvals if row.state is ApprovalState.APPROVED)


def is_authorised(facts: Facts) -> Verdict | None:
    """Every yes comes from, and was set by, a member of the authority who is no party to it."""
    rows = deciding(facts.snapshot)
    if not rows:
        return invalid(InvalidReason.NOBODY_APPROVED, "the chain passed without any approver")
    if facts.members is None:
        return invalid(
            InvalidReason.MEMBERSHIP_UNREADABLE, "the authority's members cannot be read"
        )
    for row in rows:
        if (objection := row_objection(facts, row)) is not None:
            return objection
    return are_enough(facts, rows)


def are_enough(facts: Facts, rows: Iterable[ApprovalRow]) -> Verdict | None:
    """As many persons said yes as the map asks for."""
    persons = {facts.parties.key(row.approver) for row in rows}
    if len(persons) < max(1, facts.plan.least_approvers):
        return invalid(
            InvalidReason.TOO_FEW_APPROVERS,
            f"{len(persons)} of {facts.plan.least_approvers} approvers said yes",
        )
    return None


def row_objection(
    facts: Facts, row: ApprovalRow, is_old_enough: OldEnough | None = None
) -> Verdict | None:
    """Return why this yes does not count: who gave it and who set it are judged alike."""
    if row.set_by is None:
        because = f"nobody can tell who set {row.approver.name}'s yes"
        return invalid(InvalidReason.SETTER_UNKNOWN, because)
    for account in (row.approver, row.set_by):
        doubt = facts.parties.doubt(account) or facts.electorate.doubt(account, is_old_enough)
        if doubt is not None:
            return invalid(*doubt)
    return None


def _native_objection(facts: Facts) -> Verdict | None:
    """What the change system's own calendar holds against running it at this moment."""
    schedule = facts.snapshot.schedule
    found = schedule.binding(facts.clocks)
    if found is not None:
        return invalid(InvalidReason.FROZEN, found.said, not_before=found.ends_at)
    if schedule.unreadable:
        because = f"the change system's schedules cannot be read: {schedule.unreadable}"
        return invalid(InvalidReason.SCHEDULE_UNREADABLE, because)
    return None


def may_run_now(facts: Facts) -> Verdict | None:
    """Inside the plan's window and the record's own, outside every freeze and blackout."""
    earliest, now = min(facts.clocks), max(facts.clocks)
    objection = frozen(facts.freezes, facts.clocks) or _native_objection(facts)
    if objection is not None:
        return objection
    for window in (facts.plan.window, facts.snapshot.window):
        if window.earliest is not None and earliest < window.earliest:
            return Verdict(
                kind=VerdictKind.WAITING_FOR_WINDOW,
                because=f"approved; the window opens at {window.earliest:%d %b %Y %H:%M} UTC",
                approvers=tuple(row.approver for row in deciding(facts.snapshot)),
                not_before=window.earliest,
            )
    latest = facts.snapshot.window.latest
    if latest is not None and now >= latest:
        return invalid(InvalidReason.WINDOW_PASSED, "the record's own window has passed")
    return None
