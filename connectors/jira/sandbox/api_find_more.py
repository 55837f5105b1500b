"""Finding issues besides search: the picker, matching against queries, subtasks; notifications."""

from http import HTTPStatus

from connectors.jira.sandbox import issues, show
from connectors.jira.sandbox.jql.compiling import compile_query
from connectors.jira.sandbox.jql.syntax import JqlError
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    bad_payload,
    bad_request,
)

routes = Routes()
_MOST_PICKED = 20
_MOST_MATCHED = 1000
_MOST_BULK = 1000


@routes.on("GET", "/issue/picker", anonymous=True)
def picker(call: Call) -> Json:
    """Return issues whose key or summary begins with a text, for auto-completion."""
    text = call.query.get("query", "").strip()
    pattern = text.replace("%", "").replace("_", "") + "%"
    rows = call.store.rows(
        "SELECT * FROM ix WHERE key LIKE ? OR summary LIKE ? OR summary LIKE ?"
        " ORDER BY updated DESC, id DESC LIMIT 200",
        pattern,
        pattern,
        f"% {pattern}",
    )
    seen = [row for row in rows if call.may("BROWSE_PROJECTS", row["project"])] if text else []
    found = [_suggested(call, row) for row in seen[:_MOST_PICKED]]
    section: Row = {
        "id": "cs",
        "label": "Current Search" if call.cloud else "Matching issues",
        "sub": f"Showing {len(found)} of {len(seen)} matching issues",
        "issues": found,
    }
    if not found:
        section["msg"] = "No matching issues found"
    return {"sections": [section]}


def _suggested(call: Call, row: Row) -> Row:
    bean: Row = {
        "key": row["key"],
        "keyHtml": row["key"],
        "img": f"{call.site.url}/secure/viewavatar?avatarId=10300&avatarType=issuetype",
        "summary": row["summary"],
        "summaryText": row["summary"],
    }
    return {**bean, "id": row["id"]} if call.cloud else bean


@routes.on("POST", "/jql/match", anonymous=True, flavours=CLOUD_ONLY)
def match(call: Call) -> Json:
    """Say which of some issues meet each of some queries.

    A query that names what does not exist matches nothing, without an error.
    """
    body = call.json()
    numbers, queries = body.get("issueIds"), body.get("jqls")
    if not isinstance(numbers, list) or not isinstance(queries, list):
        raise bad_payload()
    if len(numbers) > _MOST_MATCHED or not all(isinstance(one, int) for one in numbers):
        raise bad_payload()
    return {"matches": [_matched(call, numbers, str(one)) for one in queries]}


def _matched(call: Call, numbers: list[int], jql: str) -> Row:
    try:
        query = compile_query(call, jql)
    except JqlError as error:
        broken = any("Error in the JQL" in one for one in error.messages)
        return {"matchedIssues": [], "errors": error.messages if broken else []}
    marks = ",".join("?" * len(numbers))
    sql = f"SELECT ix.id FROM ix WHERE ({query.where.text}) AND ix.id IN ({marks})"  # noqa: S608 - marks
    rows = call.store.rows(sql, *query.where.values, *numbers)
    return {"matchedIssues": sorted(row["id"] for row in rows), "errors": []}


@routes.on("GET", "/issue/{key}/subtask", flavours=DATA_CENTER_ONLY)
def subtasks(call: Call) -> Json:
    """Return the subtasks of an issue."""
    issue = issues.visible(call, call.path["key"])
    rows = call.store.rows("SELECT * FROM issue WHERE parent=? ORDER BY id", issue["id"])
    return [show.brief(call, row) for row in rows]


@routes.on("GET", "/issue/{key}/subtask/move", flavours=DATA_CENTER_ONLY)
def may_move_subtasks(call: Call) -> Json:
    """Say whether the caller may change the order of an issue's subtasks."""
    issue = issues.visible(call, call.path["key"])
    return call.may("EDIT_ISSUES", issue["project"])


@routes.on("POST", "/issue/{key}/notify")
def notify(call: Call) -> Json:
    """Send a mail about an issue: nothing leaves the sandbox, the request is in its log."""
    issues.visible(call, call.path["key"])
    body = call.json()
    to = body.get("to")
    if not isinstance(to, dict) or not any(to.values()):
        raise bad_request("No recipients were defined for notification.")
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- several issues at once


def _bulk_refused(text: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, {"errors": [{"message": text}]})


@routes.on("GET", "/bulk/issues/transition", flavours=CLOUD_ONLY)
def bulk_transitions(call: Call) -> Json:
    """Return the transitions that issues have in common, by workflow."""
    wanted = call.words("issueIdsOrKeys")
    if not 0 < len(wanted) <= _MOST_BULK:
        raise _bulk_refused("issueIdsOrKeys must hold 1 to 1000 issues.")
    grouped: dict[str, list[Row]] = {}
    for one in wanted:
        try:
            issue = issues.visible(call, one)
        except ApiError as error:
            raise _bulk_refused("One or more issues do not exist or are not accessible.") from error
        grouped.setdefault(issues.workflow(call, issue).name, []).append(issue)
    return {"availableTransitions": [_shared(call, held) for held in grouped.values()]}


def _shared(call: Call, held: list[Row]) -> Row:
    open_to = [issues.available(call, one) for one in held]
    first = {one.id: one for one in open_to[0]}
    shared = [
        one
        for number, one in first.items()
        if all(any(other.id == number for other in each) for each in open_to)
    ]
    plain = [one for one in shared if not one.screen]
    total = {one.id for each in open_to for one in each}
    return {
        "issues": [one["key"] for one in held],
        "isTransitionsFiltered": len(plain) < len(total),
        "transitions": [
            {
                "transitionId": int(one.id),
                "transitionName": one.name,
                "to": {
                    "statusId": int(one.target),
                    "statusName": call.definition.statuses[one.target]["name"],
                },
            }
            for one in plain
        ],
    }
