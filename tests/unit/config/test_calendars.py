"""Calendars as an admin writes them, and what cannot be."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from config.calendars import parse_holidays, parse_hours, parse_meetings
from config.units import parse_duration, parse_instant

ICS = """BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
SUMMARY:A long\r
  name\r
DTSTART;VALUE=DATE:20261225\r
DTEND;VALUE=DATE:20261227\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20270101\r
END:VEVENT\r
END:VCALENDAR\r
"""


def test_holidays_are_whole_days_and_their_end_is_the_day_after() -> None:
    assert parse_holidays(ICS) == {date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}


def test_hours_are_minutes_of_each_weekday() -> None:
    assert parse_hours(["Fri 08:00-16:00", "Mon-Tue 22:00-24:00"]) == (
        (0, 1320, 1440),
        (1, 1320, 1440),
        (4, 480, 960),
    )


def test_meetings_are_minutes_of_their_weekdays() -> None:
    assert parse_meetings(["Thu 14:00", "Mon-Tue 09:30"]) == ((0, 570), (1, 570), (3, 840))


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["Mon-Fri"],
        ["Fri-Mon 08:00-18:00"],
        ["Mon 18:00-08:00"],
        ["Mon 8-18"],
        ["Mon 25:00-26:00"],
        ["Mon 08:00-08:00"],
        ["Mon-Fri 08:00-12:00", "Wed 11:00-18:00"],
    ],
)
def test_hours_that_cannot_be_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_hours(texts)


@pytest.mark.parametrize("texts", [[], ["Thu"], ["Thu 14"], ["Thu 24:00"], ["Day 14:00"]])
def test_meetings_that_cannot_be_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_meetings(texts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        ICS.replace("DTSTART;VALUE=DATE:20270101", "DTSTART:20270101T080000Z"),
        ICS.replace("SUMMARY:A long", "RRULE:FREQ=YEARLY"),
    ],
)
def test_holidays_that_would_have_to_be_guessed_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_holidays(text)


@pytest.mark.parametrize("text", ["", "3", "3 days", "-1h", "1.5h", "h", 3, None])
def test_durations_have_one_form(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


def test_a_bare_end_date_is_covered_to_its_midnight() -> None:
    zone = ZoneInfo("Europe/Berlin")
    assert parse_instant("2027-01-04", zone, is_end=True) == datetime(2027, 1, 4, 23, tzinfo=UTC)
    assert parse_instant("2027-01-04T12:00", zone, is_end=True) == datetime(
        2027, 1, 4, 11, tzinfo=UTC
    )
