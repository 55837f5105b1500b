"""Business time over nights, weekends, holidays and both changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.calendar import Board, Calendar

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE = Calendar(
    name="office",
    zone="Europe/Berlin",
    hours=(*((day, 480, 1080) for day in range(4)), (4, 480, 960)),
    holidays=frozenset({"2026-12-25", "2026-12-26", "2027-01-01"}),
)


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[arg-type, misc]  # year, month, day, hour, minute


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        (berlin(2026, 11, 20, 8), True),
        (berlin(2026, 11, 20, 7, 59), False),
        (berlin(2026, 11, 20, 16), False),  # Friday: the closing instant is closed
        (berlin(2026, 11, 21, 11), False),  # Saturday
        (berlin(2026, 12, 25, 11), False),  # a holiday, and a Friday
        (datetime(2026, 7, 1, 6, tzinfo=UTC), True),  # summer time
    ],
)
def test_an_office_is_open_in_its_own_time_zone(
    instant: datetime,
    is_open: bool,  # noqa: FBT001  a table
) -> None:
    assert OFFICE.is_open(instant) is is_open


def test_the_next_opening_skips_nights_weekends_and_holidays() -> None:
    assert OFFICE.next_open(berlin(2026, 12, 24, 21)) == berlin(2026, 12, 28, 8)
    now = berlin(2026, 11, 20, 9)
    assert OFFICE.next_open(now) == now


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        (berlin(2026, 11, 20, 9), 4 * HOUR, berlin(2026, 11, 20, 13)),
        (berlin(2026, 11, 20, 15), 4 * HOUR, berlin(2026, 11, 23, 11)),  # Friday closes at 16
        (berlin(2026, 11, 20, 12), 4 * HOUR, berlin(2026, 11, 20, 16)),  # to the closing itself
        (berlin(2026, 11, 21, 3), HOUR, berlin(2026, 11, 23, 9)),
        (berlin(2026, 11, 19, 10), DAY, berlin(2026, 11, 20, 10)),
        (berlin(2026, 11, 19, 17), DAY, berlin(2026, 11, 23, 8)),  # Friday 17:00 is closed
        (berlin(2026, 11, 20, 9), 10 * DAY, berlin(2026, 12, 4, 9)),
        (berlin(2026, 12, 23, 9), 3 * DAY, berlin(2026, 12, 29, 9)),  # over Christmas
        (berlin(2026, 11, 20, 9), DAY + 2 * HOUR, berlin(2026, 11, 23, 11)),
        (berlin(2026, 11, 21, 3), timedelta(0), berlin(2026, 11, 21, 3)),
    ],
)
def test_deadlines_count_working_days_and_open_hours(
    start: datetime, span: timedelta, end: datetime
) -> None:
    assert OFFICE.after(start, span) == end


NIGHT = Calendar(name="night", zone="Europe/Berlin", hours=((6, 60, 240),))  # Sunday 01:00-04:00


@pytest.mark.parametrize(
    ("sunday", "hours"), [((2026, 3, 29), 2), ((2026, 3, 22), 3), ((2026, 10, 25), 4)]
)
def test_a_skipped_hour_is_not_there_and_a_repeated_one_is_open_twice(
    sunday: tuple[int, int, int], hours: int
) -> None:
    start = berlin(*sunday, 0)
    assert NIGHT.open_between(start, start + DAY) == hours * HOUR
    assert NIGHT.after(start, timedelta(hours=hours)) == berlin(*sunday, 4)


def test_an_office_that_opens_in_a_skipped_hour_opens_after_it() -> None:
    odd = Calendar(name="odd", zone="Europe/Berlin", hours=((6, 150, 240),))  # 02:30
    assert odd.next_open(berlin(2026, 3, 29, 0)) <= berlin(2026, 3, 29, 3, 30)
    assert not odd.is_open(berlin(2026, 3, 29, 1, 59))


def test_a_calendar_that_never_opens_says_so() -> None:
    closed = Calendar(name="closed", zone="UTC", hours=())
    for ask in (
        closed.next_open,
        lambda at: closed.after(at, HOUR),
        lambda at: closed.after(at, DAY),
    ):
        with pytest.raises(ValueError, match="does not open"):
            ask(datetime(2026, 11, 20, tzinfo=UTC))
    with pytest.raises(ValueError, match="backwards"):
        OFFICE.after(datetime(2026, 11, 20, tzinfo=UTC), -HOUR)


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    hours: list[tuple[int, int, int]] = []
    for weekday in draw(st.sets(st.integers(0, 6), min_size=1)):
        edges = draw(st.lists(st.integers(0, 1440), min_size=2, max_size=4, unique=True))
        edges.sort()
        pairs = zip(edges[::2], edges[1::2], strict=False)
        hours += [(weekday, opens, closes) for opens, closes in pairs]
    days = draw(st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=12))
    return Calendar(
        name="drawn",
        zone=draw(st.sampled_from(ZONES)),
        hours=tuple(sorted(hours)),
        holidays=frozenset(day.isoformat() for day in days),
    )


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 6, 30)).map(  # noqa: DTZ001  made UTC at once
    lambda moment: moment.replace(tzinfo=UTC, microsecond=0)
)
# The weekends on which clocks change, in the zones above.
CHANGES = st.sampled_from(
    [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 9, 6), date(2026, 10, 4),
     date(2026, 10, 25), date(2026, 11, 1)]
).flatmap(
    lambda day: st.integers(-48, 48).map(
        lambda hours: datetime(day.year, day.month, day.day, tzinfo=UTC) + hours * HOUR
    )
)  # fmt: skip
SPANS = st.integers(1, 24 * 60 - 1).map(lambda minutes: timedelta(minutes=minutes))


@given(office=calendars(), start=INSTANTS | CHANGES, span=SPANS)
def test_exactly_the_asked_open_time_goes_by(
    office: Calendar, start: datetime, span: timedelta
) -> None:
    end = office.after(start, span)
    assert end > start
    assert office.open_between(start, end) == span


@given(
    office=calendars(), start=INSTANTS | CHANGES, later=SPANS, span=SPANS, days=st.integers(0, 9)
)
def test_who_begins_later_is_never_due_earlier(
    office: Calendar, start: datetime, later: timedelta, span: timedelta, days: int
) -> None:
    whole = span + days * DAY
    assert office.after(start, whole) <= office.after(start + later, whole)


@given(office=calendars(), start=INSTANTS | CHANGES, days=st.integers(1, 20))
def test_working_days_end_when_the_office_is_open_and_on_no_holiday(
    office: Calendar, start: datetime, days: int
) -> None:
    end = office.after(start, days * DAY)
    assert office.is_open(end)
    assert end >= start + (days - 1) * DAY


@given(office=calendars(), instant=INSTANTS | CHANGES)
def test_the_next_opening_is_open_and_nothing_between_is(
    office: Calendar, instant: datetime
) -> None:
    opening = office.next_open(instant)
    assert office.is_open(opening)
    assert office.open_between(instant, opening) == timedelta(0)
    assert office.is_open(instant) is (opening == instant)


CAB = Board(
    name="cab", zone="Europe/Berlin", meets=((1, 600), (3, 840)), lead=2 * DAY, calendar=OFFICE
)


@pytest.mark.parametrize(
    ("submitted", "meeting"),
    [
        (berlin(2026, 11, 16, 9), berlin(2026, 11, 19, 14)),  # Monday: Thursday's agenda
        (berlin(2026, 11, 17, 14), berlin(2026, 11, 19, 14)),  # just in time
        (berlin(2026, 11, 17, 14, 1), berlin(2026, 11, 24, 10)),
        (berlin(2026, 12, 22, 9), berlin(2026, 12, 24, 14)),
        (berlin(2026, 12, 24, 9), berlin(2026, 12, 29, 10)),  # Christmas
    ],
)
def test_a_change_is_on_the_agenda_of_the_meeting_its_lead_time_reaches(
    submitted: datetime, meeting: datetime
) -> None:
    assert CAB.next_meeting(submitted) == meeting


@given(submitted=INSTANTS | CHANGES)
def test_no_board_meets_before_its_lead_time_or_on_a_holiday(submitted: datetime) -> None:
    meeting = CAB.next_meeting(submitted)
    assert meeting >= OFFICE.after(submitted, CAB.lead)
    assert not OFFICE.is_holiday(meeting.astimezone(BERLIN).date())


def test_the_longest_gap_between_meetings_wraps_around_the_week() -> None:
    assert CAB.longest_gap == timedelta(days=4, hours=20)
    assert Board(name="weekly", zone="UTC", meets=((3, 840),)).longest_gap == timedelta(days=7)


def test_a_board_whose_every_day_is_a_holiday_does_not_meet() -> None:
    days = (date(2026, 1, 1) + number * DAY for number in range(1200))
    shut = Calendar(
        name="shut", zone="UTC", hours=(), holidays=frozenset(day.isoformat() for day in days)
    )
    board = Board(name="cab", zone="UTC", meets=((3, 840),), calendar=shut)
    with pytest.raises(ValueError, match="does not meet"):
        board.next_meeting(datetime(2026, 2, 1, tzinfo=UTC))
