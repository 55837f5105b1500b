"""What may be set where: createmeta, editmeta, the fields of a transition screen."""

from collections.abc import Iterable

from connectors.jira.sandbox import beans, issues, show
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.fields import LISTS
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import Json, Row, as_int, not_found, sliced

routes = Routes()


def field_meta(call: Call, spec: FieldSpec, project: Row) -> Row:
    """Return what a form needs to know about a field."""
    meta: Row = {
        "required": spec.required or spec.kind == "resolution",
        "schema": show.schema(spec),
        "name": spec.name,
        "key": spec.id,
        "operations": ["add", "set", "remove"] if spec.kind in LISTS else ["set"],
    }
    allowed = _allowed(call, spec, project)
    if allowed is not None:
        meta["allowedValues"] = allowed
    if spec.kind in {"user", "users"}:
        meta["autoCompleteUrl"] = f"{call.api}/user/search?query="
    return meta


def _allowed(call: Call, spec: FieldSpec, project: Row) -> list[Row] | None:
    definition = call.definition
    if spec.options:
        where = f"{call.api}/customFieldOption"
        return [
            {"self": f"{where}/{one.id}", "value": one.value, "id": one.id} for one in spec.options
        ]
    if spec.kind == "priority":
        return [bean for one in definition.priorities if (bean := beans.priority(call, one))]
    if spec.kind == "resolution":
        return [bean for one in definition.resolutions if (bean := beans.resolution(call, one))]
    if spec.kind == "issuetype":
        return [
            beans.issue_type(call, one["id"]) for one in definition.types_of(project["template"])
        ]
    if spec.kind in {"components", "versions"}:
        table = "component" if spec.kind == "components" else "version"
        rows = call.store.rows(
            f"SELECT id, name FROM {table} WHERE project=? ORDER BY id",  # noqa: S608 - a word of ours
            project["id"],
        )
        return [
            {"self": f"{call.api}/{table}/{one['id']}", "id": str(one["id"]), "name": one["name"]}
            for one in rows
        ]
    return None


def screen_meta(call: Call, issue: Row, screen: Iterable[str]) -> Row:
    """Return the meta of the fields of a screen."""
    project = issues.project_row(call, issue["project"])
    return {one: field_meta(call, call.definition.fields[one], project) for one in screen}


def edit_meta(call: Call, issue: Row) -> Row:
    """Return the meta of what the caller may edit; empty without the permission."""
    if not call.may("EDIT_ISSUES", issue["project"]):
        return {}
    screen = [*issues.workflow(call, issue).screen, "comment", "issuelinks", "attachment"]
    return screen_meta(
        call, issue, [one for one in screen if _may_set(call, issue["project"], one)]
    )


def _may_set(call: Call, project: int, field_id: str) -> bool:
    return field_id != "reporter" or call.may("MODIFY_REPORTER", project)


def _project(call: Call) -> Row:
    key = call.path["project"]
    row = call.store.row("SELECT * FROM project WHERE key=? OR id=?", key.upper(), key)
    if row is None or not call.may("CREATE_ISSUES", row["id"]):
        raise not_found(f"No project could be found with key or id '{key}'.")
    return row


@routes.on("GET", "/issue/createmeta/{project}/issuetypes")
def create_types(call: Call) -> Json:
    """Return the issue types in which the caller can create: `issueTypes` or `values`."""
    project = _project(call)
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 200)
    found = [
        beans.issue_type(call, one["id"]) for one in call.definition.types_of(project["template"])
    ]
    return _page(call, "issueTypes", found, start, limit)


@routes.on("GET", "/issue/createmeta/{project}/issuetypes/{type}")
def create_fields(call: Call) -> Json:
    """Return the fields of the create screen of an issue type: `fields` or `values`."""
    project = _project(call)
    number = call.path["type"]
    if not any(one["id"] == number for one in call.definition.types_of(project["template"])):
        raise not_found("The issue type could not be found.")
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 200)
    return _page(call, "fields", _create_fields(call, project, number), start, limit)


def _create_fields(call: Call, project: Row, number: str) -> list[Row]:
    flow = call.definition.workflow(project["template"], number)
    found: list[Row] = []
    for one in ("project", *flow.screen):
        spec = call.definition.fields[one]
        if not _may_set(call, project["id"], one):
            continue
        meta = {
            **field_meta(call, spec, project),
            "fieldId": one,
            "hasDefaultValue": one == "priority",
        }
        if one == "project":
            meta |= {"required": True, "allowedValues": [beans.project(call, project)]}
        elif one == "issuetype":
            meta |= {"required": True, "allowedValues": [beans.issue_type(call, number)]}
        found.append(meta)
    return found


def _page(call: Call, name: str, found: list[Row], start: int, limit: int) -> Row:
    part = sliced(found, start, limit)
    bean: Row = {"startAt": start, "maxResults": limit, "total": len(found)}
    if call.cloud:
        return {**bean, name: part}
    return {**bean, "isLast": start + limit >= len(found), "values": part}


def _asked_for(call: Call, kind: Row) -> bool:
    numbers, names = call.words("issuetypeIds"), call.query.getlist("issuetypeNames")
    wanted = {*numbers, *(part.strip() for one in names for part in one.split(","))}
    return not wanted or bool(wanted & {kind["id"], kind["name"]})


@routes.on("GET", "/issue/createmeta")
def old_create_meta(call: Call) -> Json:
    """Answer the old create metadata: deprecated on Cloud, removed from Data Center 9."""
    if not call.cloud:
        raise not_found("Issue Does Not Exist")
    wanted = {one.upper() for one in (*call.words("projectKeys"), *call.words("projectIds"))}
    expand = "projects.issuetypes.fields" in call.words("expand")
    found: list[Row] = []
    for project in call.store.rows("SELECT * FROM project ORDER BY id"):
        if not call.may("CREATE_ISSUES", project["id"]):
            continue
        if wanted and not wanted & {project["key"], str(project["id"])}:
            continue
        types: list[Row] = []
        for one in call.definition.types_of(project["template"]):
            if not _asked_for(call, one):
                continue
            bean = dict(beans.issue_type(call, one["id"]))
            if expand:
                bean["expand"] = "fields"
                fields = _create_fields(call, project, one["id"])
                bean["fields"] = {meta["fieldId"]: meta for meta in fields}
            types.append(bean)
        shown = beans.project(call, project)
        found.append(
            {
                **{k: shown[k] for k in ("self", "id", "key", "name", "avatarUrls")},
                "issuetypes": types,
            }
        )
    return {"expand": "projects", "projects": found}
