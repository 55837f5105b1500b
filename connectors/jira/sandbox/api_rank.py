"""Ranking: the order that people give to issues (the agile API's one operation served here)."""

from http import HTTPStatus

from connectors.jira.sandbox import index, issues
from connectors.jira.sandbox.fields import RANK, rank_of
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request

routes = Routes(prefix="/rest/agile/1.0")
_MOST = 50


@routes.on("PUT", "/issue/rank")
def rank(call: Call) -> Json:
    """Put issues before or after another one."""
    body = call.json()
    wanted = body.get("issues")
    if not isinstance(wanted, list) or not 0 < len(wanted) <= _MOST:
        raise bad_request("'issues' must hold 1 to 50 issues.")
    before, after = body.get("rankBeforeIssue"), body.get("rankAfterIssue")
    if (before is None) == (after is None):
        raise bad_request("Either 'rankBeforeIssue' or 'rankAfterIssue' is required.")
    anchor = rank_of(issues.visible(call, str(before if after is None else after)))
    neighbour = _neighbour(call, anchor, above=after is None)
    step = (neighbour - anchor) / (len(wanted) + 1)
    ordered = list(reversed(wanted)) if after is None else wanted
    for number, one in enumerate(ordered, 1):
        _place(call, issues.visible(call, str(one)), anchor + step * number)
    return Reply(status=HTTPStatus.NO_CONTENT)


def _neighbour(call: Call, anchor: float, *, above: bool) -> float:
    sql = (
        "SELECT max(value) FROM ix_value WHERE field=? AND value<?"
        if above
        else "SELECT min(value) FROM ix_value WHERE field=? AND value>?"
    )
    found = call.store.value(sql, RANK, anchor)
    return float(found) if found is not None else anchor + (-1 if above else 1)


def _place(call: Call, issue: Row, value: float) -> None:
    issue["fields"][RANK] = value
    call.store.update("issue", issue["id"], {"fields": dumps(issue["fields"])})
    index.mark(call, issue["id"])
