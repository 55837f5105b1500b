"""MemoryTicketDesk: the tickets of one system, with everybody in it played by a test."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from engine.domain.change import ClaimResult, FieldEdit, Membership
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import NativeApproval, RunNow, Ticket, TicketField, TicketState
from engine.errors import InvalidAnswerError, RecordNotFoundError, UnmappedValueError
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.paging import Cursor, Page

SOURCE = "tickets"
_ANSWERS = {
    "accept": "accept",
    "wrong action": "wrong_action",
    "wrong person": "wrong_person",
    "do it myself": "do_it_myself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A note or comment as it stands on a ticket or change."""

    text: str
    marker: str
    by: str
    at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class TicketRecord:
    """One ticket with everything that stands around it."""

    ticket: Ticket
    notes: list[Written] = field(default_factory=list[Written])
    comments: list[Written] = field(default_factory=list[Written])
    answers: list[DeskAnswer] = field(default_factory=list[DeskAnswer])
    history: list[FieldEdit] = field(default_factory=list[FieldEdit])
    links: list[str] = field(default_factory=list[str])
    held_for: ChangeRef | None = None
    resolution: str = ""
    is_hidden: bool = False
    is_history_hidden: bool = False
    claims: dict[str, str] = field(default_factory=dict[str, str])
    broken: str = ""


