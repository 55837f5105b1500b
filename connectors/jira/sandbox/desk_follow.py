"""Service Management: who follows a request, what its reporter thinks of it, what is known."""

from http import HTTPStatus

from connectors.jira.sandbox.desk import body_object, page, request
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import Json, Reply, Row, desk_error

routes = Routes(prefix="/rest/servicedeskapi")
_BEST = 5


@routes.on("GET", "/request/{key}/notification")
def subscription(call: Call) -> Json:
    """Say whether the caller is told of a request: its people are, until they say otherwise."""
    issue = request(call, call.path["key"])
    said = call.store.value(
        "SELECT wanted FROM subscription WHERE issue=? AND account=?", issue["id"], call.user.id
    )
    concerned = {issue["reporter"], *(kept(issue, "customfield_10026") or [])}
    return {"subscribed": call.user.id in concerned if said is None else bool(said)}


def _subscribe(call: Call, *, wanted: bool) -> Json:
    issue = request(call, call.path["key"])
    call.store.run(
        "INSERT OR REPLACE INTO subscription VALUES (?, ?, ?)",
        issue["id"],
        call.user.id,
        int(wanted),
    )
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("PUT", "/request/{key}/notification")
def subscribe(call: Call) -> Json:
    """Be told of a request."""
    return _subscribe(call, wanted=True)


@routes.on("DELETE", "/request/{key}/notification")
def unsubscribe(call: Call) -> Json:
    """Be told of a request no more."""
    return _subscribe(call, wanted=False)


# --- feedback


def _feedback(row: Row) -> Row:
    return {"type": "csat", "rating": row["rating"], "comment": {"body": row["comment"]}}


def _mine(call: Call) -> Row:
    issue = request(call, call.path["key"])
    if issue["reporter"] != call.user.id:
        raise desk_error(
            HTTPStatus.FORBIDDEN, "Only the reporter may give feedback.", "sd.feedback.reporter"
        )
    return issue


@routes.on("GET", "/request/{key}/feedback")
def feedback(call: Call) -> Json:
    """Return what the reporter thinks of a request."""
    issue = request(call, call.path["key"])
    row = call.store.row("SELECT * FROM feedback WHERE issue=?", issue["id"])
    if row is None:
        raise desk_error(
            HTTPStatus.NOT_FOUND, "There is no feedback on this request.", "sd.feedback.none"
        )
    return _feedback(row)


@routes.on("POST", "/request/{key}/feedback")
def rate(call: Call) -> Json:
    """Rate a request that one has reported, from 1 to 5."""
    issue, body = _mine(call), body_object(call)
    rating = body.get("rating")
    if body.get("type") != "csat":
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The feedback type is not supported.", "sd.feedback.type"
        )
    if not isinstance(rating, int) or isinstance(rating, bool) or not 1 <= rating <= _BEST:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The rating must be between 1 and 5.", "sd.feedback.rating"
        )
    said = body.get("comment")
    row = {
        "issue": issue["id"],
        "rating": rating,
        "comment": str(said.get("body") or "") if isinstance(said, dict) else "",
    }
    call.store.run("DELETE FROM feedback WHERE issue=?", issue["id"])
    call.store.insert("feedback", row)
    return Reply(status=HTTPStatus.CREATED, body=_feedback(row))


@routes.on("DELETE", "/request/{key}/feedback")
def withdraw(call: Call) -> Json:
    """Take one's feedback back."""
    issue = _mine(call)
    call.store.run("DELETE FROM feedback WHERE issue=?", issue["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- the knowledge base: articles live in Confluence, and no Confluence is linked to this site


def _articles(call: Call, path: str) -> Json:
    if not call.query.get("query"):
        raise desk_error(HTTPStatus.BAD_REQUEST, "A query is required.", "sd.kb.query")
    return page(call, [], path)


@routes.on("GET", "/knowledgebase/article")
def articles(call: Call) -> Json:
    """Return the articles of all service desks: none, as on a site without Confluence."""
    return _articles(call, "/knowledgebase/article")


@routes.on("GET", "/servicedesk/{desk}/knowledgebase/article")
def desk_articles(call: Call) -> Json:
    """Return the articles of a service desk: none, as on a site without Confluence."""
    return _articles(call, f"/servicedesk/{call.path['desk']}/knowledgebase/article")
