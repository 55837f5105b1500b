"""The schemes, categories and parts that project administration asks for."""

from http import HTTPStatus

from connectors.jira.sandbox.api_projects import category_bean, part_bean, parts, visible_project
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()


def _scheme(call: Call, kind: str, number: int, name: str) -> Row:
    return {
        "id": number,
        "self": f"{call.api}/{kind}/{number}",
        "name": name,
        "description": f"{name} of every project",
    }


def _admin(call: Call) -> None:
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer this site.")


@routes.on("GET", "/permissionscheme")
def permission_schemes(call: Call) -> Json:
    """Return the permission schemes."""
    one = {
        **_scheme(call, "permissionscheme", 0, "Default Permission Scheme"),
        "expand": "permissions",
    }
    return {"permissionSchemes": [one]}


@routes.on("GET", "/permissionscheme/{id}")
def permission_scheme(call: Call) -> Json:
    """Return one permission scheme."""
    if call.path["id"] != "0":
        raise not_found(f"Permission scheme with id '{call.path['id']}' not found.")
    return {
        **_scheme(call, "permissionscheme", 0, "Default Permission Scheme"),
        "expand": "permissions",
        "permissions": [],
    }


@routes.on("GET", "/project/{project}/permissionscheme")
def project_permission_scheme(call: Call) -> Json:
    """Return the permission scheme of a project."""
    visible_project(call, call.path["project"])
    return {
        **_scheme(call, "permissionscheme", 0, "Default Permission Scheme"),
        "expand": "permissions",
    }


@routes.on("GET", "/issuesecurityschemes")
def security_schemes(call: Call) -> Json:
    """Return the issue security schemes: none."""
    _admin(call)
    return {"issueSecuritySchemes": []}


@routes.on("GET", "/project/{project}/issuesecuritylevelscheme")
def project_security_scheme(call: Call) -> Json:
    """Return the issue security scheme of a project: none is set."""
    visible_project(call, call.path["project"])
    raise not_found("No issue security scheme is associated with this project.")


@routes.on("GET", "/project/{project}/securitylevel")
def security_levels(call: Call) -> Json:
    """Return the security levels of a project: none."""
    visible_project(call, call.path["project"])
    return {"levels": []}


@routes.on("GET", "/notificationscheme")
def notification_schemes(call: Call) -> Json:
    """Return the notification schemes."""
    one = {
        **_scheme(call, "notificationscheme", 10000, "Default Notification Scheme"),
        "expand": "all",
        "notificationSchemeEvents": [],
    }
    return page_bean([one], 0, 50, 1, f"{call.api}/notificationscheme")


@routes.on("GET", "/project/{project}/notificationscheme")
def project_notification_scheme(call: Call) -> Json:
    """Return the notification scheme of a project."""
    visible_project(call, call.path["project"])
    return {
        **_scheme(call, "notificationscheme", 10000, "Default Notification Scheme"),
        "expand": "all",
        "notificationSchemeEvents": [],
    }


@routes.on("GET", "/workflowscheme", flavours=CLOUD_ONLY)
def workflow_schemes(call: Call) -> Json:
    """Return one workflow scheme per project template."""
    _admin(call)
    found = [
        {
            **_scheme(call, "workflowscheme", 10000 + number, f"{name} workflow scheme"),
            "issueTypeMappings": {},
        }
        for number, name in enumerate(call.definition.templates)
    ]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = as_int(call.query.get("maxResults"), 50, name="maxResults")
    return page_bean(
        sliced(found, start, limit), start, limit, len(found), f"{call.api}/workflowscheme"
    )


@routes.on("GET", "/priorityscheme", flavours=CLOUD_ONLY)
def priority_schemes(call: Call) -> Json:
    """Return the priority schemes."""
    one: Row = {
        "id": "1",
        "self": f"{call.api}/priorityscheme/1",
        "name": "Default priority scheme",
        "description": "",
        "isDefault": True,
        "defaultPriorityId": "3",
    }
    return page_bean([one], 0, 50, 1, f"{call.api}/priorityscheme")


@routes.on("GET", "/role")
def roles(call: Call) -> Json:
    """Return the project roles of the site."""
    return [
        {
            "self": f"{call.api}/role/{number}",
            "name": name,
            "id": int(number),
            "description": f"The {name} of a project",
            "actors": [],
        }
        for name, number in call.definition.roles.items()
    ]


@routes.on("GET", "/role/{id}")
def role(call: Call) -> Json:
    """Return one project role."""
    for one in roles(call):
        if str(one["id"]) == call.path["id"]:
            return one
    raise not_found(f"Can not find a role with ID '{call.path['id']}'.")


# --- categories


@routes.on("GET", "/projectCategory")
def categories(call: Call) -> Json:
    """Return the project categories."""
    rows = call.store.rows("SELECT * FROM project_category ORDER BY id")
    return [category_bean(call, row) for row in rows]


def _category(call: Call) -> Row:
    row = call.store.row("SELECT * FROM project_category WHERE id=?", call.path["id"])
    if row is None:
        raise not_found(f"The project category with id '{call.path['id']}' does not exist.")
    return row


@routes.on("GET", "/projectCategory/{id}")
def category(call: Call) -> Json:
    """Return one project category."""
    return category_bean(call, _category(call))


