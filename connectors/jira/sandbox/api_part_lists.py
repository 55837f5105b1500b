"""Components and versions page by page, and found across projects."""

from connectors.jira.sandbox.api_projects import visible_project
from connectors.jira.sandbox.part_beans import ordered_rows, part_bean
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row, as_int, bad_request, page_bean, sliced

routes = Routes()
_ORDERS = frozenset({"name", "description", "sequence", "releaseDate", "startDate"})


def _page(call: Call, table: str, rows: list[Row], path: str) -> Json:
    text = call.query.get("query", "").casefold()
    found = [one for one in rows if text in _words(one)]
    order = call.query.get("orderBy") or "sequence"
    name = order.lstrip("+- ")
    if name not in _ORDERS:
        raise bad_request(f"The orderBy field '{name}' is not supported.")
    if name != "sequence":
        found.sort(key=lambda one: _key(one, name))
    if order.startswith("-"):
        found.reverse()
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 1000)
    shown = [part_bean(call, table, one) for one in sliced(found, start, limit)]
    return page_bean(shown, start, limit, len(found), f"{call.api}{path}")


def _words(row: Row) -> str:
    return f"{row['name']} {loads(row['detail']).get('description', '')}".casefold()


def _key(row: Row, name: str) -> str:
    return str(row["name"] if name == "name" else loads(row["detail"]).get(name, "")).casefold()


@routes.on("GET", "/project/{project}/version", anonymous=True)
def versions(call: Call) -> Json:
    """Return a page of the versions of a project."""
    row = visible_project(call, call.path["project"])
    found = ordered_rows(call, "version", row["id"])
    return _page(call, "version", found, f"/project/{row['key']}/version")


@routes.on("GET", "/project/{project}/component", anonymous=True, flavours=CLOUD_ONLY)
def components(call: Call) -> Json:
    """Return a page of the components of a project."""
    row = visible_project(call, call.path["project"])
    found = ordered_rows(call, "component", row["id"])
    return _page(call, "component", found, f"/project/{row['key']}/component")


def _across(call: Call, projects: list[str], path: str) -> Json:
    chosen = [visible_project(call, one) for one in projects]
    if not chosen:
        chosen = [
            row
            for row in call.store.rows("SELECT * FROM project ORDER BY id")
            if call.may("BROWSE_PROJECTS", row["id"])
        ]
    found = [one for row in chosen for one in ordered_rows(call, "component", row["id"])]
    return _page(call, "component", found, path)


@routes.on("GET", "/component", anonymous=True, flavours=CLOUD_ONLY)
def find_components(call: Call) -> Json:
    """Return a page of the components of several projects."""
    return _across(call, call.words("projectIdsOrKeys"), "/component")


@routes.on("GET", "/component/page", anonymous=True, flavours=DATA_CENTER_ONLY)
def page_components(call: Call) -> Json:
    """Return a page of the components of several projects."""
    return _across(call, call.words("projectIds"), "/component/page")
