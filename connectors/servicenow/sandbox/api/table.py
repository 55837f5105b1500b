"""The Table API: /api/now[/v1|/v2]/table/{table}[/{sys_id}]."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    api_refused,
    invalid_table,
    no_record,
    object_body,
    refused,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import Query, pairs, parse
from connectors.servicenow.sandbox.records import AbortedError, DuplicateError
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.selection import Page, Selection
from connectors.servicenow.sandbox.shape import ENCODED_MARK, Shape
from connectors.servicenow.sandbox.store import Row

_DEFAULT_LIMIT = 10_000
_MOST_ROWS = 2**31
_NOTHING = b'{"result":[]}'


@dataclass(frozen=True, slots=True)
class TableCall:
    """A call of the Table API with what its parameters mean."""

    call: Call
    table: Table
    shape: Shape

    @property
    def names(self) -> list[str]:
        """Return the fields asked for; empty means all."""
        listed = self.call.parameter("sysparm_fields")
        return [name.strip() for name in listed.split(",") if name.strip()]

    @property
    def plain(self) -> bool:
        """Say whether a ready encoded record is the answer."""
        return self.shape.display == "false" and self.shape.links and not self.names


class TableApi:
    """Reads and writes records of any table."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, call: Call, version: str, table_name: str, sys_id: str) -> Reply:
        """Answer one call.

        Raises:
            ApiError: as the vendor words it.
        """
        asked = self.open(call, version, table_name)
        if call.method in ("GET", "HEAD"):
            return self._one(asked, sys_id) if sys_id else self._list(asked, version)
        if call.method == "POST":
            if sys_id:
                raise ApiError(405, "Method not supported", None)
            return self._create(asked)
        if not sys_id:
            raise ApiError(405, "Method not supported", None)
        if call.method in ("PUT", "PATCH"):
            return self._update(asked, sys_id)
        if call.method == "DELETE":
            return self._delete(asked, sys_id)
        raise ApiError(405, "Method not supported", None)

    def open(self, call: Call, version: str, table_name: str) -> TableCall:
        """Find the table and read the parameters that shape the answer.

        Raises:
            ApiError: there is no such table, or the account may not use it at all.
        """
        table = self._instance.schema.get(table_name)
        if table is None:
            raise invalid_table(table_name)
        if self._instance.access.forbidden(call.actor, table):
            raise api_refused()
        path = f"/api/now/{version}/table" if version else "/api/now/table"
        display = call.parameter("sysparm_display_value", "false").strip().lower()
        shape = Shape(
            display=display if display in ("true", "all") else "false",
            links=not call.flag("sysparm_exclude_reference_link"),
            base=call.base + path,
        )
        return TableCall(call, table, shape)

    # --- reading

    def _list(self, asked: TableCall, version: str) -> Reply:
        call = asked.call
        limit = _number(call.parameter("sysparm_limit"), _DEFAULT_LIMIT)
        offset = _number(call.parameter("sysparm_offset"), 0)
        if offset < 0:
            raise ApiError(
                400, "Invalid sysparm_offset value", "sysparm_offset must not be negative"
            )
        selection = Selection(self._instance, asked.table, query_of(call), call.actor)
        count = not call.flag("sysparm_no_count")
        page = selection.page(max(limit, 0), offset, count=count)
        body = self._rows(asked, selection, page)
        headers: dict[str, str] = {}
        if count:
            headers["X-Total-Count"] = str(page.total)
            if not call.flag("sysparm_suppress_pagination_header"):
                link = _links(call, limit, offset, page.total)
                if link:
                    headers["Link"] = link
        if version == "v1" and body == _NOTHING:
            raise no_record()
        return Reply(body=body, headers=headers)

    def _rows(self, asked: TableCall, selection: Selection, page: Page) -> bytes:
        actor = asked.call.actor
        seen = selection.visible(page.ids)
        hidden = self._instance.access.hidden_columns(actor, asked.table)
        own = len(self._instance.schema.family(asked.table.name)) == 1
        if seen is None and asked.plain and own and not hidden:
            return selection.ready(page.ids, asked.shape.base)
        ids = page.ids if seen is None else self._ids(asked.table, seen)
        if asked.names:
            return orjson.dumps({"result": selection.fields(ids, asked.names, asked.shape)})
        rows = self._instance.store.full_rows(asked.table, ids) if seen is None else seen
        return orjson.dumps({"result": [self._shaped(asked, row) for row in rows]})

    def _ids(self, table: Table, rows: list[Row]) -> list[int]:
        found: list[int] = []
        for row in rows:
            numbers = self._instance.store.rows(
                f'SELECT _id FROM "{table.root}" WHERE sys_id = ?',  # noqa: S608 - names come from the schema
                (row["sys_id"],),
            )
            found.extend(int(str(one[0])) for one in numbers)
        return found

    def _shaped(self, asked: TableCall, row: Row) -> dict[str, object]:
        actor = asked.call.actor
        hidden = self._instance.access.hidden_columns(actor, asked.table)
        # A record read through a parent table shows the columns of that table only.
        columns = {
            name: column for name, column in asked.table.columns.items() if name not in hidden
        }
        return self._instance.shaper(actor, asked.shape).row(columns, row)

    def readable(self, call: Call, table: Table, sys_id: str) -> Row:
        """Return a record that the account may see.

        Raises:
            ApiError: 404, for an absent record and an unreadable one alike.
        """
        row = self._instance.store.read(table, sys_id)
        rule = self._instance.access.row_rule(call.actor, table)
        if row is None or (rule is not None and not rule(row)):
            raise no_record()
        return row

    def _one(self, asked: TableCall, sys_id: str) -> Reply:
        row = self.readable(asked.call, asked.table, sys_id)
        return Reply(body=b'{"result":' + self._encoded(asked, row) + b"}")

    def _encoded(self, asked: TableCall, row: Row) -> bytes:
        hidden = self._instance.access.hidden_columns(asked.call.actor, asked.table)
        ids = self._ids(asked.table, [row])
        # The ready form has the columns of the record's own class, a parent table shows its own.
        own = row.get("sys_class_name", asked.table.name) == asked.table.name
        if asked.plain and (own or not asked.table.classed) and not hidden:
            ready = self._instance.store.encoded(asked.table, ids)[0]
            return ready.replace(ENCODED_MARK, asked.shape.base.encode())
        if asked.names:
            selection = Selection(self._instance, asked.table, parse(""), asked.call.actor)
            return orjson.dumps(selection.fields(ids, asked.names, asked.shape)[0])
        return orjson.dumps(self._shaped(asked, row))

    # --- writing

    def _values(self, asked: TableCall, *, creating: bool) -> dict[str, str]:
        values = {name: text_of(value) for name, value in object_body(asked.call).items()}
        access, actor = self._instance.access, asked.call.actor
        return {
            name: value
            for name, value in values.items()
            # Through a parent table only the parent's own columns are there to be written.
            if name in asked.table.columns
            and (
                access.writable(actor, asked.table, name, creating=creating)
                or (name.startswith("sys_updated") and self._keep_system(asked))
            )
        }

    def _keep_system(self, asked: TableCall) -> bool:
        """Say whether sys_ fields of the body count (parameter and property as documented)."""
        wanted = asked.call.parameter("sysparm_suppress_auto_sys_field").lower() == "false"
        only_admin = self._instance.property("glide.rest.table_api.admin_only_sys_fields") == "true"
        return wanted and (asked.call.actor.is_admin or not only_admin)

    def _create(self, asked: TableCall) -> Reply:
        call, table = asked.call, asked.table
        if not self._instance.access.can_create(call.actor, table):
            raise refused("Insert")
        values = self._values(asked, creating=True)
        try:
            row = self._instance.records.insert(
                table.name,
                values,
                call.actor,
                display=call.flag("sysparm_input_display_value"),
                keep_system=self._keep_system(asked),
            )
        except AbortedError as error:
            raise ApiError(403, "Operation Failed", error.detail) from error
        except DuplicateError as error:
            # A unique key violation leaves nothing inserted; the API words it as a rule's refusal.
            raise ApiError(
                403,
                "Operation Failed",
                "Error during insert of " + table.name + " (" + values.get("sys_id", "") + "), "
                "Unique Key violation detected by database",
            ) from error
        path = asked.shape.base + f"/{table.name}/{row['sys_id']}"
        return self._written(asked, row, 201, {"Location": path})

    def _written(
        self, asked: TableCall, row: Row, status: int, headers: Mapping[str, str]
    ) -> Reply:
        if asked.call.headers.get("x-no-response-body", "").lower() == "true":
            return Reply(status=204 if status == 200 else status, headers=dict(headers))  # noqa: PLR2004 - an update without a body
        return Reply(
            status=status,
            body=b'{"result":' + self._encoded(asked, row) + b"}",
            headers=dict(headers),
        )

    def _update(self, asked: TableCall, sys_id: str) -> Reply:
        call, table = asked.call, asked.table
        row = self.readable(call, table, sys_id)
        own = self._instance.schema.get(row.get("sys_class_name", "")) or table
        if not self._instance.access.can_write(call.actor, own, row):
            raise refused("Update")
        try:
            row = self._instance.records.update(
                table.name,
                sys_id,
                self._values(asked, creating=False),
                call.actor,
                display=call.flag("sysparm_input_display_value"),
                keep_system=self._keep_system(asked),
            )
        except AbortedError as error:
            raise ApiError(403, "Operation Failed", error.detail) from error
        return self._written(asked, row, 200, {})

    def _delete(self, asked: TableCall, sys_id: str) -> Reply:
        self.readable(asked.call, asked.table, sys_id)
        if not self._instance.access.can_delete(asked.call.actor, asked.table):
            raise refused("Delete")
        try:
            self._instance.records.delete(asked.table.name, sys_id, asked.call.actor)
        except AbortedError as error:
            raise ApiError(403, "Operation Failed", error.detail) from error
        return Reply(status=204)


