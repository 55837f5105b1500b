"""Comments and worklogs by their own ids: properties, lists, and what changed since a moment."""

from http import HTTPStatus

from connectors.jira.sandbox import issues, talk
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
)

routes = Routes()
_MOST = 1000


# --- properties of comments


def _comment(call: Call) -> tuple[Row, Row]:
    number = call.path["comment"]
    row = call.store.row("SELECT * FROM comment WHERE id=?", number)
    if row is not None:
        issue = issues.visible(call, str(row["issue"]))
        for one in talk.comments_of(call, issue):
            if one["id"] == row["id"]:
                return issue, one
    raise not_found(f"Can not find a comment for the id: {number}.")


@routes.on("GET", "/comment/{comment}/properties", anonymous=True)
def comment_keys(call: Call) -> Json:
    """Return the keys of the properties of a comment."""
    _issue, row = _comment(call)
    where = f"{call.api}/comment/{row['id']}/properties"
    held = loads(row["properties"])
    return {"keys": [{"self": f"{where}/{one}", "key": one} for one in held]}


@routes.on("GET", "/comment/{comment}/properties/{property}", anonymous=True)
def comment_property(call: Call) -> Json:
    """Return one property of a comment."""
    _issue, row = _comment(call)
    held, key = loads(row["properties"]), call.path["property"]
    if key not in held:
        raise not_found(f"The property with key '{key}' does not exist.")
    return {"key": key, "value": held[key]}


def _may_edit(call: Call, issue: Row, row: Row) -> None:
    own = row["author"] == call.user.id and call.may("EDIT_OWN_COMMENTS", issue["project"])
    if not own and not call.may("EDIT_ALL_COMMENTS", issue["project"]):
        raise forbidden("You do not have permission to edit this comment.")


@routes.on("PUT", "/comment/{comment}/properties/{property}")
def put_comment_property(call: Call) -> Json:
    """Set one property of a comment: 201 where it is new, 200 where it was there."""
    issue, row = _comment(call)
    _may_edit(call, issue, row)
    if call.broken or call.body is None:
        raise bad_request("The value you provided is not a valid JSON.")
    held, key = loads(row["properties"]), call.path["property"]
    new = key not in held
    held[key] = call.body
    _written(call, row, held)
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    return Reply(status=status, body={} if call.cloud else None)


@routes.on("DELETE", "/comment/{comment}/properties/{property}")
def delete_comment_property(call: Call) -> Json:
    """Remove one property of a comment."""
    issue, row = _comment(call)
    _may_edit(call, issue, row)
    held, key = loads(row["properties"]), call.path["property"]
    if key not in held:
        raise not_found(f"The property with key '{key}' does not exist.")
    del held[key]
    _written(call, row, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


def _written(call: Call, row: Row, held: Row) -> None:
    """Write the properties of a comment; the service desk's own says who may read it."""
    changed: Row = {"properties": dumps(held)}
    public = held.get("sd.public.comment")
    if isinstance(public, dict):
        changed["internal"] = int(bool(public.get("internal")))
    call.store.update("comment", row["id"], changed)


@routes.on("POST", "/comment/list", anonymous=True, flavours=CLOUD_ONLY)
def comments_by_id(call: Call) -> Json:
    """Return the comments with these ids that the caller may read."""
    wanted = _ids(call)
    found: list[Row] = []
    for number in wanted:
        row = call.store.row("SELECT * FROM comment WHERE id=?", number)
        issue = None if row is None else issues.find(call, str(row["issue"]))
        if issue is None or not call.may("BROWSE_PROJECTS", issue["project"]):
            continue
        found += [
            talk.comment(call, one) for one in talk.comments_of(call, issue) if one["id"] == number
        ]
    return {
        "self": f"{call.api}/comment/list",
        "maxResults": _MOST,
        "startAt": 0,
        "total": len(found),
        "isLast": True,
        "values": found,
    }


def _ids(call: Call) -> list[int]:
    wanted = call.json().get("ids")
    if not isinstance(wanted, list) or len(wanted) > _MOST:
        raise bad_request(f"'ids' must hold at most {_MOST} numbers.")
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in wanted):
        raise bad_request("'ids' must hold numbers.")
    return list(wanted)


# --- worklogs


@routes.on("POST", "/worklog/list")
def worklogs_by_id(call: Call) -> Json:
    """Return the worklogs with these ids that the caller may read."""
    found: list[Row] = []
    for number in _ids(call):
        row = call.store.row("SELECT * FROM worklog WHERE id=?", number)
        if row is None:
            continue
        try:
            issue = issues.visible(call, str(row["issue"]))
        except ApiError:
            continue  # of an issue that is not for the caller's eyes: left out, as the vendor does
        if any(one["id"] == row["id"] for one in talk.worklogs_of(call, issue)):
            found.append(talk.worklog(call, row))
    return found


def _since(call: Call, path: str, rows: list[Row]) -> Row:
    start = as_int(call.query.get("since"), 0, name="since")
    found = [row for row in rows if row["at"] > start]
    part = found[:_MOST]
    until = part[-1]["at"] if part else start
    bean: Row = {
        "values": [
            {"worklogId": row["id"], "updatedTime": row["at"], "properties": []} for row in part
        ],
        "since": start,
        "until": until,
        "self": f"{call.api}/worklog/{path}?since={start}",
        "lastPage": len(part) == len(found),
    }
    if not bean["lastPage"]:
        bean["nextPage"] = f"{call.api}/worklog/{path}?since={until}"
    return bean


@routes.on("GET", "/worklog/updated")
def updated_worklogs(call: Call) -> Json:
    """Return the ids of the worklogs that changed since a moment."""
    call.user  # noqa: B018 - raises 401 for an anonymous caller
    rows = call.store.rows("SELECT id, updated AS at FROM worklog ORDER BY updated, id")
    return _since(call, "updated", rows)


@routes.on("GET", "/worklog/deleted")
def deleted_worklogs(call: Call) -> Json:
    """Return the ids of the worklogs that were removed since a moment."""
    call.user  # noqa: B018 - raises 401 for an anonymous caller
    rows = call.store.rows("SELECT id, at FROM worklog_gone ORDER BY at, id")
    return _since(call, "deleted", rows)
