"""What `javascript:` expressions of queries stand for, reckoned in the caller's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connectors.servicenow.sandbox.query.parse import Join, Related, Term, parse
from connectors.servicenow.sandbox.query.values import QueryEnv, evaluate, relative

# Friday 20 November 2026, 13:05:42 UTC, which is 14:05:42 in Berlin.
NOW = datetime(2026, 11, 20, 13, 5, 42, tzinfo=UTC)
BERLIN = QueryEnv(now=NOW, zone=ZoneInfo("Europe/Berlin"), user_id="me", user_name="ann")


@pytest.mark.parametrize(
    ("expression", "stamp"),
    [
        ("gs.beginningOfToday()", "2026-11-19 23:00:00"),
        ("gs.endOfToday()", "2026-11-20 22:59:59"),
        ("gs.beginningOfYesterday()", "2026-11-18 23:00:00"),
        ("gs.beginningOfThisWeek()", "2026-11-15 23:00:00"),
        ("gs.endOfLastWeek()", "2026-11-15 22:59:59"),
        ("gs.beginningOfThisMonth()", "2026-10-31 23:00:00"),
        ("gs.endOfLastMonth()", "2026-10-31 22:59:59"),
        ("gs.beginningOfThisQuarter()", "2026-09-30 22:00:00"),
        ("gs.beginningOfThisYear()", "2025-12-31 23:00:00"),
        ("gs.beginningOfNextYear()", "2026-12-31 23:00:00"),
        ("gs.beginningOfThisHour()", "2026-11-20 13:00:00"),
        ("gs.endOfThisMinute()", "2026-11-20 13:05:59"),
        ("gs.daysAgo(2)", "2026-11-18 13:05:42"),
        ("gs.daysAgoStart(2)", "2026-11-17 23:00:00"),
        ("gs.daysAgoEnd(1)", "2026-11-19 22:59:59"),
        ("gs.hoursAgoStart(1)", "2026-11-20 12:00:00"),
        ("gs.minutesAgoStart(15)", "2026-11-20 12:50:00"),
        ("gs.minutesAgoEnd(0)", "2026-11-20 13:05:59"),
        ("gs.monthsAgo(9)", "2026-02-20 13:05:42"),
        ("gs.yearsAgoStart(1)", "2025-11-19 23:00:00"),
        ("gs.dateGenerate('2026-07-01','08:00:00')", "2026-07-01 06:00:00"),
        ('gs.dateGenerate("2026-07-01","end")', "2026-07-01 21:59:59"),
        ("gs.nowDateTime()", "2026-11-20 13:05:42"),
        ("gs.getUserID()", "me"),
        ("gs.getUserName();", "ann"),
        ("gs.dateGenerate('2026-13-01','08:00:00')", ""),
        ("gs.dateGenerate('2026-07-01')", ""),
        ("gs.daysAgoStart('x')", ""),
        ("gs.daysAgoStart(99999999)", ""),
        ("gs.monthsAgo(-999999)", ""),
        ("gs.eval('1')", ""),
        ("new Date()", ""),
    ],
)
def test_expressions(expression: str, stamp: str) -> None:
    assert evaluate(f"javascript:{expression}", BERLIN) == stamp


def test_what_is_no_expression_is_itself() -> None:
    assert evaluate("2026-01-01 00:00:00", BERLIN) == "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("RELATIVEGT", "@hour@ago@3", (">", "2026-11-20 10:05:42")),
        ("RELATIVELE", "dayofweek@ahead@2", ("<=", "2026-11-22 13:05:42")),
        # The same time on the wall, an hour less behind UTC in winter.
        ("RELATIVEEE", "month@ago@1", ("=", "2026-10-20 12:05:42")),
        ("RELATIVEGT", "fortnight@ago@3", None),
        ("RELATIVEGT", "hour@ago@x", None),
        ("RELATIVEGT", "hour", None),
        ("RELATIVEGT", "hour@ago@99999999999999999999", None),
        ("RELATIVEGT", "year@ahead@99999", None),
    ],
)
def test_relative_dates(operator: str, value: str, expected: object) -> None:
    assert relative(operator, value, BERLIN) == expected


def test_or_binds_to_its_neighbour_and_nq_to_everything() -> None:
    query = parse("a=1^ORb=2^c=3^NQd=4^ORDERBYe^ORDERBYDESCf^EQ")
    assert query.alternatives == (
        ((Term("a", "=", "1"), Term("b", "=", "2")), (Term("c", "=", "3"),)),
        ((Term("d", "=", "4"),),),
    )
    assert query.order == (("e", False), ("f", True))


def test_related_lists_and_joins_keep_their_own_queries() -> None:
    query = parse("x=1^RLQUERYt.f,>=2,m2m^a=1^ORb=2^ENDRLQUERY^JOINa.b=c.d!e=1^f=2^ORDERBYg")
    related, join = query.alternatives[0][1][0], query.alternatives[0][2][0]
    assert isinstance(related, Related)
    assert (related.table, related.field, related.operator, related.count) == ("t", "f", ">=", 2)
    assert related.query == parse("a=1^ORb=2")
    assert isinstance(join, Join)
    assert (join.left_field, join.table, join.right_field) == ("b", "c", "d")
    assert join.query == parse("e=1^f=2")
    assert query.order == (("g", False),)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("short_descriptionSTARTSWITHIN 5", Term("short_description", "STARTSWITH", "IN 5")),
        ("nameNOT LIKEx", Term("name", "NOT LIKE", "x")),
        ("name=a=b", Term("name", "=", "a=b")),
        ("u_price>=3", Term("u_price", ">=", "3")),
        ("numberNOT INa,b", Term("number", "NOT IN", "a,b")),
        ("descriptionISEMPTY", Term("description", "ISEMPTY", "")),
        ("no operator at all", Term("no operator at all", "", "")),
        ("name=line\nbreak", Term("name", "=", "line\nbreak")),
    ],
)
def test_terms(text: str, term: Term) -> None:
    assert parse(text).alternatives == (((term,),),)
