from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from config.calendars import Calendar, parse_holidays, parse_hours
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


@pytest.fixture
def office() -> Calendar:
    return Calendar(
        name="office",
        zone=ZoneInfo("Europe/Berlin"),
        hours=parse_hours(["Mon-Thu 08:00-18:00", "Fri 08:00-16:00"]),
        holidays=parse_holidays(ICS),
    )


def test_holidays_are_whole_days_and_their_end_is_the_day_after() -> None:
    assert parse_holidays(ICS) == {date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        (datetime(2026, 11, 20, 7, 0, tzinfo=UTC), True),  # Friday 08:00 in Berlin
        (datetime(2026, 11, 20, 6, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 20, 15, 0, tzinfo=UTC), False),  # Friday 16:00: closed
        (datetime(2026, 11, 21, 10, 0, tzinfo=UTC), False),  # Saturday
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), False),  # a holiday
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), True),  # summer time
    ],
)
def test_an_office_is_open_in_its_own_time_zone(
    office: Calendar,
    instant: datetime,
    is_open: bool,  # noqa: FBT001  a table
) -> None:
    assert office.is_open(instant) is is_open


def test_the_next_opening_skips_nights_weekends_and_holidays(office: Calendar) -> None:
    assert office.next_open(datetime(2026, 12, 24, 20, tzinfo=UTC)) == datetime(
        2026, 12, 28, 7, tzinfo=UTC
    )
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert office.next_open(now) == now


def test_a_calendar_that_never_opens_says_so(office: Calendar) -> None:
    closed = Calendar(name="closed", zone=office.zone, hours=(), holidays=frozenset())
    with pytest.raises(ValueError, match="does not open"):
        closed.next_open(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    "text", ["Mon-Fri", "Fri-Mon 08:00-18:00", "Mon 18:00-08:00", "Mon 8-18", "Mon 25:00-26:00"]
)
def test_hours_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_hours([text])


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
