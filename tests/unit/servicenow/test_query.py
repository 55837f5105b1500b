"""No value can add a term to an encoded query, whatever a ticket says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.servicenow import query as q
from engine.errors import InvalidAnswerError, PermanentError


@pytest.mark.parametrize(
    "hostile",
    [
        "x^NQactive=true",
        "x^ORstate=1",
        "a\nb",
        "a\rb",
        "a\x00b",
        "javascript:gs.getUserID()",
        "  JavaScript:gs.daysAgoStart(0)",
    ],
)
def test_a_value_that_would_be_a_term_is_refused(hostile: str) -> None:
    for build in (q.equals, q.differs, q.contains):
        with pytest.raises(PermanentError):
            build("number", hostile)
    with pytest.raises(PermanentError):
        q.one_of("number", [hostile])
    with pytest.raises(PermanentError):
        q.after_id(hostile)


@given(st.text(max_size=60))
def test_whatever_passes_stays_one_term(text: str) -> None:
    try:
        term = q.equals("short_description", text)
    except PermanentError:
        return
    assert term.count("^") == 0
    assert term == f"short_description={text}"
    assert "\n" not in term


@pytest.mark.parametrize("name", ["", "Number", "a b", "x^y", "a=b", "a..b", "1a", "javascript:x"])
def test_what_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(PermanentError):
        q.equals(name, "x")


def test_a_list_value_with_a_comma_would_be_two_values() -> None:
    with pytest.raises(PermanentError):
        q.one_of("user_name", ["abel,tuter"])
    with pytest.raises(PermanentError):
        q.one_of("user_name", [])


def test_instants_are_written_in_utc_and_whole_seconds() -> None:
    berlin = timezone(timedelta(hours=1))
    moment = datetime(2026, 11, 20, 11, 42, 7, 999999, tzinfo=berlin)
    assert q.at("sys_updated_on", ">=", moment) == "sys_updated_on>=2026-11-20 10:42:07"
    assert q.parse_instant("2026-11-20 10:42:07") == datetime(2026, 11, 20, 10, 42, 7, tzinfo=UTC)
    assert q.parse_instant("") is None


@pytest.mark.parametrize("text", ["10/24/2023 7:07:31", "2026-11-20", "UNKNOWN"])
def test_a_time_in_a_persons_format_is_an_error(text: str) -> None:
    with pytest.raises(InvalidAnswerError, match="form"):
        q.parse_instant(text)


@pytest.mark.parametrize(
    "text", ["active=true^NQpriority=1", "ORDERBYnumber", "active=true^EQ", "a=b\nc=d"]
)
def test_a_filter_behind_which_terms_would_bind_wrongly_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="filter"):
        q.require_base_filter(text)


def test_a_plain_filter_is_kept() -> None:
    text = "active=true^assignment_group.name=Service Desk"
    assert q.require_base_filter(f"^{text}^") == text


def test_a_filter_follows_a_reference_term_by_term() -> None:
    base = "active=true^stateIN1,2^ORassignment_group.name=Service Desk"
    assert q.through("request_item", base) == (
        "request_item.active=true^request_item.stateIN1,2"
        "^ORrequest_item.assignment_group.name=Service Desk"
    )
    assert q.through("request_item", "") == ""