@routes.on("POST", "/projectCategory")
def post_category(call: Call) -> Json:
    """Make a project category."""
    _admin(call)
    body = call.json()
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise bad_request("Project category name is required.")
    row = {
        "id": call.store.counter("project_category", 10000),
        "name": body["name"],
        "description": str(body.get("description") or ""),
    }
    call.store.insert("project_category", row)
    return Reply(status=HTTPStatus.CREATED, body=category_bean(call, row))


@routes.on("PUT", "/projectCategory/{id}")
def put_category(call: Call) -> Json:
    """Change a project category."""
    _admin(call)
    row, body = _category(call), call.json()
    changed = {one: str(body[one]) for one in ("name", "description") if body.get(one) is not None}
    if changed:
        call.store.update("project_category", row["id"], changed)
    return category_bean(call, {**row, **changed})


@routes.on("DELETE", "/projectCategory/{id}")
def delete_category(call: Call) -> Json:
    """Remove a project category."""
    _admin(call)
    row = _category(call)
    call.store.run("UPDATE project SET category=NULL WHERE category=?", row["id"])
    call.store.run("DELETE FROM project_category WHERE id=?", row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- components and versions


@routes.on("GET", "/project/{project}/components", anonymous=True)
def components(call: Call) -> Json:
    """Return the components of a project."""
    return parts(call, "component", visible_project(call, call.path["project"])["id"])


@routes.on("GET", "/project/{project}/versions", anonymous=True)
def versions(call: Call) -> Json:
    """Return the versions of a project."""
    return parts(call, "version", visible_project(call, call.path["project"])["id"])


def _make(call: Call, table: str, kept: tuple[str, ...]) -> Json:
    body = call.json()
    key = body.get("project") if body.get("project") is not None else body.get("projectId")
    row = visible_project(call, str(key))
    if not call.may("ADMINISTER_PROJECTS", row["id"]):
        raise forbidden("You do not have permission to administer this project.")
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise bad_request(f"The {table} name specified is invalid - cannot be an empty string.")
    made: Row = {
        "id": call.store.counter(table, 10000),
        "project": row["id"],
        "name": body["name"],
        "detail": dumps({one: body[one] for one in kept if body.get(one) is not None}),
    }
    known = call.store.value(
        f"SELECT 1 FROM {table} WHERE project=? AND name=?",  # noqa: S608 - a word of ours
        row["id"],
        made["name"],
    )
    if known:
        raise bad_request(f"A {table} with this name already exists in this project.")
    call.store.insert(table, made)
    return Reply(status=HTTPStatus.CREATED, body=part_bean(call, table, made))


@routes.on("POST", "/component")
def post_component(call: Call) -> Json:
    """Make a component."""
    return _make(call, "component", ("description", "assigneeType"))


@routes.on("POST", "/version")
def post_version(call: Call) -> Json:
    """Make a version."""
    return _make(
        call, "version", ("description", "archived", "released", "startDate", "releaseDate")
    )


def _part(call: Call, table: str) -> Row:
    row = call.store.row(
        f"SELECT * FROM {table} WHERE id=?",  # noqa: S608 - a word of ours
        call.path["id"],
    )
    if row is None or not call.may("BROWSE_PROJECTS", row["project"]):
        raise not_found(f"The {table} with id {call.path['id']} does not exist.")
    return row


@routes.on("GET", "/component/{id}", anonymous=True)
def get_component(call: Call) -> Json:
    """Return one component."""
    return part_bean(call, "component", _part(call, "component"))


@routes.on("GET", "/version/{id}", anonymous=True)
def get_version(call: Call) -> Json:
    """Return one version."""
    return part_bean(call, "version", _part(call, "version"))


def _alter(call: Call, table: str) -> Json:
    row, body = _part(call, table), call.json()
    if not call.may("ADMINISTER_PROJECTS", row["project"]):
        raise forbidden("You do not have permission to administer this project.")
    ours = {"id", "self", "name", "project", "projectId"}
    detail = {**loads(row["detail"]), **{key: one for key, one in body.items() if key not in ours}}
    changed = {"name": str(body.get("name") or row["name"]), "detail": dumps(detail)}
    call.store.update(table, row["id"], changed)
    return part_bean(call, table, {**row, **changed})


@routes.on("PUT", "/component/{id}")
def put_component(call: Call) -> Json:
    """Change a component."""
    return _alter(call, "component")


@routes.on("PUT", "/version/{id}")
def put_version(call: Call) -> Json:
    """Change a version."""
    return _alter(call, "version")


def _drop(call: Call, table: str) -> Json:
    row = _part(call, table)
    if not call.may("ADMINISTER_PROJECTS", row["project"]):
        raise forbidden("You do not have permission to administer this project.")
    call.store.run(
        f"DELETE FROM {table} WHERE id=?",  # noqa: S608 - a word of ours
        row["id"],
    )
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/component/{id}")
def delete_component(call: Call) -> Json:
    """Remove a component."""
    return _drop(call, "component")


@routes.on("DELETE", "/version/{id}")
def delete_version(call: Call) -> Json:
    """Remove a version."""
    return _drop(call, "version")
