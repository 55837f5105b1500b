"""Service Management: reading requests, their status and their transitions."""

from http import HTTPStatus

from connectors.jira.sandbox import approvals, issues
from connectors.jira.sandbox.definition import Transition
from connectors.jira.sandbox.desk import (
    bean,
    body_object,
    bounds,
    comment_text,
    desk_of,
    is_agent,
    page,
    passed_statuses,
    request,
)
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Reply, Row, desk_error, desk_page

routes = Routes(prefix="/rest/servicedeskapi")
_MINE = (
    "SELECT * FROM issue WHERE request_type IS NOT NULL AND id IN ("
    " SELECT id FROM issue WHERE reporter=?"
    " UNION SELECT issue FROM ix_value WHERE field='customfield_10026' AND value=?"
    " UNION SELECT a.issue FROM approval a JOIN approver r ON r.approval=a.id WHERE r.account=?)"
    " ORDER BY id DESC"
)


@routes.on("GET", "/request/{key}")
def get(call: Call) -> Json:
    """Return one request."""
    return bean(call, request(call, call.path["key"]))


@routes.on("GET", "/request")
def list_requests(call: Call) -> Json:
    """Return the requests of the caller, by ownership, status, approval and text."""
    rows = call.store.rows(_MINE, *[call.user.id] * 3)
    wanted = [one.upper() for one in call.words("requestOwnership")] or [
        "OWNED_REQUESTS",
        "PARTICIPATED_REQUESTS",
    ]
    _known_words(wanted)
    found: list[Row] = []
    for row in rows:
        row["fields"] = loads(row["fields"])
        if any(_owned(call, row, one) for one in wanted) and _passes(call, row):
            found.append(row)
    start, limit = bounds(call)
    shown = desk_page(found, start, limit, call.site.url, "/request")
    shown["values"] = [bean(call, one) for one in shown["values"]]
    return shown


_OWNERSHIPS = frozenset(
    {"OWNED_REQUESTS", "PARTICIPATED_REQUESTS", "ALL_REQUESTS", "ALL_ORGANIZATIONS",
     "ORGANIZATION", "APPROVER"}
)  # fmt: skip


def _known_words(wanted: list[str]) -> None:
    for one in wanted:
        if one not in _OWNERSHIPS:
            raise desk_error(
                HTTPStatus.BAD_REQUEST, f"'{one}' is not a request ownership.", "sd.ownership"
            )


def _owned(call: Call, issue: Row, ownership: str) -> bool:
    me = call.user.id
    match ownership:
        case "OWNED_REQUESTS":
            return bool(issue["reporter"] == me)
        case "PARTICIPATED_REQUESTS":
            return me in (kept(issue, "customfield_10026") or [])
        case "ALL_REQUESTS" | "ALL_ORGANIZATIONS" | "ORGANIZATION":
            return issue["reporter"] == me or me in (kept(issue, "customfield_10026") or [])
        case _:  # APPROVER: the words were checked before
            return _decides(call, issue)


def _decides(call: Call, issue: Row) -> bool:
    rows = call.store.rows(
        "SELECT a.final, r.decision FROM approval a JOIN approver r ON r.approval=a.id"
        " WHERE a.issue=? AND r.account=?",
        issue["id"],
        call.user.id,
    )
    waiting = any(row["final"] == "pending" and row["decision"] == "pending" for row in rows)
    match call.query.get("approvalStatus"):
        case "MY_PENDING_APPROVAL":
            return waiting and approvals.pending(call, issue) is not None
        case "MY_HISTORY_APPROVAL":
            return bool(rows) and not waiting
        case _:
            return bool(rows)


def _passes(call: Call, issue: Row) -> bool:
    state = call.query.get("requestStatus", "ALL_REQUESTS")
    closed = call.definition.statuses[issue["status"]]["category"] == "done"
    if state in {"OPEN_REQUESTS", "CLOSED_REQUESTS"} and closed is (state == "OPEN_REQUESTS"):
        return False
    desk, kind = call.query.get("serviceDeskId"), call.query.get("requestTypeId")
    if desk and str(desk_of(call, issue["project"])) != desk:
        return False
    if kind and str(issue["request_type"]) != kind:
        return False
    term = call.query.get("searchTerm", "").casefold()
    return term in issue["summary"].casefold()


# --- status and transitions


@routes.on("GET", "/request/{key}/status")
def statuses(call: Call) -> Json:
    """Return the statuses that a request went through, newest first."""
    issue = request(call, call.path["key"])
    return page(call, list(passed_statuses(call, issue)), f"/request/{call.path['key']}/status")


def _transitions(call: Call, issue: Row) -> list[Transition]:
    if is_agent(call, issue["project"]):
        return issues.available(call, issue)
    leaving = issues.workflow(call, issue).leaving(issue["status"])
    return [one for one in leaving if one.customer and not one.internal]


@routes.on("GET", "/request/{key}/transition")
def transitions(call: Call) -> Json:
    """Return the transitions that the caller may run on a request."""
    issue = request(call, call.path["key"])
    found = [{"id": one.id, "name": one.name} for one in _transitions(call, issue)]
    return page(call, list(found), f"/request/{call.path['key']}/transition")


@routes.on("POST", "/request/{key}/transition")
def transition(call: Call) -> Json:
    """Run a transition on a request, with an additional comment."""
    issue = request(call, call.path["key"])
    body = body_object(call)
    chosen = next((one for one in _transitions(call, issue) if one.id == str(body.get("id"))), None)
    if chosen is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "The transition is not valid for this request.",
            "sd.transition.invalid",
        )
    issues.move(call, issue, chosen, {})
    extra = body.get("additionalComment")
    if isinstance(extra, dict) and extra.get("body"):
        issues.add_comment(call, issue, comment_text(extra), internal=False)
    return Reply(status=HTTPStatus.NO_CONTENT)
