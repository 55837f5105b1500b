"""Components and versions of projects."""

from http import HTTPStatus

from connectors.jira.sandbox.api_projects import visible_project
from connectors.jira.sandbox.part_beans import ordered_rows, part_bean, parts
from connectors.jira.sandbox.part_moves import owned_part, part
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, forbidden

routes = Routes()


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
    _free(call, table, row["id"], made["name"])
    call.store.insert(table, made)
    return Reply(status=HTTPStatus.CREATED, body=part_bean(call, table, made))


def _free(call: Call, table: str, project: int, name: str) -> None:
    """Answer 400 where a project has a component or version of this name."""
    known = call.store.value(
        f"SELECT 1 FROM {table} WHERE project=? AND name=?",  # noqa: S608 - a word of ours
        project,
        name,
    )
    if known:
        named = "with this name" if table == "version" else f"with the name {name}"
        raise bad_request(f"A {table} {named} already exists in this project.")


@routes.on("POST", "/component")
def post_component(call: Call) -> Json:
    """Make a component."""
    return _make(
        call, "component", ("description", "assigneeType", "leadUserName", "leadAccountId")
    )


@routes.on("POST", "/version")
def post_version(call: Call) -> Json:
    """Make a version."""
    return _make(
        call, "version", ("description", "archived", "released", "startDate", "releaseDate")
    )


@routes.on("GET", "/component/{id}", anonymous=True)
def get_component(call: Call) -> Json:
    """Return one component."""
    return part_bean(call, "component", part(call, "component", call.path["id"]))


@routes.on("GET", "/version/{id}", anonymous=True)
def get_version(call: Call) -> Json:
    """Return one version; `expand=issuesstatus` counts its issues by status category."""
    row = part(call, "version", call.path["id"])
    bean = part_bean(call, "version", row)
    if call.cloud and "issuesstatus" in call.words("expand"):
        bean["issuesStatusForFixVersion"] = _by_category(call, row["id"])
    return bean


def _by_category(call: Call, number: int) -> Row:
    rows = call.store.rows(
        "SELECT ix.category AS category, count(*) AS amount"
        " FROM ix_value v JOIN ix ON ix.id=v.issue WHERE v.field='fixVersions'"
        " AND v.value=? GROUP BY ix.category",
        number,
    )
    held = {row["category"]: row["amount"] for row in rows}
    return {
        "unmapped": held.get("undefined", 0),
        "toDo": held.get("new", 0),
        "inProgress": held.get("indeterminate", 0),
        "done": held.get("done", 0),
    }


def _alter(call: Call, table: str) -> Json:
    row, body = owned_part(call, table, call.path["id"]), call.json()
    if body.get("name") not in (None, "", row["name"]):
        _free(call, table, row["project"], str(body["name"]))
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


def _count(call: Call, field: str, number: int) -> int:
    sql = "SELECT count(*) FROM ix_value WHERE field=? AND value=?"
    return int(call.store.value(sql, field, number))


@routes.on("GET", "/version/{id}/relatedIssueCounts", anonymous=True)
def version_counts(call: Call) -> Json:
    """Return how many issues name a version."""
    row = part(call, "version", call.path["id"])
    return {
        "self": f"{call.api}/version/{row['id']}",
        "issuesFixedCount": _count(call, "fixVersions", row["id"]),
        "issuesAffectedCount": _count(call, "versions", row["id"]),
        "issueCountWithCustomFieldsShowingVersion": 0,
        "customFieldUsage": [],
    }


@routes.on("GET", "/version/{id}/unresolvedIssueCount", anonymous=True)
def version_unresolved(call: Call) -> Json:
    """Return how many unresolved issues a version should fix."""
    row = part(call, "version", call.path["id"])
    sql = (
        "SELECT count(*) FROM ix_value v JOIN ix ON ix.id=v.issue"
        " WHERE v.field='fixVersions' AND v.value=? AND ix.resolution IS NULL"
    )
    count = int(call.store.value(sql, row["id"]))
    total = _count(call, "fixVersions", row["id"])
    return {
        "self": f"{call.api}/version/{row['id']}",
        "issuesUnresolvedCount": count,
        "issuesCount": total,
    }


@routes.on("POST", "/version/{id}/move")
def move_version(call: Call) -> Json:
    """Move a version within its project: behind another one, or to an end of the list."""
    row = owned_part(call, "version", call.path["id"])
    ordered = [one["id"] for one in ordered_rows(call, "version", row["project"])]
    at = ordered.index(row["id"])
    ordered.remove(row["id"])
    ordered.insert(_place(call, ordered, at), row["id"])
    name = f"order.version.{row['project']}"
    call.store.run("INSERT OR REPLACE INTO site VALUES (?, ?)", name, dumps(ordered))
    return part_bean(call, "version", row)


def _place(call: Call, others: list[int], at: int) -> int:
    """Return where a version goes among the others of its project."""
    body = call.json()
    after, position = body.get("after"), body.get("position")
    if after is not None:
        number = str(after).rsplit("/", 1)[-1]
        if number not in map(str, others):
            raise bad_request("The version to move after does not exist.")
        return [str(one) for one in others].index(number) + 1
    places = {"First": 0, "Earlier": max(0, at - 1), "Later": at + 1, "Last": len(others)}
    if position not in places:
        raise bad_request("Either 'after' or 'position' is required.")
    return places[str(position)]


@routes.on("GET", "/component/{id}/relatedIssueCounts", anonymous=True)
def component_counts(call: Call) -> Json:
    """Return how many issues name a component."""
    row = part(call, "component", call.path["id"])
    where = f"{call.api}/component/{row['id']}"
    return {"self": where, "issueCount": _count(call, "components", row["id"])}
