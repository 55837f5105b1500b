"""The compiler from encoded queries to SQL over the sandbox's physical tables.

A term with an unknown field vanishes, so that the query matches more rows (property
glide.invalid_query.returns_no_rows turns that into none), as on a real instance.
"""

from dataclasses import dataclass, field

from connectors.servicenow.sandbox.query.parse import Condition, Join, Query, Related, Term
from connectors.servicenow.sandbox.query.terms import (
    Expression,
    Sql,
    compile_journal,
    compile_term,
    escaped,
)
from connectors.servicenow.sandbox.query.values import QueryEnv
from connectors.servicenow.sandbox.schema import ColumnType, Schema, Table

_TEXT_FIELDS = ("number", "short_description", "description", "text", "name", "title", "meta")
_DEPTH = 10
_MOST_STEPS = 8
# SQLite joins at most 64 tables in one statement.
_MOST_JOINS = 50


@dataclass(slots=True)
class Scope:
    """The tables in play; joins for dot-walks are added as they are met."""

    schema: Schema
    table: Table
    env: QueryEnv
    alias: str = "t"
    depth: int = 0
    joins: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Path -> (alias, SQL of the join)."""
    counter: list[int] = field(default_factory=lambda: [0])

    def fresh(self) -> str:
        """Return an alias not used yet."""
        self.counter[0] += 1
        return f"j{self.counter[0]}"

    def resolve(self, path: str) -> Expression | None:
        """Return the expression for a (dot-walked) field, or None where a step is unknown."""
        table, alias, walked = self.table, self.alias, ""
        *steps, last = path.split(".")
        if len(steps) > _MOST_STEPS or len(self.joins) > _MOST_JOINS:
            return None
        position = 0
        while position < len(steps):
            column = table.columns.get(steps[position])
            position += 1
            if column is None or column.type is not ColumnType.REFERENCE:
                return None
            walked = f"{walked}.{column.name}"
            target = column.reference
            if position < len(steps) and steps[position].startswith("ref_"):
                target = steps[position][4:]
                position += 1
            next_table = self.schema.get(target)
            if next_table is None:
                return None
            table, alias = next_table, self._join(walked, alias, column.name, next_table)
        column = table.columns.get(last)
        if column is None:
            return None
        return Expression(f'{alias}."{last}"', column, alias)

    def _join(self, walked: str, alias: str, name: str, table: Table) -> str:
        if walked not in self.joins:
            fresh = self.fresh()
            sql = f'LEFT JOIN "{table.root}" {fresh} ON {fresh}.sys_id = {alias}."{name}"'
            self.joins[walked] = (fresh, sql)
        return self.joins[walked][0]

    def display(self, expression: Expression) -> Sql:
        """Return the SQL of a reference's display value."""
        target = self.schema.get(expression.column.reference)
        if target is None or not target.display:
            return expression.sql
        alias = self.fresh()
        return (
            f'(SELECT {alias}."{target.display}" FROM "{target.root}" {alias} '  # noqa: S608 - names come from the schema, values are bound
            f"WHERE {alias}.sys_id = {expression.sql})"
        )

    def display_names(self, expression: Expression) -> tuple[Sql, ...]:
        """Return what a person may write for a reference: its display value, a user's user_name."""
        shown = self.display(expression)
        if shown == expression.sql:
            return ()
        if expression.column.reference != "sys_user":
            return (shown,)
        alias = self.fresh()
        by_account = f'(SELECT user_name FROM "sys_user" {alias} WHERE {alias}.sys_id = '  # noqa: S608 - no value in it
        return shown, f"{by_account}{expression.sql})"

    def from_clause(self) -> Sql:
        """Return the table and its joins."""
        joins = " ".join(sql for _, sql in self.joins.values())
        return f'"{self.table.root}" {self.alias} {joins}'


