"""Saved filters: made, found, changed, shared, marked as favourites, with columns of their own."""

from http import HTTPStatus

from connectors.jira.sandbox import filters, show
from connectors.jira.sandbox.api_search import jql_refused
from connectors.jira.sandbox.jql.compiling import compile_query
from connectors.jira.sandbox.jql.syntax import JqlError
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_payload,
    bad_request,
    field_errors,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()


def _checked(call: Call, body: Row, number: int | None) -> Row:
    """Return what is kept of a filter's body; its query is compiled, not only parsed."""
    name, jql = body.get("name"), body.get("jql")
    if not isinstance(name, str) or not name.strip():
        raise bad_payload() if call.cloud else bad_request("The filter name is required.")
    if jql is not None and not isinstance(jql, str):
        raise bad_payload() if call.cloud else bad_request("The query must be a text.")
    for row in call.store.rows("SELECT * FROM filter WHERE owner=?", call.user.id):
        if row["id"] != number and loads(row["body"])["name"].casefold() == name.casefold():
            raise field_errors({"filterName": "Filter with same name already exists."})
    try:
        compile_query(call, jql or "")
    except JqlError as error:
        raise jql_refused(call, error.messages) from error
    return {
        "name": name,
        "jql": jql or "",
        "description": str(body.get("description") or ""),
        "sharePermissions": filters.shares_read(call, body.get("sharePermissions")),
    }


def _mark(call: Call, number: int, *, favourite: bool) -> None:
    if favourite:
        call.store.run("INSERT OR IGNORE INTO favourite VALUES (?, ?)", number, call.user.id)
    else:
        call.store.run("DELETE FROM favourite WHERE filter=? AND account=?", number, call.user.id)


@routes.on("POST", "/filter")
def post_filter(call: Call) -> Json:
    """Make a filter of the caller."""
    body = call.json()
    kept = _checked(call, body, None)
    number = call.store.counter("filter", 10000)
    row = {"id": number, "owner": call.user.id, "body": dumps(kept)}
    call.store.insert("filter", row)
    if body.get("favourite"):
        _mark(call, number, favourite=True)
    return filters.bean(call, row)


def _readable(call: Call) -> list[Row]:
    rows = call.store.rows("SELECT * FROM filter ORDER BY id")
    return [row for row in rows if filters.readable(call, row)]


@routes.on("GET", "/filter/favourite")
def favourite_filters(call: Call) -> Json:
    """Return the filters that the caller marked."""
    marked = call.store.rows("SELECT filter FROM favourite WHERE account=?", call.user.id)
    wanted = {row["filter"] for row in marked}
    return [filters.bean(call, row) for row in _readable(call) if row["id"] in wanted]


@routes.on("GET", "/filter/my", flavours=CLOUD_ONLY)
def my_filters(call: Call) -> Json:
    """Return the filters of the caller."""
    return [filters.bean(call, row) for row in _readable(call) if row["owner"] == call.user.id]


@routes.on("GET", "/filter/search", flavours=CLOUD_ONLY)
def search_filters(call: Call) -> Json:
    """Return a page of the filters that the caller reads."""
    text = call.query.get("filterName", "").casefold()
    owner, wanted = call.query.get("accountId"), set(call.query.getlist("id"))
    found = [
        row
        for row in _readable(call)
        if text in loads(row["body"])["name"].casefold()
        and (not owner or row["owner"] == owner)
        and (not wanted or str(row["id"]) in wanted)
    ]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 100)
    expand = call.words("expand")
    page: list[Row] = []
    for row in sliced(found, start, limit):
        full = filters.bean(call, row)
        kept = {"self", "id", "name", *(one for one in expand if one in full)}
        page.append({"expand": "description,owner,jql,viewUrl,searchUrl,favourite,favouritedCount,"
                     "sharePermissions,editPermissions,isWritable,subscriptions",
                     **{key: value for key, value in full.items() if key in kept}})  # fmt: skip
    return page_bean(page, start, limit, len(found), f"{call.api}/filter/search")


@routes.on("GET", "/filter/{id}")
def get_filter(call: Call) -> Json:
    """Return one filter."""
    return filters.bean(call, filters.visible(call, call.path["id"]))


@routes.on("PUT", "/filter/{id}")
def put_filter(call: Call) -> Json:
    """Change one filter."""
    row = filters.owned(call, call.path["id"])
    body, held = call.json(), loads(row["body"])
    merged = {**held, **{key: one for key, one in body.items() if one is not None}}
    if "sharePermissions" not in body:
        merged["sharePermissions"] = None
    kept = {**held, **_checked(call, merged, row["id"])}
    if "sharePermissions" not in body:
        kept["sharePermissions"] = held.get("sharePermissions") or []
    changed = {**row, "body": dumps(kept)}
    call.store.update("filter", row["id"], {"body": changed["body"]})
    if isinstance(body.get("favourite"), bool):
        _mark(call, row["id"], favourite=body["favourite"])
    return filters.bean(call, changed)


