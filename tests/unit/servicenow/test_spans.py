"""When entries of a schedule are in force: every way to repeat, every zone, every doubtful row."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.servicenow.answers import Value
from connectors.servicenow.spans import Monthly, Repeat, Span, in_force, read_span
from engine.errors import InvalidAnswerError, UnmappedValueError

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
DAY = timedelta(days=1)


def row(**values: str) -> dict[str, Value]:
    given = {
        "type": "blackout",
        "start_date_time": "20261214T220000",
        "end_date_time": "20261215T040000",
        **values,
    }
    return {name: Value(value, value) for name, value in given.items()}


def days_of(found: Span, year: int, month: int) -> list[int]:
    """The days of a month on which an occurrence begins, in the schedule's own zone."""
    begin = datetime(year, month, 1, tzinfo=found.zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=found.zone)
    starts = [opens.astimezone(found.zone) for opens, _ in found.between(begin, end)]
    return [one.day for one in starts if (one.year, one.month) == (year, month)]


@pytest.mark.parametrize(
    ("values", "days"),
    [
        ({}, [14]),
        ({"repeat_type": "daily", "repeat_count": "5"}, [14, 19, 24, 29]),
        ({"repeat_type": "weekly"}, [14, 21, 28]),
        ({"repeat_type": "weekly", "days_of_week": "37"}, [16, 20, 23, 27, 30]),
        ({"repeat_type": "weekly", "repeat_count": "2", "days_of_week": "2"}, [15, 29]),
        ({"repeat_type": "weekdays"}, [14, 15, 16, 17, 18, 21, 22, 23, 24, 25, 28, 29, 30, 31]),
        ({"repeat_type": "weekends"}, [19, 20, 26, 27]),
        ({"repeat_type": "weekMWF"}, [14, 16, 18, 21, 23, 25, 28, 30]),
        ({"repeat_type": "weekTT"}, [15, 17, 22, 24, 29, 31]),
        ({"repeat_type": "daily", "repeat_until": "2026-12-16"}, [14, 15, 16]),
    ],
)
def test_an_entry_repeats_as_its_row_says(values: dict[str, str], days: list[int]) -> None:
    assert days_of(read_span(row(**values), BERLIN), 2026, 12) == days


@pytest.mark.parametrize(
    ("monthly", "february"),
    [("dom", [14]), ("ldom", [28]), ("dow", [8]), ("ldow", [22]), ("", [14])],
)
def test_a_monthly_entry_has_its_day_in_every_month(monthly: str, february: list[int]) -> None:
    found = read_span(row(repeat_type="monthly", monthly_type=monthly), BERLIN)
    assert days_of(found, 2027, 2) == february


def test_a_yearly_entry_spans_the_turn_of_the_year() -> None:
    found = read_span(
        row(
            start_date_time="20251220T000000",
            end_date_time="20260105T235959",
            repeat_type="yearly",
            all_day="true",
        ),
        BERLIN,
    )
    new_year = datetime(2028, 1, 1, tzinfo=UTC)
    ((opens, closes),) = found.between(new_year, new_year + DAY)
    assert opens == datetime(2027, 12, 20, tzinfo=BERLIN)
    assert closes == datetime(2028, 1, 6, tzinfo=BERLIN)


