"""Attachments of issues."""

import io
from http import HTTPStatus

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, parse_form

from connectors.jira.sandbox import issues, talk
from connectors.jira.sandbox.caps import leave_room
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    bad_request,
    forbidden,
    not_found,
)

routes = Routes()


@routes.on("POST", "/issue/{key}/attachments")
def post_attachments(call: Call) -> Json:
    """Attach the files of a multipart body."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("CREATE_ATTACHMENTS", issue["project"]):
        raise forbidden("You do not have permission to create attachments for this issue.")
    files = sent_files(call)
    if not files:
        raise bad_request("No files were sent.")
    return [talk.attachment(call, _row(call, str(keep(call, issue, one)))) for one in files]


def keep(call: Call, issue: Row, file: tuple[str, str, bytes]) -> int:
    """Attach a file (name, media type, content) to an issue; return its id."""
    name, media, content = file
    leave_room(call, "attachment", issue)
    number: int = call.store.insert(
        "attachment",
        {
            "id": call.store.counter("attachment", 10000),
            "issue": issue["id"],
            "author": call.user.id,
            "created": call.stamp(),
            "filename": name,
            "media": media,
            "content": content,
        },
    )
    issues.note(
        call,
        issue,
        {"field": "Attachment", "field_id": "attachment", "new": str(number), "new_text": name},
    )
    return number


def sent_files(call: Call) -> list[tuple[str, str, bytes]]:
    """Return the files of a multipart body: name, media type, content.

    Raises:
        ApiError: 403 without the header against cross-site requests; 400 for no such body.
    """
    if call.headers.get("x-atlassian-token", "").lower() not in {"no-check", "nocheck"}:
        raise ApiError(HTTPStatus.FORBIDDEN, {"errorMessages": ["XSRF check failed"], "errors": {}})
    found: list[tuple[str, str, bytes]] = []

    def take(file: File) -> None:
        file.file_object.seek(0)
        name = (file.file_name or b"unnamed").decode("utf-8", "replace")
        media = getattr(file, "content_type", None) or "application/octet-stream"
        found.append((name, str(media), file.file_object.read()))

    headers = {
        "Content-Type": call.headers.get("content-type", "").encode(),
        "Content-Length": str(len(call.raw)).encode(),
    }
    try:
        parse_form(headers, io.BytesIO(call.raw), lambda _field: None, take)
    except (FormParserError, ValueError) as error:
        raise bad_request("The multipart body could not be read.") from error
    return found


def _row(call: Call, number: str) -> Row:
    row = call.store.row(
        "SELECT id, issue, author, created, filename, media, length(content) AS size"
        " FROM attachment WHERE id=?",
        number,
    )
    if row is not None:
        issue = issues.find(call, str(row["issue"]))
        if issue is not None and call.may("BROWSE_PROJECTS", issue["project"]):
            return row
    raise not_found(f"The attachment with id '{number}' does not exist")


@routes.on("GET", "/attachment/{id}", anonymous=True)
def get_attachment(call: Call) -> Json:
    """Return what is known of an attachment."""
    bean = talk.attachment(call, _row(call, call.path["id"]))
    if call.cloud:
        bean["id"] = int(bean["id"])
    return bean


@routes.on("GET", "/attachment/content/{id}", anonymous=True)
def attachment_content(call: Call) -> Json:
    """Return the bytes of an attachment."""
    row = _row(call, call.path["id"])
    content = call.store.value("SELECT content FROM attachment WHERE id=?", row["id"])
    return Reply(body=content, media=row["media"])


@routes.on("DELETE", "/attachment/{id}")
def delete_attachment(call: Call) -> Json:
    """Remove an attachment: one's own, or any for an administrator of the project."""
    row = _row(call, call.path["id"])
    issue = issues.find(call, str(row["issue"]))
    own = row["author"] == call.user.id
    if issue is None or not (own or call.may("ADMINISTER_PROJECTS", issue["project"])):
        raise forbidden("You do not have permission to delete this attachment.")
    call.store.run("DELETE FROM attachment WHERE id=?", row["id"])
    call.store.run("DELETE FROM file_talk WHERE attachment=?", row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)
