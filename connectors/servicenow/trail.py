"""What the instance's own history says that our account wrote.

Four sources, each asked by author and time (ServiceNow docs, "Exploring auditing"): `sys_audit`
keeps each changed field with the session's user, also what business rules changed in that session;
creations and attachments are not in it and are found by `sys_created_by`; journal entries stand in
`sys_journal_field`. Only tables that the instance audits are in `sys_audit`: which those are, its
dictionary says, not we.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.journals import token
from connectors.servicenow.mapping import required_instant
from connectors.servicenow.settings import ServiceNowSettings
from engine.errors import MissingRightError, PermanentError, PreconditionError
from engine.ports.trail import OwnNote, OwnWrite, OwnWrites, WriteKind

MOST = 20_000
"""So many rows of one source are read in one go; a page of 500 takes about a second."""
_JOURNALS = frozenset({"work_notes", "comments", "comments_and_work_notes", "approval_history"})
_MOVES = frozenset(
    {
        "state", "incident_state", "active", "approval", "approval_set", "phase", "phase_state",
        "stage", "on_hold", "on_hold_reason", "hold_reason", "work_start", "work_end",
        "close_code", "close_notes", "closed_at", "closed_by", "resolved_at", "resolved_by",
        "conflict_status", "conflict_last_run",
    }
)  # fmt: skip
_DECIDED = frozenset({"approved", "rejected"})
_PARENTS: Mapping[str, tuple[str, ...]] = {
    "change_task": ("change_request", "parent"),
    "sc_task": ("request_item", "parent"),
    "sysapproval_approver": ("sysapproval", "document_id"),
    "sysapproval_group": ("parent",),
    "sc_req_item": ("request",),
}
_NUMBERED = frozenset(
    {"incident", "change_request", "change_task", "sc_req_item", "sc_request", "sc_task"}
)


class ServiceNowTrail:
    """Reads our account's own trail; it writes nothing."""

    def __init__(self, client: ServiceNowClient, settings: ServiceNowSettings) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._url = settings.url

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        return self._client.name

    @property
    def site(self) -> str:
        """Address and account."""
        return f"{self._url} {self._client.account().id}"

    def fault_key(self, marker: str) -> str:
        """Return the correlation id of the incident in which this fault is told."""
        return token(marker)

    def writes(self, since: datetime, *, told: Callable[[str], None]) -> OwnWrites:
        """Return what our account wrote since then; see the module for the sources.

        Raises:
            PreconditionError: More than is read in one go.
        """
        unread: list[str] = []
        own = self._client.account().name
        audit = self._read(
            "sys_audit", "user", since,
            ("tablename", "documentkey", "fieldname", "newvalue", "user", "sys_created_on"),
            unread, told,
        )  # fmt: skip
        journal = self._read(
            "sys_journal_field", "sys_created_by", since,
            ("name", "element", "element_id", "sys_created_by", "sys_created_on"), unread, told,
        )  # fmt: skip
        files = self._read(
            "sys_attachment", "sys_created_by", since,
            ("table_name", "table_sys_id", "sys_created_by", "sys_created_on"), unread, told,
        )  # fmt: skip
        made = self._read(
            "task", "sys_created_by", since,
            ("number", "sys_class_name", "sys_created_by", "sys_created_on"), unread, told,
        )  # fmt: skip
        if not audit and (journal or made):
            unread.append(
                f"{self.system}: sys_audit shows nothing of our account, though it wrote: which"
                " fields were changed is not compared"
            )
        found = [one for row in audit if (one := _field(row)) is not None]
        found += [
            _write(row, text(row, "name"), text(row, "element_id"), WriteKind.NOTE,
                   text(row, "element"))
            for row in journal
        ]  # fmt: skip
        found += [
            _write(row, text(row, "table_name"), text(row, "table_sys_id"), WriteKind.FILE, "file")
            for row in files
        ]
        found += [
            _write(row, text(row, "sys_class_name"), text(row, "sys_id"), WriteKind.CREATE, "new")
            for row in made
        ]
        told(f"{self.system}: {len(found)} writes of {own}; reading whose records those are")
        named = self._named(found)
        return OwnWrites(writes=tuple(sorted(named, key=lambda one: one.at)), unread=tuple(unread))

    def _read(
        self,
        table: str,
        author: str,
        since: datetime,
        fields: tuple[str, ...],
        unread: list[str],
        told: Callable[[str], None],
    ) -> tuple[Record, ...]:
        own = self._client.account().name
        query = q.both(q.equals(author, own), q.at("sys_created_on", ">=", since))
        try:
            count = self._client.rows(table, query, fields=("sys_id",), limit=1).total
            if count > MOST:
                raise PreconditionError(
                    f"{self.system}: {count} rows of {table} are by our account since then, more"
                    f" than the {MOST} that are read in one go: name a later --since"
                )
            told(f"{self.system}: {table}: {count} rows")
            rows, hidden = self._client.all_rows(table, query, fields=fields)
        except (MissingRightError, PermanentError) as error:
            unread.append(f"{self.system}: {table} cannot be read ({error})")
            return ()
        if hidden:
            unread.append(f"{self.system}: {hidden} rows of {table} by our account are hidden")
        # A term that the instance dropped would match everybody's rows.
        return tuple(
            row
            for row in rows
            if text(row, author) == own and required_instant(row, "sys_created_on") >= since
        )

    def _named(self, writes: Iterable[OwnWrite]) -> list[OwnWrite]:
        """Give every write its record's number and the records that it is a part of."""
        held = list(writes)
        by_table: dict[str, set[str]] = {}
        for one in held:
            table, _, record = one.record.partition(":")
            by_table.setdefault(table, set()).add(record)
        numbers: dict[str, str] = {}
        keys: dict[str, str] = {}
        owners: dict[str, set[str]] = {}
        for table, ids in by_table.items():
            self._look_up(table, ids, numbers, keys, owners)
        return [
            OwnWrite(
                at=one.at,
                record=numbers.get(one.owners[0], one.record),
                owners=(*one.owners, *sorted(owners.get(one.owners[0], ()))),
                kind=one.kind,
                what=one.what,
                key=keys.get(one.owners[0], ""),
            )
            for one in held
        ]

    def _look_up(
        self,
        table: str,
        ids: set[str],
        numbers: dict[str, str],
        keys: dict[str, str],
        owners: dict[str, set[str]],
    ) -> None:
        links = _PARENTS.get(table, ())
        if table in _NUMBERED or links:
            known = {one for one in ids if q.is_sys_id(one)}
            fields = ("number", "correlation_id", *links)
            rows, _ = self._client.rows_of(table, "sys_id", known, fields=fields)
            for row in rows:
                record = text(row, "sys_id")
                if text(row, "number"):
                    numbers[record] = text(row, "number")
                keys[record] = text(row, "correlation_id")
                linked = {text(row, name) for name in links} - {""}
                if table != "sc_req_item":
                    owners.setdefault(record, set()).update(linked)
        if table == "sc_request":
            # The instance's own rules move the request when we move its item.
            rows, _ = self._client.rows_of("sc_req_item", "request", ids, fields=("request",))
            for row in rows:
                owners.setdefault(text(row, "request"), set()).add(text(row, "sys_id"))

    def head_notes(self, since: datetime, *, told: Callable[[str], None]) -> tuple[OwnNote, ...]:
        """Return our own work notes on changes that hold a signed head.

        Raises:
            MissingRightError: Some are hidden from us.
        """
        own = self._client.account().name
        rows, hidden = self._client.all_rows(
            "sys_journal_field",
            q.both(
                q.equals("name", "change_request"),
                q.equals("sys_created_by", own),
                q.at("sys_created_on", ">=", since),
                q.contains("value", "tiergate-head 1"),
            ),
            fields=("element_id", "value", "sys_created_by", "sys_created_on"),
        )
        if hidden:
            raise MissingRightError(f"{self.system}: {hidden} of our own work notes are hidden")
        told(f"{self.system}: {len(rows)} notes with heads")
        ids = {text(row, "element_id") for row in rows}
        changes, _ = self._client.rows_of("change_request", "sys_id", ids, fields=("number",))
        numbers = {text(row, "sys_id"): text(row, "number") for row in changes}
        return tuple(
            OwnNote(
                record=numbers.get(text(row, "element_id"), text(row, "element_id")),
                at=required_instant(row, "sys_created_on"),
                text=text(row, "value"),
            )
            for row in rows
            if text(row, "sys_created_by") == own
        )


def _field(row: Record) -> OwnWrite | None:
    table, name = text(row, "tablename"), text(row, "fieldname")
    if name in _JOURNALS:
        return None  # the journal itself tells it
    if name == "watch_list":
        return _write(row, table, text(row, "documentkey"), WriteKind.NOTE, name)
    if table == "sysapproval_approver":
        is_decision = name == "state" and text(row, "newvalue") in _DECIDED
        kind = WriteKind.APPROVAL if is_decision else WriteKind.MOVE
    elif table == "change_request" and name == "approval" and text(row, "newvalue") in _DECIDED:
        kind = WriteKind.APPROVAL
    else:
        kind = WriteKind.MOVE if name in _MOVES else WriteKind.FIELD
    return _write(row, table, text(row, "documentkey"), kind, name)


def _write(row: Record, table: str, record: str, kind: WriteKind, what: str) -> OwnWrite:
    return OwnWrite(
        at=required_instant(row, "sys_created_on"),
        record=f"{table}:{record}",
        owners=(record,),
        kind=kind,
        what=(f"{table}.{what}",),
    )
