"""The ASGI application: reads a request, finds its operation, answers as the vendor does."""

import json
import re
from http import HTTPStatus
from typing import NoReturn

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.jira.sandbox import (
    api_avatars,
    api_boards,
    api_bulk_properties,
    api_bulk_work,
    api_changelog,
    api_columns,
    api_comments,
    api_dashboards,
    api_epics,
    api_filters,
    api_find_more,
    api_groups,
    api_issues,
    api_jql,
    api_meta,
    api_paged,
    api_part_lists,
    api_people,
    api_permission_checks,
    api_pickers,
    api_preferences,
    api_projects,
    api_rank,
    api_roles,
    api_search,
    api_site,
    api_sprints,
    api_talk_more,
    api_type_schemes,
    attachments,
    auth,
    crowd,
    desk_approvals,
    desk_create,
    desk_files,
    desk_follow,
    desk_people,
    desk_portal,
    desk_requests,
    desk_talk,
    limits,
    links,
    meta,
    pages,
    part_moves,
    parts,
    pins,
    properties,
    schemes,
    webhooks,
)
from connectors.jira.sandbox.people import Flavour
from connectors.jira.sandbox.site import Call, Routes, Served, Site, compiled
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import ApiError, Json, Reply, Row, bad_request, unauthenticated

_MODULES: tuple[Routes, ...] = (
    api_issues.routes,
    api_changelog.routes,
    api_comments.routes,
    api_boards.routes,
    api_sprints.routes,
    api_epics.routes,
    api_filters.routes,
    api_avatars.routes,
    api_avatars.secure_routes,
    api_dashboards.routes,
    api_columns.routes,
    api_jql.routes,
    api_preferences.routes,
    api_bulk_properties.routes,
    api_bulk_work.routes,
    api_dashboards.internal_routes,
    api_find_more.routes,
    api_talk_more.routes,
    api_type_schemes.routes,
    api_meta.routes,
    api_meta.auth_routes,
    api_paged.routes,
    api_part_lists.routes,
    api_people.routes,
    api_permission_checks.routes,
    api_pickers.routes,
    api_groups.routes,
    api_projects.routes,
    api_rank.routes,
    api_roles.routes,
    api_search.routes,
    api_site.routes,
    api_site.rest_routes,
    attachments.routes,
    crowd.routes,
    links.routes,
    meta.routes,
    properties.routes,
    schemes.routes,
    part_moves.routes,
    parts.routes,
    pins.routes,
    webhooks.routes,
    webhooks.old_routes,
    desk_create.routes,
    desk_files.routes,
    desk_follow.routes,
    desk_people.routes,
    desk_requests.routes,
    desk_talk.routes,
    desk_approvals.routes,
    desk_portal.routes,
)
_LARGEST = 32 * 1024 * 1024
_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_JSON_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SURROGATE = re.compile(rb"\\ud[89a-f]", re.IGNORECASE)


class Table:
    """The operations of one flavour, found by method and path; literal paths come first."""

    def __init__(self, flavour: Flavour) -> None:
        self._by_size: dict[int, list[tuple[re.Pattern[str], Served]]] = {}
        served = [one for module in _MODULES for one in module.served if flavour in one.flavours]
        for one in sorted(served, key=_looseness):
            size = one.pattern.count("/")
            self._by_size.setdefault(size, []).append((compiled(one.pattern), one))

    def find(self, method: str, path: str) -> tuple[Served | None, dict[str, str], set[str]]:
        """Return the operation, its path parameters, and the methods that the path knows."""
        known: set[str] = set()
        for pattern, served in self._by_size.get(path.count("/"), ()):
            match = pattern.fullmatch(path)
            if match is None:
                continue
            known.add(served.method)
            if served.method == method:
                return served, match.groupdict(), known
        return None, {}, known


def _looseness(served: Served) -> list[int]:
    return [int("{" in part) for part in served.pattern.split("/")]


