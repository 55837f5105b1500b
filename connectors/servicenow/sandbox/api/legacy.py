"""The older web services behind `/{table}.do`: JSONv2 (records and actions) and the CSV export.

JSONv2 answers 200 whatever becomes of a record; each carries its own `__status`, and where it is
not `success` an `__error`.
"""

import csv
import io
from collections.abc import Callable, Mapping

import orjson

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    invalid_table,
    json_reply,
    object_body,
    refused,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.records import AbortedError, DuplicateError
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.shape import Shape
from connectors.servicenow.sandbox.store import Row

_LIMIT = 10_000

Shown = dict[str, object]


class LegacyApi:
    """Reads and writes records of any table the way old integrations do."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self._actions: Mapping[str, Callable[[Call, Table], list[Shown]]] = {
            "get": self._get,
            "getRecords": self._get,
            "insert": self._insert,
            "insertMultiple": self._insert,
            "update": self._update,
            "deleteRecord": self._delete,
            "deleteMultiple": self._delete,
        }

    def handle(self, call: Call, table_name: str) -> Reply:
        """Answer one call.

        Raises:
            ApiError: there is no such table, form or action.
        """
        table = self._instance.schema.get(table_name)
        if table is None:
            raise invalid_table(table_name)
        forms = {name for name, _ in call.parameters}
        if "CSV" in forms and call.method == "GET":
            return self._csv(call, table)
        if not forms & {"JSONv2", "JSON"}:
            raise ApiError(400, f"Requested URI does not represent any resource: {call.path}", None)
        action = self._actions.get(call.parameter("sysparm_action", "getRecords"))
        if action is None:
            raise ApiError(400, "Invalid sysparm_action", call.parameter("sysparm_action"))
        return json_reply({"records": action(call, table)})

    def _found(self, call: Call, table: Table) -> list[Row]:
        """Return the visible records that a call names by id or by query."""
        one = call.parameter("sysparm_sys_id")
        query = f"sys_id={one}" if one else call.parameter("sysparm_query")
        selection = Selection(self._instance, table, parse(query), call.actor)
        limit = number(call.parameter("sysparm_record_count"), _LIMIT)
        page = selection.page(limit, 0, count=False)
        seen = selection.visible(page.ids)
        return self._instance.store.full_rows(table, page.ids) if seen is None else seen

    def _shown(self, call: Call, table: Table, row: Row) -> Shown:
        hidden = self._instance.access.hidden_columns(call.actor, table)
        columns = {name: one for name, one in table.columns.items() if name not in hidden}
        display = "true" if call.flag("displayvalue") else "false"
        shaper = self._instance.shaper(call.actor, Shape(display=display, links=False))
        return shaper.row(columns, row)

    def _get(self, call: Call, table: Table) -> list[Shown]:
        return [
            {**self._shown(call, table, row), "__status": "success"}
            for row in self._found(call, table)
        ]

    # --- writing

    def _bodies(self, call: Call, table: Table, *, creating: bool) -> list[dict[str, str]]:
        body = object_body(call)
        listed = body.get("records", [body])
        writable = self._instance.access.writable
        return [
            {
                str(name): text_of(value)
                for name, value in one.items()
                if writable(call.actor, table, str(name), creating=creating)
            }
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, Mapping)
        ]

    def _told(self, call: Call, table: Table, write: Callable[[], Row]) -> Shown:
        """Carry out one write and tell what became of it."""
        try:
            return {**self._shown(call, table, write()), "__status": "success"}
        except (AbortedError, DuplicateError, ApiError) as error:
            return {
                "__error": {"message": "Operation Failed", "reason": str(error)},
                "__status": "failure",
            }

    def _insert(self, call: Call, table: Table) -> list[Shown]:
        def insert(values: dict[str, str]) -> Row:
            if not self._instance.access.can_create(call.actor, table):
                raise refused("Insert")
            return self._records.insert(table.name, values, call.actor)

        return [
            self._told(call, table, lambda values=values: insert(values))  # type: ignore[misc]  # bound now
            for values in self._bodies(call, table, creating=True)
        ]

    def _update(self, call: Call, table: Table) -> list[Shown]:
        values = next(iter(self._bodies(call, table, creating=False)), {})

        def update(row: Row) -> Row:
            if not self._instance.access.can_write(call.actor, table, row):
                raise refused("Update")
            return self._records.update(table.name, row["sys_id"], values, call.actor)

        return [
            self._told(call, table, lambda row=row: update(row))  # type: ignore[misc]  # bound now
            for row in self._found(call, table)
        ]

    def _delete(self, call: Call, table: Table) -> list[Shown]:
        if not (call.parameter("sysparm_sys_id") or call.parameter("sysparm_query")):
            raise ApiError(400, "Missing parameter", "sysparm_sys_id or sysparm_query is required")

        def delete(row: Row) -> Row:
            if not self._instance.access.can_delete(call.actor, table):
                raise refused("Delete")
            self._records.delete(table.name, row["sys_id"], call.actor)
            return row

        return [
            self._told(call, table, lambda row=row: delete(row))  # type: ignore[misc]  # bound now
            for row in self._found(call, table)
        ]

    # --- export

    def _csv(self, call: Call, table: Table) -> Reply:
        """Return the rows as a person exports a list: display values, names in the first line."""
        listed = [name for name in call.parameter("sysparm_fields").split(",") if name]
        names = listed or list(table.columns)
        written = io.StringIO()
        out = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        out.writerow(names)
        for row in self._found(call, table):
            asked = call.with_parameters((*call.parameters, ("displayvalue", "true")))
            shown = self._shown(asked, table, row)
            out.writerow([_cell(shown.get(name)) for name in names])
        return Reply(body=written.getvalue().encode(), content_type="text/csv;charset=UTF-8")


def _cell(value: object) -> str:
    return (
        value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()
    )
