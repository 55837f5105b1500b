"""Facts that whole suites of public clients, written against real sites, taught us."""

from typing import Any

import pytest


def test_the_comment_that_was_pinned_last_comes_first(server: Any) -> None:
    admin = server.as_("admin")
    issue = server.ops_issue()
    path = f"/rest/api/2/issue/{issue}"
    numbers = [
        admin.post(f"{path}/comment", {"body": one})["id"] for one in ("First", "Second", "Third")
    ]
    for number in numbers:
        admin.put(f"{path}/comment/{number}/pin", body=True)
        server.admin("POST", "/clock", {"advance_seconds": 1})
    pinned = admin.get(f"{path}/pinned-comments")
    assert [one["comment"]["body"] for one in pinned] == ["Third", "Second", "First"]


def test_the_old_create_metadata_is_narrowed_by_types_on_cloud(cloud: Any) -> None:
    admin = cloud.as_("admin")
    path = "/rest/api/2/issue/createmeta"
    named = admin.get(path, projectKeys="OPS", issuetypeNames="Bug")["projects"]
    assert [[one["name"] for one in each["issuetypes"]] for each in named] == [["Bug"]]
    by_id = admin.get(path, projectKeys="OPS", issuetypeIds="10002,10004")["projects"]
    assert {one["id"] for one in by_id[0]["issuetypes"]} == {"10002", "10004"}


def test_cloud_has_the_group_of_the_organisations_administrators(cloud: Any) -> None:
    found = cloud.as_("admin").get("/rest/api/3/group/member", groupname="administrators")
    assert len(found["values"]) == 1


def test_custom_fields_have_a_list_of_their_own_on_data_center(server: Any) -> None:
    admin = server.as_("admin")
    found = admin.get("/rest/api/2/customFields", search="epic name")["values"]
    assert [(one["id"], one["numericId"]) for one in found] == [("customfield_10011", 10011)]
    assert server.as_("agent").status("GET", "/rest/api/2/customFields") == 403


def test_data_center_tells_the_projects_of_an_issue_type_scheme(server: Any) -> None:
    admin = server.as_("admin")
    schemes = admin.get("/rest/api/2/issuetypescheme")["schemes"]
    assert len(schemes) >= 2
    path = "/rest/api/2/issuetypescheme"
    found = [admin.send("GET", f"{path}/{one['id']}/associations").json() for one in schemes]
    held = [one for each in found for one in each]
    assert {"OPS", "ITH"} <= {one["key"] for one in held}
    assert all(one["lead"]["name"] for one in held)
    assert admin.get(f"{path}/{schemes[0]['id']}")["issueTypes"]
    assert admin.status("GET", f"{path}/1") == 404
    assert server.as_("agent").status("GET", path) == 403


def test_cloud_pages_issue_type_schemes_their_types_and_their_projects(cloud: Any) -> None:
    admin = cloud.as_("admin")
    root = "/rest/api/3/issuetypescheme"
    page = admin.get(root, maxResults=1)
    assert (page["total"] > 1, page["isLast"]) == (True, False)
    default = page["values"][0]
    assert default["isDefault"] is True
    assert admin.get(root, id=default["id"])["total"] == 1
    mapping = admin.get(f"{root}/mapping", issueTypeSchemeId=default["id"])
    assert mapping["total"] > 5
    project = admin.get(f"{root}/project", projectId="10001")["values"]
    assert project[0]["projectIds"] == ["10001"]
    assert cloud.as_("agent").status("GET", root) == 403


def test_screens_have_tabs_and_tabs_have_fields(desk: Any) -> None:
    admin = desk.as_("admin")
    listed = admin.send("GET", "/rest/api/2/screens").json()
    first = (listed["values"] if desk.cloud else listed)[0]["id"]
    (tab,) = admin.send("GET", f"/rest/api/2/screens/{first}/tabs").json()
    root = f"/rest/api/2/screens/{first}"
    fields = admin.send("GET", f"{root}/tabs/{tab['id']}/fields").json()
    held = {one["id"] for one in fields}
    assert "summary" in held
    free = {one["id"] for one in admin.send("GET", f"{root}/availableFields").json()}
    assert free
    assert not free & held
    missing = 404 if desk.cloud else 400
    assert admin.status("GET", "/rest/api/2/screens/99/tabs") == missing
    assert admin.status("GET", f"{root}/tabs/99/fields") == missing
    assert desk.as_("agent").status("GET", f"{root}/tabs") == 403


