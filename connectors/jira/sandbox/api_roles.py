"""Roles and properties of projects."""

from http import HTTPStatus

from connectors.jira.sandbox.api_projects import visible_project
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, forbidden, not_found

routes = Routes()


@routes.on("GET", "/project/{project}/role", anonymous=True)
def project_roles(call: Call) -> Json:
    """Return the roles of a project by name."""
    row = visible_project(call, call.path["project"])
    return {
        name: f"{call.api}/project/{row['id']}/role/{number}"
        for name, number in call.definition.roles.items()
    }


def _role_name(call: Call) -> str:
    for name, number in call.definition.roles.items():
        if number == call.path["role"]:
            return name
    raise not_found(f"Can not find a role with ID '{call.path['role']}'.")


@routes.on("GET", "/project/{project}/role/{role}", anonymous=True)
def project_role(call: Call) -> Json:
    """Return who holds a role in a project."""
    row = visible_project(call, call.path["project"])
    return _role(call, row, _role_name(call))


def _role(call: Call, row: Row, name: str) -> Row:
    held = call.store.rows(
        "SELECT rowid, * FROM project_role WHERE project=? AND role=?", row["id"], name
    )
    actors: list[Row] = []
    for one in held:
        actor: Row = {"id": one["rowid"]}
        if one["kind"] == "group":
            group = call.people.group(one["holder"])
            if group is None:
                continue
            actor |= {
                "displayName": group["name"],
                "type": "atlassian-group-role-actor",
                "name": group["name"],
            }
            known = {"groupId": group["id"]} if call.cloud else {}
            actor["actorGroup"] = {"displayName": group["name"], "name": group["name"], **known}
        else:
            account = call.people.by_id(one["holder"])
            if account is None:
                continue
            actor |= {"displayName": account.display, "type": "atlassian-user-role-actor"}
            actor["actorUser"] = (
                {"accountId": account.id}
                if call.cloud
                else {"name": account.name, "key": account.id}
            )
            if not call.cloud:
                actor["name"] = account.name
        actors.append(actor)
    number = call.definition.roles[name]
    return {
        "self": f"{call.api}/project/{row['id']}/role/{number}",
        "name": name,
        "id": int(number),
        "description": f"The {name} of the project",
        "actors": actors,
    }


@routes.on("POST", "/project/{project}/role/{role}")
def add_actor(call: Call) -> Json:
    """Give a role to users or groups."""
    row = visible_project(call, call.path["project"])
    if not call.may("ADMINISTER_PROJECTS", row["id"]):
        raise forbidden("You do not have permission to administer this project.")
    name = _role_name(call)
    body = call.json()
    groups = [*(body.get("group") or []), *(body.get("groupId") or [])]
    _grant(call, row, name, groups, body.get("user") or [])
    return _role(call, row, name)


def _grant(call: Call, row: Row, role: str, groups: list[Json], users: list[Json]) -> None:
    holders: list[tuple[str, str]] = []
    for one in groups:
        group = call.people.group(str(one))
        if group is None:
            raise bad_request(f"'{one}' is not a group.")
        holders.append(("group", group["id"]))
    for one in users:
        account = call.people.named(str(one))
        if account is None:
            raise bad_request(f"'{one}' is not a user.")
        holders.append(("user", account.id))
    for kind, holder in holders:
        call.store.run(
            "INSERT OR IGNORE INTO project_role VALUES (?, ?, ?, ?)", row["id"], role, kind, holder
        )


@routes.on("PUT", "/project/{project}/role/{role}")
def set_actors(call: Call) -> Json:
    """Replace who holds a role."""
    row = visible_project(call, call.path["project"])
    if not call.may("ADMINISTER_PROJECTS", row["id"]):
        raise forbidden("You do not have permission to administer this project.")
    name = _role_name(call)
    chosen = call.json().get("categorisedActors")
    if not isinstance(chosen, dict):
        raise bad_request("'categorisedActors' is required.")
    call.store.run("DELETE FROM project_role WHERE project=? AND role=?", row["id"], name)
    groups = [
        *(chosen.get("atlassian-group-role-actor") or []),
        *(chosen.get("atlassian-group-role-actor-id") or []),
    ]
    _grant(call, row, name, groups, chosen.get("atlassian-user-role-actor") or [])
    return _role(call, row, name)


# --- properties of projects


@routes.on("GET", "/project/{project}/properties", anonymous=True)
def list_properties(call: Call) -> Json:
    """Return the keys of a project's properties."""
    row = visible_project(call, call.path["project"])
    where = f"{call.api}/project/{row['key']}/properties"
    return {
        "keys": [{"self": f"{where}/{key}", "key": key} for key in sorted(loads(row["properties"]))]
    }


@routes.on("GET", "/project/{project}/properties/{property}", anonymous=True)
def get_property(call: Call) -> Json:
    """Return one property of a project."""
    row = visible_project(call, call.path["project"])
    held, key = loads(row["properties"]), call.path["property"]
    if key not in held:
        raise not_found(f"The property with key '{key}' does not exist.")
    return {"key": key, "value": held[key]}


@routes.on("PUT", "/project/{project}/properties/{property}")
def put_property(call: Call) -> Json:
    """Set one property of a project."""
    row = visible_project(call, call.path["project"])
    if not call.may("ADMINISTER_PROJECTS", row["id"]):
        raise forbidden("You do not have permission to administer this project.")
    if call.broken or call.body is None:
        raise bad_request("The value you provided is not a valid JSON.")
    held = loads(row["properties"])
    new = call.path["property"] not in held
    held[call.path["property"]] = call.body
    call.store.update("project", row["id"], {"properties": dumps(held)})
    return Reply(
        status=HTTPStatus.CREATED if new else HTTPStatus.OK, body={} if call.cloud else None
    )
