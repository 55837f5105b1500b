"""Bulk operations, checks of permissions and pickers, as clients of real sites use them."""

from typing import Any

import pytest

_BULK = "/rest/api/3/bulk"
_CHECK = "/rest/api/3/permissions/check"


def _task(desk: Any, role: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    made = desk.as_(role).post(f"{_BULK}/issues/{what}", body)
    found: dict[str, Any] = desk.as_(role).get(f"{_BULK}/queue/{made['taskId']}")
    return found


def _number(desk: Any, key: str) -> str:
    return str(desk.as_("admin").get(f"/rest/api/3/issue/{key}", fields="key")["id"])


def test_many_issues_are_watched_and_unwatched(cloud: Any) -> None:
    chosen = [cloud.ops_issue(), cloud.ops_issue()]
    path = f"/rest/api/3/issue/{chosen[0]}/watchers"
    body = {"selectedIssueIdsOrKeys": [*chosen, "OPS-99999"]}
    done = _task(cloud, "admin", "watch", body)
    assert (done["status"], done["totalIssueCount"]) == ("COMPLETE", 3)
    assert done["invalidOrInaccessibleIssueCount"] == 1
    assert len(done["processedAccessibleIssues"]) == 2
    assert cloud.as_("admin").get(path)["isWatching"] is True
    _task(cloud, "admin", "unwatch", body)
    assert cloud.as_("admin").get(path)["isWatching"] is False


def test_a_task_is_told_to_its_caller_alone(cloud: Any) -> None:
    body = {"selectedIssueIdsOrKeys": [cloud.ops_issue()]}
    made = cloud.as_("admin").post(f"{_BULK}/issues/watch", body)["taskId"]
    assert cloud.as_("agent").status("GET", f"{_BULK}/queue/{made}") == 400
    assert cloud.as_("admin").status("GET", f"{_BULK}/queue/1") == 400


@pytest.mark.parametrize("chosen", [[], None, [f"OPS-{one}" for one in range(1001)]])
def test_a_selection_holds_one_to_a_thousand_issues(cloud: Any, chosen: Any) -> None:
    body = {"selectedIssueIdsOrKeys": chosen}
    assert cloud.as_("admin").status("POST", f"{_BULK}/issues/watch", json=body) == 400


def test_many_issues_are_moved_and_keep_their_old_keys(cloud: Any) -> None:
    admin, issue = cloud.as_("admin"), cloud.ops_issue()
    types = admin.get("/rest/api/3/project/ITH")["issueTypes"]
    kind = next(one for one in types if not one["subtask"])
    body = {
        "targetToSourcesMapping": {
            f"ITH,{kind['id']}": {"issueIdsOrKeys": [issue], "inferFieldDefaults": True}
        }
    }
    done = _task(cloud, "admin", "move", body)
    assert len(done["processedAccessibleIssues"]) == 1
    found = admin.get(f"/rest/api/3/issue/{issue}")
    assert found["key"].startswith("ITH-")
    assert found["fields"]["issuetype"]["id"] == kind["id"]
    body = {"targetToSourcesMapping": {"NOWHERE,1": {"issueIdsOrKeys": [issue]}}}
    assert admin.status("POST", f"{_BULK}/issues/move", json=body) == 400


def test_one_issue_that_is_refused_does_not_stop_the_others(cloud: Any) -> None:
    admin, done, fresh = cloud.as_("admin"), cloud.ops_issue(), cloud.ops_issue()
    cloud.move(done, "Start Progress")
    known = admin.get(f"/rest/api/3/issue/{fresh}/transitions")["transitions"]
    step = next(one for one in known if one["name"] == "Start Progress")
    inputs = [{"selectedIssueIdsOrKeys": [done, fresh], "transitionId": step["id"]}]
    found = _task(cloud, "admin", "transition", {"bulkTransitionInputs": inputs})
    assert [str(one) for one in found["processedAccessibleIssues"]] == [_number(cloud, fresh)]
    assert list(found["failedAccessibleIssues"]) == [_number(cloud, done)]
    assert cloud.state(fresh) == "In Progress"


def test_only_who_may_delete_deletes_in_bulk(cloud: Any) -> None:
    issue = cloud.ops_issue()
    body = {"selectedIssueIdsOrKeys": [issue]}
    failed = _task(cloud, "agent", "delete", body)
    assert failed["processedAccessibleIssues"] == []
    assert cloud.as_("admin").status("GET", f"/rest/api/3/issue/{issue}") == 200
    _task(cloud, "admin", "delete", body)
    assert cloud.as_("admin").status("GET", f"/rest/api/3/issue/{issue}") == 404


def test_permissions_are_checked_where_they_are_asked_for(cloud: Any) -> None:
    admin = cloud.as_("admin")
    project, issue = admin.get("/rest/api/3/project/OPS"), cloud.ops_issue()
    number = int(_number(cloud, issue))
    asked = {
        "projects": [int(project["id"]), 99999],
        "issues": [number, 99999],
        "permissions": ["EDIT_ISSUES"],
    }
    body = {"globalPermissions": ["ADMINISTER"], "projectPermissions": [asked]}
    found = admin.post(_CHECK, body, 200)
    assert found["globalPermissions"] == ["ADMINISTER"]
    granted = {
        "permission": "EDIT_ISSUES",
        "projects": [int(project["id"])],
        "issues": [number],
    }
    assert found["projectPermissions"] == [granted]
    assert admin.post(_CHECK, {}, 200) == {"globalPermissions": [], "projectPermissions": []}
    assert cloud.as_("agent").post(_CHECK, body, 200)["globalPermissions"] == []
    wrong = {"projectPermissions": [asked | {"permissions": ["FLY"]}]}
    assert admin.status("POST", _CHECK, json=wrong) == 400


def test_somebody_else_is_checked_by_administrators_alone(cloud: Any) -> None:
    me = cloud.as_("admin").get("/rest/api/3/myself")["accountId"]
    body = {"accountId": me, "globalPermissions": ["ADMINISTER"]}
    assert cloud.as_("agent").status("POST", _CHECK, json=body) == 403
    agent = cloud.as_("agent").get("/rest/api/3/myself")["accountId"]
    found = cloud.as_("admin").post(_CHECK, body | {"accountId": agent}, 200)
    assert found["globalPermissions"] == []


def test_the_projects_where_the_caller_has_permissions_are_listed(cloud: Any) -> None:
    path = "/rest/api/3/permissions/project"
    found = cloud.as_("admin").post(path, {"permissions": ["EDIT_ISSUES"]}, 200)
    assert "OPS" in [one["key"] for one in found["projects"]]
    assert cloud.as_("admin").status("POST", path, json={"permissions": ["FLY"]}) == 400
    fewer = cloud.as_("requester").post(path, {"permissions": ["DELETE_ISSUES"]}, 200)
    assert len(fewer["projects"]) < len(found["projects"])


def test_project_types_are_listed_and_read(desk: Any) -> None:
    admin = desk.as_("admin")
    known = [one["key"] for one in admin.get("/rest/api/2/project/type")]
    assert {"business", "software", "service_desk"} == set(known)
    assert admin.get("/rest/api/2/project/type/software")["formattedKey"] == "Software"
    assert admin.get("/rest/api/2/project/type/software/accessible")["key"] == "software"
    assert admin.status("GET", "/rest/api/2/project/type/other") == 404


def test_a_key_for_a_new_project_is_judged(desk: Any) -> None:
    path, admin = "/rest/api/2/projectvalidate/key", desk.as_("admin")
    assert "projectKey" in admin.get(path, key="OPS")["errors"]
    assert "projectKey" in admin.get(path, key="no good")["errors"]
    assert admin.get(path, key="FREE")["errors"] == {}


def test_cloud_makes_a_key_and_a_name_that_are_free(cloud: Any) -> None:
    admin, path = cloud.as_("admin"), "/rest/api/3/projectvalidate"
    name = admin.get("/rest/api/3/project/OPS")["name"]
    assert admin.get(f"{path}/validProjectKey", key="OPS") == "OPS2"
    assert admin.get(f"{path}/validProjectName", name=name) == f"{name} 2"
    assert admin.status("GET", f"{path}/validProjectName", params={"name": ""}) == 400


def test_data_center_picks_projects_that_the_caller_sees(server: Any) -> None:
    path = "/rest/api/2/projects/picker"
    found = server.as_("admin").get(path, query="op")
    assert [one["key"] for one in found["projects"]] == ["OPS"]
    assert found["header"] == "Showing 1 of 1 matching projects"
    assert server.as_(None).get(path, query="op")["projects"] == []


def test_users_and_groups_are_picked_together(desk: Any) -> None:
    found = desk.as_("admin").get("/rest/api/2/groupuserpicker", query="jira")
    assert found["groups"]["total"] >= 1
    me = desk.as_("admin").get("/rest/api/2/myself")["displayName"]
    people = desk.as_("admin").get("/rest/api/2/groupuserpicker", query=me.split()[0])
    assert me in [one["displayName"] for one in people["users"]["users"]]
