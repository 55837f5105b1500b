"""Change requests of one ServiceNow instance: opened once, read whole, moved with read-back.

Nothing here writes an approval row, the `approval` field or an approver: the account needs no right
to, and `check` refuses one that has it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.check import ChangeCheck
from connectors.servicenow.claims import Claims
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.drafts import MARK, DraftMapping
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import CHANGE_KINDS, TABLES
from connectors.servicenow.moves import Moves
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.snapshots import (
    AUDIT_FIELDS,
    ROW_FIELDS,
    SNAPSHOT_FIELDS,
    ChangeMapping,
    RawChange,
    plan_text,
)
from connectors.servicenow.sweep import Position, open_window, position_of, read_page
from engine.domain.change import ChangeSnapshot, ChangeState, ClaimResult, CloseCode, Membership
from engine.domain.decision import ChangeKind
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.errors import (
    InvalidAnswerError,
    OutcomeUnknownError,
    PlanChangedError,
    PreconditionError,
    TransientError,
)
from engine.ports.changes import OpenedChange
from engine.ports.clock import Clock
from engine.ports.findings import Finding
from engine.ports.paging import Cursor, Page

_TABLE = "change_request"
_STEADY_READS = 4
_SUBMITTED: Mapping[ChangeKind, ChangeState] = {
    ChangeKind.NORMAL: ChangeState.ASSESS,
    ChangeKind.EMERGENCY: ChangeState.AUTHORIZE,
    ChangeKind.STANDARD: ChangeState.SCHEDULED,
}
"""Where a change of each kind goes from New: its chain asks its approvers from there on."""


class ServiceNowChanges:
    """The ChangeControl of one instance."""

    def __init__(
        self, client: ServiceNowClient, settings: ServiceNowSettings, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._accounts = Accounts(client)
        self._journals = Journals(client)
        self._mapping = ChangeMapping(client.name, client.url, settings.changes.states)
        self._drafts = DraftMapping(client.name, settings.changes, self._accounts)
        self._claims = Claims(client)
        self._moves = Moves(client, self._mapping, settings.changes)
        self._check = ChangeCheck(client, settings, clock)

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    # --- opening
    def find(self, correlation_id: str) -> ChangeRef | None:
        """Return the change with this correlation id, compared on what came back.

        Raises:
            InvalidAnswerError: More than one carries it.
        """
        rows, _ = self._client.all_rows(
            _TABLE,
            q.equals("correlation_id", correlation_id),
            fields=("sys_id", "number", "correlation_id"),
        )
        # A dropped term would match any change, and the server compares without regard to case.
        found = [row for row in rows if text(row, "correlation_id") == correlation_id]
        if len(found) > 1:
            numbers = ", ".join(text(row, "number") for row in found)
            raise InvalidAnswerError(
                f"{self.system}: correlation id {correlation_id} is on {numbers}"
            )
        return self._mapping.ref(found[0]) if found else None

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find, else create in New with nobody asked.

        Raises:
            DoesNotFitError: A text is longer than its native field.
            OutcomeUnknownError: The create got no answer and the change cannot be seen (yet).
            InvalidAnswerError: The record came back without our correlation id.
            PreconditionError: Somebody else opened the record that is found, and it left New.
        """
        values = self._drafts.values(draft)
        found = self.find(draft.correlation_id)
        if found is not None:
            self._require_adoptable(found)
            return found
        fields = ("sys_id", "number", "correlation_id", "state")
        try:
            record = self._client.create(_TABLE, values, fields=fields)
        except OutcomeUnknownError:
            found = self.find(draft.correlation_id)
            if found is None:
                raise
            return found
        ref = self._mapping.ref(record)
        if text(record, "correlation_id") != draft.correlation_id:
            raise InvalidAnswerError(
                f"{ref}: created, but the correlation id was not kept; it would not be found again"
            )
        return ref

    def _require_adoptable(self, ref: ChangeRef) -> None:
        """Refuse a change that a person opened and that approvers may have seen already."""
        record = self._client.read(_TABLE, ref.id, fields=("sys_created_by", "state", "approval"))
        is_ours = text(record, "sys_created_by") == self._client.account().name
        state = self._mapping.state(text(record, "state"))
        is_unasked = text(record, "approval") in {"", "not requested"}
        if not is_ours and not (state is ChangeState.NEW and is_unasked):
            raise PreconditionError(
                f"{ref} carries our correlation id, but was opened by somebody else and is {state}"
            )

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Take the change from New to where its chain asks; one that left New already stays.

        Raises:
            PlanChangedError: The record does not carry the draft's texts.
            InvalidAnswerError: The move was answered with success and ignored.
        """
        record = self._client.read(_TABLE, ref.id, fields=(*SNAPSHOT_FIELDS, "assignment_group"))
        if plan_text(record).digest != draft.text.digest:
            raise PlanChangedError(f"{ref}: the texts on the record are not the plan's")
        if text(record, "correlation_id") != draft.correlation_id:
            raise PlanChangedError(f"{ref}: the record carries another correlation id")
        if text(record, "type") != CHANGE_KINDS[draft.kind]:
            raise PlanChangedError(f"{ref}: the record is of another kind of change")
        if self._mapping.state(text(record, "state")) is not ChangeState.NEW:
            return
        self._moves.submit(ref, _SUBMITTED[draft.kind])

    # --- reading
    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return record, approval rows and history as of one version of the record.

        Raises:
            RecordNotFoundError: The record is gone, or hidden.
            TransientError: The record kept changing while it was read.
        """
        daemon = self._client.account()
        for _ in range(_STEADY_READS):
            raw = self._raw(ref)
            again = self._client.read(_TABLE, ref.id, fields=("sys_id", "sys_mod_count"))
            if text(again, "sys_mod_count") == text(raw.record, "sys_mod_count"):
                return self._mapping.snapshot(raw, daemon)
        raise TransientError(f"{ref}: kept changing while it was read")

    def _raw(self, ref: ChangeRef) -> RawChange:
        record = self._client.read(_TABLE, ref.id, fields=SNAPSHOT_FIELDS)
        # Which column points at the change depends on the instance; together nothing is missed.
        rows, hidden = self._client.all_rows(
            "sysapproval_approver",
            q.either(q.equals("sysapproval", ref.id), q.equals("document_id", ref.id)),
            fields=ROW_FIELDS,
        )
        rows = tuple(
            row for row in rows if ref.id in {text(row, "sysapproval"), text(row, "document_id")}
        )
        audit = self._audit(_TABLE, [ref.id])
        row_audit = self._audit("sysapproval_approver", [text(row, "sys_id") for row in rows])
        names = {text(row, "sys_updated_by") for row in rows}
        names |= {text(row, "user") for row in (*(audit or ()), *(row_audit or ()))}
        return RawChange(
            record=record,
            rows=rows,
            # A hidden approval row could be an open or a rejecting one: the gate stays shut.
            audit=None if hidden else audit,
            row_audit=row_audit,
            users=self._accounts.by_user_name(names),
            taken_at=self._client.server_now(),
        )

    def _audit(self, table: str, ids: Sequence[str]) -> tuple[Record, ...] | None:
        """Return the history of these records; None when some of it is hidden from us."""
        rows, hidden = self._client.rows_of(
            "sys_audit",
            "documentkey",
            ids,
            fields=AUDIT_FIELDS,
            base=q.equals("tablename", table),
        )
        return None if hidden else rows

    def first_cursor(self) -> Cursor:
        """Return the server's now."""
        return Cursor(at=self._client.server_now())

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        """Return changes whose approval rows changed, then changes that changed themselves.

        A sweep costs two queries and a read of the clock, however many wait; `waiting` is not
        needed here.
        """
        del waiting
        position = position_of(cursor)
        server_now = self._client.server_now()
        window = open_window(
            cursor, position, server_now, lag=self._settings.lag, overlap=self._settings.overlap
        )
        if window.is_empty:
            return Page(items=(), cursor=cursor, is_last=True, server_now=server_now)
        is_second = position.phase == "records"
        page = read_page(
            self._client,
            table=_TABLE if is_second else "sysapproval_approver",
            base=q.equals(_MARKED_BY[is_second], MARK),
            window=window,
            fields=_SWEEP_RECORD if is_second else _SWEEP_ROW,
            limit=self._settings.page_size,
        )
        refs = [self._swept(record, is_second=is_second) for record in page.records]
        if page.is_last and not is_second:
            after = Cursor(
                at=window.begun,
                horizon=window.horizon,
                opaque=Position(begun=window.begun, phase="records").encoded(),
            )
        elif page.is_last:
            after = Cursor(at=window.horizon)
        else:
            after = Cursor(
                at=page.at,
                id=page.id,
                horizon=window.horizon,
                opaque=Position(begun=window.begun, phase=position.phase).encoded(),
            )
        return Page(
            items=tuple(dict.fromkeys(ref for ref in refs if ref is not None)),
            cursor=after,
            is_last=page.is_last and is_second,
            hidden=page.hidden,
            server_now=page.server_now,
        )

    def _swept(self, record: Record, *, is_second: bool) -> ChangeRef | None:
        if is_second:
            is_ours = text(record, "correlation_display") == MARK
            return self._mapping.ref(record) if is_ours else None
        if text(record, "sysapproval.correlation_display") != MARK:
            return None
        if not text(record, "sysapproval"):
            return None
        return self._mapping.ref(
            {"sys_id": record["sysapproval"], "number": record["sysapproval.number"]}
        )

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members by the group's own id; None when unreadable."""
        return self._accounts.members(group_id)

    # --- implementing
    def claim(self, ref: ChangeRef, *, plan_digest: str, owner: str) -> ClaimResult:
        """Claim this plan's implementation; see `connectors.servicenow.claims`."""
        return self._claims.claim(ref, plan_digest=plan_digest, owner=owner)

    def begin(self, ref: ChangeRef, *, at: datetime) -> None:
        """Move from Scheduled to Implement with the actual start; read back.

        Raises:
            NotApprovedError: Refused, ignored, or somebody else moved it there.
        """
        self._moves.begin(ref, at=at, moved_by=lambda: self.snapshot(ref).moved_by)

    def close(self, ref: ChangeRef, *, code: CloseCode, notes: str, at: datetime) -> None:
        """Complete native tasks, then Review and Closed, each read back.

        Raises:
            InvalidAnswerError: A move was answered with success and ignored.
        """
        self._moves.close(ref, code=code, notes=notes, at=at)

    def cancel(self, ref: ChangeRef, *, reason: str) -> None:
        """Cancel our own change; one that has ended, or that approvers rejected, stays as it is."""
        self._moves.cancel(ref, reason=reason)

    # --- telling
    def add_work_note(self, ref: ChangeRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        self._journals.add_once(_TABLE, ref.id, "work_notes", text, marker)

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once, by name.

        Raises:
            OutcomeUnknownError: The answer was lost and the file cannot be seen yet.
        """
        if self._is_attached(ref, name):
            return
        place = {"table_name": _TABLE, "table_sys_id": ref.id, "file_name": name}
        try:
            self._client.upload(place, content, content_type)
        except OutcomeUnknownError:
            if not self._is_attached(ref, name):
                raise

    def _is_attached(self, ref: ChangeRef, name: str) -> bool:
        names = self._client.attachments(
            q.both(
                q.equals("table_name", _TABLE),
                q.equals("table_sys_id", ref.id),
                q.equals("file_name", name),
            )
        )
        return name in names

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket: `parent` here, a work note for another system's ticket."""
        if ticket.system != self.system:
            self.add_work_note(
                ref, f"For {ticket.key} in {ticket.system}: {url}", marker=f"link|{ticket}"
            )
            return
        record = self._client.read(_TABLE, ref.id, fields=("sys_id", "parent"))
        if text(record, "parent") != ticket.id:
            reply = self._client.update(_TABLE, ref.id, {"parent": ticket.id}, fields=("parent",))
            if text(reply, "parent") != ticket.id:
                raise InvalidAnswerError(f"{ref}: linking it to {ticket} was ignored")
        if TABLES[ticket.kind] == "incident":
            self._point_at(ref, ticket)

    def _point_at(self, ref: ChangeRef, ticket: TicketRef) -> None:
        """Name the change in the incident's `rfc`, instead of none or of an earlier one of ours."""
        incident = self._client.read(
            "incident", ticket.id, fields=("sys_id", "rfc", "rfc.correlation_display")
        )
        now = text(incident, "rfc")
        if not now or (now != ref.id and text(incident, "rfc.correlation_display") == MARK):
            self._client.update("incident", ticket.id, {"rfc": ref.id}, fields=("rfc",))

    def opened_by_us(self, since: datetime) -> tuple[OpenedChange, ...] | None:
        """Return the changes that our account created since then; None when some are hidden."""
        ours = self._client.account().name
        rows, hidden = self._client.all_rows(
            _TABLE,
            q.both(q.equals("sys_created_by", ours), q.at("sys_created_on", ">=", since)),
            fields=("sys_id", "number", "correlation_id", "sys_created_by", "sys_created_on"),
        )
        if hidden:
            return None
        return tuple(
            OpenedChange(
                ref=self._mapping.ref(row),
                correlation_id=text(row, "correlation_id"),
                opened_at=q.parse_instant(text(row, "sys_created_on")) or since,
            )
            for row in rows
            if text(row, "sys_created_by") == ours  # a dropped term would match everybody's
        )

    def account(self) -> Account:
        """Return our own account."""
        return self._client.account()

    def check(self) -> tuple[Finding, ...]:
        """Return every finding; first, whether this account could approve."""
        return self._check.run()


_MARKED_BY = {True: "correlation_display", False: "sysapproval.correlation_display"}
_SWEEP_RECORD = ("sys_id", "number", "correlation_display", "sys_updated_on", "sys_created_on")
_SWEEP_ROW = (
    "sys_id", "sysapproval", "sysapproval.number", "sysapproval.correlation_display",
    "sys_updated_on", "sys_created_on",
)  # fmt: skip