def test_bare_words_are_a_text_search_on_cloud_and_an_error_on_data_center(desk: Any) -> None:
    issue = desk.ops_issue(summary="Zebra crossing painted twice")
    if desk.cloud:
        assert desk.as_("admin").search("zebra crossing") == [issue]
        assert desk.as_("admin").search("this is not jql") == []
    else:
        asked = {"jql": "zebra crossing"}
        assert desk.as_("admin").status("GET", "/rest/api/2/search", params=asked) == 400
    path = "/rest/api/3/search/jql" if desk.cloud else "/rest/api/2/search"
    for wrong in ('project = "unterminated', "status was", "project in ("):
        assert desk.as_("admin").status("GET", path, params={"jql": wrong}) == 400


def test_a_project_without_a_template_starts_with_to_do_and_goes_to_its_lead(cloud: Any) -> None:
    admin = cloud.as_("admin")
    me = admin.get("/rest/api/3/myself")["accountId"]
    body = {"key": "BARE", "name": "Bare", "leadAccountId": me, "projectTypeKey": "software"}
    admin.post("/rest/api/3/project", body)
    fields = {"project": {"key": "BARE"}, "issuetype": {"name": "Task"}, "summary": "First"}
    made = admin.post("/rest/api/3/issue", {"fields": fields})
    assert made["key"] == "BARE-1"
    shown = admin.get("/rest/api/3/issue/BARE-1")["fields"]
    assert shown["status"]["name"] == "To Do"
    assert shown["assignee"]["accountId"] == me
    for name in ("priority", "votes", "worklog", "comment", "timetracking", "watches"):
        assert shown[name] is not None
    admin.delete("/rest/api/3/project/BARE")


def test_queries_are_matched_against_issues_without_the_index(cloud: Any) -> None:
    admin = cloud.as_("admin")
    number = int(admin.get(f"/rest/api/3/issue/{cloud.ops_issue()}")["id"])
    asked = {
        "issueIds": [number],
        "jqls": ["project = OPS", "project = NOSUCHPROJECT", 'project = "unterminated'],
    }
    inside, outside, broken = admin.post("/rest/api/3/jql/match", asked, 200)["matches"]
    assert inside == {"matchedIssues": [number], "errors": []}
    assert outside == {"matchedIssues": [], "errors": []}
    assert broken["matchedIssues"] == []
    assert broken["errors"]
    for wrong in ({"issueIds": "1", "jqls": []}, {"issueIds": ["1"], "jqls": []}):
        assert admin.status("POST", "/rest/api/3/jql/match", json=wrong) == 400


def test_the_picker_suggests_issues_by_key_and_by_words(desk: Any) -> None:
    issue = desk.ops_issue(summary="Quokka in the server room")
    for text in (issue, "quokka", "server"):
        (section,) = desk.as_("admin").get("/rest/api/2/issue/picker", query=text)["sections"]
        assert issue in [one["key"] for one in section["issues"]]
        assert section["label"]
    (section,) = desk.as_("admin").get("/rest/api/2/issue/picker", query="xyzzy")["sections"]
    assert section["issues"] == []
    assert section["msg"]


def test_a_comment_keeps_properties_and_the_desks_own_says_who_reads_it(desk: Any) -> None:
    agent = desk.as_("agent")
    issue = desk.ops_issue("agent")
    number = agent.post(f"/rest/api/2/issue/{issue}/comment", {"body": "With a property"})["id"]
    root = f"/rest/api/2/comment/{number}/properties"
    assert agent.status("PUT", f"{root}/suite", json={"written": True}) == 201
    assert agent.status("PUT", f"{root}/suite", json={"written": False}) == 200
    assert agent.get(f"{root}/suite")["value"] == {"written": False}
    assert [one["key"] for one in agent.get(root)["keys"]] == ["suite"]
    assert agent.status("PUT", f"{root}/suite", data="{") == 400
    agent.delete(f"{root}/suite")
    assert agent.status("GET", f"{root}/suite") == 404 == agent.status("DELETE", f"{root}/suite")
    assert agent.status("GET", "/rest/api/2/comment/99999999/properties") == 404
    public = {"key": "sd.public.comment"}["key"]
    assert agent.status("PUT", f"{root}/{public}", json={"internal": True}) == 201
    path = f"{root}/suite"
    assert desk.as_("requester").status("PUT", path, json=1) in {403, 404}


