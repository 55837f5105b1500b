"""Field values: read from a request, kept by id, shown, named in the changelog, indexed."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from connectors.jira.sandbox import text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row

COLUMNS: Mapping[str, str] = {
    "summary": "summary",
    "issuetype": "type",
    "status": "status",
    "project": "project",
    "priority": "priority",
    "resolution": "resolution",
    "reporter": "reporter",
    "creator": "creator",
    "assignee": "assignee",
    "created": "created",
    "updated": "updated",
    "resolutiondate": "resolved",
    "statuscategorychangedate": "category_changed",
    "parent": "parent",
    "customfield_10010": "request_type",
}
"""Fields that have a column of their own in the issue's row."""

RANK = "customfield_10019"
LISTS = frozenset(
    {"labels", "users", "groups", "options", "components", "versions", "organizations", "sprints"}
)
"""Kinds whose value is a list, to which `add` and `remove` apply."""
_LONGEST_LINE = 255
_SPACE = re.compile(r"\s")
_MARKED = re.compile(r"^\d{4}-\d\d-\d\d$")


def kept(issue: Row, field_id: str) -> Json:
    """Return what an issue keeps for a field."""
    column = COLUMNS.get(field_id)
    return issue[column] if column else issue["fields"].get(field_id)


def rank_of(issue: Row) -> float:
    """Return the place of an issue among all: its id until somebody ranks it."""
    return float(issue["fields"].get(RANK, issue["id"]))


# --- the changelog


def named(call: Call, spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    """Return the id and the text by which a kept value stands in the changelog."""
    if value is None or value == []:
        return (None, "") if spec.kind == "labels" else (None, None)
    return _NAMES.get(spec.kind, _shown_text)(call, spec, value)


def _shown_text(_call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    return None, str(value)


def _stock_name(call: Call, spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    table = {
        "status": call.definition.statuses,
        "priority": call.definition.priorities,
        "resolution": call.definition.resolutions,
        "issuetype": call.definition.types,
    }[spec.kind]
    return value, table[value]["name"]


def _user_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    account = call.people.by_id(value)
    return value, account.display if account else value


def _users_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    accounts = [call.people.by_id(one) for one in value]
    names = [one.display for one in accounts if one is not None]
    return f"[{', '.join(value)}]", f"[{', '.join(names)}]"


def _groups_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    rows = [call.people.group(one) for one in value]
    return f"[{', '.join(value)}]", f"[{', '.join(one['name'] for one in rows if one)}]"


def _option_name(_call: Call, spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    wanted = value if isinstance(value, list) else [value]
    names = [one.value for one in spec.options if one.id in wanted]
    return ",".join(wanted), ",".join(names)


def _moment_name(_call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    moment = datetime.fromtimestamp(value / 1000, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S%z}", f"{moment:%d/%b/%y %I:%M %p}"


def _child_name(call: Call, spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    table = "component" if spec.kind == "components" else "version"
    names = [
        call.store.value(f"SELECT name FROM {table} WHERE id=?", one)  # noqa: S608 - a word of ours
        for one in value
    ]
    return ",".join(map(str, value)), ",".join(str(one) for one in names)


def _sprint_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    names = [call.store.value("SELECT name FROM sprint WHERE id=?", one) for one in value]
    return ", ".join(map(str, value)), ", ".join(str(one) for one in names)


def _key_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    return str(value), call.store.value("SELECT key FROM issue WHERE id=?", value)


def _request_name(call: Call, _spec: FieldSpec, value: Json) -> tuple[str | None, str | None]:
    return str(value), call.store.value("SELECT name FROM request_type WHERE id=?", value)


_NAMES: Mapping[str, Callable[[Call, FieldSpec, Json], tuple[str | None, str | None]]] = {
    "status": _stock_name,
    "priority": _stock_name,
    "resolution": _stock_name,
    "issuetype": _stock_name,
    "user": _user_name,
    "users": _users_name,
    "groups": _groups_name,
    "option": _option_name,
    "options": _option_name,
    "datetime": _moment_name,
    "date": lambda _call, _spec, value: (value, f"{value} 00:00:00.0"),
    "labels": lambda _call, _spec, value: (None, " ".join(value)),
    "text": lambda _call, _spec, value: (None, text.wiki_of(value)),
    "components": _child_name,
    "versions": _child_name,
    "parent": _key_name,
    "epiclink": _key_name,
    "sprints": _sprint_name,
    "requesttype": _request_name,
    "number": lambda _call, _spec, value: (None, f"{value:g}"),
}


def option_values(spec: FieldSpec, value: Json) -> list[Row]:
    """Return the choices of a kept select value as objects with id and value."""
    wanted = value if isinstance(value, list) else [value]
    return [{"value": one.value, "id": one.id} for one in spec.options if one.id in wanted]


def request_spec(row: Row) -> Row:
    """Return the definition of a request type from its row."""
    found: Row = loads(row["spec"])
    return found
