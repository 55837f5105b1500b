"""When a schedule is open: the occurrences of its entries (cmn_schedule_span) in a stretch of time.

A moment without `Z` is in the schedule's own zone, so that a window at ten in the evening stays
there when the clocks change.
"""

import calendar
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.store import Row

Interval = tuple[datetime, datetime]

_DAY = timedelta(days=1)
_WEEK = 7
# Nobody plans further ahead, and the walk over days has to end.
_FARTHEST = timedelta(days=5 * 366)
_DAYS_OF: Mapping[str, frozenset[int]] = {
    "weekdays": frozenset({0, 1, 2, 3, 4}),
    "weekends": frozenset({5, 6}),
    "weekMWF": frozenset({0, 2, 4}),
    "weekTT": frozenset({1, 3}),
}


def intervals(records: Records, schedule: str, start: datetime, end: datetime) -> list[Interval]:
    """Return the times between `start` and `end` in which a schedule is open, merged, in order."""
    row = records.read("cmn_schedule", schedule)
    if row is None:
        return []
    found: list[Interval] = []
    closed: list[Interval] = []
    for span in records.find("cmn_schedule_span", schedule=schedule):
        listed = closed if span["type"] == "excluded" else found
        listed.extend(occurrences(span, _zone(row["time_zone"]), start, end))
    merged = merge(found)
    for one in merge(closed):
        merged = [piece for interval in merged for piece in _without(interval, one)]
    return merged


def merge(found: Sequence[Interval]) -> list[Interval]:
    """Join intervals that touch or overlap."""
    merged: list[Interval] = []
    for begin, finish in sorted(found):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], finish))
        else:
            merged.append((begin, finish))
    return merged


def covers(found: Sequence[Interval], start: datetime, end: datetime) -> bool:
    """Say whether one of the (merged) intervals holds the whole stretch."""
    return any(begin <= start and end <= finish for begin, finish in found)


def overlaps(found: Sequence[Interval], start: datetime, end: datetime) -> bool:
    """Say whether one of the intervals has any time in common with the stretch."""
    return any(begin < end and start < finish for begin, finish in found)


def _without(interval: Interval, hole: Interval) -> Generator[Interval]:
    begin, finish = interval
    if hole[1] <= begin or finish <= hole[0]:
        yield interval
        return
    if begin < hole[0]:
        yield begin, hole[0]
    if hole[1] < finish:
        yield hole[1], finish


def _zone(name: str) -> ZoneInfo:
    """Return a zone; a floating schedule (or a name that nobody knows) counts in UTC."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def occurrences(span: Row, zone: ZoneInfo, start: datetime, end: datetime) -> Generator[Interval]:
    """Yield the occurrences of one entry that have time in common with a stretch, in UTC."""
    try:
        yield from _occurrences(span, zone, start, end)
    except OverflowError:
        # A time at the end of the calendar has nothing after it.
        return


def _occurrences(span: Row, zone: ZoneInfo, start: datetime, end: datetime) -> Generator[Interval]:
    first = _moment(span["start_date_time"], zone)
    last = _moment(span["end_date_time"], zone)
    if first is None or last is None or last < first:
        return
    if span["all_day"] == "true":
        first = datetime.combine(first.date(), datetime.min.time())
        last = datetime.combine(last.date(), datetime.min.time()) + _DAY
    for day in _days(span, first, last - first, (start.astimezone(zone), end.astimezone(zone))):
        local = datetime.combine(day, first.time())
        begin = local.replace(tzinfo=zone).astimezone(UTC)
        finish = (local + (last - first)).replace(tzinfo=zone).astimezone(UTC)
        if begin < end and start < finish:
            yield begin, finish


def _days(span: Row, first: datetime, length: timedelta, stretch: Interval) -> Generator[date]:
    """Yield the days on which an entry may begin an occurrence in a stretch."""
    if not span["repeat_type"]:
        yield first.date()
        return
    recurs = _rule(span, first.date())
    back = min(length, _FARTHEST) + _DAY
    day = max(first.date(), (stretch[0] - back).date())
    until = min(stretch[1], stretch[0] + _FARTHEST).date()
    while day <= until:
        if recurs(day):
            yield day
        day += _DAY


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the wall-clock time in the schedule's zone that a kept moment means."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment


def _rule(span: Row, first: date) -> Callable[[date], bool]:
    """Return whether an entry recurs on a day that is not before its first one."""
    every = max(int(span["repeat_count"] or 1), 1)
    ends = span["repeat_until"]
    kind = span["repeat_type"]

    def recurs(day: date) -> bool:
        if ends and day.isoformat() > ends:
            return False
        return _recurs(span, kind, every, first, day)

    return recurs


def _recurs(span: Row, kind: str, every: int, first: date, day: date) -> bool:
    if kind in _DAYS_OF:
        return day.weekday() in _DAYS_OF[kind]
    if kind == "daily":
        return (day - first).days % every == 0
    if kind == "weekly":
        chosen = span["days_of_week"] or str(first.isoweekday())
        monday = first - timedelta(days=first.weekday())
        week = (day - monday).days // _WEEK
        return str(day.isoweekday()) in chosen and week % every == 0
    if kind == "monthly":
        months = (day.year - first.year) * 12 + day.month - first.month
        return months % every == 0 and _in_month(span["monthly_type"], first, day)
    if kind == "yearly":
        in_year = day.month == first.month and (day.year - first.year) % every == 0
        floating = "dow" if span["yearly_type"] == "float" else "dom"
        return in_year and _in_month(floating, first, day)
    return day == first


def _in_month(kind: str, first: date, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if kind == "ldom":
        return day.day == last
    same_weekday = day.weekday() == first.weekday()
    if kind == "dow":
        return same_weekday and (day.day - 1) // _WEEK == (first.day - 1) // _WEEK
    if kind == "ldow":
        return same_weekday and day.day + _WEEK > last
    return day.day == first.day
