"""One comparison of an encoded query as SQL, by operator and by column type."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.servicenow.sandbox.query.parse import Term
from connectors.servicenow.sandbox.query.values import QueryEnv, evaluate, relative
from connectors.servicenow.sandbox.schema import Column, ColumnType, Schema

Sql = str

_COMPARE = ("=", "!=", ">", ">=", "<", "<=")
_LIKE = {
    "LIKE": "%{}%",
    "*": "%{}%",
    "CONTAINS": "%{}%",
    "STARTSWITH": "{}%",
    "ENDSWITH": "%{}",
    "%": "%{}",
    "NOT LIKE": "%{}%",
    "NOTLIKE": "%{}%",
    "DOES NOT CONTAIN": "%{}%",
}
_LARGEST = 2**63
_NEGATIVE_LIKE = ("NOT LIKE", "NOTLIKE", "DOES NOT CONTAIN")
_EMPTY = ("ISEMPTY", "EMPTY", "EMPTYSTRING")
_NOT_EMPTY = ("ISNOTEMPTY", "NOTEMPTY")
_FIELD_COMPARE = {
    "SAMEAS": "=",
    "NSAMEAS": "!=",
    "GT_FIELD": ">",
    "LT_FIELD": "<",
    "GT_OR_EQUALS_FIELD": ">=",
    "LT_OR_EQUALS_FIELD": "<=",
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A column of the query: its SQL, its column, and the alias of its row."""

    sql: Sql
    column: Column
    alias: str


class _Scope(Protocol):
    env: QueryEnv
    schema: Schema

    def resolve(self, path: str) -> Expression | None: ...
    def display(self, expression: Expression) -> Sql: ...
    def display_names(self, expression: Expression) -> tuple[Sql, ...]: ...


class TermCompiler(Protocol):
    """What a term needs from the compiler of its query."""

    @property
    def scope(self) -> _Scope:
        """Return the tables in play."""
        ...

    def bind(self, value: object) -> Sql:
        """Take a parameter and return its mark."""
        ...


Handler = Callable[[TermCompiler, Expression, Term], Sql | None]