def query_of(call: Call) -> Query:
    """Return the filter of a call: an encoded query, or name=value pairs where there is none."""
    if any(name == "sysparm_query" for name, _ in call.parameters):
        return parse(call.parameter("sysparm_query"))
    filters = [
        (name, value)
        for name, value in call.parameters
        if not name.startswith("sysparm_") and name not in ("JSONv2", "_")
    ]
    return pairs(filters)


def _number(text: str, default: int) -> int:
    try:
        number = int(text) if text.strip() else default
    except ValueError:
        return default
    return max(min(number, _MOST_ROWS), -1)


def _links(call: Call, limit: int, offset: int, total: int) -> str:
    """Return the Link header: no space behind `;`, comma-joined, absent where one page is all."""
    if limit <= 0 or (total <= limit and offset == 0):
        return ""
    kept = [
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in call.parameters
        if name not in ("sysparm_offset", "sysparm_limit")
    ]
    last = max((total - 1) // limit * limit, 0)
    offsets = [("first", 0)]
    if offset + limit < total:
        offsets.append(("next", offset + limit))
    if offset > 0:
        offsets.append(("prev", max(offset - limit, 0)))
    offsets.append(("last", last))
    links: list[str] = []
    for relation, start in offsets:
        query = "&".join([*kept, f"sysparm_offset={start}", f"sysparm_limit={limit}"])
        links.append(f'<{call.base}{quote(call.path)}?{query}>;rel="{relation}"')
    return ",".join(links)
