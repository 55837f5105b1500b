"""A syslog receiver on real sockets: TCP with octet counting, UDP, and a unix datagram socket."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_HEADER = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) (\S{1,255}) (\S{1,48})"
    rb" (\S{1,128}) (\S{1,32}) (-|(?:\[[^\]]*\])+) ?(.*)",
    re.DOTALL,
)


class Received:
    """The messages that came, parsed by RFC 5424's grammar; a wrong one is kept apart."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.priorities: set[int] = set()
        self.wrong: list[bytes] = []
        self._lines: list[str] = []
        self._came = threading.Condition()

    def take(self, message: bytes) -> None:
        found = _HEADER.fullmatch(message)
        with self._came:
            if found is None:
                self.wrong.append(message)
            else:
                self.priorities.add(int(found[1]))
                self._lines.append(found[8].decode())
            self._came.notify_all()

    def lines(self, *, least: int = 0) -> list[str]:
        """What came so far; waits until it is at least so many lines."""
        with self._came:
            assert self._came.wait_for(lambda: len(self._lines) >= least, timeout=10), self._lines
            return list(self._lines)


@contextmanager
def receiver(kind: str, folder: Path) -> Iterator[Received]:
    """Listen until left."""
    if kind == "tcp":
        listening = socket.create_server(("127.0.0.1", 0))
        received = Received(f"tcp://127.0.0.1:{listening.getsockname()[1]}")
    elif kind == "udp":
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.bind(("127.0.0.1", 0))
        received = Received(f"udp://127.0.0.1:{listening.getsockname()[1]}")
    else:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.bind(str(folder / "log"))
        received = Received(f"unix://{folder / 'log'}")
    serve = _streams if kind == "tcp" else _datagrams
    thread = threading.Thread(target=serve, args=(listening, received))
    thread.start()
    try:
        yield received
    finally:
        _wake(listening, kind)
        thread.join(timeout=10)
        listening.close()


def _wake(listening: socket.socket, kind: str) -> None:
    """Send the end: nothing to read, or a connection that says nothing."""
    if kind == "tcp":
        socket.create_connection(listening.getsockname(), timeout=5).close()
        return
    family = socket.AF_INET if kind == "udp" else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as last:
        last.sendto(b"END", listening.getsockname())


def _datagrams(listening: socket.socket, received: Received) -> None:
    while (message := listening.recv(65_536)) != b"END":
        received.take(message)


def _streams(listening: socket.socket, received: Received) -> None:
    while True:
        stream, _ = listening.accept()
        with stream, stream.makefile("rb") as file:
            count = 0
            while size := _size(file):
                received.take(file.read(size))
                count += 1
            if not count:
                return


def _size(file: BinaryIO) -> int:
    digits = b""
    while (one := file.read(1)) not in {b"", b" "}:
        digits += one
    return int(digits) if digits else 0
