"""Issue links and remote links."""

from http import HTTPStatus

from connectors.jira.sandbox import issues, show
from connectors.jira.sandbox.caps import leave_room
from connectors.jira.sandbox.comment_forms import comment_body, visibility
from connectors.jira.sandbox.reading import ValueRefusedError
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    bad_request,
    field_errors,
    forbidden,
    not_found,
    platform_error,
)

routes = Routes()


@routes.on("GET", "/issueLinkType", anonymous=True)
def list_types(call: Call) -> Json:
    """Return the link types."""
    return {"issueLinkTypes": [show.link_type(call, one) for one in call.definition.link_types]}


@routes.on("GET", "/issueLinkType/{id}", anonymous=True)
def get_type(call: Call) -> Json:
    """Return one link type."""
    if call.path["id"] not in call.definition.link_types:
        raise not_found(f"No issue link type with id '{call.path['id']}' found.")
    return show.link_type(call, call.path["id"])


def connect(call: Call, kind: Json, inward: Json, outward: Json) -> None:
    """Link two issues: the inward issue is the source, as the vendor's names have it.

    A second link of the same kind between the two is accepted and not made.
    """
    found = None
    if isinstance(kind, dict):
        key = kind.get("id", kind.get("name"))
        found = call.definition.find(call.definition.link_types, str(key))
    if found is None:
        shown = kind.get("name", kind.get("id")) if isinstance(kind, dict) else kind
        raise not_found(f"No issue link type with name '{shown}' found.")
    source, target = _end(call, inward), _end(call, outward)
    if source["id"] == target["id"]:
        raise bad_request("You cannot link an issue to itself.")
    for end in (source, target):
        leave_room(call, "link", end)
    made = call.store.changed(
        "INSERT OR IGNORE INTO link (id, type, source, target) VALUES (?, ?, ?, ?)",
        call.store.counter("link", 10000),
        found["id"],
        source["id"],
        target["id"],
    )
    if made:
        _told(call, source, target, f"This issue {found['outward']} {target['key']}")
        _told(call, target, source, f"This issue {found['inward']} {source['key']}")


def _end(call: Call, value: Json) -> Row:
    key = value.get("key", value.get("id")) if isinstance(value, dict) else None
    if key is None:
        raise bad_request("Either 'inwardIssue' or 'outwardIssue' lacks a key.")
    issue = issues.visible(call, str(key))
    if not call.may("LINK_ISSUES", issue["project"]):
        raise forbidden("No Link Issue Permission for issue '" + issue["key"] + "'")
    return issue


def _told(call: Call, issue: Row, other: Row, sentence: str) -> None:
    issues.note(
        call,
        issue,
        {"field": "Link", "field_id": "issuelinks", "new": other["key"], "new_text": sentence},
    )


@routes.on("POST", "/issueLink")
def post_link(call: Call) -> Json:
    """Link two issues, optionally with a comment on the first (`inwardIssue`) of them."""
    body = call.json()
    connect(call, body.get("type"), body.get("inwardIssue"), body.get("outwardIssue"))
    comment = body.get("comment")
    if isinstance(comment, dict) and comment.get("body"):
        _comment(call, _end(call, body.get("inwardIssue")), comment)
    return Reply(status=HTTPStatus.CREATED)


def _comment(call: Call, issue: Row, comment: Row) -> None:
    """Comment on a linked issue; a refused comment refuses the link as well."""
    try:
        body = comment_body(call, comment)
        limit = visibility(call, issue["project"], comment.get("visibility"))
    except ValueRefusedError as error:
        raise platform_error(
            HTTPStatus.BAD_REQUEST,
            f"Failed to create comment for issue '{issue['key']}'",
            errors={"commentLevel": error.reason},
        ) from error
    issues.add_comment(call, issue, body, internal=False, visibility=limit)


def _link(call: Call) -> tuple[Row, Row, Row]:
    number = call.path["id"]
    row = call.store.row("SELECT * FROM link WHERE id=?", number)
    if row is None:
        raise not_found(f"No issue link with id '{number}' exists.")
    ends = [issues.find(call, str(row[side])) for side in ("source", "target")]
    source, target = ends
    if (
        source is None
        or target is None
        or not all(one and call.may("BROWSE_PROJECTS", one["project"]) for one in ends)
    ):
        raise not_found(f"No issue link with id '{number}' exists.")
    return row, source, target


@routes.on("GET", "/issueLink/{id}", anonymous=True)
def get_link(call: Call) -> Json:
    """Return one link."""
    row, source, target = _link(call)
    return {
        "id": str(row["id"]),
        "self": f"{call.api}/issueLink/{row['id']}",
        "type": show.link_type(call, row["type"]),
        "inwardIssue": show.brief(call, source),
        "outwardIssue": show.brief(call, target),
    }


