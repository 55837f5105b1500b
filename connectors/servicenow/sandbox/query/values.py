"""Values of encoded queries: `javascript:` expressions, dates in the caller's zone, ranges."""

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CALL = re.compile(r"^javascript:\s*gs\.(?P<name>\w+)\((?P<args>.*)\);?\s*$", re.DOTALL)
_ARGUMENT = re.compile(r"""["']([^"']*)["']|(-?\d+)""")
_PERIOD = re.compile(
    r"^(?P<edge>beginningOf|endOf)(?P<which>Today|Yesterday|Tomorrow|"
    r"(?:This|Last|Next)(?:Week|Month|Quarter|Year|Hour|Minute))$"
)
_AGO = re.compile(
    r"^(?P<unit>minutes|hours|days|weeks|months|quarters|years)Ago(?P<edge>Start|End)?$"
)
_NO_YEAR = 10_000
_MONTHS = {"Month": 1, "Quarter": 3, "Year": 12}
_MONTH_UNITS = {"months": 1, "quarters": 3, "years": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryEnv:
    """Who asks, when, and in which time zone."""

    now: datetime
    zone: ZoneInfo
    user_id: str
    user_name: str


def stamp(moment: datetime) -> str:
    """Return a moment as the database keeps it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def evaluate(value: str, env: QueryEnv) -> str:
    """Return what a value stands for: `javascript:` calls are carried out, the rest is itself.

    Plain date literals are UTC; `gs` functions reckon in the caller's zone. An expression that is
    not known evaluates to "", which matches nothing but the empty.
    """
    if not value.startswith("javascript:"):
        return value
    match = _CALL.match(value)
    if match is None:
        return ""
    arguments = [text or number for text, number in _ARGUMENT.findall(match["args"])]
    try:
        return _called(match["name"], arguments, env)
    except (OverflowError, ValueError):
        return ""  # a date that no calendar has


def _called(name: str, arguments: list[str], env: QueryEnv) -> str:
    if name in _SIMPLE:
        return _SIMPLE[name](env, arguments)
    period = _PERIOD.match(name)
    if period is not None:
        start, end = _period(period["which"], env)
        return stamp(start if period["edge"] == "beginningOf" else end - timedelta(seconds=1))
    ago = _AGO.match(name)
    if ago is not None and arguments and arguments[0].lstrip("-").isdigit():
        return _ago(ago["unit"], ago["edge"] or "", int(arguments[0]), env)
    return ""


def _generated(env: QueryEnv, arguments: list[str]) -> str:
    if len(arguments) < 2:  # noqa: PLR2004 - a date and a time
        return ""
    day, clock = arguments[0], arguments[1]
    clock = {"start": "00:00:00", "end": "23:59:59"}.get(clock, clock)
    try:
        return stamp(datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=env.zone))
    except ValueError:
        return ""


_SIMPLE: Mapping[str, Callable[[QueryEnv, list[str]], str]] = {
    "getUserID": lambda env, _: env.user_id,
    "getUserName": lambda env, _: env.user_name,
    "dateGenerate": _generated,
    "now": lambda env, _: stamp(env.now)[:10],
    "nowDateTime": lambda env, _: stamp(env.now),
    "nowNoTZ": lambda env, _: stamp(env.now),
}


def _midnight(env: QueryEnv, days: int = 0) -> datetime:
    local = env.now.astimezone(env.zone)
    return datetime.combine(local.date() + timedelta(days=days), time(), tzinfo=env.zone)


def _months_on(moment: datetime, months: int) -> datetime:
    total = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(total, 12)
    last = calendar.monthrange(year, month + 1)[1] if 0 < year < _NO_YEAR else 0
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last))


def _period(which: str, env: QueryEnv) -> tuple[datetime, datetime]:
    days = {"Today": 0, "Yesterday": -1, "Tomorrow": 1}
    if which in days:
        return _midnight(env, days[which]), _midnight(env, days[which] + 1)
    shift = {"This": 0, "Last": -1, "Next": 1}[which[:4]]
    unit = which[4:]
    if unit in ("Hour", "Minute"):
        now = env.now.astimezone(env.zone).replace(second=0, microsecond=0)
        step = timedelta(minutes=1) if unit == "Minute" else timedelta(hours=1)
        start = now if unit == "Minute" else now.replace(minute=0)
        return start + shift * step, start + (shift + 1) * step
    today = _midnight(env)
    if unit == "Week":
        start = today - timedelta(days=today.weekday()) + timedelta(weeks=shift)
        return start, start + timedelta(weeks=1)
    months = _MONTHS[unit]
    first = today.replace(day=1, month=(today.month - 1) // months * months + 1)
    return _months_on(first, shift * months), _months_on(first, (shift + 1) * months)


def _ago(unit: str, edge: str, count: int, env: QueryEnv) -> str:
    now = env.now.astimezone(env.zone)
    if unit in _MONTH_UNITS:
        moment = _months_on(now, -count * _MONTH_UNITS[unit])
    else:
        moment = now - timedelta(**{unit: count})
    if edge == "":
        return stamp(moment)
    if unit == "minutes":
        start, length = moment.replace(second=0, microsecond=0), timedelta(minutes=1)
    elif unit == "hours":
        start, length = moment.replace(minute=0, second=0, microsecond=0), timedelta(hours=1)
    else:
        start, length = (
            datetime.combine(moment.date(), time(), tzinfo=env.zone),
            timedelta(days=1),
        )
    return stamp(start if edge == "Start" else start + length - timedelta(seconds=1))


def relative(operator: str, value: str, env: QueryEnv) -> tuple[str, str] | None:
    """Turn RELATIVE operators (`RELATIVEGT@hour@ago@3`) into a comparison and a stamp, or None."""
    parts = [part for part in value.split("@") if part]
    if len(parts) != 3 or not parts[2].isdigit():  # noqa: PLR2004 - unit, ago or ahead, count
        return None
    unit, count = parts[0], int(parts[2]) * (1 if parts[1] == "ahead" else -1)
    comparison = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<=", "EE": "="}[operator[-2:]]
    try:
        moment = _away(unit, count, env)
    except (OverflowError, ValueError):
        return None
    return None if moment is None else (comparison, stamp(moment))


def _away(unit: str, count: int, env: QueryEnv) -> datetime | None:
    if unit in ("month", "quarter", "year"):
        return _months_on(env.now.astimezone(env.zone), count * _MONTHS[unit.capitalize()])
    if unit in ("minute", "hour", "dayofweek", "day", "week"):
        step = {"dayofweek": "days"}.get(unit, f"{unit}s")
        return env.now + timedelta(**{step: count})
    return None
