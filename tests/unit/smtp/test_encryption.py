"""A mail server that speaks TLS and wants a login."""

import socket
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from connectors.sandboxkit.tls import TlsFiles, ensure_tls
from connectors.smtp.factory import build
from connectors.smtp.mailer import SMTPMailer
from connectors.smtp.settings import SMTPSettings
from engine.errors import AuthenticationError, PermanentError
from engine.ports.mailer import Message

MESSAGE = Message(id="a@b", to="bob@private.test", subject="s", body="a-secret-body")
NOW = datetime.fromtimestamp(time.time(), tz=UTC)


class SetClock:
    """A clock that stands."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


class Kept:
    """Keeps what was taken."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        self.taken.append(envelope.content)
        return "250 OK"


def authenticate(_server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and data == LoginPassword(b"us", b"the-password")
    return AuthResult(success=is_right, handled=False)


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return ensure_tls(tmp_path, NOW)


@pytest.fixture(params=["tls", "starttls"])
def served(request: pytest.FixtureRequest, files: TlsFiles) -> Generator[tuple[str, int, Kept]]:
    """A server that takes mail only over TLS and after a login."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    kept = Kept()
    how: dict[str, Any] = (
        # aiosmtpd takes STARTTLS alone for TLS, and warns of a login that is demanded without.
        {"ssl_context": context, "auth_require_tls": False}
        if request.param == "tls"
        else {"tls_context": context, "require_starttls": True, "auth_required": True}
    )
    controller = Controller(
        kept,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=authenticate,
        **how,
    )
    controller.start()
    yield request.param, controller.port, kept
    controller.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def mailer(served: tuple[str, int, Kept], **changes: object) -> SMTPMailer:
    security, port, _kept = served
    raw: dict[str, object] = {
        "host": "localhost",
        "port": port,
        "from": "it@example.test",
        "security": security,
        "username": "us",
        "password": "the-password",
    }
    return build(SMTPSettings.model_validate({**raw, **changes}), SetClock(NOW))


def test_a_message_goes_over_tls_after_a_login(
    served: tuple[str, int, Kept], files: TlsFiles
) -> None:
    trusting = mailer(served, ca_file=str(files.ca))
    trusting.send(MESSAGE)
    assert len(served[2].taken) == 1
    assert [finding.code for finding in trusting.check()] == ["reachable"]


def test_a_wrong_password_is_refused_once_and_told_without_it(
    served: tuple[str, int, Kept], files: TlsFiles
) -> None:
    wrong = mailer(served, ca_file=str(files.ca), password="not-it-at-all")
    with pytest.raises(AuthenticationError) as caught:
        wrong.send(MESSAGE)
    assert "not-it-at-all" not in str(caught.value)
    assert [finding.code for finding in wrong.check()] == ["credentials_refused"]
    assert not served[2].taken


def test_a_certificate_of_a_stranger_is_refused(served: tuple[str, int, Kept]) -> None:
    with pytest.raises(PermanentError, match="certificate"):
        mailer(served).send(MESSAGE)
    assert not served[2].taken


def test_a_certificate_that_soon_ends_is_told(
    served: tuple[str, int, Kept], files: TlsFiles
) -> None:
    security, port, _kept = served
    raw = {
        "host": "localhost",
        "port": port,
        "from": "it@example.test",
        "security": security,
        "username": "us",
        "password": "the-password",
        "ca_file": str(files.ca),
    }
    late = build(SMTPSettings.model_validate(raw), SetClock(NOW + timedelta(days=820)))
    assert "certificate_ends" in {finding.code for finding in late.check()}
