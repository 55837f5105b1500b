"""The verdict: one pure function from fresh facts to the gate's answer, and what follows."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from engine.domain.change import InvalidReason, Verdict, VerdictKind
from engine.service.verdict_rules import (
    Facts,
    deciding,
    has_native_end,
    is_authorised,
    is_complete,
    is_in_time,
    is_not_held,
    is_ours,
    is_unedited,
    may_run_now,
)
from engine.service.verdict_standard import (
    is_of_its_kind,
    is_preapproved,
    is_scheduled_by_us,
    preapproving,
)

Rule = Callable[[Facts], Verdict | None]
_RECORD: tuple[Rule, ...] = (
    is_ours,
    is_of_its_kind,
    has_native_end,
    is_unedited,
    is_in_time,
    is_not_held,
    is_complete,
)
RULES: tuple[Rule, ...] = (*_RECORD, is_authorised, may_run_now)
"""In this order; the first that objects is the verdict.

Whose record it is comes first, then what people decided against it, then whether the text is still
the submitted one: an edit is found while approvers still decide, not after.
"""
STANDARD_RULES: tuple[Rule, ...] = (*_RECORD, is_scheduled_by_us, is_preapproved, may_run_now)
"""The same for a standard change: nobody is asked for it, its template's approval is judged."""


def verdict(facts: Facts) -> Verdict:
    """Return the gate's answer over facts that were all read in one go; no I/O, no clock."""
    is_standard = facts.plan.template is not None
    for rule in STANDARD_RULES if is_standard else RULES:
        objection = rule(facts)
        if objection is not None:
            return objection
    rows = preapproving(facts.snapshot) if is_standard else deciding(facts.snapshot)
    approvers = tuple(row.approver for row in rows)
    names = ", ".join(account.name for account in approvers)
    because = f"pre-approved by {names}" if is_standard else f"approved by {names}"
    return Verdict(kind=VerdictKind.APPROVED, because=because, approvers=approvers)


class Follow(StrEnum):
    """What an invalid approval leads to."""

    WAIT = "wait"
    """The gate stays shut; a right, a freeze or a person may open it."""
    REVISE = "revise"
    """The change is withdrawn and the next revision opened."""
    HAND_OVER = "hand_over"
    """The change is withdrawn and a person gets the ticket."""


INVALID_FOLLOWS: Mapping[InvalidReason, Follow] = MappingProxyType(
    {
        InvalidReason.HISTORY_UNREADABLE: Follow.WAIT,
        InvalidReason.MEMBERSHIP_UNREADABLE: Follow.WAIT,
        InvalidReason.FROZEN: Follow.WAIT,
        InvalidReason.SCHEDULE_UNREADABLE: Follow.WAIT,
        InvalidReason.PLAN_EDITED: Follow.REVISE,
        InvalidReason.WINDOW_CHANGED: Follow.REVISE,
        InvalidReason.WINDOW_PASSED: Follow.REVISE,
        InvalidReason.BYPASSED: Follow.HAND_OVER,
        InvalidReason.NOBODY_APPROVED: Follow.HAND_OVER,
        InvalidReason.TOO_FEW_APPROVERS: Follow.HAND_OVER,
        InvalidReason.OUTSIDE_AUTHORITY: Follow.HAND_OVER,
        InvalidReason.MEMBER_TOO_LATE: Follow.HAND_OVER,
        InvalidReason.SELF_APPROVED: Follow.HAND_OVER,
        InvalidReason.DAEMON_APPROVED: Follow.HAND_OVER,
        InvalidReason.SETTER_UNKNOWN: Follow.HAND_OVER,
        InvalidReason.PERSON_UNKNOWN: Follow.HAND_OVER,
        InvalidReason.WRONG_RECORD: Follow.HAND_OVER,
        InvalidReason.MOVED_BY_OTHER: Follow.HAND_OVER,
        InvalidReason.PREAPPROVAL_UNREADABLE: Follow.WAIT,
        InvalidReason.TEMPLATE_CHANGED: Follow.HAND_OVER,
        InvalidReason.PREAPPROVAL_WITHDRAWN: Follow.HAND_OVER,
    }
)
"""Total over `InvalidReason`; a test compares both."""
