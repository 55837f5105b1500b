"""What somebody may do in several projects at once (Cloud)."""

from connectors.jira.sandbox.people import GLOBAL_PERMISSIONS, Account
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import Json, Row, bad_request, forbidden

routes = Routes()


def _known(call: Call, names: Json) -> list[str]:
    """Return the project permissions of a list, or answer 400 where one is unknown."""
    known = {one for held in call.definition.permissions.values() for one in held}
    found = [str(one) for one in names] if isinstance(names, list) else []
    for one in found:
        if one not in known:
            raise bad_request(f"Unrecognized permission: {one}")
    return found


def _whose(call: Call, body: Row) -> Account:
    key = body.get("accountId")
    if key is None or key == call.user.id:
        return call.user
    if not call.people.is_admin(call.user):
        raise forbidden("Only administrators may check the permissions of others.")
    found = call.people.by_id(str(key))
    if found is None:
        raise bad_request("The account does not exist.")
    return found


@routes.on("POST", "/permissions/check", flavours=CLOUD_ONLY)
def check(call: Call) -> Json:
    """Return which of the asked permissions somebody has, and where."""
    body = call.json()
    who = _whose(call, body)
    globally = [str(one) for one in body.get("globalPermissions") or []]
    for one in globally:
        if one not in GLOBAL_PERMISSIONS:
            raise bad_request(f"Unrecognized permission: {one}")
    granted = [one for one in globally if call.people.may_globally(who, one)]
    found: list[Row] = []
    asked = body.get("projectPermissions") or []
    for one in asked if isinstance(asked, list) else []:
        for name in _known(call, one.get("permissions") if isinstance(one, dict) else None):
            found.append(_grant(call, who, name, one))  # noqa: PERF401 - two loops read better
    return {"globalPermissions": granted, "projectPermissions": found}


def _grant(call: Call, who: Account, name: str, asked: Row) -> Row:
    held = {*call.people.projects_with(who, name)}
    projects = [one for one in asked.get("projects") or [] if one in held]
    seen: list[Json] = []
    for number in asked.get("issues") or []:
        project = call.store.value("SELECT project FROM issue WHERE id=?", str(number))
        if project in held:
            seen.append(number)
    return {"permission": name, "projects": projects, "issues": seen}


@routes.on("POST", "/permissions/project", flavours=CLOUD_ONLY)
def permitted(call: Call) -> Json:
    """Return the projects in which the caller has all of the named permissions."""
    names = _known(call, call.json().get("permissions"))
    rows = call.store.rows("SELECT id, key FROM project ORDER BY id")
    return {
        "projects": [
            {"id": row["id"], "key": row["key"]}
            for row in rows
            if all(call.may(one, row["id"]) for one in names)
        ]
    }
