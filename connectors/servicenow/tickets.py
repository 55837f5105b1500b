"""Incidents and requested items of one ServiceNow instance as tickets.

A requested item, its catalog variables and the catalog tasks that its flow made are one ticket.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.servicenow import evidence
from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.check import DeskCheck
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.desk import DeskWrites
from connectors.servicenow.desk_check import check_desk_gate
from connectors.servicenow.desk_gate import DeskGate
from connectors.servicenow.faults import FaultIncident
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import (
    TABLES,
    TASK_FIELDS,
    TICKET_FIELDS,
    TicketMapping,
    required_instant,
)
from connectors.servicenow.settings import ServiceNowSettings, SourceSettings
from connectors.servicenow.surroundings import Around
from connectors.servicenow.sweep import (
    Position,
    SweepPage,
    Window,
    open_window,
    position_of,
    read_page,
)
from engine.domain.change import ClaimResult, FieldEdit, Membership
from engine.domain.desk import DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.ticket import Ticket, TicketField, TicketState
from engine.errors import (
    ConfigurationError,
    InvalidAnswerError,
    MissingRightError,
    UnmappedValueError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding
from engine.ports.paging import Cursor, Page


class ServiceNowTickets:
    """The TicketDesk of one instance."""

    def __init__(
        self, client: ServiceNowClient, settings: ServiceNowSettings, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._accounts = Accounts(client)
        self._journals = Journals(client)
        self._around = Around(client, self._accounts, self._journals)
        self._mapping = TicketMapping(
            client.name,
            client.url,
            states={str(table): states for table, states in settings.states.items()},
            unset=settings.unset,
            security_categories=settings.security_categories,
        )
        self._writes = DeskWrites(client, settings, self._mapping, self._accounts, self._around)
        self._desk = DeskGate(client, settings.desk, self._accounts, self._journals, self._around)
        self._fault = FaultIncident(client, settings, self._mapping, self._accounts, self._journals)
        self._check = DeskCheck(client, settings, clock)
        self._sources = {source.label: source for source in settings.tickets}

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    @property
    def accounts(self) -> Accounts:
        """Accounts of this instance and their join keys, for People."""
        return self._accounts

    # --- reading
    def sources(self) -> Sequence[str]:
        """Return the names of the configured sources."""
        return tuple(self._sources)

    def _source(self, name: str) -> SourceSettings:
        try:
            return self._sources[name]
        except KeyError:
            raise ConfigurationError(f"{self.system}: no ticket source {name!r}") from None

    def first_cursor(self, source: str) -> Cursor:
        """Return where a source starts; nothing created before is ever ours."""
        since = self._source(source).since or self._client.server_now()
        return Cursor(at=since, opaque=Position(floor=since).encoded())

    def changed_since(self, source: str, cursor: Cursor) -> Page[Ticket]:
        """Return the next page of a sweep; see `connectors.servicenow.sweep`.

        A sweep over requested items goes on over catalog tasks, whose changes do not always touch
        their item.
        """
        settings = self._source(source)
        position = position_of(cursor)
        server_now = self._client.server_now()
        window = open_window(
            cursor, position, server_now, lag=self._settings.lag, overlap=self._settings.overlap
        )
        if window.is_empty:
            return Page(items=(), cursor=cursor, is_last=True, server_now=server_now)
        if position.phase == "tasks":
            page, records = self._task_page(settings, window)
        else:
            page = read_page(
                self._client,
                table=settings.table,
                base=settings.filter,
                window=window,
                fields=TICKET_FIELDS[settings.table],
                limit=self._settings.page_size,
            )
            records = page.records
        tickets, broken = self._tickets(settings.table, records)
        goes_on = page.is_last and settings.table == "sc_req_item" and position.phase != "tasks"
        return Page(
            items=tickets,
            cursor=_next_cursor(page, window, position.phase, goes_on=goes_on),
            is_last=page.is_last and not goes_on,
            broken=broken,
            hidden=page.hidden,
            server_now=page.server_now,
        )

    def _task_page(
        self, source: SourceSettings, window: Window
    ) -> tuple[SweepPage, tuple[Record, ...]]:
        """Return a page of changed catalog tasks and the requested items of ours behind them."""
        page = read_page(
            self._client,
            table="sc_task",
            base=q.both("request_itemISNOTEMPTY", q.through("request_item", source.filter)),
            window=window,
            fields=("sys_id", "sys_created_on", *TASK_FIELDS),
            limit=self._settings.page_size,
        )
        items = {text(task, "request_item") for task in page.records}
        floor = q.at("sys_created_on", ">=", window.floor) if window.floor else ""
        rows, _ = self._client.rows_of(
            source.table,
            "sys_id",
            items,
            fields=TICKET_FIELDS[source.table],
            base=q.both(source.filter, floor),
        )
        return page, rows

    def _tickets(
        self, table: str, records: Sequence[Record]
    ) -> tuple[tuple[Ticket, ...], tuple[tuple[str, str], ...]]:
        around = self._around.of(table, records)
        tickets: list[Ticket] = []
        broken: list[tuple[str, str]] = []
        for record in records:
            try:
                tickets.append(self._mapping.ticket(table, record, around))
            except (UnmappedValueError, InvalidAnswerError, MissingRightError) as error:
                broken.append((text(record, "sys_id"), f"{text(record, 'number')}: {error}"))
        return tuple(tickets), tuple(broken)

    def read(self, ref: TicketRef) -> Ticket:
        """Return the ticket as it is now.

        Raises:
            RecordNotFoundError: Deleted or hidden.
            UnmappedValueError: A value that no table knows.
            MissingRightError: A column on which something is decided is hidden from us.
        """
        table = TABLES[ref.kind]
        record = self._client.read(table, ref.id, fields=TICKET_FIELDS[table])
        return self._mapping.ticket(table, record, self._around.of(table, [record]))

    def history(self, ref: TicketRef) -> tuple[FieldEdit, ...] | None:
        """Return the record's audit entries, oldest first; None when some are hidden from us."""
        rows = evidence.history(self._client, TABLES[ref.kind], [ref.id])
        if rows is None:
            return None
        users = self._accounts.by_user_name(text(row, "user") for row in rows)
        return tuple(
            FieldEdit(
                field=text(row, "fieldname"),
                old=text(row, "oldvalue"),
                new=text(row, "newvalue"),
                by=users.get(text(row, "user")),
                at=required_instant(row, "sys_created_on"),
            )
            for row in rows
        )

    # --- writing
    def write_fields(
        self, ticket: Ticket, values: Mapping[TicketField, str]
    ) -> Mapping[TicketField, str]:
        """Write those values whose field nobody has set; return what is on the record now."""
        return self._writes.write_fields(ticket, values)

    def add_work_note(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        self._journals.add_once(TABLES[ref.kind], ref.id, "work_notes", text, marker)

    def add_comment(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add a requester-visible comment once."""
        self._journals.add_once(TABLES[ref.kind], ref.id, "comments", text, marker)

    def put_on_hold(self, ticket: Ticket, change: ChangeRef) -> None:
        """Put an incident on hold "Awaiting Change" with its `rfc`, an item to Pending."""
        self._writes.put_on_hold(ticket, change)

    def take_off_hold(self, ref: TicketRef, to: TicketState) -> None:
        """Restore the ticket from our own hold."""
        self._writes.take_off_hold(ref, to)

    def resolve(self, ref: TicketRef, text: str) -> None:
        """Resolve an incident with its close code; complete an item and its catalog tasks."""
        self._writes.resolve(ref, text)

    # --- the desk
    @property
    def desk_channel(self) -> DeskChannel:
        """By what agents answer here, as configured."""
        return self._settings.desk.by

    def ask_desk(self, ref: TicketRef, plan: Plan, text: str, *, marker: str) -> None:
        """Ask by a work note that ends with how to answer."""
        self._desk.ask(ref, plan, text, marker=marker)

    def desk_snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request and every answer since then; see `connectors.servicenow.desk_gate`."""
        return self._desk.snapshot(ref, marker=marker, since=since)

    def desk_members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return a group's members with the date of each row; None when they cannot be read."""
        return self._accounts.members(group_id)

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim one acceptance by a closed task of the ticket with a derived sys_id."""
        return self._desk.claim(ref, answer=answer, plan_digest=plan_digest, owner=owner)

    # --- people and ourselves
    def account(self) -> Account:
        """Return our own account."""
        return self._client.account()

    def members(self, group_id: str) -> tuple[Account, ...]:
        """Return the accounts in a group.

        Raises:
            MissingRightError: They cannot all be read, or there is no such active group.
        """
        members = self._accounts.members(group_id)
        if members is None:
            raise MissingRightError(
                f"{self.system}: cannot read every member of group {group_id} (sys_user_grmember)"
            )
        return tuple(member.account for member in members)

    def open_fault(self, title: str, text: str, *, marker: str) -> None:
        """Open or update the incident for a fault of the daemon itself."""
        self._fault.open(title, text, marker=marker)

    def close_fault(self, text: str, *, marker: str) -> None:
        """Close that incident if it is open and no person has taken it."""
        self._fault.close(text, marker=marker)

    def check(self) -> tuple[Finding, ...]:
        """Return every finding about reading and writing tickets here."""
        return self._check.run(check_desk_gate)


def _next_cursor(page: SweepPage, window: Window, phase: str, *, goes_on: bool) -> Cursor:
    floor = window.floor
    if goes_on:
        return Cursor(
            at=window.begun,
            horizon=window.horizon,
            opaque=Position(floor=floor, begun=window.begun, phase="tasks").encoded(),
        )
    if page.is_last:
        return Cursor(at=window.horizon, opaque=Position(floor=floor).encoded())
    return Cursor(
        at=page.at,
        id=page.id,
        horizon=window.horizon,
        opaque=Position(floor=floor, begun=window.begun, phase=phase).encoded(),
    )
