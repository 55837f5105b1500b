"""The columns of the index, the fields that a query may name, and ORDER BY."""

from collections.abc import Mapping

from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.jql.syntax import JqlError, Sort
from connectors.jira.sandbox.jql.values import Scope
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json

MOST_SORTS = 7
COLUMNS: Mapping[str, str] = {
    "project": "ix.project",
    "issuetype": "ix.type",
    "status": "ix.status",
    "priority": "ix.priority",
    "resolution": "ix.resolution",
    "reporter": "ix.reporter",
    "creator": "ix.creator",
    "assignee": "ix.assignee",
    "created": "ix.created",
    "updated": "ix.updated",
    "resolutiondate": "ix.resolved",
    "statuscategorychangedate": "ix.category_changed",
    "duedate": "ix.due",
    "parent": "ix.parent",
    "customfield_10010": "ix.request_type",
    "summary": "ix.summary_words",
}


_FILLED = frozenset({"ix.created", "ix.updated", "ix.project", "ix.status", "ix.summary"})


def field_spec(call: Call, name: str) -> FieldSpec:
    """Return the field that a query names.

    Raises:
        JqlError: there is none.
    """
    spec = call.definition.field_named(name)
    if spec is None or (spec.cloud_only and not call.cloud):
        tail = (
            "this field cannot be viewed by anonymous users."
            if call.caller is None
            else "you do not have permission to view it."
        )
        raise JqlError(f"Field '{name}' does not exist or {tail}")
    return spec


def order_by(scope: Scope, sorts: tuple[Sort, ...]) -> tuple[str, tuple[Json, ...]]:
    """Return the ORDER BY of a query and the values of its marks."""
    parts: list[str] = []
    values: list[Json] = []
    for sort in sorts:
        downward = bool(sort.descending)
        name = sort.field.casefold()
        if name in {"key", "issuekey", "issue", "id"}:
            direction = "DESC" if downward else "ASC"
            prefix = "" if name == "id" else f"ix.project {direction}, "
            parts.append(f"{prefix}{'ix.id' if name == 'id' else 'ix.number'} {direction}")
            continue
        if name == "statuscategory":
            parts.append(f"ix.category {'DESC' if downward else 'ASC'}")
            continue
        spec = field_spec(scope.call, sort.field)
        if spec.kind == "priority":
            parts.append(f"CAST(ix.priority AS INTEGER) {'ASC' if downward else 'DESC'}")
            continue
        column = "ix.summary" if spec.id == "summary" else COLUMNS.get(spec.id)
        if column is None:
            if not (spec.orderable or spec.navigable):
                raise JqlError(f"Field '{sort.field}' cannot be used to sort the results.")
            column = "(SELECT min(v.value) FROM ix_value v WHERE v.issue=ix.id AND v.field=?)"
            values.append(spec.id)
        direction = "DESC" if downward else "ASC"
        # Only a column that can be empty says where the empty ones go: an index cannot serve that.
        parts.append(f"{column} {direction}{'' if column in _FILLED else ' NULLS LAST'}")
    return ", ".join([*parts, "ix.id DESC"] if parts else ["ix.id DESC"]), tuple(values)
