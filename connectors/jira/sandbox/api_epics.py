"""The agile API's epics and single issues: membership, names, estimates."""

from http import HTTPStatus

from connectors.jira.sandbox import agile, agile_issues, api_rank, issues
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    bad_request,
    forbidden,
    not_found,
)

routes = Routes(prefix="/rest/agile/1.0")
_COLOURS = frozenset(f"color_{number}" for number in range(1, 15))


def _epic(call: Call, ref: str) -> Row:
    """Return an epic that the caller sees.

    Raises:
        ApiError: 404, no issue, or one that is no epic.
    """
    try:
        issue = issues.visible(call, ref)
    except ApiError as error:
        raise not_found(_missing(ref)) from error
    if call.definition.types[issue["type"]]["name"] != "Epic":
        raise not_found(_missing(ref))
    return issue


def _missing(ref: str) -> str:
    return f"Epic '{ref}' does not exist or you do not have permission to see it."


def _may_edit(call: Call, issue: Row) -> None:
    if not call.may("EDIT_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to edit issues in this project.")


@routes.on("GET", "/epic/{epic}")
def get_epic(call: Call) -> Json:
    """Return one epic."""
    return agile_issues.epic_bean(call, _epic(call, call.path["epic"]))


@routes.on("POST", "/epic/{epic}")
def patch_epic(call: Call) -> Json:
    """Change the name, the summary, the colour of an epic, or whether it is done."""
    issue, body = _epic(call, call.path["epic"]), call.json()
    _may_edit(call, issue)
    changed: Row = {}
    if body.get("name") is not None:
        changed[agile.EPIC_NAME] = str(body["name"])
    if body.get("summary") is not None:
        changed["summary"] = str(body["summary"])
    colour = body.get("color")
    if colour is not None:
        key = colour.get("key") if isinstance(colour, dict) else None
        if key not in _COLOURS:
            raise bad_request(f"'{key}' is not a colour of epics.")
        changed[agile.EPIC_COLOUR] = key
    issues.change(call, issue, changed)
    if isinstance(body.get("done"), bool):
        issue = issues.reload(call, issue)
        fields = {**issue["fields"], "epic_done": body["done"]}
        call.store.update("issue", issue["id"], {"fields": dumps(fields)})
    return agile_issues.epic_bean(call, issues.reload(call, issue))


@routes.on("GET", "/epic/none/issue")
def without_epic(call: Call) -> Json:
    """Return a page of the issues that belong to no epic."""
    return agile_issues.page(call, agile_issues.everything(call), agile_issues.in_no_epic(call))


@routes.on("GET", "/epic/{epic}/issue")
def epic_issues(call: Call) -> Json:
    """Return a page of the issues that belong to an epic."""
    issue = _epic(call, call.path["epic"])
    return agile_issues.page(call, agile_issues.everything(call), agile_issues.in_epic(issue["id"]))


def _belong(call: Call, epic: int | None) -> None:
    found = [issues.visible(call, one) for one in agile_issues.issues_named(call)]
    for issue in found:
        _may_edit(call, issue)
        if issue["id"] == epic:
            raise bad_request("An epic cannot belong to itself.")
    for issue in found:
        issues.change(call, issue, {agile.EPIC_LINK: epic})


@routes.on("POST", "/epic/none/issue")
def leave_epic(call: Call) -> Json:
    """Take issues out of their epics."""
    _belong(call, None)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/epic/{epic}/issue")
def join_epic(call: Call) -> Json:
    """Put issues into an epic."""
    _belong(call, _epic(call, call.path["epic"])["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("PUT", "/epic/{epic}/rank")
def rank_epic(call: Call) -> Json:
    """Put an epic before or after another one."""
    issue, body = _epic(call, call.path["epic"]), call.json()
    before, after = body.get("rankBeforeEpic"), body.get("rankAfterEpic")
    if (before is None) == (after is None):
        raise bad_request("Either 'rankBeforeEpic' or 'rankAfterEpic' is required.")
    anchor = _epic(call, str(before if after is None else after))
    if anchor["id"] != issue["id"]:
        api_rank.place(call, [issue], anchor, above=after is None)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/issue/{key}")
def agile_issue(call: Call) -> Json:
    """Return an issue with its sprint and its epic."""
    issue = issues.visible(call, call.path["key"])
    return agile_issues.issue_bean(call, issue, call.words("fields"), call.words("expand"))


def _estimated(call: Call) -> Row:
    board = call.query.get("boardId")
    if not board:
        raise bad_request("The board is required.")
    agile.board_row(call, board)
    return issues.visible(call, call.path["key"])


@routes.on("GET", "/issue/{key}/estimation")
def estimation(call: Call) -> Json:
    """Return the estimate of an issue in the field that a board uses."""
    value = _estimated(call)["fields"].get(agile.ESTIMATE)
    return {"fieldId": agile.ESTIMATE, "value": value}


@routes.on("PUT", "/issue/{key}/estimation")
def put_estimation(call: Call) -> Json:
    """Set the estimate of an issue."""
    issue = _estimated(call)
    _may_edit(call, issue)
    given = call.json().get("value")
    try:
        value = None if given is None else float(given)
    except (TypeError, ValueError) as error:
        raise bad_request(f"'{given}' is not a valid estimate.") from error
    issues.change(call, issue, {agile.ESTIMATE: value})
    return {"fieldId": agile.ESTIMATE, "value": value}
