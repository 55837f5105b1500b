"""The query language: what it finds, and what it refuses in the vendor's words."""

import time
from typing import Any

import pytest


@pytest.fixture(scope="module")
def known(desk: Any) -> dict[str, str]:
    """Three issues and a change, by name."""
    first = desk.ops_issue(
        summary="Printer on fire", labels=["red", "hot"], priority={"name": "High"}
    )
    second = desk.ops_issue(
        summary="Printer is cold", labels=["blue"], description="no smoke at all"
    )
    third = desk.raise_request("requester", "Reset password", description="lost my key-card")
    change = desk.change_at_gate()
    desk.move(first, "Start Progress")
    desk.move(second, "Request approval")
    return {"first": first, "second": second, "third": third, "change": change}


CASES = [
    ("project = OPS AND labels = red", ["first"]),
    ("project = OPS AND labels != red", ["second"]),
    ("project = OPS AND labels in (red, blue)", ["first", "second"]),
    ("project = OPS AND labels not in (red)", ["second"]),
    ("labels is EMPTY AND project = ITH", ["third", "change"]),
    ('summary ~ "printer"', ["first", "second"]),
    ('summary ~ "print*"', ["first", "second"]),
    ('summary ~ "\\"on fire\\""', ["first"]),
    ("project = OPS AND summary !~ fire", ["second"]),
    ("text ~ smoke", ["second"]),
    ('text ~ "key card"', ["third"]),
    ('status = "In Progress"', ["first"]),
    ('statusCategory = "To Do" AND project = ITH', []),
    ("statusCategory != Done AND project = OPS", ["first", "second"]),
    ("status was Open AND project = OPS", ["first", "second"]),
    ('status was "In Progress"', ["first"]),
    ('status was not in ("Awaiting approval") AND project = OPS', ["first"]),
    ("status changed AND project = OPS", ["first", "second"]),
    ('status changed to "Awaiting approval" AFTER -1h', ["second"]),
    ('status changed from Open to "In Progress" BY currentUser()', ["first"]),
    ("status changed BEFORE -1d", []),
    ("status was Authorize DURING (-1h, now())", ["change"]),
    ("priority = High", ["first"]),
    ("priority > Medium", ["first"]),
    ("issuetype = Bug", ["first", "second"]),
    ('type in ("[System] Change")', ["change"]),
    ('"Request Type" = "Reset password"', ["third"]),
    ("assignee is EMPTY AND project = OPS", ["first", "second"]),
    ("reporter = currentUser() AND project = OPS", ["first", "second"]),
    ('reporter in membersOf("CAB Approval")', []),
    ('creator = "Bob Miller"', ["third"]),
    ("resolution = Unresolved AND project = OPS", ["first", "second"]),
    ("resolution is not EMPTY", []),
    ('created >= startOfDay("-1d") AND project = OPS', ["first", "second"]),
    ("updated >= -10m AND updated <= now() AND project = OPS", ["first", "second"]),
    ("updated < 1000000000000", []),
    ("NOT (project = ITH OR labels = red)", ["second"]),
    ("project = OPS AND NOT labels = red", ["second"]),
    ("approvals = pending()", ["change"]),
    ("approvals = approved()", []),
    ('approvals = approver("howard.johnson")', ["change"]),
    ("approvals = myPending()", []),
    ('cf[10003] = "Beth Anglin"', ["change"]),
    ("project = 'OPS' and labels='hot'", ["first"]),
]  # fmt: skip


@pytest.mark.parametrize(("jql", "names"), CASES, ids=[one[0] for one in CASES])
def test_a_query_finds_exactly(
    desk: Any, known: dict[str, str], jql: str, names: list[str]
) -> None:
    if not desk.cloud:
        jql = jql.replace('"Bob Miller"', "bob.miller").replace('"Beth Anglin"', "beth.anglin")
    if desk.cloud:
        jql = jql.replace('"howard.johnson"', '"howard.johnson@example.com"')
    assert sorted(desk.as_("integration").search(jql)) == sorted(known[one] for one in names)


