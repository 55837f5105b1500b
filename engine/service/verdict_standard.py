"""The verdict over a standard change: its approval is its template's, and falls with it; pure.

Nobody is asked for a standard change. Who approved the proposal of exactly the pinned version of
its template is who approved it, and everything that a yes on a change has to pass, this yes has to
pass: persons, not accounts; the authority's members by id; nothing edited since.
"""

from collections.abc import Iterator
from datetime import datetime

from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChangeSnapshot,
    ChangeState,
    InvalidReason,
    Preapproval,
    Verdict,
)
from engine.domain.decision import TemplatePin
from engine.service.electorate import OldEnough
from engine.service.verdict_rules import Facts, are_enough, invalid, row_objection


def is_of_its_kind(facts: Facts) -> Verdict | None:
    """The record is a standard change exactly where the plan says so."""
    planned, found = facts.plan.template, facts.snapshot.preapproval
    if planned is None and found is not None:
        because = "the record became a standard change, which nobody is asked for"
        return invalid(InvalidReason.WRONG_RECORD, because)
    if planned is not None and found is None:
        return invalid(InvalidReason.WRONG_RECORD, "the record is no standard change")
    return None


def is_scheduled_by_us(facts: Facts) -> Verdict | None:
    """The change went to Scheduled by our own request or by the instance's own flow."""
    snapshot = facts.snapshot
    if snapshot.state is not ChangeState.SCHEDULED:
        return None  # Implement is ours or refused already, and everything else is open or an end
    mover, found = snapshot.moved_by, snapshot.preapproval
    is_ours = mover is not None and mover.identity == snapshot.daemon.identity
    if is_ours or (found is not None and found.is_moved_by_engine):
        return None
    who = mover.name if mover else "somebody"
    return invalid(InvalidReason.MOVED_BY_OTHER, f"{who} moved it to Scheduled")


def preapproving(snapshot: ChangeSnapshot) -> tuple[ApprovalRow, ...]:
    """Return the rows that said yes to the template's proposal."""
    rows = snapshot.preapproval.approvals if snapshot.preapproval else ()
    return tuple(row for row in rows if row.state is ApprovalState.APPROVED)


def is_preapproved(facts: Facts) -> Verdict | None:
    """The pinned version is in force, and its proposal was approved by whom the map names."""
    pin, found = facts.plan.template, facts.snapshot.preapproval
    if pin is None or found is None:
        return invalid(InvalidReason.WRONG_RECORD, "the record is no standard change")
    for objection in _pin_doubts(pin, found):
        return objection
    return _approvers_doubt(facts) or _edited_since(found, facts)


def _pin_doubts(pin: TemplatePin, found: Preapproval) -> Iterator[Verdict]:
    changed, withdrawn = InvalidReason.TEMPLATE_CHANGED, InvalidReason.PREAPPROVAL_WITHDRAWN
    if (found.template, found.version) != (pin.id, pin.version):
        yield invalid(changed, "the change was made from another version than the pinned one")
    if found.is_retired:
        yield invalid(withdrawn, "the template was retired")
    if found.current != pin.version:
        yield invalid(changed, "the pinned version of the template is not the current one any more")
    if found.proposal != pin.proposal:
        yield invalid(changed, "the template's version names another proposal than the pinned one")
    if not found.is_approved:
        yield invalid(withdrawn, "the template's proposal is not approved any more")
    if not found.is_as_proposed:
        yield invalid(changed, "the template does not say what its proposal proposed")
    if found.edits is None:
        yield invalid(
            InvalidReason.PREAPPROVAL_UNREADABLE, "the history of the template cannot be read"
        )


def _approvers_doubt(facts: Facts) -> Verdict | None:
    rows = preapproving(facts.snapshot)
    if not rows:
        return invalid(InvalidReason.NOBODY_APPROVED, "nobody approved the template's proposal")
    if facts.members is None:
        return invalid(
            InvalidReason.MEMBERSHIP_UNREADABLE, "the authority's members cannot be read"
        )
    for row in rows:
        decided_at = row.decided_at
        if decided_at is None:
            because = f"nobody can tell when {row.approver.name} said yes"
            return invalid(InvalidReason.SETTER_UNKNOWN, because)
        if (objection := row_objection(facts, row, _member_at(decided_at))) is not None:
            return objection
    return are_enough(facts, rows)


def _member_at(decided_at: datetime) -> OldEnough:
    """Where a group keeps no date of joining, nothing says that the approver belonged to it."""
    return lambda member: member.since is not None and member.since < decided_at


def _edited_since(found: Preapproval, facts: Facts) -> Verdict | None:
    """What the proposal says must be what was approved; the template may follow until it settled.

    Carrying out a proposal that modifies a template writes the template, after the approval.
    """
    moments = [row.decided_at for row in preapproving(facts.snapshot) if row.decided_at]
    approved_at = max(moments)
    settled_at = max(approved_at, found.settled_at or approved_at)
    for edit in found.edits or ():
        until = approved_at if edit.field == "proposal" else settled_at
        if edit.at > until and edit.old != edit.new:
            who = edit.by.name if edit.by else "somebody"
            because = f"{who} edited the {edit.field} of the standard change after its approval"
            return invalid(InvalidReason.TEMPLATE_CHANGED, because)
    return None
