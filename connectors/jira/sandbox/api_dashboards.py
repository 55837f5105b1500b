"""Dashboards: listed and read everywhere; made, copied and filled with gadgets on Cloud."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, filters
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    ApiError,
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
internal_routes = Routes(prefix="/rest/internal/latest")
_SYSTEM = 10000
_MOST = 1000
_COLOURS = frozenset({"blue", "red", "yellow", "green", "cyan", "purple", "gray", "white"})
_LAST_COLUMN = 2
_GADGETS = (
    ("Activity Stream", "com.atlassian.streams.streams-jira-plugin:activitystream-gadget"),
    ("Assigned to Me", "com.atlassian.jira.gadgets:assigned-to-me-gadget"),
    ("Filter Results", "com.atlassian.jira.gadgets:filter-results-gadget"),
    ("Introduction", "com.atlassian.jira.gadgets:introduction-gadget"),
    ("Pie Chart", "com.atlassian.jira.gadgets:pie-chart-gadget"),
)


def _address(module: str) -> str:
    name = module.rsplit(":", 1)[1]
    return f"rest/gadgets/1.0/g/{module}/gadgets/{name}.xml"


# --- dashboards


def _bean(call: Call, row: Row) -> Row:
    held = loads(row["body"])
    bean: Row = {
        "id": str(row["id"]),
        "name": held["name"],
        "self": f"{call.api}/dashboard/{row['id']}",
        "view": f"{call.site.url}/secure/Dashboard.jspa?selectPageId={row['id']}",
    }
    if not call.cloud:
        return bean
    return bean | {
        "description": held.get("description") or "",
        "isFavourite": False,
        **({} if row["owner"] is None else {"owner": beans.user_of(call, row["owner"])}),
        "popularity": 0,
        "sharePermissions": [filters.share_bean(call, one) for one in held["sharePermissions"]],
        "editPermissions": [filters.share_bean(call, one) for one in held["editPermissions"]],
        "isWritable": row["owner"] == call.user.id,
        "systemDashboard": row["id"] == _SYSTEM,
        "automaticRefreshMs": held.get("automaticRefreshMs") or 0,
    }


def _default(call: Call) -> Row:
    """Return the system's dashboard, which nobody made."""
    share = {"id": _SYSTEM, "type": "global"}
    body = {"name": "System Dashboard" if not call.cloud else "Default dashboard"}
    body |= {"sharePermissions": [share], "editPermissions": [], "gadgets": []}  # type: ignore[dict-item]  # lists beside texts
    return {"id": _SYSTEM, "owner": None, "body": dumps(body)}


def _all(call: Call) -> list[Row]:
    call.user  # noqa: B018 - raises 401 for an anonymous caller
    rows = call.store.rows("SELECT * FROM dashboard ORDER BY id")
    return [_default(call), *(row for row in rows if filters.readable(call, row))]


def _visible(call: Call, number: str) -> Row:
    for row in _all(call):
        if str(row["id"]) == number:
            return row
    raise _missing(number)


def _missing(number: str) -> ApiError:
    return not_found(f"The dashboard with id '{number}' does not exist.")


def _own(call: Call, number: str) -> Row:
    row = _visible(call, number)
    held = loads(row["body"])
    shared = any(filters.reaches(call, call.user, one) for one in held["editPermissions"])
    if row["owner"] == call.user.id or shared:
        return row
    raise bad_request("You do not have permission to edit this dashboard.")


@routes.on("GET", "/dashboard")
def dashboards(call: Call) -> Json:
    """Return a page of the dashboards: all, the caller's own, or the favourites."""
    kind = call.query.get("filter")
    if kind not in {None, "", "my", "favourite"}:
        raise bad_request("The filter must be one of: favourite, my.")
    found = _all(call)
    if kind == "my":
        found = [row for row in found if row["owner"] == call.user.id]
    elif kind == "favourite":
        found = []
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 20, name="maxResults"), _MOST)
    page: Row = {
        "startAt": start,
        "maxResults": limit,
        "total": len(found),
        "dashboards": [_bean(call, row) for row in sliced(found, start, limit)],
    }
    where = f"{call.api}/dashboard?maxResults={limit}"
    if start + limit < len(found):
        page["next"] = f"{where}&startAt={start + limit}"
    if start:
        page["prev"] = f"{where}&startAt={max(0, start - limit)}"
    return page


@routes.on("GET", "/dashboard/search", flavours=CLOUD_ONLY)
def search_dashboards(call: Call) -> Json:
    """Return a page of the dashboards with a name or an owner."""
    text, owner = call.query.get("dashboardName", "").casefold(), call.query.get("accountId")
    found = [
        row
        for row in _all(call)
        if text in loads(row["body"])["name"].casefold() and (not owner or row["owner"] == owner)
    ]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 100)
    page = [_bean(call, row) for row in sliced(found, start, limit)]
    return page_bean(page, start, limit, len(found), f"{call.api}/dashboard/search")


