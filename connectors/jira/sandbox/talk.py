"""What people add to an issue, as its fields show it: comments, worklogs, watches, files."""

from connectors.jira.sandbox import beans, text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.durations import duration_of
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row, stamp

_COMMENTS_SHOWN = 5000
_WORKLOGS_SHOWN = 20


def comment(call: Call, row: Row, *, rendered: bool = False) -> Row:
    """Return a comment as the platform API shows it."""
    body = loads(row["body"])
    bean: Row = {
        "self": f"{call.api}/issue/{row['issue']}/comment/{row['id']}",
        "id": str(row["id"]),
        "author": beans.user_of(call, row["author"]),
        "body": text.show(body, document=call.document) or "",
        "updateAuthor": beans.user_of(call, row["editor"]),
        "created": stamp(row["created"], call.zone),
        "updated": stamp(row["updated"], call.zone),
    }
    if rendered:
        bean["renderedBody"] = text.html_of(body)
    if row["visibility"]:
        bean["visibility"] = loads(row["visibility"])
    if call.cloud:
        bean["jsdPublic"] = not row["internal"]
    if call.query.get("expand") and "properties" in call.words("expand"):
        held = loads(row["properties"])
        bean["properties"] = [{"key": key, "value": one} for key, one in held.items()]
    return bean


def comments_of(call: Call, row: Row) -> list[Row]:
    """Return the rows of the comments that the caller may read, oldest first."""
    rows = call.store.rows("SELECT * FROM comment WHERE issue=? ORDER BY id", row["id"])
    if not rows:
        return rows
    agent = call.may("BROWSE_PROJECTS", row["project"])
    return [
        one
        for one in rows
        if (agent or not one["internal"]) and _among(call, row["project"], one["visibility"])
    ]


def _among(call: Call, project: int, visibility: str | None) -> bool:
    """Say whether the caller is among those to whom a comment is restricted."""
    held = loads(visibility)
    if held is None or call.caller is None:
        return held is None
    name = str(held.get("value") or held.get("identifier"))
    if held["type"] == "role":
        return name in call.people.roles_in(call.caller, project)
    group = call.people.group(name)
    return group is not None and call.people.is_in(call.caller, (group["name"],))


def _up_to(issue: Row, rows: list[Row]) -> list[Row]:
    """Leave out what is younger than the version of the issue that the index shows."""
    at = issue.get("as_of")
    return rows if at is None else [row for row in rows if row["created"] < at]


def comments(call: Call, _spec: FieldSpec, row: Row) -> Json:
    """Return the field `comments` of an issue."""
    rows = _up_to(row, comments_of(call, row))
    bean: Row = {
        "comments": [comment(call, one) for one in rows[:_COMMENTS_SHOWN]],
        "maxResults": len(rows),
        "total": len(rows),
        "startAt": 0,
    }
    if call.cloud:
        bean["self"] = f"{call.api}/issue/{row['id']}/comment"
    return bean


def worklog(call: Call, row: Row) -> Row:
    """Return a worklog."""
    bean: Row = {
        "self": f"{call.api}/issue/{row['issue']}/worklog/{row['id']}",
        "author": beans.user_of(call, row["author"]),
        "updateAuthor": beans.user_of(call, row["editor"]),
        "created": stamp(row["created"], call.zone),
        "updated": stamp(row["updated"], call.zone),
        "started": stamp(row["started"], call.zone),
        "timeSpent": duration_of(row["seconds"]),
        "timeSpentSeconds": row["seconds"],
        "id": str(row["id"]),
        "issueId": str(row["issue"]),
    }
    limit = call.store.value("SELECT visibility FROM worklog_limit WHERE worklog=?", row["id"])
    if limit is not None:
        bean["visibility"] = loads(limit)
    shown = text.show(loads(row["body"]), document=call.document)
    if shown is not None or not call.document:
        bean["comment"] = shown or ""
    return bean


def worklogs_of(call: Call, row: Row) -> list[Row]:
    """Return the rows of the worklogs that the caller may read, oldest first."""
    rows = call.store.rows(
        "SELECT w.*, l.visibility FROM worklog w LEFT JOIN worklog_limit l ON l.worklog=w.id"
        " WHERE w.issue=? ORDER BY w.id",
        row["id"],
    )
    return [one for one in rows if _among(call, row["project"], one.pop("visibility"))]


def worklogs(call: Call, _spec: FieldSpec, row: Row) -> Json:
    """Return the field `worklogs` of an issue."""
    rows = _up_to(row, worklogs_of(call, row))
    return {
        "startAt": 0,
        "maxResults": _WORKLOGS_SHOWN,
        "total": len(rows),
        "worklogs": [worklog(call, one) for one in rows[:_WORKLOGS_SHOWN]],
    }


def watches(call: Call, _spec: FieldSpec, row: Row) -> Json:
    """Return the field `watches` of an issue."""
    rows = call.store.rows("SELECT account FROM watcher WHERE issue=?", row["id"])
    me = "" if call.caller is None else call.caller.id
    return {
        "self": f"{call.api}/issue/{row['key']}/watchers",
        "watchCount": len(rows),
        "isWatching": any(one["account"] == me for one in rows),
    }


def votes(call: Call, _spec: FieldSpec, row: Row) -> Json:
    """Return the field `votes` of an issue."""
    rows = call.store.rows("SELECT account FROM vote WHERE issue=?", row["id"])
    me = "" if call.caller is None else call.caller.id
    return {
        "self": f"{call.api}/issue/{row['key']}/votes",
        "votes": len(rows),
        "hasVoted": any(one["account"] == me for one in rows),
    }


def attachment(call: Call, row: Row) -> Row:
    """Return an attachment."""
    return {
        "self": f"{call.api}/attachment/{row['id']}",
        "id": str(row["id"]),
        "filename": row["filename"],
        "author": beans.user_of(call, row["author"]),
        "created": stamp(row["created"], call.zone),
        "size": row["size"],
        "mimeType": row["media"],
        "content": f"{call.api}/attachment/content/{row['id']}",
    }


def attachments(call: Call, _spec: FieldSpec, row: Row) -> Json:
    """Return the field `attachments` of an issue."""
    rows = call.store.rows(
        "SELECT id, author, created, filename, media, length(content) AS size"
        " FROM attachment WHERE issue=? ORDER BY id",
        row["id"],
    )
    return [attachment(call, one) for one in rows]
