"""A change record, its approval rows and its history as one snapshot: pure functions.

The go-signal of ServiceNow's chain is judged here and nowhere else: `approval` alone flips several
times while a change passes its stages, and the state alone can be moved by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.servicenow.answers import Record, require_columns, text
from connectors.servicenow.evidence import in_order, number
from connectors.servicenow.mapping import (
    BOOLEANS,
    CHANGE_STATES,
    ROW_STATES,
    account_of,
    map_or_raise,
    required_instant,
)
from connectors.servicenow.query import parse_instant
from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
    FieldEdit,
    Preapproval,
)
from engine.domain.decision import Window
from engine.domain.plan import PlanText
from engine.domain.refs import Account, ChangeRef
from engine.errors import InvalidAnswerError

TEXT_FIELDS: Mapping[str, str] = {
    "short_description": "short_description",
    "description": "description",
    "justification": "justification",
    "risk_and_impact": "risk_impact_analysis",
    "implementation": "implementation_plan",
    "test": "test_plan",
    "backout": "backout_plan",
}
"""PlanText name -> native field."""
LARGEST: Mapping[str, int] = {
    name: 160 if name == "short_description" else 4000 for name in TEXT_FIELDS
}
"""How many characters the native field holds (ServiceNow docs, change request fields)."""
_OUR_WORDS = {native: name for name, native in TEXT_FIELDS.items()} | {
    "state": "state",
    "approval": "approval",
    "start_date": "window",
    "end_date": "window",
}
SNAPSHOT_FIELDS = (
    "sys_id", "number", "sys_mod_count", "sys_created_on", "state", "approval", "type", "on_hold",
    "on_hold_reason", "correlation_id", "start_date", "end_date", "close_notes",
    "requested_by", *TEXT_FIELDS.values(),
)  # fmt: skip
_DECIDING = (
    "sys_mod_count", "state", "approval", "on_hold", "correlation_id", "start_date", "end_date",
    *TEXT_FIELDS.values(),
)  # fmt: skip
_BEHIND = frozenset(
    {ChangeState.SCHEDULED, ChangeState.IMPLEMENT, ChangeState.REVIEW, ChangeState.CLOSED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawChange:
    """What was read of one change, before it is judged.

    `audit` and `row_audit` are None when the account cannot read the history.
    """

    record: Record
    rows: tuple[Record, ...]
    audit: tuple[Record, ...] | None
    row_audit: tuple[Record, ...] | None
    users: Mapping[str, Account]
    taken_at: datetime
    standard: "Standard | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """What only a standard change has: the plan on its tasks, and what approved its template.

    `task_audit` is None where the history of a task that was written again does not say what was.
    """

    plan: PlanText
    task_audit: tuple[Record, ...] | None
    preapproval: Preapproval


@dataclass(frozen=True, slots=True)
class ChangeMapping:
    """Judges raw changes of one system; `states` adds an instance's own state values."""

    system: str
    url: str
    states: Mapping[str, ChangeState]

    def state(self, value: str) -> ChangeState:
        """Return the state in ITIL words.

        Raises:
            UnmappedValueError: No table knows it.
        """
        return map_or_raise({**CHANGE_STATES, **self.states}, "change_request.state", value)

    def ref(self, record: Record) -> ChangeRef:
        """Return the record's typed name."""
        sys_id, number = text(record, "sys_id"), text(record, "number")
        if not sys_id or not number:
            raise InvalidAnswerError("change_request: a record without sys_id or number")
        return ChangeRef(
            system=self.system,
            id=sys_id,
            number=number,
            url=f"{self.url}/nav_to.do?uri=change_request.do?sys_id={sys_id}",
        )

    def snapshot(self, raw: RawChange, daemon: Account) -> ChangeSnapshot:
        """Return the snapshot that the verdict is taken over.

        Raises:
            UnmappedValueError: A state, an approval or an on-hold mark that no table knows.
            MissingRightError: A column on which the verdict rests is hidden from us.
        """
        record = raw.record
        require_columns("change_request", record, _DECIDING)
        state = self.state(text(record, "state"))
        rollup = map_or_raise(ROW_STATES, "change_request.approval", text(record, "approval"))
        standard = raw.standard
        history = self._history(raw, state)
        rows = self._rows(raw, history)
        return ChangeSnapshot(
            ref=self.ref(record),
            taken_at=raw.taken_at,
            state=state,
            native_state=text(record, "state"),
            chain=judge_chain(state, rollup, rows),
            rollup=rollup,
            is_on_hold=map_or_raise(BOOLEANS, "change_request.on_hold", text(record, "on_hold")),
            on_hold_reason=text(record, "on_hold_reason"),
            correlation_id=text(record, "correlation_id"),
            text=plan_text(record) if standard is None else standard.plan,
            window=Window(
                earliest=parse_instant(text(record, "start_date")),
                latest=parse_instant(text(record, "end_date")),
            ),
            approvals=rows,
            history=history,
            moved_by=_moved_by(history, state),
            daemon=daemon,
            version=text(record, "sys_mod_count"),
            reason=_reason(record, rows),
            preapproval=None if standard is None else standard.preapproval,
        )

    def _history(self, raw: RawChange, state: ChangeState) -> tuple[FieldEdit, ...] | None:
        if raw.audit is None:
            return None
        edits = [self._edit(row, raw.users) for row in in_order(raw.audit)]
        if state is not ChangeState.NEW and not any(edit.field == "state" for edit in edits):
            # The record left New and no history says so: auditing is off, or its rows are hidden.
            return None
        if raw.standard is None:
            return tuple(edits)
        if raw.standard.task_audit is None:
            return None
        # An edit of a task is an edit of the plan: its implementation carries the digest.
        edits += self.edits(raw.standard.task_audit, raw.users, word="implementation")
        return tuple(sorted(edits, key=lambda edit: edit.at))

    def edits(
        self, entries: Sequence[Record], users: Mapping[str, Account], *, word: str
    ) -> tuple[FieldEdit, ...]:
        """Return history entries of another record, all of them as edits of `word`."""
        return tuple(
            FieldEdit(
                field=word,
                old=text(entry, "oldvalue"),
                new=text(entry, "newvalue"),
                by=_user(self.system, text(entry, "user"), users),
                at=required_instant(entry, "sys_created_on"),
            )
            for entry in in_order(entries)
        )

    def approval_rows(
        self,
        rows: Sequence[Record],
        audit: tuple[Record, ...] | None,
        users: Mapping[str, Account],
    ) -> tuple[ApprovalRow, ...]:
        """Return all approval rows of a task that is asked once; who set one by its history."""
        setters = _setters(rows, audit)
        return tuple(self._row(row, users, setters) for row in rows)

    def _edit(self, row: Record, users: Mapping[str, Account]) -> FieldEdit:
        native = text(row, "fieldname")
        field = _OUR_WORDS.get(native, native)
        return FieldEdit(
            field=field,
            old=self._word(field, text(row, "oldvalue")),
            new=self._word(field, text(row, "newvalue")),
            by=_user(self.system, text(row, "user"), users),
            at=required_instant(row, "sys_created_on"),
        )

    def _word(self, field: str, value: str) -> str:
        """Return a state or approval in ITIL words; a value of the past that no table knows as is.

        Nothing is decided on it: present values go through the total tables.
        """
        if field == "state":
            return str({**CHANGE_STATES, **self.states}.get(value, value))
        if field == "approval":
            return str(ROW_STATES.get(value, value))
        return value

    def _rows(
        self, raw: RawChange, history: tuple[FieldEdit, ...] | None
    ) -> tuple[ApprovalRow, ...]:
        setters = _setters(raw.rows, raw.row_audit)
        rows = [self._row(row, raw.users, setters) for row in raw.rows]
        latest = max((number(row.pass_id) for row in rows), default=0)
        begun = _asked_at(history)
        return tuple(
            row
            for row in rows
            if number(row.pass_id) == latest
            and (begun is None or row.created_at is None or row.created_at >= begun)
        )

    def _row(
        self, row: Record, users: Mapping[str, Account], setters: Mapping[str, Record]
    ) -> ApprovalRow:
        approver = account_of(self.system, row, "approver")
        if approver is None:
            raise InvalidAnswerError("sysapproval_approver: a row without an approver")
        state = map_or_raise(ROW_STATES, "sysapproval_approver.state", text(row, "state"))
        sys_id = text(row, "sys_id")
        setter = setters.get(sys_id)
        is_decided = state in {ApprovalState.APPROVED, ApprovalState.REJECTED}
        who = text(setter, "user") if setter else text(row, "sys_updated_by")
        when = text(setter, "sys_created_on") if setter else text(row, "sys_updated_on")
        return ApprovalRow(
            id=sys_id,
            approver=approver,
            state=state,
            set_by=_user(self.system, who, users) if is_decided else None,
            created_at=parse_instant(text(row, "sys_created_on")),
            decided_at=parse_instant(when) if is_decided else None,
            pass_id=text(row, "iteration"),
            comment=_last_comment(row),
        )


