"""Times in queries: literals in the caller's zone, periods, functions, and what is none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connectors.jira.sandbox.jql.moments import moment
from connectors.jira.sandbox.jql.syntax import Function, JqlError, Literal, Operand

BERLIN = ZoneInfo("Europe/Berlin")
NOW = int(datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC).timestamp() * 1000)


def _at(operand: Operand) -> str:
    millis = moment(operand, "updated", BERLIN, NOW)
    return datetime.fromtimestamp(millis / 1000, tz=UTC).isoformat(timespec="milliseconds")[:23]


CASES: list[tuple[Operand, str]] = [
    (Literal("2026-11-20 13:34", quoted=True), "2026-11-20T12:34:00.000"),
    (Literal("2026/11/20 13:34", quoted=True), "2026-11-20T12:34:00.000"),
    (Literal("2026-11-20", quoted=False), "2026-11-19T23:00:00.000"),
    (Literal("2026-07-01 00:00", quoted=True), "2026-06-30T22:00:00.000"),
    (Literal("1795178070123", quoted=False), "2026-11-20T12:34:30.123"),
    (Literal("-1d", quoted=False), "2026-11-19T12:34:56.000"),
    (Literal("-1w 2h", quoted=True), "2026-11-13T10:34:56.000"),
    (Literal("30m", quoted=False), "2026-11-20T13:04:56.000"),
    (Function("now", ()), "2026-11-20T12:34:56.000"),
    (Function("startOfDay", ()), "2026-11-19T23:00:00.000"),
    (Function("startOfDay", ("-1",)), "2026-11-18T23:00:00.000"),
    (Function("startOfDay", ("-1d",)), "2026-11-18T23:00:00.000"),
    (Function("endOfDay", ()), "2026-11-20T22:59:59.999"),
    (Function("startOfWeek", ()), "2026-11-14T23:00:00.000"),
    (Function("startOfMonth", ()), "2026-10-31T23:00:00.000"),
    (Function("endOfMonth", ()), "2026-11-30T22:59:59.999"),
    (Function("startOfYear", ()), "2025-12-31T23:00:00.000"),
    (Function("endOfYear", ()), "2026-12-31T22:59:59.999"),
]


@pytest.mark.parametrize(("operand", "expected"), CASES, ids=[str(one[0]) for one in CASES])
def test_an_operand_names_an_instant(operand: Operand, expected: str) -> None:
    assert _at(operand) == expected


@pytest.mark.parametrize(
    "operand",
    [
        Literal("yesterday", quoted=True),
        Literal("2026-13-01", quoted=True),
        Literal("2026-11-20 25:00", quoted=True),
        Literal("1795178070123", quoted=True),
        Literal("-1q", quoted=False),
        Literal("", quoted=True),
        Function("startOfCentury", ()),
        Function("startOfDay", ("soon",)),
        Function("startOfDay", ("-999999999y",)),
    ],
    ids=str,
)
def test_what_is_no_time_is_refused(operand: Operand) -> None:
    with pytest.raises(JqlError):
        _at(operand)
