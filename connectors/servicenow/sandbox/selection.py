"""A list of records: the query, the page, the total, and what access rules leave of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from connectors.servicenow.sandbox.actors import Actor
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import Query, parse
from connectors.servicenow.sandbox.query.sql import Compiler, Scope
from connectors.servicenow.sandbox.query.terms import Expression
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.schema import ColumnType, Table
from connectors.servicenow.sandbox.shape import ENCODED_MARK, Shape, Shaped
from connectors.servicenow.sandbox.store import Row

_MOST_COUNTS = 512
_OPEN, _CLOSE = b'{"result":[', b"]}"


@dataclass(frozen=True, slots=True)
class Page:
    """Row numbers of one page, in order, cut before any access rule."""

    ids: list[int]
    total: int
    """-1 where it was not asked for."""


class Selection:
    """One query over one table for one account."""

    def __init__(self, instance: Instance, table: Table, query: Query, actor: Actor) -> None:
        self.instance = instance
        self.table = table
        self.actor = actor
        self._query = query
        self._strict = instance.property("glide.invalid_query.returns_no_rows") == "true"

    def _compiled(self) -> tuple[Compiler, str]:
        scope = Scope(self.instance.schema, self.table, self.instance.env(self.actor))
        compiler = Compiler(scope, strict=self._strict)
        parts = [compiler.class_filter()]
        rule = self.instance.access.query_rule(self.actor, self.table)
        if rule:
            parts.append(compiler.where(parse(rule)))
        parts.append(compiler.where(self._query))
        parts.extend(self._unindexed(compiler))
        return compiler, " AND ".join(part for part in parts if part != "1") or "1"

    def _unindexed(self, compiler: Compiler) -> list[str]:
        """A stale index does not know records that are younger than it."""
        seconds = self.instance.stale_seconds
        if not seconds:
            return []
        known = stamp(self.instance.clock.now() - timedelta(seconds=seconds))
        return [f"t.sys_created_on <= {compiler.bind(known)}"]

    def page(self, limit: int, offset: int, *, count: bool) -> Page:
        """Return the numbers of the rows of a page, and the total where wanted."""
        compiler, where = self._compiled()
        total = self._count(compiler, where) if count else -1
        order = compiler.order(self._query)
        # Without an order the rows come as they were created; a tie is not broken for free.
        clause = f" ORDER BY {order}" if order else " ORDER BY t._id"
        sql = (
            f"SELECT t._id FROM {compiler.scope.from_clause()} WHERE {where}{clause} "  # noqa: S608 - compiled, values bound
            "LIMIT ? OFFSET ?"
        )
        found = self.instance.store.rows(sql, (*compiler.parameters, limit, offset))
        return Page([int(str(one[0])) for one in found], total)

    def _count(self, compiler: Compiler, where: str) -> int:
        mark = self.instance.store.version(self.table.root)
        dotted = bool(compiler.scope.joins) or "SELECT" in where
        key = (mark, where, tuple(compiler.parameters))
        if not dotted and key in self.instance.counts:
            return self.instance.counts[key]
        # Compiling the order may add joins later; a left join by sys_id adds no row.
        sql = f"SELECT count(*) FROM {compiler.scope.from_clause()} WHERE {where}"  # noqa: S608 - compiled, values bound
        total = int(str(self.instance.store.rows(sql, compiler.parameters)[0][0]))
        if len(self.instance.counts) > _MOST_COUNTS:
            self.instance.counts.clear()
        self.instance.counts[key] = total
        return total

    def visible(self, ids: Sequence[int]) -> list[Row] | None:
        """Return the records of a page that the account may see, or None where it sees them all."""
        rule = self.instance.access.page_rule(self.actor, self.table, ids)
        if rule is None:
            return None
        rows = self.instance.store.full_rows(self.table, ids)
        return [row for row in rows if rule(row)]

    def ready(self, ids: Sequence[int], base: str) -> bytes:
        """Return the whole answer of ready encoded records, with their links filled in."""
        rows = self.instance.store.encoded(self.table, ids)
        # The frame goes in before the join: a page is megabytes, and every copy of it shows.
        rows[:1] = [_OPEN + rows[0]] if rows else [_OPEN]
        rows[-1] += _CLOSE
        return b",".join(rows).replace(ENCODED_MARK, base.encode())

    def fields(
        self, ids: Sequence[int], names: Sequence[str], shape: Shape
    ) -> list[dict[str, Shaped]]:
        """Return chosen (dot-walked) fields of records; unknown names are passed over."""
        scope = Scope(self.instance.schema, self.table, self.instance.env(self.actor))
        hidden = self.instance.access.hidden_columns(self.actor, self.table)
        chosen: dict[str, Expression] = {}
        for name in names:
            found = scope.resolve(name) if name not in hidden else None
            if found is not None:
                chosen[name] = found
        shaper = self.instance.shaper(self.actor, shape)
        formatters = [
            (name, shaper.formatter(found.column, self._target(found)))
            for name, found in chosen.items()
        ]
        columns = ", ".join(_selected(found) for found in chosen.values()) or "NULL"
        rows: dict[int, dict[str, Shaped]] = {}
        for start in range(0, len(ids), 900):
            chunk = ids[start : start + 900]
            marks = ",".join("?" * len(chunk))
            sql = (
                f"SELECT t._id, {columns} FROM {scope.from_clause()} "  # noqa: S608 - names come from the schema
                f"WHERE t._id IN ({marks})"
            )
            for number, *values in self.instance.store.rows(sql, chunk):
                rows[int(str(number))] = {
                    name: form("" if value is None else str(value))
                    for (name, form), value in zip(formatters, values, strict=False)
                }
        return [rows[number] for number in ids if number in rows]

    def _target(self, found: Expression) -> str:
        """Document ids that are not tasks are rare; the list form links those to the task table."""
        return "task" if found.column.type is ColumnType.DOCUMENT else ""


def _selected(found: Expression) -> str:
    return f"{found.alias}.sys_id" if found.column.type is ColumnType.JOURNAL else found.sql
