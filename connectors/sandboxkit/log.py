"""The bounded request log: what a sandbox was asked, by whom, and how it answered."""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

_BODY_LIMIT = 64 * 1024
_SECRET_JSON = re.compile(
    rb'("[^"]*(?:password|secret|token|assertion)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)
_SECRET_FORM = re.compile(
    rb"((?:^|&)[^=&]*(?:password|secret|token|assertion)[^=&]*=)[^&]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One request as the tests read it back; `status` 0 means the connection was cut."""

    id: int
    time: datetime
    user: str
    method: str
    target: str
    """Path and query, still percent-encoded."""
    status: int
    body: str
    """The body of a write with passwords and tokens struck out, at most 64 KiB; else empty."""

    def as_json(self) -> dict[str, object]:
        """Return the entry as it stands in `/log`."""
        return {**asdict(self), "time": self.time.isoformat()}


class RequestLog:
    """The last `size` requests, oldest first; safe to use from any thread.

    Their bodies together take at most `body_bytes`: beyond that the oldest entries go, so that a
    long run does not grow.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        size: int = 100_000,
        body_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque()
        self._size = size
        self._body_bytes = body_bytes
        self._kept_bytes = 0
        self._next_id = 1

    def add(self, *, user: str, method: str, target: str, status: int, body: bytes) -> None:
        """Write one entry; secrets in the body are struck out before it is kept."""
        text = redact(body[:_BODY_LIMIT]).decode("utf-8", "replace") if body else ""
        moment = self._now()
        with self._lock:
            self._entries.append(
                LoggedRequest(
                    id=self._next_id,
                    time=moment,
                    user=user,
                    method=method,
                    target=target,
                    status=status,
                    body=text,
                )
            )
            self._next_id += 1
            self._kept_bytes += len(text)
            while len(self._entries) > self._size or self._kept_bytes > self._body_bytes:
                self._kept_bytes -= len(self._entries.popleft().body)

    def entries(
        self, *, user: str | None = None, method: str | None = None, since: int = 0
    ) -> list[LoggedRequest]:
        """Return the entries with an id above `since`, of one user and method where given."""
        with self._lock:
            return [
                entry
                for entry in self._entries
                if entry.id > since
                and (user is None or entry.user == user)
                and (method is None or entry.method == method.upper())
            ]

    def clear(self) -> None:
        """Forget the entries; ids go on rising."""
        with self._lock:
            self._entries.clear()
            self._kept_bytes = 0


def redact(body: bytes) -> bytes:
    """Strike out values whose JSON key or form field names a password, secret or token."""
    if body.lstrip()[:1] in (b"{", b"["):
        return _SECRET_JSON.sub(rb'\1"***"', body)
    return _SECRET_FORM.sub(rb"\1***", body)
