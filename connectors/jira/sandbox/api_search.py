"""Search: token pages over a lagging index on Cloud, offset pages on Data Center."""

import base64
import binascii
import sqlite3
from http import HTTPStatus
from typing import Literal as OneOf

from connectors.jira.sandbox import index, issues, show
from connectors.jira.sandbox.api_issues import full_bean
from connectors.jira.sandbox.jql.columns import MOST_SORTS
from connectors.jira.sandbox.jql.compiling import TOO_COMPLEX, Compiled, compile_query
from connectors.jira.sandbox.jql.syntax import JqlError
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Row,
    as_int,
    bad_payload,
    bad_request,
    platform_error,
)
from connectors.sandboxkit.faults import FaultKind

routes = Routes()
UNBOUNDED = (
    "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
)
_REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full"
    " migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
_MOST_IDS = 5000
_MOST_FULL = 100
_MOST_RECONCILED = 50
_MOST_PROPERTIES = 5
_TOKEN_LIFE = 7 * 86_400_000
_MOST_DC = 1000
_KNOWN = frozenset(
    {"jql", "nextPageToken", "maxResults", "fields", "expand", "properties", "fieldsByKeys",
     "reconcileIssues", "failFast"}
)  # fmt: skip


def compiled(call: Call, jql: str) -> Compiled:
    """Compile a query or answer 400 in the search API's words."""
    try:
        return compile_query(call, jql)
    except JqlError as error:
        raise jql_refused(call, error.messages) from error


def jql_refused(call: Call, messages: list[str]) -> ApiError:
    """Return the 400 of a query that is wrong."""
    if call.cloud:
        return platform_error(HTTPStatus.BAD_REQUEST, *messages)
    return ApiError(
        HTTPStatus.BAD_REQUEST, {"errorMessages": messages, "errors": {}, "warningMessages": []}
    )


def keys(call: Call, query: Compiled, start: int, limit: int) -> list[int]:
    """Return the ids of one page in the order of the query."""
    head = f"SELECT ix.id FROM ix WHERE {query.where.text}"  # noqa: S608 - values are marks
    sql = f"{head} ORDER BY {query.order} LIMIT ? OFFSET ?"
    try:
        rows = call.store.rows(sql, *query.where.values, *query.order_values, limit, start)
    except sqlite3.OperationalError as error:  # more values than a statement can have
        raise jql_refused(call, [TOO_COMPLEX]) from error
    return [row["id"] for row in rows]


def total(call: Call, query: Compiled) -> int:
    """Return how many issues the index has for a query."""
    sql = f"SELECT count(*) FROM ix WHERE {query.where.text}"  # noqa: S608 - as above
    try:
        return int(call.store.value(sql, *query.where.values))
    except sqlite3.OperationalError as error:
        raise jql_refused(call, [TOO_COMPLEX]) from error


def loaded(call: Call, numbers: list[int]) -> list[Row]:
    """Return the issues with these ids in this order, as the index knows them.

    While the index lags, an issue is shown as it was before the changes that are still to come,
    and one that was deleted is still there.
    """
    if not numbers:
        return []
    marks = ",".join("?" * len(numbers))
    sql = f"SELECT * FROM issue WHERE id IN ({marks})"  # noqa: S608 - marks alone
    rows = call.store.rows(sql, *numbers)
    found = {row["id"]: row for row in rows}
    for row in rows:
        row["fields"] = loads(row["fields"])
    found |= index.seen(call, numbers)
    return [found[one] for one in numbers if one in found]


# --- Cloud


def _refresh(call: Call, reconciled: list[int]) -> None:
    call.strike(FaultKind.STALE_INDEX)
    index.catch_up(call.site, reconciled)


def token_of(call: Call, jql: str, start: int) -> str:
    """Return the token of the page that begins at a place."""
    body = dumps({"q": jql, "s": start, "t": call.site.now()})
    return base64.urlsafe_b64encode(body.encode()).decode()