def escaped(value: str) -> str:
    """Return text for a LIKE pattern with ESCAPE backslash."""
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def compile_term(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    """Return the SQL of one comparison, or None for an operator that no query carries out."""
    for operators, handler in _HANDLERS:
        if term.operator in operators:
            return handler(compiler, found, term)
    if term.operator.startswith("RELATIVE"):
        return _relative(compiler, found, term)
    other = _OTHERS.get(term.operator)
    return None if other is None else other(compiler, found, term)


def _empty(_compiler: TermCompiler, found: Expression, _term: Term) -> Sql:
    return f"{found.sql} IS NULL"


def _not_empty(_compiler: TermCompiler, found: Expression, _term: Term) -> Sql:
    return f"{found.sql} IS NOT NULL"


def _same(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    other = compiler.scope.resolve(term.value)
    return None if other is None else f"{found.sql} {_FIELD_COMPARE[term.operator]} {other.sql}"


def _value(compiler: TermCompiler, column: Column, raw: str) -> object:
    value = evaluate(raw, compiler.scope.env)
    if column.type is ColumnType.BOOLEAN:
        return {"1": "true", "0": "false"}.get(value, value.lower())
    if column.numeric:
        try:
            number = float(value) if "." in value else int(value)
            return number if abs(number) < _LARGEST else float(number)
        except (ValueError, OverflowError):
            return None
    if column.type is ColumnType.DATETIME:
        value = value.replace("T", " ").removesuffix("Z")
        return f"{value} 00:00:00" if len(value) == len("2026-01-01") else value
    return value


def _sql(found: Expression) -> Sql:
    if found.column.type in (ColumnType.FLOAT, ColumnType.PRICE):
        return f"CAST({found.sql} AS REAL)"
    return found.sql


def _compare(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    if term.display:
        return _display_equals(compiler, found, term)
    value = _value(compiler, found.column, term.value)
    sql = _sql(found)
    if value in ("", None) and term.operator in ("=", "!="):
        empty = term.value == "" or evaluate(term.value, compiler.scope.env) == ""
        if not empty:
            return "0" if term.operator == "=" else "1"
        return f"{sql} IS NULL" if term.operator == "=" else f"{sql} IS NOT NULL"
    if value is None:
        return "0"
    if term.operator == "!=":
        return f"({sql} != {compiler.bind(value)} OR {sql} IS NULL)"
    return f"{sql} {term.operator} {compiler.bind(value)}"


def _display_equals(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    """Compare in the name=value form: a value or what a person would read."""
    column = found.column
    plain = _compare(compiler, found, Term(term.field, "=", term.value))
    if column.choices:
        labels = {label.lower(): value for value, label in column.choices.items()}
        value = labels.get(term.value.lower())
        if value is not None:
            return f"({plain} OR {found.sql} = {compiler.bind(value)})"
    if column.type is ColumnType.REFERENCE and term.value:
        names = " OR ".join(
            f"{name} = {compiler.bind(term.value)}" for name in compiler.scope.display_names(found)
        )
        return f"({plain} OR {names})" if names else plain
    return plain


def _like(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    is_reference = found.column.type is ColumnType.REFERENCE
    sql = compiler.scope.display(found) if is_reference else found.sql
    value = evaluate(term.value, compiler.scope.env)
    pattern = compiler.bind(_LIKE[term.operator].format(escaped(value)))
    if term.operator in _NEGATIVE_LIKE:
        return f"({sql} NOT LIKE {pattern} ESCAPE '\\' OR {sql} IS NULL)"
    return f"{sql} LIKE {pattern} ESCAPE '\\'"


def _relative(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    pair = relative(term.operator, term.value, compiler.scope.env)
    return None if pair is None else f"{found.sql} {pair[0]} {compiler.bind(pair[1])}"


def _in(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    values = [
        _value(compiler, found.column, value.strip())
        for value in evaluate(term.value, compiler.scope.env).split(",")
        if value.strip()
    ]
    marks = ",".join(compiler.bind(value) for value in values)
    if term.operator == "NOT IN":
        return f"({found.sql} NOT IN ({marks}) OR {found.sql} IS NULL)"
    return f"{found.sql} IN ({marks})" if marks else "0"


def _anything(_compiler: TermCompiler, _found: Expression, _term: Term) -> Sql:
    return "1"


def _between(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    low, separator, high = term.value.partition("@")
    if not separator:
        return None
    first = compiler.bind(_value(compiler, found.column, low))
    return (
        f"{_sql(found)} BETWEEN {first} AND {compiler.bind(_value(compiler, found.column, high))}"
    )


def _on(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    """`ONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()`."""
    parts = term.value.split("@")
    if len(parts) < 3:  # noqa: PLR2004 - a label and two ends
        if len(term.value) < len("2026-01-01"):
            return None
        day = compiler.bind(f"{escaped(term.value[:10])}%")
        return f"{found.sql} {'NOT ' if term.operator == 'NOTON' else ''}LIKE {day} ESCAPE '\\'"
    low = compiler.bind(evaluate(parts[1], compiler.scope.env))
    high = compiler.bind(evaluate(parts[2], compiler.scope.env))
    word = "NOT BETWEEN" if term.operator == "NOTON" else "BETWEEN"
    return f"{found.sql} {word} {low} AND {high}"


# The dynamic filter "Me" is the only one whose id is the same on every instance.
_DYNAMIC_ME = "90d1921e5f510100a9ad2572f2b477fe"


def _dynamic(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    if term.value == _DYNAMIC_ME:
        return f"{found.sql} = {compiler.bind(compiler.scope.env.user_id)}"
    return "0"


def _hierarchy(compiler: TermCompiler, found: Expression, term: Term) -> Sql | None:
    """Rows that refer to a record or to one below it by `parent`."""
    names = compiler.scope.display_names(found)
    if not names:
        return None
    target = compiler.scope.schema.tables[found.column.reference]
    if "parent" not in target.columns:
        # Nothing is below a record of a table that knows no parents.
        return f"{found.sql} = {compiler.bind(term.value)}"
    root = target.root
    start = compiler.bind(term.value)
    return (
        f"{found.sql} IN (WITH RECURSIVE below(id) AS (SELECT {start} UNION "  # noqa: S608 - names come from the schema, values are bound
        f'SELECT child.sys_id FROM "{root}" child JOIN below ON child.parent = below.id) '
        f"SELECT id FROM below)"
    )


_OTHERS: Mapping[str, Handler] = {
    "IN": _in,
    "NOT IN": _in,
    "ANYTHING": _anything,
    "BETWEEN": _between,
    "ON": _on,
    "NOTON": _on,
    "DYNAMIC": _dynamic,
    "IN_HIERARCHY": _hierarchy,
}

_HANDLERS: tuple[tuple[Container[str], Handler], ...] = (
    (_LIKE, _like),
    (_EMPTY, _empty),
    (_NOT_EMPTY, _not_empty),
    (_COMPARE, _compare),
    (_FIELD_COMPARE, _same),
)


def compile_journal(compiler: TermCompiler, found: Expression, term: Term) -> Sql:
    """Return the SQL of a comparison with a journal, whose entries stand in sys_journal_field."""
    entries = (
        f"FROM sys_journal_field WHERE element_id = {found.alias}.sys_id "
        f"AND element = '{found.column.name}'"
    )
    if term.operator in _LIKE and term.operator not in _NEGATIVE_LIKE:
        pattern = compiler.bind(_LIKE[term.operator].format(escaped(term.value)))
        return f"EXISTS (SELECT 1 {entries} AND value LIKE {pattern} ESCAPE '\\')"
    if term.operator in _NOT_EMPTY:
        return f"EXISTS (SELECT 1 {entries})"
    if term.operator in _EMPTY:
        return f"NOT EXISTS (SELECT 1 {entries})"
    return "0"
