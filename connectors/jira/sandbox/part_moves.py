"""Taking components and versions away: what becomes of the issues that name them."""

from http import HTTPStatus

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, forbidden, not_found

routes = Routes()
_FIELDS = {"component": ("components",), "version": ("fixVersions", "versions")}


def part(call: Call, table: str, number: str) -> Row:
    """Return a component or version of a project that the caller may browse.

    Raises:
        ApiError: 404, in the words for which the vendor's own Java client waits.
    """
    row = call.store.row(
        f"SELECT * FROM {table} WHERE id=?",  # noqa: S608 - a word of ours
        number,
    )
    if row is None or not call.may("BROWSE_PROJECTS", row["project"]):
        raise not_found(
            f"Could not find version for id '{number}'"
            if table == "version"
            else f"The component with id {number} does not exist."
        )
    return row


def owned_part(call: Call, table: str, number: str) -> Row:
    """Return a component or version that the caller may change, or answer 403 or 404."""
    row = part(call, table, number)
    if not call.may("ADMINISTER_PROJECTS", row["project"]):
        raise forbidden("You do not have permission to administer this project.")
    return row


def drop(call: Call, table: str, row: Row, into: dict[str, int | None]) -> Json:
    """Remove a component or version; issues that name it name another one, or none."""
    for name in _FIELDS[table]:
        _replace(call, row, name, into.get(name))
    call.store.run(
        f"DELETE FROM {table} WHERE id=?",  # noqa: S608 - a word of ours
        row["id"],
    )
    return Reply(status=HTTPStatus.NO_CONTENT)


def _replace(call: Call, row: Row, name: str, into: int | None) -> None:
    holding = call.store.rows(
        "SELECT key FROM issue WHERE project=? AND instr(fields, ?) > 0",
        row["project"],
        f'"{name}"',
    )
    for one in holding:
        issue = issues.find(call, one["key"])
        held: list[int] = (kept(issue, name) or []) if issue is not None else []
        if issue is None or row["id"] not in held:
            continue
        swapped = [into if number == row["id"] else number for number in held]
        left = [number for number in dict.fromkeys(swapped) if number is not None]
        issues.change(call, issue, {name: left})


def _target(call: Call, row: Row, value: Json, what: str) -> int | None:
    """Return the version that takes the issues over."""
    if value in (None, ""):
        return None
    found = call.store.row(
        "SELECT id FROM version WHERE id=? AND project=?", str(value), row["project"]
    )
    if found is None:
        raise bad_request(f"The {what} version with id {value} does not exist.")
    if found["id"] == row["id"]:
        raise bad_request("You cannot move the issues to the version being deleted.")
    return int(found["id"])


def _swap(call: Call, row: Row, asked: Row) -> Json:
    affected = _target(call, row, asked.get("moveAffectedIssuesTo"), "affects")
    fixed = _target(call, row, asked.get("moveFixIssuesTo"), "fix")
    return drop(call, "version", row, {"fixVersions": fixed, "versions": affected})


@routes.on("DELETE", "/version/{id}")
def delete_version(call: Call) -> Json:
    """Remove a version; parameters name the versions that its issues get."""
    return _swap(call, owned_part(call, "version", call.path["id"]), dict(call.query))


@routes.on("POST", "/version/{id}/removeAndSwap")
def remove_and_swap(call: Call) -> Json:
    """Remove a version; the body names the versions that its issues get."""
    return _swap(call, owned_part(call, "version", call.path["id"]), call.json())


@routes.on("PUT", "/version/{id}/mergeto/{into}")
def merge(call: Call) -> Json:
    """Give the issues of a version to another one, and remove it."""
    row = owned_part(call, "version", call.path["id"])
    target = owned_part(call, "version", call.path["into"])
    asked = {"moveFixIssuesTo": target["id"], "moveAffectedIssuesTo": target["id"]}
    return _swap(call, row, asked)


@routes.on("DELETE", "/component/{id}")
def delete_component(call: Call) -> Json:
    """Remove a component; `moveIssuesTo` names the one that its issues get."""
    row = owned_part(call, "component", call.path["id"])
    asked = call.query.get("moveIssuesTo")
    into = part(call, "component", asked)["id"] if asked else None
    return drop(call, "component", row, {"components": into})
