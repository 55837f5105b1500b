"""Sessions are serial: requests that share a JSESSIONID wait for each other, and few may wait."""

import asyncio
import re
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandboxkit.log import RequestLog

_MOST_QUEUED = 10
_SESSION = re.compile(rb"(?:^|;\s*)JSESSIONID=([^;]+)")


class SessionGate:
    """Lets one request of a session through at a time; what queues too long is dropped with 202.

    A dropped request has no effect at all, as on an instance. Requests without a cookie pass.
    """

    def __init__(self, app: ASGIApp, log: RequestLog, identify: Callable[[Scope], str]) -> None:
        self._app = app
        self._log = log
        self._identify = identify
        self._locks: dict[bytes, asyncio.Lock] = {}
        self._queued: dict[bytes, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as ASGI asks."""
        session = _session(scope)
        if not session:
            await self._app(scope, receive, send)
            return
        if self._queued.get(session, 0) > _MOST_QUEUED:
            await self._drop(scope, receive, send)
            return
        self._queued[session] = self._queued.get(session, 0) + 1
        lock = self._locks.setdefault(session, asyncio.Lock())
        try:
            async with lock:
                await self._app(scope, receive, send)
        finally:
            self._queued[session] -= 1
            if not self._queued[session]:
                del self._queued[session], self._locks[session]

    async def _drop(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        query: bytes = scope["query_string"]
        while (await receive()).get("more_body", False):
            pass
        self._log.add(
            user=self._identify(scope),
            method=scope["method"],
            target=(raw + (b"?" + query if query else b"")).decode("latin-1"),
            status=202,
            body=b"",
        )
        await Response(status_code=202)(scope, receive, send)


def _session(scope: Scope) -> bytes:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        match = _SESSION.search(value) if name == b"cookie" else None
        if match is not None:
            return match[1]
    return b""
