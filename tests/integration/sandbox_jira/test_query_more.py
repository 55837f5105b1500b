"""The query language over links, versions, dates, comments, watchers and custom fields."""

from typing import Any

import pytest


@pytest.fixture(scope="module")
def known(desk: Any) -> dict[str, str]:
    """Three issues that have one of everything among them."""
    admin, client = desk.as_("admin"), desk.as_("integration")
    admin.post("/rest/api/2/component", {"project": "OPS", "name": "core"})
    out = admin.post("/rest/api/2/version", {"project": "OPS", "name": "1.0", "released": True})
    admin.post("/rest/api/2/version", {"project": "OPS", "name": "2.0"})
    first = desk.ops_issue(
        summary="first", duedate="2026-12-24", components=[{"name": "core"}],
        fixVersions=[{"id": out["id"]}], customfield_10016=5,
    )  # fmt: skip
    second = desk.ops_issue(
        summary="second", versions=[{"name": "2.0"}], customfield_10051=[{"value": "Berlin"}],
        customfield_10049="corr-77", customfield_10040="press the *red* button",
    )  # fmt: skip
    third = desk.ops_issue(
        summary="third", issuetype={"name": "Sub-task"}, parent={"key": first},
        environment="in the basement",
    )  # fmt: skip
    link = {"type": {"name": "Blocks"}, "inwardIssue": {"key": first}}
    client.post("/rest/api/2/issueLink", {**link, "outwardIssue": {"key": second}})
    client.post(f"/rest/api/2/issue/{second}/comment", {"body": "ask the janitor"})
    me = client.get("/rest/api/2/myself")
    gone = {"accountId": me["accountId"]} if desk.cloud else {"username": me["name"]}
    client.delete(f"/rest/api/2/issue/{third}/watchers", **gone)
    return {"first": first, "second": second, "third": third}


CASES = [
    ("component = core", ["first"]),
    ("component is EMPTY", ["second", "third"]),
    ('fixVersion = "1.0"', ["first"]),
    ("fixVersion in releasedVersions()", ["first"]),
    ("affectedVersion in unreleasedVersions(OPS)", ["second"]),
    ("due = 2026-12-24", ["first"]),
    ('duedate < "2027-01-01" AND due > "2026-12-01"', ["first"]),
    ("due is EMPTY", ["second", "third"]),
    ('"Story point estimate" > 3', ["first"]),
    ("cf[10016] = 5", ["first"]),
    ('"Affected sites" = Berlin', ["second"]),
    ('"Affected sites" in (Berlin, Tokyo)', ["second"]),
    ('"Correlation id" ~ "corr-77"', ["second"]),
    ('"Implementation plan" ~ "red button"', ["second"]),
    ('environment ~ "basement"', ["third"]),
    ("comment ~ janitor", ["second"]),
    ("text ~ janitor", ["second"]),
    ("parent = {first}", ["third"]),
    ("issuetype in subTaskIssueTypes()", ["third"]),
    ("issue in linkedIssues({first})", ["second"]),
    ('issue in linkedIssues({first}, "blocks")', ["second"]),
    ('issue in linkedIssues({first}, "is blocked by")', []),
    ("issueLink = {second}", ["first"]),
    ("watcher = currentUser()", ["first", "second"]),
    ("issue in watchedIssues()", ["first", "second"]),
    ("project in projectsLeadByUser()", []),
    ("resolutiondate is EMPTY", ["first", "second", "third"]),
    ("status WAS Open ON startOfDay()", ["first", "second", "third"]),
    ("assignee was EMPTY", ["first", "second", "third"]),
]


@pytest.mark.parametrize(("jql", "names"), CASES, ids=[one[0] for one in CASES])
def test_a_query_finds_exactly(
    desk: Any, known: dict[str, str], jql: str, names: list[str]
) -> None:
    asked = f"project = OPS AND {jql.format(**known)} ORDER BY key"
    assert desk.as_("integration").search(asked) == [known[one] for one in names]


def test_several_sorts_and_a_custom_field(desk: Any, known: dict[str, str]) -> None:
    client = desk.as_("integration")
    found = client.search('project = OPS ORDER BY "Story point estimate" DESC, summary ASC')
    assert found == [known["first"], known["second"], known["third"]]
    found = client.search("project = OPS ORDER BY due ASC, created DESC, key DESC")
    assert found[0] == known["first"]


def test_a_user_is_named_in_each_way_of_the_flavour(desk: Any, known: dict[str, str]) -> None:
    account = desk.sandbox.site.people.by_name("tiergate")
    ways = [account.id, account.email, account.display] if desk.cloud else [account.name]
    for one in ways:
        found = desk.as_("integration").search(f'project = OPS AND reporter = "{one}"')
        assert sorted(found) == sorted(known.values())


def test_deleted_issues_leave_the_index(desk: Any) -> None:
    key = desk.ops_issue(summary="ephemeral")
    desk.as_("admin").delete(f"/rest/api/2/issue/{key}")
    assert desk.as_("integration").search("summary ~ ephemeral") == []


def test_a_query_of_thousands_of_clauses_is_answered(desk: Any, known: dict[str, str]) -> None:
    client = desk.as_("integration")
    path = "/rest/api/3/search/jql" if desk.cloud else "/rest/api/2/search"
    clauses = " OR ".join(f'summary ~ "first{number}"' for number in range(3000))
    body = {"jql": f"{clauses} OR summary ~ first", "fields": ["key"]}
    answer = client.send("POST", path, json=body)
    assert [one["key"] for one in answer.json()["issues"]] == [known["first"]]
    for count in (40_000, 300_000):
        values = ",".join(f"l{number}" for number in range(count))
        refused = client.send("POST", path, json={"jql": f"labels in ({values})"})
        if refused.status_code != 200:
            assert refused.json()["errorMessages"][0].startswith("The JQL query is too complex")
    assert refused.status_code == 400