def start_of(call: Call, jql: str, token: Json) -> int:
    """Return where the page of a token begins.

    Raises:
        ApiError: 400, it is no token of this query, or an old one.
    """
    if not token:
        return 0
    try:
        body = loads(base64.urlsafe_b64decode(str(token).encode()).decode())
        start, made, asked = int(body["s"]), int(body["t"]), body["q"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request("The provided next page token is invalid or expired.") from error
    if asked != jql or made + _TOKEN_LIFE < call.site.now() or start < 0:
        raise bad_request("The provided next page token is invalid or expired.")
    return start


def _checked(call: Call, jql: Json) -> Compiled:
    if not isinstance(jql, str) or not jql.strip():
        raise bad_request(UNBOUNDED)
    query = compiled(call, jql)
    if not query.restricted:
        raise bad_request(UNBOUNDED)
    if query.sorts > MOST_SORTS:
        raise bad_request(f"The maximum number of fields in ORDER BY is {MOST_SORTS}.")
    return query


def _enhanced(call: Call, asked: Row) -> Row:
    jql = asked.get("jql")
    _refresh(call, _numbers(asked.get("reconcileIssues")))
    query = _checked(call, jql)
    limit = asked.get("maxResults")
    limit = 50 if limit is None else limit
    fields = asked.get("fields") or []
    wanted = [part for one in fields for part in str(one).split(",")]
    slim = not wanted or set(wanted) <= {"id", "key"}
    limit = min(limit, _MOST_IDS if slim else _MOST_FULL)
    start = start_of(call, str(jql), asked.get("nextPageToken"))
    numbers = keys(call, query, start, limit + 1)
    page = loaded(call, numbers[:limit])
    expand = [part.strip() for part in (asked.get("expand") or "").split(",") if part.strip()]
    answer: Row = {"issues": [_found(call, one, wanted, expand) for one in page]}
    answer["isLast"] = len(numbers) <= limit
    if not answer["isLast"]:
        answer["nextPageToken"] = token_of(call, str(jql), start + limit)
    if page and "names" in expand:
        specs = show.chosen(call, wanted or ["-"], "*navigable")
        answer["names"] = {spec.id: spec.name for spec in specs}
        answer["schema"] = {spec.id: show.schema(spec) for spec in specs}
    return answer


def _found(call: Call, issue: Row, wanted: list[str], expand: list[str]) -> Row:
    if not wanted or set(wanted) == {"id"}:
        return {"id": str(issue["id"])}
    inner = [one for one in expand if one not in {"names", "schema"}]
    bean = full_bean(call, issue, wanted, "*navigable", inner)
    if set(wanted) <= {"id", "key"}:
        del bean["fields"]
    return bean


def _numbers(value: Json) -> list[int]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST_RECONCILED:
        raise bad_payload()
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in value):
        raise bad_payload()
    return list(value)


_Kind = OneOf["text", "whole", "list", "flag"]
_TYPES: dict[str, _Kind] = {
    "jql": "text",
    "nextPageToken": "text",
    "expand": "text",
    "maxResults": "whole",
    "fields": "list",
    "properties": "list",
    "reconcileIssues": "list",
    "fieldsByKeys": "flag",
    "failFast": "flag",
}


def _well_typed(value: Json, kind: _Kind) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "whole":
            return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_IDS
        case "list":
            return isinstance(value, list)
        case "flag":
            return isinstance(value, bool)


@routes.on("POST", "/search/jql", anonymous=True, flavours=CLOUD_ONLY)
def search_post(call: Call) -> Json:
    """Search with a body that is validated strictly; nulls count as absent."""
    body = {name: value for name, value in call.json().items() if value is not None}
    if set(body) - _KNOWN or not all(
        _well_typed(value, _TYPES[name]) for name, value in body.items()
    ):
        raise bad_payload()
    if len(body.get("properties", ())) > _MOST_PROPERTIES:
        raise bad_request("A maximum of 5 issue property keys can be specified.")
    return _enhanced(call, body)


@routes.on("GET", "/search/jql", anonymous=True, flavours=CLOUD_ONLY)
def search_get(call: Call) -> Json:
    """Search with parameters in the address."""
    limit = as_int(call.query.get("maxResults"), 50, name="maxResults", least=0)
    if not 0 < limit <= _MOST_IDS:
        raise bad_payload()
    reconciled = call.words("reconcileIssues")
    if not all(one.isdigit() for one in reconciled):
        raise bad_payload()
    return _enhanced(
        call,
        {
            "jql": call.query.get("jql"),
            "nextPageToken": call.query.get("nextPageToken"),
            "maxResults": limit,
            "fields": call.words("fields"),
            "expand": ",".join(call.words("expand")),
            "reconcileIssues": [int(one) for one in reconciled],
        },
    )


