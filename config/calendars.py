"""Business calendars: hours in a time zone, holidays from an iCalendar file (RFC 5545)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(
    r"(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?\s+"
    r"(?P<opens>\d{2}:\d{2})-(?P<closes>\d{2}:\d{2})"
)
_FURTHEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When an office is open; pure, asked about given instants only."""

    name: str
    zone: ZoneInfo
    hours: tuple[tuple[int, time, time], ...]
    holidays: frozenset[date]

    def is_open(self, instant: datetime) -> bool:
        """Whether the office is open at `instant`; the closing minute itself is closed."""
        local = instant.astimezone(self.zone)
        if local.date() in self.holidays:
            return False
        return any(
            day == local.weekday() and opens <= local.time() < closes
            for day, opens, closes in self.hours
        )

    def next_open(self, instant: datetime) -> datetime:
        """Return `instant` if open, else the next opening.

        Raises:
            ValueError: The calendar does not open within 400 days.
        """
        if self.is_open(instant):
            return instant
        local = instant.astimezone(self.zone)
        for offset in range(_FURTHEST):
            day = local.date() + timedelta(days=offset)
            if day in self.holidays:
                continue
            openings = [
                datetime.combine(day, opens, self.zone)
                for weekday, opens, _ in self.hours
                if weekday == day.weekday()
            ]
            for opening in sorted(openings):
                if opening >= local:
                    return opening.astimezone(instant.tzinfo)
        raise ValueError(f"calendar {self.name} does not open within {_FURTHEST} days")


def parse_hours(texts: Sequence[str]) -> tuple[tuple[int, time, time], ...]:
    """Return (weekday, opens, closes) for texts such as `Mon-Fri 08:00-18:00`.

    Raises:
        ValueError: Another form, an unknown day, or a closing before the opening.
    """
    found: list[tuple[int, time, time]] = []
    for text in texts:
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError('expected hours such as "Mon-Fri 08:00-18:00"')
        first = _weekday(match["first"])
        last = _weekday(match["last"] or match["first"])
        try:
            opens, closes = time.fromisoformat(match["opens"]), time.fromisoformat(match["closes"])
        except ValueError:
            raise ValueError("expected times between 00:00 and 23:59") from None
        if first > last or opens >= closes:
            raise ValueError("expected the earlier day and time first")
        found.extend((day, opens, closes) for day in range(first, last + 1))
    return tuple(sorted(found))


def _weekday(name: str) -> int:
    if name.lower() not in _DAYS:
        raise ValueError("expected days Mon, Tue, Wed, Thu, Fri, Sat or Sun")
    return _DAYS.index(name.lower())


def parse_holidays(text: str) -> frozenset[date]:
    """Return the whole days of an iCalendar file; DTEND is the day after (RFC 5545, 3.6.1).

    Raises:
        ValueError: No iCalendar, an event without a whole-day start, or a repeating event, which
            would have to be understood and not guessed.
    """
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise ValueError("expected an iCalendar file")
    days: set[date] = set()
    event: dict[str, str] | None = None
    for line in lines:
        name, _, value = line.partition(":")
        key = name.partition(";")[0].upper()
        if key == "BEGIN" and value.strip().upper() == "VEVENT":
            event = {}
        elif key == "END" and value.strip().upper() == "VEVENT" and event is not None:
            days |= _event_days(event)
            event = None
        elif event is not None:
            event[key] = value.strip()
    return frozenset(days)


def _event_days(event: dict[str, str]) -> set[date]:
    if {"RRULE", "RDATE"} & event.keys():
        raise ValueError("expected single events (repeating ones are not supported)")
    start = _day(event.get("DTSTART", ""))
    end = _day(event["DTEND"]) if "DTEND" in event else start + timedelta(days=1)
    return {start + timedelta(days=offset) for offset in range(max(1, (end - start).days))}


def _day(value: str) -> date:
    if not re.fullmatch(r"\d{8}", value):
        raise ValueError("expected whole days such as DTSTART;VALUE=DATE:20261225")
    return date(int(value[:4]), int(value[4:6]), int(value[6:]))
