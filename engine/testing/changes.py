"""MemoryChangeControl: native changes of one system, with approvers and admins played by a test."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
    ClaimResult,
    CloseCode,
    FieldEdit,
    Membership,
    Preapproval,
)
from engine.domain.decision import ChangeKind, TemplatePin, Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.schedule import NativeSchedule
from engine.errors import (
    DoesNotFitError,
    InvalidAnswerError,
    NotApprovedError,
    PlanChangedError,
    RecordNotFoundError,
    UnmappedValueError,
)
from engine.ports.changes import OpenedChange
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.paging import Cursor, Page
from engine.testing.change_record import ChangeRecord
from engine.testing.desk import add_once

_LONGEST = 32_000
_ENDED = frozenset({ChangeState.CLOSED, ChangeState.CANCELLED, ChangeState.REJECTED})


class MemoryChangeControl:
    """The ChangeControl port over changes in memory; methods of people end the port's own.

    The native chain asks every member of the authority; the first yes completes it, or, with
    `all_must_approve`, the last one.
    """

    def __init__(self, system: str, *, clock: Clock, all_must_approve: bool = False) -> None:
        """Start without changes."""
        self.records: dict[str, ChangeRecord] = {}
        self.groups: dict[str, tuple[Membership, ...] | None] = {}
        self.preapproval: Preapproval | None = None
        self.theirs: dict[str, str] = {}
        self.is_history_readable = True
        self.schedule = NativeSchedule()
        self.all_must_approve = all_must_approve
        self._system = system
        self._clock = clock
        self._numbers = itertools.count(1)
        self._account = Account(system=system, id="tiergate", name="Tiergate")

    # --- the port
    @property
    def system(self) -> str:
        """The system's name."""
        return self._system

    @property
    def has_templates(self) -> bool:
        """Whether a test has put a standing approval here."""
        return self.preapproval is not None

    def check_template(self, pin: TemplatePin) -> tuple[Finding, ...]:
        """Return whether the pinned version is the one in force."""
        found = self.preapproval
        is_good = found is not None and (found.template, found.current) == (pin.id, pin.version)
        return (
            Finding(
                severity=Severity.OK if is_good else Severity.FAULT,
                code=f"template:{pin.id}",
                system=self.system,
                seen="in force" if is_good else "not the pinned one",
            ),
        )

    def find(self, correlation_id: str) -> ChangeRef | None:
        """Return the change that carries this correlation id."""
        found = [
            record.ref
            for record in self.records.values()
            if record.correlation_id == correlation_id
        ]
        if len(found) > 1:
            raise InvalidAnswerError(f"{len(found)} changes carry {correlation_id}")
        return found[0] if found else None

    def complete(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Do nothing but look: here a change is whole from its first moment."""
        del draft  # nothing of it can be missing
        self._record(ref)

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find by correlation id, else create in state New."""
        found = self.find(draft.correlation_id)
        if found is not None:
            return found
        for name, text in draft.text.fields().items():
            if len(text) > _LONGEST:
                raise DoesNotFitError(f"{name}: {len(text)} characters, {_LONGEST} fit")
        number = next(self._numbers)
        ref = ChangeRef(
            system=self._system,
            id=f"c{number:06}",
            number=f"CHG{number:07}",
            url=f"https://changes.example.test/CHG{number:07}",
        )
        self.records[ref.id] = ChangeRecord(
            ref=ref,
            draft=draft,
            text=draft.text,
            window=draft.window,
            correlation_id=draft.correlation_id,
            opened_at=self._clock.now(),
            updated_at=self._clock.now(),
            moved_by=self._account,
        )
        return ref

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Ask the members of the authority; idempotent, refused when a field is not the draft's."""
        record = self._record(ref)
        if record.text.digest != draft.text.digest:
            raise PlanChangedError(f"{ref}: the fields read back are not the draft's")
        if record.state is not ChangeState.NEW or record.rows:
            return
        if draft.kind is ChangeKind.STANDARD:
            self._move(record, ChangeState.SCHEDULED, self._account)
            record.chain, record.rollup = ChainState.COMPLETE, ApprovalState.APPROVED
            return
        now = self._clock.now()
        for member in self.groups.get(draft.authority_group) or ():
            record.rows.append(
                ApprovalRow(
                    id=f"{ref.id}-{member.account.id}",
                    approver=member.account,
                    state=ApprovalState.REQUESTED,
                    set_by=None,
                    created_at=now,
                    decided_at=None,
                )
            )
        self._move(record, ChangeState.AUTHORIZE, self._account)
        record.chain, record.rollup = ChainState.PENDING, ApprovalState.REQUESTED

    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return everything, as of now."""
        record = self._record(ref)
        if record.unmapped:
            raise UnmappedValueError("approval", record.unmapped)
        return ChangeSnapshot(
            ref=ref,
            taken_at=self._clock.now(),
            state=record.state,
            native_state=str(record.state),
            chain=record.chain,
            rollup=record.rollup,
            is_on_hold=record.is_on_hold,
            on_hold_reason=record.reason if record.is_on_hold else "",
            correlation_id=record.correlation_id,
            text=record.text,
            window=record.window,
            approvals=tuple(record.rows),
            history=tuple(record.history) if self.is_history_readable else None,
            moved_by=record.moved_by,
            daemon=self._account,
            version=str(record.version),
            reason=record.reason,
            schedule=self.schedule,
            preapproval=self.preapproval if record.draft.kind is ChangeKind.STANDARD else None,
        )

    def ahead(self, window: Window, native: Mapping[str, str]) -> NativeSchedule:
        """Return what a test put into the calendar."""
        del window, native  # a test puts there what matters
        return self.schedule

    def naming(self, names: tuple[str, ...], window: Window) -> tuple[str, ...]:
        """Return that nobody else changes anything here."""
        del names, window
        return ()

    def first_cursor(self) -> Cursor:
        """Return the server's now."""
        return Cursor(at=self._clock.now())

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        """Return which changes were touched at or after the cursor."""
        del waiting  # the memory of this system shows votes
        now = self._clock.now()
        touched = [item.ref for item in self.records.values() if item.updated_at >= cursor.at]
        return Page(items=tuple(touched), cursor=Cursor(at=now), is_last=True, server_now=now)

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members; None when unreadable or unknown."""
        return self.groups.get(group_id)

    def claim(self, ref: ChangeRef, *, plan_digest: str, owner: str) -> ClaimResult:
        """Let exactly one owner claim this plan."""
        record = self._record(ref)
        holder = record.claims.get(plan_digest)
        if holder is None:
            record.claims[plan_digest] = owner
            return ClaimResult.WON
        return ClaimResult.OURS if holder == owner else ClaimResult.LOST

    def begin(self, ref: ChangeRef, *, at: datetime) -> None:
        """Move the change to Implement."""
        record = self._record(ref)
        if record.state is ChangeState.IMPLEMENT and record.moved_by == self._account:
            return
        if record.state is not ChangeState.SCHEDULED or record.is_on_hold:
            raise NotApprovedError(f"{ref}: no way from {record.state} to implement")
        record.actual_start = at
        self._move(record, ChangeState.IMPLEMENT, self._account)

    def close(self, ref: ChangeRef, *, code: CloseCode, notes: str, at: datetime) -> None:
        """Move through Review to Closed."""
        record = self._record(ref)
        if record.state in _ENDED:
            return
        if record.state not in {ChangeState.IMPLEMENT, ChangeState.REVIEW}:
            raise NotApprovedError(f"{ref}: no way from {record.state} to closed")
        record.close_code, record.close_notes, record.actual_end = code, notes, at
        self._move(record, ChangeState.REVIEW, self._account)
        self._move(record, ChangeState.CLOSED, self._account)

    def cancel(self, ref: ChangeRef, *, reason: str) -> ChangeState:
        """Cancel our own change, unless it has ended."""
        record = self._record(ref)
        if record.state not in _ENDED:
            record.reason = reason
            self._move(record, ChangeState.CANCELLED, self._account)
        return record.state

    def add_work_note(self, ref: ChangeRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        record = self._record(ref)
        if add_once(record.notes, text, marker):
            self._touch(record)

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Add watchers, once each."""
        record = self._record(ref)
        missing = [one for one in who if one not in record.watchers]
        if missing:
            record.watchers += missing
            self._touch(record)

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach a file once."""
        del content_type  # nobody opens it here
        self._record(ref).attachments.setdefault(name, content)

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket, once."""
        del url  # the reference says it
        record = self._record(ref)
        if ticket not in record.links:
            record.links.append(ticket)

    def opened_by_us(self, since: datetime) -> tuple[OpenedChange, ...] | None:
        """Return every change: nobody else opens any here."""
        return tuple(
            OpenedChange(ref=one.ref, correlation_id=one.correlation_id, opened_at=one.opened_at)
            for one in self.records.values()
            if one.opened_at >= since
        )

    def account(self) -> Account:
        """Return our own account."""
        return self._account

    def check(self) -> tuple[Finding, ...]:
        """Return that all is well."""
        return (
            Finding(
                severity=Severity.OK, code="cannot_approve", system=self.system, seen="no approver"
            ),
        )

    # --- people
    def decide(
        self,
        ref: ChangeRef,
        *,
        by: Account,
        approve: bool,
        set_by: Account | None = None,
        comment: str = "",
        is_anonymous: bool = False,
    ) -> None:
        """Let an approver decide, or somebody else in his name."""
        record = self._record(ref)
        now = self._clock.now()
        state = ApprovalState.APPROVED if approve else ApprovalState.REJECTED
        row = ApprovalRow(
            id=f"{ref.id}-{by.id}",
            approver=by,
            state=state,
            set_by=None if is_anonymous else set_by or by,
            created_at=now,
            decided_at=now,
            comment=comment,
        )
        record.rows = [item for item in record.rows if item.id != row.id] + [row]
        if not approve:
            record.chain, record.rollup = ChainState.REJECTED, ApprovalState.REJECTED
            self._move(record, ChangeState.NEW, by)
            return
        open_rows = [item for item in record.rows if item.state is ApprovalState.REQUESTED]
        if open_rows and self.all_must_approve:
            self._touch(record)
            return
        record.rows = [_not_required(item) for item in record.rows]
        record.chain, record.rollup = ChainState.COMPLETE, ApprovalState.APPROVED
        self._move(record, ChangeState.SCHEDULED, by)

    def edit(self, ref: ChangeRef, name: str, text: str, *, by: Account) -> None:
        """Let a person write a plan field."""
        record = self._record(ref)
        old = record.text.fields()[name]
        record.text = replace(record.text, **{name: text})
        self._remember(record, name, old, text, by)

    def move_window(self, ref: ChangeRef, window: Window, *, by: Account) -> None:
        """Let a person move the planned start and end."""
        record = self._record(ref)
        record.window = window
        self._remember(record, "window", "", "moved", by)

    def hold(self, ref: ChangeRef, *, is_held: bool, by: Account, reason: str = "") -> None:
        """Let a person put the change on hold, or release it."""
        record = self._record(ref)
        record.is_on_hold = is_held
        record.reason = reason
        self._remember(record, "on_hold", str(not is_held), str(is_held), by)

    def cancel_by(self, ref: ChangeRef, *, by: Account, reason: str = "") -> None:
        """Let a person cancel the change."""
        record = self._record(ref)
        record.reason = reason
        self._move(record, ChangeState.CANCELLED, by)

    def move_by(self, ref: ChangeRef, to: ChangeState, *, by: Account) -> None:
        """Let a person, or an admin past every rule, move the state by hand."""
        record = self._record(ref)
        if to is ChangeState.SCHEDULED and record.chain is not ChainState.COMPLETE:
            record.chain = ChainState.BYPASSED
        self._move(record, to, by)

    def set_members(self, group_id: str, members: Iterable[Membership] | None) -> None:
        """Set a group's members; None makes them unreadable."""
        self.groups[group_id] = None if members is None else tuple(members)

    def delete(self, ref: ChangeRef) -> None:
        """Delete the change."""
        del self.records[ref.id]

    def _record(self, ref: ChangeRef) -> ChangeRecord:
        record = self.records.get(ref.id)
        if record is None:
            raise RecordNotFoundError(f"{ref}: deleted, or hidden from this account")
        return record

    def _move(self, record: ChangeRecord, to: ChangeState, by: Account) -> None:
        old, record.state = record.state, to
        if to is ChangeState.CANCELLED:
            record.chain, record.rollup = ChainState.CANCELLED, ApprovalState.CANCELLED
        record.moved_by = by
        self._remember(record, "state", str(old), str(to), by)

    def _remember(self, record: ChangeRecord, name: str, old: str, new: str, by: Account) -> None:
        record.history.append(FieldEdit(field=name, old=old, new=new, by=by, at=self._clock.now()))
        self._touch(record)

    def _touch(self, record: ChangeRecord) -> None:
        record.version += 1
        record.updated_at = self._clock.now()


def _not_required(row: ApprovalRow) -> ApprovalRow:
    if row.state is not ApprovalState.REQUESTED:
        return row
    return replace(row, state=ApprovalState.NOT_REQUIRED)
