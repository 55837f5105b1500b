"""Office hours, board meetings and holidays as an admin writes them (RFC 5545 for holidays)."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from itertools import pairwise

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?"
_HOURS = re.compile(_DAY + r"\s+(?P<opens>\d{2}:\d{2})-(?P<closes>\d{2}:\d{2})")
_MEETING = re.compile(_DAY + r"\s+(?P<at>\d{2}:\d{2})")
_END_OF_DAY = "24:00"
_MINUTES = 60

Hours = tuple[tuple[int, int, int], ...]
Meetings = tuple[tuple[int, int], ...]


def parse_hours(texts: Sequence[str]) -> Hours:
    """Return (weekday, opens, closes) in minutes for texts such as `Mon-Fri 08:00-18:00`.

    Raises:
        ValueError: Another form, an unknown day, a closing before the opening, hours that overlap,
            or none at all.
    """
    found: list[tuple[int, int, int]] = []
    for text in texts:
        match = _HOURS.fullmatch(text.strip())
        if match is None:
            raise ValueError('expected hours such as "Mon-Fri 08:00-18:00"')
        opens, closes = _minute(match["opens"]), _minute(match["closes"])
        if opens >= closes:
            raise ValueError("expected the earlier day and time first")
        found.extend((day, opens, closes) for day in _weekdays(match))
    if not found:
        raise ValueError("expected hours: it would never open")
    ordered = tuple(sorted(found))
    if any(one[0] == other[0] and other[1] < one[2] for one, other in pairwise(ordered)):
        raise ValueError("expected hours that do not overlap")
    return ordered


def parse_meetings(texts: Sequence[str]) -> Meetings:
    """Return (weekday, minute) for texts such as `Thu 14:00`.

    Raises:
        ValueError: Another form, an unknown day, or none at all.
    """
    found: set[tuple[int, int]] = set()
    for text in texts:
        match = _MEETING.fullmatch(text.strip())
        if match is None or match["at"] == _END_OF_DAY:
            raise ValueError('expected meetings such as "Thu 14:00"')
        found |= {(day, _minute(match["at"])) for day in _weekdays(match)}
    if not found:
        raise ValueError("expected meetings: the board would never meet")
    return tuple(sorted(found))


def _weekdays(match: re.Match[str]) -> Iterator[int]:
    first = _weekday(match["first"])
    last = _weekday(match["last"] or match["first"])
    if first > last:
        raise ValueError("expected the earlier day and time first")
    yield from range(first, last + 1)


def _minute(text: str) -> int:
    if text == _END_OF_DAY:
        return 24 * _MINUTES
    try:
        at = time.fromisoformat(text)
    except ValueError:
        raise ValueError("expected times between 00:00 and 24:00") from None
    return at.hour * _MINUTES + at.minute


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
