"""A TCP proxy that kills a process just before a write is forwarded, or just after its answer.

It knows just enough of HTTP, LDAP, SMTP and PostgreSQL to see where a write begins. The process
under test has no hook for this: it only talks to another port.
"""

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_HTTP_WRITE = re.compile(rb"(POST|PUT|PATCH|DELETE) (\S+)")
_LDAP_WRITES = {0x66: "modify", 0x68: "add", 0x4A: "delete", 0x6C: "rename", 0x77: "extended"}


def http_write(chunk: bytes) -> str:
    """Name the write that begins here; a search by POST is none."""
    match = _HTTP_WRITE.match(chunk)
    if match is None:
        return ""
    method, path = match[1].decode(), match[2].decode().partition("?")[0]
    return (
        "" if path.endswith(("/search/jql", "/search", "/oauth_token.do")) else f"{method} {path}"
    )


def ldap_write(chunk: bytes) -> str:
    """Name the LDAP operation that begins here, if it writes (RFC 4511, BER)."""
    if len(chunk) < 7 or chunk[0] != 0x30:
        return ""
    at = 2 + (chunk[1] & 0x7F if chunk[1] & 0x80 else 0)
    if chunk[at] != 0x02:
        return ""
    at += 2 + chunk[at + 1]
    return f"ldap {_LDAP_WRITES[chunk[at]]}" if chunk[at] in _LDAP_WRITES else ""


def smtp_write(chunk: bytes) -> str:
    """Name a finished message."""
    return "smtp message" if chunk.endswith(b"\r\n.\r\n") else ""


def postgres_commit(chunk: bytes) -> str:
    """Name a commit, in the simple or the extended protocol."""
    return "commit" if b"COMMIT" in chunk else ""


class Moment(StrEnum):
    """When the process dies: the other side has not seen the write, or has answered it."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Trap:
    """Counts writes over all proxies; kills at the one that is set. `seen` names them in order."""

    kill: Callable[[], None] = lambda: None
    at: int = 0
    moment: Moment = Moment.BEFORE
    seen: list[str] = field(default_factory=list)
    sprung: str = ""
    is_armed: bool = False
    """Only while the daemon runs: what other commands write is neither counted nor a moment."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, at: int, moment: Moment, kill: Callable[[], None]) -> None:
        """Count anew; kill at the `at`th write from here, counted from 1."""
        with self._lock:
            self.seen, self.sprung = [], ""
            self.at, self.moment, self.kill = at, moment, kill

    def clear(self) -> None:
        """Only count from here."""
        self.set(0, Moment.BEFORE, lambda: None)

    def meets(self, name: str) -> bool:
        """Count one write; return whether it is the one."""
        with self._lock:
            if not self.is_armed:
                return False
            self.seen.append(name)
            if len(self.seen) != self.at or self.sprung:
                return False
            self.sprung = name
            return True


class KillingProxy:
    """Forwards one port to another, watching for writes."""

    def __init__(
        self, target: tuple[str, int] | str, is_write: Callable[[bytes], str], trap: Trap
    ) -> None:
        """Listen on a free port of loopback."""
        self._target = target
        self._is_write = is_write
        self._trap = trap
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut every connection."""
        _cut(self._listener)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                _cut(connection)
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = self._connect()
            with self._lock:
                self._open |= {client, server}
            answering = threading.Event()
            for pump in (self._requests, self._answers):
                threading.Thread(target=pump, args=(client, server, answering), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            return server
        return socket.create_connection(self._target)

    def _requests(
        self, client: socket.socket, server: socket.socket, answering: threading.Event
    ) -> None:
        while chunk := _receive(client):
            name = self._is_write(chunk)
            if name and self._trap.meets(name):
                if self._trap.moment is Moment.BEFORE:
                    self._trap.kill()
                    break
                answering.set()
            if not _send(server, chunk):
                break
        _cut(server)

    def _answers(
        self, client: socket.socket, server: socket.socket, answering: threading.Event
    ) -> None:
        while chunk := _receive(server):
            if answering.is_set():
                self._trap.kill()
                break
            if not _send(client, chunk):
                break
        _cut(client)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def _send(connection: socket.socket, chunk: bytes) -> bool:
    try:
        connection.sendall(chunk)
    except OSError:
        return False
    return True


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        connection.close()