@routes.on("DELETE", "/issueLink/{id}")
def delete_link(call: Call) -> Json:
    """Remove one link."""
    row, source, target = _link(call)
    if not call.may("LINK_ISSUES", source["project"]):
        raise forbidden("No Link Issue Permission for issue '" + source["key"] + "'")
    call.store.run("DELETE FROM link WHERE id=?", row["id"])
    issues.touch(call, source)
    issues.touch(call, target)
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- remote links


def _remote(call: Call, issue: Row, row: Row) -> Row:
    bean: Row = {
        "id": row["id"],
        "self": f"{call.api}/issue/{issue['key']}/remotelink/{row['id']}",
    }
    if row["global_id"] is not None:
        bean["globalId"] = row["global_id"]
    return {**bean, **loads(row["body"])}


def _remote_body(call: Call) -> tuple[str | None, Row]:
    body = call.json()
    target = body.get("object")
    if not isinstance(target, dict) or not isinstance(target.get("url"), str):
        raise field_errors({"url": "'url' is required."})
    if not isinstance(target.get("title"), str) or not target["title"]:
        raise field_errors({"title": "'title' is required."})
    kept: Row = {"application": body.get("application") or {}, "object": target}
    target.setdefault("icon", {})
    target.setdefault("status", {"icon": {}})
    if body.get("relationship"):
        kept["relationship"] = body["relationship"]
    number = body.get("globalId")
    return (number if isinstance(number, str) and number else None), kept


@routes.on("GET", "/issue/{key}/remotelink", anonymous=True)
def list_remote(call: Call) -> Json:
    """Return the remote links, or the one with a globalId."""
    issue = issues.visible(call, call.path["key"])
    rows = call.store.rows("SELECT * FROM remote_link WHERE issue=? ORDER BY id", issue["id"])
    wanted = call.query.get("globalId")
    if wanted is not None:
        rows = [row for row in rows if row["global_id"] == wanted]
        if not rows:
            raise not_found(f"The remote link with global id '{wanted}' does not exist.")
        return _remote(call, issue, rows[0])
    return [_remote(call, issue, row) for row in rows]


@routes.on("POST", "/issue/{key}/remotelink")
def post_remote(call: Call) -> Json:
    """Set a remote link: 200 where its globalId was there, else 201."""
    issue = issues.visible(call, call.path["key"])
    _may_link(call, issue)
    number, kept = _remote_body(call)
    row = None
    if number is not None:
        row = call.store.row(
            "SELECT * FROM remote_link WHERE issue=? AND global_id=?", issue["id"], number
        )
    if row is not None:
        call.store.update("remote_link", row["id"], {"body": dumps(kept)})
        key = row["id"]
    else:
        leave_room(call, "remote_link", issue)
        key = call.store.insert(
            "remote_link",
            {
                "id": call.store.counter("remote_link", 10000),
                "issue": issue["id"],
                "global_id": number,
                "body": dumps(kept),
            },
        )
    bean = {"id": key, "self": f"{call.api}/issue/{issue['key']}/remotelink/{key}"}
    return Reply(status=HTTPStatus.CREATED if row is None else HTTPStatus.OK, body=bean)


def _may_link(call: Call, issue: Row) -> None:
    if not call.may("LINK_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to link issues in this project.")


def _remote_row(call: Call) -> tuple[Row, Row]:
    issue = issues.visible(call, call.path["key"])
    number = call.path["id"]
    row = call.store.row("SELECT * FROM remote_link WHERE issue=? AND id=?", issue["id"], number)
    if row is None:
        raise not_found(f"The remote link with id '{number}' does not exist.")
    return issue, row


@routes.on("GET", "/issue/{key}/remotelink/{id}", anonymous=True)
def get_remote(call: Call) -> Json:
    """Return one remote link."""
    issue, row = _remote_row(call)
    return _remote(call, issue, row)


@routes.on("PUT", "/issue/{key}/remotelink/{id}")
def put_remote(call: Call) -> Json:
    """Replace one remote link; what is absent becomes null."""
    issue, row = _remote_row(call)
    _may_link(call, issue)
    number, kept = _remote_body(call)
    call.store.update("remote_link", row["id"], {"body": dumps(kept), "global_id": number})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/issue/{key}/remotelink/{id}")
def delete_remote(call: Call) -> Json:
    """Remove one remote link."""
    issue, row = _remote_row(call)
    _may_link(call, issue)
    call.store.run("DELETE FROM remote_link WHERE id=?", row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/issue/{key}/remotelink")
def delete_remote_global(call: Call) -> Json:
    """Remove the remote link with a globalId."""
    issue = issues.visible(call, call.path["key"])
    _may_link(call, issue)
    wanted = call.query.get("globalId")
    if not wanted:
        raise bad_request("'globalId' is required.")
    gone = call.store.changed(
        "DELETE FROM remote_link WHERE issue=? AND global_id=?", issue["id"], wanted
    )
    if not gone:
        raise not_found(f"The remote link with global id '{wanted}' does not exist.")
    return Reply(status=HTTPStatus.NO_CONTENT)
