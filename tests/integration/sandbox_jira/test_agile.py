"""Boards, sprints and epics, as the suites of public clients use them."""

from typing import Any

import pytest

AGILE = "/rest/agile/1.0"


def _filter(client: Any, name: str, jql: str = "project = OPS", **more: Any) -> str:
    body = {"name": name, "jql": jql, **more}
    number: str = client.post("/rest/api/2/filter", body, 200)["id"]
    return number


def _board(client: Any, name: str, kind: str = "scrum", **more: Any) -> int:
    body = {"name": name, "type": kind, "filterId": _filter(client, f"Filter of {name}"), **more}
    number: int = client.post(f"{AGILE}/board", body)["id"]
    return number


def _sprint(client: Any, board: int, name: str, **more: Any) -> int:
    body = {"name": name, "originBoardId": board, **more}
    number: int = client.post(f"{AGILE}/sprint", body)["id"]
    return number


def test_a_board_is_made_over_a_filter_listed_and_removed(desk: Any) -> None:
    admin = desk.as_("admin")
    number = _board(admin, "Made and removed")
    found = admin.get(f"{AGILE}/board", name="made and")
    assert [one["id"] for one in found["values"]] == [number]
    assert found["isLast"] is True
    assert found["total"] == 1
    assert admin.get(f"{AGILE}/board", name="made and", type="kanban")["values"] == []
    assert admin.get(f"{AGILE}/board/{number}")["type"] == "scrum"
    projects = admin.get(f"{AGILE}/board/{number}/project")["values"]
    assert [one["key"] for one in projects] == ["OPS"]
    by_project = admin.get(f"{AGILE}/board", projectKeyOrId="OPS")["values"]
    assert number in [one["id"] for one in by_project]
    assert number not in [
        one["id"] for one in admin.get(f"{AGILE}/board", projectKeyOrId="ITH")["values"]
    ]
    admin.delete(f"{AGILE}/board/{number}")
    assert admin.status("GET", f"{AGILE}/board/{number}") == 404


def test_a_filter_cannot_be_removed_while_a_board_stands_on_it(desk: Any) -> None:
    admin = desk.as_("admin")
    number = _board(admin, "Stands on it")
    held = admin.get(f"{AGILE}/board/{number}/configuration")["filter"]["id"]
    assert admin.get(f"{AGILE}/board/filter/{held}")["values"][0]["id"] == number
    assert admin.status("DELETE", f"/rest/api/2/filter/{held}") == 400
    admin.delete(f"{AGILE}/board/{number}")
    admin.delete(f"/rest/api/2/filter/{held}")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "", "type": "scrum"},
        {"name": "x" * 256, "type": "scrum"},
        {"name": "No such type", "type": "round"},
        {"name": "No such filter", "type": "scrum", "filterId": 99999999},
    ],
    ids=["no name", "long name", "type", "filter"],
)
def test_a_board_that_cannot_be_is_refused(desk: Any, wrong: dict[str, Any]) -> None:
    admin = desk.as_("admin")
    body = {"filterId": _filter(admin, f"F {wrong['name'][:20]} {wrong['type']}"), **wrong}
    assert admin.status("POST", f"{AGILE}/board", json=body) == 400


