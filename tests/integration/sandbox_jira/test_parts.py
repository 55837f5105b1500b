"""Components and versions: their names, their assignees, and what becomes of their issues."""

import uuid
from typing import Any

import pytest

_API = "/rest/api/2"


def _new() -> str:
    return uuid.uuid4().hex[:12]


def _version(desk: Any, name: str = "") -> str:
    body = {"project": "OPS", "name": name or _new()}
    number: str = desk.as_("admin").post(f"{_API}/version", body)["id"]
    return number


def _held(desk: Any, issue: str, field: str) -> list[str]:
    found = desk.as_("admin").get(f"{_API}/issue/{issue}", fields=field)["fields"][field]
    return [one["id"] for one in found]


@pytest.mark.parametrize("way", ["parameters", "body", "merge"])
def test_the_issues_of_a_version_that_goes_get_the_one_that_is_named(desk: Any, way: str) -> None:
    admin, old, new = desk.as_("admin"), _version(desk), _version(desk)
    issue = desk.ops_issue(fixVersions=[{"id": old}], versions=[{"id": old}, {"id": new}])
    asked = {"moveFixIssuesTo": int(new), "moveAffectedIssuesTo": int(new)}
    path = f"{_API}/version/{old}"
    if way == "parameters":
        admin.delete(path, **asked)
    elif way == "body":
        admin.post(f"{path}/removeAndSwap", asked, 204)
    else:
        admin.put(f"{path}/mergeto/{new}", {})
    assert _held(desk, issue, "fixVersions") == _held(desk, issue, "versions") == [new]
    gone = admin.send("GET", path)
    assert gone.status_code == 404
    assert gone.json()["errorMessages"] == [f"Could not find version for id '{old}'"]
    assert desk.as_("admin").search(f"fixVersion = {new}") == [issue]


def test_the_issues_of_a_version_that_just_goes_name_it_no_more(desk: Any) -> None:
    old = _version(desk)
    issue = desk.ops_issue(fixVersions=[{"id": old}])
    desk.as_("admin").post(f"{_API}/version/{old}/removeAndSwap", {}, 204)
    assert _held(desk, issue, "fixVersions") == []


def test_issues_are_moved_to_no_version_that_is_not_there_nor_to_the_one_that_goes(
    desk: Any,
) -> None:
    admin, old = desk.as_("admin"), _version(desk)
    for asked, told in (
        ({"moveFixIssuesTo": 99999}, "The fix version with id 99999 does not exist."),
        ({"moveAffectedIssuesTo": 99999}, "The affects version with id 99999 does not exist."),
        ({"moveFixIssuesTo": old}, "You cannot move the issues to the version being deleted."),
    ):
        answer = admin.send("DELETE", f"{_API}/version/{old}", params=asked)
        assert (answer.status_code, answer.json()["errorMessages"]) == (400, [told])
    assert admin.status("GET", f"{_API}/version/{old}") == 200


def test_the_issues_of_a_component_that_goes_get_another_one_or_none(desk: Any) -> None:
    admin = desk.as_("admin")
    path = f"{_API}/component"
    old, new = (admin.post(path, {"project": "OPS", "name": _new()})["id"] for _ in "12")
    issue = desk.ops_issue(components=[{"id": old}])
    admin.delete(f"{path}/{old}", moveIssuesTo=new)
    assert _held(desk, issue, "components") == [new]
    admin.delete(f"{path}/{new}")
    assert _held(desk, issue, "components") == []


def test_a_component_tells_whom_it_assigns(desk: Any) -> None:
    admin, name = desk.as_("admin"), "accountId" if desk.cloud else "name"
    myself = admin.get(f"{_API}/myself")[name]
    stranger = desk.as_("requester").get(f"{_API}/myself")[name]
    given = "leadAccountId" if desk.cloud else "leadUserName"
    body = {"project": "OPS", "name": _new(), "assigneeType": "COMPONENT_LEAD", given: myself}
    made = admin.post(f"{_API}/component", body)
    assert made["assignee"][name] == made["realAssignee"][name] == myself
    assert made["isAssigneeTypeValid"] is True
    plain = admin.post(f"{_API}/component", {"project": "ITH", "name": _new()})
    assert (plain["assigneeType"], plain["isAssigneeTypeValid"]) == ("PROJECT_DEFAULT", True)
    astray = body | {"project": "ITH", "name": _new(), given: stranger}
    held = admin.post(f"{_API}/component", astray)
    assert held["assignee"][name] == stranger
    assert (held["isAssigneeTypeValid"], held["realAssigneeType"]) == (False, "PROJECT_DEFAULT")
    assert "realAssignee" not in held


def test_no_two_parts_of_a_project_have_one_name(desk: Any) -> None:
    admin, name, other = desk.as_("admin"), _new(), _version(desk)
    _version(desk, name)
    taken = admin.send("PUT", f"{_API}/version/{other}", json={"name": name})
    told = "A version with this name already exists in this project."
    assert (taken.status_code, taken.json()["errorMessages"]) == (400, [told])
    admin.post(f"{_API}/component", {"project": "OPS", "name": name})
    again = admin.send("POST", f"{_API}/component", json={"project": "OPS", "name": name})
    told = f"A component with the name {name} already exists in this project."
    assert (again.status_code, again.json()["errorMessages"]) == (400, [told])


def test_versions_are_read_page_by_page(desk: Any) -> None:
    admin, mine = desk.as_("admin"), _new()
    beta, alpha, gamma = (_version(desk, f"{mine} {one}") for one in ("beta", "alpha", "gamma"))
    path = f"{_API}/project/OPS/version"
    asked = {"orderBy": "name", "query": mine.upper()} if desk.cloud else {"orderBy": "name"}
    held = admin.get(path, **asked)["values"]
    assert [one["id"] for one in held if mine in one["name"]] == [alpha, beta, gamma]
    first = admin.get(path, maxResults=1, **asked)
    rest = admin.get(path, startAt=1, **asked)
    assert (first["isLast"], rest["isLast"]) == (False, True)
    assert [*first["values"], *rest["values"]] == held
    assert admin.status("GET", path, params={"orderBy": "nothing"}) == 400


def test_components_are_found_across_projects(desk: Any) -> None:
    admin, mine = desk.as_("admin"), _new()
    for project in ("OPS", "ITH"):
        admin.post(f"{_API}/component", {"project": project, "name": f"{mine} {project}"})
    path = f"{_API}/component" + ("" if desk.cloud else "/page")
    assert admin.get(path, query=mine)["total"] == 2
    chosen = {"projectIdsOrKeys" if desk.cloud else "projectIds": "ITH"}
    found = admin.get(path, query=mine, **chosen)["values"]
    assert [one["name"] for one in found] == [f"{mine} ITH"]


def test_cloud_counts_the_issues_of_a_version_by_category_when_asked(cloud: Any) -> None:
    admin, number = cloud.as_("admin"), _version(cloud)
    cloud.move(cloud.ops_issue(fixVersions=[{"id": number}]), "Start Progress")
    path = f"/rest/api/3/version/{number}"
    assert "issuesStatusForFixVersion" not in admin.get(path)
    counted = admin.get(path, expand="issuesstatus")["issuesStatusForFixVersion"]
    assert counted == {"unmapped": 0, "toDo": 0, "inProgress": 1, "done": 0}
