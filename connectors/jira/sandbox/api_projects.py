"""Projects: listed, read, made, changed, deleted; their statuses, roles and schemes."""

import re
from http import HTTPStatus

from connectors.jira.sandbox import agile, beans, issues
from connectors.jira.sandbox.part_beans import parts
from connectors.jira.sandbox.projects import create_project, remove_project
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    field_errors,
    forbidden,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()
_KEY = re.compile(r"^[A-Z][A-Z0-9_]{1,9}$")
_TEMPLATES = {"service_desk": "itsm", "business": "business"}


def visible_project(call: Call, key: str) -> Row:
    """Return a project that the caller may browse.

    Raises:
        ApiError: 404.
    """
    # A key is taken as it is written on Cloud, and in any case on Data Center.
    named = key if call.cloud else key.upper()
    row = call.store.row("SELECT * FROM project WHERE key=? OR id=?", named, key)
    if row is None or not call.may("BROWSE_PROJECTS", row["id"]):
        noun = "key" if not key.isdigit() else "id"
        raise not_found(f"No project could be found with {noun} '{key}'.")
    return row


def _visible(call: Call) -> list[Row]:
    rows = call.store.rows("SELECT * FROM project ORDER BY key")
    return [row for row in rows if call.may("BROWSE_PROJECTS", row["id"])]


def _brief(call: Call, row: Row) -> Row:
    bean: Row = {
        "expand": "description,lead,issueTypes,url,projectKeys",
        **beans.project(call, row),
    }
    if row["category"] is not None:
        found = call.store.row("SELECT * FROM project_category WHERE id=?", row["category"])
        if found is not None:
            bean["projectCategory"] = category_bean(call, found)
    if call.cloud:
        bean |= {"style": "classic", "isPrivate": False, "properties": {}}
    if "projectKeys" in call.words("expand"):
        bean["projectKeys"] = [row["key"]]
    return bean


def category_bean(call: Call, row: Row) -> Row:
    """Return a project category."""
    return {
        "self": f"{call.api}/projectCategory/{row['id']}",
        "id": str(row["id"]),
        "name": row["name"],
        "description": row["description"],
    }


def full(call: Call, row: Row) -> Row:
    """Return a project with its lead, types and parts."""
    bean = _brief(call, row)
    lead = beans.user_of(call, row["lead"])
    bean |= {
        "description": row["description"],
        "lead": lead,
        "components": parts(call, "component", row["id"]),
        "issueTypes": [
            beans.issue_type(call, one["id"]) for one in call.definition.types_of(row["template"])
        ],
        "url": row["url"],
        "assigneeType": row["assignee_type"],
        "versions": parts(call, "version", row["id"]),
        "roles": {
            name: f"{call.api}/project/{row['id']}/role/{number}"
            for name, number in call.definition.roles.items()
        },
    }
    if not row["url"]:
        del bean["url"]
    return bean


@routes.on("GET", "/project", anonymous=True)
def list_projects(call: Call) -> Json:
    """Return the projects that the caller may browse."""
    wanted = {"description", "lead", "url"} & {*call.words("expand")}
    found: list[Row] = []
    for row in _visible(call):
        more = full(call, row) if wanted else {}
        found.append(_brief(call, row) | {one: more[one] for one in wanted if one in more})
    return found


@routes.on("GET", "/project/search", anonymous=True, flavours=CLOUD_ONLY)
def search_projects(call: Call) -> Json:
    """Return a page of the projects that the caller may browse."""
    text = call.query.get("query", "").casefold()
    wanted = {*call.query.getlist("keys"), *call.query.getlist("id")}
    kinds = call.words("typeKey")
    found = [
        row
        for row in _visible(call)
        if text in f"{row['key']} {row['name']}".casefold()
        and (not wanted or wanted & {row["key"], str(row["id"])})
        and (not kinds or call.definition.templates[row["template"]]["type"] in kinds)
    ]
    order = call.query.get("orderBy") or "key"
    name = order.lstrip("+-")
    if name in {"key", "name"}:
        found.sort(key=lambda row: str(row[name]).casefold(), reverse=order.startswith("-"))
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 100)
    page = [_brief(call, row) for row in sliced(found, start, limit)]
    return page_bean(page, start, limit, len(found), f"{call.api}/project/search")


@routes.on("GET", "/project/{project}", anonymous=True)
def get_project(call: Call) -> Json:
    """Return one project."""
    return full(call, visible_project(call, call.path["project"]))


def _admin(call: Call) -> None:
    if not call.people.is_admin(call.user):
        raise forbidden("You must have global administrator rights in order to modify projects.")


@routes.on("POST", "/project")
def post_project(call: Call) -> Json:
    """Make a project; what it is made of follows from its type."""
    _admin(call)
    body = call.json()
    key, name = body.get("key"), body.get("name")
    errors: dict[str, str] = {}
    if not isinstance(key, str) or not _KEY.match(key):
        errors["projectKey"] = (
            "Project keys must start with an uppercase letter, followed by one or more uppercase"
            " alphanumeric characters."
        )
    elif call.store.row("SELECT 1 AS x FROM project WHERE key=?", key):
        errors["projectKey"] = f"Project '{key}' uses this project key."
    if not isinstance(name, str) or not name.strip():
        errors["projectName"] = "You must specify a valid project name."
    elif call.store.row("SELECT 1 AS x FROM project WHERE name=? COLLATE NOCASE", name):
        errors["projectName"] = "A project with that name already exists."
    lead = _lead(call, body)
    if lead is None:
        errors["projectLead"] = "You must specify a valid project lead."
    if errors:
        raise field_errors(errors)
    row = create_project(
        call.store,
        call.definition,
        key=str(key),
        name=str(name),
        template=_template(call, body),
        lead=str(lead),
        more={
            "description": str(body.get("description") or ""),
            "assignee_type": str(body.get("assigneeType") or _default_assignee(call, body)),
            "url": str(body.get("url") or ""),
            "category": body.get("categoryId"),
        },
    )
    board = _board_kind(body)
    if board is not None:
        agile.make_board(call, row, board, row["lead"])
    made = {"self": f"{call.api}/project/{row['id']}", "id": row["id"], "key": row["key"]}
    return Reply(status=HTTPStatus.CREATED, body=made)