@routes.on("DELETE", "/filter/{id}")
def delete_filter(call: Call) -> Json:
    """Remove one filter; a board that stands on it keeps it."""
    row = filters.owned(call, call.path["id"])
    board = call.store.value("SELECT name FROM board WHERE filter=?", row["id"])
    if board is not None:
        raise bad_request(f"This filter cannot be deleted: the board '{board}' uses it.")
    call.store.run("DELETE FROM favourite WHERE filter=?", row["id"])
    call.store.run("DELETE FROM filter WHERE id=?", row["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("PUT", "/filter/{id}/favourite", flavours=CLOUD_ONLY)
def mark_filter(call: Call) -> Json:
    """Mark a filter as a favourite of the caller."""
    row = filters.visible(call, call.path["id"])
    _mark(call, row["id"], favourite=True)
    return filters.bean(call, row)


@routes.on("DELETE", "/filter/{id}/favourite", flavours=CLOUD_ONLY)
def unmark_filter(call: Call) -> Json:
    """Take a filter from the caller's favourites."""
    row = filters.visible(call, call.path["id"])
    _mark(call, row["id"], favourite=False)
    return filters.bean(call, row)


# --- sharing


@routes.on("GET", "/filter/{id}/permission")
def permissions(call: Call) -> Json:
    """Return whom a filter is shared with."""
    row = filters.visible(call, call.path["id"])
    shares = loads(row["body"]).get("sharePermissions") or []
    return [filters.share_bean(call, one) for one in shares]


@routes.on("GET", "/filter/{id}/permission/{permission}")
def permission(call: Call) -> Json:
    """Return one share permission of a filter."""
    row = filters.visible(call, call.path["id"])
    for one in loads(row["body"]).get("sharePermissions") or ():
        if str(one["id"]) == call.path["permission"]:
            return filters.share_bean(call, one)
    raise not_found("The share permission does not exist.")


@routes.on("POST", "/filter/{id}/permission")
def add_permission(call: Call) -> Json:
    """Share a filter with somebody more; return all that it is shared with."""
    row = filters.owned(call, call.path["id"])
    held = loads(row["body"])
    shares = [*(held.get("sharePermissions") or ()), filters.share_read(call, call.json())]
    body = dumps({**held, "sharePermissions": shares})
    call.store.update("filter", row["id"], {"body": body})
    found = [filters.share_bean(call, one) for one in shares]
    return Reply(status=HTTPStatus.CREATED, body=found)


@routes.on("DELETE", "/filter/{id}/permission/{permission}")
def drop_permission(call: Call) -> Json:
    """Share a filter with somebody less."""
    row = filters.owned(call, call.path["id"])
    held = loads(row["body"])
    shares = held.get("sharePermissions") or []
    left = [one for one in shares if str(one["id"]) != call.path["permission"]]
    if len(left) == len(shares):
        raise not_found("The share permission does not exist.")
    call.store.update("filter", row["id"], {"body": dumps({**held, "sharePermissions": left})})
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- columns


def columns_bean(call: Call, columns: list[str]) -> list[Row]:
    """Return the columns of a navigator."""
    specs = [call.definition.field_named(one) for one in columns]
    return [{"label": one.name, "value": one.id} for one in specs if one is not None]


def columns_read(call: Call) -> list[str]:
    """Return the columns that a request sets, as JSON or as a form.

    Raises:
        ApiError: 400, a column that is no navigable field.
    """
    asked = call.body.get("columns") if isinstance(call.body, dict) else None
    if asked is None:
        asked = _form(call)
    if not isinstance(asked, list):
        raise bad_request("The columns must be a list.")
    known = {spec.id for spec in show.known(call)}
    found: list[str] = []
    for one in asked:
        spec = call.definition.field_named(str(one))
        if str(one) in {"issuekey", "key"}:
            continue
        if spec is None or spec.id not in known:
            raise bad_request(f"The column '{one}' is not valid.")
        found.append(spec.id)
    return found


def _form(call: Call) -> list[str]:
    from urllib.parse import parse_qs  # noqa: PLC0415 - used here alone

    return parse_qs(call.raw.decode("utf-8", "replace")).get("columns", [])


@routes.on("GET", "/filter/{id}/columns", flavours=CLOUD_ONLY)
def filter_columns(call: Call) -> Json:
    """Return the columns of a filter; one that has none of its own is 404."""
    held = loads(filters.visible(call, call.path["id"])["body"]).get("columns")
    if held is None:
        raise not_found("The filter does not have columns.")
    return columns_bean(call, held)


@routes.on("PUT", "/filter/{id}/columns", flavours=CLOUD_ONLY)
def put_filter_columns(call: Call) -> Json:
    """Set the columns of a filter."""
    row = filters.owned(call, call.path["id"])
    held = {**loads(row["body"]), "columns": columns_read(call)}
    call.store.update("filter", row["id"], {"body": dumps(held)})
    return Reply()


@routes.on("DELETE", "/filter/{id}/columns", flavours=CLOUD_ONLY)
def drop_filter_columns(call: Call) -> Json:
    """Take the columns of a filter away."""
    row = filters.owned(call, call.path["id"])
    held = {key: one for key, one in loads(row["body"]).items() if key != "columns"}
    call.store.update("filter", row["id"], {"body": dumps(held)})
    return Reply(status=HTTPStatus.NO_CONTENT)
