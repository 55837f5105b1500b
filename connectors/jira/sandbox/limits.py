"""Rate limits: bursts and writes per issue on Cloud, a bucket per user on Data Center."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

from connectors.jira.sandbox.site import Call, Served
from connectors.jira.sandbox.wire import ApiError, Reply

_PER_ISSUE = ((20, 2_000), (100, 30_000))
_BURSTS = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
_SECOND = 1_000
_NEAR = 5
"""A fifth of the limit is left."""


@dataclass(slots=True)
class Throttle:
    """Counts requests by the sandbox's clock.

    `bursts` (Cloud) and `bucket` (Data Center) are off until they are set; the limit on writes to
    one issue is always on, as it is at the vendor.
    """

    bursts: bool = False
    bucket: int = 0
    """Tokens per second of a user on Data Center; 0 is without a limit."""
    _writes: dict[str, deque[int]] = field(default_factory=dict)
    _hits: dict[str, deque[int]] = field(default_factory=dict)

    def admit(self, call: Call, served: Served) -> None:
        """Count a request.

        Raises:
            ApiError: 429 with the vendor's headers.
        """
        now = call.site.now()
        if call.cloud:
            if self.bursts:
                self._burst(call, served, now)
            if call.method != "GET" and "key" in call.path:
                self._per_issue(call, now)
        elif self.bucket and call.caller is not None:
            self._tokens(call, now)

    def _burst(self, call: Call, served: Served, now: int) -> None:
        most = _BURSTS.get(call.method, _BURSTS["GET"])
        if not _count(self._hits, f"{call.method} {served.pattern}", now, most, _SECOND):
            raise cloud_refusal(call, "jira-burst-based", most, 1)

    def _per_issue(self, call: Call, now: int) -> None:
        key = call.path["key"].upper()
        held = self._writes.setdefault(key, deque())
        _forget(held, now, _PER_ISSUE[-1][1])
        for most, span in _PER_ISSUE:
            recent = [at for at in held if at > now - span]
            if len(recent) >= most:
                wait = max(1, -(-(recent[0] + span - now) // _SECOND))
                raise cloud_refusal(call, "jira-per-issue-on-write", most, wait)
        held.append(now)

    def _tokens(self, call: Call, now: int) -> None:
        if not _count(self._hits, call.user.id, now, self.bucket, _SECOND):
            raise server_refusal(self.bucket)

    def headers(self, call: Call, reply: Reply) -> None:
        """Add the headers that an answer carries without a refusal."""
        if call.cloud and self.bursts and reply.status != HTTPStatus.TOO_MANY_REQUESTS:
            most = _BURSTS.get(call.method, _BURSTS["GET"])
            left = max(0, most - max((len(one) for one in self._hits.values()), default=0))
            call.answer["X-RateLimit-Limit"] = str(most)
            call.answer["X-RateLimit-Remaining"] = str(left)
            if left * _NEAR < most:
                call.answer["X-RateLimit-NearLimit"] = "true"
        if call.cloud or call.caller is None or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            return
        limit = self.bucket or 1000
        used = len(self._hits.get(call.caller.id, ()))
        call.answer.update(bucket_headers(limit, max(0, limit - used), 0))


def _forget(held: deque[int], now: int, span: int) -> None:
    """Drop what is older than the span, and what a clock that was set back left in the future."""
    while held and held[0] <= now - span:
        held.popleft()
    while held and held[-1] > now:
        held.pop()


def _count(table: dict[str, deque[int]], key: str, now: int, most: int, span: int) -> bool:
    held = table.setdefault(key, deque())
    _forget(held, now, span)
    if len(held) >= most:
        return False
    held.append(now)
    return True


def cloud_refusal(call: Call, reason: str, limit: int, wait: int) -> ApiError:
    """Return Cloud's 429 of a kind."""
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        {"errorMessages": ["Rate limit exceeded."], "errors": {}},
        cloud_headers(call.site.now(), reason, limit, wait),
    )


def cloud_headers(now: int, reason: str, limit: int, wait: int) -> dict[str, str]:
    """Return the headers of Cloud's 429."""
    reset = datetime.fromtimestamp(now / 1000 + wait, tz=UTC)
    return {
        "Retry-After": str(wait),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": reason,
    }


def bucket_headers(limit: int, left: int, wait: int) -> dict[str, str]:
    """Return the headers that Data Center puts on every authenticated answer."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Interval-Seconds": "1",
        "X-RateLimit-FillRate": str(max(1, limit // _NEAR)),
        "retry-after": str(wait),
    }


def server_refusal(limit: int) -> ApiError:
    """Return Data Center's 429."""
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        {"errorMessages": ["Rate limit exceeded."], "errors": {}},
        bucket_headers(limit, 0, 1),
    )
