"""How much may hang on one issue of Cloud, and what a search's body may ask of properties."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def capped(cloud: Any) -> Iterator[Any]:
    limits = {"comment": 1, "worklog": 1, "attachment": 1, "link": 1, "remote_link": 1}
    cloud.admin("POST", "/seed", {"issue_limits": limits})
    yield cloud
    cloud.admin("POST", "/seed", {"issue_limits": {}})


def _full(desk: Any, path: str, **arguments: Any) -> str:
    """Send the same request twice: taken once, refused the second time."""
    admin = desk.as_("admin")
    assert admin.status("POST", path, **arguments) in {200, 201}
    answer = admin.send("POST", path, **arguments)
    assert answer.status_code == 413
    return str(answer.json()["errorMessages"][0])


def test_a_full_issue_takes_no_more(capped: Any) -> None:
    issue = capped.ops_issue()
    path = f"/rest/api/2/issue/{issue}"
    assert "1 comments" in _full(capped, f"{path}/comment", json={"body": "One too many"})
    assert "worklogs" in _full(capped, f"{path}/worklog", json={"timeSpent": "1h"})
    outside = {"object": {"url": "https://example.com", "title": "Outside"}}
    assert "remote links" in _full(capped, f"{path}/remotelink", json=outside)
    sent = {"files": {"file": ("a.txt", b"text")}, "headers": {"X-Atlassian-Token": "no-check"}}
    assert "attachments" in _full(capped, f"{path}/attachments", **sent)
    other = {"type": {"name": "Relates"}, "inwardIssue": {"key": issue}}
    first, second = capped.ops_issue(), capped.ops_issue()
    admin = capped.as_("admin")
    assert admin.status(
        "POST", "/rest/api/2/issueLink", json={**other, "outwardIssue": {"key": first}}
    ) == 201  # fmt: skip
    refused = admin.send(
        "POST", "/rest/api/2/issueLink", json={**other, "outwardIssue": {"key": second}}
    )
    assert refused.status_code == 413
    assert "issue links" in refused.text


def test_an_unknown_limit_is_refused(cloud: Any) -> None:
    with pytest.raises(AssertionError, match="issue_limits knows"):
        cloud.admin("POST", "/seed", {"issue_limits": {"votes": 1}})


def test_a_search_shows_the_properties_that_its_body_asks_for(cloud: Any) -> None:
    admin, issue = cloud.as_("admin"), cloud.ops_issue()
    admin.put(f"/rest/api/3/issue/{issue}/properties/marker", {"a": 1}, 201)
    body = {"jql": f"key = {issue}", "fields": ["summary"], "properties": ["marker"]}
    (found,) = admin.post("/rest/api/3/search/jql", body, 200)["issues"]
    assert found["properties"] == {"marker": {"a": 1}}
