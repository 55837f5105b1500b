"""What every path of the Change Management API shares: its typed answers, its lists, its body."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import Query, both, pairs, parse
from connectors.servicenow.sandbox.schema import Column, ColumnType
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_LIMIT = 500
_DATED = (ColumnType.DATETIME, ColumnType.DUE)
# These steer a list, every other parameter filters it.
_STEERING = ("order", "textSearch", "association_type")
_POOL = {"display_value": "variable_pool", "value": "variable_pool"}

Found = Mapping[str, str]


class ChangeView:
    """Reads changes and shows records as this API does."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def change(self, found: Found) -> Row:
        """Return the change of a path.

        Raises:
            ApiError: 404, also where it is of another kind than the path says.
        """
        row = self._records.read("change_request", found["id"])
        kind = found.get("kind", "")
        if row is None or (kind and row["type"] != kind):
            raise ApiError(404, "Change Request record not found", "")
        return row

    def typed(self, call: Call, table_name: str, row: Row) -> dict[str, object]:
        """Return a record in the typed form of this API."""
        table = self._records.table(table_name)
        hidden = self._instance.access.hidden_columns(call.actor, table)
        shown: dict[str, object] = {
            name: self._typed(call, column, row)
            for name, column in table.columns.items()
            if name not in hidden
        }
        return shown | {"variables": _POOL} if table.root == "task" else shown

    def _typed(self, call: Call, column: Column, row: Row) -> dict[str, object]:
        displays = self._instance.displays
        if column.type is ColumnType.JOURNAL:
            text = displays.journal(column.name, row["sys_id"], call.actor)
            return {"display_value": text, "value": ""}
        value = row[column.name]
        display = displays.display(column, value, call.actor) or ""
        shown: dict[str, object] = {"display_value": display, "value": value}
        if column.type is ColumnType.INTEGER and value:
            shown["value"] = float(value)
        elif column.type is ColumnType.BOOLEAN:
            shown["value"] = value == "true"
        elif column.type in _DATED:
            shown["display_value_internal"] = display if value else ""
        return shown

    def values(self, call: Call) -> dict[str, str]:
        """Return fields from URL and body; the body wins."""
        given = {name: value for name, value in call.parameters if not name.startswith("sysparm_")}
        return given | {name: text_of(value) for name, value in object_body(call).items()}

    def listed(self, call: Call, table_name: str, base: str) -> Reply:
        """Answer with the records of a table that the caller's filter leaves, page by page.

        The filter is `sysparm_query`, or name=value pairs where there is none; `textSearch` and
        `order` go with both.
        """
        table = self._records.table(table_name)
        selection = Selection(self._instance, table, self._filter(call, base), call.actor)
        limit = number(call.parameter("sysparm_limit"), _LIMIT)
        page = selection.page(limit, number(call.parameter("sysparm_offset"), 0), count=True)
        rows = self._instance.store.full_rows(table, page.ids)
        shown = [self.typed(call, table_name, row) for row in rows]
        return json_reply({"result": shown}, headers={"X-Total-Count": str(page.total)})

    def _filter(self, call: Call, base: str) -> Query:
        query = both(parse(base), parse(call.parameter("sysparm_query")))
        if not call.parameter("sysparm_query"):
            named = [
                (name, value)
                for name, value in call.parameters
                if not name.startswith("sysparm_") and name not in _STEERING
            ]
            query = both(query, pairs(named))
        words, order = call.parameter("textSearch"), call.parameter("order")
        if words:
            query = both(query, parse(f"123TEXTQUERY321={words}"))
        return both(query, parse(f"ORDERBY{order}")) if order else query
