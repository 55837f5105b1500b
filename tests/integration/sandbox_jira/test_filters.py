"""Saved filters: checked queries, sharing, favourites, columns."""

from typing import Any

FILTER = "/rest/api/2/filter"


def _make(client: Any, name: str, **more: Any) -> Any:
    return client.post(FILTER, {"name": name, "jql": "project = OPS", **more}, 200)


def test_the_query_of_a_filter_is_compiled_and_not_only_parsed(desk: Any) -> None:
    admin = desk.as_("admin")
    made = _make(admin, "Compiled")
    for jql in ("nosuchfield = 1", 'project = "unterminated', "project = NOSUCH"):
        body = {"name": "Compiled", "jql": jql}
        assert admin.status("PUT", f"{FILTER}/{made['id']}", json=body) == 400
        assert admin.status("POST", FILTER, json={**body, "name": "Other"}) == 400
    after = admin.put(f"{FILTER}/{made['id']}", {"jql": "project = OPS AND status = Open"}, 200)
    assert after["jql"] == "project = OPS AND status = Open"
    assert after["name"] == "Compiled"


def test_two_filters_of_a_person_have_different_names(desk: Any) -> None:
    admin = desk.as_("admin")
    _make(admin, "Twice")
    answer = admin.send("POST", FILTER, json={"name": "twice", "jql": "project = OPS"})
    assert answer.status_code == 400
    assert "filterName" in answer.json()["errors"]
    assert _make(desk.as_("agent"), "Twice")["name"] == "Twice"


def test_a_favourite_is_a_mark_of_one_person_on_a_shared_thing(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    made = _make(admin, "Marked", favourite=True, sharePermissions=[{"type": "authenticated"}])
    assert made["favourite"] is True
    assert made["sharePermissions"][0]["type"] == "loggedin"
    marked = [one["id"] for one in admin.get(f"{FILTER}/favourite")]
    assert made["id"] in marked
    assert made["id"] not in [one["id"] for one in agent.get(f"{FILTER}/favourite")]
    assert agent.get(f"{FILTER}/{made['id']}")["favourite"] is False
    admin.put(f"{FILTER}/{made['id']}", {"name": "Marked", "favourite": False}, 200)
    assert made["id"] not in [one["id"] for one in admin.get(f"{FILTER}/favourite")]
    assert agent.status("PUT", f"{FILTER}/{made['id']}", json={"name": "Mine"}) == 403


def test_a_filter_is_shared_with_a_group_a_project_and_a_person(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    made = _make(admin, "Shared")
    path = f"{FILTER}/{made['id']}"
    missing = 404 if desk.cloud else 400
    assert agent.status("GET", path) == missing
    me = agent.get("/rest/api/2/myself")
    who = {"accountId": me["accountId"]} if desk.cloud else {"userKey": me["key"]}
    shares = [
        {"type": "group", "groupname": "jira-software-users"},
        {"type": "project", "projectId": "10001"},
        {"type": "user", **who},
    ]
    for share in shares:
        found = admin.post(f"{path}/permission", share)
        number = found[-1]["id"]
        assert found[-1]["type"] == share["type"]
        assert agent.get(path)["name"] == "Shared"
        assert admin.get(f"{path}/permission/{number}")["id"] == number
        admin.delete(f"{path}/permission/{number}")
        assert agent.status("GET", path) == missing
        assert admin.status("GET", f"{path}/permission/{number}") == 404
        assert admin.status("DELETE", f"{path}/permission/{number}") == 404
    for wrong in (
        {"type": "nobody"},
        {"type": "group", "groupname": "no such group"},
        {"type": "project", "projectId": "1"},
        {"type": "user", "accountId": "nobody", "userKey": "nobody"},
    ):
        assert admin.status("POST", f"{path}/permission", json=wrong) == 400


def test_a_removed_filter_is_gone(desk: Any) -> None:
    admin = desk.as_("admin")
    made = _make(admin, "Thrown away")
    admin.delete(f"{FILTER}/{made['id']}")
    for number in (made["id"], "99999999"):
        assert admin.status("GET", f"{FILTER}/{number}") == (404 if desk.cloud else 400)


def test_a_filter_needs_a_name_and_a_query_that_is_a_text(desk: Any) -> None:
    admin = desk.as_("admin")
    for body in ({"jql": "project = OPS"}, {"name": " "}, {"name": "Number", "jql": 7}):
        assert admin.status("POST", FILTER, json=body) == 400
    wrong = {"name": "Shares", "sharePermissions": "all"}
    assert admin.status("POST", FILTER, json=wrong) == 400


def test_cloud_finds_filters_by_name_and_owner(cloud: Any) -> None:
    admin = cloud.as_("admin")
    made = _make(admin, "Findable by its name")
    page = admin.get("/rest/api/3/filter/search", filterName="able by", expand="jql,owner")
    assert [one["id"] for one in page["values"]] == [made["id"]]
    assert page["values"][0]["jql"] == "project = OPS"
    assert page["total"] == 1
    assert "favourite" not in page["values"][0]
    owner = admin.get("/rest/api/3/myself")["accountId"]
    mine = admin.get("/rest/api/3/filter/search", accountId=owner, id=made["id"])
    assert mine["total"] == 1
    assert made["id"] in [one["id"] for one in admin.get("/rest/api/3/filter/my")]
    assert admin.put(f"{FILTER}/{made['id']}/favourite", None, 200)["favourite"] is True
    answer = admin.send("DELETE", f"{FILTER}/{made['id']}/favourite")
    assert answer.json()["favourite"] is False


def test_cloud_gives_a_filter_columns_and_takes_them_away(cloud: Any) -> None:
    admin = cloud.as_("admin")
    path = f"/rest/api/3/filter/{_make(admin, 'With columns')['id']}/columns"
    assert admin.status("GET", path) == 404
    assert admin.status("PUT", path, json={"columns": ["summary", "status"]}) == 200
    assert [one["value"] for one in admin.get(path)] == ["summary", "status"]
    assert admin.status("PUT", path, data={"columns": ["priority"]}) == 200
    assert [one["value"] for one in admin.get(path)] == ["priority"]
    assert admin.status("PUT", path, json={"columns": ["no such column"]}) == 400
    assert admin.status("PUT", path, json={"columns": "summary"}) == 400
    admin.delete(path)
    assert admin.status("GET", path) == 404


def test_a_user_has_columns_of_the_navigator(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    path = "/rest/api/2/user/columns"
    default = [one["value"] for one in agent.get(path)]
    assert "summary" in default
    assert agent.status("PUT", path, json={"columns": ["status", "key"]}) == 200
    assert [one["value"] for one in agent.get(path)] == ["status"]
    me = agent.get("/rest/api/2/myself")
    who = {"accountId": me["accountId"]} if desk.cloud else {"username": me["name"]}
    assert [one["value"] for one in admin.get(path, **who)] == ["status"]
    boss = admin.get("/rest/api/2/myself")
    his = {"accountId": boss["accountId"]} if desk.cloud else {"username": boss["name"]}
    assert agent.status("GET", path, params=his) == 403
    nobody = {"accountId": "nobody"} if desk.cloud else {"username": "nobody"}
    assert admin.status("GET", path, params=nobody) == 404
    agent.delete(path)
    assert [one["value"] for one in agent.get(path)] == default
    assert agent.status("PUT", path) == 200  # no columns at all
    assert agent.get(path) == []
    agent.delete(path)
