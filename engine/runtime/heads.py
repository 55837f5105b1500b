"""Where signed audit heads go outside this machine's database: syslog, a file, or both.

Syslog as in RFC 5424, one line a message, over a unix socket, UDP (RFC 5426) or TCP with octet
counting (RFC 6587, 3.4.1). No syslog transport confirms what it took: UDP may lose a line, and TCP
one that was under way when the receiver went down. A file is synced before its lines count as told.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from engine.errors import ConfigurationError, TransientError
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.heads import Facility, HeadSink

_AUDIT = "audit"
_TIMEOUT = 10.0
_INFORMATIONAL = 6
_DEFAULT_PORT = {"udp": 514, "tcp": 601}


CODES = {
    Facility.AUTH: 4,
    Facility.AUTHPRIV: 10,
    Facility.AUDIT: 13,
    Facility.LOCAL0: 16,
    Facility.LOCAL1: 17,
    Facility.LOCAL2: 18,
    Facility.LOCAL3: 19,
    Facility.LOCAL4: 20,
    Facility.LOCAL5: 21,
    Facility.LOCAL6: 22,
    Facility.LOCAL7: 23,
}
"""Numbers of RFC 5424, 6.2.1; total over Facility."""


class FileSink:
    """Appends to a file, and syncs it."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is opened anew each time, so that a rotation is followed."""
        self._path = path

    @property
    def name(self) -> str:
        """The file, on this machine: each daemon of a cluster keeps its own whole."""
        return f"file {socket.gethostname()} {self._path}"

    def send(self, lines: Sequence[str]) -> None:
        """Append the lines and sync.

        Raises:
            TransientError: The file cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
            with os.fdopen(descriptor, "rb+", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                is_cut = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
                text = "".join(f"{line}\n" for line in lines)
                rest = memoryview((("\n" if is_cut else "") + text).encode())
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(descriptor)
        except OSError as error:
            raise TransientError(f"audit heads: {self._path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogAddress:
    """Where syslog listens: `unix:///dev/log`, `udp://host:514`, `tcp://host:601`."""

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> "SyslogAddress":
        """Return the address.

        Raises:
            ConfigurationError: It is none of the three kinds.
        """
        expected = "expected unix:///PATH, udp://HOST:PORT or tcp://HOST:PORT"
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"syslog {text!r}: {expected}") from error
        if parts.scheme == "unix" and parts.path and not parts.netloc:
            return cls(scheme="unix", path=parts.path)
        if parts.scheme in _DEFAULT_PORT and parts.hostname and parts.path in {"", "/"}:
            port = port or _DEFAULT_PORT[parts.scheme]
            return cls(scheme=parts.scheme, host=parts.hostname, port=port)
        raise ConfigurationError(f"syslog {text!r}: {expected}")

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"{self.scheme}://{self.host}:{self.port}"


def sinks(
    *, file: Path | None, syslog: str, facility: Facility, clock: Clock
) -> tuple[HeadSink, ...]:
    """Return the configured places; nothing is opened yet.

    Raises:
        ConfigurationError: The address of syslog is none.
    """
    found: list[HeadSink] = []
    if file is not None:
        found.append(FileSink(file))
    if syslog:
        address = SyslogAddress.parse(syslog)
        found.append(SyslogSink(address=address, clock=clock, facility=facility))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogSink:
    """Sends each line as one message of severity "informational"."""

    address: SyslogAddress
    clock: Clock
    facility: Facility = Facility.AUDIT
    host: str = field(default_factory=socket.gethostname)

    @property
    def name(self) -> str:
        """The address."""
        return f"syslog {self.address}"

    def send(self, lines: Sequence[str]) -> None:
        """Send the lines.

        Raises:
            TransientError: Nobody listens there, or the connection broke.
        """
        try:
            self._send([self._message(line, self.clock.now()) for line in lines])
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise TransientError(f"audit heads: syslog {self.address}: {what}") from error

    def _message(self, line: str, at: datetime) -> bytes:
        priority = CODES[self.facility] * 8 + _INFORMATIONAL
        stamp = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        host = self.host or "-"
        return f"<{priority}>1 {stamp} {host} tiergate {os.getpid()} audit - {line}".encode()

    def _send(self, messages: Sequence[bytes]) -> None:
        match self.address.scheme:
            case "tcp":
                place = (self.address.host, self.address.port)
                with socket.create_connection(place, timeout=_TIMEOUT) as stream:
                    for message in messages:
                        stream.sendall(b"%d %s" % (len(message), message))
                    stream.shutdown(socket.SHUT_WR)
            case "udp":
                found = socket.getaddrinfo(
                    self.address.host, self.address.port, type=socket.SOCK_DGRAM
                )
                family, kind, protocol, _, to = found[0]
                with socket.socket(family, kind, protocol) as sender:
                    sender.settimeout(_TIMEOUT)
                    for message in messages:
                        sender.sendto(message, to)
            case _:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                    sender.settimeout(_TIMEOUT)
                    sender.connect(self.address.path)
                    for message in messages:
                        sender.send(message)


def check_sinks(places: Sequence[HeadSink]) -> tuple[Finding, ...]:
    """Say where signed heads go, and whether each place can be reached."""
    if not places:
        nowhere = Finding(
            severity=Severity.WARNING,
            code="heads-nowhere",
            system=_AUDIT,
            seen="signed heads stay beside the database: who can cut the one can cut the other",
            remedy="name a file elsewhere or a syslog under `audit: {heads: …}`",
        )
        return (nowhere,)
    return tuple(_reached(place) for place in places)


def _reached(place: HeadSink) -> Finding:
    try:
        place.send(())
    except TransientError as error:
        return Finding(
            severity=Severity.FAULT,
            code="heads-unreachable",
            system=_AUDIT,
            seen=str(error),
            remedy="mend the place, or name another one under `audit: {heads: …}`",
        )
    return Finding(severity=Severity.OK, code="heads", system=_AUDIT, seen=f"told: {place.name}")
