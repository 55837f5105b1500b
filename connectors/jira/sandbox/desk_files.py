"""Service Management: files wait at a service desk, then come to a request with a comment."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, issues
from connectors.jira.sandbox.attachments import keep, sent_files
from connectors.jira.sandbox.desk import (
    body_object,
    comment,
    comment_text,
    desk_of,
    is_agent,
    number_of,
    page,
    readable_comments,
    request,
)
from connectors.jira.sandbox.desk_approvals import opted_in
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, Row, desk_date, desk_error, desk_page

routes = Routes(prefix="/rest/servicedeskapi")
_KILO = 1024


@routes.on("POST", "/servicedesk/{desk}/attachTemporaryFile")
def wait(call: Call) -> Json:
    """Keep files until a request takes them."""
    opted_in(call)
    desk = call.store.row("SELECT * FROM desk WHERE id=?", number_of(call.path["desk"]))
    if desk is None or not call.people.roles_in(call.user, desk["project"]):
        raise desk_error(
            HTTPStatus.NOT_FOUND, "The Service Desk could not be found.", "sd.desk.not.found"
        )
    files = sent_files(call)
    if not files:
        raise desk_error(HTTPStatus.BAD_REQUEST, "No files were sent.", "sd.attachment.none")
    found: list[Json] = []
    for name, media, content in files:
        number = f"temp{call.store.counter('waiting_file', 8186986881700442000)}"
        call.store.insert(
            "waiting_file",
            {
                "id": number,
                "desk": desk["id"],
                "account": call.user.id,
                "filename": name,
                "media": media,
                "content": content,
            },
        )
        found.append({"temporaryAttachmentId": number, "fileName": name})
    return Reply(status=HTTPStatus.CREATED, body={"temporaryAttachments": found})


@routes.on("POST", "/request/{key}/attachment")
def attach(call: Call) -> Json:
    """Comment on a request with files that wait at its service desk."""
    opted_in(call)
    issue = request(call, call.path["key"])
    body = body_object(call)
    public = body.get("public", True)
    if not isinstance(public, bool):
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "'public' must be true or false.", "sd.attachment.public"
        )
    if not public and not is_agent(call, issue["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You cannot add internal attachments.", "sd.attachment.internal"
        )
    files = _waiting(call, issue, body.get("temporaryAttachmentIds"))
    extra = body.get("additionalComment")
    said = str(extra.get("body") or "") if isinstance(extra, dict) else ""
    kept = [keep(call, issue, (one["filename"], one["media"], one["content"])) for one in files]
    words = " ".join([*([said] if said else []), *(_mark(one) for one in files)])
    row = issues.add_comment(call, issue, comment_text({"body": words}), internal=not public)
    for number, one in zip(kept, files, strict=True):
        call.store.run("INSERT INTO file_talk VALUES (?, ?)", number, row["id"])
        call.store.run("DELETE FROM waiting_file WHERE id=?", one["id"])
    shown = [_bean(call, issue, one) for one in _files(call, issue) if one["id"] in kept]
    path = f"/request/{issue['id']}/comment/{row['id']}/attachment"
    made = {
        "comment": comment(call, row),
        "attachments": desk_page(list(shown), 0, 50, call.site.url, path),
    }
    return Reply(status=HTTPStatus.CREATED, body=made)


def _waiting(call: Call, issue: Row, asked: Json) -> list[Row]:
    if not isinstance(asked, list) or not asked:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "temporaryAttachmentIds is required.", "sd.attachment.none"
        )
    found: list[Row] = []
    for one in asked:
        row = call.store.row(
            "SELECT *, length(content) AS size FROM waiting_file"
            " WHERE id=? AND desk=? AND account=?",
            str(one),
            desk_of(call, issue["project"]),
            call.user.id,
        )
        if row is None:
            raise desk_error(
                HTTPStatus.BAD_REQUEST,
                f"The temporary attachment with id '{one}' could not be found.",
                "sd.attachment.temporary.missing",
            )
        found.append(row)
    return found


def _mark(row: Row) -> str:
    """Return the markup by which a comment shows a file."""
    if str(row["media"]).startswith("image/"):
        return f"!{row['filename']}|thumbnail!"
    return f"[^{row['filename']}] _({max(1, row['size'] // _KILO)} kB)_"


# --- reading


def _files(call: Call, issue: Row) -> list[Row]:
    """Return the files of a request that the caller may see, newest first.

    A customer sees what came with a comment that customers read, or from no agent.
    """
    rows = call.store.rows(
        "SELECT a.id, a.author, a.created, a.filename, a.media, length(a.content) AS size,"
        " t.comment FROM attachment a LEFT JOIN file_talk t ON t.attachment=a.id"
        " WHERE a.issue=? ORDER BY a.id DESC",
        issue["id"],
    )
    if is_agent(call, issue["project"]):
        return rows
    read = {one["id"] for one in readable_comments(call, issue)}
    return [
        one
        for one in rows
        if (one["comment"] in read if one["comment"] else not _of_agent(call, issue, one))
    ]


def _of_agent(call: Call, issue: Row, row: Row) -> bool:
    author = call.people.by_id(str(row["author"]))
    return author is not None and call.people.may(author, "SERVICEDESK_AGENT", issue["project"])


def _bean(call: Call, issue: Row, row: Row) -> Row:
    author = call.people.by_id(str(row["author"]))
    here = f"{call.site.url}/rest/servicedeskapi/request/{issue['id']}/attachment/{row['id']}"
    bean: Row = {
        "filename": row["filename"],
        "created": desk_date(row["created"], call.zone),
        "size": row["size"],
        "mimeType": row["media"],
        "_links": {
            "self": here,
            "jiraRest": f"{call.site.url}/rest/api/2/attachment/{row['id']}",
            "content": f"{call.site.url}/rest/api/2/attachment/content/{row['id']}",
        },
    }
    if call.cloud:
        bean["_links"]["content"] = here
    if author is not None:
        bean["author"] = beans.desk_user(call, author)
    return bean


@routes.on("GET", "/request/{key}/attachment")
def attachments(call: Call) -> Json:
    """Return the files of a request."""
    opted_in(call)
    issue = request(call, call.path["key"])
    shown = [_bean(call, issue, one) for one in _files(call, issue)]
    return page(call, list(shown), f"/request/{call.path['key']}/attachment")


@routes.on("GET", "/request/{key}/attachment/{id}")
def content(call: Call) -> Json:
    """Return the bytes of a file of a request."""
    issue = request(call, call.path["key"])
    for one in _files(call, issue):
        if str(one["id"]) == call.path["id"]:
            held = call.store.value("SELECT content FROM attachment WHERE id=?", one["id"])
            return Reply(body=held, media=one["media"])
    raise desk_error(
        HTTPStatus.NOT_FOUND, "The attachment could not be found.", "sd.attachment.not.found"
    )


@routes.on("GET", "/request/{key}/comment/{comment}/attachment")
def of_comment(call: Call) -> Json:
    """Return the files that came with a comment."""
    issue = request(call, call.path["key"])
    number = call.path["comment"]
    if all(str(one["id"]) != number for one in readable_comments(call, issue)):
        raise desk_error(
            HTTPStatus.NOT_FOUND, "The comment could not be found.", "sd.comment.not.found"
        )
    shown = [
        _bean(call, issue, one) for one in _files(call, issue) if str(one["comment"]) == number
    ]
    return page(call, list(shown), f"/request/{call.path['key']}/comment/{number}/attachment")