def judge_chain(
    state: ChangeState, rollup: ApprovalState, rows: Sequence[ApprovalRow]
) -> ChainState:
    """Return where the native chain stands, by roll-up, state and rows together.

    Scheduled is where the chain itself takes an approved change; from there on anything but a
    whole yes means that somebody went round it. Nobody asked and yet approved is for the verdict to
    refuse: the chain as such is complete.
    """
    if state is ChangeState.CANCELLED:
        return ChainState.CANCELLED
    open_rows = any(row.state is ApprovalState.REQUESTED for row in rows)
    is_rejected = rollup is ApprovalState.REJECTED or any(
        row.state is ApprovalState.REJECTED for row in rows
    )
    if is_rejected:
        return ChainState.REJECTED
    if state in _BEHIND:
        is_whole = rollup is ApprovalState.APPROVED and not open_rows
        return ChainState.COMPLETE if is_whole else ChainState.BYPASSED
    if state is ChangeState.NEW:
        return ChainState.PENDING if open_rows else ChainState.NOT_STARTED
    return ChainState.PENDING


def plan_text(record: Record) -> PlanText:
    """Return the plan's texts as the record carries them now."""
    return PlanText(**{name: text(record, native) for name, native in TEXT_FIELDS.items()})


def _user(system: str, name: str, users: Mapping[str, Account]) -> Account | None:
    """Return the account behind a user name; the name alone is no identity.

    The instance's own engine writes as `system`, which is no user: it is named, and equals nobody.
    """
    if name == "system":
        return Account(system=system, id="system", name="system")
    return users.get(name)


