"""What query builders, pickers and preference pages ask, as jira.js's suites found real sites."""

from typing import Any

import pytest


def test_the_words_of_the_language_are_told(desk: Any) -> None:
    data = desk.as_("admin").get("/rest/api/2/jql/autocompletedata")
    names = [one["value"] for one in data["visibleFieldNames"]]
    assert {"project", "summary", "status", "created"} <= set(names)
    assert all(one["searchable"] == "true" for one in data["visibleFieldNames"])
    assert "currentUser()" in [one["value"] for one in data["visibleFunctionNames"]]
    assert "order" in data["jqlReservedWords"]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("project", "OP", "OPS"),
        ("status", "in pro", '"In Progress"'),
        ("priority", "highe", "Highest"),
        ("Change risk", "crit", '"Critical"'),
        ("labels", "sugg", "suggested"),
    ],
)
def test_values_are_suggested_as_somebody_types(
    desk: Any, field: str, text: str, value: str
) -> None:
    desk.ops_issue(labels=["suggested"])
    path = "/rest/api/2/jql/autocompletedata/suggestions"
    found = desk.as_("admin").get(path, fieldName=field, fieldValue=text)["results"]
    assert value in [one["value"] for one in found]
    assert all(one["displayName"] for one in found)


def test_an_unknown_field_suggests_nothing(desk: Any) -> None:
    path = "/rest/api/2/jql/autocompletedata/suggestions"
    asked = {"fieldName": "nosuchfield", "fieldValue": ""}
    assert desk.as_("admin").status("GET", path, params=asked) == 400


