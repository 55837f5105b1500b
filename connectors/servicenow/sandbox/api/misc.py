"""Tiny URLs, and how a count parameter is read."""

import secrets
from urllib.parse import parse_qsl, urlsplit

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body

_MOST_KEPT = 10_000


class TinyUrls:
    """Short names for long queries: POST /api/now/tinyurl, then `sysparm_tiny`."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[str, str], ...]] = {}

    def handle(self, call: Call) -> Reply:
        """Keep the parameters of a URL and answer with their short name.

        Raises:
            ApiError: 400 without a URL.
        """
        address = urlsplit(text_of(object_body(call).get("url")))
        if call.method != "POST" or not address.path:
            raise ApiError(400, "Invalid request", "url is required")
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        name = secrets.token_hex(16)
        self._kept[name] = tuple(parse_qsl(address.query, keep_blank_values=True))
        page = address.path.rpartition("/")[2]
        return json_reply({"result": f"{page}?sysparm_tiny={name}"})

    def expand(self, call: Call) -> Call:
        """Return a call with the parameters that its `sysparm_tiny` stands for.

        Raises:
            ApiError: 400 for a name never given out.
        """
        name = call.parameter("sysparm_tiny")
        if not name:
            return call
        if name not in self._kept:
            raise ApiError(400, "Invalid sysparm_tiny", name)
        own = tuple(pair for pair in call.parameters if pair[0] != "sysparm_tiny")
        return call.with_parameters(self._kept[name] + own)


def number(text: str, default: int) -> int:
    """Return a count parameter, or its default where it is none."""
    return min(int(text), 10_000_000) if text.isdecimal() else default
