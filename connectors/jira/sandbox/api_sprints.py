"""The agile API's sprints: future, active, closed, in this order and never back."""

from http import HTTPStatus

from connectors.jira.sandbox import agile, agile_issues, issues
from connectors.jira.sandbox.site import DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    bad_request,
    forbidden,
    parse_stamp,
)

routes = Routes(prefix="/rest/agile/1.0")
_LONGEST_NAME = 255
_DATES = {"startDate": "starts", "endDate": "ends"}


def _name(value: Json) -> str:
    if not isinstance(value, str) or not value.strip():
        raise bad_request("The sprint name cannot be empty.")
    if len(value) > _LONGEST_NAME:
        raise bad_request("The sprint name must be 255 characters or less.")
    return value


def _moments(body: Row) -> Row:
    found: Row = {}
    for name, column in _DATES.items():
        given = body.get(name)
        if given is None:
            continue
        millis = parse_stamp(given) if isinstance(given, str) else None
        if millis is None:
            raise bad_request(f"'{given}' is not a date of the form 2015-04-11T15:22:00.000+10:00")
        found[column] = millis
    return found


def _ordered(starts: int | None, ends: int | None) -> None:
    if starts is not None and ends is not None and ends < starts:
        raise bad_request("The end date of a sprint must be after its start date.")


def _may_manage(call: Call, board: Row) -> None:
    if board["owner"] == call.user.id or call.people.is_admin(call.user):
        return
    project = board["project"]
    if project is None or not call.may("MANAGE_SPRINTS_PERMISSION", project):
        raise forbidden("You do not have permission to manage the sprints of this board.")


@routes.on("POST", "/sprint")
def post_sprint(call: Call) -> Json:
    """Make a sprint that has not begun."""
    body = call.json()
    name = _name(body.get("name"))
    board = agile.board_row(call, str(body.get("originBoardId")))
    if board["kind"] == "kanban":
        raise bad_request("The board does not support sprints")
    _may_manage(call, board)
    dates = _moments(body)
    _ordered(dates.get("starts"), dates.get("ends"))
    number = call.store.counter("sprint", 1)
    row: Row = {
        "id": number,
        "board": board["id"],
        "name": name,
        "state": "future",
        "goal": str(body["goal"]) if body.get("goal") is not None else None,
        "created": call.site.now(),
        "place": number,
        **dates,
    }
    call.store.insert("sprint", row)
    made = agile.sprint_row(call, str(number))
    return Reply(status=HTTPStatus.CREATED, body=agile.sprint_bean(call, made))


@routes.on("GET", "/sprint/{sprint}")
def get_sprint(call: Call) -> Json:
    """Return one sprint."""
    return agile.sprint_bean(call, agile.sprint_row(call, call.path["sprint"]))


def _state(call: Call, row: Row, changed: Row, wanted: Json) -> None:
    """Take a sprint to a state; the only ways are future to active and active to closed."""
    if wanted is None or wanted == row["state"]:
        return
    now = call.site.now()
    if (row["state"], wanted) == ("future", "active"):
        starts = changed.get("starts", row["starts"])
        ends = changed.get("ends", row["ends"])
        if starts is None or ends is None:
            raise bad_request("A sprint needs a start date and an end date to be started.")
        changed |= {"state": "active", "activated": now}
    elif (row["state"], wanted) == ("active", "closed"):
        changed |= {"state": "closed", "completed": now}
    else:
        raise bad_request(f"A sprint cannot go from '{row['state']}' to '{wanted}'.")


@routes.on("POST", "/sprint/{sprint}")
def patch_sprint(call: Call) -> Json:
    """Change what the body names of a sprint."""
    row = agile.sprint_row(call, call.path["sprint"])
    _may_manage(call, agile.board_row(call, str(row["board"])))
    body = call.json()
    changed = _moments(body)
    if body.get("name") is not None:
        changed["name"] = _name(body["name"])
    if body.get("goal") is not None:
        changed["goal"] = str(body["goal"])
    _ordered(changed.get("starts", row["starts"]), changed.get("ends", row["ends"]))
    _state(call, row, changed, body.get("state"))
    return _written(call, row, changed)


