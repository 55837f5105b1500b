"""What becomes of a value that a client writes: the vendor's conversions, column by column."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connectors.servicenow.sandbox.schema import Column, ColumnType

_GUID = re.compile(r"^[0-9a-fA-F]{32}$")
_COMPACT = re.compile(r"^\d{8}(?P<time>T\d{6}Z?)?$")
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "ss": "%S"}
_KEPT = "%Y-%m-%d %H:%M:%S"

_DEPTH = 10
# What a database integer holds.
_LARGEST = 2**63

Lookup = Callable[[str, str], str | None]
"""(table, display value) -> sys_id."""


def java_format(pattern: str) -> str:
    """Return the strftime form of a date format as the vendor writes it."""
    for java, python in _JAVA.items():
        pattern = pattern.replace(java, python)
    return re.sub(r"\ba\b", "%p", pattern)


def text_of(value: object, depth: int = 0) -> str:
    """Return the text of a decoded JSON value; {"value": ..} or {"display_value": ..} count too."""
    if isinstance(value, dict):
        inner: object = value.get("value", value.get("display_value", value.get("link", "")))
        return text_of(inner, depth + 1) if depth < _DEPTH else ""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text_of(one, depth + 1) for one in value) if depth < _DEPTH else ""
    # U+0001 is the store's own mark, and no text that a person writes.
    return str(value).replace("\x01", "").replace("\x00", "")


def coerce(
    column: Column, value: str, lookup: Lookup, *, zone: ZoneInfo | None = None, form: str = ""
) -> str:
    """Return what the record keeps of a value.

    With `zone` the value is a display value: dates are in that zone and in the Java format `form`.
    """
    handler = _BY_TYPE.get(column.type)
    if column.type in (ColumnType.DATETIME, ColumnType.DUE):
        return _moment(value, zone, form)
    if column.type is ColumnType.REFERENCE:
        return _reference(column, value, lookup)
    if column.choices:
        value = _choice(column, value, labels=zone is not None or column.numeric)
    return value[: column.length] if handler is None else handler(value)


def _choice(column: Column, value: str, *, labels: bool) -> str:
    """Return the kept value of a choice; a label counts where display values are sent.

    A number column takes a label in any case, there is nothing else that it could mean.
    """
    if value in column.choices or not value:
        return value
    if labels or column.strict_choice:
        named = {label.lower(): kept for kept, label in column.choices.items()}
        if value.lower() in named:
            return named[value.lower()]
    return "" if column.strict_choice else value


def _reference(column: Column, value: str, lookup: Lookup) -> str:
    value = value.strip()
    if not value or _GUID.match(value):
        return value
    return lookup(column.reference, value) or value


def _moment(value: str, zone: ZoneInfo | None, form: str) -> str:
    text = value.strip()
    if not text:
        return ""
    if zone is not None:
        try:
            moment = datetime.strptime(text, java_format(form)).replace(tzinfo=zone)
            return moment.astimezone(UTC).strftime(_KEPT)
        except (ValueError, OverflowError):
            pass
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        elif zone is not None:
            moment = moment.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.strftime(_KEPT)


def _date(value: str) -> str:
    try:
        return datetime.fromisoformat(value.strip()).strftime("%Y-%m-%d") if value.strip() else ""
    except ValueError:
        return ""


def _boolean(value: str) -> str:
    return "true" if value.strip().lower() in ("true", "1", "yes", "on") else "false"


def _integer(value: str) -> str:
    try:
        number = int(float(value.strip().replace(",", "")))
    except (ValueError, OverflowError):
        return ""
    return str(number) if abs(number) < _LARGEST else ""


def _float(value: str) -> str:
    try:
        number = float(value.strip().lstrip("$").replace(",", ""))
    except ValueError:
        return ""
    return f"{number:g}" if abs(number) < 1e15 else value.strip()  # noqa: PLR2004 - the end of exact floats


def _duration(value: str) -> str:
    text = value.strip()
    if text.isascii() and text.isdigit():
        try:
            return datetime.fromtimestamp(int(text), tz=UTC).strftime(_KEPT)
        except (ValueError, OverflowError, OSError):
            return ""
    return _moment(text, None, "")


def _schedule_time(value: str) -> str:
    """Return a moment of a schedule in its compact form; a plain date and time is converted."""
    text = value.strip()
    compact = _COMPACT.match(text)
    if compact:
        return text if compact["time"] else f"{text}T000000"
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return ""
    return moment.strftime("%Y%m%dT%H%M%S")


def _any(value: str) -> str:
    return value


_BY_TYPE: Mapping[ColumnType, Callable[[str], str]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.INTEGER: _integer,
    ColumnType.FLOAT: _float,
    ColumnType.PRICE: _float,
    ColumnType.DATE: _date,
    ColumnType.DURATION: _duration,
    ColumnType.SCHEDULE_TIME: _schedule_time,
    ColumnType.HTML: _any,
    ColumnType.JOURNAL: _any,
    ColumnType.LIST: _any,
    ColumnType.PASSWORD: _any,
    ColumnType.DOCUMENT: _any,
    ColumnType.TABLE: _any,
    ColumnType.CLASS: _any,
    ColumnType.GUID: _any,
}
