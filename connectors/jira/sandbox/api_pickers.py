"""What a form asks while somebody types: project types, projects, users and groups, keys."""

import base64
import re
from http import HTTPStatus

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import Json, Row, as_int, not_found, platform_error

routes = Routes()
_KINDS = {
    "business": ("Business", "jira.project.type.business.description", "#1D8832"),
    "software": ("Software", "jira.project.type.software.description", "#F5A623"),
    "service_desk": ("Service Desk", "jira.project.type.servicedesk.description", "#67AB49"),
}
_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="8" fill="{}"/></svg>'
_KEY = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_SHOWN = 20


def _kind(call: Call, key: str) -> Row:
    if key not in _KINDS:
        raise not_found(f"Not found project type with key {key}.")
    name, described, color = _KINDS[key]
    bean: Row = {
        "key": key,
        "formattedKey": name,
        "descriptionI18nKey": described,
        "icon": base64.b64encode(_PICTURE.format(color).encode()).decode(),
        "color": color,
    }
    return bean if call.cloud else {**bean, "self": f"{call.api}/project/type/{key}"}


@routes.on("GET", "/project/type", anonymous=True)
def kinds(call: Call) -> Json:
    """Return the types that projects have."""
    return [_kind(call, one) for one in _KINDS]


@routes.on("GET", "/project/type/accessible", flavours=CLOUD_ONLY)
def licensed_kinds(call: Call) -> Json:
    """Return the types for which the site is licensed: all."""
    return [_kind(call, one) for one in _KINDS]


@routes.on("GET", "/project/type/{kind}", anonymous=True)
def kind(call: Call) -> Json:
    """Return one type of projects."""
    return _kind(call, call.path["kind"])


@routes.on("GET", "/project/type/{kind}/accessible")
def licensed_kind(call: Call) -> Json:
    """Return one type of projects, for which the site is licensed."""
    return _kind(call, call.path["kind"])


@routes.on("GET", "/projects/picker", anonymous=True, flavours=DATA_CENTER_ONLY)
def pick_project(call: Call) -> Json:
    """Return the projects whose key or name begins a word with what was typed."""
    text = call.query.get("query", "").casefold()
    found: list[Row] = []
    for row in call.store.rows("SELECT * FROM project ORDER BY name"):
        words = [row["key"], *str(row["name"]).split(), row["name"]]
        if not call.may("BROWSE_PROJECTS", row["id"]):
            continue
        if any(str(one).casefold().startswith(text) for one in words):
            found.append({"id": str(row["id"]), "key": row["key"], "name": row["name"],
                          "html": f"{row['name']} ({row['key']})"})  # fmt: skip
    limit = as_int(call.query.get("maxResults"), _SHOWN, name="maxResults")
    shown = found[:limit]
    header = f"Showing {len(shown)} of {len(found)} matching projects"
    return {"header": header, "total": len(found), "projects": shown}


@routes.on("GET", "/groupuserpicker")
def pick_anybody(call: Call) -> Json:
    """Return the users and the groups whose names fit what was typed."""
    text = call.query.get("query", "")
    limit = as_int(call.query.get("maxResults"), 50, name="maxResults")
    people = call.people.search(text) if text else []
    groups = [
        one for one in call.people.groups() if text and text.casefold() in one["name"].casefold()
    ]
    users: list[Json] = []
    for account in people[:limit]:
        bean = beans.user(call, account) or {}
        shown: Row = {"html": f"{account.display} - {account.email}"}
        for name in ("accountId", "name", "key", "displayName", "accountType"):
            if name in bean:
                shown[name] = bean[name]
        users.append(shown)
    named = [{"name": one["name"], "html": one["name"], "labels": []} for one in groups[:limit]]
    told = "Showing {} of {} matching "
    return {
        "users": {
            "users": users,
            "total": len(people),
            "header": told.format(len(users), len(people)) + "users",
        },
        "groups": {
            "groups": named,
            "total": len(groups),
            "header": told.format(len(named), len(groups)) + "groups",
        },
    }


# --- keys and names of projects


def _taken(call: Call, column: str, value: str) -> bool:
    found = call.store.value(
        f"SELECT 1 FROM project WHERE {column}=? COLLATE NOCASE",  # noqa: S608 - one of two words
        value,
    )
    return found is not None


@routes.on("GET", "/projectvalidate/key")
def validate_key(call: Call) -> Json:
    """Say what is wrong with a key for a new project; the answer is 200 all the same."""
    key = call.query.get("key", "")
    errors: dict[str, str] = {}
    if not key:
        errors["projectKey"] = "You must specify a unique project key."
    elif not _KEY.fullmatch(key):
        errors["projectKey"] = (
            "Project keys must start with an uppercase letter, followed by one or more uppercase"
            " alphanumeric characters."
        )
    elif _taken(call, "key", key):
        errors["projectKey"] = f"Project '{key}' uses this project key."
    return {"errorMessages": [], "errors": errors}


@routes.on("GET", "/projectvalidate/validProjectKey", flavours=CLOUD_ONLY)
def valid_key(call: Call) -> Json:
    """Return a key that a new project can have, made from the given one."""
    letters = re.sub(r"[^A-Z0-9]", "", call.query.get("key", "").upper()).lstrip("0123456789")
    base = (letters or "PROJ")[:8]
    tries = [base if len(base) > 1 else f"{base}P", *(f"{base}{number}" for number in range(2, 99))]
    return _first_free(call, "key", tries)


@routes.on("GET", "/projectvalidate/validProjectName", flavours=CLOUD_ONLY)
def valid_name(call: Call) -> Json:
    """Return a name that a new project can have, made from the given one."""
    name = call.query.get("name", "").strip()
    if not name:
        raise platform_error(HTTPStatus.BAD_REQUEST, "A name is required.")
    return _first_free(call, "name", [name, *(f"{name} {number}" for number in range(2, 99))])


def _first_free(call: Call, column: str, tries: list[str]) -> str:
    found = next((one for one in tries if not _taken(call, column, one)), None)
    if found is None:
        raise not_found("No free project key or name was found.")
    return found
