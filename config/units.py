"""Texts that mean a quantity: durations (`30s`, `4h`, `10d`), limits (`2/day`), instants."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StrictStr
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,6})\s*([smhdw])")
_LIMIT = re.compile(r"(\d{1,6})\s*/\s*(day|hour)")


def parse_duration(value: object) -> timedelta:
    """Return the duration that `30s`, `15m`, `4h`, `10d` or `2w` means.

    Raises:
        ValueError: Anything else.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration such as 30s, 15m, 4h, 10d or 2w")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def parse_limit(value: object, unit: str) -> int:
    """Return how often per `unit` (`day`, `hour`) the text `2/day` allows.

    Raises:
        ValueError: Another form or another unit.
    """
    match = _LIMIT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] != unit:
        raise ValueError(f"expected a limit such as 2/{unit}")
    return int(match[1])


def parse_zone(name: object) -> ZoneInfo:
    """Return the IANA time zone.

    Raises:
        ValueError: No such zone.
    """
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected a time zone such as Europe/Berlin") from None


def parse_instant(value: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    """Return the instant of a date or date-time in `zone`; the end of a date is its midnight after.

    Raises:
        ValueError: Neither a date nor a date-time.
    """
    try:
        if "T" in value or " " in value.strip():
            instant = datetime.fromisoformat(value.strip())
        else:
            day = date.fromisoformat(value.strip())
            instant = datetime.combine(day + timedelta(days=int(is_end)), time.min)
    except ValueError:
        raise ValueError("expected a date such as 2026-12-18 or 2026-12-18T18:00") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)


def _text(value: object) -> object:
    """Accept a bare number where a text is meant (`risk: 3`); anything else is left to the type."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


class _TextSchema:
    """Tells an editor that the value is written as a text of this form."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": self._pattern}


def _day_limit(value: Any) -> int:  # noqa: ANN401  pydantic hands over whatever the file holds
    return parse_limit(value, "day")


def _hour_limit(value: Any) -> int:  # noqa: ANN401  as above
    return parse_limit(value, "hour")


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), _TextSchema(r"^\d{1,6}\s*[smhdw]$")
]
PerDay = Annotated[int, BeforeValidator(_day_limit), _TextSchema(r"^\d{1,6}\s*/\s*day$")]
PerHour = Annotated[int, BeforeValidator(_hour_limit), _TextSchema(r"^\d{1,6}\s*/\s*hour$")]
Confidence = Annotated[float, Field(strict=True, ge=0, le=1)]
Text = Annotated[StrictStr, BeforeValidator(_text)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][\w.-]*$")]
Sentence = Annotated[StrictStr, Field(min_length=1, max_length=400)]
