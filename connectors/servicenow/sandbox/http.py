"""Requests and answers inside the sandbox, and the vendor's error bodies word for word."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from connectors.servicenow.sandbox.actors import Actor

JSON_TYPE = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as an API module sees it."""

    method: str
    path: str
    """Decoded, without the query."""
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    actor: Actor
    base: str
    """Scheme and host as the client addressed them."""
    query: str = ""
    """The query string as sent."""

    def parameter(self, name: str, default: str = "") -> str:
        """Return the last value given for a parameter."""
        found = [value for key, value in self.parameters if key == name]
        return found[-1] if found else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a true/false parameter."""
        value = self.parameter(name).strip().lower()
        return default if not value else value == "true"

    def with_parameters(self, parameters: tuple[tuple[str, str], ...]) -> "Call":
        """Return the call with other parameters."""
        return replace(self, parameters=parameters)


@dataclass(slots=True, kw_only=True)
class Reply:
    """One answer; an empty body is sent without a content type."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict[str, str])


class ApiError(Exception):
    """An answer other than success, in the vendor's error body."""

    def __init__(
        self,
        status: int,
        message: str,
        detail: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.headers = dict(headers or {})

    def reply(self) -> Reply:
        """Return the answer."""
        return Reply(
            status=self.status,
            body=orjson.dumps(
                {
                    "error": {"message": self.message, "detail": self.detail},
                    "status": "failure",
                }
            ),
            headers=self.headers,
        )


def not_authenticated() -> ApiError:
    """Return the 401 of missing, wrong and expired credentials alike."""
    return ApiError(
        401,
        "User is not authenticated",
        "Required to provide Auth information",
        {"WWW-Authenticate": 'BASIC realm="Service-now"'},
    )


def no_record() -> ApiError:
    """Return the 404 of an absent record and of an unreadable one alike."""
    return ApiError(
        404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval"
    )


def invalid_table(name: str) -> ApiError:
    """Return the 400 of an unknown table."""
    return ApiError(400, f"Invalid table {name}", None)


def refused(operation: str) -> ApiError:
    """Return the 403 of an ACL; `operation` is Insert, Update or Delete."""
    return ApiError(
        403, "Operation Failed", f"ACL Exception {operation} Failed due to security constraints"
    )


def api_refused() -> ApiError:
    """Return the 403 of an API or platform table that the account may not use at all."""
    return ApiError(403, "User Not Authorized", "Failed API level ACL Validation")


def json_reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Return a JSON answer."""
    return Reply(status=status, body=orjson.dumps(value), headers=headers or {})


def json_body(call: Call) -> object:
    """Decode a JSON body; an empty one is an empty object.

    Raises:
        ApiError: 400 as the vendor words it.
    """
    if not call.body.strip():
        return {}
    try:
        decoded: object = orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        lenient = _single_quoted(call.body)
        if lenient is None:
            raise ApiError(
                400,
                "Exception while reading request",
                "The payload is not valid JSON.",
            ) from error
        return lenient
    return decoded


def _single_quoted(body: bytes) -> object | None:
    """The vendor's parser takes strings in single quotes, and its documentation uses them."""
    if b'"' in body or b"'" not in body:
        return None
    try:
        decoded: object = orjson.loads(body.replace(b"'", b'"'))
    except orjson.JSONDecodeError:
        return None
    return decoded


def object_body(call: Call) -> dict[str, object]:
    """Decode a JSON object; of an array the first element counts, the rest is passed over.

    Raises:
        ApiError: 400 where there is no object.
    """
    decoded = json_body(call)
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]
    if not isinstance(decoded, dict):
        raise ApiError(400, "Exception while reading request", "The payload is not a JSON object.")
    return {str(key): value for key, value in decoded.items()}


def basic_pair(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return user name and password of a Basic header, or None."""
    encoded = headers.get("authorization", "").partition(" ")[2].strip()
    try:
        name, separator, password = base64.b64decode(encoded).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if separator else None
