"""The vendor's words for the faults that the kit plays."""

import gzip

import orjson
from starlette.responses import Response

from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultRule

_HIBERNATING = """<!DOCTYPE html>
<html><head><title>Instance Hibernating page</title></head>
<body><h1>Your instance is hibernating.</h1><p>Wake it up from the developer site.</p></body></html>
"""
_LOGIN = """<!DOCTYPE html>
<html><head><title>Log in</title></head>
<body><form action="/login.do" method="post"><input name="user_name"><input type="password"
name="user_password"><button>Log in</button></form></body></html>
"""
_RESTARTING = """<html><head><title>{status}</title></head>
<body><h1>{status} The server is temporarily unable to service your request</h1></body></html>
"""
_PACKED = b"\x1f\x8b"
_CANCELLED = {
    "detail": "No such column Check logs for error trace or enable glide.rest.debug property to "
    "verify REST request processing",
    "message": "Transaction cancelled: maximum execution time exceeded",
}


class ServiceNowDialect:
    """Answers as the instance, its load balancer, or its login page would."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock

    def rate_limited(self, rule: FaultRule, target: str) -> Response:
        """A rule's 429 says when to come back; variant `semaphore` does not, nor by whom."""
        if rule.variant == "semaphore":
            error = {"message": "Too many requests", "detail": target}
            return _json(429, {"error": error, "status": "failure"})
        wait = int(rule.seconds)
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Reset": str(int(self._clock.now().timestamp()) + wait),
            "X-RateLimit-Rule": f"{rule.id:032x}",
        }
        error = {
            "message": "Rate limit exceeded",
            "detail": "Rate limit of 100 requests per hour for Table API exceeded",
        }
        return _json(429, {"error": error, "status": "failure"}, headers)

    def server_error(self, rule: FaultRule, target: str) -> Response:
        """502 and 503 are the balancer's pages; 500 is the instance's own JSON."""
        if rule.status == 500:  # noqa: PLR2004 - the one that the instance words itself
            error = {
                "message": "java.lang.NullPointerException",
                "detail": target.split("?", maxsplit=1)[0],
            }
            return _json(500, {"error": error, "status": "failure"})
        page = _RESTARTING.format(status=rule.status)
        return Response(page, rule.status, media_type="text/html")

    def html_page(self, rule: FaultRule, target: str) -> Response:
        """The page of a hibernating instance, or with variant `login` of the sign-on."""
        page = _LOGIN if rule.variant == "login" else _HIBERNATING
        return Response(
            page, 200, {"X-Requested": target.split("?", maxsplit=1)[0]}, media_type="text/html"
        )

    def empty_202(self, rule: FaultRule, target: str) -> Response:
        """Nothing, with 202: the request was dropped behind a full session."""
        return Response(status_code=202, headers={"X-Transaction-ID": f"{rule.id}{len(target):x}"})

    def expired_token(self, rule: FaultRule, target: str) -> Response:
        """The 401 of every kind of missing authentication."""
        error = {
            "message": "User is not authenticated",
            "detail": "Required to provide Auth information",
        }
        headers = {"WWW-Authenticate": 'BASIC realm="Service-now"',
                   "X-Transaction-ID": f"{rule.id}{len(target):x}"}  # fmt: skip
        return _json(401, {"error": error, "status": "failure"}, headers)

    def truncate(self, body: bytes, target: str) -> bytes:
        """Half of the rows, then the error of the quota, all under one 200."""
        if body.startswith(_PACKED):
            return gzip.compress(self.truncate(gzip.decompress(body), target), mtime=0)
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body[: len(body) // 2]
        rows = answer.get("result") if isinstance(answer, dict) else None
        if isinstance(rows, list):
            answer["result"] = rows[: len(rows) // 2]
        elif not isinstance(answer, dict) or "/table/" not in target:
            return body[: len(body) // 2]
        return orjson.dumps({**answer, "error": _CANCELLED, "status": "failure"})


def _json(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(value), status, headers, media_type="application/json;charset=UTF-8"
    )
