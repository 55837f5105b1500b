"""What a broken TLS connection says about a write: refused before it was sent, or unknown."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from connectors.http import HTTPSession
from connectors.sandboxkit.tls import TlsFiles, ensure_tls
from engine.errors import OutcomeUnknownError, TransientError
from engine.runtime.clock import SystemClock

_NO_TLS_RECORD = b"\x17\x03\x03\x00\x20" + b"\x00" * 32


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return ensure_tls(tmp_path / "tls", SystemClock().now())


@pytest.fixture
def serve(files: TlsFiles) -> Iterator[Callable[[], str]]:
    """Start a server that takes one whole request and answers with bytes that are no TLS."""
    threads: list[threading.Thread] = []

    def start() -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)

        def once() -> None:
            with listener, suppress(OSError):
                plain, _ = listener.accept()
                plain.settimeout(10)
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                    taken = b""
                    while not taken.endswith(b"}"):
                        taken += secure.recv(65536)
                    # Beneath the encryption, as a broken middlebox does it.
                    with socket.socket(fileno=secure.detach()) as raw:
                        raw.sendall(_NO_TLS_RECORD)

        threads.append(threading.Thread(target=once, daemon=True))
        threads[-1].start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}/x"

    yield start
    for thread in threads:
        thread.join(10)


def test_a_write_whose_answer_broke_inside_tls_may_have_been_done(
    serve: Callable[[], str], files: TlsFiles
) -> None:
    session = HTTPSession("snow", clock=SystemClock(), verify=str(files.ca))
    with pytest.raises(OutcomeUnknownError):
        session.post(serve(), json={"a": 1})


def test_a_certificate_that_does_not_hold_kept_the_write_from_being_sent(
    serve: Callable[[], str],
) -> None:
    session = HTTPSession("snow", clock=SystemClock())
    with pytest.raises(TransientError) as raised:
        session.post(serve(), json={"a": 1})
    assert not isinstance(raised.value, OutcomeUnknownError)
