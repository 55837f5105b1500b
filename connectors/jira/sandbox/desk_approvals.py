"""Service Management: the approval resources, and SLAs."""

from http import HTTPStatus

from connectors.jira.sandbox import approvals, issues, sla
from connectors.jira.sandbox.desk import is_agent, page, request
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import ApiError, Json, Row, desk_error

routes = Routes(prefix="/rest/servicedeskapi")
EXPERIMENTAL = (
    "This API is experimental. Experimental APIs are not guaranteed to be stable within the preview"
    " period. You must set the header 'X-ExperimentalApi: opt-in' to opt into using this API."
)


def opted_in(call: Call) -> None:
    """Let nobody use an experimental resource of Data Center without saying so.

    Raises:
        ApiError: 412 without the header (the status is documented nowhere; the text is).
    """
    if not call.cloud and call.headers.get("x-experimentalapi", "").lower() != "opt-in":
        raise desk_error(HTTPStatus.PRECONDITION_FAILED, EXPERIMENTAL, "sd.experimental")


@routes.on("GET", "/request/{key}/approval")
def list_approvals(call: Call) -> Json:
    """Return every approval of a request, oldest first."""
    opted_in(call)
    issue = request(call, call.path["key"])
    found = [approvals.bean(call, one) for one in approvals.listing(call, issue)]
    return page(call, list(found), f"/request/{call.path['key']}/approval")


def _approval(call: Call) -> tuple[Row, Row]:
    opted_in(call)
    issue = request(call, call.path["key"])
    for one in approvals.listing(call, issue):
        if str(one["id"]) == call.path["id"]:
            return issue, one
    raise desk_error(
        HTTPStatus.NOT_FOUND, "The approval could not be found.", "sd.approval.not.found"
    )


@routes.on("GET", "/request/{key}/approval/{id}")
def get_approval(call: Call) -> Json:
    """Return one approval."""
    return approvals.bean(call, _approval(call)[1])


@routes.on("POST", "/request/{key}/approval/{id}")
def answer_approval(call: Call) -> Json:
    """Approve or decline as the caller; there is no override for anybody."""
    issue, approval = _approval(call)
    body = call.body if isinstance(call.body, dict) and not call.broken else {}
    decision = body.get("decision")
    if decision not in {"approve", "decline"}:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "The decision must be either 'approve' or 'decline'.",
            "sd.approval.error.decision",
        )
    comment = body.get("comment")
    decided = issues.answer(call, issue, approval, approve=decision == "approve")
    if isinstance(comment, str) and comment.strip() and not call.cloud:
        public = body.get("commentPublic") is True
        issues.add_comment(call, issues.reload(call, issue), {"w": comment}, internal=not public)
    return approvals.bean(call, decided)


def _agent(call: Call) -> Row:
    issue = request(call, call.path["key"])
    if not is_agent(call, issue["project"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You do not have permission to view SLAs.", "sd.sla.permission"
        )
    return issue


@routes.on("GET", "/request/{key}/sla")
def list_slas(call: Call) -> Json:
    """Return the SLAs of a request."""
    return page(call, list(sla.listing(call, _agent(call))), f"/request/{call.path['key']}/sla")


@routes.on("GET", "/request/{key}/sla/{id}")
def get_sla(call: Call) -> Json:
    """Return one SLA of a request."""
    for one in sla.listing(call, _agent(call)):
        if one["id"] == call.path["id"]:
            return one
    raise desk_error(HTTPStatus.NOT_FOUND, "The SLA could not be found.", "sd.sla.not.found")


__all__ = ["ApiError", "routes"]