def _parsed(cloud: Any, *queries: str, validation: str = "strict") -> list[dict[str, Any]]:
    answer = cloud.as_("admin").send(
        "POST", "/rest/api/3/jql/parse", params={"validation": validation},
        json={"queries": list(queries)},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["queries"]
    return found


def test_a_query_is_parsed_into_its_tree_without_being_run(cloud: Any) -> None:
    (query,) = _parsed(
        cloud,
        "project = OPS AND (status in (Open, Closed) OR NOT assignee = currentUser())"
        ' AND resolution is EMPTY AND status was Open BEFORE "2026/01/01"'
        " ORDER BY created DESC, key",
    )
    where = query["structure"]["where"]
    assert where["operator"] == "and"
    assert where["clauses"][0]["operand"] == {"value": "OPS", "encodedValue": "OPS"}
    either = where["clauses"][1]
    assert [one["value"] for one in either["clauses"][0]["operand"]["values"]] == ["Open", "Closed"]
    negated = either["clauses"][1]
    assert negated["operator"] == "not"
    assert negated["clauses"][0]["operand"]["function"] == "currentUser"
    assert where["clauses"][2]["operand"] == {"keyword": "empty"}
    assert where["clauses"][3]["predicates"][0]["operator"] == "before"
    order = query["structure"]["orderBy"]["fields"]
    assert (order[0]["field"]["name"], order[0]["direction"]) == ("created", "desc")
    assert "direction" not in order[1]


def test_the_validation_says_whether_unknown_names_are_errors(cloud: Any) -> None:
    text = "project = OPS AND nosuchfield = 1"
    (strict,) = _parsed(cloud, text)
    assert strict["errors"]
    assert "structure" not in strict
    (warned,) = _parsed(cloud, text, validation="warn")
    assert warned["warnings"]
    assert warned["structure"]
    (none,) = _parsed(cloud, text, validation="none")
    assert "errors" not in none
    assert none["structure"]
    good, broken = _parsed(cloud, "status CHANGED", 'project = "unterminated')
    assert good["structure"]["where"]["operator"] == "changed"
    assert broken["errors"]
    nothing: tuple[dict[str, Any], ...] = ({}, {"queries": []})
    for wrong in nothing:
        assert cloud.as_("admin").status("POST", "/rest/api/3/jql/parse", json=wrong) == 400


def test_a_preference_is_kept_as_the_text_that_it_is(desk: Any) -> None:
    client = desk.as_("agent")
    path = "/rest/api/2/mypreferences"
    asked = {"params": {"key": "tiergate.view"}}
    for sent in (b"compact", b'"wide"'):
        answer = client.send(
            "PUT", path, data=sent, headers={"Content-Type": "text/plain"}, **asked
        )
        assert answer.status_code == 204
        assert client.send("GET", path, **asked).json() == sent.decode().strip('"')
    assert client.status("DELETE", path, **asked) == 204
    assert client.status("GET", path, **asked) == 404 == client.status("DELETE", path, **asked)
    assert client.status("GET", path) == 404


def test_cloud_knows_the_language_of_a_person(cloud: Any) -> None:
    client = cloud.as_("requester")
    path = "/rest/api/3/mypreferences/locale"
    assert client.get(path)["locale"] == "en_US"
    client.put(path, {"locale": "de_DE"})
    assert client.get(path)["locale"] == "de_DE"
    assert client.status("PUT", path, json={"locale": "German"}) == 400


def test_groups_and_roles_are_counted_always_and_listed_when_asked(desk: Any) -> None:
    client = desk.as_("agent")
    plain = client.get("/rest/api/2/myself")
    assert plain["groups"]["size"] > 0
    assert plain["groups"]["items"] == []
    expanded = client.get("/rest/api/2/myself", expand="groups,applicationRoles")
    for name in ("groups", "applicationRoles"):
        assert len(expanded[name]["items"]) == expanded[name]["size"]


def test_projects_are_ordered_as_asked_and_keys_are_case_sensitive_on_cloud(cloud: Any) -> None:
    admin = cloud.as_("admin")
    path = "/rest/api/3/project/search"
    up = [one["key"] for one in admin.get(path, orderBy="key")["values"]]
    down = [one["key"] for one in admin.get(path, orderBy="-key")["values"]]
    assert up == down[::-1]
    assert admin.status("GET", "/rest/api/3/project/ops") == 404
    answer = admin.send("GET", "/rest/api/3/project/10001/hierarchy")
    assert answer.status_code == 404
    assert "not simplified" in answer.text


def test_people_are_found_by_what_they_may_do(cloud: Any) -> None:
    admin = cloud.as_("admin")
    me = admin.get("/rest/api/3/myself")["accountId"]
    path = "/rest/api/3/user/permission/search"
    asked = {"permissions": "BROWSE_PROJECTS,EDIT_ISSUES", "projectKey": "OPS"}
    assert me in [one["accountId"] for one in admin.send("GET", path, params=asked).json()]
    issue = cloud.raise_request("integration", "Get IT help")
    by_issue = {"permissions": "SERVICEDESK_AGENT", "issueKey": issue, "query": "luke"}
    found = admin.send("GET", path, params=by_issue).json()
    assert [one["displayName"] for one in found] == ["Luke Wilson"]
    for wrong in ({"permissions": ""}, {"permissions": "FLY"}, {"permissions": "EDIT_ISSUES"}):
        assert admin.status("GET", path, params=wrong) == 400
    search = "/rest/api/3/user/viewissue/search"
    assert admin.status("GET", search, params={"projectKey": "OPS"}) == 400
    by_id = {"projectKey": "OPS", "accountId": me}
    assert [one["accountId"] for one in admin.send("GET", search, params=by_id).json()] == [me]
    assert admin.status("GET", "/rest/api/3/user/assignable/search", params={"query": ""}) == 400


def test_a_group_can_be_left_out_of_the_picker(desk: Any) -> None:
    admin = desk.as_("admin")
    path = "/rest/api/2/groups/picker"
    first = admin.get(path)["groups"][0]
    out = {"excludeId": first["groupId"]} if desk.cloud else {"exclude": first["name"]}
    assert first["name"] not in [one["name"] for one in admin.get(path, **out)["groups"]]


def test_cloud_lets_a_reporter_vote_and_data_center_does_not(desk: Any) -> None:
    issue = desk.ops_issue("agent")
    path = f"/rest/api/2/issue/{issue}/votes"
    assert desk.as_("agent").status("POST", path) == (204 if desk.cloud else 404)
    assert desk.as_("agent").status("DELETE", path) == 204
    assert desk.as_("agent").status("DELETE", path) == 204


def test_cloud_takes_no_plain_text_for_json(cloud: Any) -> None:
    admin, issue = cloud.as_("admin"), cloud.ops_issue()
    me = admin.get("/rest/api/3/myself")["accountId"]
    path = f"/rest/api/3/issue/{issue}/watchers"
    text = {"Content-Type": "text/plain"}
    assert admin.status("POST", path, data=f'"{me}"', headers=text) == 415
    assert admin.status("POST", path, json=me) == 204


def test_one_property_is_set_on_many_issues_by_a_task(cloud: Any) -> None:
    admin = cloud.as_("admin")
    keys = [cloud.ops_issue(), cloud.ops_issue()]
    ids = [int(admin.get(f"/rest/api/3/issue/{one}")["id"]) for one in keys]
    path = "/rest/api/3/issue/properties/bulk"
    body = {"value": {"bulk": True}, "filter": {"entityIds": ids}}
    answer = admin.send("PUT", path, json=body, allow_redirects=False)
    assert answer.status_code == 303
    task = admin.session.get(answer.headers["Location"], timeout=20).json()
    assert (task["status"], task["progress"]) == ("COMPLETE", 100)
    for one in keys:
        held = admin.get(f"/rest/api/3/issue/{one}/properties/bulk")
        assert held["value"] == {"bulk": True}
    gone = {"entityIds": ids[:1]}
    assert admin.send("DELETE", path, json=gone, allow_redirects=False).status_code == 303
    assert admin.status("GET", f"/rest/api/3/issue/{keys[0]}/properties/bulk") == 404
    assert admin.status("GET", f"/rest/api/3/issue/{keys[1]}/properties/bulk") == 200
    assert admin.send("DELETE", path, allow_redirects=False).status_code == 303
    assert admin.status("GET", f"/rest/api/3/issue/{keys[1]}/properties/bulk") == 404
    assert admin.status("PUT", path, json={"value": 1}, allow_redirects=False) == 400
    assert admin.status("GET", "/rest/api/3/task/1") == 404
    shown = admin.post("/rest/api/3/issue/watching", {"issueIds": [str(ids[0]), "7"]}, 200)
    assert shown["issuesIsWatching"] == {str(ids[0]): False, "7": False}
    assert admin.status("POST", "/rest/api/3/issue/watching", json={"issueIds": "1"}) == 400


def test_the_newer_address_of_boards_pages_by_token(cloud: Any) -> None:
    admin = cloud.as_("admin")
    for _ in range(3):
        cloud.ops_issue()
    made = admin.post("/rest/api/3/filter", {"name": "By token", "jql": "project = OPS"}, 200)
    board = {"name": "By token", "type": "scrum", "filterId": int(made["id"])}
    number = admin.post("/rest/agile/1.0/board", board)["id"]
    path = f"/rest/software/1.0/board/{number}/issue"
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = admin.get(path, maxResults=2, **token)
        assert "total" not in page
        seen += [one["key"] for one in page["issues"]]
        if page["isLast"]:
            break
        token = {"nextPageToken": page["nextPageToken"]}
    assert (
        len(seen) == len(set(seen)) == admin.get(f"/rest/agile/1.0/board/{number}/issue")["total"]
    )
    assert admin.status("GET", path, params={"nextPageToken": "nonsense"}) == 400