class JiraApp:
    """Answers every request of a site; carries out one at a time, each in a transaction."""

    def __init__(self, site: Site, throttle: limits.Throttle, courier: webhooks.Courier) -> None:
        self._site = site
        self._courier = courier
        self._table = Table(site.flavour)
        self._throttle = throttle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        raw, whole = await _body(receive)
        reply = self.answer(scope, raw) if whole else _too_large()
        await _response(reply)(scope, receive, send)

    def answer(self, scope: Scope, raw: bytes) -> Reply:
        """Return the answer to one request."""
        call = self._call(scope, raw)
        if isinstance(call, Reply):
            return call
        try:
            with self._site.store.transaction():
                reply = self._served(call, scope["method"])
                if call.events:
                    webhooks.tell(call, self._courier)
        except ApiError as error:
            reply = error.reply
        except (OverflowError, UnicodeEncodeError, RecursionError):
            # A number or a text that no column can hold.
            reply = bad_request("The request contains a value that is out of range.").reply
        self._throttle.headers(call, reply)
        reply.headers = {**call.answer, **reply.headers}
        return reply

    def _call(self, scope: Scope, raw: bytes) -> Call | Reply:
        headers = Headers(scope=scope)
        who = auth.login(self._site, headers)
        query: bytes = scope["query_string"]
        call = Call(
            site=self._site,
            method="GET" if scope["method"] == "HEAD" else scope["method"],
            target=scope["path"] + (f"?{query.decode('latin-1')}" if query else ""),
            caller=who.caller,
            query=QueryParams(query),
            headers=headers,
            raw=raw,
        )
        if who.failed:
            given = auth.credentials(headers.get("authorization", ""))
            auth.note_failure(self._site, given[0] if given else "")
            call.answer["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
            if not self._site.cloud:
                return _login_page()
        elif who.caller is not None:
            call.answer["X-Seraph-LoginReason"] = "OK"
        if not self._site.cloud:
            call.answer["X-AUSERNAME"] = who.caller.name if who.caller else "anonymous"
        _read_json(call)
        return call

    def _served(self, call: Call, method: str) -> Reply:
        path = call.target.split("?", 1)[0].rstrip("/")
        page = pages.answer(call, path)
        if page is not None:
            return page
        path = path.replace("/rest/api/latest/", "/rest/api/2/", 1)
        if call.cloud:
            # Where newer clients ask for the issues of boards, sprints and epics.
            path = path.replace("/rest/software/1.0/", "/rest/agile/1.0/", 1)
        served, found, known = self._table.find(call.method, path)
        version = found.pop("version", "2")
        if served is None or version not in (("2", "3") if self._site.cloud else ("2",)):
            _unknown(call, known if served is None else set())
        call.version = int(version)
        call.path = found
        if call.caller is None and not served.anonymous:
            raise unauthenticated()
        self._throttle.admit(call, served)
        if _plain_text(call, served):
            raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, None)
        answer = served.endpoint(call)
        reply = answer if isinstance(answer, Reply) else Reply(body=answer)
        if method == "HEAD":
            reply.body = None
        return reply


def _plain_text(call: Call, served: Served) -> bool:
    """Say whether a body came as plain text to an operation of Cloud that takes JSON alone."""
    if not call.cloud or not call.raw or served.pattern.endswith("/mypreferences"):
        return False
    return call.headers.get("content-type", "").startswith("text/plain")


async def _body(receive: Receive) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts), True
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= _LARGEST:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts), size <= _LARGEST


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _read_json(call: Call) -> None:
    if not call.raw.strip() or call.method not in _JSON_METHODS:
        return
    if call.headers.get("content-type", "").startswith("multipart/"):
        return
    try:
        call.body = json.loads(call.raw, parse_constant=_refuse_constant)
        if _SURROGATE.search(call.raw):
            dumps(call.body).encode()
    except (ValueError, RecursionError):  # UnicodeError is a ValueError
        call.broken = True
        call.body = None


def _unknown(call: Call, known: set[str]) -> NoReturn:
    if known:
        raise ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            {"errorMessages": [f"Method {call.method} is not allowed here."], "errors": {}},
            {"Allow": ", ".join(sorted(known))},
        )
    path = call.target.split("?", 1)[0]
    raise ApiError(
        HTTPStatus.NOT_FOUND,
        {"message": f"null for uri: {call.site.url}{path}", "status-code": 404},
    )


def _too_large() -> Reply:
    body: Row = {"errorMessages": ["The request is too large."], "errors": {}}
    return Reply(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, body=body)


def _login_page() -> Reply:
    return Reply(
        status=HTTPStatus.UNAUTHORIZED,
        body="<html><head><title>Unauthorized (401)</title></head><body><h1>Unauthorized (401)</h1>"
        "<p>Basic Authentication Failure - Reason : AUTHENTICATED_FAILED</p></body></html>",
        headers={
            "X-Seraph-LoginReason": "AUTHENTICATED_FAILED",
            "WWW-Authenticate": 'OAuth realm="Jira"',
        },
        media="text/html;charset=UTF-8",
    )


def encoded(body: Json, media: str) -> bytes:
    """Return the bytes of a body."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if media.startswith("text/"):
        return str(body).encode()
    try:
        return orjson.dumps(body)
    except TypeError:
        # A whole number of more than 64 bits, which JSON can hold and somebody stored.
        return json.dumps(body, ensure_ascii=False).encode()


def _response(reply: Reply) -> Response:
    content = b"" if reply.status in _NO_BODY else encoded(reply.body, reply.media)
    media = reply.media if content else None
    return Response(content, status_code=reply.status, headers=reply.headers, media_type=media)
