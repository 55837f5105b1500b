"""Comments and worklogs of the platform API."""

from http import HTTPStatus

from connectors.jira.sandbox import index, issues, talk, text
from connectors.jira.sandbox.comment_forms import comment_body, comment_properties, visibility
from connectors.jira.sandbox.durations import seconds_of
from connectors.jira.sandbox.editing import write_worklog
from connectors.jira.sandbox.estimates import adjust
from connectors.jira.sandbox.reading import ValueRefusedError
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    field_errors,
    forbidden,
    not_found,
    parse_stamp,
    sliced,
)

routes = Routes()


def _page(call: Call, name: str, rows: list[Json]) -> Row:
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = as_int(call.query.get("maxResults"), 5000, name="maxResults")
    limit = min(limit, 5000)
    return {
        "startAt": start,
        "maxResults": limit,
        "total": len(rows),
        name: sliced(rows, start, limit),
    }


@routes.on("GET", "/issue/{key}/comment", anonymous=True)
def list_comments(call: Call) -> Json:
    """Return a page of the comments, oldest first unless `orderBy` turns them."""
    issue = issues.visible(call, call.path["key"])
    rows = talk.comments_of(call, issue)
    order = call.query.get("orderBy", "created")
    if order not in {"created", "+created", "-created"}:
        raise bad_request(f"The value '{order}' is not valid for orderBy.")
    if order == "-created":
        rows.reverse()
    rendered = "renderedBody" in call.words("expand")
    page = _page(call, "comments", list(rows))
    page["comments"] = [talk.comment(call, one, rendered=rendered) for one in page["comments"]]
    return page


@routes.on("POST", "/issue/{key}/comment")
def post_comment(call: Call) -> Json:
    """Add a comment; in a service project it is public unless a property says internal."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("ADD_COMMENTS", issue["project"]):
        raise forbidden("You do not have the permission to comment on this issue.")
    body = call.json()
    internal, properties = comment_properties(body)
    agent = call.may("SERVICEDESK_AGENT", issue["project"])
    if issue["request_type"] is not None and not agent:
        internal = True
    row = issues.add_comment(
        call,
        issue,
        _body(call, body),
        internal=internal,
        properties=properties,
        visibility=_visibility(call, issue, body),
    )
    return Reply(status=HTTPStatus.CREATED, body=talk.comment(call, row))


def _body(call: Call, body: Row) -> Row:
    try:
        return comment_body(call, body)
    except ValueRefusedError as error:
        raise field_errors({"comment": error.reason}) from error


def _visibility(call: Call, issue: Row, body: Row) -> Row | None:
    try:
        return visibility(call, issue["project"], body.get("visibility"))
    except ValueRefusedError as error:
        raise field_errors({"commentLevel": error.reason}) from error


def _comment(call: Call) -> tuple[Row, Row]:
    issue = issues.visible(call, call.path["key"])
    number = call.path["id"]
    row = next((one for one in talk.comments_of(call, issue) if str(one["id"]) == number), None)
    if row is None:
        raise not_found(f"Can not find a comment for the id: {number}.")
    return issue, row


@routes.on("GET", "/issue/{key}/comment/{id}", anonymous=True)
def get_comment(call: Call) -> Json:
    """Return one comment."""
    _, row = _comment(call)
    return talk.comment(call, row, rendered="renderedBody" in call.words("expand"))


def _may_touch(call: Call, issue: Row, row: Row, verb: str, noun: str) -> None:
    own = call.caller is not None and row["author"] == call.caller.id
    wanted = f"{verb}_OWN_{noun}" if own else f"{verb}_ALL_{noun}"
    if not call.may(wanted, issue["project"]) and not call.may(
        f"{verb}_ALL_{noun}", issue["project"]
    ):
        raise (bad_request if call.cloud else forbidden)(
            f"You do not have permission to {verb.lower()} {noun.lower()[:-1]}"
            f" with id: {row['id']}."
        )


@routes.on("PUT", "/issue/{key}/comment/{id}")
def put_comment(call: Call) -> Json:
    """Change the text or the properties of a comment."""
    issue, row = _comment(call)
    _may_touch(call, issue, row, "EDIT", "COMMENTS")
    body = call.json()
    changed: Row = {
        "body": dumps(_body(call, body)),
        "editor": call.user.id,
        "updated": call.stamp(),
    }
    if "visibility" in body:
        limit = _visibility(call, issue, body)
        changed["visibility"] = None if limit is None else dumps(limit)
    if body.get("properties"):
        internal, properties = comment_properties(body)
        changed |= {"internal": int(internal), "properties": dumps(properties)}
    call.store.update("comment", row["id"], changed)
    issues.touch(call, issue)
    return talk.comment(call, {**row, **changed})


@routes.on("DELETE", "/issue/{key}/comment/{id}")
def delete_comment(call: Call) -> Json:
    """Remove a comment."""
    issue, row = _comment(call)
    _may_touch(call, issue, row, "DELETE", "COMMENTS")
    call.store.run("DELETE FROM comment WHERE id=?", row["id"])
    issues.touch(call, issue)
    index.mark(call, issue["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- worklogs


@routes.on("GET", "/issue/{key}/worklog", anonymous=True)
def list_worklogs(call: Call) -> Json:
    """Return a page of the worklogs."""
    issue = issues.visible(call, call.path["key"])
    page = _page(call, "worklogs", list(talk.worklogs_of(call, issue)))
    page["worklogs"] = [talk.worklog(call, one) for one in page["worklogs"]]
    return page


def _work(call: Call, body: Row, *, required: bool) -> Row:
    seconds: Json = body.get("timeSpentSeconds")
    if seconds is None and isinstance(body.get("timeSpent"), str):
        seconds = seconds_of(body["timeSpent"])
    bad = isinstance(seconds, bool) or not isinstance(seconds, int) or seconds <= 0
    if bad and (required or seconds is not None or "timeSpent" in body):
        raise field_errors({"timeLogged": "Invalid time duration entered."})
    started = None
    if body.get("started") is not None:
        started = parse_stamp(str(body["started"]))
        if started is None:
            raise field_errors({"started": f"Error parsing time: {body['started']}"})
    try:
        text.read(body.get("comment"), document=call.document)
    except text.TextRefusedError as error:
        raise field_errors({"comment": error.reason}) from error
    return {"seconds": seconds, "started": started, "comment": body.get("comment")}


@routes.on("POST", "/issue/{key}/worklog")
def post_worklog(call: Call) -> Json:
    """Log work."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("WORK_ON_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to associate a worklog to this issue.")
    body = call.json()
    work = _work(call, body, required=True) | {"visibility": _visibility(call, issue, body)}
    row = write_worklog(call, issue, work)
    adjust(call, issue, row["seconds"])
    return Reply(status=HTTPStatus.CREATED, body=talk.worklog(call, row))


