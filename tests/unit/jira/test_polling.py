"""Sweeps: nothing is lost while records change, tokens repeat and pages shift."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.client import JiraClient
from connectors.jira.polling import Poller, Sweep, Swept, starting_at
from connectors.jira.transport import RefusedError
from connectors.jira.values import epoch_ms, native_instant
from engine.domain.refs import Account
from engine.errors import AuthenticationError, InvalidAnswerError
from engine.ports.paging import Cursor
from tests.unit.jira.conftest import Clock
from tests.unit.jira.conftest import settings as made

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
SWEEP = Sweep(jql='project = "ITH"', fields=("updated",))
OVERLAP = timedelta(minutes=5)
_SINCE = re.compile(r"updated >= (\d+)")
_BORN = re.compile(r"created >= (\d+)")


class Site(JiraClient):
    """A site in memory: records with a time of update, and the search of either flavour."""

    def __init__(self, *, is_cloud: bool, size: int = 2) -> None:
        super().__init__("jira", made(flavour="cloud" if is_cloud else "datacenter"), Clock())
        self.records: dict[int, datetime] = {}
        self.clock = T0
        self.size = size
        self.asked: list[Mapping[str, Any]] = []
        self.faults: list[Mapping[str, Any] | Exception] = []
        self.is_known = True

    def verify_session(self) -> Account:
        if not self.is_known:
            raise AuthenticationError("anonymous")
        return Account(system="jira", id="me", name="me")

    def server_now(self) -> datetime:
        return self.clock

    def touch(self, number: int) -> None:
        self.clock += timedelta(milliseconds=7)
        self.records[number] = self.clock

    def search(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(params)
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        found = _SINCE.search(params["jql"])
        assert found is not None
        hits = sorted((at, number) for number, at in self.records.items())
        hits = [hit for hit in hits if epoch_ms(hit[0]) >= int(found[1])]
        if self.is_cloud:
            # Cloud's token is a place behind the last record shown, as a keyset.
            after = params.get("nextPageToken", "0@0").split("@")
            hits = [
                hit for hit in hits if (epoch_ms(hit[0]), hit[1]) > (int(after[0]), int(after[1]))
            ]
            page = hits[: self.size]
            answer: dict[str, Any] = {"issues": [bean(*hit) for hit in page], "isLast": True}
            if len(hits) > self.size:
                token = f"{epoch_ms(page[-1][0])}@{page[-1][1]}"
                answer |= {"isLast": False, "nextPageToken": token}
            return answer
        start, limit = params["startAt"], min(params["maxResults"], self.size + 20)
        page = hits[start : start + limit]
        return {"issues": [bean(*hit) for hit in page], "total": len(hits), "startAt": start}


def bean(at: datetime, number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "key": f"ITH-{number}",
        "fields": {"updated": native_instant(at)},
    }


def poller(site: Site) -> Poller:
    return Poller(site, overlap=OVERLAP, page_size=site.size)


def sweep(site: Site, cursor: Cursor) -> tuple[list[str], Cursor]:
    found: list[str] = []
    for _ in range(60):
        page: Swept = poller(site).next_page(SWEEP, cursor)
        found += [f"{one.id}@{epoch_ms(one.updated_at)}" for one in page.issues]
        cursor = page.cursor
        if page.is_last:
            return found, cursor
    raise AssertionError("the sweep does not end")


@pytest.fixture(params=[True, False], ids=["cloud", "datacenter"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(is_cloud=request.param)


def test_the_query_is_in_epoch_milliseconds_and_in_a_stable_order(site: Site) -> None:
    sweep(site, starting_at(T0))
    (asked,) = site.asked
    since = epoch_ms(T0 - OVERLAP)
    assert asked["jql"] == (
        f'(project = "ITH") AND updated >= {since} AND created >= {epoch_ms(T0)}'
        " ORDER BY updated ASC, key ASC"
    )


def test_what_was_there_before_the_first_start_stays_outside_for_ever(site: Site) -> None:
    cursor = starting_at(T0)
    for _ in range(3):
        site.touch(1)
        _, cursor = sweep(site, cursor)
        found = _BORN.search(site.asked[-1]["jql"])
        assert found is not None
        assert int(found[1]) == epoch_ms(T0)


def test_every_sweep_asks_first_who_we_are(site: Site) -> None:
    site.is_known = False
    with pytest.raises(AuthenticationError):
        sweep(site, starting_at(T0))
    assert site.asked == []


def test_records_are_shown_once_and_again_when_they_change(site: Site) -> None:
    for number in range(5):
        site.touch(number)
    first, cursor = sweep(site, starting_at(T0))
    assert len(first) == len(set(first)) == 5
    again, cursor = sweep(site, cursor)
    assert again == []
    site.touch(3)
    changed, _ = sweep(site, cursor)
    assert [one.partition("@")[0] for one in changed] == ["3"]


def test_a_record_that_the_index_shows_late_is_met(site: Site) -> None:
    late = site.clock + timedelta(seconds=1)
    site.clock += timedelta(minutes=1)
    site.touch(1)
    _, cursor = sweep(site, starting_at(T0))
    site.clock += timedelta(minutes=3)
    site.touch(2)
    _, cursor = sweep(site, cursor)
    site.records[9] = late
    found, _ = sweep(site, cursor)
    assert [one.partition("@")[0] for one in found] == ["9"]


def test_a_quiet_site_does_not_hold_the_cursor_back_for_ever(site: Site) -> None:
    site.touch(1)
    _, cursor = sweep(site, starting_at(T0))
    site.clock += timedelta(days=3)
    _, cursor = sweep(site, cursor)
    assert cursor.at == site.clock - OVERLAP


def test_a_token_that_comes_again_is_an_error_and_not_an_endless_loop() -> None:
    site = Site(is_cloud=True)
    page = {"issues": [bean(T0, 1)], "isLast": False, "nextPageToken": "same"}
    site.faults = [page, page]
    cursor = poller(site).next_page(SWEEP, starting_at(T0)).cursor
    with pytest.raises(InvalidAnswerError, match="token"):
        poller(site).next_page(SWEEP, cursor)


def test_tokens_that_go_in_a_circle_are_an_error() -> None:
    site = Site(is_cloud=True)
    tokens = ["a", "b", "a"]
    site.faults = [{"issues": [], "isLast": False, "nextPageToken": one} for one in tokens]
    cursor = starting_at(T0)
    for _ in tokens[:-1]:
        cursor = poller(site).next_page(SWEEP, cursor).cursor
    with pytest.raises(InvalidAnswerError, match="token"):
        poller(site).next_page(SWEEP, cursor)


def test_a_page_that_is_not_the_last_and_has_no_token_is_an_error() -> None:
    site = Site(is_cloud=True)
    site.faults = [{"issues": [bean(T0, 1)], "isLast": False}]
    with pytest.raises(InvalidAnswerError, match="cut off"):
        poller(site).next_page(SWEEP, starting_at(T0))


def test_a_token_that_ran_out_begins_the_sweep_again_and_loses_nothing() -> None:
    site = Site(is_cloud=True)
    for number in range(6):
        site.touch(number)
    page = poller(site).next_page(SWEEP, starting_at(T0))
    site.faults = [RefusedError("search", messages=("expired token",), fields=())]
    again = poller(site).next_page(SWEEP, page.cursor)
    assert (again.issues, again.is_last) == ((), False)
    rest, _ = sweep(site, again.cursor)
    shown = [one.id for one in page.issues] + [one.partition("@")[0] for one in rest]
    assert sorted(shown) == [str(number) for number in range(6)]


def test_a_query_that_is_refused_without_a_token_is_refused() -> None:
    site = Site(is_cloud=True)
    site.faults = [RefusedError("search", messages=("bad jql",), fields=())]
    with pytest.raises(RefusedError):
        poller(site).next_page(SWEEP, starting_at(T0))


def test_fewer_records_than_announced_are_an_error_and_never_the_end() -> None:
    site = Site(is_cloud=False)
    site.faults = [{"issues": [], "total": 4}]
    with pytest.raises(InvalidAnswerError, match="0 of 4"):
        poller(site).next_page(SWEEP, starting_at(T0))
    site.faults = [{"issues": []}]
    with pytest.raises(InvalidAnswerError, match="total"):
        poller(site).next_page(SWEEP, starting_at(T0))


def test_a_record_that_is_no_issue_is_named_and_the_others_come(site: Site) -> None:
    broken = {"id": "7", "key": "ITH-7", "fields": {"updated": "yesterday"}}
    site.faults = [{"issues": [bean(T0, 1), broken], "isLast": True, "total": 2}]
    page = poller(site).next_page(SWEEP, starting_at(T0))
    assert [one.id for one in page.issues] == ["1"]
    assert [number for number, _ in page.broken] == ["7"]


def test_a_moved_issue_keeps_its_id_and_brings_its_new_key(site: Site) -> None:
    moved = {**bean(T0, 1), "key": "OPS-12"}
    site.faults = [{"issues": [moved], "isLast": True, "total": 1}]
    (one,) = poller(site).next_page(SWEEP, starting_at(T0)).issues
    assert (one.id, one.key) == ("1", "OPS-12")


_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("touch"), st.integers(0, 30)),
        st.tuples(st.just("delete"), st.integers(0, 30)),
        st.tuples(st.just("page"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(acts=_ACTS, size=st.integers(1, 4), is_cloud=st.booleans())
def test_whatever_changes_between_two_pages_every_last_version_is_shown(
    acts: list[tuple[str, int]], size: int, *, is_cloud: bool
) -> None:
    site = Site(is_cloud=is_cloud, size=size)
    for number in range(12):
        site.touch(number)
    cursor = starting_at(T0)
    shown: set[str] = set()
    for act, number in acts:
        match act:
            case "touch":
                site.touch(number)
            case "delete":
                site.records.pop(number, None)
            case _:
                page = poller(site).next_page(SWEEP, cursor)
                shown |= {f"{one.id}@{epoch_ms(one.updated_at)}" for one in page.issues}
                cursor = page.cursor
    for _ in range(2):
        found, cursor = sweep(site, cursor)
        shown |= set(found)
    for number, at in site.records.items():
        assert f"{number}@{epoch_ms(at)}" in shown
