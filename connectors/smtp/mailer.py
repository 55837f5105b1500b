"""SMTPMailer: hands one message to the mail server; its body is neither logged nor quoted."""

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from connectors.smtp.settings import ADDRESS, Security, SMTPSettings
from engine.errors import (
    AuthenticationError,
    PermanentError,
    TiergateError,
    TransientError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.mailer import Message

_SYSTEM = "mail"
_ID = re.compile(r"[A-Za-z0-9._+-]{1,200}(?:@[A-Za-z0-9.-]{1,200})?")
_CODES: Mapping[type[TiergateError], str] = {
    AuthenticationError: "credentials_refused",
    TransientError: "unreachable",
}
_LONGEST_SUBJECT = 250
_PERMANENT = 500
_CERTIFICATE_SLACK = timedelta(days=14)


class SMTPMailer:
    """Implements `Mailer`; a connection a message, at least once, told apart by the Message-ID."""

    def __init__(self, settings: SMTPSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def send(self, message: Message) -> None:
        """Hand the message to the mail server.

        Raises:
            TransientError: Not accepted now, or no answer; the same message may be sent again.
            PermanentError: The address, the sender or the message was refused, or a header would
                have carried a line break.
            AuthenticationError: The login was refused.
        """
        mail = self._mail(message)
        with self._connected() as server:
            server.send_message(mail, from_addr=self._settings.sender, to_addrs=[message.to])

    def check(self) -> tuple[Finding, ...]:
        """Return whether the server is reachable, encrypted as configured, and lets us log in."""
        try:
            with self._connected() as server:
                server.noop()
                ends_at = _certificate_end(server.sock)
        except TiergateError as error:
            code = _CODES.get(type(error), "unusable")
            remedy = "correct `mail`: host, port, security, username and password"
            return (self._finding(Severity.FAULT, code, str(error), remedy),)
        seen = f"{self._settings.host}:{self._settings.chosen_port} answers"
        found = [self._finding(Severity.OK, "reachable", seen, "")]
        if ends_at is not None and ends_at - self._clock.now() < _CERTIFICATE_SLACK:
            seen = f"the mail server's certificate ends {ends_at:%Y-%m-%d}"
            found.append(self._finding(Severity.WARNING, "certificate_ends", seen, "renew it"))
        return tuple(found)

    def _mail(self, message: Message) -> EmailMessage:
        if not ADDRESS.fullmatch(message.to):
            raise PermanentError("mail: the recipient is not one plain mail address")
        if not _ID.fullmatch(message.id):
            raise PermanentError("mail: the message's id cannot be a Message-ID")
        subject = message.subject.strip()
        if not subject.isprintable() or len(subject) > _LONGEST_SUBJECT:
            raise PermanentError("mail: the subject holds control characters, or is too long")
        domain = self._settings.sender.rpartition("@")[2]
        identity = message.id if "@" in message.id else f"{message.id}@{domain}"
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = self._settings.sender
        mail["To"] = message.to
        mail["Subject"] = subject
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = f"<{identity}>"
        # RFC 3834: so that no out-of-office reply answers a daemon, quoting what it sent.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        return mail

    @contextmanager
    def _connected(self) -> Generator[smtplib.SMTP]:
        # What the server says may quote the message, so only its code is kept, and no cause.
        try:
            with self._open() as server:
                yield server
        except smtplib.SMTPAuthenticationError as error:
            raise AuthenticationError(f"mail: the login was refused ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused as error:
            code = max((refused[0] for refused in error.recipients.values()), default=_PERMANENT)
            raise _refused("the recipient was refused", code) from None
        except smtplib.SMTPResponseException as error:
            raise _refused("the message was refused", error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise PermanentError("mail: the server lacks STARTTLS, or the login") from None
        except ssl.SSLCertVerificationError as error:
            raise PermanentError(
                f"mail: the server's certificate does not hold: {error.verify_message}"
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            raise TransientError(f"mail: no answer ({type(error).__name__})") from None

    def _open(self) -> smtplib.SMTP:
        settings = self._settings
        seconds = settings.timeout.total_seconds()
        name = socket.gethostname()
        host, port = settings.host, settings.chosen_port
        match settings.chosen_security:
            case Security.TLS:
                context = ssl.create_default_context(cafile=settings.ca_file or None)
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    host, port, local_hostname=name, timeout=seconds, context=context
                )
            case Security.STARTTLS:
                context = ssl.create_default_context(cafile=settings.ca_file or None)
                server = smtplib.SMTP(host, port, local_hostname=name, timeout=seconds)
                _or_close(server, lambda: server.starttls(context=context))
            case Security.NONE:
                server = smtplib.SMTP(host, port, local_hostname=name, timeout=seconds)
        if settings.username:
            password = settings.password.get_secret_value()
            _or_close(server, lambda: server.login(settings.username, password))
        return server

    def _finding(self, severity: Severity, code: str, seen: str, remedy: str) -> Finding:
        return Finding(severity=severity, code=code, system=_SYSTEM, seen=seen, remedy=remedy)


def _or_close(server: smtplib.SMTP, step: Callable[[], object]) -> None:
    try:
        step()
    except (smtplib.SMTPException, OSError):
        server.close()
        raise


def _refused(what: str, code: int) -> TiergateError:
    if code >= _PERMANENT:
        return PermanentError(f"mail: {what} ({code})")
    return TransientError(f"mail: {what} now ({code})")


def _certificate_end(connection: object) -> datetime | None:
    if not isinstance(connection, ssl.SSLSocket):
        return None
    ends = str((connection.getpeercert() or {}).get("notAfter", ""))
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), tz=UTC)
