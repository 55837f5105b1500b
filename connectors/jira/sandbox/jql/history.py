"""WAS and CHANGED: clauses over the changelog."""

from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.jql.moments import moment
from connectors.jira.sandbox.jql.sql import Sql, both, inverse, one_of
from connectors.jira.sandbox.jql.syntax import Clause, JqlError, Literal, Predicate
from connectors.jira.sandbox.jql.values import Scope, ids, is_empty
from connectors.jira.sandbox.wire import Json

_COLUMNS = {
    "status": "ix.status",
    "assignee": "ix.assignee",
    "reporter": "ix.reporter",
    "priority": "ix.priority",
    "resolution": "ix.resolution",
}
_WITH_HISTORY = frozenset({*_COLUMNS, "fixVersions"})
_DAY = 86_400_000
_END = 2**62


def compiled(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    """Compile a WAS or CHANGED clause.

    Raises:
        JqlError: the field keeps no history that can be searched.
    """
    if spec.id not in _WITH_HISTORY:
        raise JqlError(f"History searches do not support the '{clause.field}' field.")
    if clause.operator == "changed":
        return _changed(scope, spec, clause)
    negative = " not" in clause.operator
    found = _was(scope, spec, clause)
    return inverse(found) if negative else found


def _wanted(scope: Scope, spec: FieldSpec, clause: Clause) -> list[Json]:
    found: list[Json] = []
    for one in clause.operands:
        found += [None] if is_empty(one) else ids(scope, spec, one, clause)
    return found


def _window(scope: Scope, clause: Clause) -> tuple[int, int]:
    """Return the span of time in which a value was held or a change was made."""
    start, end = 0, _END
    for one in clause.predicates:
        at = (
            [moment(each, clause.field, scope.call.zone, scope.now) for each in one.operands]
            if (one.word in {"after", "before", "on", "during"})
            else []
        )
        if one.word == "after":
            start = at[0]
        elif one.word == "before":
            end = at[0]
        elif one.word == "on":
            start, end = at[0], at[0] + _DAY
        elif one.word == "during":
            if len(at) != 2:  # noqa: PLR2004 - from and to
                raise JqlError("The 'during' predicate expects two dates.")
            start, end = at[0], at[1]
    return start, end


def _matches(column: str, wanted: list[Json]) -> Sql:
    parts: list[Sql] = []
    held = [one for one in wanted if one is not None]
    if held:
        parts.append(one_of(column, held))
    if None in wanted:
        parts.append(Sql(f"{column} IS NULL"))
    return both("OR", parts)


def _authors(scope: Scope, predicates: tuple[Predicate, ...]) -> Sql | None:
    for one in predicates:
        if one.word == "by":
            found: list[Json] = []
            for each in one.operands:
                if isinstance(each, Literal):
                    account = scope.call.people.named(each.text)
                elif each.name.lower() == "currentuser":
                    account = scope.call.caller
                else:
                    raise JqlError(f"Unable to find JQL function '{each.name}()'.")
                found.append(account.id if account else "")
            return one_of("h.author", found)
    return None


_HEAD = (
    "EXISTS (SELECT 1 FROM history_item i JOIN history h ON h.id=i.history"
    " WHERE i.issue=ix.id AND i.field_id=?"
)


def _was(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    """A value was held in a window when it was set before its end and not left before its start."""
    wanted = _wanted(scope, spec, clause)
    start, end = _window(scope, clause)
    by = _authors(scope, clause.predicates)
    parts: list[Sql] = []
    column = _COLUMNS.get(spec.id)
    if column is not None and by is None and start <= scope.now:
        now_held = _matches(column, wanted)
        last = (
            "coalesce((SELECT max(h.created) FROM history_item i JOIN history h ON h.id=i.history"
        )
        since = Sql(
            f"{last} WHERE i.issue=ix.id AND i.field_id=?), ix.created) < ?", (spec.id, end)
        )
        parts.append(both("AND", [now_held, since]))
    left = _matches("i.old", wanted)
    parts.append(
        Sql(f"{_HEAD} AND h.created >= ? AND ({left.text}) {_held_before(by)})",
            (spec.id, start, *left.values, *_before_values(spec.id, end, by)))
    )  # fmt: skip
    return both("OR", parts)


def _held_before(by: Sql | None) -> str:
    """Say that the value which was left had been reached before the window's end."""
    reached = (
        "AND coalesce((SELECT max(h2.created) FROM history_item i2"
        " JOIN history h2 ON h2.id=i2.history WHERE i2.issue=ix.id AND i2.field_id=?"
        " AND h2.id < h.id), ix.created) < ?"
    )
    return reached if by is None else f"{reached} AND {by.text}"


def _before_values(field_id: str, end: int, by: Sql | None) -> tuple[Json, ...]:
    return (field_id, end, *(by.values if by is not None else ()))


def _changed(scope: Scope, spec: FieldSpec, clause: Clause) -> Sql:
    start, end = _window(scope, clause)
    text = f"{_HEAD} AND h.created >= ? AND h.created < ?"
    values: list[Json] = [spec.id, start, end]
    by = _authors(scope, clause.predicates)
    parts = [by] if by is not None else []
    for one in clause.predicates:
        if one.word in {"from", "to"}:
            inner = Clause(clause.field, "in", one.operands)
            column = "i.old" if one.word == "from" else "i.new"
            parts.append(_matches(column, _wanted(scope, spec, inner)))
    for part in parts:
        text += f" AND ({part.text})"
        values += part.values
    return Sql(text + ")", tuple(values))