class Compiler:
    """Compiles one query against one scope; `parameters` fills in the order of the SQL."""

    def __init__(self, scope: Scope, *, strict: bool = False) -> None:
        self.scope = scope
        self.parameters: list[object] = []
        self._strict = strict

    def class_filter(self) -> Sql:
        """Return the condition that keeps the rows of this table and its children."""
        table = self.scope.table
        if not table.classed or table.name == table.root:
            return "1"
        family = self.scope.schema.family(table.name)
        self.parameters.extend(family)
        marks = ",".join("?" * len(family))
        operator = f"IN ({marks})" if len(family) > 1 else "= ?"
        return f"{self.scope.alias}.sys_class_name {operator}"

    def where(self, query: Query) -> Sql:
        """Return the condition of a whole query."""
        alternatives: list[Sql] = []
        for conjunction in query.alternatives:
            parts: list[Sql] = []
            for either in conjunction:
                known = [sql for sql in map(self._condition, either) if sql is not None]
                if known:
                    parts.append(_joined(known, "OR"))
                elif self._strict:
                    parts.append("0")
            alternatives.append(_joined(parts, "AND") if parts else "1")
        return _joined(alternatives, "OR")

    def order(self, query: Query) -> Sql:
        """Return the ORDER BY terms; unknown fields are passed over; no tie is broken for free."""
        terms: list[Sql] = []
        for path, descending in query.order:
            found = self.scope.resolve(path)
            if found is None or found.column.type is ColumnType.JOURNAL:
                continue
            sql = found.sql
            if found.column.type is ColumnType.REFERENCE:
                sql = self.scope.display(found)
            terms.append(f"{sql} DESC" if descending else sql)
        return ", ".join(terms)

    def _condition(self, condition: Condition) -> Sql | None:
        if isinstance(condition, Join):
            return self._join(condition)
        if isinstance(condition, Related):
            return self._related(condition)
        return self._term(condition)

    def _inner(self, table: Table, query: Query | None) -> tuple[Scope, Sql]:
        scope = Scope(
            self.scope.schema,
            table,
            self.scope.env,
            alias=self.scope.fresh(),
            depth=self.scope.depth + 1,
            counter=self.scope.counter,
        )
        compiler = Compiler(scope, strict=self._strict)
        parts = [compiler.class_filter()]
        if query is not None and scope.depth < _DEPTH:
            parts.append(compiler.where(query))
        self.parameters.extend(compiler.parameters)
        return scope, " AND ".join(parts)

    def _join(self, join: Join) -> Sql | None:
        left = self.scope.resolve(join.left_field)
        table = self.scope.schema.get(join.table)
        if left is None or table is None or join.right_field not in table.columns:
            return None
        scope, where = self._inner(table, join.query)
        return (
            f'{left.sql} IN (SELECT {scope.alias}."{join.right_field}" '  # noqa: S608 - names come from the schema, values are bound
            f"FROM {scope.from_clause()} WHERE {where})"
        )

    def _related(self, related: Related) -> Sql | None:
        table = self.scope.schema.get(related.table)
        if table is None or related.field not in table.columns:
            return None
        scope, where = self._inner(table, related.query)
        return (
            f'(SELECT count(*) FROM {scope.from_clause()} WHERE {scope.alias}."{related.field}"'  # noqa: S608 - names come from the schema, values are bound
            f" = {self.scope.alias}.sys_id AND {where}) {related.operator} {related.count}"
        )

    def _term(self, term: Term) -> Sql | None:
        if term.field == "123TEXTQUERY321":
            return self._text_search(term.value)
        found = self.scope.resolve(term.field) if term.operator else None
        if found is None:
            return None
        if found.column.type is ColumnType.JOURNAL:
            return compile_journal(self, found, term)
        compiled = compile_term(self, found, term)
        # Operators of business rule filters (VALCHANGES and the like) never hold in a query.
        return "0" if compiled is None else compiled

    def bind(self, value: object) -> Sql:
        """Take a parameter and return its mark."""
        self.parameters.append(value)
        return "?"

    def _text_search(self, value: str) -> Sql:
        names = [name for name in _TEXT_FIELDS if name in self.scope.table.columns]
        parts: list[Sql] = []
        for word in value.split():
            either = [
                f"{self.scope.alias}.\"{name}\" LIKE {self.bind(f'%{escaped(word)}%')} ESCAPE '\\'"
                for name in names
            ]
            parts.append(f"({' OR '.join(either) or '0'})")
        return f"({' AND '.join(parts) or '0'})"


def _joined(parts: list[Sql], word: str) -> Sql:
    """Join conditions as a balanced tree: SQLite refuses chains deeper than a thousand."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_joined(parts[:middle], word)} {word} {_joined(parts[middle:], word)})"
