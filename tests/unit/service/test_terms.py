"""Windows, expiries and reminders of a gate, with and without business time and a board."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.calendar import Board, Calendar
from engine.domain.decision import Authority, GatePolicy, Window
from engine.domain.stage import Gate
from engine.errors import PreconditionError
from engine.service.terms import remind_at, tell_at, window_and_expiry

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)
OFFICE = Calendar(name="office", zone="UTC", hours=tuple((day, 480, 1080) for day in range(5)))
CAB = Board(name="cab", zone="UTC", meets=((3, 840),), lead=2 * DAY)
THURSDAY = datetime(2026, 11, 26, 14, tzinfo=UTC)
PLAIN = GatePolicy(authority=Authority(name="owners", groups={}))
SHUT = Calendar(name="shut", zone="UTC", hours=())


@pytest.mark.parametrize(
    ("policy", "window", "expires"),
    [
        (PLAIN, Window(), FRIDAY + 10 * DAY),
        (replace(PLAIN, lead=HOUR), Window(earliest=FRIDAY + HOUR), FRIDAY + 10 * DAY),
        (
            replace(PLAIN, lead=HOUR, length=HOUR),
            Window(earliest=FRIDAY + HOUR, latest=FRIDAY + 2 * HOUR),
            FRIDAY + 2 * HOUR,
        ),
        (
            replace(PLAIN, length=4 * HOUR),
            Window(earliest=FRIDAY, latest=FRIDAY + 4 * HOUR),
            FRIDAY + 4 * HOUR,
        ),
        (replace(PLAIN, within=3 * DAY), Window(latest=FRIDAY + 3 * DAY), FRIDAY + 3 * DAY),
        (
            replace(PLAIN, lead=DAY, within=3 * DAY),
            Window(earliest=FRIDAY + DAY, latest=FRIDAY + 3 * DAY),
            FRIDAY + 3 * DAY,
        ),
        (replace(PLAIN, calendar=OFFICE), Window(), FRIDAY + 14 * DAY),
        (
            replace(PLAIN, calendar=OFFICE, lead=4 * HOUR),
            Window(earliest=MONDAY + HOUR),
            FRIDAY + 14 * DAY,
        ),
        (
            replace(PLAIN, calendar=OFFICE, lead=4 * HOUR, length=2 * HOUR),
            Window(earliest=MONDAY + HOUR, latest=MONDAY + 3 * HOUR),
            MONDAY + 3 * HOUR,
        ),
        (
            replace(PLAIN, board=CAB, length=4 * HOUR),
            Window(earliest=THURSDAY, latest=THURSDAY + 4 * HOUR),
            THURSDAY + 4 * HOUR,
        ),
        (replace(PLAIN, board=CAB), Window(earliest=THURSDAY), FRIDAY + 10 * DAY),
        (
            replace(PLAIN, board=CAB, lead=8 * DAY),
            Window(earliest=FRIDAY + 8 * DAY),
            FRIDAY + 10 * DAY,
        ),
    ],
)
def test_a_window_has_an_earliest_a_latest_both_or_none(
    policy: GatePolicy, window: Window, expires: datetime
) -> None:
    assert window_and_expiry(policy, Gate.CHANGE, FRIDAY) == (window, expires)


def test_what_runs_alone_has_no_window() -> None:
    policy = replace(PLAIN, lead=HOUR, length=HOUR)
    assert window_and_expiry(policy, Gate.NONE, FRIDAY)[0] == Window()
    assert window_and_expiry(None, Gate.CHANGE, FRIDAY)[0] == Window()


@pytest.mark.parametrize(
    "policy",
    [
        replace(PLAIN, lead=11 * DAY),
        replace(PLAIN, lead=DAY, within=DAY),
        replace(PLAIN, board=CAB, expires=3 * DAY),
        replace(PLAIN, board=CAB, within=3 * DAY),
        replace(PLAIN, calendar=SHUT),
        replace(PLAIN, board=replace(CAB, meets=())),
    ],
)
def test_a_window_that_would_open_after_the_expiry_is_handed_over_and_not_planned(
    policy: GatePolicy,
) -> None:
    with pytest.raises(PreconditionError, match="no window can be planned"):
        window_and_expiry(policy, Gate.CHANGE, FRIDAY)


def test_reminders_come_in_business_time_and_never_when_they_cannot() -> None:
    policy = replace(PLAIN, remind=DAY, tell_after=2 * DAY)
    assert (remind_at(policy, FRIDAY), tell_at(policy, FRIDAY)) == (FRIDAY + DAY, FRIDAY + 2 * DAY)
    office = replace(policy, calendar=OFFICE)
    assert remind_at(office, FRIDAY) == FRIDAY + 3 * DAY
    assert tell_at(office, FRIDAY) == FRIDAY + 4 * DAY
    assert remind_at(PLAIN, FRIDAY) is None
    assert remind_at(replace(policy, calendar=SHUT), FRIDAY) is None
