"""Field values in requests: what each kind of field takes, and what is kept of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from connectors.jira.sandbox import text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.durations import seconds_of
from connectors.jira.sandbox.fields import LISTS
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json, Row, parse_stamp

_LONGEST_LINE = 255
_SPACE = re.compile(r"\s")
_MARKED = re.compile(r"^\d{4}-\d\d-\d\d$")


@dataclass(frozen=True, slots=True)
class ValueRefusedError(ValueError):
    """A value that a field does not take; `reason` is what the vendor says."""

    reason: str


def read(call: Call, spec: FieldSpec, value: Json, project: Row) -> Json:
    """Return what is kept of a value from a request.

    Raises:
        ValueRefusedError: the field does not take it.
    """
    if value is None:
        return [] if spec.kind in LISTS else None
    return _READERS[spec.kind](call, spec, value, project)


def _string(_call: Call, spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, str):
        raise ValueRefusedError("Operation value must be a string")
    if spec.id == "summary" and ("\n" in value or "\r" in value):
        raise ValueRefusedError("The summary is invalid because it contains newline characters.")
    if len(value) > _LONGEST_LINE:
        if spec.id == "summary":
            raise ValueRefusedError("Summary must be less than 255 characters.")
        raise ValueRefusedError(
            "The entered text is too long. It exceeds the allowed limit of 255 characters."
        )
    return value.strip() if spec.id == "summary" else value or None


def _rich(call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    try:
        return text.read(value, document=call.document)
    except text.TextRefusedError as error:
        raise ValueRefusedError(error.reason) from error


def _number(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueRefusedError("Operation value must be a number")
    return float(value)


def _date(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, str):
        raise ValueRefusedError("Operation value must be a string")
    if value == "":
        return None
    try:
        if not _MARKED.match(value):
            raise ValueError(value)  # noqa: TRY301 - one way out for every shape that is no date
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueRefusedError(
            "Operation value must be in the format yyyy-MM-dd"
            if _call.cloud
            else f"Error parsing date string: {value}"
        ) from error
    return value


def _datetime(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, str):
        raise ValueRefusedError("Operation value must be a string")
    if value == "":
        return None
    millis = parse_stamp(value)
    if millis is None:
        raise ValueRefusedError(f"Error parsing time: {value}")
    return millis


def _option(_call: Call, spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, dict):
        raise ValueRefusedError("Specify a valid 'id' or 'name' for " + spec.name)
    key, name = value.get("id"), value.get("value")
    if isinstance(key, str | int) and not isinstance(key, bool):
        if not any(one.id == str(key) for one in spec.options):
            raise ValueRefusedError(f"Option id '{key}' is not valid")
        return str(key)
    found = spec.option(name) if isinstance(name, str) else None
    if found is None:
        raise ValueRefusedError(f"Option value '{name}' is not valid")
    return found.id


def _listed(
    inner: Callable[[Call, FieldSpec, Json, Row], Json],
) -> Callable[[Call, FieldSpec, Json, Row], Json]:
    def read_list(call: Call, spec: FieldSpec, value: Json, project: Row) -> Json:
        if not isinstance(value, list):
            raise ValueRefusedError("data was not an array")
        found: list[Json] = []
        for one in value:
            item = inner(call, spec, one, project)
            if item is not None and item not in found:
                found.append(item)
        return found

    return read_list


def account_of(call: Call, value: Json) -> Account:
    """Return the account that a user value names.

    Raises:
        ValueRefusedError: none, in this flavour's terms.
    """
    if call.cloud:
        key = value.get("accountId", value.get("id")) if isinstance(value, dict) else None
        found = call.people.by_id(key) if isinstance(key, str) else None
    else:
        name = value.get("name", value.get("key")) if isinstance(value, dict) else None
        key = name
        found = None
        if isinstance(name, str):
            found = call.people.by_name(name) or call.people.by_id(name)
    if key is None:
        raise ValueRefusedError(
            "Operation value must be an object with 'accountId'"
            if call.cloud
            else "data was not an object"
        )
    if found is None:
        raise ValueRefusedError(
            "Specify a valid value for the user field"
            if call.cloud
            else f"User '{key}' does not exist."
        )
    return found


def _user(call: Call, spec: FieldSpec, value: Json, project: Row) -> Json:
    if isinstance(value, dict):
        keys = {"accountId", "id", "name", "key"} & set(value)
        if keys and all(value[one] is None for one in keys):
            return None
        if spec.id == "assignee" and any(value[one] in {"-1", ""} for one in keys):
            return project["lead"] if project["assignee_type"] == "PROJECT_LEAD" else None
    account = account_of(call, value)
    if spec.id == "assignee" and not call.people.may(account, "ASSIGNABLE_USER", project["id"]):
        raise ValueRefusedError(
            f"User '{account.id if call.cloud else account.name}' cannot be assigned issues."
        )
    return account.id


def _plain_user(call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    return account_of(call, value).id


def _group(call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    key = value.get("groupId", value.get("name")) if isinstance(value, dict) else None
    found = call.people.group(key) if isinstance(key, str) else None
    if found is None:
        raise ValueRefusedError(f"Could not find group named '{key}'.")
    return found["id"]


def _label(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, str):
        raise ValueRefusedError("Operation value must be a string")
    if _SPACE.search(value):
        raise ValueRefusedError(f"The label '{value}' contains spaces which is invalid.")
    if len(value) > _LONGEST_LINE:
        raise ValueRefusedError(f"The label '{value}' exceeds the maximum length (255).")
    return value or None


def _stock(call: Call, spec: FieldSpec, value: Json, _project: Row) -> Json:
    table = {
        "priority": call.definition.priorities,
        "resolution": call.definition.resolutions,
        "issuetype": call.definition.types,
    }[spec.kind]
    key = value.get("id") if isinstance(value, dict) else None
    name = value.get("name") if isinstance(value, dict) else None
    if key is not None and str(key) in table:
        return str(key)
    found = call.definition.find(table, name) if isinstance(name, str) and key is None else None
    if found is None:
        if spec.kind == "issuetype":
            raise ValueRefusedError("Specify a valid issue type")
        shown = f"{spec.name} name '{name}'" if key is None else f"{spec.name} id '{key}'"
        raise ValueRefusedError(f"{shown} is not valid")
    return found["id"]


def _child(call: Call, spec: FieldSpec, value: Json, project: Row) -> Json:
    table = "component" if spec.kind == "components" else "version"
    key = value.get("id") if isinstance(value, dict) else None
    name = value.get("name") if isinstance(value, dict) else None
    column = "id" if key is not None else "name"
    row = call.store.row(
        f"SELECT id FROM {table} WHERE project=? AND {column}=?",  # noqa: S608 - words of ours
        project["id"],
        str(name) if key is None else str(key),
    )
    if row is None:
        shown = f"name '{name}'" if key is None else f"id '{key}'"
        raise ValueRefusedError(f"{table.capitalize()} {shown} is not valid")
    return row["id"]


def _parent(call: Call, _spec: FieldSpec, value: Json, project: Row) -> Json:
    key = value.get("key", value.get("id")) if isinstance(value, dict) else None
    row = call.store.row("SELECT id, project FROM issue WHERE key=? OR id=?", str(key), str(key))
    if row is None or row["project"] != project["id"]:
        raise ValueRefusedError("Could not find valid 'id' or 'key' for parent issue.")
    return row["id"]


def _request_type(call: Call, _spec: FieldSpec, value: Json, project: Row) -> Json:
    key = value.get("id") if isinstance(value, dict) else value
    row = call.store.row(
        "SELECT id FROM request_type WHERE project=? AND (id=? OR name=?)",
        project["id"],
        str(key),
        str(key),
    )
    if row is None:
        raise ValueRefusedError("The request type selected is not valid for this issue.")
    return row["id"]


def _tracking(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    if not isinstance(value, dict):
        raise ValueRefusedError("data was not an object")
    found: Row = {}
    for name in ("originalEstimate", "remainingEstimate"):
        if value.get(name) is not None:
            seconds = seconds_of(str(value[name]))
            if seconds is None:
                raise ValueRefusedError(f"{name} is invalid")
            found[name] = seconds
    return found


def _epic(call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    row = call.store.row("SELECT id, type, project FROM issue WHERE key=?", str(value).upper())
    seen = row is not None and call.may("BROWSE_PROJECTS", row["project"])
    if not seen or row is None or call.definition.types[row["type"]]["name"] != "Epic":
        raise ValueRefusedError(f"Issue '{value}' must be of type 'Epic'.")
    return row["id"]


def _sprint(call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    number = value if isinstance(value, int | str) and not isinstance(value, bool) else None
    row = call.store.row("SELECT * FROM sprint WHERE id=?", str(number))
    if row is None:
        raise ValueRefusedError("Number value expected as the Sprint id.")
    if row["state"] == "closed":
        raise ValueRefusedError("Issue can be assigned only active or future sprints.")
    return row["id"]


def _sprints(call: Call, spec: FieldSpec, value: Json, project: Row) -> Json:
    wanted = value if isinstance(value, list) else [value]
    return [_sprint(call, spec, one, project) for one in wanted]


def _as_it_is(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    return value


def _organisation(_call: Call, _spec: FieldSpec, value: Json, _project: Row) -> Json:
    raise ValueRefusedError(f"Organization with ID {value} does not exist.")


def _closed(_call: Call, spec: FieldSpec, _value: Json, _project: Row) -> Json:
    raise ValueRefusedError(
        f"Field '{spec.id}' cannot be set. It is not on the appropriate screen, or unknown."
    )


_READERS: Mapping[str, Callable[[Call, FieldSpec, Json, Row], Json]] = {
    "string": _string,
    "text": _rich,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "option": _option,
    "options": _listed(_option),
    "user": _user,
    "users": _listed(_plain_user),
    "groups": _listed(_group),
    "labels": _listed(_label),
    "priority": _stock,
    "resolution": _stock,
    "issuetype": _stock,
    "components": _listed(_child),
    "versions": _listed(_child),
    "parent": _parent,
    "requesttype": _request_type,
    "timetracking": _tracking,
    "epiclink": _epic,
    "sprints": _sprints,
    "organizations": _listed(_organisation),
    "any": _as_it_is,
    **dict.fromkeys(
        ("project", "status", "subtasks", "issuelinks", "comment", "worklog", "watches", "votes",
         "attachment", "seconds", "rank", "workratio", "progress", "approvals", "sla"), _closed
    ),
}  # fmt: skip