def _worklog(call: Call) -> tuple[Row, Row]:
    issue = issues.visible(call, call.path["key"])
    number = call.path["id"]
    row = next((one for one in talk.worklogs_of(call, issue) if str(one["id"]) == number), None)
    if row is None:
        raise not_found(f"Cannot find worklog with id: '{number}'.")
    return issue, row


@routes.on("GET", "/issue/{key}/worklog/{id}", anonymous=True)
def get_worklog(call: Call) -> Json:
    """Return one worklog."""
    return talk.worklog(call, _worklog(call)[1])


@routes.on("PUT", "/issue/{key}/worklog/{id}")
def put_worklog(call: Call) -> Json:
    """Change a worklog."""
    issue, row = _worklog(call)
    _may_touch(call, issue, row, "EDIT", "WORKLOGS")
    body = call.json()
    asked = _work(call, body, required=False)
    changed: Row = {"editor": call.user.id, "updated": call.stamp()}
    if asked["seconds"] is not None:
        changed["seconds"] = asked["seconds"]
    if asked["started"] is not None:
        changed["started"] = asked["started"]
    if "comment" in body:
        changed["body"] = dumps(text.read(asked["comment"], document=call.document))
    call.store.update("worklog", row["id"], changed)
    adjust(call, issue, changed.get("seconds", row["seconds"]) - row["seconds"])
    issues.touch(call, issue)
    return talk.worklog(call, {**row, **changed})


@routes.on("DELETE", "/issue/{key}/worklog/{id}")
def delete_worklog(call: Call) -> Json:
    """Remove a worklog."""
    issue, row = _worklog(call)
    _may_touch(call, issue, row, "DELETE", "WORKLOGS")
    call.store.run("DELETE FROM worklog WHERE id=?", row["id"])
    call.store.run("DELETE FROM worklog_limit WHERE worklog=?", row["id"])
    call.store.run("INSERT INTO worklog_gone VALUES (?, ?)", row["id"], call.stamp())
    adjust(call, issue, -row["seconds"])
    issues.touch(call, issue)
    return Reply(status=HTTPStatus.NO_CONTENT)
