"""The one HTTP session of all connectors: transport, outcomes as errors, pacing, redaction.

Vendors' client libraries do the talking; every byte they send goes through `HTTPSession`. What the
other side does wrong becomes an error of `engine.errors` here, so that no library's own error and
no failure that looks like emptiness gets past this module.

Messages name the system, the method and the path, never a query (it may hold ticket text), a
header or a body (they may hold secrets). For the same reason library errors are not chained: their
texts carry whole URLs.
"""

import email.utils
import math
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from connectors.pacing import Pacer
from engine.errors import (
    AuthenticationError,
    MissingRightError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.clock import Clock

USER_AGENT = "tiergate/0.1"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_CHUNK = 64 * 1024
_DEFAULT_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPLimits:
    """How long and how hard one system is asked.

    Attributes:
        connect, read: Seconds for the connection, and between two bytes of an answer.
        deadline: Seconds for one whole exchange; a trickling answer does not outlive it.
        concurrency: Requests under way at once to one system.
        attempts, patience: The retry's end: number of tries, and time over all of them.
        largest_answer: Bytes of a decoded answer above which it is refused.
    """

    connect: float = 5.0
    read: float = 65.0
    deadline: float = 90.0
    concurrency: int = 4
    attempts: int = 4
    patience: timedelta = timedelta(seconds=60)
    largest_answer: int = 64 * 1024 * 1024


class RenewableAuth(AuthBase, ABC):
    """Credentials that can be renewed once when the other side calls them expired."""

    @abstractmethod
    def renew(self, request: requests.PreparedRequest) -> bool:
        """Put fresh credentials on `request`; return False when there are none."""


def is_read(method: str | None) -> bool:
    """Whether a request of this method changes nothing at the other side."""
    return (method or "").upper() in _READS


def parse_retry_after(value: str | None, *, now: datetime) -> timedelta:
    """Return the pause that a Retry-After asks for: seconds, decimals too, or an HTTP date.

    Absent or unreadable: a default pause, since vendors send 429 without the header. Never negative
    and never above an hour.
    """
    if value is None:
        return _DEFAULT_PAUSE
    try:
        seconds = float(value)
        if not math.isfinite(seconds):
            return _DEFAULT_PAUSE
    except ValueError:
        try:
            seconds = (_aware(email.utils.parsedate_to_datetime(value)) - now).total_seconds()
        except ValueError:
            return _DEFAULT_PAUSE
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_PAUSE.total_seconds()))


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """Return the other side's clock from its Date header, aware UTC; None when it sent none."""
    value = headers.get("Date")
    if value is None:
        return None
    try:
        return _aware(email.utils.parsedate_to_datetime(value))
    except ValueError:
        return None


def _aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def raise_for_outcome(
    what: str,
    response: requests.Response,
    *,
    now: datetime | None = None,
    detail: str = "",
    may_be_empty: bool = False,
) -> None:
    """Return only if the answer is a success that can be read.

    Args:
        what: System, method and path, as messages name it.
        response: The answer.
        now: The instant that a Retry-After date is compared with; by default the answer's own Date.
        detail: The vendor's own sentence, already known to hold no secret and no ticket text.
        may_be_empty: Whether a success without a body is how the vendor answers this request.

    Raises:
        AuthenticationError: 401, or a redirect (to a login page).
        MissingRightError: 403.
        RecordNotFoundError: 404 and 410.
        RateLimitedError: 429, with the pause asked for.
        TransientError: 408, 425; 202 without a body (dropped, not carried out); for reads also 5xx,
            an HTML page or an empty body in the place of an answer.
        OutcomeUnknownError: The same three after a write.
        PermanentError: Any other refusal.
    """
    status = response.status_code
    said = f": {detail[:300]}" if detail else ""
    if status == requests.codes.too_many_requests:
        instant = now or server_time(response.headers) or datetime.fromtimestamp(time.time(), UTC)
        wait = parse_retry_after(response.headers.get("Retry-After"), now=instant)
        raise RateLimitedError(what, retry_after=wait)
    if status in _REFUSALS:
        error, why = _REFUSALS[status]
        raise error(f"{what}: {why} ({status}){said}")
    if 300 <= status < 400:  # noqa: PLR2004  the range of redirects
        raise AuthenticationError(
            f"{what}: redirected ({status}), as to a login page; check URL and credentials"
        )
    if status >= 500:  # noqa: PLR2004  the range of server errors
        raise _unclear(response)(f"{what}: server error {status}{said}")
    if status >= 400 or status < 200:  # noqa: PLR2004  the ranges of refusals and of no answers
        raise PermanentError(f"{what}: refused with {status}{said}")
    if response.content or not may_be_empty:
        _raise_for_body(what, response)


_REFUSALS: Mapping[int, tuple[type[PermanentError | TransientError], str]] = {
    401: (AuthenticationError, "the credentials were refused"),
    403: (MissingRightError, "the account lacks a right"),
    404: (RecordNotFoundError, "not there, or hidden from our account"),
    408: (TransientError, "the other side gave up waiting for the request"),
    410: (RecordNotFoundError, "gone"),
    425: (TransientError, "too early"),
}


def _raise_for_body(what: str, response: requests.Response) -> None:
    status = response.status_code
    if status == requests.codes.no_content or response.request.method == "HEAD":
        return
    if not response.content:
        if status == requests.codes.accepted:
            raise TransientError(f"{what}: dropped (202 without a body), not carried out")
        if status in {requests.codes.ok, requests.codes.created}:
            raise _unclear(response)(f"{what}: success ({status}) with an empty body")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise _unclear(response)(
            f"{what}: an HTML page with status {status} (hibernating instance or login page)"
        )


