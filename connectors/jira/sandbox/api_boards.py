"""The agile API's boards: made, listed, read, removed; what is on them; their properties."""

from http import HTTPStatus

from connectors.jira.sandbox import agile, agile_issues, beans, filters
from connectors.jira.sandbox.jql.sql import inverse
from connectors.jira.sandbox.part_beans import parts
from connectors.jira.sandbox.site import DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
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
_KINDS = frozenset({"scrum", "kanban", "simple"})
_LONGEST = 255
_STATES = frozenset({"future", "active", "closed"})


@routes.on("GET", "/board")
def boards(call: Call) -> Json:
    """Return a page of the boards that the caller sees."""
    text, kind = call.query.get("name", "").casefold(), call.words("type")
    wanted = call.query.get("projectKeyOrId")
    project = None
    if wanted:
        project = _project(call, wanted)
    found = [
        agile.board_bean(call, row)
        for row in agile.boards(call)
        if text in row["name"].casefold()
        and (not kind or row["kind"] in kind)
        and (project is None or project in _projects(call, row))
    ]
    return agile_issues.listed(call, found)


def _project(call: Call, ref: str) -> int:
    row = call.store.row("SELECT * FROM project WHERE key=? OR id=?", ref.upper(), ref)
    if row is None or not call.may("BROWSE_PROJECTS", row["id"]):
        raise bad_request(f"No project could be found with key or id '{ref}'.")
    return int(row["id"])


def _projects(call: Call, board: Row) -> list[int]:
    """Return the projects that a board shows: its own, and those its query names or finds."""
    jql = agile.board_jql(call, board)
    found = {board["project"]} if board["project"] is not None else set()
    for row in call.store.rows("SELECT id, key FROM project ORDER BY id"):
        words = jql.replace("(", " ").replace(")", " ").replace(",", " ").replace("=", " ").split()
        if {row["key"], f'"{row["key"]}"', str(row["id"])} & {one.upper() for one in words}:
            found.add(row["id"])
    return [one for one in sorted(found) if call.may("BROWSE_PROJECTS", one)]


@routes.on("POST", "/board")
def post_board(call: Call) -> Json:
    """Make a board over a saved filter that the caller reads."""
    body = call.json()
    name, kind, number = body.get("name"), body.get("type"), body.get("filterId")
    errors: dict[str, str] = {}
    if not isinstance(name, str) or not name.strip():
        errors["name"] = "The board name cannot be empty."
    elif len(name) > _LONGEST:
        errors["name"] = "The board name must be 255 characters or less."
    if kind not in _KINDS:
        errors["type"] = f"'{kind}' is not a type of board. Use scrum, kanban or simple."
    if errors:
        raise bad_request(*errors.values())
    try:
        row = filters.visible(call, str(number))
    except ApiError as error:
        raise bad_request(f"The filter with id '{number}' does not exist.") from error
    place = body.get("location") if isinstance(body.get("location"), dict) else {}
    project = None
    if place and place.get("type") == "project":
        project = _project(call, str(place.get("projectKeyOrId")))
    board: Row = {
        "id": call.store.counter("board", 1),
        "name": str(name),
        "kind": str(kind),
        "filter": row["id"],
        "project": project,
        "owner": call.user.id,
    }
    call.store.insert("board", board)
    return Reply(status=HTTPStatus.CREATED, body=agile.board_bean(call, board))


@routes.on("GET", "/board/filter/{id}")
def boards_of_filter(call: Call) -> Json:
    """Return the boards that stand on a filter."""
    rows = [row for row in agile.boards(call) if str(row["filter"]) == call.path["id"]]
    base = agile.where(call)
    found: list[Row] = [
        {"id": row["id"], "self": f"{base}/board/{row['id']}", "name": row["name"]} for row in rows
    ]
    return agile_issues.listed(call, found)


@routes.on("GET", "/board/{board}")
def get_board(call: Call) -> Json:
    """Return one board."""
    return agile.board_bean(call, agile.board_row(call, call.path["board"]))


def _own(call: Call) -> Row:
    row = agile.board_row(call, call.path["board"])
    if row["owner"] != call.user.id and not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to change this board.")
    return row