class MemoryTicketDesk:
    """The TicketDesk port over tickets in memory; methods of people end the port's own."""

    def __init__(
        self,
        system: str,
        *,
        clock: Clock,
        page_size: int = 50,
        overlap: timedelta = timedelta(seconds=60),
        unset: Mapping[TicketField, frozenset[str]] | None = None,
    ) -> None:
        """Start without tickets."""
        self.records: dict[str, TicketRecord] = {}
        self.groups: dict[str, list[Account]] = {}
        self.faults: dict[str, str] = {}
        self.group_names: frozenset[str] | None = None
        self.page_size = page_size
        self.overlap = overlap
        self._system = system
        self._clock = clock
        self._unset = unset or {}
        self._numbers = itertools.count(1)
        self._answers = itertools.count(1)
        self._claimed: set[tuple[str, str]] = set()
        self._account = Account(system=system, id="tiergate", name="Tiergate")

    # --- the port
    @property
    def system(self) -> str:
        """The system's name."""
        return self._system

    def sources(self) -> Sequence[str]:
        """Return the one source."""
        return (SOURCE,)

    def first_cursor(self, source: str) -> Cursor:
        """Return the server's now; nothing made before it is ours, whenever it is edited."""
        del source  # there is but one
        now = self._clock.now()
        return Cursor(at=now, opaque=now.isoformat())

    def changed_since(self, source: str, cursor: Cursor) -> Page[Ticket]:
        """Return the next page of the sweep, in order of (time, id), hidden rows counted."""
        del source  # as above
        now = self._clock.now()
        horizon = cursor.horizon or now
        start = (cursor.at, cursor.id) if cursor.horizon else (cursor.at - self.overlap, "")
        floor = datetime.fromisoformat(cursor.opaque)
        found = sorted(
            (record.ticket.updated_at, record.ticket.ref.id, record)
            for record in self.records.values()
            if start < (record.ticket.updated_at, record.ticket.ref.id)
            and record.ticket.updated_at <= horizon
            and record.ticket.created_at >= floor
        )
        page, rest = found[: self.page_size], found[self.page_size :]
        shown = [record for _, _, record in page if not record.is_hidden]
        position = Cursor(at=horizon, opaque=cursor.opaque)
        if rest:
            at, record_id, _ = page[-1]
            position = Cursor(at=at, id=record_id, horizon=horizon, opaque=cursor.opaque)
        return Page(
            items=tuple(record.ticket for record in shown if not record.broken),
            cursor=position,
            is_last=not rest,
            server_now=now,
            broken=tuple(
                (record.ticket.ref.id, record.broken) for record in shown if record.broken
            ),
            hidden=len(page) - len(shown),
        )

    def read(self, ref: TicketRef) -> Ticket:
        """Return the ticket as it is now; one that no table knows is an error here too."""
        record = self._record(ref)
        if record.broken:
            raise InvalidAnswerError(record.broken)
        return record.ticket

    def write_fields(
        self, ticket: Ticket, values: Mapping[TicketField, str]
    ) -> Mapping[TicketField, str]:
        """Write those values whose field no person has set; return what was written."""
        record = self._record(ticket.ref)
        group = values.get(TicketField.ASSIGNMENT_GROUP)
        if group is not None and self.group_names is not None and group not in self.group_names:
            raise UnmappedValueError("assignment group", group)
        now = record.ticket
        written: dict[TicketField, str] = {}
        for name, value in values.items():
            standing = now.fields.get(name, "")
            is_unset = standing == "" or standing in self._unset.get(name, frozenset())
            if name in now.edited or (standing != ticket.fields.get(name, "") and not is_unset):
                continue
            if standing != value:
                written[name] = value
        if written:
            self._save(record, fields={**now.fields, **written})
        return written

    def add_work_note(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        record = self._record(ref)
        if add_once(record.notes, text, marker, at=self._clock.now()):
            self._save(record)

    def add_comment(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add a requester-visible comment once."""
        record = self._record(ref)
        if add_once(record.comments, text, marker):
            self._save(record)

    def put_on_hold(self, ticket: Ticket, change: ChangeRef) -> None:
        """Put the ticket on hold for the change, and link them."""
        record = self._record(ticket.ref)
        if record.held_for == change and record.ticket.state is TicketState.ON_HOLD:
            return
        record.held_for = change
        if change.id not in record.links:
            record.links.append(change.id)
        self._save(record, state=TicketState.ON_HOLD)

    def take_off_hold(self, ref: TicketRef, to: TicketState) -> None:
        """Restore the ticket from our own hold; a person's move is left alone."""
        record = self._record(ref)
        if record.held_for is None:
            return
        record.held_for = None
        if record.ticket.state is TicketState.ON_HOLD:
            self._save(record, state=to)

    def resolve(self, ref: TicketRef, text: str) -> None:
        """Resolve the ticket, unless a person closed it."""
        record = self._record(ref)
        if record.ticket.state.is_open:
            record.resolution = text
            self._save(record, state=TicketState.RESOLVED)

    @property
    def desk_channel(self) -> DeskChannel:
        """By a note with the code; an answer without one stands for a state that was set."""
        return DeskChannel.NOTE

    def ask_desk(self, ref: TicketRef, plan: Plan, text: str, *, marker: str) -> None:
        """Ask by an internal note."""
        del plan  # the note carries its code
        self.add_work_note(ref, text, marker=marker)

    def desk_snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request and every answer since then."""
        record = self._record(ref)
        asked = next((note for note in record.notes if note.marker == marker), None)
        is_readable = not record.is_history_hidden
        return DeskSnapshot(
            taken_at=self._clock.now(),
            request=asked.text if asked is not None and asked.by == self._account.id else None,
            requested_at=None if asked is None else asked.at,
            answers=tuple(item for item in record.answers if item.at >= since)
            if is_readable
            else None,
            daemon=self._account,
            unreadable="" if is_readable else "the history",
        )

    def desk_members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members, without dates; None where there is no such group."""
        found = self.groups.get(group_id)
        if found is None:
            return None
        return tuple(Membership(account=one, since=None) for one in found)

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim an answer: the first owner wins, for ever."""
        del plan_digest
        holder = self._record(ref).claims.setdefault(answer, owner)
        won = holder == owner and (ref.id, answer) not in self._claimed
        self._claimed.add((ref.id, answer))
        if won:
            return ClaimResult.WON
        return ClaimResult.OURS if holder == owner else ClaimResult.LOST

    def history(self, ref: TicketRef) -> tuple[FieldEdit, ...] | None:
        """Return the ticket's field history."""
        return tuple(self._record(ref).history)

    def account(self) -> Account:
        """Return our own account."""
        return self._account

    def members(self, group_id: str) -> tuple[Account, ...]:
        """Return the accounts in a group."""
        return tuple(self.groups.get(group_id, ()))

    def open_fault(self, title: str, text: str, *, marker: str) -> None:
        """Open or update the one incident of a fault."""
        self.faults[marker] = f"{title}\n{text}"

    def close_fault(self, text: str, *, marker: str) -> None:
        """Close that incident."""
        del text  # nobody reads a closed fault here
        self.faults.pop(marker, None)

    def check(self) -> tuple[Finding, ...]:
        """Return that all is well."""
        return (Finding(severity=Severity.OK, code="reachable", system=self.system, seen="here"),)

    # --- people
    def seed(
        self,
        short_description: str,
        *,
        requester: Account,
        description: str = "",
        kind: TicketKind = TicketKind.INCIDENT,
        creator: Account | None = None,
        channel: str = "portal",
        at: datetime | None = None,
        **facts: object,
    ) -> TicketRef:
        """Let somebody make a ticket."""
        number = next(self._numbers)
        prefix = "INC" if kind is TicketKind.INCIDENT else "RITM"
        ref = TicketRef(
            system=self._system, kind=kind, id=f"t{number:06}", key=f"{prefix}{number:07}"
        )
        now = at or self._clock.now()
        ticket = Ticket(
            ref=ref,
            url=f"https://desk.example.test/{ref.key}",
            version="1",
            created_at=now,
            updated_at=now,
            state=TicketState.NEW,
            short_description=short_description,
            description=description,
            requester=requester,
            creator=creator or requester,
            channel=channel,
        )
        self.records[ref.id] = TicketRecord(ticket=replace(ticket, **facts))  # type: ignore[arg-type]  # facts of Ticket by name
        return ref

    def change_ticket(self, ref: TicketRef, *, by: str, **facts: object) -> None:
        """Let a person change the ticket."""
        self._save(self._record(ref), updated_by=by, **facts)

    def edit_field(self, ref: TicketRef, name: TicketField, value: str, *, by: Account) -> None:
        """Let a person set a triage field."""
        record = self._record(ref)
        before = record.ticket
        edit = FieldEdit(
            field=str(name),
            old=before.fields.get(name, ""),
            new=value,
            by=by,
            at=self._clock.now(),
        )
        record.history.append(edit)
        self._save(
            record,
            updated_by=by.id,
            fields={**before.fields, name: value},
            edited=before.edited | {name},
        )

    def answer(self, ref: TicketRef, *, by: Account, answer: str, code: str = "") -> None:
        """Let an agent answer a plan natively."""
        record = self._record(ref)
        record.answers.append(
            DeskAnswer(
                id=f"a{next(self._answers):06}",
                by=by,
                answer=answer,
                code=code,
                at=self._clock.now(),
                channel=DeskChannel.NOTE if code else DeskChannel.STATE,
            )
        )
        self._save(record, updated_by=by.id)

    def write_note(self, ref: TicketRef, text: str, *, by: Account) -> None:
        """Let a person write an internal note; our words in it mean what they mean natively."""
        record = self._record(ref)
        record.notes.append(Written(text=text, marker="", by=by.id))
        self._save(record, updated_by=by.id)
        command = text.strip().lower().removeprefix("tiergate:").strip()
        if not text.strip().lower().startswith("tiergate:"):
            return
        if command in {"hold", "release"}:
            self._save(record, is_held=command == "hold")
        if command == "run now":
            ask = RunNow(id=f"n{len(record.notes)}", by=by, at=self._clock.now())
            self._save(record, run_now=ask)
        for words, answer in _ANSWERS.items():
            if command == words or command.startswith(f"{words} "):
                code = command.removeprefix(words).strip()
                self.answer(ref, by=by, answer=answer, code=code)

    def move(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        """Let a person move the ticket."""
        self._save(self._record(ref), state=to, updated_by=by)

    def approve_natively(self, ref: TicketRef, state: NativeApproval) -> None:
        """Let the ticket's own approval be decided."""
        self._save(self._record(ref), native_approval=state)

    def delete(self, ref: TicketRef) -> None:
        """Delete the ticket."""
        del self.records[ref.id]

    def record(self, ref: TicketRef) -> TicketRecord:
        """Return everything that stands on a ticket."""
        return self.records[ref.id]

    def _record(self, ref: TicketRef) -> TicketRecord:
        record = self.records.get(ref.id)
        if record is None or record.is_hidden:
            raise RecordNotFoundError(f"{ref}: deleted, or hidden from this account")
        return record

    def _save(self, record: TicketRecord, **facts: object) -> None:
        before = record.ticket
        version = {"version": str(int(before.version) + 1), "updated_at": self._clock.now()}
        record.ticket = replace(before, **{**version, **facts})  # type: ignore[arg-type]  # facts of Ticket by name


def add_once(
    texts: list[Written],
    text: str,
    marker: str,
    *,
    by: str = "tiergate",
    at: datetime | None = None,
) -> bool:
    """Append a text unless its marker is there already; return whether it was."""
    if any(item.marker == marker for item in texts):
        return False
    texts.append(Written(text=text, marker=marker, by=by, at=at))
    return True
