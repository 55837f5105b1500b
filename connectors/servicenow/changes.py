"""Change requests of one ServiceNow instance: opened once, read whole, moved with read-back.

Nothing here writes an approval row, the `approval` field or an approver: the account needs no right
to, and `check` refuses one that has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.adoption import Adoption
from connectors.servicenow.agenda import Agenda
from connectors.servicenow.answers import Record, text
from connectors.servicenow.change_files import ChangeFiles
from connectors.servicenow.change_reads import CHANGE_FIELDS, ChangeReader
from connectors.servicenow.change_sweep import ChangeSweep
from connectors.servicenow.check import ChangeCheck
from connectors.servicenow.claims import Claims
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.drafts import DraftMapping
from connectors.servicenow.duties import duties
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import CHANGE_KINDS
from connectors.servicenow.moves import Moves
from connectors.servicenow.neighbours import naming
from connectors.servicenow.plan_tasks import PlanTasks
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.severity import raise_severity
from connectors.servicenow.snapshots import (
    ChangeMapping,
    plan_text,
)
from connectors.servicenow.standard import StandardChanges
from connectors.servicenow.standard_check import TemplateCheck
from engine.domain.change import ChangeSnapshot, ChangeState, ClaimResult, CloseCode, Membership
from engine.domain.decision import ChangeKind, TemplatePin, Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.schedule import NativeSchedule
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    OutcomeUnknownError,
    PlanChangedError,
    PreconditionError,
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
        self._agenda = Agenda(client, settings.schedule)
        self._moves = Moves(client, self._mapping, settings.changes)
        self._sweep = ChangeSweep(client, settings, self._mapping)
        self._check = ChangeCheck(client, settings, clock)
        self._files = ChangeFiles(client, self._journals)
        self._tasks = PlanTasks(client)
        self._standard = StandardChanges(client, self._mapping, self._accounts)
        self._template_check = TemplateCheck(client, clock, self._standard)
        self._reader = ChangeReader(
            client, self._mapping, self._accounts, self._standard, self._tasks
        )
        self._adoption = Adoption(client, self._mapping)

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    # --- opening
    def find(self, correlation_id: str) -> ChangeRef | None:
        """Return the change with this correlation id, compared on what came back.

        Raises:
            InvalidAnswerError: More than one carries it.
            MissingRightError: One that carries it is hidden from us: a second must not be made.
        """
        rows, hidden = self._client.all_rows(
            _TABLE,
            q.equals("correlation_id", correlation_id),
            fields=("sys_id", "number", "correlation_id"),
        )
        if hidden:
            raise MissingRightError(
                f"{self.system}: {hidden} changes with correlation id {correlation_id} are hidden"
            )
        # A dropped term would match any change, and the server compares without regard to case.
        found = [row for row in rows if text(row, "correlation_id") == correlation_id]
        if len(found) > 1:
            numbers = ", ".join(text(row, "number") for row in found)
            raise InvalidAnswerError(
                f"{self.system}: correlation id {correlation_id} is on {numbers}"
            )
        return self._mapping.ref(found[0]) if found else None

    @property
    def has_templates(self) -> bool:
        """Standard changes are made from templates of the catalogue."""
        return True

    def check_template(self, pin: TemplatePin) -> tuple[Finding, ...]:
        """Return whether a standard change of this template could run; see `standard_check`."""
        return self._template_check.run(pin)

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find, adopt what the ticket names where that is configured, else create; nobody is asked.

        Raises:
            DoesNotFitError: A text is longer than its native field.
            OutcomeUnknownError: The create got no answer and the change cannot be seen (yet).
            InvalidAnswerError: The record came back without our correlation id.
            PreconditionError: A person's change cannot be adopted, or the pinned template of a
                standard change is not in force.
        """
        values = self._drafts.values(draft)
        found = self.find(draft.correlation_id)
        if found is not None:
            self.complete(found, draft)
            return found
        theirs = self._adoption.linked(draft.ticket) if self._settings.changes.adopt else None
        if theirs is not None:
            self._adoption.adopt(theirs, draft, values)
            return theirs
        ref = self._create(draft, values)
        if draft.kind is ChangeKind.STANDARD:
            self._tasks.write(ref, draft)
        return ref

    def complete(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Complete what an earlier attempt left behind; a stranger's record is adopted or refused.

        Raises:
            PreconditionError: Somebody else opened it, and it cannot be adopted.
        """
        record = self._client.read(_TABLE, ref.id, fields=("sys_created_by",))
        if not self._adoption.is_ours(record):
            if not self._settings.changes.adopt:
                raise PreconditionError(
                    f"{ref} carries our correlation id, but was opened by somebody else"
                )
            self._adoption.adopt(ref, draft, self._drafts.values(draft))
        elif draft.kind is ChangeKind.STANDARD:
            self._tasks.write(ref, draft)

    def _create(self, draft: ChangeDraft, values: Mapping[str, str]) -> ChangeRef:
        fields = ("sys_id", "number", "correlation_id", "state")
        try:
            if draft.kind is ChangeKind.STANDARD:
                sys_id = self._standard.create(draft, values)
                record = self._client.read(_TABLE, sys_id, fields=fields)
            else:
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

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Take the change from New to where its chain asks; one that left New already stays.

        Raises:
            PlanChangedError: The record does not carry the draft's texts.
            InvalidAnswerError: The move was answered with success and ignored.
        """
        record = self._client.read(_TABLE, ref.id, fields=CHANGE_FIELDS)
        self._require_ours(ref, record, draft)
        if self._mapping.state(text(record, "state")) is not ChangeState.NEW:
            self._adoption.require_asked_by_us(ref, record)
            return
        raise_severity(self._client, ref, draft)
        self._moves.submit(ref, _SUBMITTED[draft.kind])

    def _require_ours(self, ref: ChangeRef, record: Record, draft: ChangeDraft) -> None:
        is_standard = draft.kind is ChangeKind.STANDARD
        held = (
            self._tasks.read(ref, draft.correlation_id).text if is_standard else plan_text(record)
        )
        if held.digest != draft.text.digest:
            raise PlanChangedError(f"{ref}: the texts on the record are not the plan's")
        if text(record, "correlation_id") != draft.correlation_id:
            raise PlanChangedError(f"{ref}: the record carries another correlation id")
        if text(record, "type") != CHANGE_KINDS[draft.kind]:
            raise PlanChangedError(f"{ref}: the record is of another kind of change")
        version = text(record, "std_change_producer_version")
        if is_standard and version != draft.template_version:
            raise PlanChangedError(f"{ref}: it was not made from the pinned version")

    # --- reading
    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return record, approval rows and history as of one version of the record.

        Raises:
            RecordNotFoundError: The record is gone, or hidden.
            TransientError: The record kept changing while it was read.
        """
        return replace(self._reader.snapshot(ref), schedule=self._agenda.of(ref.id))

    def ahead(self, window: Window, native: Mapping[str, str]) -> NativeSchedule:
        """Return what the instance's own calendar holds against a change in this window."""
        return self._agenda.ahead(window, native)

    def naming(self, names: tuple[str, ...], window: Window) -> tuple[str, ...]:
        """Return other people's open changes that name one of these; see `neighbours`."""
        return naming(self._client, names, window)

    def first_cursor(self) -> Cursor:
        """Return the server's now."""
        return self._sweep.first_cursor()

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        """Return which changes changed; see `connectors.servicenow.change_sweep`."""
        return self._sweep.changed_since(cursor, waiting)

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

    def cancel(self, ref: ChangeRef, *, reason: str) -> ChangeState:
        """Cancel our own change; one that has ended, or that approvers rejected, stays as it is."""
        return self._moves.cancel(ref, reason=reason)

    # --- telling
    def add_work_note(self, ref: ChangeRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        self._journals.add_once(_TABLE, ref.id, "work_notes", text, marker)

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Add users or mail addresses to the watch list; they decide nothing."""
        self._files.watch(ref, who)

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once, by name."""
        self._files.attach(ref, name=name, content=content, content_type=content_type)

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket: `parent` here, a work note for another system's ticket."""
        self._files.link(ref, ticket, url=url)

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
        return self._check.run(duties)
