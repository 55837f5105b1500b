"""From the tree of a query to SQL over the search index."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from connectors.jira.sandbox import text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.index import text_day
from connectors.jira.sandbox.jql import history
from connectors.jira.sandbox.jql.columns import COLUMNS, field_spec, order_by
from connectors.jira.sandbox.jql.moments import moment
from connectors.jira.sandbox.jql.saved import NAMES, saved_query
from connectors.jira.sandbox.jql.sql import Sql, both, condition, empty_set, inverse, one_of
from connectors.jira.sandbox.jql.syntax import (
    Both,
    Clause,
    Function,
    JqlError,
    Literal,
    Node,
    Not,
    Operand,
    Query,
    parse,
)
from connectors.jira.sandbox.jql.values import FUNCTIONS, Scope, ids, is_empty
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json

_FLIPPED = {
    "=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "~": "!~", "!~": "~",
    "in": "not in", "not in": "in", "is": "is not", "is not": "is", "was": "was not",
    "was not": "was", "was in": "was not in", "was not in": "was in",
}  # fmt: skip
_MINUTE = 60_000
_WORDS = re.compile(r"\s*[\w-]+(\s+[\w-]+)*\s*")
_LONGEST = 500_000
TOO_COMPLEX = "The JQL query is too complex. Use fewer clauses or values."
_ORDERED = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL of a query: a condition with its values, and an order."""

    where: Sql
    order: str
    order_values: tuple[Json, ...]
    restricted: bool
    sorts: int


def compile_query(call: Call, jql: str) -> Compiled:
    """Compile a query for the caller: what it may not browse is not found.

    Raises:
        JqlError: the query is wrong, or names what does not exist.
    """
    if len(jql) > _LONGEST:
        raise JqlError(TOO_COMPLEX)
    query: Query = _bare(call, jql) or parse(jql)
    scope = Scope(call)
    projects = call.people.projects_with(call.caller, "BROWSE_PROJECTS")
    seen = one_of("ix.project", projects)
    where = seen if query.where is None else both("AND", [seen, _node(scope, query.where)])
    order, values = order_by(scope, query.order)
    return Compiled(where, order, values, query.where is not None, len(query.order))


def _bare(call: Call, jql: str) -> Query | None:
    """Return the text search that bare words are on Cloud; None for what is no bare words."""
    if not call.cloud or not _WORDS.fullmatch(jql):
        return None
    words = jql.split()
    first = words[0].casefold()
    if len(words) == 1 or first in {"not", "order"} or first in _SPECIAL:
        return None
    if call.definition.field_named(words[0]) is not None:
        return None
    return Query(Clause("text", "~", (Literal(jql.strip(), quoted=True),)), ())


def _node(scope: Scope, node: Node, *, negated: bool = False) -> Sql:
    match node:
        case Not():
            return _node(scope, node.node, negated=not negated)
        case Both():
            word = {"and": "OR", "or": "AND"}[node.word] if negated else node.word.upper()
            return both(word, [_node(scope, one, negated=negated) for one in node.nodes])
        case Clause():
            return _clause(scope, node, negated=negated)


def _clause(scope: Scope, clause: Clause, *, negated: bool) -> Sql:
    if negated and clause.operator == "changed":
        return inverse(_clause(scope, clause, negated=False))
    if negated:
        operator = _FLIPPED[clause.operator]
        clause = Clause(clause.field, operator, clause.operands, clause.predicates)
    name = clause.field.casefold()
    special = _SPECIAL.get(name)
    if special is not None:
        return special(scope, clause)
    spec = field_spec(scope.call, clause.field)
    if clause.operator.startswith(("was", "changed")):
        return history.compiled(scope, spec, clause)
    return _BY_KIND.get(spec.kind, _plain)(scope, spec, clause)


def _refuse(clause: Clause) -> JqlError:
    return JqlError(
        f"The operator '{clause.operator.upper()}' is not supported by the '{clause.field}' field."
    )


def _unresolved(clause: Clause, operand: Operand) -> bool:
    """Say whether an operand is the name that the empty resolution goes by."""
    named = isinstance(operand, Literal) and operand.text.casefold() == "unresolved"
    return named and clause.field.casefold() == "resolution"


def _split(clause: Clause) -> tuple[bool, list[Operand]]:
    """Return whether EMPTY is among the operands, and the others."""
    rest = [one for one in clause.operands if not is_empty(one) and not _unresolved(clause, one)]
    if clause.operator in {"is", "is not"} and rest:
        raise JqlError(
            f"The operator '{clause.operator.upper()}' is not supported for the value given;"
            " only 'EMPTY' and 'NULL' are."
        )
    return len(rest) < len(clause.operands), rest


