"""A uvicorn server in a thread, on a port known before it starts, able to cut connections."""

import asyncio
import contextlib
import functools
import logging
import socket
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server, ServerState

from connectors.sandboxkit.tls import TlsFiles

_STATE_KEY = "sandboxkit.abort"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class _AbortableProtocol(H11Protocol):
    """h11 with a handle by which the application can cut the connection it is serving."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        state = {**app_state, _STATE_KEY: self._abort}
        super().__init__(config, server_state, state, _loop)

    def _abort(self) -> None:
        self.transport.abort()


async def cut_connection(scope: Scope, receive: Receive) -> None:
    """Reset the connection of a request and return once the client is gone.

    The client sees a reset or an early end of file, never an HTTP answer or, where an answer had
    begun, never its end.
    """
    abort: Callable[[], None] = scope["state"][_STATE_KEY]
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass


class _ReadyServer(Server):
    """A server that says when it listens and leaves signals to whoever owns the process."""

    def __init__(self, config: Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A client that keeps an idle connection open, or that never answers the end of TLS,
        # would hold the stop up and leave its socket behind.
        self._abort_connections(idle_only=True)
        await super().shutdown(sockets=sockets)
        self._abort_connections(idle_only=False)
        await asyncio.sleep(0)

    def _abort_connections(self, *, idle_only: bool) -> None:
        for connection in list(self.server_state.connections):
            if not isinstance(connection, H11Protocol):
                continue
            busy = connection.cycle is not None and not connection.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]  # uvicorn sets None before the first request
            if not (busy and idle_only):
                connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class SandboxServer:
    """Serves one ASGI application on loopback; usable as a context manager.

    The socket listens from when the object is made, so `url` is final before `start()` (a client
    that is early waits); a taken port raises `OSError` there and then.
    """

    def __init__(
        self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0, tls: TlsFiles | None = None
    ) -> None:
        # The protocol is named because asyncio turns Nagle off only where it is: without it every
        # answer waits 40 ms for a delayed acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(1024)
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)  # noqa: FBT003 - socket's own signature
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._ready = threading.Event()
        self._done = threading.Event()
        self._begun = False
        self._server = _ReadyServer(_config(app, tls), self._ready)

    def start(self) -> Self:
        """Serve from a thread and return as soon as requests are answered.

        Raises:
            RuntimeError: the server ended or did not come up; its log says why.
        """
        self._begun = True
        threading.Thread(target=self._run, name=f"sandbox-{self.port}", daemon=True).start()
        if not self._ready.wait(_START_SECONDS) or not self._server.started:
            raise RuntimeError(f"the sandbox server at {self.url} did not start")
        return self

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._ready.set()
            self._done.set()

    def stop(self) -> None:
        """Stop serving: running requests get two seconds, then their connections are closed.

        Raises:
            RuntimeError: the server's thread did not end.
        """
        self._server.should_exit = True
        if self._begun and not self._done.wait(_STOP_SECONDS):
            raise RuntimeError(f"the sandbox server at {self.url} did not stop")
        self._socket.close()

    def serve_forever(self) -> None:
        """Serve in the calling thread until `stop()` is called from another one."""
        self._begun = True
        self._run()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _config(app: ASGIApp, tls: TlsFiles | None) -> Config:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    make = functools.partial(
        uvicorn.Config,
        _Served(app),
        http=_AbortableProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=1024 * 1024,
    )
    if tls is None:
        return make()
    return make(ssl_certfile=str(tls.certificate), ssl_keyfile=str(tls.key))


class _Served:
    """The application as uvicorn calls it (a class, so that interface detection is not needed)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._app(scope, receive, send)
