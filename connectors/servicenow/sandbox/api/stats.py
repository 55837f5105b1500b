"""The Aggregate API: GET /api/now[/v1]/stats/{table}."""

from connectors.servicenow.sandbox.api.table import query_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    api_refused,
    invalid_table,
    json_reply,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.query.sql import Compiler, Scope
from connectors.servicenow.sandbox.query.terms import Expression
from connectors.servicenow.sandbox.schema import ColumnType, Table

_KINDS = ("avg", "min", "max", "sum")
_OPERATORS = {"=": "=", "!=": "!=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_HAVING_PARTS = 4


class StatsApi:
    """Counts and aggregates over a query, grouped where asked."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, call: Call, table_name: str) -> Reply:
        """Answer one call.

        Raises:
            ApiError: as the vendor words it.
        """
        table = self._instance.schema.get(table_name)
        if table is None:
            raise invalid_table(table_name)
        if call.method != "GET":
            raise ApiError(405, "Method not supported", None)
        if self._instance.access.forbidden(call.actor, table):
            raise api_refused()
        return json_reply({"result": _Aggregation(self._instance, call, table).result()})


class _Aggregation:
    def __init__(self, instance: Instance, call: Call, table: Table) -> None:
        self._instance = instance
        self._call = call
        self._scope = Scope(instance.schema, table, instance.env(call.actor))
        self._compiler = Compiler(self._scope)
        parts = [self._compiler.class_filter()]
        rule = instance.access.query_rule(call.actor, table)
        if rule:
            parts.append(self._compiler.where(parse(rule)))
        parts.append(self._compiler.where(query_of(call)))
        self._where = " AND ".join(parts)
        self._groups = self._resolved("sysparm_group_by")
        self._count = call.flag("sysparm_count")
        self._aggregates = [
            (kind, name, found)
            for kind in _KINDS
            for name, found in self._resolved(f"sysparm_{kind}_fields")
        ]

    def _resolved(self, parameter: str) -> list[tuple[str, Expression]]:
        listed = self._call.parameter(parameter).split(",")
        pairs = [(name.strip(), self._scope.resolve(name.strip())) for name in listed]
        return [
            (name, found)
            for name, found in pairs
            if found is not None and found.column.type is not ColumnType.JOURNAL
        ]

    def _having(self) -> str:
        """Read `sum^priority^>^20,count^state^>^5`; a `^` in the comma's place does as well."""
        parts = self._call.parameter("sysparm_having").replace(",", "^").split("^")
        conditions: list[str] = []
        for start in range(0, len(parts) - _HAVING_PARTS + 1, _HAVING_PARTS):
            kind, name, operator, value = parts[start : start + _HAVING_PARTS]
            found = self._scope.resolve(name)
            if found is None or operator not in _OPERATORS or kind not in (*_KINDS, "count"):
                raise ApiError(400, "Invalid sysparm_having", "^".join(parts))
            target = "*" if kind == "count" else found.sql
            conditions.append(f"{kind}({target}) {operator} {self._compiler.bind(_number(value))}")
        return f" HAVING {' AND '.join(conditions)}" if conditions else ""

    def result(self) -> object:
        columns = [found.sql for _, found in self._groups]
        columns.append("count(*)")
        columns += [f"{kind}({_numeric(found)})" for kind, _, found in self._aggregates]
        group = ", ".join(found.sql for _, found in self._groups)
        clause = f" GROUP BY {group}{self._having()}{self._order()}" if group else ""
        sql = f"SELECT {', '.join(columns)} FROM {self._scope.from_clause()} WHERE {self._where}"  # noqa: S608 - compiled, values bound
        rows = self._instance.store.rows(sql + clause, self._compiler.parameters)
        shaped = [self._shaped(row) for row in rows]
        if group:
            return shaped
        return shaped[0] if shaped else {"stats": {}}

    def _order(self) -> str:
        terms: list[str] = []
        for name in self._call.parameter("sysparm_order_by").split(","):
            # `state`, `state^DESC`, `COUNT^DESC`, `AVG^state`, `AVG^state^DESC`
            words = [word for word in name.strip().split("^") if word]
            descending = " DESC" if words and words[-1].upper() == "DESC" else ""
            words = words[:-1] if descending else words
            if words and words[0].upper() == "COUNT":
                terms.append(f"count(*){descending}")
                continue
            kind = words[0].lower() if len(words) > 1 else ""
            found = self._scope.resolve(words[-1]) if words else None
            if found is not None and kind in ("", *_KINDS):
                target = f"{kind}({_numeric(found)})" if kind else found.sql
                terms.append(target + descending)
        return f" ORDER BY {', '.join(terms)}" if terms else ""

    def _shaped(self, row: tuple[object, ...]) -> dict[str, object]:
        stats: dict[str, object] = {}
        width = len(self._groups)
        if self._count:
            stats["count"] = str(row[width])
        for (kind, name, _), value in zip(self._aggregates, row[width + 1 :], strict=True):
            kept = stats.setdefault(kind, {})
            if isinstance(kept, dict):
                kept[name] = _shown(kind, value)
        shaped: dict[str, object] = {"stats": stats}
        if self._groups:
            shaped["groupby_fields"] = [
                self._field(name, found, value)
                for (name, found), value in zip(self._groups, row, strict=False)
            ]
        return shaped

    def _field(self, name: str, found: Expression, value: object) -> dict[str, object]:
        text = "" if value is None else str(value)
        display = self._call.parameter("sysparm_display_value").lower()
        shown = self._instance.displays.display(found.column, text, self._call.actor) or ""
        if display == "true":
            return {"field": name, "value": shown}
        if display == "all":
            return {"field": name, "value": text, "display_value": shown}
        return {"field": name, "value": text}


def _numeric(found: Expression) -> str:
    decimal = found.column.type in (ColumnType.FLOAT, ColumnType.PRICE)
    return f"CAST({found.sql} AS REAL)" if decimal else found.sql


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _shown(kind: str, value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if kind == "avg" and isinstance(value, float) else str(value)
