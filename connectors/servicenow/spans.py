"""When the entries of a ServiceNow schedule are in force: pure arithmetic over `cmn_schedule_span`.

An entry is written in local time of its schedule's zone, or in UTC where it ends in `Z`; it may
repeat (ServiceNow docs, "Schedules" and "Schedule entry"). A way to repeat that is not known here
is an error and never a guess: whoever asks shuts the gate.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from connectors.servicenow.answers import Record, text
from engine.errors import InvalidAnswerError, UnmappedValueError

E = TypeVar("E", bound=StrEnum)
_MOMENT = re.compile(r"\d{8}T\d{6}Z?")
_DAY = timedelta(days=1)
_WEEK = 7
_LONGEST = timedelta(days=800)
"""An entry that lasts longer than this is a mistake, and looking back that far costs nothing."""


class Repeat(StrEnum):
    """How an entry repeats; the values are the instance's own."""

    NEVER = ""
    DAILY = "daily"
    WEEKLY = "weekly"
    WEEKDAYS = "weekdays"
    WEEKENDS = "weekends"
    MON_WED_FRI = "weekMWF"
    TUE_THU = "weekTT"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Monthly(StrEnum):
    """Which day of each month."""

    DAY = "dom"
    LAST_DAY = "ldom"
    WEEKDAY = "dow"
    LAST_WEEKDAY = "ldow"


