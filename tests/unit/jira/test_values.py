"""The leaves of Jira's payloads: instants, accounts, texts."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.values import (
    SUMMARY_MOST,
    TEXT_MOST,
    account,
    desk_instant,
    epoch_ms,
    fenced,
    instant,
    listing,
    mapping,
    native_instant,
    one_line,
    plain,
    quoted,
    text_of,
    unfenced,
)
from engine.domain.plan import fold
from engine.errors import DoesNotFitError, InvalidAnswerError

AT = datetime(2023, 3, 23, 5, 45, 29, 56000, tzinfo=UTC)


def test_an_offset_without_a_colon_is_read_in_the_zone_it_names() -> None:
    assert instant("2023-03-23T07:45:29.056+0200", "f") == AT
    assert instant("2023-03-23T05:45:29.056+0000", "f") == AT
    assert instant("2023-03-23T00:15:29+0530", "f") == datetime(2023, 3, 22, 18, 45, 29, tzinfo=UTC)


def test_epoch_milliseconds_are_an_instant_as_some_endpoints_send_them() -> None:
    assert instant(1679550329056, "f") == AT


@pytest.mark.parametrize("value", [None, "", "yesterday", "2023-03-23", True, 1.5, {}])
def test_anything_else_is_no_instant(value: object) -> None:
    with pytest.raises(InvalidAnswerError):
        instant(value, "updated")


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001  the strategy wants naive bounds
    st.integers(-14 * 60, 14 * 60),
)
def test_what_is_written_is_the_instant_that_was_meant(at: datetime, minutes: int) -> None:
    zoned = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = native_instant(zoned)
    assert text.endswith("+0000")
    assert len(text.partition(".")[2]) == len("000+0000")
    assert abs(instant(text, "f") - zoned) < timedelta(milliseconds=1)
    assert epoch_ms(instant(text, "f")) == epoch_ms(zoned)


def test_a_desk_date_counts_by_its_epoch_and_not_by_its_words() -> None:
    bean = {
        "iso8601": "2016-09-28T14:01:00+0700",
        "friendly": "Today",
        "epochMillis": 1475046060000,
    }
    assert desk_instant(bean, "f") == datetime(2016, 9, 28, 7, 1, tzinfo=UTC)
    assert desk_instant(None, "f") is None


@pytest.mark.shared
def test_a_recorded_comment_of_a_site_in_another_zone_is_read_right(shared: Path) -> None:
    page = json.loads((shared / "fixtures/jira/xsoar/get_comments.one_comment.json").read_text())
    comment = page["comments"][0]
    assert instant(comment["created"], "created") == AT
    assert text_of(comment["body"]).strip() == "Hello there"


@pytest.mark.shared
def test_every_instant_of_a_recorded_search_page_is_read(shared: Path) -> None:
    path = shared / "fixtures/jira/go-atlassian/jira_mocks_issue-search-v2.json"
    for issue in json.loads(path.read_text())["issues"]:
        for name in ("created", "updated"):
            assert instant(issue["fields"][name], name).tzinfo is UTC


def test_cloud_knows_people_by_account_id_and_data_center_by_key() -> None:
    bean = {"accountId": "5b10", "key": "JIRAUSER1", "name": "bob", "displayName": "Bob Miller"}
    cloud = account("j", bean, is_cloud=True)
    assert cloud is not None
    assert (cloud.id, cloud.name) == ("5b10", "Bob Miller")
    center = account("j", bean, is_cloud=False)
    assert center is not None
    assert center.id == "JIRAUSER1"
    assert account("j", {"name": "bob"}, is_cloud=False) is None
    assert account("j", None, is_cloud=True) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("x", "x"),
        (3, "3"),
        (True, "yes"),
        ({"name": "High", "id": "2"}, "High"),
        ({"value": "EMEA", "child": {"value": "Berlin"}}, "EMEA - Berlin"),
        ([{"name": "a"}, {"value": "b"}, None], "a, b"),
        ({"id": "1"}, ""),
    ],
)
def test_every_kind_of_field_has_the_text_that_people_see(value: object, text: str) -> None:
    assert text_of(value) == text


_BLOCKS = ("{noformat", "{code")


@given(st.text(max_size=400).filter(lambda text: not any(one in text for one in _BLOCKS)))
def test_a_fenced_text_comes_back_letter_by_letter(text: str) -> None:
    native = fenced(text, "description")
    assert fold(unfenced(native)) == fold(text)
    assert fold(unfenced(native.replace("\n", "\r\n"))) == fold(text)


def test_wiki_markup_in_a_plan_is_text_and_stays_text() -> None:
    text = "1. *bold* [link|http://evil.test] {color:red}approved{color}\n||a||b||\n{json}"
    assert unfenced(fenced(text, "f")) == text


@pytest.mark.parametrize("text", ["a {noformat} b", "{noformat:title=x}", "x{code}y"])
def test_a_text_that_would_end_its_own_block_is_handed_over(text: str) -> None:
    with pytest.raises(DoesNotFitError, match="block mark"):
        fenced(text, "description")


def test_a_text_is_never_cut() -> None:
    assert len(fenced("x" * (TEXT_MOST - 22), "f")) == TEXT_MOST
    with pytest.raises(DoesNotFitError, match="description"):
        fenced("x" * (TEXT_MOST - 21), "description")
    with pytest.raises(DoesNotFitError, match="255"):
        one_line("x" * (SUMMARY_MOST + 1), "short_description")
    with pytest.raises(DoesNotFitError, match="one line"):
        one_line("a\nb", "short_description")


def test_what_somebody_asks_for_is_read_without_block_marks() -> None:
    written = "Please:\n{noformat}\nadd *me*\n{noformat}\n{code:title=x|java}y{code} {braces}"
    assert plain(written) == "Please:\nadd *me*\ny {braces}"
    # Whoever hides a mark in a mark is handed over: the text is not searched until none is left.
    with pytest.raises(DoesNotFitError):
        fenced(plain("{{noformat}noformat}"), "f")


def test_text_that_a_person_wrote_without_a_block_is_read_as_it_is() -> None:
    assert unfenced("plain *words*") == "plain *words*"
    assert unfenced("{noformat}a{noformat} and {noformat}b{noformat}") == (
        "{noformat}a{noformat} and {noformat}b{noformat}"
    )


def test_a_jql_literal_cannot_be_left() -> None:
    assert quoted('ITH" OR project = "SECRET') == '"ITH\\" OR project = \\"SECRET"'
    assert quoted("a\\") == '"a\\\\"'


def test_shapes_are_checked_before_they_are_used() -> None:
    with pytest.raises(InvalidAnswerError):
        mapping([], "issue")
    with pytest.raises(InvalidAnswerError):
        listing({}, "issues")
    with pytest.raises(InvalidAnswerError):
        listing(["x"], "issues")
