"""What a field, a screen, a role or a resource does not take is refused, and changes nothing."""

from typing import Any

import pytest

FIELDS: list[tuple[str, Any]] = [
    ("summary", ""),
    ("summary", None),
    ("summary", 7),
    ("summary", "a\nb"),
    ("summary", "x" * 256),
    ("description", 7),
    ("description", "x" * 32_768),
    ("priority", {"name": "Cosmic"}),
    ("priority", {"id": "99"}),
    ("labels", "one"),
    ("labels", [7]),
    ("labels", ["x" * 256]),
    ("duedate", "tomorrow"),
    ("duedate", 7),
    ("duedate", "2026-02-30"),
    ("assignee", "somebody"),
    ("assignee", {"accountId": "nobody", "name": "nobody"}),
    ("components", [{"name": "no such"}]),
    ("components", [{"id": "99"}]),
    ("fixVersions", [{"name": "no such"}]),
    ("parent", {"key": "NOPE-1"}),
    ("timetracking", "3h"),
    ("timetracking", {"originalEstimate": "soon"}),
    ("customfield_10016", "five"),
    ("customfield_10016", True),
    ("customfield_10051", [{"value": "Atlantis"}]),
    ("customfield_10051", [{"id": "1"}]),
    ("customfield_10051", "Berlin"),
    ("customfield_10048", "2026/01/01"),
    ("customfield_10050", {"accountId": "nobody", "name": "nobody"}),
    ("customfield_10038", [{"name": "No such group"}]),
    ("customfield_10049", 7),
    ("customfield_10049", "x" * 256),
    ("customfield_10003", []),
    ("customfield_99999", "x"),
    ("status", {"name": "Done"}),
    ("created", "2026-01-01T00:00:00.000+0000"),
    ("issuetype", {"name": "[System] Change"}),
]


@pytest.fixture
def issue(desk: Any) -> str:
    return str(desk.ops_issue(summary="stays"))


@pytest.mark.parametrize(
    ("name", "value"), FIELDS, ids=[f"{one[0]} {str(one[1])[:24]!r}" for one in FIELDS]
)
def test_a_field_names_itself_in_the_refusal(desk: Any, issue: str, name: str, value: Any) -> None:
    client = desk.as_("integration")
    answer = client.send("PUT", f"/rest/api/2/issue/{issue}", json={"fields": {name: value}})
    assert answer.status_code == 400
    assert name in answer.json()["errors"]
    shown = client.get(f"/rest/api/2/issue/{issue}", fields="summary")["fields"]
    assert shown["summary"] == "stays"


UPDATES: list[dict[str, Any]] = [
    {"labels": {"add": "x"}},
    {"labels": [{"add": "x", "remove": "y"}]},
    {"labels": ["x"]},
    {"summary": [{"add": "x"}]},
    {"labels": [{"add": "two words"}]},
    {"comment": [{"edit": {"body": "x"}}]},
    {"comment": [{"add": {"body": ""}}]},
    {"worklog": [{"add": {"timeSpent": "soon"}}]},
    {"issuelinks": [{"remove": {}}]},
    {"nothing": [{"set": 1}]},
]


@pytest.mark.parametrize("update", UPDATES, ids=[str(one)[:50] for one in UPDATES])
def test_an_operation_that_a_field_does_not_know_is_refused(
    desk: Any, issue: str, update: dict[str, Any]
) -> None:
    answer = desk.as_("integration").send(
        "PUT", f"/rest/api/2/issue/{issue}", json={"update": update}
    )
    assert answer.status_code == 400
    assert next(iter(update)) in answer.json()["errors"]


def test_an_edit_can_bring_a_comment_a_worklog_and_a_link(desk: Any) -> None:
    client, key, other = desk.as_("integration"), desk.ops_issue(), desk.ops_issue()
    update = {
        "comment": [{"add": {"body": "words"}}],
        "worklog": [{"add": {"timeSpent": "1h"}}],
        "issuelinks": [{"add": {"type": {"name": "Relates"}, "outwardIssue": {"key": other}}}],
        "timetracking": [{"edit": {"originalEstimate": "2d"}}],
    }
    client.put(
        f"/rest/api/2/issue/{key}", {"update": update, "properties": [{"key": "p", "value": 1}]}
    )
    fields = client.get(f"/rest/api/2/issue/{key}")["fields"]
    assert (fields["comment"]["total"], fields["worklog"]["total"]) == (1, 1)
    assert fields["issuelinks"][0]["outwardIssue"]["key"] == other
    assert fields["timetracking"]["originalEstimate"] == "2d"
    assert client.get(f"/rest/api/2/issue/{key}/properties/p")["value"] == 1


CREATIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "project"),
    ({"project": {"key": "NOPE"}}, "project"),
    ({"project": {"key": "OPS"}, "summary": "s"}, "issuetype"),
    ({"project": {"key": "OPS"}, "summary": "s", "issuetype": {"name": "Nope"}}, "issuetype"),
    ({"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}}, "summary"),
    ({"project": {"key": "OPS"}, "summary": "s", "issuetype": {"name": "Sub-task"}}, "parent"),
]


@pytest.mark.parametrize(("fields", "name"), CREATIONS, ids=[str(one[0])[:60] for one in CREATIONS])
def test_an_incomplete_issue_is_not_made(desk: Any, fields: dict[str, Any], name: str) -> None:
    answer = desk.as_("integration").send("POST", "/rest/api/2/issue", json={"fields": fields})
    assert answer.status_code == 400
    assert name in answer.json()["errors"]


def test_permissions_keep_people_from_what_is_not_theirs(desk: Any) -> None:
    approver, customer, client = (
        desk.as_(one) for one in ("approver1", "requester", "integration")
    )
    ticket = desk.raise_request("requester", "Get IT help")
    path = f"/rest/api/2/issue/{ticket}"
    assert approver.status("PUT", path, json={"fields": {"summary": "x"}}) == 403
    assert approver.status("PUT", f"{path}/assignee", json={}) == 403
    assert approver.status("POST", f"{path}/worklog", json={"timeSpent": "1h"}) == 403
    assert approver.status("PUT", f"{path}/properties/a", json=1) == 403
    assert approver.status("POST", f"{path}/remotelink", json={"object": {}}) == 403
    assert customer.status("POST", f"{path}/comment", json={"body": "x"}) == 404
    note = client.post(f"{path}/comment", {"body": "agents"})
    assert approver.status("PUT", f"{path}/comment/{note['id']}", json={"body": "x"}) in {400, 403}
    assert approver.status("DELETE", f"{path}/comment/{note['id']}") in {400, 403}
    assert client.status("GET", f"{path}/comment/99") == 404
    assert client.status("GET", f"{path}/comment", params={"orderBy": "size"}) == 400
    assert client.status("POST", f"{path}/worklog", json={"timeSpent": "soon"}) == 400
    assert client.status("POST", f"{path}/worklog", json={"timeSpent": "1h", "started": "x"}) == 400
    assert client.status("GET", f"{path}/worklog/99") == 404
    assert client.status("POST", f"{path}/transitions", json={}) == 400
    assert client.status("PUT", f"{path}/properties/a", data=b"") == 400
    assert client.status("PUT", f"{path}/properties/a", json="x" * 32_769) == 400


def test_links_that_cannot_be_are_refused(desk: Any, issue: str) -> None:
    client = desk.as_("integration")
    one = {"key": issue}
    for body, code in (
        ({"type": {"name": "Nope"}, "inwardIssue": one, "outwardIssue": one}, 404),
        ({"type": {"name": "Blocks"}, "inwardIssue": one, "outwardIssue": one}, 400),
        ({"type": {"name": "Blocks"}, "inwardIssue": one}, 400),
        ({"type": {"name": "Blocks"}, "inwardIssue": one, "outwardIssue": {"key": "NO-1"}}, 404),
    ):
        assert client.status("POST", "/rest/api/2/issueLink", json=body) == code
    path = f"/rest/api/2/issue/{issue}/remotelink"
    assert client.status("POST", path, json={"object": {"title": "t"}}) == 400
    assert client.status("POST", path, json={"object": {"url": "http://x.test"}}) == 400
    client.post(path, {"globalId": "g", "object": {"url": "http://x.test", "title": "t"}})
    client.delete(path, globalId="g")
    assert client.status("DELETE", path, params={"globalId": "g"}) == 404
    assert client.status("GET", f"{path}/99") == 404


def test_groups_roles_and_ranks(desk: Any, issue: str) -> None:
    admin, other = desk.as_("admin"), desk.ops_issue(summary="other")
    admin.post("/rest/api/2/group", {"name": "helpers"})
    assert admin.status("POST", "/rest/api/2/group", json={"name": "helpers"}) == 400
    account = desk.sandbox.site.people.by_name("abel.tuter")
    who = {"accountId": account.id} if desk.cloud else {"name": account.name}
    base = "/rest/api/2/group/user"
    assert admin.status("POST", f"{base}?groupname=helpers", json=who) == 201
    assert admin.status("POST", f"{base}?groupname=helpers", json=who) == 400
    gone = {"accountId": account.id} if desk.cloud else {"username": account.name}
    admin.delete(base, 200, groupname="helpers", **gone)
    assert admin.status("DELETE", base, params={"groupname": "helpers", **gone}) == 400
    role = "/rest/api/2/project/OPS/role/10101"
    shown = admin.send("POST", role, json={"group": ["helpers"], "user": [account.id]}).json()
    assert len(shown["actors"]) == 2
    assert admin.status("POST", role, json={"group": ["no such"]}) == 400
    held = {"categorisedActors": {"atlassian-group-role-actor": ["helpers"]}}
    assert len(admin.put(role, held, 200)["actors"]) == 1
    assert desk.as_("agent").status("PUT", role, json=held) == 403
    admin.delete("/rest/api/2/group", 200, groupname="helpers")
    properties = "/rest/api/2/project/OPS/properties/ours"
    assert admin.send("PUT", properties, json={"a": 1}).status_code == 201
    assert admin.get(properties)["value"] == {"a": 1}
    assert [one["key"] for one in admin.get("/rest/api/2/project/OPS/properties")["keys"]] == [
        "ours"
    ]
    body = {"issues": [other], "rankBeforeIssue": issue}
    assert admin.status("PUT", "/rest/agile/1.0/issue/rank", json=body) == 204
    assert admin.search(f"key in ({issue}, {other}) ORDER BY Rank ASC") == [other, issue]
    assert admin.status("PUT", "/rest/agile/1.0/issue/rank", json={"issues": []}) == 400
    project = admin.put("/rest/api/2/project/OPS", {"name": "Operations"}, 200)
    assert project["name"] == "Operations"
    assert admin.status("PUT", "/rest/api/2/project/OPS", json={"key": "ITH"}) == 400


def test_a_project_that_is_renamed_keeps_its_old_keys(desk: Any) -> None:
    admin = desk.as_("admin")
    me = admin.get("/rest/api/2/myself")
    lead = {"leadAccountId": me["accountId"]} if desk.cloud else {"lead": me["name"]}
    body = {"key": "OLDK", "name": "Old", "projectTypeKey": "software", **lead}
    admin.post("/rest/api/2/project", body)
    fields = {"project": {"key": "OLDK"}, "issuetype": {"name": "Bug"}, "summary": "renamed"}
    old = admin.post("/rest/api/2/issue", {"fields": fields})["key"]
    admin.put("/rest/api/2/project/OLDK", {"key": "NEWK"}, 200)
    assert admin.get(f"/rest/api/2/issue/{old}")["key"] == old.replace("OLDK", "NEWK")


@pytest.mark.parametrize(
    ("way", "left"),
    [
        ({"adjustEstimate": "leave"}, "1d"),
        ({"adjustEstimate": "manual", "reduceBy": "2h"}, "6h"),
        ({"adjustEstimate": "manual", "increaseBy": "1h"}, "1d 1h"),
        ({"adjustEstimate": "new", "newEstimate": "3h"}, "3h"),
    ],
)
def test_logged_work_adjusts_the_estimate_as_asked(
    desk: Any, way: dict[str, str], left: str
) -> None:
    client = desk.as_("integration")
    key = desk.ops_issue(timetracking={"originalEstimate": "1d", "remainingEstimate": "1d"})
    path = f"/rest/api/2/issue/{key}/worklog"
    assert client.send("POST", path, params=way, json={"timeSpent": "4h"}).status_code == 201
    shown = client.get(f"/rest/api/2/issue/{key}", fields="timetracking")["fields"]
    assert shown["timetracking"]["remainingEstimate"] == left
    bad = {"adjustEstimate": "new"}
    assert client.send("POST", path, params=bad, json={"timeSpent": "4h"}).status_code == 400
