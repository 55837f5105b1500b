"""What is read of a native change: a full snapshot, and the verdict's vocabulary."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from engine.domain.decision import Window
from engine.domain.plan import PlanText
from engine.domain.refs import Account, ChangeRef
from engine.domain.schedule import NOTHING_SCHEDULED, NativeSchedule


class ChangeState(StrEnum):
    """The native record's state in ITIL words; connectors map theirs onto it, totally."""

    NEW = "new"
    ASSESS = "assess"
    AUTHORIZE = "authorize"
    SCHEDULED = "scheduled"
    IMPLEMENT = "implement"
    REVIEW = "review"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class ApprovalState(StrEnum):
    """One approver's row; and, for `rollup`, the record's own summary."""

    NOT_REQUESTED = "not_requested"
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    NOT_REQUIRED = "not_required"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"


class ChainState(StrEnum):
    """The approval chain in the change system's own terms, judged by the connector's pure mapping.

    COMPLETE means: roll-up *and* state say so, for the current pass. BYPASSED: the record stands
    behind
    the approval without the chain having said yes (state moved by hand, a third transition).
    """

    NOT_STARTED = "not_started"
    PENDING = "pending"
    COMPLETE = "complete"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """One approver's row of the current pass.

    `set_by` is who wrote the decision (history, else sys_updated_by), None when nobody has or it
    cannot
    be told; `pass_id` names the pass (iteration, approval id) the row belongs to.
    """

    id: str
    approver: Account
    state: ApprovalState
    set_by: Account | None
    created_at: datetime | None
    decided_at: datetime | None
    pass_id: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEdit:
    """One edit of one field, from the record's native history.

    `field` in our words (`PlanText` names, `state`, `approval`, `window`), else the vendor's name.
    """

    field: str
    old: str
    new: str
    by: Account | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Preapproval:
    """What a standard change rests on, read afresh: its template's version, and who approved that.

    Attributes:
        template, version: What the change record itself says it was made from.
        current: The template's present version.
        proposal: The proposal that the version names.
        is_approved: The proposal's own roll-up says so, and it was not called off.
        is_retired: The template, or the version, is out of use.
        is_as_proposed: The template says today what the proposal proposed.
        is_moved_by_engine: The instance's own flow moved the change into its present state.
        settled_at: When the proposal was carried out; what was written to the template until then
            belongs to it. None: it never was, or that cannot be told.
        approvals: The proposal's approval rows.
        edits: Native edits of what `template`, `version` and `proposal` (the field) say, oldest
            first, with the template's last write where no history tells of it; None when the
            history cannot be read.
    """

    template: str
    version: str
    current: str
    proposal: str
    is_approved: bool
    is_retired: bool
    is_as_proposed: bool
    is_moved_by_engine: bool
    settled_at: datetime | None
    approvals: tuple[ApprovalRow, ...]
    edits: tuple[FieldEdit, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSnapshot:
    """Everything the verdict needs, read afresh in one go.

    Attributes:
        taken_at: By the change system's own clock.
        text: The plan fields as read back now.
        approvals: Rows of the current pass; superseded passes are left out.
        history: Native edits, oldest first; None when the account cannot read them (gate stays
            shut).
        moved_by: Who moved the record into its present state; None when it cannot be told.
        daemon: Our own account there.
        preapproval: What a standard change rests on; None for every other kind of change.
    """

    ref: ChangeRef
    taken_at: datetime
    state: ChangeState
    native_state: str
    chain: ChainState
    rollup: ApprovalState
    is_on_hold: bool
    on_hold_reason: str
    correlation_id: str
    text: PlanText
    window: Window
    approvals: tuple[ApprovalRow, ...]
    history: tuple[FieldEdit, ...] | None
    moved_by: Account | None
    daemon: Account
    version: str
    reason: str = ""
    schedule: NativeSchedule = NOTHING_SCHEDULED
    preapproval: Preapproval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One account's membership of an authority's group, read afresh; `since` None when unknown."""

    account: Account
    since: datetime | None


class VerdictKind(StrEnum):
    """The gate's answer; total: there is no other."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ON_HOLD = "on_hold"
    WAITING_FOR_WINDOW = "waiting_for_window"
    EXPIRED = "expired"
    INVALID = "invalid"


class InvalidReason(StrEnum):
    """Why an approval does not count; `service.verdict.INVALID_FOLLOWS` says what follows."""

    HISTORY_UNREADABLE = "history_unreadable"
    MEMBERSHIP_UNREADABLE = "membership_unreadable"
    BYPASSED = "bypassed"
    NOBODY_APPROVED = "nobody_approved"
    TOO_FEW_APPROVERS = "too_few_approvers"
    OUTSIDE_AUTHORITY = "outside_authority"
    MEMBER_TOO_LATE = "member_too_late"
    SELF_APPROVED = "self_approved"
    DAEMON_APPROVED = "daemon_approved"
    SETTER_UNKNOWN = "setter_unknown"
    PERSON_UNKNOWN = "person_unknown"
    PLAN_EDITED = "plan_edited"
    WRONG_RECORD = "wrong_record"
    WINDOW_CHANGED = "window_changed"
    WINDOW_PASSED = "window_passed"
    MOVED_BY_OTHER = "moved_by_other"
    FROZEN = "frozen"
    SCHEDULE_UNREADABLE = "schedule_unreadable"
    TEMPLATE_CHANGED = "template_changed"
    PREAPPROVAL_WITHDRAWN = "preapproval_withdrawn"
    PREAPPROVAL_UNREADABLE = "preapproval_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict over one snapshot, with its sentence and the approvers it rests on."""

    kind: VerdictKind
    because: str
    reason: InvalidReason | None = None
    approvers: tuple[Account, ...] = ()
    not_before: datetime | None = None


class ClaimResult(StrEnum):
    """What became of the claim in the system of record."""

    WON = "won"
    OURS = "ours"
    LOST = "lost"


class CloseCode(StrEnum):
    """How a change ended, for the native close code."""

    SUCCESSFUL = "successful"
    UNSUCCESSFUL = "unsuccessful"
