"""How Jira words the faults that the kit plays."""

import json

from starlette.responses import HTMLResponse, JSONResponse, Response

from connectors.jira.sandbox.limits import bucket_headers, cloud_headers
from connectors.jira.sandbox.site import Site
from connectors.sandboxkit.faults import FaultRule

_LISTS = ("issues", "values", "comments", "worklogs", "histories")
_QUOTA = {
    "quota": "jira-quota-global-based",
    "jira-quota-global-based": "jira-quota-global-based",
    "tenant": "jira-quota-tenant-based",
    "jira-quota-tenant-based": "jira-quota-tenant-based",
    "per-issue": "jira-per-issue-on-write",
    "jira-per-issue-on-write": "jira-per-issue-on-write",
}
_HOURLY = 1847


class JiraDialect:
    """The vendor's answers to faults."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def rate_limited(self, rule: FaultRule, target: str) -> Response:
        """Return a 429; `variant`: burst, quota, tenant, per-issue, none (no Retry-After)."""
        del target
        body = {"errorMessages": ["Rate limit exceeded."], "errors": {}}
        wait = int(rule.seconds)
        if not self._site.cloud:
            headers = bucket_headers(1000, 0, wait or 1)
        else:
            reason = _QUOTA.get(rule.variant, "jira-burst-based")
            quota = "quota" in reason
            default = _HOURLY if quota else 1
            limit = 100_000 if quota else 350
            headers = cloud_headers(self._site.now(), reason, limit, wait or default)
        if rule.variant == "none":
            headers = {key: held for key, held in headers.items() if key.lower() != "retry-after"}
        return JSONResponse(body, status_code=429, headers=headers)

    def server_error(self, rule: FaultRule, target: str) -> Response:
        """Return a 5xx; a 503 carries Retry-After where the rule has seconds."""
        del target
        headers = {"Retry-After": str(int(rule.seconds))} if rule.seconds else {}
        body = {"errorMessages": ["Internal server error"], "errors": {}}
        return JSONResponse(body, status_code=rule.status, headers=headers)

    def html_page(self, rule: FaultRule, target: str) -> Response:
        """Return a login page with 200."""
        del rule, target
        return HTMLResponse(
            "<!DOCTYPE html><html><head><title>Log in</title></head><body></body></html>"
        )

    def empty_202(self, rule: FaultRule, target: str) -> Response:
        """Return 202 without a body."""
        del rule, target
        return Response(status_code=202)

    def expired_token(self, rule: FaultRule, target: str) -> Response:
        """Return what an expired token sees."""
        del rule, target
        headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        body = {
            "errorMessages": ["Client must be authenticated to access this resource."],
            "errors": {},
        }
        return JSONResponse(body, status_code=401, headers=headers)

    def truncate(self, body: bytes, target: str) -> bytes:
        """Return a page with half of its rows, and nothing that says so."""
        del target
        try:
            decoded = json.loads(body)
        except ValueError:
            return body[: len(body) // 2]
        for name in _LISTS:
            if isinstance(decoded, dict) and isinstance(decoded.get(name), list):
                decoded[name] = decoded[name][: len(decoded[name]) // 2]
                decoded.pop("nextPageToken", None)
                if "isLast" in decoded:
                    decoded["isLast"] = True
        return json.dumps(decoded).encode()