@routes.on("DELETE", "/board/{board}")
def delete_board(call: Call) -> Json:
    """Remove a board and its sprints."""
    agile.remove_board(call, _own(call)["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/board/{board}/configuration")
def configuration(call: Call) -> Json:
    """Return the filter, the columns, the estimation and the ranking of a board."""
    row = agile.board_row(call, call.path["board"])
    categories = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}
    columns: list[Row] = []
    for key, name in categories.items():
        held = [one["id"] for one in call.definition.statuses.values() if one["category"] == key]
        statuses = [{"id": one, "self": f"{call.site.url}/rest/api/2/status/{one}"} for one in held]
        columns.append({"name": name, "statuses": statuses})
    bean: Row = {
        "id": row["id"],
        "name": row["name"],
        "type": row["kind"],
        "self": f"{agile.where(call)}/board/{row['id']}/configuration",
        "filter": {
            "id": str(row["filter"]),
            "self": f"{call.site.url}/rest/api/2/filter/{row['filter']}",
        },
        "columnConfig": {"columns": columns, "constraintType": "none"},
        "ranking": {"rankCustomFieldId": 10019},
    }
    if row["kind"] == "scrum":
        field = {"fieldId": agile.ESTIMATE, "displayName": "Story point estimate"}
        bean["estimation"] = {"type": "field", "field": field}
    if row["kind"] == "kanban":
        bean["subQuery"] = {"query": "fixVersion in unreleasedVersions() OR fixVersion is EMPTY"}
    if call.cloud:
        bean["location"] = agile.board_bean(call, row)["location"]
    return bean


@routes.on("GET", "/board/{board}/project")
def board_projects(call: Call) -> Json:
    """Return a page of the projects that a board shows."""
    row = agile.board_row(call, call.path["board"])
    return agile_issues.listed(
        call, [beans.project_bean(call, one) for one in _projects(call, row)]
    )


@routes.on("GET", "/board/{board}/version")
def board_versions(call: Call) -> Json:
    """Return a page of the versions of a board's projects."""
    row = agile.board_row(call, call.path["board"])
    found = [one for each in _projects(call, row) for one in parts(call, "version", each)]
    wanted = call.query.get("released")
    if wanted:
        found = [one for one in found if one["released"] is (wanted.lower() == "true")]
    return agile_issues.listed(call, [{**one, "id": int(one["id"])} for one in found])


@routes.on("GET", "/board/{board}/issue")
def board_issues(call: Call) -> Json:
    """Return a page of the issues on a board."""
    row = agile.board_row(call, call.path["board"])
    return agile_issues.page(call, agile_issues.on_board(call, row))


@routes.on("GET", "/board/{board}/backlog")
def board_backlog(call: Call) -> Json:
    """Return a page of the issues that are in no open sprint."""
    row = agile.board_row(call, call.path["board"])
    outside = inverse(agile_issues.in_open_sprint())
    return agile_issues.page(call, agile_issues.on_board(call, row), outside)


@routes.on("GET", "/board/{board}/sprint")
def board_sprints(call: Call) -> Json:
    """Return a page of the sprints of a board; a kanban board has none to give."""
    row = agile.board_row(call, call.path["board"])
    if row["kind"] == "kanban":
        raise bad_request("The board does not support sprints")
    states = call.words("state")
    if not set(states) <= _STATES:
        raise bad_request(f"Unknown sprint state: {', '.join(states)}")
    rows = call.store.rows("SELECT * FROM sprint WHERE board=? ORDER BY place, id", row["id"])
    found = [agile.sprint_bean(call, one) for one in rows if not states or one["state"] in states]
    return agile_issues.listed(call, found)


@routes.on("GET", "/board/{board}/sprint/{sprint}/issue")
def board_sprint_issues(call: Call) -> Json:
    """Return a page of the issues of a board that are in a sprint."""
    row = agile.board_row(call, call.path["board"])
    sprint = agile.sprint_row(call, call.path["sprint"])
    inside = agile_issues.in_sprint(sprint["id"])
    return agile_issues.page(call, agile_issues.on_board(call, row), inside)