def _setters(rows: Sequence[Record], audit: tuple[Record, ...] | None) -> Mapping[str, Record]:
    """Return, per approval row, the history entry that gave it its present state."""
    present = {text(row, "sys_id"): text(row, "state") for row in rows}
    found: dict[str, Record] = {}
    for entry in in_order(audit or ()):
        key = text(entry, "documentkey")
        if text(entry, "fieldname") == "state" and text(entry, "newvalue") == present.get(key):
            found[key] = entry
    return found


def _asked_at(history: tuple[FieldEdit, ...] | None) -> datetime | None:
    """Return when the record last left New: rows from before belong to an earlier pass."""
    moments = [
        edit.at
        for edit in history or ()
        if edit.field == "state" and edit.old == ChangeState.NEW and edit.new != ChangeState.NEW
    ]
    return max(moments, default=None)


def _moved_by(history: tuple[FieldEdit, ...] | None, state: ChangeState) -> Account | None:
    moves = [edit for edit in history or () if edit.field == "state" and edit.new == state]
    return moves[-1].by if moves else None


def _reason(record: Record, rows: Sequence[ApprovalRow]) -> str:
    rejected = [row.comment for row in rows if row.state is ApprovalState.REJECTED and row.comment]
    return rejected[-1] if rejected else text(record, "close_notes")


def _last_comment(row: Record) -> str:
    """Return the newest journal entry on an approval row, without its heading line."""
    journal = row["comments"].display if "comments" in row else ""
    newest = journal.split("\n\n", 1)[0]
    return newest.partition("\n")[2].strip() or newest.strip()
