"""One property on many issues, and whether one watches them (Cloud)."""

from http import HTTPStatus

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.properties import write_property
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, not_found

routes = Routes()
_MOST = 10_000


def _chosen(call: Call, body: Row) -> list[Row]:
    """Return the issues that a filter chooses and the caller may edit."""
    chosen = body.get("filter")
    wanted = chosen.get("entityIds") if isinstance(chosen, dict) else None
    if not isinstance(wanted, list) or len(wanted) > _MOST:
        raise bad_request("The filter must hold the ids of issues.")
    found = [issues.find(call, str(one)) for one in wanted]
    return [one for one in found if one is not None and call.may("EDIT_ISSUES", one["project"])]


def _task(call: Call, description: str, count: int) -> Reply:
    """Answer as the vendor does: with the address of a task, which is done already."""
    number = call.store.counter("task", 10000)
    now = call.site.now()
    task = {
        "self": f"{call.api}/task/{number}",
        "id": str(number),
        "description": description,
        "status": "COMPLETE",
        "result": {"updated": count},
        "submittedBy": 0,
        "progress": 100,
        "elapsedRuntime": 0,
        "submitted": now,
        "started": now,
        "finished": now,
        "lastUpdate": now,
    }
    call.store.run("INSERT INTO site VALUES (?, ?)", f"task.{number}", dumps(task))
    return Reply(status=HTTPStatus.SEE_OTHER, headers={"Location": str(task["self"])})


@routes.on("PUT", "/issue/properties/{property}", flavours=CLOUD_ONLY)
def set_many(call: Call) -> Json:
    """Set one property on the issues of a filter."""
    body = call.json()
    found = _chosen(call, body)
    for one in found:
        write_property(call, one, call.path["property"], body.get("value"))
    return _task(call, "Bulk set issue property", len(found))


@routes.on("DELETE", "/issue/properties/{property}", flavours=CLOUD_ONLY)
def drop_many(call: Call) -> Json:
    """Remove one property from issues: those of a list, or all that have it."""
    body = call.body if isinstance(call.body, dict) else {}
    key = call.path["property"]
    rows = call.store.rows("SELECT issue FROM property WHERE key=?", key)
    held = {row["issue"] for row in rows}
    wanted = body.get("entityIds")
    ids = [one for one in wanted if one in held] if isinstance(wanted, list) else sorted(held)
    found = _chosen(call, {"filter": {"entityIds": ids}})
    for one in found:
        call.store.run("DELETE FROM property WHERE issue=? AND key=?", one["id"], key)
    return _task(call, "Bulk delete issue property", len(found))


@routes.on("GET", "/task/{id}", flavours=CLOUD_ONLY)
def task(call: Call) -> Json:
    """Return one task."""
    name = f"task.{call.path['id']}"
    held = call.store.value("SELECT value FROM site WHERE name=?", name)
    if held is None:
        raise not_found("The task was not found.")
    return loads(held)


@routes.on("POST", "/issue/watching", flavours=CLOUD_ONLY)
def watching(call: Call) -> Json:
    """Say of each issue whether the caller watches it."""
    wanted = call.json().get("issueIds")
    if not isinstance(wanted, list) or len(wanted) > _MOST:
        raise bad_request("issueIds must hold the ids of issues.")
    rows = call.store.rows("SELECT issue FROM watcher WHERE account=?", call.user.id)
    held = {str(row["issue"]) for row in rows}
    return {"issuesIsWatching": {str(one): str(one) in held for one in wanted}}