def test_a_board_is_seen_by_those_who_see_its_filter(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    private = _board(admin, "Private board")
    assert agent.status("GET", f"{AGILE}/board/{private}") == 404
    held = admin.get(f"{AGILE}/board/{private}/configuration")["filter"]["id"]
    admin.post(f"/rest/api/2/filter/{held}/permission", {"type": "authenticated"})
    assert agent.get(f"{AGILE}/board/{private}")["name"] == "Private board"
    assert agent.status("DELETE", f"{AGILE}/board/{private}") == 403


def test_a_board_tells_its_columns_its_estimation_and_its_ranking(desk: Any) -> None:
    admin = desk.as_("admin")
    scrum = admin.get(f"{AGILE}/board/{_board(admin, 'Told')}/configuration")
    assert [one["name"] for one in scrum["columnConfig"]["columns"]] == [
        "To Do", "In Progress", "Done",
    ]  # fmt: skip
    assert scrum["estimation"]["field"]["fieldId"].startswith("customfield_")
    assert scrum["ranking"]["rankCustomFieldId"] == 10019
    kanban = _board(admin, "Told kanban", "kanban")
    assert "subQuery" in admin.get(f"{AGILE}/board/{kanban}/configuration")
    assert admin.status("GET", f"{AGILE}/board/{kanban}/sprint") == 400
    refused = {"name": "No sprints here", "originBoardId": kanban}
    assert admin.status("POST", f"{AGILE}/sprint", json=refused) == 400


def test_a_new_scrum_project_comes_with_its_board(desk: Any) -> None:
    admin = desk.as_("admin")
    me = admin.get("/rest/api/2/myself")
    lead = {"leadAccountId": me["accountId"]} if desk.cloud else {"lead": me["name"]}
    body = {
        "key": "SCR",
        "name": "Scrum project",
        "projectTypeKey": "software",
        "projectTemplateKey": "com.pyxis.greenhopper.jira:gh-simplified-agility-scrum",
        **lead,
    }
    admin.post("/rest/api/2/project", body)
    found = admin.get(f"{AGILE}/board", name="SCR")
    assert found["total"] == 1
    assert found["values"][0]["type"] in {"scrum", "simple"}
    number = found["values"][0]["id"]
    assert admin.get(f"{AGILE}/board/{number}/issue")["issues"] == []
    admin.delete("/rest/api/2/project/SCR")
    assert admin.status("GET", f"{AGILE}/board/{number}") == 404


def test_a_sprint_goes_from_future_to_active_to_closed_and_never_back(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "States")
    number = _sprint(admin, board, "First", goal="Nothing breaks")
    made = admin.get(f"{AGILE}/sprint/{number}")
    assert (made["state"], made["goal"], made["originBoardId"]) == (
        "future", "Nothing breaks", board,
    )  # fmt: skip
    path = f"{AGILE}/sprint/{number}"
    assert admin.status("POST", path, json={"state": "closed"}) == 400
    assert admin.status("POST", path, json={"state": "active"}) == 400  # without its dates
    dates = {"startDate": "2026-04-11T15:22:00.000+10:00", "endDate": "2026-04-20T01:22:00.000Z"}
    assert admin.status("POST", path, json={**dates, "endDate": "yesterday"}) == 400
    assert admin.status(
        "POST", path, json={"startDate": dates["endDate"], "endDate": dates["startDate"]}
    ) == 400  # fmt: skip
    begun = admin.post(path, {**dates, "state": "active"}, 200)
    assert begun["state"] == "active"
    assert "T" in begun["startDate"]
    assert admin.status("POST", path, json={"state": "future"}) == 400
    ended = admin.post(path, {"state": "closed"}, 200)
    assert ended["state"] == "closed"
    assert ended["completeDate"]
    assert admin.status("DELETE", path) == 400
    issue = desk.ops_issue()
    assert admin.status("POST", f"{path}/issue", json={"issues": [issue]}) == 400


def test_the_sprints_of_a_board_are_found_by_their_state(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "By state")
    number = _sprint(admin, board, "Waiting")
    path = f"{AGILE}/board/{board}/sprint"
    assert [one["id"] for one in admin.get(path, state="future")["values"]] == [number]
    assert admin.get(path, state="active,closed")["values"] == []
    assert admin.status("GET", path, params={"state": "over"}) == 400


def test_a_put_takes_away_what_it_does_not_name(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Put whole")
    number = _sprint(admin, board, "Before", goal="Gone", startDate="2026-04-11T15:22:00.000Z")
    path = f"{AGILE}/sprint/{number}"
    assert admin.status("PUT", path, json={"name": "No state"}) == 400
    after = admin.put(path, {"name": "After", "state": "future"}, 200)
    assert after["name"] == "After"
    assert after["goal"] == ""
    assert "startDate" not in after


def test_two_sprints_swap_their_places(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Swapped")
    first, second = _sprint(admin, board, "A"), _sprint(admin, board, "B")
    body = {"sprintToSwapWith": second}
    assert admin.status("POST", f"{AGILE}/sprint/{first}/swap", json=body) == 204
    found = admin.get(f"{AGILE}/board/{board}/sprint")["values"]
    assert [one["id"] for one in found] == [second, first]


def test_an_issue_in_a_sprint_shows_it_and_the_backlog_takes_it_back(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Plan")
    number = _sprint(admin, board, "Planned")
    issue = desk.ops_issue()
    fields = {one["name"]: one["id"] for one in admin.get("/rest/api/2/field")}
    assert admin.get(f"{AGILE}/sprint/{number}/issue")["issues"] == []
    path = f"{AGILE}/sprint/{number}/issue"
    assert admin.status("POST", path, json={"issues": [issue]}) == 204
    shown = admin.get(f"/rest/api/2/issue/{issue}")["fields"][fields["Sprint"]]
    assert [(one["name"], one["state"], one["boardId"]) for one in shown] == [
        ("Planned", "future", board)
    ]
    assert [one["key"] for one in admin.get(path)["issues"]] == [issue]
    assert issue in desk.as_("admin").search(f"sprint = {number}")
    assert issue in desk.as_("admin").search("sprint in futureSprints()")
    assert desk.as_("admin").search("sprint in openSprints()") == []
    backlog = admin.get(f"{AGILE}/board/{board}/backlog", fields="summary", maxResults=500)
    assert issue not in [one["key"] for one in backlog["issues"]]
    agile = admin.get(f"{AGILE}/issue/{issue}")
    assert agile["fields"]["sprint"]["id"] == number
    assert agile["fields"]["epic"] is None
    assert admin.status("POST", f"{AGILE}/backlog/issue", json={"issues": [issue]}) == 204
    assert admin.get(f"/rest/api/2/issue/{issue}")["fields"][fields["Sprint"]] is None
    changes = admin.get(f"/rest/api/2/issue/{issue}", expand="changelog")["changelog"]
    assert "Sprint" in {item["field"] for one in changes["histories"] for item in one["items"]}


def test_an_issue_keeps_its_closed_sprints_and_a_removed_one_leaves_it(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Kept")
    dates = {"startDate": "2026-04-11T15:22:00.000Z", "endDate": "2026-04-20T01:22:00.000Z"}
    first, second = _sprint(admin, board, "Old", **dates), _sprint(admin, board, "New")
    issue = desk.ops_issue()
    admin.post(f"{AGILE}/sprint/{first}/issue", {"issues": [issue]}, 204)
    admin.post(f"{AGILE}/sprint/{first}", {"state": "active"}, 200)
    admin.post(f"{AGILE}/sprint/{first}", {"state": "closed"}, 200)
    admin.post(f"{AGILE}/sprint/{second}/issue", {"issues": [issue]}, 204)
    fields = admin.get(f"{AGILE}/issue/{issue}")["fields"]
    assert fields["sprint"]["id"] == second
    assert [one["id"] for one in fields["closedSprints"]] == [first]
    admin.delete(f"{AGILE}/sprint/{second}")
    assert admin.get(f"{AGILE}/issue/{issue}")["fields"]["sprint"] is None
    assert issue in admin.search("sprint in closedSprints()")


def test_the_sprint_can_be_set_as_a_field_by_its_number(desk: Any) -> None:
    admin = desk.as_("admin")
    number = _sprint(admin, _board(admin, "As a field"), "By field")
    issue = desk.ops_issue(customfield_10020=number)
    assert admin.get(f"{AGILE}/issue/{issue}")["fields"]["sprint"]["id"] == number
    refused = {"fields": {"customfield_10020": 99999999}}
    assert admin.status("PUT", f"/rest/api/2/issue/{issue}", json=refused) == 400


def test_issues_join_an_epic_and_leave_it(desk: Any) -> None:
    admin = desk.as_("admin")
    epic = desk.ops_issue(
        issuetype={"name": "Epic"}, summary="A big story", customfield_10011="Big one"
    )
    bean = admin.get(f"{AGILE}/epic/{epic}")
    assert (bean["key"], bean["name"], bean["done"]) == (epic, "Big one", False)
    assert bean["color"]["key"] == "color_1"
    child = desk.ops_issue()
    assert admin.get(f"{AGILE}/epic/{epic}/issue")["issues"] == []
    assert admin.status("POST", f"{AGILE}/epic/{epic}/issue", json={"issues": [child]}) == 204
    assert [one["key"] for one in admin.get(f"{AGILE}/epic/{bean['id']}/issue")["issues"]] == [
        child
    ]
    assert admin.get(f"/rest/api/2/issue/{child}")["fields"]["customfield_10014"] == epic
    assert child in admin.search(f'"Epic Link" = {epic}')
    assert admin.get(f"{AGILE}/issue/{child}")["fields"]["epic"]["key"] == epic
    changed = admin.post(
        f"{AGILE}/epic/{epic}",
        {"name": "Renamed", "color": {"key": "color_4"}, "done": True, "summary": "Smaller"},
        200,
    )
    assert (changed["name"], changed["color"]["key"], changed["done"], changed["summary"]) == (
        "Renamed", "color_4", True, "Smaller",
    )  # fmt: skip
    refused = {"color": {"key": "pink"}}
    assert admin.status("POST", f"{AGILE}/epic/{epic}", json=refused) == 400
    assert admin.status("POST", f"{AGILE}/epic/{epic}/issue", json={"issues": [epic]}) == 400
    assert admin.status("POST", f"{AGILE}/epic/none/issue", json={"issues": [child]}) == 204
    assert admin.get(f"{AGILE}/epic/{epic}/issue")["issues"] == []
    loose = admin.get(f"{AGILE}/epic/none/issue", jql=f"key in ({child}, {epic})")["issues"]
    assert [one["key"] for one in loose] == [child]
    for nothing in (child, "OPS-99999999"):
        assert admin.status("GET", f"{AGILE}/epic/{nothing}") == 404


def test_a_board_shows_its_epics_and_the_issues_of_each(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Epics")
    epic = desk.ops_issue(issuetype={"name": "Epic"}, summary="On the board")
    child = desk.ops_issue()
    admin.post(f"{AGILE}/epic/{epic}/issue", {"issues": [child]}, 204)
    found = admin.get(f"{AGILE}/board/{board}/epic", done="false", maxResults=500)["values"]
    number = next(one["id"] for one in found if one["key"] == epic)
    of_epic = admin.get(f"{AGILE}/board/{board}/epic/{number}/issue")["issues"]
    assert [one["key"] for one in of_epic] == [child]
    loose = admin.get(f"{AGILE}/board/{board}/epic/none/issue", maxResults=500)["issues"]
    assert not {epic, child} & {one["key"] for one in loose}
    assert admin.status("GET", f"{AGILE}/board/{board}/epic/x/issue") == 400
    other = desk.ops_issue(issuetype={"name": "Epic"}, summary="Ranked above")
    body = {"rankBeforeEpic": epic}
    assert admin.status("PUT", f"{AGILE}/epic/{other}/rank", json=body) == 204
    ranked = admin.search(f"key in ({epic}, {other}) ORDER BY Rank ASC")
    assert ranked == [other, epic]


def test_the_issues_of_a_board_can_be_narrowed_and_ordered(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Narrowed")
    issue = desk.ops_issue(summary="Needle in the board")
    found = admin.get(
        f"{AGILE}/board/{board}/issue", jql='summary ~ "needle" ORDER BY created', fields="summary"
    )
    assert [one["key"] for one in found["issues"]] == [issue]
    assert (found["total"], found["startAt"]) == (1, 0)
    assert set(found["issues"][0]["fields"]) == {"summary"}
    answer = admin.send("GET", f"{AGILE}/board/{board}/issue", params={"jql": "nonsense ="})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"]


def test_boards_and_sprints_keep_properties(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Properties")
    sprint = _sprint(admin, board, "Properties")
    for holder in (f"{AGILE}/board/{board}", f"{AGILE}/sprint/{sprint}"):
        path = f"{holder}/properties/suite"
        assert admin.status("PUT", path, json={"written": True}) == 201
        assert admin.status("PUT", path, json={"written": False}) == 200
        assert admin.get(path)["value"] == {"written": False}
        assert [one["key"] for one in admin.get(f"{holder}/properties")["keys"]] == ["suite"]
        admin.delete(path)
        assert admin.status("GET", path) == 404 == admin.status("DELETE", path)
        assert admin.status("PUT", path, data="{") == 400


def test_an_issue_is_estimated_in_the_field_of_the_board(desk: Any) -> None:
    admin = desk.as_("admin")
    board, issue = _board(admin, "Estimates"), desk.ops_issue()
    path = f"{AGILE}/issue/{issue}/estimation"
    assert admin.status("GET", path) == 400
    answer = admin.send("PUT", path, params={"boardId": board}, json={"value": "5"})
    assert answer.json()["value"] == 5
    assert admin.send("GET", path, params={"boardId": board}).json()["value"] == 5
    body = {"value": "many"}
    assert admin.status("PUT", path, params={"boardId": board}, json=body) == 400


def test_a_board_lists_the_versions_of_its_projects(desk: Any) -> None:
    admin = desk.as_("admin")
    board = _board(admin, "Versions")
    made = admin.post("/rest/api/2/version", {"name": "9.1", "project": "OPS", "released": True})
    path = f"{AGILE}/board/{board}/version"
    assert str(admin.get(path, released="true")["values"][0]["id"]) == made["id"]
    assert admin.get(path, released="false")["values"] == []
    admin.delete(f"/rest/api/2/version/{made['id']}")


def test_a_user_without_the_permission_plans_nothing(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    board = _board(admin, "Not yours")
    held = admin.get(f"{AGILE}/board/{board}/configuration")["filter"]["id"]
    admin.post(f"/rest/api/2/filter/{held}/permission", {"type": "authenticated"})
    body = {"name": "Mine", "originBoardId": board}
    assert agent.status("POST", f"{AGILE}/sprint", json=body) == 403
    number = _sprint(admin, board, "Theirs")
    assert agent.status("POST", f"{AGILE}/sprint/{number}", json={"name": "Mine"}) == 403
    assert agent.status("GET", f"{AGILE}/sprint/99999999") == 404


def test_data_center_counts_velocity_and_unmaps_sprints(server: Any) -> None:
    admin = server.as_("admin")
    board = _board(admin, "Velocity")
    path = f"{AGILE}/board/{board}/settings/refined-velocity"
    assert admin.get(path) == {"value": False}
    assert admin.status("PUT", path, json={"value": True}) == 200
    assert admin.get(path) == {"value": True}
    assert admin.status("PUT", path, json={"value": "yes"}) == 400
    assert admin.status("PUT", f"{AGILE}/sprint/unmap-all") == 204
    assert server.as_("agent").status("PUT", f"{AGILE}/sprint/unmap-all") == 403
