"""Pinned comments (Data Center)."""

from http import HTTPStatus

from connectors.jira.sandbox import issues, talk
from connectors.jira.sandbox.site import DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, bad_request, forbidden, not_found, stamp

routes = Routes()


@routes.on("PUT", "/issue/{key}/comment/{id}/pin", flavours=DATA_CENTER_ONLY)
def pin(call: Call) -> Json:
    """Pin a comment, or take the pin away: the body is `true` or `false`."""
    issue = issues.visible(call, call.path["key"])
    if not call.may("ADD_COMMENTS", issue["project"]):
        raise forbidden("You do not have permission to pin comments.")
    rows = {str(row["id"]): row for row in talk.comments_of(call, issue)}
    if call.path["id"] not in rows:
        raise not_found(f"Can not find a comment for the id: {call.path['id']}.")
    if call.broken or not isinstance(call.body, bool):
        raise bad_request("The body must be true or false.")
    number = rows[call.path["id"]]["id"]
    call.store.run("DELETE FROM pin WHERE comment=?", number)
    if call.body:
        call.store.run("INSERT INTO pin VALUES (?, ?, ?)", number, call.user.id, call.stamp())
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/issue/{key}/pinned-comments", anonymous=True, flavours=DATA_CENTER_ONLY)
def pinned(call: Call) -> Json:
    """Return the pinned comments, the one pinned last first."""
    issue = issues.visible(call, call.path["key"])
    held = {row["comment"]: row for row in call.store.rows("SELECT * FROM pin")}
    return [
        {
            "comment": talk.comment(call, row),
            "pinnedBy": _name(call, held[row["id"]]["account"]),
            "pinnedDate": stamp(held[row["id"]]["pinned"], call.zone),
        }
        for row in sorted(
            (one for one in talk.comments_of(call, issue) if one["id"] in held),
            key=lambda one: (held[one["id"]]["pinned"], one["id"]),
            reverse=True,
        )
    ]


def _name(call: Call, account: str) -> str:
    found = call.people.by_id(account)
    return account if found is None else found.name
