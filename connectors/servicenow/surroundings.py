"""What a page of tickets needs from other tables, in one query per table and fifty records."""

from collections.abc import Mapping, Sequence

from connectors.servicenow import query as q
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import (
    BOOLEANS,
    NATIVE_FIELDS,
    RUN_NOW,
    TASK_FIELDS,
    Surroundings,
    account_of,
    map_or_raise,
)
from engine.domain.refs import Account
from engine.domain.ticket import RunNow, TicketField
from engine.errors import MissingRightError

_OPTION = "sc_item_option."
_QUESTION = "sc_item_option.item_option_new."
_VARIABLES = (
    "request_item", f"{_OPTION}value", f"{_QUESTION}name", f"{_QUESTION}type",
    f"{_QUESTION}reference",
)  # fmt: skip
_MASKED = "25"  # variable type "Masked": a secret that a requester typed; it is not read
_REQUESTED_FOR = "31"  # variable type "Requested for": a user, without saying so in `reference`
ENGINE = "system"  # the instance's own engine, as history names it: no person


class Around:
    """Fetches surroundings."""

    def __init__(self, client: ServiceNowClient, accounts: Accounts, journals: Journals) -> None:
        self._client = client
        self._accounts = accounts
        self._journals = journals

    def of(self, table: str, records: Sequence[Record]) -> Surroundings:
        """Return what stands around these records of one table."""
        own = self._client.account()
        ids = [text(record, "sys_id") for record in records]
        if not ids:
            return Surroundings(own, users={}, variables={}, edited={}, held=frozenset(), tasks={})
        is_request = table == "sc_req_item"
        tasks = self._seen_tasks(ids)[0] if is_request else ()
        owners = {one: one for one in ids}
        owners |= {text(task, "sys_id"): text(task, "request_item") for task in tasks}
        said = self._journals.commands(owners)
        asking = [one for one in said if one.word == RUN_NOW and one.by != ENGINE]
        users = self._accounts.by_user_name(
            (*(text(one, "sys_created_by") for one in records), *(one.by for one in asking))
        )
        return Surroundings(
            own,
            users=users,
            variables=self.variables(ids) if is_request else {},
            edited=self.edited(table, records, own),
            held=self._journals.held(owners, said),
            run_now={
                owners[one.record_id]: RunNow(id=one.id, by=users.get(one.by), at=one.at)
                for one in asking
            },
            tasks=self._assignees(tasks),
        )

    def tasks(self, ids: Sequence[str]) -> tuple[Record, ...]:
        """Return the catalog tasks of requested items.

        Raises:
            MissingRightError: Some are hidden from us: a person may be at work on one.
        """
        rows, hidden = self._seen_tasks(ids)
        if hidden:
            raise MissingRightError(
                f"{self._client.name}: {hidden} catalog tasks of the item are hidden (sc_task)"
            )
        return rows

    def _seen_tasks(self, ids: Sequence[str]) -> tuple[tuple[Record, ...], int]:
        return self._client.rows_of("sc_task", "request_item", ids, fields=TASK_FIELDS)

    def _assignees(self, tasks: Sequence[Record]) -> Mapping[str, tuple[Account, ...]]:
        found: dict[str, tuple[Account, ...]] = {}
        for task in tasks:
            account = account_of(self._client.name, task, "assigned_to")
            is_open = map_or_raise(BOOLEANS, "sc_task.active", text(task, "active"))
            if account is not None and is_open:
                item = text(task, "request_item")
                found[item] = (*found.get(item, ()), account)
        return found

    def variables(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the catalog answers per requested item; a named user as user name.

        A reference to a user is stored as a bare id; the user name is what a person would write.
        """
        rows, _ = self._client.rows_of(
            "sc_item_option_mtom", "request_item", ids, fields=_VARIABLES
        )
        users = self._accounts.user_names(
            text(row, f"{_OPTION}value")
            for row in rows
            if text(row, f"{_QUESTION}reference") == "sys_user"
            or text(row, f"{_QUESTION}type") == _REQUESTED_FOR
        )
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            name = text(row, f"{_QUESTION}name")
            if not name or text(row, f"{_QUESTION}type") == _MASKED:
                continue
            stored = text(row, f"{_OPTION}value")
            found.setdefault(text(row, "request_item"), {})[name] = users.get(stored, stored)
        return found

    def edited(
        self, table: str, records: Sequence[Record], own: Account
    ) -> Mapping[str, frozenset[TicketField]]:
        """Return which triage fields a person changed after creation, from the native history.

        Where the history is hidden from us, every field of a record that was ever updated counts
        as edited: a person's choice is never overwritten for want of a right.
        """
        by_native = {
            native: field for field, names in NATIVE_FIELDS[table].items() for native in names
        }
        base = q.both(q.equals("tablename", table), q.one_of("fieldname", sorted(by_native)))
        ids = [text(record, "sys_id") for record in records]
        rows, hidden = self._client.rows_of(
            "sys_audit", "documentkey", ids, fields=("documentkey", "fieldname", "user"), base=base
        )
        found: dict[str, set[TicketField]] = {one: set() for one in ids}
        for row in rows:
            field = by_native.get(text(row, "fieldname"))
            if field is not None and text(row, "user") not in {own.name, ENGINE}:
                found.setdefault(text(row, "documentkey"), set()).add(field)
        if hidden:
            for record in records:
                if text(record, "sys_mod_count") != "0":
                    found[text(record, "sys_id")] = set(NATIVE_FIELDS[table])
        return {one: frozenset(fields) for one, fields in found.items()}
