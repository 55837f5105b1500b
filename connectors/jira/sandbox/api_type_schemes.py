"""Issue type schemes and screens: one of each per kind of project, besides the default scheme."""

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.api_projects import full
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()
_DEFAULT = 10000


def _admin(call: Call) -> None:
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer this site.")


def _schemes(call: Call) -> dict[str, tuple[str, list[str], list[Row]]]:
    """Return name, issue types and projects by the id of a scheme."""
    every = list(call.definition.types)
    found: dict[str, tuple[str, list[str], list[Row]]] = {
        str(_DEFAULT): ("Default Issue Type Scheme", every, [])
    }
    for number, name in enumerate(call.definition.templates, 1):
        types = [one["id"] for one in call.definition.types_of(name)]
        projects = call.store.rows("SELECT * FROM project WHERE template=? ORDER BY id", name)
        found[str(_DEFAULT + number)] = (f"{name.capitalize()} Issue Type Scheme", types, projects)
    return found


def _page(call: Call, path: str, found: list[Row]) -> Row:
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 100)
    return page_bean(sliced(found, start, limit), start, limit, len(found), f"{call.api}{path}")


def _brief(number: str, name: str, types: list[str]) -> Row:
    bean: Row = {"id": number, "name": name, "description": "", "defaultIssueTypeId": types[0]}
    return bean | ({"isDefault": True} if number == str(_DEFAULT) else {})


@routes.on("GET", "/issuetypescheme", flavours=CLOUD_ONLY)
def paged_schemes(call: Call) -> Json:
    """Return a page of the issue type schemes."""
    _admin(call)
    wanted = set(call.query.getlist("id"))
    found = [
        _brief(number, name, types)
        for number, (name, types, _) in _schemes(call).items()
        if not wanted or number in wanted
    ]
    return _page(call, "/issuetypescheme", found)


@routes.on("GET", "/issuetypescheme/mapping", flavours=CLOUD_ONLY)
def mapping(call: Call) -> Json:
    """Return a page of the issue types by scheme."""
    _admin(call)
    wanted = set(call.query.getlist("issueTypeSchemeId"))
    found: list[Row] = [
        {"issueTypeSchemeId": number, "issueTypeId": one}
        for number, (_, types, _) in _schemes(call).items()
        for one in types
        if not wanted or number in wanted
    ]
    return _page(call, "/issuetypescheme/mapping", found)


@routes.on("GET", "/issuetypescheme/project", flavours=CLOUD_ONLY)
def scheme_projects(call: Call) -> Json:
    """Return a page of the schemes of some projects."""
    _admin(call)
    wanted = set(call.query.getlist("projectId"))
    found: list[Row] = []
    for number, (name, types, projects) in _schemes(call).items():
        ids = [str(one["id"]) for one in projects if str(one["id"]) in wanted]
        if ids:
            found.append({"issueTypeScheme": _brief(number, name, types), "projectIds": ids})
    return _page(call, "/issuetypescheme/project", found)


def _scheme(call: Call, number: str) -> tuple[str, list[str], list[Row]]:
    _admin(call)
    held = _schemes(call).get(number)
    if held is None:
        raise not_found(f"The issue type scheme with id '{number}' does not exist.")
    return held


def _bean(call: Call, number: str, held: tuple[str, list[str], list[Row]]) -> Row:
    name, types, _projects = held
    return {
        "expand": "issueTypes",
        "self": f"{call.api}/issuetypescheme/{number}",
        "id": number,
        "name": name,
        "description": "",
        "defaultIssueType": beans.issue_type(call, types[0]),
        "issueTypes": [beans.issue_type(call, one) for one in types],
    }


@routes.on("GET", "/issuetypescheme", flavours=DATA_CENTER_ONLY)
def schemes(call: Call) -> Json:
    """Return the issue type schemes."""
    _admin(call)
    return {"schemes": [_bean(call, number, held) for number, held in _schemes(call).items()]}


@routes.on("GET", "/issuetypescheme/{id}", flavours=DATA_CENTER_ONLY)
def scheme(call: Call) -> Json:
    """Return one issue type scheme."""
    return _bean(call, call.path["id"], _scheme(call, call.path["id"]))


@routes.on("GET", "/issuetypescheme/{id}/associations", flavours=DATA_CENTER_ONLY)
def associations(call: Call) -> Json:
    """Return the projects of an issue type scheme."""
    return [full(call, row) for row in _scheme(call, call.path["id"])[2]]


# --- screens


def _screens(call: Call) -> dict[int, tuple[str, list[str]]]:
    raw: dict[str, list[str]] = call.definition.raw["screens"]
    return {
        number: (f"{name.capitalize()} screen", held)
        for number, (name, held) in enumerate(raw.items(), 1)
    }


@routes.on("GET", "/screens")
def screens(call: Call) -> Json:
    """Return the screens of the site: a page of them on Cloud."""
    _admin(call)
    found: list[Row] = [
        {"id": number, "name": name, "description": ""}
        for number, (name, _) in _screens(call).items()
    ]
    return _page(call, "/screens", found) if call.cloud else found


def _missing(call: Call, text: str) -> ApiError:
    return not_found(text) if call.cloud else bad_request(text)


def _screen(call: Call) -> tuple[int, list[str]]:
    _admin(call)
    number = call.path["screen"]
    known = _screens(call)
    if not number.isdigit() or int(number) not in known:
        raise _missing(call, f"The screen with id '{number}' does not exist.")
    return int(number), known[int(number)][1]


@routes.on("GET", "/screens/{screen}/tabs")
def screen_tabs(call: Call) -> Json:
    """Return the tabs of a screen: one, which has the screen's number."""
    number, _held = _screen(call)
    return [{"id": number, "name": "Field Tab"}]


@routes.on("GET", "/screens/{screen}/tabs/{tab}/fields")
def tab_fields(call: Call) -> Json:
    """Return the fields of a tab."""
    number, held = _screen(call)
    if call.path["tab"] != str(number):
        raise _missing(call, f"The tab with id '{call.path['tab']}' does not exist.")
    return [_field(call, one) for one in held]


@routes.on("GET", "/screens/{screen}/availableFields")
def available_fields(call: Call) -> Json:
    """Return the fields that are not on a screen."""
    _number, held = _screen(call)
    return [_field(call, one.id) for one in call.definition.fields.values() if one.id not in held]


def _field(call: Call, field_id: str) -> Row:
    bean: Row = {"id": field_id, "name": call.definition.fields[field_id].name}
    return bean if call.cloud else {**bean, "type": "", "showWhenEmpty": False}


@routes.on("GET", "/customFields", flavours=DATA_CENTER_ONLY)
def custom_fields(call: Call) -> Json:
    """Return a page of the custom fields, with the number that each one's id ends in."""
    _admin(call)
    text = call.query.get("search", "").casefold()
    found: list[Row] = []
    for spec in call.definition.fields.values():
        if not spec.custom or text not in spec.name.casefold():
            continue
        found.append(
            {
                "id": spec.id,
                "numericId": int(spec.id.removeprefix("customfield_")),
                "name": spec.name,
                "description": "",
                "type": spec.kind,
                "self": f"{call.api}/customFields/{spec.id}",
                "isLocked": False,
                "isManaged": False,
                "isTrusted": True,
                "isAllProjects": True,
                "projectsCount": 0,
                "screensCount": 1,
            }
        )
    return _page(call, "/customFields", found)
