"""Boards, sprints and epics: their rows, how they look, and the issues that they hold."""

from collections.abc import Mapping
from datetime import UTC, datetime

from connectors.jira.sandbox import filters
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import ApiError, Json, Row, not_found, stamp

SPRINT = "customfield_10020"
EPIC_NAME = "customfield_10011"
EPIC_LINK = "customfield_10014"
EPIC_COLOUR = "customfield_10013"
EPIC_STATUS = "customfield_10012"
ESTIMATE = "customfield_10016"
NO_BOARD = (
    "The requested board cannot be viewed because it either does not exist or you do not have"
    " permission to view it."
)
NO_SPRINT = "Sprint does not exist"


def where(call: Call) -> str:
    """Return the address of the agile API."""
    return f"{call.site.url}/rest/agile/1.0"


def moment(call: Call, millis: int | None) -> str | None:
    """Render an instant as the agile API does: in UTC on Cloud, else with a colon in the offset."""
    if millis is None:
        return None
    if call.cloud:
        at = datetime.fromtimestamp(millis / 1000, tz=UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"
    shown = stamp(millis, call.zone) or ""
    return f"{shown[:-2]}:{shown[-2:]}"


# --- boards


def _shared_filter(call: Call, board: Row) -> Row | None:
    row = call.store.row("SELECT * FROM filter WHERE id=?", board["filter"])
    return row if row is not None and filters.readable(call, row) else None


def boards(call: Call) -> list[Row]:
    """Return the boards whose filter the caller reads."""
    rows = call.store.rows("SELECT * FROM board ORDER BY id")
    return [row for row in rows if _shared_filter(call, row) is not None]


def board_row(call: Call, number: str) -> Row:
    """Return a board that the caller sees.

    Raises:
        ApiError: 404.
    """
    row = call.store.row("SELECT * FROM board WHERE id=?", number)
    if row is None or _shared_filter(call, row) is None:
        raise not_found(NO_BOARD)
    return row


def board_jql(call: Call, board: Row) -> str:
    """Return the query of a board's filter."""
    body = call.store.value("SELECT body FROM filter WHERE id=?", board["filter"])
    return str(loads(body).get("jql", "")) if body else ""


def board_bean(call: Call, board: Row) -> Row:
    """Return a board; on Cloud with the project or the user that it belongs to."""
    bean: Row = {
        "id": board["id"],
        "self": f"{where(call)}/board/{board['id']}",
        "name": board["name"],
        "type": board["kind"],
    }
    if not call.cloud:
        return bean
    project = call.store.row("SELECT * FROM project WHERE id=?", board["project"])
    if project is None:
        owner = call.people.by_id(board["owner"])
        shown = "" if owner is None else owner.display
        bean["location"] = {
            "userAccountId": board["owner"],
            "displayName": shown,
            "name": shown,
            "avatarURI": f"{call.site.url}/secure/useravatar?avatarId=10122",
        }
    else:
        bean["location"] = {
            "projectId": project["id"],
            "displayName": f"{project['name']} ({project['key']})",
            "projectName": project["name"],
            "projectKey": project["key"],
            "projectTypeKey": call.definition.templates[project["template"]]["type"],
            "avatarURI": f"{call.site.url}/secure/projectavatar?avatarId=10400",
            "name": f"{project['name']} ({project['key']})",
        }
    return bean | {"isPrivate": False}


def make_board(call: Call, project: Row, kind: str, owner: str) -> Row:
    """Make the board that comes with a new software project, and its filter."""
    share = {
        "id": call.store.counter("share", 10000), "type": "project", "project": project["id"],
    }  # fmt: skip
    jql = f"project = {project['key']} ORDER BY Rank ASC"
    made = filters.make(call, owner, f"Filter for {project['key']} board", jql, [share])
    row: Row = {
        "id": call.store.counter("board", 1),
        "name": f"{project['key']} board",
        "kind": kind,
        "filter": made["id"],
        "project": project["id"],
        "owner": owner,
    }
    call.store.insert("board", row)
    return row


def remove_board(call: Call, number: int) -> None:
    """Remove a board with its sprints; the issues leave those sprints."""
    for row in call.store.rows("SELECT id FROM sprint WHERE board=?", number):
        remove_sprint(call, row["id"])
    call.store.run("DELETE FROM board WHERE id=?", number)


def boards_of_project(call: Call, project: int) -> list[Row]:
    """Return the boards that belong to a project."""
    return call.store.rows("SELECT * FROM board WHERE project=?", project)


# --- sprints


def sprint_row(call: Call, number: str) -> Row:
    """Return a sprint of a board that the caller sees.

    Raises:
        ApiError: 404.
    """
    row = call.store.row("SELECT * FROM sprint WHERE id=?", number)
    if row is None:
        raise not_found(NO_SPRINT)
    try:
        board_row(call, str(row["board"]))
    except ApiError as error:
        raise not_found(NO_SPRINT) from error
    return row


_WHEN: Mapping[str, str] = {
    "starts": "startDate",
    "ends": "endDate",
    "completed": "completeDate",
    "activated": "activatedDate",
}


def sprint_bean(call: Call, row: Row) -> Row:
    """Return a sprint; what it has not reached is left out."""
    bean: Row = {
        "id": row["id"],
        "self": f"{where(call)}/sprint/{row['id']}",
        "state": row["state"],
        "name": row["name"],
    }
    for column, name in _WHEN.items():
        if row[column] is not None and (name != "activatedDate" or not call.cloud):
            bean[name] = moment(call, row[column])
    if call.cloud:
        bean["createdDate"] = moment(call, row["created"])
    bean["originBoardId"] = row["board"]
    bean["goal"] = row["goal"] or ""
    if not call.cloud:
        bean |= {"synced": False, "autoStartStop": False}
    return bean


def sprints_shown(call: Call, numbers: list[int]) -> Json:
    """Return the value of the Sprint field of an issue: every sprint that it was in."""
    found: list[Row] = []
    for number in numbers:
        row = call.store.row("SELECT * FROM sprint WHERE id=?", number)
        if row is not None:
            bean = sprint_bean(call, row)
            kept = {"id", "name", "state", "goal", "startDate", "endDate", "completeDate"}
            shown = {key: one for key, one in bean.items() if key in kept}
            found.append({**shown, "boardId": row["board"]})
    return found or None


def remove_sprint(call: Call, number: int) -> None:
    """Remove a sprint; its issues keep only the other sprints they were in."""
    from connectors.jira.sandbox import issues  # noqa: PLC0415 - issues show sprints

    for issue in issues_in_sprint(call, number):
        held = [one for one in issue["fields"].get(SPRINT, ()) if one != number]
        issues.change(call, issue, {SPRINT: held})
    call.store.run("DELETE FROM sprint WHERE id=?", number)


def issues_in_sprint(call: Call, number: int) -> list[Row]:
    """Return the issues that are or were in a sprint."""
    sql = (
        "SELECT i.* FROM issue i, json_each(i.fields, '$.customfield_10020') s"
        " WHERE s.value=? ORDER BY i.id"
    )
    rows = call.store.rows(sql, number)
    for row in rows:
        row["fields"] = loads(row["fields"])
    return rows


def open_sprints(call: Call, numbers: list[int]) -> list[int]:
    """Return which of these sprints are not closed."""
    found = [call.store.row("SELECT * FROM sprint WHERE id=?", one) for one in numbers]
    return [row["id"] for row in found if row is not None and row["state"] != "closed"]
