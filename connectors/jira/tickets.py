"""TicketDesk on Jira: service desk requests and plain issues, Cloud and Data Center."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.jira.client import JiraClient
from connectors.jira.desk_check import check_desk
from connectors.jira.desk_gate import DeskGate
from connectors.jira.faults import FaultDesk
from connectors.jira.groups import group_members, memberships
from connectors.jira.history import field_edits
from connectors.jira.links import Links
from connectors.jira.moves import Moves
from connectors.jira.notes import Notes
from connectors.jira.polling import Poller, Sweep, starting_at
from connectors.jira.records import CHANNEL, Found, Records, field_text
from connectors.jira.settings import (
    FIRST_START,
    FieldTarget,
    JiraSettings,
    TicketSource,
    source_name,
)
from connectors.jira.site import Site, native_value
from connectors.jira.transport import RefusedError
from connectors.jira.values import quoted, text_of
from connectors.jira.waiting import Waiting
from engine.domain.change import ClaimResult, FieldEdit, Membership
from engine.domain.desk import DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.ticket import Ticket, TicketField, TicketState
from engine.errors import (
    ConfigurationError,
    InvalidAnswerError,
    MissingRightError,
    RecordNotFoundError,
    TransientError,
    UnmappedValueError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding
from engine.ports.paging import Cursor, Page


class JiraTicketDesk:
    """The tickets of one Jira site. Constructors do no I/O."""

    def __init__(
        self, name: str, settings: JiraSettings, client: JiraClient, site: Site, clock: Clock
    ) -> None:
        """Keep what is needed."""
        self._name = name
        self._settings = settings
        self._client = client
        self._site = site
        self._clock = clock
        self._records = Records(client, site, settings)
        self._moves = Moves(client)
        self._notes = Notes(client, site)
        self._links = Links(client)
        self._waiting = Waiting(
            client,
            self._records,
            self._moves,
            self._links,
            settings=settings.waiting,
            link_type=settings.changes.link_type if settings.changes else "Relates",
        )
        self._desk = DeskGate(client, site, self._records, self._notes, self._moves, settings.desk)
        self._faults = FaultDesk(client, site, self._notes, self._moves, self._records, settings)
        self._poller = Poller(client, overlap=settings.overlap, page_size=settings.page_size)
        self._sources = {source_name(source): source for source in settings.tickets}

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._name

    # --- reading

    def sources(self) -> Sequence[str]:
        """Return the names of the configured sources."""
        return tuple(self._sources)

    def first_cursor(self, source: str) -> Cursor:
        """Return where a source starts: its `since`, by default the site's now."""
        since = self._source(source).since
        if isinstance(since, datetime):
            return starting_at(since)
        if since != FIRST_START:
            raise ConfigurationError(f"{self._name}: since {since!r} is not known")
        self._client.verify_session()
        return starting_at(self._client.server_now())

    def changed_since(self, source: str, cursor: Cursor) -> Page[Ticket]:
        """Return the next page of changed tickets; see `polling` for what cannot be lost."""
        chosen = self._source(source)
        sweep = Sweep(
            jql=_filter(chosen),
            fields=self._records.field_ids(),
            expand="changelog",
            properties=CHANNEL if self._client.is_cloud else "",
        )
        swept = self._poller.next_page(sweep, cursor)
        tickets: list[Ticket] = []
        broken = list(swept.broken)
        for one in swept.issues:
            try:
                if self._records.is_ours(one, chosen.request_types):
                    tickets.append(self._records.ticket(one, is_fresh=False))
            except _PARKING as error:
                broken.append((one.id, f"{one.key}: {error}"))
        return Page(
            items=tuple(tickets),
            cursor=swept.cursor,
            is_last=swept.is_last,
            server_now=swept.server_now,
            broken=tuple(broken),
        )

    def read(self, ref: TicketRef) -> Ticket:
        """Return the ticket as it is now, by its id: the key may have changed, the id has not."""
        return self._records.ticket(self._records.issue(ref.id), is_fresh=True)

    def history(self, ref: TicketRef) -> tuple[FieldEdit, ...] | None:
        """Return the changelog in our words; None where it cannot be read."""
        names = {"status": "state"}
        labels: dict[str, str] = {}
        for part, target in self._settings.fields.items():
            if target.prefix:
                labels[target.prefix] = str(part)
                continue
            native = self._records.native(target)
            names |= {native.id: str(part), native.name: str(part)}
        try:
            history = self._records.history(self._records.issue(ref.id))
            return field_edits(history, names, labels)
        except (MissingRightError, InvalidAnswerError):
            return None

    def account(self) -> Account:
        """Return our own account."""
        return self._client.me()

    def members(self, group_id: str) -> tuple[Account, ...]:
        """Return the group's members: by id on Cloud, by name on Data Center, which has no ids."""
        return group_members(self._client, group_id)

    # --- writing

    def write_fields(
        self, ticket: Ticket, values: Mapping[TicketField, str]
    ) -> Mapping[TicketField, str]:
        """Write the values whose field no person has set; return what was written."""
        now = self._records.issue(ticket.ref.id)
        fresh = self._records.ticket(now, is_fresh=False)
        body: dict[str, object] = {}
        labels: list[dict[str, str]] = []
        written: dict[TicketField, str] = {}
        for part, text in values.items():
            target = self._settings.fields.get(part)
            if target is None or not self._may_write(part, ticket, fresh):
                continue
            if target.values and text.casefold() not in {one.casefold() for one in target.values}:
                raise UnmappedValueError(str(part), text)
            native = self._records.native(target)
            written[part] = text
            if fresh.fields.get(part, "") == text:
                continue
            if target.prefix:
                labels += _swapped(now, native.id, target, text)
            else:
                body[native.id] = native_value(native, text, is_cloud=self._client.is_cloud)
        if body or labels:
            update = {"labels": labels} if labels else {}
            self._edit(ticket.ref, {"fields": body, "update": update}, written)
            self._require_written(ticket.ref, written)
        return written

    def _edit(
        self, ref: TicketRef, body: Mapping[str, object], values: Mapping[TicketField, str]
    ) -> None:
        try:
            self._client.write("PUT", f"issue/{ref.id}", body, is_repeatable=True)
        except RefusedError as refused:
            for part, text in values.items():
                if self._records.native(self._settings.fields[part]).id in refused.fields:
                    raise UnmappedValueError(str(part), text) from None
            raise

    def _may_write(self, part: TicketField, seen: Ticket, fresh: Ticket) -> bool:
        if part in fresh.edited or part in seen.edited:
            return False
        value = fresh.fields.get(part, "")
        is_unset = not value or value in self._settings.unset.get(part, ())
        return is_unset or value == seen.fields.get(part, "")

    def _require_written(self, ref: TicketRef, written: Mapping[TicketField, str]) -> None:
        fields = self._records.issue(ref.id).fields
        for part, text in written.items():
            target = self._settings.fields[part]
            held = field_text(fields, self._records.native(target), target)
            if target.label(held).casefold() != target.label(text).casefold():
                raise TransientError(f"{ref}: {part} was written and reads {held!r}")

    def add_work_note(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        self._notes.add(ref.id, text, marker=marker, is_public=False)

    def add_comment(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add a requester-visible comment once."""
        self._notes.add(ref.id, text, marker=marker, is_public=True)

    def put_on_hold(self, ticket: Ticket, change: ChangeRef) -> None:
        """Show that the ticket waits for `change`, by status where a way leads there; link both."""
        self._waiting.begin(ticket.ref, change)

    def take_off_hold(self, ref: TicketRef, to: TicketState) -> None:
        """Restore the ticket from our own hold; a ticket that a person moved is left alone."""
        self._waiting.end(ref, to)

    def resolve(self, ref: TicketRef, text: str) -> None:
        """Resolve the ticket with an internal note; one that is over already is left alone."""
        state = self._state(ref)
        if not state.is_open:
            return
        if text:
            self._notes.add(ref.id, text, marker=f"resolve:{ref.id}", is_public=False)
        over = (TicketState.RESOLVED, TicketState.CLOSED)
        known = self._records.states
        self._moves.walk(
            ref.id,
            goal=lambda status: known.get(status.id, status.name) in over,
            through=lambda status: (
                known.get(status.id, status.name) in {TicketState.NEW, TicketState.IN_PROGRESS}
            ),
            prefer=lambda status: over.index(known(status.id, status.name)),
            resolution=self._settings.resolution,
        )

    def _state(self, ref: TicketRef) -> TicketState:
        status = self._moves.status(ref.id)
        found: TicketState = self._records.states(status.id, status.name)
        return found

    # --- the desk gate

    @property
    def desk_channel(self) -> DeskChannel:
        """By what agents answer here, as configured."""
        return self._settings.desk.by

    def ask_desk(self, ref: TicketRef, plan: Plan, text: str, *, marker: str) -> None:
        """Ask by an internal note that ends with how to answer; open the approval if that is it."""
        self._desk.ask(ref, plan, text, marker=marker)

    def desk_snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request and every answer since then; see `connectors.jira.desk_gate`."""
        return self._desk.snapshot(ref, marker=marker, since=since)

    def desk_members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members, who have no date of joining; None when unreadable."""
        return memberships(self._client, group_id)

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim one acceptance by an entity property: 201 wins, 200 loses."""
        return self._desk.claim(ref, answer=answer, plan_digest=plan_digest, owner=owner)

    # --- ourselves

    def open_fault(self, title: str, text: str, *, marker: str) -> None:
        """Open, or update, the one incident for a fault of the daemon itself."""
        self._faults.open(title, text, marker=marker)

    def close_fault(self, text: str, *, marker: str) -> None:
        """Close that incident if it is open and no person has taken it."""
        self._faults.close(text, marker=marker)

    def check(self) -> tuple[Finding, ...]:
        """Return every finding about reachability, rights, clock and maps."""
        queries = {name: _filter(source) for name, source in self._sources.items()}
        return check_desk(
            self._client,
            self._site,
            self._records,
            queries,
            self._clock,
            way=self._settings.desk,
        )

    def _source(self, name: str) -> TicketSource:
        if name not in self._sources:
            raise ConfigurationError(f"{self._name}: no ticket source is called {name!r}")
        return self._sources[name]


# What is wrong with one record, and not with the site: it parks its own ticket.
_PARKING = (
    InvalidAnswerError,
    MissingRightError,
    RecordNotFoundError,
    RefusedError,
    UnmappedValueError,
)


def _filter(source: TicketSource) -> str:
    parts = [f"project = {quoted(source.project)}" if source.project else "", source.jql]
    return " AND ".join(f"({part})" for part in parts if part)


def _swapped(now: Found, field: str, target: FieldTarget, text: str) -> list[dict[str, str]]:
    """Return the edits that put one label in the place of the one with the same prefix."""
    held = [text_of(label) for label in now.fields.get(field) or ()]
    return [
        *({"remove": label} for label in held if label.startswith(target.prefix)),
        {"add": target.label(text)},
    ]
