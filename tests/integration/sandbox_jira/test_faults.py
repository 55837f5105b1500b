"""Every fault that the admin API knows is seen by a client that we did not write: requests."""

import time
from typing import Any

import pytest
import requests


@pytest.fixture(autouse=True)
def _clean(desk: Any) -> Any:
    yield
    desk.admin("DELETE", "/faults")
    desk.admin("POST", "/clock", {"offset_seconds": 0})


def _get(desk: Any, path: str = "/rest/api/2/serverInfo", **more: Any) -> requests.Response:
    return requests.get(
        desk.sandbox.url + path, auth=desk.as_("integration").session.auth, timeout=9, **more
    )


def test_latency_delays_the_answer(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "latency", "seconds": 0.3, "next_n": 1})
    start = time.monotonic()
    assert _get(desk).ok
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("burst", "jira-burst-based"),
        ("quota", "jira-quota-global-based"),
        ("tenant", "jira-quota-tenant-based"),
        ("per-issue", "jira-per-issue-on-write"),
    ],
)
def test_each_kind_of_429_has_its_headers(desk: Any, variant: str, reason: str) -> None:
    desk.admin("POST", "/faults", {"kind": "429", "variant": variant, "next_n": 1, "seconds": 7})
    answer = _get(desk)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    if desk.cloud:
        assert answer.headers["RateLimit-Reason"] == reason
    assert _get(desk).ok


def test_a_429_may_come_without_a_time_to_wait(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "429", "variant": "none", "next_n": 1})
    assert "Retry-After" not in _get(desk).headers


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_changes_nothing(desk: Any, status: int) -> None:
    desk.admin(
        "POST",
        "/faults",
        {"kind": "5xx", "status": status, "method": "POST", "next_n": 1, "seconds": 3},
    )
    body = {
        "fields": {
            "project": {"key": "OPS"},
            "issuetype": {"name": "Bug"},
            "summary": f"gone{status}",
        }
    }
    answer = requests.post(
        f"{desk.sandbox.url}/rest/api/2/issue",
        json=body,
        auth=desk.as_("integration").session.auth,
        timeout=9,
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, "3")
    assert desk.as_("integration").search(f"summary ~ gone{status}") == []


def test_a_page_with_200_is_no_json(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "html", "next_n": 1})
    answer = _get(desk)
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_truncated_page_says_nothing_of_it(desk: Any) -> None:
    for _ in range(4):
        desk.ops_issue(summary="many")
    path = "/rest/api/2/search/jql" if desk.cloud else "/rest/api/2/search"
    desk.admin("POST", "/faults", {"kind": "truncated", "path": "search", "next_n": 1})
    found = _get(desk, path, params={"jql": "summary ~ many"}).json()["issues"]
    assert len(found) == 2
    desk.admin("POST", "/faults", {"kind": "truncated", "variant": "cut", "next_n": 1})
    with pytest.raises(requests.exceptions.RequestException):
        _get(desk, path, params={"jql": "summary ~ many"}).json()


@pytest.mark.parametrize(("kind", "effect"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_leaves_the_effect_or_none(desk: Any, kind: str, effect: int) -> None:
    desk.admin("POST", "/faults", {"kind": kind, "method": "POST", "next_n": 1})
    name = kind.replace("_", "")
    body = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": name}}
    with pytest.raises(requests.ConnectionError):
        requests.post(
            f"{desk.sandbox.url}/rest/api/2/issue",
            json=body,
            auth=desk.as_("integration").session.auth,
            timeout=9,
        )
    assert len(desk.as_("integration").search(f"summary ~ {name}")) == effect


def test_an_empty_202_has_no_body_and_no_effect(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "empty_202", "next_n": 1})
    answer = _get(desk)
    assert (answer.status_code, answer.content) == (202, b"")


def test_a_stale_index_hides_a_write_for_a_while(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "stale_index", "seconds": 30})
    key = desk.ops_issue(summary="stale")
    client = desk.as_("integration")
    assert client.search("summary ~ stale") == []
    assert client.get(f"/rest/api/2/issue/{key}")["key"] == key
    desk.admin("POST", "/clock", {"advance_seconds": 31})
    assert client.search("summary ~ stale") == [key]


def test_a_late_commit_is_stamped_early_and_seen_late(desk: Any) -> None:
    desk.admin(
        "POST",
        "/faults",
        {"kind": "late_commit", "seconds": 30, "method": "POST", "path": "/issue$", "next_n": 1},
    )
    late = desk.ops_issue(summary="order late")
    prompt = desk.ops_issue(summary="order prompt")
    client = desk.as_("integration")
    assert client.search("summary ~ order ORDER BY updated ASC") == [prompt]
    desk.admin("POST", "/clock", {"advance_seconds": 31})
    assert client.search("summary ~ order ORDER BY updated ASC") == [late, prompt]


def test_a_frozen_time_of_update_stays(desk: Any) -> None:
    key = desk.ops_issue()
    client = desk.as_("integration")
    before = client.get(f"/rest/api/2/issue/{key}", fields="updated")["fields"]
    desk.admin("POST", "/clock", {"advance_seconds": 100})
    desk.admin("POST", "/faults", {"kind": "frozen_timestamp", "method": "PUT"})
    client.put(f"/rest/api/2/issue/{key}", {"fields": {"summary": "other"}})
    after = client.get(f"/rest/api/2/issue/{key}", fields="updated,summary")["fields"]
    assert (after["updated"], after["summary"]) == (before["updated"], "other")


def test_writes_carry_equal_times(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "equal_timestamps", "method": "POST"})
    keys = [desk.ops_issue() for _ in range(3)]
    client = desk.as_("integration")
    times = {
        client.get(f"/rest/api/2/issue/{key}", fields="updated")["fields"]["updated"]
        for key in keys
    }
    assert len(times) == 1


def test_a_state_write_is_accepted_and_ignored(desk: Any) -> None:
    key = desk.ops_issue()
    desk.admin("POST", "/faults", {"kind": "ignored_state", "path": "transitions"})
    desk.move(key, "Start Progress")
    assert desk.state(key) == "Open"


def test_a_token_expires(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "expired_token", "next_n": 1})
    header = {"Authorization": "Bearer tiergate-pat"}
    url = f"{desk.sandbox.url}/rest/api/2/myself"
    first = requests.get(url, headers=header, timeout=9)
    assert (first.status_code, first.headers["x-seraph-loginreason"]) == (
        401,
        "AUTHENTICATED_FAILED",
    )
    assert requests.get(url, headers=header, timeout=9).ok


def test_the_date_header_is_off(desk: Any) -> None:
    desk.admin("POST", "/faults", {"kind": "clock_offset", "seconds": -86400, "next_n": 1})
    assert _get(desk).headers["Date"] != _get(desk).headers["Date"]


def test_the_log_keeps_who_asked_what(desk: Any) -> None:
    desk.admin("DELETE", "/log")
    _get(desk)
    (entry,) = desk.admin("GET", "/log?user=tiergate")["requests"]
    assert (entry["method"], entry["target"], entry["status"]) == (
        "GET",
        "/rest/api/2/serverInfo",
        200,
    )