def _asked(body: Row) -> tuple[str, str]:
    """Return the type and the template that a new project asks for."""
    kind = str(body.get("projectTypeKey") or "software")
    return kind, str(body.get("projectTemplateKey") or "")


def _default_assignee(call: Call, body: Row) -> str:
    """Return who new issues go to where nothing is said: the lead, in Cloud's software projects."""
    return "PROJECT_LEAD" if call.cloud and _asked(body)[0] == "software" else "UNASSIGNED"


def _board_kind(body: Row) -> str | None:
    """Return the type of the board that a template brings; "simple" is the team-managed one."""
    kind, asked = _asked(body)
    if kind != "software" or not ("scrum" in asked or "kanban" in asked):
        return None
    if "simplified-agility" in asked:
        return "simple"
    return "scrum" if "scrum" in asked else "kanban"


def _template(call: Call, body: Row) -> str:
    kind, asked = _asked(body)
    if kind == "software" and ("kanban" in asked or "scrum" in asked):
        return "kanban"
    if kind == "software" and call.cloud and not asked:
        return "kanban"
    return _TEMPLATES.get(kind, "software")


def _lead(call: Call, body: Row) -> str | None:
    if call.cloud:
        key = body.get("leadAccountId")
        found = call.people.by_id(key) if isinstance(key, str) else None
    else:
        found = call.people.by_name(str(body.get("lead") or ""))
    if found is None and not body.get("lead") and not body.get("leadAccountId"):
        found = call.user if not call.cloud else None
    return None if found is None else found.id


@routes.on("PUT", "/project/{project}")
def put_project(call: Call) -> Json:
    """Change a project; a new key keeps the old one as an alias of its issues."""
    _admin(call)
    row = visible_project(call, call.path["project"])
    body = call.json()
    names = {
        "name": "name",
        "description": "description",
        "assigneeType": "assignee_type",
        "url": "url",
    }
    changed: Row = {
        column: str(body[one]) for one, column in names.items() if body.get(one) is not None
    }
    if body.get("lead") or body.get("leadAccountId"):
        lead = _lead(call, body)
        if lead is None:
            raise field_errors({"projectLead": "You must specify a valid project lead."})
        changed["lead"] = lead
    if isinstance(body.get("categoryId"), int):
        changed["category"] = body["categoryId"]
    key = body.get("key")
    if isinstance(key, str) and key != row["key"]:
        _rename(call, row, key)
        changed["key"] = key
    if changed:
        call.store.update("project", row["id"], changed)
    return full(call, visible_project(call, str(row["id"])))


def _rename(call: Call, row: Row, key: str) -> None:
    if not _KEY.match(key) or call.store.row("SELECT 1 AS x FROM project WHERE key=?", key):
        raise field_errors({"projectKey": f"Project '{key}' uses this project key."})
    call.store.run(
        "INSERT OR REPLACE INTO moved SELECT key, id FROM issue WHERE project=?", row["id"]
    )
    call.store.run("UPDATE issue SET key=? || '-' || number WHERE project=?", key, row["id"])
    call.store.run("UPDATE ix SET key=? || '-' || number WHERE project=?", key, row["id"])


@routes.on("DELETE", "/project/{project}")
def delete_project(call: Call) -> Json:
    """Delete a project with its issues."""
    _admin(call)
    row = visible_project(call, call.path["project"])
    for one in call.store.rows("SELECT id FROM issue WHERE project=?", row["id"]):
        issues.delete(call, issues.reload(call, one))
    for board in agile.boards_of_project(call, row["id"]):
        agile.remove_board(call, board["id"])
        call.store.run("DELETE FROM filter WHERE id=?", board["filter"])
    remove_project(call.store, row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/project/{project}/hierarchy", flavours=CLOUD_ONLY)
def hierarchy(call: Call) -> Json:
    """Refuse the hierarchy of types: only team-managed projects have one of their own."""
    row = visible_project(call, call.path["project"])
    raise not_found(f"Project {row['id']} is not simplified.")


@routes.on("GET", "/project/{project}/statuses", anonymous=True)
def project_statuses(call: Call) -> Json:
    """Return the statuses of each issue type of a project."""
    row = visible_project(call, call.path["project"])
    found: list[Row] = []
    for one in call.definition.types_of(row["template"]):
        flow = call.definition.workflow(row["template"], one["id"])
        found.append(
            {
                "self": f"{call.api}/issuetype/{one['id']}",
                "id": one["id"],
                "name": one["name"],
                "subtask": bool(one.get("subtask")),
                "statuses": [beans.status(call, number) for number in flow.statuses],
            }
        )
    return found
