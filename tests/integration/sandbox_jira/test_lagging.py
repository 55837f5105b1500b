"""While the index lags, a search shows issues as they were, a read by key as they are."""

from collections.abc import Iterator
from typing import Any

import pytest

LAG = 30


@pytest.fixture(params=["seed", "fault"])
def lagging(desk: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A desk whose index is half a minute behind, by setting or by fault."""
    if request.param == "seed":
        desk.admin("POST", "/seed", {"index_lag_seconds": LAG})
    else:
        desk.admin("POST", "/faults", {"kind": "stale_index", "seconds": LAG})
    yield desk
    desk.admin("POST", "/seed", {"index_lag_seconds": 0})
    desk.admin("DELETE", "/faults")
    desk.admin("POST", "/clock", {"offset_seconds": 0})


def _search(desk: Any, jql: str) -> list[dict[str, Any]]:
    client = desk.as_("integration")
    path = "/rest/api/3/search/jql" if desk.cloud else "/rest/api/2/search"
    fields = "summary,status,labels,updated,comment,worklog"
    found: list[dict[str, Any]] = client.get(path, jql=jql, fields=fields)["issues"]
    return found


def _caught_up(desk: Any) -> str:
    """Make an issue that the index knows."""
    key: str = desk.ops_issue(summary="As it was")
    desk.admin("POST", "/clock", {"advance_seconds": LAG + 1})
    assert _search(desk, f"key = {key}")
    return key


def test_a_search_shows_the_old_version_and_a_read_the_new_one(lagging: Any) -> None:
    key = _caught_up(lagging)
    client = lagging.as_("integration")
    client.put(f"/rest/api/2/issue/{key}", {"fields": {"summary": "As it is", "labels": ["new"]}})
    lagging.move(key, "Start Progress")
    (old,) = _search(lagging, f"key = {key} AND status = Open")
    assert (old["fields"]["summary"], old["fields"]["labels"]) == ("As it was", [])
    assert old["fields"]["status"]["name"] == "Open"
    read = client.get(f"/rest/api/2/issue/{key}")["fields"]
    assert (read["summary"], read["status"]["name"]) == ("As it is", "In Progress")
    assert old["fields"]["updated"] < read["updated"] or lagging.cloud
    assert _search(lagging, f"key = {key} AND labels = new") == []
    lagging.admin("POST", "/clock", {"advance_seconds": LAG + 1})
    (new,) = _search(lagging, f"key = {key} AND labels = new")
    assert new["fields"]["summary"] == "As it is"


def test_a_search_shows_no_comment_and_no_work_of_the_future(lagging: Any) -> None:
    key = _caught_up(lagging)
    client = lagging.as_("integration")
    client.post(f"/rest/api/2/issue/{key}/comment", {"body": "Not yet"})
    client.post(f"/rest/api/2/issue/{key}/worklog", {"timeSpent": "1h"})
    (old,) = _search(lagging, f"key = {key}")
    assert old["fields"]["comment"]["comments"] == []
    assert old["fields"]["worklog"]["worklogs"] == []
    lagging.admin("POST", "/clock", {"advance_seconds": LAG + 1})
    (new,) = _search(lagging, f"key = {key}")
    assert len(new["fields"]["comment"]["comments"]) == 1
    assert len(new["fields"]["worklog"]["worklogs"]) == 1


def test_a_removed_issue_is_found_until_the_index_knows(lagging: Any) -> None:
    key = _caught_up(lagging)
    admin = lagging.as_("admin")
    admin.delete(f"/rest/api/2/issue/{key}")
    assert [one["key"] for one in _search(lagging, "summary ~ was AND project = OPS")][:1] == [key]
    assert admin.status("GET", f"/rest/api/2/issue/{key}") == 404
    lagging.admin("POST", "/clock", {"advance_seconds": LAG + 1})
    found = _search(lagging, "summary ~ was AND project = OPS")
    assert key not in [one["key"] for one in found]


def test_reconciling_an_issue_shows_it_as_it_is(cloud: Any) -> None:
    cloud.admin("POST", "/seed", {"index_lag_seconds": LAG})
    try:
        key = _caught_up(cloud)
        client = cloud.as_("integration")
        client.put(f"/rest/api/3/issue/{key}", {"fields": {"summary": "Reconciled"}})
        number = client.get(f"/rest/api/3/issue/{key}")["id"]
        found = client.get(
            "/rest/api/3/search/jql",
            jql=f"key = {key}",
            fields="summary",
            reconcileIssues=number,
        )
        assert found["issues"][0]["fields"]["summary"] == "Reconciled"
    finally:
        cloud.admin("POST", "/seed", {"index_lag_seconds": 0})