@routes.on("GET", "/dashboard/{id}")
def get_dashboard(call: Call) -> Json:
    """Return one dashboard."""
    return _bean(call, _visible(call, call.path["id"]))


def _read(call: Call, body: Row) -> Row:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("The dashboard name is required.")
    return {
        "name": name,
        "description": str(body.get("description") or ""),
        "sharePermissions": filters.shares_read(call, body.get("sharePermissions")),
        "editPermissions": filters.shares_read(call, body.get("editPermissions")),
    }


def _make(call: Call, held: Row) -> Row:
    number = max(call.store.counter("dashboard", _SYSTEM + 1), _SYSTEM + 1)
    row = {"id": number, "owner": call.user.id, "body": dumps(held)}
    call.store.insert("dashboard", row)
    return _bean(call, row)


@routes.on("POST", "/dashboard", flavours=CLOUD_ONLY)
def post_dashboard(call: Call) -> Json:
    """Make a dashboard of the caller."""
    return _make(call, {**_read(call, call.json()), "gadgets": []})


@routes.on("POST", "/dashboard/{id}/copy", flavours=CLOUD_ONLY)
def copy_dashboard(call: Call) -> Json:
    """Make a dashboard with the gadgets of another one."""
    source = loads(_visible(call, call.path["id"])["body"])
    gadgets = [{**one, "id": call.store.counter("gadget", 10000)} for one in source["gadgets"]]
    return _make(call, {**_read(call, call.json()), "gadgets": gadgets})


@routes.on("PUT", "/dashboard/{id}", flavours=CLOUD_ONLY)
def put_dashboard(call: Call) -> Json:
    """Change a dashboard; its gadgets stay."""
    row = _own(call, call.path["id"])
    return _bean(call, _written(call, row, {**loads(row["body"]), **_read(call, call.json())}))


def _written(call: Call, row: Row, held: Row) -> Row:
    call.store.update("dashboard", row["id"], {"body": dumps(held)})
    return {**row, "body": dumps(held)}


