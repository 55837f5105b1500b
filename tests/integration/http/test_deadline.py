"""A server that trickles its answer does not hold a worker for ever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.http import HTTPLimits, HTTPSession
from engine.errors import OutcomeUnknownError, TransientError
from engine.runtime.clock import SystemClock

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
def trickling() -> Iterator[str]:
    """A server that sends one byte every tenth of a second."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def trickle(connection: socket.socket) -> None:
        with closing(connection):
            connection.recv(65536)
            connection.sendall(HEAD)
            while not stop.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(None)
            threading.Thread(target=trickle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    stop.set()
    thread.join(5)
    listener.close()


def test_the_deadline_ends_a_trickling_answer(trickling: str) -> None:
    limits = HTTPLimits(connect=2, read=2, deadline=0.5)
    session = HTTPSession("slow", clock=SystemClock(), limits=limits)
    with pytest.raises(TransientError):
        session.get(trickling)
    with pytest.raises(OutcomeUnknownError):
        session.post(trickling, json={})


def test_a_port_where_nobody_listens_carried_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    session = HTTPSession("gone", clock=SystemClock())
    with pytest.raises(TransientError) as raised:
        session.post(f"http://127.0.0.1:{port}/x", json={})
    assert not isinstance(raised.value, OutcomeUnknownError)
