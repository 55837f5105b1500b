"""The mail sink as one object: it takes every mail, and shows them at `admin_url`/messages."""

import asyncio
import json
import socket
import threading
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import default as default_policy
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.sandboxkit.admin import AdminApi
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard, FaultKind
from connectors.sandboxkit.log import RequestLog
from connectors.sandboxkit.server import SandboxServer

_TRY_LATER = 451
_UNSET_STATUS = 503


class MailSandbox:
    """A mail server on loopback that delivers nothing and keeps everything.

    `data` is the folder of its file (kept over restarts), or None. `GET {admin_url}/messages`
    returns `{"messages": [{id, message_id, sender, recipients, subject, body, received_at}]}`,
    oldest first; `?to=ADDRESS` only those to one address; DELETE forgets them. Faults:
    `5xx` refuses with `status` (451 where none is given), `drop_before` and `drop_after` cut the
    connection before and after a message is taken; `method` is RCPT or DATA, the path the
    recipient.
    """

    def __init__(self, data: Path | None = None, port: int = 0, admin_port: int = 0) -> None:
        self.clock = SandboxClock()
        self.faults = FaultBoard()
        self.log = RequestLog(self.clock.now)
        self._lock = threading.Lock()
        self._file = None if data is None else data / "messages.jsonl"
        self._messages: list[dict[str, object]] = self._load()
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        self._controller = _OnSocket(_Sink(self), self._socket)
        api = AdminApi(clock=self.clock, faults=self.faults, log=self.log, seeder=_no_seed)
        routes = [Route("/messages", self._messages_route, methods=["GET", "DELETE"])]
        self._admin = SandboxServer(api.app(routes), port=admin_port)
        self.admin_url = self._admin.url
        self.accounts: Mapping[str, Mapping[str, str]] = {}
        """Nobody logs in here."""

    def start(self) -> Self:
        """Serve both ports; returns when requests are answered."""
        self._controller.start()
        self._admin.start()
        return self

    def stop(self) -> None:
        """Stop serving both ports."""
        self._controller.stop()
        self._socket.close()
        self._admin.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_failure: object) -> None:
        self.stop()

    @property
    def messages(self) -> list[dict[str, object]]:
        """Every message taken so far, oldest first."""
        with self._lock:
            return list(self._messages)

    def take(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Keep one message."""
        mail = message_from_bytes(content, policy=default_policy)
        body = mail.get_body(("plain",))
        with self._lock:
            kept: dict[str, object] = {
                "id": len(self._messages) + 1,
                "message_id": str(mail["Message-ID"] or ""),
                "sender": sender,
                "recipients": recipients,
                "subject": str(mail["Subject"] or ""),
                "body": body.get_content() if body is not None else "",
                "headers": [[name, str(value)] for name, value in mail.items()],
                "received_at": self.clock.now().isoformat(),
            }
            self._messages.append(kept)
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(kept) + "\n")

    def _load(self) -> list[dict[str, object]]:
        if self._file is None:
            return []
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch(mode=0o600)
        return [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]

    async def _messages_route(self, request: Request) -> Response:
        if request.method == "DELETE":
            with self._lock:
                self._messages.clear()
                if self._file is not None:
                    self._file.write_text("", "utf-8")
            return Response(status_code=204)
        wanted = request.query_params.get("to")
        found = [
            one
            for one in self.messages
            if wanted is None
            or (isinstance(one["recipients"], list) and wanted in one["recipients"])
        ]
        return JSONResponse({"messages": found})


class _Sink:
    """What aiosmtpd calls for each step of a delivery."""

    def __init__(self, sandbox: MailSandbox) -> None:
        self._sandbox = sandbox

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self,
        _server: Any,  # noqa: ANN401  aiosmtpd is untyped
        _session: Any,  # noqa: ANN401  as above
        envelope: Any,  # noqa: ANN401  as above
        address: str,
        _options: list[str],
    ) -> str:
        refusal = self._refusal("RCPT", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: ANN401, N802  as above
        recipients = [str(address) for address in envelope.rcpt_tos]
        target = ",".join(recipients)
        refusal = self._refusal("DATA", target)
        if refusal:
            return refusal
        if self._strikes(FaultKind.DROP_BEFORE, target):
            server.transport.abort()
            return "421 gone"
        self._sandbox.take(str(envelope.mail_from), recipients, envelope.content)
        self._sandbox.log.add(user="", method="DATA", target=target, status=250, body=b"")
        if self._strikes(FaultKind.DROP_AFTER, target):
            server.transport.abort()
        return "250 OK"

    def _strikes(self, kind: FaultKind, target: str) -> bool:
        board = self._sandbox.faults
        return board.strike(kind, method="DATA", target=target, user="") is not None

    def _refusal(self, method: str, target: str) -> str:
        rule = self._sandbox.faults.strike(
            FaultKind.SERVER_ERROR, method=method, target=target, user=""
        )
        if rule is None:
            return ""
        status = _TRY_LATER if rule.status == _UNSET_STATUS else rule.status
        self._sandbox.log.add(user="", method=method, target=target, status=status, body=b"")
        return f"{status} the sandbox was told to refuse"


class _OnSocket(Controller):
    """A controller on a socket that listens already, so that its port is known before."""

    def __init__(self, sink: _Sink, listening: socket.socket) -> None:
        self._listening = listening
        super().__init__(sink, hostname="127.0.0.1", port=listening.getsockname()[1])

    def _create_server(self) -> Any:  # noqa: ANN401  aiosmtpd is untyped
        loop: asyncio.AbstractEventLoop = self.loop
        return loop.create_server(self._factory_invoker, sock=self._listening)


def _no_seed(body: Mapping[str, object]) -> Mapping[str, object]:
    if body:
        raise ValueError("the mail sink has nothing to seed")
    return {}
