"""The ASGI application: reads a request, hands it to the database thread, sends the answer."""

import asyncio
import gzip
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.servicenow.sandbox.http import ApiError, Reply
from connectors.servicenow.sandbox.router import Router

_LEAST_PACKED = 1024
_MOST_PACKED = 256 * 1024
_MOST_BODY = 10_485_760
_MOST_URL = 16_384
_PAGE = """<!DOCTYPE html>
<html><head><title>{status}</title></head><body><h1>{status}</h1><p>{text}</p></body></html>
"""
_HEADERS = {
    "Server-Timing": "sem_wait;dur=0, sesh_wait;dur=0",
    "X-Is-Logged-In": "true",
    "X-Content-Type-Options": "nosniff",
    "Pragma": "no-store,no-cache",
    "Cache-Control": "no-cache,no-store,must-revalidate,max-age=-1",
    "Expires": "0",
    "Server": "ServiceNow",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
}


class Application:
    """Serves one router; requests run one after the other in a thread of their own."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servicenow-sandbox")

    def starlette(self) -> Starlette:
        """Return the application."""
        served = Starlette(exception_handlers={Exception: self._failed})
        # Every path is ours, also one with a line break in it, which no route pattern matches.
        served.router.default = self._any
        return served

    async def _any(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._serve(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _failed(self, _request: Request, error: Exception) -> Response:
        """A defect of the sandbox is the vendor's 500, and the server's log has its trace."""
        name = f"com.glide.rest.domain.ServiceException: {type(error).__name__}"
        return self._response(ApiError(500, name, None).reply(), {})

    def identify(self, scope: Scope) -> str:
        """Name the account behind a request for the log and the fault rules."""
        return self._router.identify(_headers(scope))

    async def _serve(self, request: Request) -> Response:
        query: str = request.scope["query_string"].decode("latin-1")
        if len(request.scope["raw_path"]) + len(query) > _MOST_URL:
            await _drained(request)
            return _page(414, "Request-URI Too Long")
        headers = _headers(request.scope)
        try:
            body = await _drained(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if len(body) > _MOST_BODY:
            return self._response(_too_large(len(body)).reply(), headers)
        base = f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(
            self.executor,
            self._router.answer,
            request.method,
            request.scope["path"],
            query,
            headers,
            body,
            base,
        )
        return self._response(reply, headers)

    def _response(self, reply: Reply, headers: Mapping[str, str]) -> Response:
        sent = {**_HEADERS, "X-Transaction-ID": secrets.token_hex(6), **reply.headers}
        if reply.body:
            sent["Content-Type"] = reply.content_type
        body = reply.body
        if _compressible(reply, headers):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            sent["Content-Encoding"] = "gzip"
        response = Response(body, reply.status, sent)
        if "JSESSIONID=" not in headers.get("cookie", ""):
            response.set_cookie("JSESSIONID", secrets.token_hex(16).upper(), httponly=True)
            response.set_cookie("glide_user_route", f"glide.{secrets.token_hex(16)}", httponly=True)
        return response


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def _compressible(reply: Reply, headers: Mapping[str, str]) -> bool:
    """The vendor packs every answer; here large ones go plain, so that no bench measures zlib."""
    wanted = "gzip" in headers.get("accept-encoding", "")
    return wanted and _LEAST_PACKED <= len(reply.body) <= _MOST_PACKED


async def _drained(request: Request) -> bytes:
    """Read the body to its end; beyond the limit only its length is kept."""
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= _MOST_BODY:
            body += chunk
    return bytes(body) if size <= _MOST_BODY else b" " * size


def _too_large(size: int) -> ApiError:
    return ApiError(
        400,
        "Exception while reading request",
        f"Rejected large REST payload with content-length = {size} bytes. "
        f"Max allowed: {_MOST_BODY} bytes.",
    )


def _page(status: int, text: str) -> Response:
    return Response(_PAGE.format(status=status, text=text), status, media_type="text/html")