@routes.on("POST", "/search/approximate-count", anonymous=True, flavours=CLOUD_ONLY)
def approximate_count(call: Call) -> Json:
    """Return how many issues the index has."""
    body = call.json()
    _refresh(call, [])
    return {"count": total(call, _checked(call, body.get("jql")))}


def _removed(_call: Call) -> Json:
    raise platform_error(HTTPStatus.GONE, _REMOVED)


for _method in ("GET", "POST"):
    routes.on(_method, "/search", anonymous=True, flavours=CLOUD_ONLY)(_removed)


# --- Data Center


def _classic(call: Call, asked: Row) -> Row:
    start = as_int(_text(asked.get("startAt")), 0, name="startAt")
    limit = min(as_int(_text(asked.get("maxResults")), 50, name="maxResults"), _MOST_DC)
    _refresh(call, [])
    try:
        query = compile_query(call, str(asked.get("jql") or ""))
    except JqlError as error:
        if str(asked.get("validateQuery", "true")).lower() in {"true", "strict"}:
            raise jql_refused(call, error.messages) from error
        return {
            "startAt": start,
            "maxResults": limit,
            "total": 0,
            "issues": [],
            "warningMessages": error.messages,
        }
    page = loaded(call, keys(call, query, start, limit))
    fields, expand = asked["fields"], asked["expand"]
    inner = [one for one in expand if one not in {"names", "schema"}]
    answer: Row = {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": limit,
        "total": total(call, query),
        "issues": [full_bean(call, one, fields, "*navigable", inner) for one in page],
    }
    specs = show.chosen(call, fields, "*navigable")
    if "names" in expand:
        answer["names"] = {spec.id: spec.name for spec in specs}
    if "schema" in expand:
        answer["schema"] = {spec.id: show.schema(spec) for spec in specs}
    return answer


def _text(value: Json) -> str | None:
    return None if value is None else str(value)


@routes.on("GET", "/search", anonymous=True, flavours=DATA_CENTER_ONLY)
def classic_get(call: Call) -> Json:
    """Search by offset."""
    asked: Row = dict(call.query)
    return _classic(call, {**asked, "fields": call.words("fields"), "expand": call.words("expand")})


@routes.on("POST", "/search", anonymous=True, flavours=DATA_CENTER_ONLY)
def classic_post(call: Call) -> Json:
    """Search by offset with a body; `expand` is an array here."""
    body = call.json()
    fields, expand = body.get("fields") or [], body.get("expand") or []
    if not isinstance(fields, list) or not isinstance(expand, list):
        raise bad_request(
            "Can not deserialize instance of java.util.ArrayList out of VALUE_STRING token"
        )
    wanted = [part for one in fields for part in str(one).split(",")]
    return _classic(call, {**body, "fields": wanted, "expand": [str(one) for one in expand]})


@routes.on("POST", "/issue/bulkfetch", anonymous=True, flavours=CLOUD_ONLY)
def bulk_fetch(call: Call) -> Json:
    """Return up to 100 issues by id or key, in the order of their ids."""
    body = call.json()
    wanted = body.get("issueIdsOrKeys")
    if not isinstance(wanted, list) or not wanted or len(wanted) > _MOST_FULL:
        raise bad_request("issueIdsOrKeys must hold 1 to 100 issues.")
    fields = [str(one) for one in body.get("fields") or []]
    expand = [str(one) for one in body.get("expand") or []]
    found: dict[int, Row] = {}
    missing: list[Row] = []
    for one in wanted:
        issue = issues.find(call, str(one))
        if issue is None or not call.may("BROWSE_PROJECTS", issue["project"]):
            missing.append({"id": str(one), "errorMessage": "Issue not found"})
        else:
            found[issue["id"]] = issue
    return {
        "expand": "names,schema",
        "issues": [
            full_bean(call, found[one], fields, "*navigable", expand) for one in sorted(found)
        ],
        "issueErrors": missing,
    }
