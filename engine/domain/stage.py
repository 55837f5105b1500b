"""Where our handling of a ticket stands, and the one table of its legal moves."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from engine.errors import IllegalTransitionError


class Gate(StrEnum):
    """Who has to say yes before an effect; fixed by the decision."""

    UNDECIDED = "undecided"
    NONE = "none"
    DESK = "desk"
    CHANGE = "change"
    PERSON = "person"

    @property
    def needs_approval(self) -> bool:
        """Whether an effect behind this gate needs a human yes first."""
        return self in {Gate.DESK, Gate.CHANGE}


class Stage(StrEnum):
    """The stages of one handling, in the order a ticket meets them; see `TRANSITIONS`."""

    INGESTED = "ingested"
    TRIAGED = "triaged"
    DECIDED = "decided"
    READY = "ready"
    DRAFTED = "drafted"
    OPENED = "opened"
    AWAITING = "awaiting"
    APPROVED = "approved"
    IMPLEMENTING = "implementing"
    BACKING_OUT = "backing_out"
    TIMEBOXED = "timeboxed"
    ENDING = "ending"
    REPORTING = "reporting"
    WITHDRAWING = "withdrawing"
    PARKED = "parked"
    FULFILLED = "fulfilled"
    BACKED_OUT = "backed_out"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    HANDED_OVER = "handed_over"
    TAKEN_OVER = "taken_over"
    OBSERVED = "observed"
    RELEASED = "released"

    @property
    def is_end(self) -> bool:
        """Whether nothing ever follows in this handling."""
        return self in ENDS

    @property
    def is_settled(self) -> bool:
        """Whether nothing moves without a person, a date or a new record."""
        return self.is_end or self in {
            Stage.AWAITING,
            Stage.APPROVED,
            Stage.TIMEBOXED,
            Stage.PARKED,
        }


ENDS = frozenset(
    {
        Stage.FULFILLED,
        Stage.BACKED_OUT,
        Stage.REJECTED,
        Stage.CANCELLED,
        Stage.EXPIRED,
        Stage.HANDED_OVER,
        Stage.TAKEN_OVER,
        Stage.OBSERVED,
        Stage.RELEASED,
    }
)

# Before an effect a person may take the ticket, and an operator may release it.
_LEAVE = frozenset({Stage.PARKED, Stage.HANDED_OVER, Stage.TAKEN_OVER, Stage.RELEASED})
# A change record may stand behind these: it is withdrawn before the handling ends.
_WITHDRAW = frozenset({Stage.WITHDRAWING, Stage.PARKED})

_BEFORE_DECISION: Mapping[Stage, frozenset[Stage]] = {
    Stage.INGESTED: frozenset({Stage.TRIAGED}) | _LEAVE | {Stage.CANCELLED},
    Stage.TRIAGED: frozenset({Stage.DECIDED}) | _LEAVE | {Stage.CANCELLED, Stage.OBSERVED},
    Stage.PARKED: frozenset(
        {
            Stage.INGESTED,
            Stage.TRIAGED,
            Stage.HANDED_OVER,
            Stage.TAKEN_OVER,
            Stage.RELEASED,
            Stage.CANCELLED,
        }
    ),
}
# Once the intent is committed, only the outcome at the target decides.
_AFTER_INTENT: Mapping[Stage, frozenset[Stage]] = {
    Stage.IMPLEMENTING: frozenset(
        {Stage.REPORTING, Stage.BACKING_OUT, Stage.TIMEBOXED, Stage.PARKED}
    ),
    Stage.BACKING_OUT: frozenset({Stage.REPORTING, Stage.PARKED}),
    Stage.TIMEBOXED: frozenset({Stage.ENDING, Stage.PARKED}),
    Stage.ENDING: frozenset({Stage.REPORTING, Stage.PARKED}),
    Stage.REPORTING: frozenset(
        {Stage.FULFILLED, Stage.BACKED_OUT, Stage.HANDED_OVER, Stage.PARKED}
    ),
    Stage.PARKED: frozenset(
        {
            Stage.IMPLEMENTING,
            Stage.BACKING_OUT,
            Stage.TIMEBOXED,
            Stage.ENDING,
            Stage.REPORTING,
            Stage.HANDED_OVER,
            Stage.RELEASED,
        }
    ),
}
# What was never fired may wait again (its intent is then WITHHELD): where depends on the gate.
_BACK_TO_READY: Mapping[Stage, frozenset[Stage]] = {Stage.IMPLEMENTING: frozenset({Stage.READY})}
_BACK_TO_AWAITING: Mapping[Stage, frozenset[Stage]] = {
    Stage.IMPLEMENTING: frozenset({Stage.AWAITING})
}
_WITHDRAWAL: Mapping[Stage, frozenset[Stage]] = {
    Stage.WITHDRAWING: frozenset(
        {
            Stage.DRAFTED,
            Stage.REJECTED,
            Stage.CANCELLED,
            Stage.EXPIRED,
            Stage.HANDED_OVER,
            Stage.TAKEN_OVER,
            Stage.RELEASED,
            Stage.PARKED,
        }
    ),
}
_BEFORE_INTENT = frozenset({Stage.DRAFTED, Stage.OPENED, Stage.AWAITING, Stage.APPROVED})
_DECIDED_ENDS = _LEAVE | {Stage.CANCELLED, Stage.OBSERVED}


def _merged(*tables: Mapping[Stage, frozenset[Stage]]) -> Mapping[Stage, frozenset[Stage]]:
    merged: dict[Stage, frozenset[Stage]] = {stage: frozenset() for stage in Stage}
    for table in tables:
        for stage, targets in table.items():
            merged[stage] |= targets
    return MappingProxyType(merged)


TRANSITIONS: Mapping[Gate, Mapping[Stage, frozenset[Stage]]] = MappingProxyType(
    {
        Gate.UNDECIDED: _merged(_BEFORE_DECISION),
        Gate.PERSON: _merged({Stage.DECIDED: _DECIDED_ENDS, Stage.PARKED: _LEAVE - {Stage.PARKED}}),
        Gate.NONE: _merged(
            {
                Stage.DECIDED: frozenset({Stage.READY}) | _DECIDED_ENDS,
                Stage.READY: frozenset({Stage.IMPLEMENTING}) | _LEAVE | {Stage.CANCELLED},
                Stage.PARKED: frozenset({Stage.READY, Stage.CANCELLED}) | (_LEAVE - {Stage.PARKED}),
            },
            _AFTER_INTENT,
            _BACK_TO_READY,
        ),
        Gate.DESK: _merged(
            {
                Stage.DECIDED: frozenset({Stage.DRAFTED}) | _DECIDED_ENDS,
                Stage.DRAFTED: frozenset({Stage.AWAITING})
                | _LEAVE
                | {Stage.CANCELLED, Stage.WITHDRAWING},
                Stage.AWAITING: frozenset({Stage.APPROVED}) | _WITHDRAW,
                Stage.APPROVED: frozenset({Stage.IMPLEMENTING, Stage.AWAITING}) | _WITHDRAW,
                Stage.PARKED: frozenset(
                    {Stage.DRAFTED, Stage.AWAITING, Stage.APPROVED, Stage.WITHDRAWING}
                ),
            },
            _WITHDRAWAL,
            _AFTER_INTENT,
            _BACK_TO_AWAITING,
        ),
        Gate.CHANGE: _merged(
            {
                Stage.DECIDED: frozenset({Stage.DRAFTED}) | _DECIDED_ENDS,
                Stage.DRAFTED: frozenset({Stage.OPENED}) | _WITHDRAW,
                Stage.OPENED: frozenset({Stage.AWAITING}) | _WITHDRAW,
                Stage.AWAITING: frozenset({Stage.APPROVED}) | _WITHDRAW,
                Stage.APPROVED: frozenset({Stage.IMPLEMENTING, Stage.AWAITING}) | _WITHDRAW,
                Stage.PARKED: frozenset(
                    {Stage.DRAFTED, Stage.OPENED, Stage.AWAITING, Stage.APPROVED, Stage.WITHDRAWING}
                ),
            },
            _WITHDRAWAL,
            _AFTER_INTENT,
            _BACK_TO_AWAITING,
        ),
    }
)
"""gate -> stage -> the stages that may follow; total over both enums.

IMPLEMENTING follows READY where no approval is needed, and APPROVED where one is; nothing else
leads there
but the way back from PARKED, which `require_transition` ties to the stage that was parked.
"""


def require_transition(
    gate: Gate, stage: Stage, to: Stage, *, parked_from: Stage | None = None
) -> None:
    """Return if the table has the edge.

    A parked handling only resumes where it was parked, or ends.

    Raises:
        IllegalTransitionError: No such edge.
    """
    if to not in TRANSITIONS[gate][stage]:
        raise IllegalTransitionError(f"{stage} -> {to} is no move behind gate {gate}")
    if stage is Stage.PARKED and not to.is_end and to is not parked_from:
        if to is Stage.WITHDRAWING and parked_from in _BEFORE_INTENT:
            return
        raise IllegalTransitionError(f"parked at {parked_from}: cannot resume at {to}")
