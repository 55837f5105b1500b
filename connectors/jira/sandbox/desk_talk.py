"""Service Management: comments on requests and their participants."""

from http import HTTPStatus

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.desk import (
    body_object,
    comment,
    comment_text,
    is_agent,
    named_people,
    page,
    participants_of,
    readable_comments,
    request,
)
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.reading import ValueRefusedError, account_of
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, desk_error

routes = Routes(prefix="/rest/servicedeskapi")


@routes.on("GET", "/request/{key}/comment")
def comments(call: Call) -> Json:
    """Return the comments of a request that the caller may read."""
    issue = request(call, call.path["key"])
    found = [comment(call, row) for row in readable_comments(call, issue)]
    return page(call, list(found), f"/request/{call.path['key']}/comment")


@routes.on("POST", "/request/{key}/comment")
def add_comment(call: Call) -> Json:
    """Comment on a request: agents choose who reads it, customers write to everybody."""
    issue = request(call, call.path["key"])
    body = body_object(call)
    public = body.get("public", True)
    if not isinstance(public, bool):
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "'public' must be true or false.", "sd.comment.public"
        )
    if not public and not call.may("ADD_COMMENTS", issue["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You cannot add internal comments.", "sd.comment.internal"
        )
    row = issues.add_comment(call, issue, comment_text(body), internal=not public)
    return Reply(status=HTTPStatus.CREATED, body=comment(call, row))


@routes.on("GET", "/request/{key}/comment/{id}")
def get_comment(call: Call) -> Json:
    """Return one comment of a request."""
    issue = request(call, call.path["key"])
    for row in readable_comments(call, issue):
        if str(row["id"]) == call.path["id"]:
            return comment(call, row)
    raise desk_error(
        HTTPStatus.NOT_FOUND, "The comment could not be found.", "sd.comment.not.found"
    )


# --- participants


@routes.on("GET", "/request/{key}/participant")
def participants(call: Call) -> Json:
    """Return the participants of a request."""
    issue = request(call, call.path["key"])
    return page(call, participants_of(call, issue), f"/request/{call.path['key']}/participant")


def _change_participants(call: Call, *, add: bool) -> Json:
    issue = request(call, call.path["key"])
    if not is_agent(call, issue["project"]) and issue["reporter"] != call.user.id:
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You cannot change the participants.", "sd.participant.permission"
        )
    body = body_object(call)
    named = [
        *named_people(call, body.get("accountIds") or body.get("usernames") or []),
        *(_account(call, one) for one in body.get("users") or []),
    ]
    chosen = [one.id for one in named]
    held: list[str] = kept(issue, "customfield_10026") or []
    if add:
        held = [*held, *(one for one in dict.fromkeys(chosen) if one not in held)]
    else:
        held = [one for one in held if one not in chosen]
    issues.change(call, issue, {"customfield_10026": held})
    return page(call, participants_of(call, issue), f"/request/{call.path['key']}/participant")


def _account(call: Call, value: Json) -> Account:
    try:
        return account_of(call, value)
    except ValueRefusedError as error:
        raise desk_error(HTTPStatus.BAD_REQUEST, error.reason, "sd.user.unknown") from error


@routes.on("POST", "/request/{key}/participant")
def add_participants(call: Call) -> Json:
    """Add participants."""
    return _change_participants(call, add=True)


@routes.on("DELETE", "/request/{key}/participant")
def remove_participants(call: Call) -> Json:
    """Take participants away."""
    return _change_participants(call, add=False)