def test_keys_ids_and_order(desk: Any, known: dict[str, str]) -> None:
    client = desk.as_("integration")
    pair = f"key in ({known['first']}, {known['second']})"
    assert client.search(f"{pair} ORDER BY key ASC") == [known["first"], known["second"]]
    assert client.search(f"{pair} ORDER BY summary ASC, key DESC") == [
        known["second"],
        known["first"],
    ]
    assert client.search(f"{pair} ORDER BY priority DESC") == [known["first"], known["second"]]
    assert client.search(f"project = OPS AND key > {known['first']}") == [known["second"]]
    number = client.get(f"/rest/api/2/issue/{known['first']}", fields="id")["id"]
    assert client.search(f"id = {number}") == [known["first"]]


REFUSED = [
    ("foo = 1", "Field 'foo' does not exist or you do not have permission to view it."),
    ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
    ("status ~ x", "The operator '~' is not supported by the 'status' field."),
    ("key = OPS-99999", "An issue with key 'OPS-99999' does not exist for field 'key'."),
    ("project = OPS AND", "Error in the JQL Query"),
    ("project OPS", "Error in the JQL Query: Expecting operator but got 'OPS'."),
    ("reporter = nobodyFn()", "Unable to find JQL function 'nobodyFn()'."),
    ('updated > "yesterday"', "Date value 'yesterday' for field 'updated' is invalid."),
    ("labels was red", "History searches do not support the 'labels' field."),
]


@pytest.mark.parametrize(("jql", "words"), REFUSED, ids=[one[0] for one in REFUSED])
def test_a_wrong_query_is_refused_in_the_vendors_words(desk: Any, jql: str, words: str) -> None:
    path = "/rest/api/3/search/jql" if desk.cloud else "/rest/api/2/search"
    answer = desk.as_("integration").send("GET", path, params={"jql": jql})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"][0].startswith(words)


def test_a_literal_has_minutes_and_is_read_in_the_callers_zone(desk: Any) -> None:
    """The integration account lives in Berlin, an approver in Tokyo."""
    desk.admin("POST", "/clock", {"now": "2026-11-20T12:34:30+00:00"})
    key = desk.ops_issue(summary="timed")
    for role, hour in (("integration", "13"), ("approver2", "21"), ("admin", "12")):
        client = desk.as_(role)
        assert key in client.search(f'updated >= "2026-11-20 {hour}:34" AND summary ~ timed')
        assert key not in client.search(f'updated >= "2026-11-20 {hour}:35" AND summary ~ timed')
        shown = client.get(f"/rest/api/2/issue/{key}", fields="updated")["fields"]["updated"]
        assert shown.startswith(f"2026-11-20T{hour}:34:30.")
    assert desk.as_("integration").search("updated >= 1795178070000 AND summary ~ timed") == [key]
    desk.admin("POST", "/clock", {"offset_seconds": 0})


def test_data_center_pages_by_offset_and_knows_the_total(server: Any) -> None:
    keys = [server.ops_issue(summary="paged") for _ in range(5)]
    client = server.as_("integration")
    page = client.get(
        "/rest/api/2/search", jql="summary ~ paged ORDER BY key", startAt=2, maxResults=2
    )
    assert (page["total"], [one["key"] for one in page["issues"]]) == (5, keys[2:4])
    body = {"jql": "summary ~ paged", "expand": ["names"], "fields": ["summary"], "startAt": 0}
    assert client.post("/rest/api/2/search", body, 200)["names"] == {"summary": "Summary"}
    assert client.status("POST", "/rest/api/2/search", json={**body, "expand": "names"}) == 400
    warned = client.get("/rest/api/2/search", jql="project = NOPE", validateQuery="warn")
    assert (warned["total"], len(warned["warningMessages"])) == (0, 1)