def _unclear(response: requests.Response) -> type[TransientError]:
    return TransientError if is_read(response.request.method) else OutcomeUnknownError


Inspection = Callable[[str, requests.Response], None]
"""Checks an answer beyond its outcome; raises an engine error. Gets `what` and the answer."""


class HTTPSession(requests.Session):
    """A requests session that a daemon can live with.

    It keeps no cookies (ServiceNow serialises all requests of one session and drops the surplus),
    takes no proxy or credentials from the environment, follows no redirect, always has time-outs
    and a deadline, bounds and paces its requests, and raises errors of `engine.errors` only. Safe
    to share between threads. It never retries; see `connectors.retry`.

    `inspect` checks successful answers further; `explain` returns a vendor's own sentence for a
    refusal, which must hold no secret and no ticket text.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        limits: HTTPLimits | None = None,
        auth: AuthBase | None = None,
        verify: bool | str = True,
        inspect: Inspection | None = None,
        explain: Callable[[requests.Response], str] = lambda _: "",
    ) -> None:
        super().__init__()
        self.name = name
        self.limits = limits or HTTPLimits()
        self.pacer = Pacer(self.limits.concurrency)
        self._clock = clock
        self._inspect = inspect
        self._explain = explain
        self.auth = auth
        self.verify = verify
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers["User-Agent"] = USER_AGENT
        adapter = HTTPAdapter(
            pool_connections=4, pool_maxsize=self.limits.concurrency, max_retries=0
        )
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def describe(self, request: requests.PreparedRequest) -> str:
        """Return system, method and path: all that a message may tell of a request."""
        return f"{self.name} {request.method} {urlsplit(request.url or '').path!s}"

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401  requests' own signature
        """Send one prepared request and return its answer, whole and successful.

        Raises:
            RateLimitedError, TransientError: Nothing was carried out (for reads: nothing was read).
            OutcomeUnknownError: A write was sent and got no readable answer.
            PermanentError: As in `raise_for_outcome`.
        """
        what = self.describe(request)
        with self.pacer.turn(what, patience=self.limits.deadline):
            response = self._exchange(what, request, kwargs)
            renewable = self.auth if isinstance(self.auth, RenewableAuth) else None
            if response.status_code == requests.codes.unauthorized and renewable is not None:
                again = request.copy()
                # A 401 was not carried out, so that even a write may be sent once more.
                if renewable.renew(again):
                    response = self._exchange(what, again, kwargs)
        try:
            raise_for_outcome(
                what,
                response,
                now=server_time(response.headers) or self._now(),
                detail="" if response.ok else self._explain(response),
                may_be_empty=self.may_be_empty(request),
            )
            if self._inspect is not None:
                self._inspect(what, response)
        except RateLimitedError as refused:
            self.pacer.refused(refused.retry_after)
            raise
        self.pacer.served()
        return response

    def may_be_empty(self, request: requests.PreparedRequest) -> bool:
        """Whether the vendor answers this request with success and no body; by default it lies."""
        del request
        return False

    def _now(self) -> datetime:
        return self._clock.now()

    def _exchange(
        self, what: str, request: requests.PreparedRequest, kwargs: dict[str, Any]
    ) -> requests.Response:
        until = time.monotonic() + self.limits.deadline
        settings: dict[str, Any] = {
            **kwargs,
            "allow_redirects": False,
            "stream": True,
            "timeout": (self.limits.connect, self.limits.read),
        }
        lost = TransientError if is_read(request.method) else OutcomeUnknownError
        try:
            response = super().send(request, **settings)
            self._read_whole(what, response, until, lost)
        except requests.RequestException as error:
            kind = TransientError if _was_not_sent(error) else lost
            raise kind(f"{what}: no answer ({type(error).__name__})") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise lost(f"{what}: the answer broke off ({type(error).__name__})") from None
        return response

    def _read_whole(
        self, what: str, response: requests.Response, until: float, lost: type[TransientError]
    ) -> None:
        """Read the body under the deadline: requests alone bounds only the wait between bytes.

        `iter_content` waits until a whole chunk is there; `read1` returns with whatever came.
        """
        parts: list[bytes] = []
        size = 0
        with response:
            while part := response.raw.read1(_CHUNK, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > self.limits.largest_answer:
                    raise PermanentError(
                        f"{what}: the answer is larger than {self.limits.largest_answer} bytes"
                    )
                if time.monotonic() > until:
                    raise lost(f"{what}: no whole answer within {self.limits.deadline:g} s")
        # The public `content` cannot be filled from outside; the library itself reads this one.
        response._content = b"".join(parts)  # noqa: SLF001  see above  # pyright: ignore[reportPrivateUsage]


def _was_not_sent(error: requests.RequestException) -> bool:
    """Whether the connection failed before a byte of the request left."""
    cause: object = error.args[0] if error.args else None
    reason: object = getattr(cause, "reason", cause)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        # TLS can break at any time; only a certificate is surely judged before the request.
        broken: object = reason.args[0] if isinstance(reason, Exception) and reason.args else None
        return isinstance(broken, ssl.SSLCertVerificationError)
    if not isinstance(error, requests.exceptions.ConnectionError):
        return not isinstance(
            error,
            requests.exceptions.Timeout
            | requests.exceptions.ChunkedEncodingError
            | requests.exceptions.ContentDecodingError,
        )
    return isinstance(
        reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )
