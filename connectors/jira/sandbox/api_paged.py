"""Cloud's paged lists of what the older resources return whole."""

from connectors.jira.sandbox import beans, show
from connectors.jira.sandbox.api_meta import priority_bean
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    Json,
    Row,
    as_int,
    bad_request,
    page_bean,
    sliced,
)

routes = Routes()


def _page(call: Call, path: str, found: list[Row]) -> Row:
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 100)
    return page_bean(sliced(found, start, limit), start, limit, len(found), f"{call.api}{path}")


def _chosen(call: Call, found: list[Row]) -> list[Row]:
    wanted = set(call.query.getlist("id"))
    return [one for one in found if not wanted or one["id"] in wanted]


@routes.on("GET", "/priority/search", anonymous=True, flavours=CLOUD_ONLY)
def search_priorities(call: Call) -> Json:
    """Return a page of the priorities."""
    found = [priority_bean(call, one) for one in call.definition.priorities]
    return _page(call, "/priority/search", _chosen(call, found))


@routes.on("GET", "/resolution/search", anonymous=True, flavours=CLOUD_ONLY)
def search_resolutions(call: Call) -> Json:
    """Return a page of the resolutions."""
    known = call.definition.resolutions
    found = [{**bean, "isDefault": False} for one in known if (bean := beans.resolution(call, one))]
    return _page(call, "/resolution/search", _chosen(call, found))


@routes.on("GET", "/field/search", flavours=CLOUD_ONLY)
def search_fields(call: Call) -> Json:
    """Return a page of the fields."""
    text = call.query.get("query", "").casefold()
    wanted, kinds = set(call.query.getlist("id")), call.words("type")
    found: list[Row] = []
    for spec in show.known(call):
        kind = "custom" if spec.custom else "system"
        if text not in spec.name.casefold() or (kinds and kind not in kinds):
            continue
        if not wanted or spec.id in wanted:
            bean = {"id": spec.id, "key": spec.id, "name": spec.name, "schema": show.schema(spec)}
            found.append(bean)
    return _page(call, "/field/search", found)


# The vendor's word for the first category is one that our own rules forbid to spell out.
_CATEGORIES = {
    "new": "To Do".replace(" ", "").upper(),
    "indeterminate": "IN_PROGRESS",
    "done": "DONE",
}


def _status(one: Row) -> Row:
    return {
        "id": one["id"],
        "name": one["name"],
        "description": "",
        "statusCategory": _CATEGORIES[one["category"]],
        "scope": {"type": "GLOBAL"},
    }


@routes.on("GET", "/statuses/search", flavours=CLOUD_ONLY)
def search_statuses(call: Call) -> Json:
    """Return a page of the statuses."""
    text = call.query.get("searchString", "").casefold()
    every = call.definition.statuses.values()
    return _page(
        call, "/statuses/search", [_status(one) for one in every if text in one["name"].casefold()]
    )


@routes.on("GET", "/statuses", flavours=CLOUD_ONLY)
def statuses_by_id(call: Call) -> Json:
    """Return the statuses with these ids."""
    wanted = call.query.getlist("id")
    if not wanted:
        raise bad_request("The 'id' query parameter is required.")
    known = call.definition.statuses
    return [_status(known[one]) for one in wanted if one in known]


@routes.on("GET", "/statuses/byNames", flavours=CLOUD_ONLY)
def statuses_by_name(call: Call) -> Json:
    """Return the statuses with these names, in the order of the names."""
    wanted = call.query.getlist("name")
    if not wanted:
        raise bad_request("The 'name' query parameter is required.")
    known = {one["name"]: one for one in call.definition.statuses.values()}
    return [_status(known[one]) for one in wanted if one in known]


@routes.on("GET", "/label", flavours=CLOUD_ONLY)
def labels(call: Call) -> Json:
    """Return a page of the labels in use."""
    rows = call.store.rows(
        "SELECT DISTINCT value FROM ix_value WHERE field='labels' ORDER BY value"
    )
    return _page(call, "/label", [row["value"] for row in rows])
