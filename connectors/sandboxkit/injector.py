"""The ASGI layer between the socket and a vendor's application: log, faults, the `Date` header."""

import asyncio
from collections.abc import Callable
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard, FaultKind, FaultRule
from connectors.sandboxkit.log import RequestLog
from connectors.sandboxkit.server import cut_connection

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class FaultDialect(Protocol):
    """How one vendor words the faults that the kit plays for it."""

    def rate_limited(self, rule: FaultRule, target: str) -> Response:
        """Return the vendor's 429 of the kind that `rule.variant` names."""
        ...

    def server_error(self, rule: FaultRule, target: str) -> Response:
        """Return the vendor's answer with `rule.status`, a 5xx."""
        ...

    def html_page(self, rule: FaultRule, target: str) -> Response:
        """Return the page that the vendor answers with status 200."""
        ...

    def empty_202(self, rule: FaultRule, target: str) -> Response:
        """Return the vendor's 202 without a body."""
        ...

    def expired_token(self, rule: FaultRule, target: str) -> Response:
        """Return the vendor's answer to an expired bearer token."""
        ...

    def truncate(self, body: bytes, target: str) -> bytes:
        """Return a 200 body as the vendor breaks it off; the kit corrects the length."""
        ...


class Injector:
    """Wraps a vendor's application; every request is logged, every matching rule strikes.

    `identify` names the account of a request from its headers alone, or "" (it must not raise).
    Kinds that need the vendor's data (stale index, late commits, timestamps, ignored states) pass
    through here untouched: the vendor asks the board itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: SandboxClock,
        faults: FaultBoard,
        log: RequestLog,
        dialect: FaultDialect,
        identify: Callable[[Scope], str],
    ) -> None:
        self._app = app
        self._clock = clock
        self._faults = faults
        self._log = log
        self._dialect = dialect
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self, scope, receive, send)
        try:
            await exchange.run()
        finally:
            self.record(exchange)

    def record(self, exchange: "Exchange") -> None:
        """Log a request, once: before its answer has left, so that no client outruns the log."""
        if exchange.logged:
            return
        exchange.logged = True
        self._log.add(
            user=exchange.user,
            method=exchange.method,
            target=exchange.target,
            status=exchange.status,
            body=bytes(exchange.body) if exchange.method in _WRITES else b"",
        )

    def strike(self, kind: FaultKind, exchange: "Exchange") -> FaultRule | None:
        """Ask the board about one request."""
        return self._faults.strike(
            kind, method=exchange.method, target=exchange.target, user=exchange.user
        )

    async def serve(self, exchange: "Exchange") -> None:
        """Let the vendor's application answer."""
        await self._app(exchange.scope, exchange.receive, exchange.send)

    def refusal(self, exchange: "Exchange") -> Response | None:
        """Return the answer of the first rule that refuses the request before it has an effect."""
        answers = (
            (FaultKind.RATE_LIMITED, self._dialect.rate_limited),
            (FaultKind.SERVER_ERROR, self._dialect.server_error),
            (FaultKind.HTML_200, self._dialect.html_page),
            (FaultKind.EMPTY_202, self._dialect.empty_202),
            (FaultKind.EXPIRED_TOKEN, self._dialect.expired_token),
        )
        for kind, answer in answers:
            if kind is FaultKind.EXPIRED_TOKEN and not exchange.bearer:
                continue
            rule = self.strike(kind, exchange)
            if rule is not None:
                return answer(rule, exchange.target)
        return None

    def truncated(self, body: bytes, target: str) -> bytes:
        """Return a body broken off as the vendor does it."""
        return self._dialect.truncate(body, target)

    def date(self, exchange: "Exchange") -> bytes:
        """Return the value of the `Date` header for one answer."""
        moment = self._clock.now()
        rule = self.strike(FaultKind.CLOCK_OFFSET, exchange)
        if rule is not None:
            moment += timedelta(seconds=rule.seconds)
        return format_datetime(moment.astimezone(UTC), usegmt=True).encode()

    def faulty(self) -> bool:
        """Say whether any rule is in force."""
        return self._faults.any()

    def user_of(self, scope: Scope) -> str:
        """Name the account behind a request."""
        return self._identify(scope)


class Exchange:
    """One request and its answer on their way through the injector."""

    def __init__(self, injector: Injector, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        query: bytes = scope["query_string"]
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        self.target = (raw + (b"?" + query if query else b"")).decode("latin-1")
        self.user = injector.user_of(scope)
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.bearer = any(
            name == b"authorization" and value[:7].lower() == b"bearer " for name, value in headers
        )
        self.status = 0
        self.logged = False
        self.body = bytearray()
        self._injector = injector
        self._receive = receive
        self._send = send
        self._held: list[Message] | None = None

    async def receive(self) -> Message:
        """Hand on what the client sends and remember the beginning of its body."""
        message = await self._receive()
        if message["type"] == "http.request" and len(self.body) <= 64 * 1024:
            self.body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        """Stamp the answer and pass it on, or hold it back while a rule still has to strike."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", []) if pair[0].lower() != b"date"]
            message = {**message, "headers": [*headers, (b"date", self._injector.date(self))]}
        if self._held is None:
            await self._pass_on(message)
        else:
            self._held.append(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._injector.record(self)
        await self._send(message)

    async def _cut(self) -> None:
        self.status = 0
        self._injector.record(self)
        await cut_connection(self.scope, self._receive)

    async def run(self) -> None:
        """Carry the request out with whatever faults are set for it."""
        if not self._injector.faulty():
            await self._injector.serve(self)
            return
        if self._injector.strike(FaultKind.DROP_BEFORE, self):
            await self._drain()
            await self._cut()
            return
        refusal = self._injector.refusal(self)
        if refusal is not None:
            await self._drain()
            await refusal(self.scope, self.receive, self.send)
            return
        await self._serve_with_faults()

    async def _drain(self) -> None:
        """Read the request to its end: a refusal that comes sooner is a reset to some clients."""
        while True:
            message = await self.receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    async def _serve_with_faults(self) -> None:
        late = self._injector.strike(FaultKind.LATENCY, self)
        drop = self._injector.strike(FaultKind.DROP_AFTER, self)
        truncated = self._injector.strike(FaultKind.TRUNCATED_200, self)
        if late is None and drop is None and truncated is None:
            await self._injector.serve(self)
            return
        held: list[Message] = []
        self._held = held
        await self._injector.serve(self)
        self._held = None
        if late is not None:
            await asyncio.sleep(late.seconds)
        if drop is not None:
            await self._cut()
            return
        if truncated is None or self.status != 200:  # noqa: PLR2004 - the fault is a 200 that lies
            for message in held:
                await self._pass_on(message)
            return
        await self._send_truncated(held, cut=truncated.variant == "cut")

    async def _send_truncated(self, held: list[Message], *, cut: bool) -> None:
        start = held[0]
        body = b"".join(message.get("body", b"") for message in held[1:])
        shown = body if cut else self._injector.truncated(body, self.target)
        headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        headers.append((b"content-length", str(len(shown)).encode()))
        await self._send({**start, "headers": headers})
        if not cut:
            await self._pass_on({"type": "http.response.body", "body": shown})
            return
        await self._send(
            {"type": "http.response.body", "body": shown[: len(shown) // 2], "more_body": True}
        )
        # One turn of the loop lets the first half leave before the connection is reset.
        await asyncio.sleep(0)
        await self._cut()
