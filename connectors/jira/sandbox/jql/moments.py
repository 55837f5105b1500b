"""Times in JQL: literals in the caller's zone, periods, epoch milliseconds, functions."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.jira.sandbox.jql.syntax import Function, JqlError, Literal, Operand

_LITERAL = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2}))?$")
_PERIOD = re.compile(r"^([+-]?)((?:\d+\s*[wdhmyM]\s*)+)$")
_PART = re.compile(r"(\d+)\s*([wdhmyM])")
_EPOCH = re.compile(r"^-?\d{9,}$")
_MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080, "M": 43200, "y": 525600}
_LAST_MONTH = 12


def moment(operand: Operand, field: str, zone: ZoneInfo, now: int) -> int:
    """Return the instant that an operand names, in epoch milliseconds.

    Literals have minutes, not seconds, and are read in the zone of the caller's profile; a bare
    number of milliseconds is absolute.

    Raises:
        JqlError: it names none.
    """
    if isinstance(operand, Function):
        return _function(operand, zone, now)
    try:
        found = _literal(operand, zone, now)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise JqlError(
            f"Date value '{operand.text}' for field '{field}' is invalid. Valid formats include:"
            " 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period"
            " format e.g. '-5d', '4w 2d'."
        )
    return found


def _literal(operand: Literal, zone: ZoneInfo, now: int) -> int | None:
    text = operand.text.strip()
    if not operand.quoted and _EPOCH.match(text):
        return int(text)
    match = _LITERAL.match(text)
    if match:
        year, month, day, hour, minute = (int(one or 0) for one in match.groups())
        return _millis(datetime(year, month, day, hour, minute, tzinfo=zone))
    shift = _shift(text)
    return None if shift is None else now + shift


def _shift(text: str) -> int | None:
    match = _PERIOD.match(text.strip())
    if not match:
        return None
    minutes = sum(int(amount) * _MINUTES[unit] for amount, unit in _PART.findall(match[2]))
    return (-minutes if match[1] == "-" else minutes) * 60_000


def _millis(value: datetime) -> int:
    return int(value.astimezone(UTC).timestamp() * 1000)


def _day(value: datetime) -> datetime:
    return value.replace(hour=0, minute=0, second=0, microsecond=0)


def _week(value: datetime) -> datetime:
    return _day(value) - timedelta(days=(value.weekday() + 1) % 7)


def _month(value: datetime) -> datetime:
    return _day(value).replace(day=1)


def _next_month(value: datetime) -> datetime:
    if value.month == _LAST_MONTH:
        return value.replace(year=value.year + 1, month=1)
    return value.replace(month=value.month + 1)


_STARTS: Mapping[str, Callable[[datetime], datetime]] = {
    "day": _day,
    "week": _week,
    "month": _month,
    "year": lambda value: _day(value).replace(month=1, day=1),
}
_STEPS: Mapping[str, Callable[[datetime], datetime]] = {
    "day": lambda value: value + timedelta(days=1),
    "week": lambda value: value + timedelta(days=7),
    "month": _next_month,
    "year": lambda value: value.replace(year=value.year + 1),
}


def _function(call: Function, zone: ZoneInfo, now: int) -> int:
    name = call.name.lower()
    if name == "now":
        return now
    for edge in ("startof", "endof"):
        unit = name.removeprefix(edge)
        if name.startswith(edge) and unit in _STARTS:
            return _edge(call, unit, end=edge == "endof", here=_here(zone, now))
    raise JqlError(f"Unable to find JQL function '{call.name}({', '.join(call.arguments)})'.")


def _here(zone: ZoneInfo, now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, tz=UTC).astimezone(zone)


def _edge(call: Function, unit: str, *, end: bool, here: datetime) -> int:
    argument = call.arguments[0] if call.arguments else ""
    if argument and re.fullmatch(r"[+-]?\d+", argument):
        step = {"day": "d", "week": "w", "month": "M", "year": "y"}[unit]
        argument += step
    shift = _shift(argument) if argument else 0
    if shift is None:
        raise JqlError(f"Date value '{argument}' for function '{call.name}' is invalid.")
    try:
        start = _STARTS[unit](here + timedelta(milliseconds=shift))
        return _millis(_STEPS[unit](start)) - 1 if end else _millis(start)
    except (OverflowError, ValueError) as error:
        raise JqlError(f"Date value '{argument}' for function '{call.name}' is invalid.") from error
