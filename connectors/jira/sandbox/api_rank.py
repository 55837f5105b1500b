"""Ranking: the order that people give to issues."""

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
    other = issues.visible(call, str(before if after is None else after))
    placed = [issues.visible(call, str(one)) for one in wanted]
    place(call, [one for one in placed if one["id"] != other["id"]], other, above=after is None)
    return Reply(status=HTTPStatus.NO_CONTENT)


def place(call: Call, wanted: list[Row], other: Row, *, above: bool) -> None:
    """Put issues right above or right below another one, in the order given."""
    anchor = rank_of(other)
    neighbour = _neighbour(call, anchor, above=above)
    step = (neighbour - anchor) / (len(wanted) + 1)
    ordered = list(reversed(wanted)) if above else wanted
    for number, one in enumerate(ordered, 1):
        _place(call, one, anchor + step * number)


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