def _plain(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    """Compile equality over ids: a column, or the table of values."""
    if clause.operator not in {"=", "!=", "in", "not in", "is", "is not"}:
        if spec.kind == "priority" and clause.operator in _ORDERED:
            return _by_rank(scope, spec, clause)
        raise _refuse(clause)
    negative = clause.operator in {"!=", "not in", "is not"}
    empty, rest = _split(clause)
    wanted = [value for one in rest for value in ids(scope, spec, one, clause)]
    return member(spec, wanted, empty=empty, negative=negative)


def member(spec: FieldSpec, wanted: list[Json], *, empty: bool, negative: bool) -> Sql:
    """Compile `field in (wanted, EMPTY)`; its negation never matches an empty field."""
    column = COLUMNS.get(spec.id)
    if column is not None:
        blank = condition(f"{column} IS NULL")
        held = one_of(column, wanted)
    else:
        blank = inverse(_exists(spec.id, None))
        held = _exists(spec.id, wanted)
    if not negative:
        return both(
            "OR", [*([held] if wanted else []), *([blank] if empty else [])] or [empty_set()]
        )
    return both("AND", [inverse(blank), *([inverse(held)] if wanted else [])])


def _exists(field_id: str, wanted: list[Json] | None) -> Sql:
    head = "EXISTS (SELECT 1 FROM ix_value v WHERE v.issue=ix.id AND v.field=?"
    if wanted is None:
        return Sql(f"{head})", (field_id,))
    inner = one_of("v.value", wanted)
    return Sql(f"{head} AND {inner.text})", (field_id, *inner.values))


def _by_rank(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    """Compile an order of priorities; a higher one has the smaller id."""
    (value,) = ids(scope, spec, clause.operands[0], clause)
    sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}[clause.operator]
    return Sql(f"CAST(ix.priority AS INTEGER) {sign} ?", (int(value),))


def _moments(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    column = COLUMNS.get(spec.id)
    empty, rest = _split(clause)
    if empty:
        return member(spec, [], empty=True, negative=clause.operator in {"is not", "!="})
    parts: list[Sql] = []
    for one in rest:
        at = moment(one, clause.field, scope.call.zone, scope.now)
        parts.append(_compare(column, spec.id, clause, at))
    return both("AND" if clause.operator == "not in" else "OR", parts)


def _compare(column: str | None, field_id: str, clause: Clause, at: int) -> Sql:
    name = column or "v.value"
    if clause.operator in _ORDERED:
        inner = Sql(f"{name} {clause.operator} ?", (at,))
    elif clause.operator in {"=", "in"}:
        inner = Sql(f"({name} >= ? AND {name} < ?)", (at, at + _MINUTE))
    elif clause.operator in {"!=", "not in"}:
        inner = Sql(f"({name} < ? OR {name} >= ?)", (at, at + _MINUTE))
    else:
        raise _refuse(clause)
    if column is not None:
        return inner
    head = "EXISTS (SELECT 1 FROM ix_value v WHERE v.issue=ix.id AND v.field=? AND "
    return Sql(f"{head}{inner.text})", (field_id, *inner.values))


def _days(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    empty, rest = _split(clause)
    if empty:
        return member(spec, [], empty=True, negative=clause.operator in {"is not", "!="})
    found: list[Json] = []
    for one in rest:
        at = moment(one, clause.field, scope.call.zone, scope.now)
        found.append(text_day(scope.day(at)))
    if clause.operator in {"=", "in", "!=", "not in"}:
        return member(spec, found, empty=False, negative=clause.operator in {"!=", "not in"})
    return _number_compare(spec, clause, found[0])


def _numbers(_scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    empty, rest = _split(clause)
    found: list[Json] = []
    for one in rest:
        try:
            found.append(float(one.text if isinstance(one, Literal) else "x"))
        except ValueError as error:
            shown = one.text if isinstance(one, Literal) else one.name
            raise JqlError(
                f"The value '{shown}' is not valid for the field '{clause.field}'."
            ) from error
    if clause.operator in _ORDERED:
        return _number_compare(spec, clause, found[0])
    if clause.operator in {"~", "!~"}:
        raise _refuse(clause)
    return member(spec, found, empty=empty, negative=clause.operator in {"!=", "not in", "is not"})


def _number_compare(spec: FieldSpec, clause: Clause, value: Json) -> Sql:
    if clause.operator not in _ORDERED:
        raise _refuse(clause)
    column = COLUMNS.get(spec.id)
    if column is not None:
        return Sql(f"{column} {clause.operator} ?", (value,))
    head = "EXISTS (SELECT 1 FROM ix_value v WHERE v.issue=ix.id AND v.field=? AND v.value "
    return Sql(f"{head}{clause.operator} ?)", (spec.id, value))


def _texts(_scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    empty, rest = _split(clause)
    if empty:
        return member(spec, [], empty=True, negative=clause.operator in {"is not", "!="})
    if clause.operator not in {"~", "!~"}:
        raise _refuse(clause)
    column = COLUMNS.get(spec.id, "v.text")
    found = matching(column, rest[0])
    if column == "v.text":
        head = "EXISTS (SELECT 1 FROM ix_value v WHERE v.issue=ix.id AND v.field=? AND "
        found = Sql(f"{head}{found.text})", (spec.id, *found.values))
    return inverse(found) if clause.operator == "!~" else found


def matching(column: str, operand: Operand) -> Sql:
    """Compile a text search: all words, a phrase in quotes, a word's beginning with `*`."""
    if isinstance(operand, Function):
        raise JqlError(f"The function '{operand.name}' is not supported by the operator '~'.")
    wanted = operand.text.strip()
    if len(wanted) > 1 and wanted[0] == wanted[-1] == '"':
        phrase = " ".join(text.terms_of(wanted))
        return Sql(f"instr({column}, ?) > 0", (f" {phrase} ",))
    parts: list[Sql] = []
    for word in wanted.split():
        terms = text.terms_of(word)
        for number, term in enumerate(terms):
            open_end = word.endswith("*") and number == len(terms) - 1
            parts.append(Sql(f"instr({column}, ?) > 0", (f" {term}" if open_end else f" {term} ",)))
    if not parts:
        raise JqlError(f"The text '{wanted}' is not a valid search term.")
    return both("AND", parts)


# --- clauses that are no fields


def _keys(scope: Scope, clause: Clause) -> Sql:
    if clause.operator in {"=", "!=", "in", "not in"}:
        found: list[Json] = []
        for one in clause.operands:
            found += scope.issue_ids(one, clause.field)
        held = one_of("ix.id", found)
        return inverse(held) if clause.operator in {"!=", "not in"} else held
    if clause.operator in _ORDERED:
        row = scope.issue_row(clause.operands[0], clause.field)
        return Sql(
            f"(ix.project = ? AND ix.number {clause.operator} ?)", (row["project"], row["number"])
        )
    raise _refuse(clause)


def _category(scope: Scope, clause: Clause) -> Sql:
    if clause.operator not in {"=", "!=", "in", "not in"}:
        raise _refuse(clause)
    known = scope.call.definition.categories.values()
    found: list[Json] = []
    for one in clause.operands:
        wanted = one.text if isinstance(one, Literal) else one.name
        match = [
            row["key"]
            for row in known
            if wanted.casefold() in {row["key"], row["name"].casefold(), str(row["id"])}
        ]
        if not match:
            raise JqlError(f"The value '{wanted}' does not exist for the field 'statusCategory'.")
        found += match
    held = one_of("ix.category", found)
    return inverse(held) if clause.operator in {"!=", "not in"} else held


def _any_text(_scope: Scope, clause: Clause) -> Sql:
    if clause.operator not in {"~", "!~"}:
        raise _refuse(clause)
    found = matching("ix.words", clause.operands[0])
    return inverse(found) if clause.operator == "!~" else found


def _approvals(scope: Scope, clause: Clause) -> Sql:
    operand = clause.operands[0]
    if clause.operator != "=" or not isinstance(operand, Function):
        raise _refuse(clause)
    found = FUNCTIONS.get(operand.name.lower())
    if found is None:
        raise JqlError(
            f"Unable to find JQL function '{operand.name}({', '.join(operand.arguments)})'."
        )
    return found(scope, operand)


def _watcher(scope: Scope, clause: Clause) -> Sql:
    spec = scope.call.definition.fields["watches"]
    return _plain(scope, spec, clause)


def _filter(scope: Scope, clause: Clause) -> Sql:
    if clause.operator not in {"=", "!=", "in", "not in"}:
        raise _refuse(clause)
    inner: list[Sql] = []
    for one in clause.operands:
        inside, query = saved_query(scope, one)
        inner.append(condition("1") if query.where is None else _node(inside, query.where))
    found = both("OR", inner)
    return inverse(found) if clause.operator in {"!=", "not in"} else found


_Special: TypeAlias = Callable[[Scope, Clause], Sql]
_SPECIAL: Mapping[str, _Special] = {
    **dict.fromkeys(("key", "id", "issue", "issuekey"), _keys),
    "statuscategory": _category,
    "text": _any_text,
    "approvals": _approvals,
    "customfield_10029": _approvals,
    "cf[10029]": _approvals,
    "watcher": _watcher,
    **dict.fromkeys(NAMES, _filter),
}
_BY_KIND: Mapping[str, Callable[[Scope, FieldSpec, Clause], Sql]] = {
    "datetime": _moments,
    "date": _days,
    "number": _numbers,
    "string": _texts,
    "text": _texts,
    "comment": _texts,
}