def test_cloud_pages_by_token_until_the_last_page_has_none(cloud: Any) -> None:
    keys = [cloud.ops_issue(summary="paged") for _ in range(5)]
    client = cloud.as_("integration")
    seen: list[str] = []
    token = None
    for _ in range(5):
        query = {"jql": "summary ~ paged ORDER BY key", "maxResults": 2, "fields": "key"}
        page = client.get(
            "/rest/api/2/search/jql", **query, **({"nextPageToken": token} if token else {})
        )
        seen += [one["key"] for one in page["issues"]]
        token = page.get("nextPageToken")
        if page["isLast"]:
            break
    assert (seen, token) == (keys, None)
    assert client.get("/rest/api/2/search/jql", jql="summary ~ paged")["issues"][0].keys() == {"id"}
    assert client.post("/rest/api/3/search/approximate-count", {"jql": "summary ~ paged"}, 200) == {
        "count": 5
    }


@pytest.mark.parametrize(
    "body",
    [
        {"jql": "project = OPS", "expand": ["names"]},
        {"jql": "project = OPS", "maxResults": 0},
        {"jql": "project = OPS", "maxResults": 5001},
        {"jql": "project = OPS", "maxResults": "5"},
        {"jql": "project = OPS", "startAt": 0},
        {"jql": "project = OPS", "reconcileIssues": ["x"]},
        {"jql": "project = OPS", "nextPageToken": "zzz"},
        {"jql": "ORDER BY created"},
        {"jql": ""},
        {},
    ],
)
def test_cloud_refuses_unbounded_and_malformed_searches(cloud: Any, body: dict[str, Any]) -> None:
    assert cloud.as_("integration").status("POST", "/rest/api/3/search/jql", json=body) == 400


def test_cloud_tolerates_nulls_as_the_jira_client_sends_them(cloud: Any) -> None:
    body = {
        "jql": "project = OPS",
        "expand": None,
        "properties": None,
        "reconcileIssues": [],
        "fields": ["key"],
        "maxResults": 1,
    }
    cloud.as_("integration").post("/rest/api/2/search/jql", body, 200)


def test_the_removed_search_is_gone_on_cloud(cloud: Any) -> None:
    answer = cloud.as_("integration").send(
        "GET", "/rest/api/2/search", params={"jql": "project = OPS"}
    )
    assert answer.status_code == 410
    assert "has been removed" in answer.json()["errorMessages"][0]


def test_the_index_lags_and_a_search_can_ask_for_what_it_knows(cloud: Any) -> None:
    cloud.admin("POST", "/seed", {"index_lag_seconds": 60})
    client = cloud.as_("integration")
    key = cloud.ops_issue(summary="late one")
    number = int(client.get(f"/rest/api/2/issue/{key}", fields="id")["id"])
    assert client.search("summary ~ late") == []
    body = {"jql": "summary ~ late", "fields": ["key"], "reconcileIssues": [number]}
    assert [one["key"] for one in client.post("/rest/api/3/search/jql", body, 200)["issues"]] == [
        key
    ]
    other = cloud.ops_issue(summary="late two")
    assert client.search("summary ~ two") == []
    cloud.admin("POST", "/clock", {"advance_seconds": 61})
    assert client.search("summary ~ two") == [other]
    cloud.admin("POST", "/seed", {"index_lag_seconds": 0})
    cloud.admin("POST", "/clock", {"offset_seconds": 0})


def test_what_the_caller_may_not_browse_is_not_found(desk: Any, known: dict[str, str]) -> None:
    found = desk.as_("requester").search("created >= -1d")
    assert known["first"] in found
    assert known["third"] not in found


@pytest.mark.slow
def test_two_hundred_thousand_issues_are_searched_in_the_blink_of_an_eye(server: Any) -> None:
    server.admin("POST", "/seed", {"bulk": {"project": "OPS", "type": "Bug", "count": 200_000}})
    client = server.as_("integration")
    start = time.monotonic()
    page = client.get(
        "/rest/api/2/search",
        jql="project = OPS ORDER BY updated ASC, key ASC",
        startAt=150_000,
        maxResults=50,
        fields="summary,updated",
    )
    assert len(page["issues"]) == 50
    assert time.monotonic() - start < 2