def test_comments_and_worklogs_are_read_by_their_ids(desk: Any) -> None:
    admin = desk.as_("admin")
    issue = desk.ops_issue()
    comment = admin.post(f"/rest/api/2/issue/{issue}/comment", {"body": "By id"})["id"]
    worklog = admin.post(f"/rest/api/2/issue/{issue}/worklog", {"timeSpent": "1h"})["id"]
    listed = admin.send("POST", "/rest/api/2/worklog/list", json={"ids": [int(worklog), 7]})
    assert [one["id"] for one in listed.json()] == [worklog]
    changed = admin.get("/rest/api/2/worklog/updated", since=0)["values"]
    assert int(worklog) in [one["worklogId"] for one in changed]
    admin.delete(f"/rest/api/2/issue/{issue}/worklog/{worklog}")
    gone = admin.get("/rest/api/2/worklog/deleted", since=0)
    assert int(worklog) in [one["worklogId"] for one in gone["values"]]
    later = admin.get("/rest/api/2/worklog/deleted", since=gone["until"])
    assert later["values"] == []
    for wrong in ("1", ["1"], list(range(1001))):
        assert admin.status("POST", "/rest/api/2/worklog/list", json={"ids": wrong}) == 400
    if desk.cloud:
        found = admin.send("POST", "/rest/api/2/comment/list", json={"ids": [int(comment), 7]})
        assert [one["id"] for one in found.json()["values"]] == [comment]


def test_a_customer_reads_no_comment_and_no_worklog_by_its_id(desk: Any) -> None:
    key = desk.raise_request("agent", "Get IT help")
    agent, requester = desk.as_("agent"), desk.as_("requester")
    number = int(agent.post(f"/rest/api/2/issue/{key}/worklog", {"timeSpent": "1h"})["id"])
    asked = {"ids": [number]}
    assert requester.send("POST", "/rest/api/2/worklog/list", json=asked).json() == []
    comment = int(agent.post(f"/rest/api/2/issue/{key}/comment", {"body": "Inside"})["id"])
    if desk.cloud:
        asked = {"ids": [comment]}
        found = requester.send("POST", "/rest/api/2/comment/list", json=asked).json()
        assert found["values"] == []
    assert requester.status("GET", f"/rest/api/2/comment/{comment}/properties") == 404


def test_statuses_are_found_by_id_and_by_name(cloud: Any) -> None:
    admin = cloud.as_("admin")
    every = admin.get("/rest/api/3/statuses/search", maxResults=100)["values"]
    names = [one["name"] for one in every]
    found = admin.get("/rest/api/3/statuses/byNames", name=names)
    assert [one["name"] for one in found] == names
    (one,) = admin.get("/rest/api/3/statuses", id=["3"])
    assert (one["name"], one["statusCategory"]) == ("In Progress", "IN_PROGRESS")
    assert admin.status("GET", "/rest/api/3/statuses") == 400
    assert admin.status("GET", "/rest/api/3/statuses/byNames") == 400


def test_issues_tell_the_transitions_they_have_in_common(cloud: Any) -> None:
    admin = cloud.as_("admin")
    first, second = cloud.ops_issue(), cloud.ops_issue()
    path = "/rest/api/3/bulk/issues/transition"
    (one,) = admin.get(path, issueIdsOrKeys=f"{first},{second}")["availableTransitions"]
    assert one["issues"] == [first, second]
    assert "Start Progress" in {each["transitionName"] for each in one["transitions"]}
    assert one["isTransitionsFiltered"] is True  # those with a screen are left out
    cloud.move(second, "Start Progress")
    (one,) = admin.get(path, issueIdsOrKeys=f"{first},{second}")["availableTransitions"]
    assert "Start Progress" not in {each["transitionName"] for each in one["transitions"]}
    assert admin.status("GET", path) == 400
    assert admin.status("GET", path, params={"issueIdsOrKeys": "OPS-99999999"}) == 400


def test_data_center_lists_subtasks_and_whether_they_can_be_moved(server: Any) -> None:
    admin = server.as_("admin")
    parent = server.ops_issue()
    child = server.ops_issue(issuetype={"name": "Sub-task"}, parent={"key": parent})
    found = admin.send("GET", f"/rest/api/2/issue/{parent}/subtask").json()
    assert [one["key"] for one in found] == [child]
    assert admin.send("GET", f"/rest/api/2/issue/{parent}/subtask/move").json() is True


def test_a_notification_needs_somebody_to_go_to(desk: Any) -> None:
    admin, issue = desk.as_("admin"), desk.ops_issue()
    path = f"/rest/api/2/issue/{issue}/notify"
    body = {"subject": "News", "textBody": "Here they are", "to": {"reporter": True}}
    assert admin.status("POST", path, json=body) == 204
    assert admin.status("POST", path, json={**body, "to": {}}) == 400


@pytest.mark.parametrize("version", ["2", "latest"])
def test_a_resource_that_does_not_exist_names_its_address(desk: Any, version: str) -> None:
    path = f"/rest/api/{version}/woopsydoodle/666"
    answer = desk.as_("admin").send("GET", path)
    assert answer.status_code == 404
    assert path in answer.url
