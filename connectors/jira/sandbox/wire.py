"""What goes over the wire: errors in the vendor's words, paging, and reading of parameters."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

Json: TypeAlias = Any
"""A decoded JSON value, or something that will be encoded as one."""
Row: TypeAlias = dict[str, Any]
"""A row of the store or a JSON object."""
T = TypeVar("T")

NOT_FOUND = "Issue does not exist or you do not have permission to see it."
BAD_PAYLOAD = "Invalid request payload. Refer to the REST API documentation and try again."


@dataclass(slots=True)
class Reply:
    """An answer that is more than 200 with a body."""

    status: int = HTTPStatus.OK
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    media: str = "application/json;charset=UTF-8"


class ApiError(Exception):
    """An answer other than success, with the vendor's body."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.reply = Reply(status=status, body=body, headers=dict(headers or {}))


def platform_error(
    status: int, *messages: str, errors: Mapping[str, str] | None = None
) -> ApiError:
    """Return an error in the envelope of the platform API."""
    return ApiError(status, {"errorMessages": list(messages), "errors": dict(errors or {})})


def field_errors(errors: Mapping[str, str]) -> ApiError:
    """Return a 400 that names fields."""
    return platform_error(HTTPStatus.BAD_REQUEST, errors=errors)


def not_found(text: str = NOT_FOUND) -> ApiError:
    """Return the platform's 404."""
    return platform_error(HTTPStatus.NOT_FOUND, text)


def bad_request(*messages: str) -> ApiError:
    """Return the platform's 400."""
    return platform_error(HTTPStatus.BAD_REQUEST, *messages)


def forbidden(*messages: str) -> ApiError:
    """Return the platform's 403."""
    return platform_error(HTTPStatus.FORBIDDEN, *messages)


def bad_payload() -> ApiError:
    """Return the 400 of a Cloud endpoint that validates its body strictly."""
    return ApiError(HTTPStatus.BAD_REQUEST, {"errorMessages": [BAD_PAYLOAD]})


def unauthenticated() -> ApiError:
    """Return the 401 of an endpoint that does not serve anonymous callers."""
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        {
            "errorMessages": ["Client must be authenticated to access this resource."],
            "errors": {},
        },
        {"WWW-Authenticate": 'OAuth realm="Jira"'},
    )


def desk_error(status: int, text: str, key: str = "sd.error") -> ApiError:
    """Return an error in the envelope of the Service Management API."""
    return ApiError(
        status,
        {"errorMessage": text, "i18nErrorMessage": {"i18nKey": key, "parameters": []}},
    )


def stamp(millis: int | None, zone: ZoneInfo) -> str | None:
    """Render an instant as Jira does: milliseconds, and an offset without a colon."""
    if millis is None:
        return None
    moment = datetime.fromtimestamp(millis / 1000, tz=UTC).astimezone(zone)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}{moment:%z}"


def desk_date(millis: int, zone: ZoneInfo) -> Row:
    """Render an instant as the Service Management API does."""
    moment = datetime.fromtimestamp(millis / 1000, tz=UTC).astimezone(zone)
    return {
        "iso8601": f"{moment:%Y-%m-%dT%H:%M:%S%z}",
        "jira": stamp(millis, zone),
        "friendly": f"{moment:%d/%b/%y} {moment.hour % 12 or 12}:{moment:%M %p}",
        "epochMillis": millis,
    }


_STAMP = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+-]\d\d:?\d\d)$"
)


def parse_stamp(text: str) -> int | None:
    """Read an ISO 8601 instant with offset as epoch milliseconds; None where it is none."""
    if not _STAMP.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return int(moment.astimezone(UTC).timestamp() * 1000 + 0.5)
    except (ValueError, OverflowError):
        return None


def as_int(text: str | None, default: int, *, name: str, least: int = 0) -> int:
    """Read an integer parameter.

    Raises:
        ApiError: it is no integer, or below `least`.
    """
    if text is None or not text.strip():
        return default
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or abs(value) > 2**53:
        raise bad_request(f"The value '{text}' is not valid for the parameter '{name}'.")
    if value < least:
        raise bad_request(f"The parameter '{name}' must not be less than {least}.")
    return value


def sliced(items: Sequence[T], start: int, limit: int) -> list[T]:
    """Return one page of a sequence."""
    return list(items[start : start + limit])


def page_bean(values: Sequence[Json], start: int, limit: int, total: int, url: str) -> Row:
    """Return the platform's PageBean; `url` is the endpoint without paging parameters."""
    sep = "&" if "?" in url else "?"
    last = start + len(values) >= total
    bean: Row = {
        "self": f"{url}{sep}startAt={start}&maxResults={limit}",
        "maxResults": limit,
        "startAt": start,
        "total": total,
        "isLast": last,
        "values": list(values),
    }
    if not last:
        bean["nextPage"] = f"{url}{sep}startAt={start + limit}&maxResults={limit}"
    return bean


def desk_page(values: Sequence[Json], start: int, limit: int, base: str, path: str) -> Row:
    """Return one page of the Service Management API from all values."""
    part = sliced(values, start, limit)
    last = start + limit >= len(values)
    sep = "&" if "?" in path else "?"
    here = f"{base}/rest/servicedeskapi{path}"
    links: Row = {
        "self": here,
        "base": base,
        "context": "",
    }
    if not last:
        links["next"] = f"{here}{sep}limit={limit}&start={start + limit}"
    if start > 0:
        links["prev"] = f"{here}{sep}limit={limit}&start={max(0, start - limit)}"
    return {
        "_expands": [],
        "size": len(part),
        "start": start,
        "limit": limit,
        "isLastPage": last,
        "_links": links,
        "values": part,
    }


def each(value: Json, convert: Callable[[Json], T]) -> list[T]:
    """Convert the members of a JSON list; anything that is no list counts as empty."""
    return [convert(one) for one in value] if isinstance(value, list) else []