_FIXED_DAYS: Mapping[Repeat, frozenset[int]] = {
    Repeat.WEEKDAYS: frozenset({1, 2, 3, 4, 5}),
    Repeat.WEEKENDS: frozenset({6, 7}),
    Repeat.MON_WED_FRI: frozenset({1, 3, 5}),
    Repeat.TUE_THU: frozenset({2, 4}),
}
INCLUDING = frozenset({"", "work", "maintenance", "blackout", "time_off", "on_call"})
EXCLUDING = frozenset({"excluded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One entry: its first occurrence in local time, and how it repeats.

    Attributes:
        every: It repeats on every so manieth day, week, month or year.
        days: ISO weekdays, for a weekly entry.
        until: The last day on which an occurrence begins.
        is_excluded: Its time is taken out of its schedule.
    """

    begins: datetime
    ends: datetime
    zone: ZoneInfo
    repeat: Repeat = Repeat.NEVER
    every: int = 1
    days: frozenset[int] = frozenset()
    monthly: Monthly = Monthly.DAY
    until: date | None = None
    is_excluded: bool = False

    def between(self, begin: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the occurrences that touch [begin, end), whole, as instants in UTC."""
        length = self.ends - self.begins
        first = (begin.astimezone(self.zone) - length).date() - _DAY
        last = end.astimezone(self.zone).date() + _DAY
        for day in self._days(max(first, self.begins.date()), last):
            local = datetime.combine(day, self.begins.time())
            opens, closes = _instant(local, self.zone), _instant(local + length, self.zone)
            if opens < end and closes > begin:
                yield opens, closes

    def _days(self, first: date, last: date) -> Iterator[date]:
        day, last = first, min(last, self.until or last)
        if self.repeat is Repeat.NEVER:
            first, last = day, min(last, self.begins.date())
        holds = _HOLDS[self.repeat]
        while day <= last:
            if holds(self, day):
                yield day
            day += _DAY


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    # A time that the clock skips is the same instant as the one an hour later (PEP 495, fold 0).
    return local.replace(tzinfo=zone).astimezone(UTC)


def _is_first(span: Span, day: date) -> bool:
    return day == span.begins.date()


def _is_daily(span: Span, day: date) -> bool:
    return (day - span.begins.date()).days % span.every == 0


def _is_weekly(span: Span, day: date) -> bool:
    start = span.begins.date()
    monday = start - timedelta(days=start.isoweekday() - 1)
    week = (day - monday).days // _WEEK
    return week % span.every == 0 and day.isoweekday() in (
        span.days or frozenset({start.isoweekday()})
    )


def _on_fixed_days(span: Span, day: date) -> bool:
    return day.isoweekday() in _FIXED_DAYS[span.repeat]


def _is_monthly(span: Span, day: date) -> bool:
    start = span.begins.date()
    months = (day.year - start.year) * 12 + day.month - start.month
    return months % span.every == 0 and _IN_MONTH[span.monthly](start, day)


def _is_yearly(span: Span, day: date) -> bool:
    start = span.begins.date()
    is_due = (day.year - start.year) % span.every == 0
    return is_due and (day.month, day.day) == (start.month, start.day)


def _is_last_day(_start: date, day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _is_nth_weekday(start: date, day: date) -> bool:
    nth, start_nth = (day.day - 1) // _WEEK, (start.day - 1) // _WEEK
    return day.isoweekday() == start.isoweekday() and nth == start_nth


def _is_last_weekday(start: date, day: date) -> bool:
    return (
        day.isoweekday() == start.isoweekday() and (day + timedelta(days=_WEEK)).month != day.month
    )


_IN_MONTH: Mapping[Monthly, Callable[[date, date], bool]] = {
    Monthly.DAY: lambda start, day: day.day == start.day,
    Monthly.LAST_DAY: _is_last_day,
    Monthly.WEEKDAY: _is_nth_weekday,
    Monthly.LAST_WEEKDAY: _is_last_weekday,
}
_HOLDS: Mapping[Repeat, Callable[[Span, date], bool]] = {
    Repeat.NEVER: _is_first,
    Repeat.DAILY: _is_daily,
    Repeat.WEEKLY: _is_weekly,
    Repeat.WEEKDAYS: _on_fixed_days,
    Repeat.WEEKENDS: _on_fixed_days,
    Repeat.MON_WED_FRI: _on_fixed_days,
    Repeat.TUE_THU: _on_fixed_days,
    Repeat.MONTHLY: _is_monthly,
    Repeat.YEARLY: _is_yearly,
}


def read_span(row: Record, zone: ZoneInfo | None) -> Span:
    """Return one row of `cmn_schedule_span`; `zone` None: its schedule names none.

    Raises:
        UnmappedValueError: A type or a way to repeat that is not known.
        InvalidAnswerError: A moment that is none, an end before its start, or no zone.
    """
    kind = text(row, "type")
    if kind not in INCLUDING | EXCLUDING:
        raise UnmappedValueError("cmn_schedule_span.type", kind)
    begins, ends = _moment(row, "start_date_time", zone), _moment(row, "end_date_time", zone)
    if text(row, "all_day") == "true":
        begins = datetime.combine(begins.date(), time.min)
        ends = datetime.combine(ends.date() + _DAY, time.min)
    if not begins < ends <= begins + _LONGEST:
        raise InvalidAnswerError("a schedule's entry ends before it begins, or lasts for years")
    repeat = _member(Repeat, row, "repeat_type")
    if repeat is Repeat.YEARLY and text(row, "yearly_type") not in {"", "doy"}:
        raise UnmappedValueError("cmn_schedule_span.yearly_type", text(row, "yearly_type"))
    until = text(row, "repeat_until")
    return Span(
        begins=begins,
        ends=ends,
        zone=zone or ZoneInfo("UTC"),
        repeat=repeat,
        every=max(1, int(text(row, "repeat_count") or "1")),
        days=frozenset(int(digit) for digit in text(row, "days_of_week")),
        monthly=_member(Monthly, row, "monthly_type", empty=Monthly.DAY),
        until=date.fromisoformat(until) if until else None,
        is_excluded=kind in EXCLUDING,
    )


def _member(kind: type[E], row: Record, name: str, empty: E | None = None) -> E:
    value = text(row, name)
    if not value and empty is not None:
        return empty
    try:
        return kind(value)
    except ValueError:
        raise UnmappedValueError(f"cmn_schedule_span.{name}", value) from None


def _moment(row: Record, name: str, zone: ZoneInfo | None) -> datetime:
    """Return a moment in local time of the schedule's zone."""
    value = text(row, name)
    if not _MOMENT.fullmatch(value):
        raise InvalidAnswerError(f"a schedule's {name} is no moment")
    local = datetime.strptime(value[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007  local to the schedule's own zone
    if value.endswith("Z"):
        return local.replace(tzinfo=UTC).astimezone(zone or UTC).replace(tzinfo=None)
    if zone is None:
        raise InvalidAnswerError("a schedule without a time zone means another time for everybody")
    return local


Stretch = tuple[datetime, datetime]


def in_force(spans: Iterable[Span], begin: datetime, end: datetime) -> tuple[Stretch, ...]:
    """Return when a schedule is in force, touching [begin, end): merged, less what it excludes."""
    parts = tuple(spans)
    covered = _merged(
        one for span in parts if not span.is_excluded for one in span.between(begin, end)
    )
    if not covered:
        return ()
    left, right = covered[0][0], covered[-1][1]
    holes = _merged(one for span in parts if span.is_excluded for one in span.between(left, right))
    kept = [piece for stretch in covered for piece in _without(stretch, holes)]
    return tuple((opens, closes) for opens, closes in kept if opens < end and closes > begin)


def _merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for opens, closes in sorted(stretches):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes))
        else:
            found.append((opens, closes))
    return found


def _without(stretch: Stretch, holes: Iterable[Stretch]) -> Iterator[Stretch]:
    opens, closes = stretch
    for begin, end in holes:
        if end <= opens or begin >= closes:
            continue
        if begin > opens:
            yield opens, begin
        opens = end
        if opens >= closes:
            return
    yield opens, closes