@routes.on("GET", "/board/{board}/epic")
def board_epics(call: Call) -> Json:
    """Return a page of the epics of a board's projects."""
    row = agile.board_row(call, call.path["board"])
    epics = [one["id"] for one in call.definition.types.values() if one["name"] == "Epic"]
    found: list[Row] = []
    for project in _projects(call, row):
        rows = call.store.rows("SELECT * FROM issue WHERE project=? ORDER BY id", project)
        found += [agile_issues.epic_bean(call, one) for one in rows if one["type"] in epics]
    done = call.query.get("done")
    if done:
        found = [one for one in found if one["done"] is (done.lower() == "true")]
    return agile_issues.listed(call, found)


@routes.on("GET", "/board/{board}/epic/none/issue")
def board_without_epic(call: Call) -> Json:
    """Return a page of the issues of a board that belong to no epic."""
    row = agile.board_row(call, call.path["board"])
    outside = agile_issues.in_no_epic(call)
    return agile_issues.page(call, agile_issues.on_board(call, row), outside)


@routes.on("GET", "/board/{board}/epic/{epic}/issue")
def board_epic_issues(call: Call) -> Json:
    """Return a page of the issues of a board that belong to an epic."""
    row = agile.board_row(call, call.path["board"])
    if not call.path["epic"].isdigit():
        raise bad_request("The epic is given by its id.")
    inside = agile_issues.in_epic(int(call.path["epic"]))
    return agile_issues.page(call, agile_issues.on_board(call, row), inside)


# --- properties of boards and sprints


def _holder(call: Call) -> tuple[str, Row, str]:
    if "board" in call.path:
        row = agile.board_row(call, call.path["board"])
        return "board", row, f"{agile.where(call)}/board/{row['id']}/properties"
    row = agile.sprint_row(call, call.path["sprint"])
    return "sprint", row, f"{agile.where(call)}/sprint/{row['id']}/properties"


@routes.on("GET", "/board/{board}/properties", "/sprint/{sprint}/properties")
def property_keys(call: Call) -> Json:
    """Return the keys of the properties of a board or a sprint."""
    _table, row, place = _holder(call)
    return {"keys": [{"self": f"{place}/{key}", "key": key} for key in loads(row["properties"])]}


@routes.on("GET", "/board/{board}/properties/{property}", "/sprint/{sprint}/properties/{property}")
def get_property(call: Call) -> Json:
    """Return one property of a board or a sprint."""
    _table, row, _place = _holder(call)
    held, key = loads(row["properties"]), call.path["property"]
    if key not in held:
        raise not_found(f"The property with key '{key}' does not exist.")
    return {"key": key, "value": held[key]}


@routes.on("PUT", "/board/{board}/properties/{property}", "/sprint/{sprint}/properties/{property}")
def put_property(call: Call) -> Json:
    """Set one property: 201 where it is new, 200 where it was there."""
    table, row, _place = _holder(call)
    held, key = loads(row["properties"]), call.path["property"]
    if call.broken or call.body is None:
        raise bad_request("The value you provided is not a valid JSON.")
    new = key not in held
    held[key] = call.body
    call.store.update(table, row["id"], {"properties": dumps(held)})
    return Reply(status=HTTPStatus.CREATED if new else HTTPStatus.OK)


@routes.on(
    "DELETE", "/board/{board}/properties/{property}", "/sprint/{sprint}/properties/{property}"
)
def delete_property(call: Call) -> Json:
    """Remove one property."""
    table, row, _place = _holder(call)
    held, key = loads(row["properties"]), call.path["property"]
    if key not in held:
        raise not_found(f"The property with key '{key}' does not exist.")
    del held[key]
    call.store.update(table, row["id"], {"properties": dumps(held)})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/board/{board}/settings/refined-velocity", flavours=DATA_CENTER_ONLY)
def velocity(call: Call) -> Json:
    """Return whether a board counts its velocity the refined way."""
    row = agile.board_row(call, call.path["board"])
    return {"value": bool(loads(row["settings"]).get("velocity"))}


@routes.on("PUT", "/board/{board}/settings/refined-velocity", flavours=DATA_CENTER_ONLY)
def put_velocity(call: Call) -> Json:
    """Say how a board counts its velocity."""
    value = call.json().get("value")
    if not isinstance(value, bool):
        raise bad_request("The value must be true or false.")
    call.store.update("board", _own(call)["id"], {"settings": dumps({"velocity": value})})
    return Reply()
