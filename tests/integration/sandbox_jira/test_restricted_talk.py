"""Who reads a comment or a worklog that is for a role or a group, and who may write one.

The words are those for which the suite of the vendor's own Java client waits.
"""

from typing import Any

import pytest

_ADMINS = {"type": "role", "value": "Administrators"}
_GROUP = {"type": "group", "value": "jira-administrators"}
_REFUSED = [
    ({"type": "role", "value": "no-such-role"}, "Invalid role level specified."),
    ({"type": "group", "value": "no-such-group"}, "Group: no-such-group does not exist."),
    (_ADMINS, "You are currently not a member of the project role: Administrators."),
    (_GROUP, "You are currently not a member of the group: jira-administrators."),
]


def _bodies(desk: Any, role: str, issue: str) -> list[str]:
    field = desk.as_(role).get(f"/rest/api/2/issue/{issue}", fields="comment")["fields"]["comment"]
    return [one["body"] for one in field["comments"]]


@pytest.mark.parametrize("limit", [_ADMINS, _GROUP])
def test_a_comment_that_comes_with_a_link_stands_on_the_first_issue_for_its_readers_only(
    desk: Any, limit: dict[str, str]
) -> None:
    first, second = desk.ops_issue(), desk.ops_issue()
    body = {
        "type": {"name": "Duplicate"},
        "inwardIssue": {"key": first},
        "outwardIssue": {"key": second},
        "comment": {"body": "Why they are linked", "visibility": limit},
    }
    desk.as_("admin").post("/rest/api/2/issueLink", body)
    assert _bodies(desk, "admin", first) == ["Why they are linked"]
    assert _bodies(desk, "agent", first) == []
    assert _bodies(desk, "admin", second) == []


@pytest.mark.parametrize(("limit", "reason"), _REFUSED)
def test_a_restriction_that_is_not_the_callers_refuses_the_whole_request(
    desk: Any, limit: dict[str, str], reason: str
) -> None:
    agent, issue, other = desk.as_("agent"), desk.ops_issue(), desk.ops_issue()
    path, comment = f"/rest/api/2/issue/{issue}", {"body": "x", "visibility": limit}
    number = agent.get(f"{path}/transitions")["transitions"][0]["id"]
    link = {"inwardIssue": {"key": issue}, "outwardIssue": {"key": other}, "comment": comment}
    moving = {"transition": {"id": number}, "update": {"comment": [{"add": comment}]}}
    for where, body in (
        (f"{path}/transitions", moving),
        ("/rest/api/2/issueLink", {"type": {"name": "Duplicate"}, **link}),
        (f"{path}/comment", comment),
        (f"{path}/worklog", {"timeSpent": "1h", "visibility": limit}),
    ):
        answer = agent.send("POST", where, json=body)
        assert answer.status_code == 400, where
        assert answer.json()["errors"] == {"commentLevel": reason}
    held = agent.get(path)["fields"]
    assert (held["status"]["name"], held["issuelinks"]) == ("Open", [])
    assert held["comment"]["total"] == held["worklog"]["total"] == 0


def test_a_restricted_worklog_is_shown_to_its_readers_only(desk: Any) -> None:
    admin, agent, issue = desk.as_("admin"), desk.as_("agent"), desk.ops_issue()
    path = f"/rest/api/2/issue/{issue}/worklog"
    made = admin.post(path, {"timeSpent": "1h", "visibility": _GROUP})
    held = {key: made["visibility"][key] for key in _GROUP}
    assert held == _GROUP
    assert admin.get(path)["total"] == 1
    assert agent.get(path)["total"] == 0
    assert agent.status("GET", f"{path}/{made['id']}") == 404
    asked = {"ids": [int(made["id"])]}
    assert agent.post("/rest/api/2/worklog/list", asked, 200) == []
    field = agent.get(f"/rest/api/2/issue/{issue}", fields="worklog")["fields"]["worklog"]
    assert field["total"] == 0


def test_who_may_read_a_comment_can_be_changed(desk: Any) -> None:
    admin, issue = desk.as_("admin"), desk.ops_issue()
    path = f"/rest/api/2/issue/{issue}/comment"
    number = admin.post(path, {"body": "x", "visibility": _ADMINS})["id"]
    users = {"type": "role", "value": "Users"}
    changed = admin.put(f"{path}/{number}", {"body": "y", "visibility": users}, 200)
    assert changed["visibility"]["value"] == "Users"
    assert _bodies(desk, "agent", issue) == ["y"]


def test_data_center_says_in_its_own_words_who_may_not_watch(server: Any) -> None:
    customer, issue = server.as_("approver1"), server.raise_request("requester", "Get IT help")
    path = f"/rest/api/2/issue/{issue}/watchers"
    answer = customer.send("POST", path, json="admin")
    told = f"User 'howard.johnson' is not allowed to add watchers to issue '{issue}'"
    assert (answer.status_code, answer.json()["errorMessages"]) == (401, [told])
    refused = server.as_("admin").send("POST", path, json="bob.miller")
    assert refused.status_code == 401
    assert "does not have permission to view this issue" in refused.json()["errorMessages"][0]