def test_a_moment_in_utc_is_read_in_the_schedules_zone() -> None:
    found = read_span(
        row(start_date_time="20261214T220000Z", end_date_time="20261215T000000Z"), BERLIN
    )
    ((opens, _),) = found.between(
        datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert opens == datetime(2026, 12, 14, 22, tzinfo=UTC)


def test_daily_hours_follow_the_clock_over_both_changes_of_time() -> None:
    found = read_span(
        row(
            start_date_time="20260101T090000", end_date_time="20260101T100000", repeat_type="daily"
        ),
        BERLIN,
    )
    for day in (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25), date(2026, 10, 26)):
        nine = datetime.combine(day, time(9), BERLIN)
        assert list(found.between(nine, nine + timedelta(minutes=1))) == [
            (nine.astimezone(UTC), (nine + timedelta(hours=1)).astimezone(UTC))
        ]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"repeat_type": "every blue moon"}, UnmappedValueError),
        ({"repeat_type": "monthly", "monthly_type": "moon"}, UnmappedValueError),
        ({"repeat_type": "yearly", "yearly_type": "float"}, UnmappedValueError),
        ({"type": "holiday"}, UnmappedValueError),
        ({"start_date_time": ""}, InvalidAnswerError),
        ({"start_date_time": "2026-12-14 22:00:00"}, InvalidAnswerError),
        ({"end_date_time": "20261213T000000"}, InvalidAnswerError),
        ({"end_date_time": "20991213T000000"}, InvalidAnswerError),
    ],
)
def test_what_is_not_understood_is_an_error_and_never_no_blackout(
    values: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        read_span(row(**values), BERLIN)


def test_a_floating_entry_of_a_schedule_without_a_zone_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError, match="time zone"):
        read_span(row(), None)


def test_what_a_schedule_excludes_is_taken_out_of_it() -> None:
    whole = read_span(row(end_date_time="20261216T220000"), BERLIN)
    hole = read_span(
        row(type="excluded", start_date_time="20261215T000000", end_date_time="20261215T120000"),
        BERLIN,
    )
    begin = datetime(2026, 12, 1, tzinfo=UTC)
    assert in_force([whole, hole], begin, begin + 60 * DAY) == (
        (datetime(2026, 12, 14, 21, tzinfo=UTC), datetime(2026, 12, 14, 23, tzinfo=UTC)),
        (datetime(2026, 12, 15, 11, tzinfo=UTC), datetime(2026, 12, 16, 21, tzinfo=UTC)),
    )


SPANS = st.builds(
    lambda begins, hours, zone, repeat, every, days, monthly: Span(
        begins=begins,
        ends=begins + timedelta(hours=hours),
        zone=ZoneInfo(zone),
        repeat=repeat,
        every=every,
        days=days,
        monthly=monthly,
    ),
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001  local to the span's own zone
    st.integers(1, 400),
    st.sampled_from(ZONES),
    st.sampled_from(Repeat),
    st.integers(1, 5),
    st.frozensets(st.integers(1, 7), max_size=3),
    st.sampled_from(Monthly),
)
INSTANTS = st.datetimes(datetime(2025, 6, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001  made UTC at once
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(spans=st.lists(SPANS, max_size=3), begin=INSTANTS, hours=st.integers(1, 3000))
def test_a_short_look_finds_exactly_what_a_long_one_found_there(
    spans: list[Span], begin: datetime, hours: int
) -> None:
    """What is in force at one moment does not depend on how far somebody looks around it."""
    long = in_force(spans, begin, begin + timedelta(hours=hours))
    for moment in (begin, begin + timedelta(hours=hours / 2)):
        now = in_force(spans, moment, moment + timedelta(seconds=1))
        is_inside = any(opens <= moment < closes for opens, closes in long)
        assert any(opens <= moment < closes for opens, closes in now) is is_inside


@given(spans=st.lists(SPANS, min_size=1, max_size=3), begin=INSTANTS)
def test_stretches_are_in_order_apart_and_of_time(spans: list[Span], begin: datetime) -> None:
    found = in_force(spans, begin, begin + 40 * DAY)
    for opens, closes in found:
        assert opens < closes
    for (_, closes), (opens, _) in pairwise(found):
        assert closes < opens


@given(span=SPANS, begin=INSTANTS)
def test_what_excludes_itself_is_never_in_force(span: Span, begin: datetime) -> None:
    excluded = Span(
        begins=span.begins, ends=span.ends, zone=span.zone, repeat=span.repeat, every=span.every,
        days=span.days, monthly=span.monthly, is_excluded=True,
    )  # fmt: skip
    assert in_force([span, excluded], begin, begin + 10 * DAY) == ()