@routes.on("PUT", "/sprint/{sprint}")
def put_sprint(call: Call) -> Json:
    """Put a sprint whole: what the body leaves out is taken away."""
    row = agile.sprint_row(call, call.path["sprint"])
    _may_manage(call, agile.board_row(call, str(row["board"])))
    body = call.json()
    changed: Row = {"starts": None, "ends": None, **_moments(body)}
    changed["name"] = _name(body.get("name"))
    changed["goal"] = None if body.get("goal") is None else str(body["goal"])
    if body.get("state") is None:
        raise bad_request("The state of the sprint is required.")
    if row["state"] != "future":
        changed = {one: held for one, held in changed.items() if held is not None}
    _ordered(changed.get("starts"), changed.get("ends"))
    _state(call, row, changed, body["state"])
    return _written(call, row, changed)


def _written(call: Call, row: Row, changed: Row) -> Row:
    if changed:
        call.store.update("sprint", row["id"], changed)
    return agile.sprint_bean(call, agile.sprint_row(call, str(row["id"])))


@routes.on("DELETE", "/sprint/{sprint}")
def delete_sprint(call: Call) -> Json:
    """Remove a sprint; its open issues go back to the backlog."""
    row = agile.sprint_row(call, call.path["sprint"])
    _may_manage(call, agile.board_row(call, str(row["board"])))
    if row["state"] == "closed":
        raise bad_request("A closed sprint cannot be deleted.")
    agile.remove_sprint(call, row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/sprint/{sprint}/issue")
def sprint_issues(call: Call) -> Json:
    """Return a page of the issues of a sprint."""
    row = agile.sprint_row(call, call.path["sprint"])
    return agile_issues.page(call, agile_issues.everything(call), agile_issues.in_sprint(row["id"]))


def _planned(call: Call, refs: list[str], sprint: int | None) -> None:
    """Put issues into a sprint, or into none; the closed ones that they were in stay."""
    found = [issues.visible(call, one) for one in refs]
    for issue in found:
        if not call.may("EDIT_ISSUES", issue["project"]):
            raise forbidden("You do not have permission to edit issues in this project.")
    for issue in found:
        held = issue["fields"].get(agile.SPRINT, [])
        still = agile.open_sprints(call, held)
        kept = [one for one in held if one not in still]
        planned = [*kept, *([] if sprint is None else [sprint])]
        issues.change(call, issue, {agile.SPRINT: planned})


@routes.on("POST", "/sprint/{sprint}/issue")
def move_to_sprint(call: Call) -> Json:
    """Move issues to a sprint that is not closed."""
    row = agile.sprint_row(call, call.path["sprint"])
    if row["state"] == "closed":
        raise bad_request("Issues cannot be moved to a sprint that is closed.")
    _planned(call, agile_issues.issues_named(call), row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/backlog/issue")
def move_to_backlog(call: Call) -> Json:
    """Take issues out of the sprints that are not closed."""
    _planned(call, agile_issues.issues_named(call), None)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/backlog/{board}/issue", "/board/{board}/issue")
def move_to_board(call: Call) -> Json:
    """Move issues to the backlog of a board: out of the sprints that are not closed."""
    agile.board_row(call, call.path["board"])
    _planned(call, agile_issues.issues_named(call), None)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/sprint/{sprint}/swap")
def swap(call: Call) -> Json:
    """Swap the places of two sprints of a board."""
    row = agile.sprint_row(call, call.path["sprint"])
    other = agile.sprint_row(call, str(call.json().get("sprintToSwapWith")))
    _may_manage(call, agile.board_row(call, str(row["board"])))
    call.store.update("sprint", row["id"], {"place": other["place"]})
    call.store.update("sprint", other["id"], {"place": row["place"]})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("PUT", "/sprint/unmap", "/sprint/unmap-all", flavours=DATA_CENTER_ONLY)
def unmap(call: Call) -> Json:
    """End the synchronisation of sprints with another site: there is none."""
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer this site.")
    return Reply(status=HTTPStatus.NO_CONTENT)
