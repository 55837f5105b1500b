"""The schemes, categories and parts that project administration asks for."""

from http import HTTPStatus

from connectors.jira.sandbox.api_projects import category_bean, visible_project
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
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
    """Return the issue security schemes: one that no project uses."""
    _admin(call)
    one: Row = _scheme(call, "issuesecurityschemes", 10000, "Default Issue Security Scheme")
    return {"issueSecuritySchemes": [one]}


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


@routes.on("GET", "/project/{project}/priorityscheme")
def project_priority_scheme(call: Call) -> Json:
    """Return the priority scheme of a project."""
    visible_project(call, call.path["project"])
    return {
        **_scheme(call, "priorityschemes", 10000, "Default priority scheme"),
        "defaultScheme": True,
        "defaultOptionId": "3",
        "optionIds": list(call.definition.priorities),
    }


@routes.on("GET", "/project/{project}/workflowscheme")
def project_workflow_scheme(call: Call) -> Json:
    """Return the workflow scheme of a project."""
    row = visible_project(call, call.path["project"])
    name = f"{row['key']}: Software Simplified Workflow Scheme"
    flows = call.definition.templates[row["template"]]["workflows"]
    known = {one["name"]: one["id"] for one in call.definition.types.values()}
    return {
        **_scheme(call, "workflowscheme", 10000 + row["id"], name),
        "defaultWorkflow": next(iter(flows.values())),
        "issueTypeMappings": {known[kind]: flow for kind, flow in flows.items()},
        "draft": False,
    }


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