@routes.on("DELETE", "/dashboard/{id}", flavours=CLOUD_ONLY)
def delete_dashboard(call: Call) -> Json:
    """Remove a dashboard of the caller."""
    row = _own(call, call.path["id"])
    if row["owner"] != call.user.id:
        raise forbidden("You do not own this dashboard.")
    call.store.run("DELETE FROM dashboard WHERE id=?", row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@internal_routes.on("PUT", "/dashboards/{id}/automatic-refresh-ms", flavours=CLOUD_ONLY)
def put_refresh(call: Call) -> Json:
    """Say how often a dashboard shows itself anew; null is never."""
    value = call.json().get("automaticRefreshMs")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise bad_request("automaticRefreshMs must be a number of milliseconds, or null.")
    row = _own(call, call.path["id"])
    _written(call, row, {**loads(row["body"]), "automaticRefreshMs": value})
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- gadgets


@routes.on("GET", "/dashboard/gadgets", flavours=CLOUD_ONLY)
def known_gadgets(_call: Call) -> Json:
    """Return the gadgets that can be put on a dashboard."""
    found = [
        {"moduleKey": module, "uri": _address(module), "title": title} for title, module in _GADGETS
    ]
    return {"gadgets": found}


def _gadget_bean(one: Row) -> Row:
    return {key: value for key, value in one.items() if key != "properties"}


@routes.on("GET", "/dashboard/{id}/gadget", flavours=CLOUD_ONLY)
def gadgets(call: Call) -> Json:
    """Return the gadgets of a dashboard."""
    held = loads(_visible(call, call.path["id"])["body"])["gadgets"]
    wanted, uris = call.words("gadgetId"), call.query.getlist("uri")
    return {
        "gadgets": [
            _gadget_bean(one)
            for one in held
            if (not wanted or str(one["id"]) in wanted) and (not uris or one["uri"] in uris)
        ]
    }


def _position(given: Json, taken: list[Row]) -> Row:
    if given is None:
        return {"row": sum(one["position"]["column"] == 0 for one in taken), "column": 0}
    row, column = given.get("row"), given.get("column")
    if not isinstance(row, int) or not isinstance(column, int) or not 0 <= column <= _LAST_COLUMN:
        raise bad_request("The position of the gadget is not valid.")
    return {"row": row, "column": column}


@routes.on("POST", "/dashboard/{id}/gadget", flavours=CLOUD_ONLY)
def add_gadget(call: Call) -> Json:
    """Put a gadget on a dashboard."""
    row, body = _own(call, call.path["id"]), call.json()
    held = loads(row["body"])
    module, uri = body.get("moduleKey"), body.get("uri")
    if (module is None) == (uri is None):
        raise bad_request("Either the module key or the URI of the gadget is required.")
    match = [one for one in _GADGETS if module == one[1] or uri == _address(one[1])]
    if not match and not body.get("ignoreUriAndModuleKeyValidation"):
        raise bad_request("The gadget does not exist.")
    title, known = match[0] if match else ("Gadget", str(module or ""))
    made: Row = {
        "id": call.store.counter("gadget", 10000),
        "uri": uri or _address(known),
        "title": str(body.get("title") or title),
        "color": _colour(body.get("color") or "blue"),
        "position": _position(body.get("position"), held["gadgets"]),
        "properties": {},
    }
    if module is not None:
        made["moduleKey"] = module
        del made["uri"]
    held["gadgets"].append(made)
    _written(call, row, held)
    return _gadget_bean(made)


def _colour(value: Json) -> str:
    if value not in _COLOURS:
        raise bad_request(f"The color '{value}' is not valid.")
    return str(value)


def _gadget(held: Row, number: str) -> Row:
    found = next((one for one in held["gadgets"] if str(one["id"]) == number), None)
    if found is None:
        raise not_found(f"The gadget with id '{number}' does not exist.")
    gadget: Row = found
    return gadget


@routes.on("PUT", "/dashboard/{id}/gadget/{gadget}", flavours=CLOUD_ONLY)
def put_gadget(call: Call) -> Json:
    """Change the title, the colour or the position of a gadget."""
    row, body = _own(call, call.path["id"]), call.json()
    held = loads(row["body"])
    gadget = _gadget(held, call.path["gadget"])
    if body.get("color") is not None:
        gadget["color"] = _colour(body["color"])
    if body.get("title") is not None:
        gadget["title"] = str(body["title"])
    if body.get("position") is not None:
        gadget["position"] = _position(body["position"], held["gadgets"])
    _written(call, row, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/dashboard/{id}/gadget/{gadget}", flavours=CLOUD_ONLY)
def delete_gadget(call: Call) -> Json:
    """Take a gadget from a dashboard."""
    row = _own(call, call.path["id"])
    held = loads(row["body"])
    gone = _gadget(held, call.path["gadget"])
    held["gadgets"] = [one for one in held["gadgets"] if one["id"] != gone["id"]]
    _written(call, row, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- properties of gadgets


_ITEM = "/dashboard/{id}/items/{gadget}/properties"


@routes.on("GET", _ITEM)
def item_keys(call: Call) -> Json:
    """Return the keys of the properties of a gadget."""
    held = loads(_visible(call, call.path["id"])["body"])
    gadget = _gadget(held, call.path["gadget"])
    where = f"{call.api}/dashboard/{call.path['id']}/items/{gadget['id']}/properties"
    return {"keys": [{"self": f"{where}/{one}", "key": one} for one in gadget["properties"]]}


@routes.on("GET", f"{_ITEM}/{{property}}")
def item_property(call: Call) -> Json:
    """Return one property of a gadget."""
    held = loads(_visible(call, call.path["id"])["body"])
    gadget, key = _gadget(held, call.path["gadget"]), call.path["property"]
    if key not in gadget["properties"]:
        raise not_found(f"The property with key '{key}' does not exist.")
    return {"key": key, "value": gadget["properties"][key]}


@routes.on("PUT", f"{_ITEM}/{{property}}")
def put_item_property(call: Call) -> Json:
    """Set one property of a gadget: 201 where it is new, 200 where it was there."""
    if call.broken or call.body is None:
        raise bad_request("The value you provided is not a valid JSON.")
    row, key = _own(call, call.path["id"]), call.path["property"]
    held = loads(row["body"])
    gadget = _gadget(held, call.path["gadget"])
    new = key not in gadget["properties"]
    gadget["properties"][key] = call.body
    _written(call, row, held)
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    return Reply(status=status, body={} if call.cloud else None)


@routes.on("DELETE", f"{_ITEM}/{{property}}")
def delete_item_property(call: Call) -> Json:
    """Remove one property of a gadget."""
    row, key = _own(call, call.path["id"]), call.path["property"]
    held = loads(row["body"])
    gadget = _gadget(held, call.path["gadget"])
    if key not in gadget["properties"]:
        raise not_found(f"The property with key '{key}' does not exist.")
    del gadget["properties"][key]
    _written(call, row, held)
    return Reply(status=HTTPStatus.NO_CONTENT)
