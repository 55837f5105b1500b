"""Rarer things that sites do: edits of comments and work, people, projects, the desk's corners."""

from typing import Any

import pytest

V2 = "/rest/api/2"
DESK = "/rest/servicedeskapi"


def test_a_comment_changes_its_words_its_readers_and_its_order(desk: Any) -> None:
    agent, issue = desk.as_("agent"), desk.ops_issue("agent")
    path = f"{V2}/issue/{issue}/comment"
    first = agent.post(path, {"body": "one"})["id"]
    agent.post(path, {"body": "two"})
    newest = agent.get(path, orderBy="-created")["comments"]
    assert [one["body"] for one in newest] == ["two", "one"]
    mark = {"key": "sd.public.comment", "value": {"internal": True}}
    inner = {"body": "inside", "properties": [mark]}
    changed = agent.put(f"{path}/{first}", inner, 200)
    assert changed["body"] == "inside"
    shown = agent.get(f"{path}/{first}", expand="properties")
    assert shown["properties"][0]["key"] == "sd.public.comment"
    wrong = {"body": "x", "visibility": {"type": "nobody", "value": "x"}}
    assert agent.status("POST", path, json=wrong) == 400
    group = {"type": "group", "value": "jira-administrators"}
    admin = desk.as_("admin")
    hidden = admin.post(f"{V2}/issue/{issue}/comment", {"body": "hidden", "visibility": group})
    assert agent.status("GET", f"{path}/{hidden['id']}") == 404
    assert admin.get(f"{path}/{hidden['id']}")["body"] == "hidden"


def test_work_changes_its_time_its_start_and_its_words(desk: Any) -> None:
    agent, issue = desk.as_("agent"), desk.ops_issue("agent")
    path = f"{V2}/issue/{issue}/worklog"
    number = agent.post(path, {"timeSpent": "1h"})["id"]
    body = {"timeSpent": "2h", "started": "2026-01-02T03:04:05.000+0000", "comment": "moved"}
    changed = agent.put(f"{path}/{number}", body, 200)
    assert (changed["timeSpent"], changed["comment"]) == ("2h", "moved")
    assert changed["started"].startswith("2026-01-01T22:04:05")  # in the zone of the caller
    for wrong in ({"timeSpent": "soon"}, {"started": "soon"}, {"comment": 7}):
        assert agent.status("POST", path, json={"timeSpent": "1h", **wrong}) == 400


def test_many_histories_come_in_pages(cloud: Any) -> None:
    agent, issue = cloud.as_("agent"), cloud.ops_issue("agent")
    for number in range(4):
        agent.put(f"{V2}/issue/{issue}", {"fields": {"summary": f"Change {number}"}})
    body: dict[str, Any] = {"issueIdsOrKeys": [issue], "maxResults": 3, "fieldIds": ["summary"]}
    first = agent.post(f"{V2}/changelog/bulkfetch", body, 200)
    assert len(first["issueChangeLogs"][0]["changeHistories"]) == 3
    rest = agent.post(
        f"{V2}/changelog/bulkfetch", {**body, "nextPageToken": first["nextPageToken"]}, 200
    )
    assert len(rest["issueChangeLogs"][0]["changeHistories"]) == 1
    assert "nextPageToken" not in rest


def test_a_search_tells_names_and_schema_when_asked(cloud: Any) -> None:
    issue = cloud.ops_issue()
    found = cloud.as_("admin").get(
        "/rest/api/3/search/jql", jql=f"key = {issue}", fields="summary", expand="names,schema"
    )
    assert found["names"] == {"summary": "Summary"}
    assert found["schema"]["summary"]["type"] == "string"


def test_people_are_read_by_id_and_in_bulk(cloud: Any) -> None:
    admin = cloud.as_("admin")
    everybody = admin.send("GET", "/rest/api/3/users/search").json()
    ids = [one["accountId"] for one in everybody[:3]]
    page = admin.get("/rest/api/3/user/bulk", accountId=ids, maxResults=2)
    assert (len(page["values"]), page["total"], page["isLast"]) == (2, 3, False)
    assert len(admin.send("GET", f"{V2}/user/search", params={"accountId": ids[0]}).json()) == 1
    assert admin.send("GET", f"{V2}/user/search", params={"accountId": "no"}).json() == []
    me = admin.get(f"{V2}/myself")["accountId"]
    asked = {"project": "OPS", "accountId": me}
    found = admin.send("GET", f"{V2}/user/assignable/search", params=asked).json()
    assert [one["accountId"] for one in found] == [me]
    path = f"{V2}/user/properties/x"
    assert cloud.as_("agent").status("PUT", path, params={"accountId": me}, json=1) == 403


def test_a_project_changes_its_lead_its_name_and_its_category(desk: Any) -> None:
    admin = desk.as_("admin")
    me = admin.get(f"{V2}/myself")
    lead = {"leadAccountId": me["accountId"]} if desk.cloud else {"lead": me["name"]}
    body = {"key": "CHG", "name": "To change", "projectTypeKey": "business", **lead}
    admin.post(f"{V2}/project", body)
    category = admin.post(f"{V2}/projectCategory", {"name": "Ours", "description": "All"})
    changed = admin.put(
        f"{V2}/project/CHG",
        {"name": "Changed", "description": "New", "categoryId": int(category["id"]), **lead},
        200,
    )
    assert (changed["name"], changed["projectCategory"]["name"]) == ("Changed", "Ours")
    admin.put(f"{V2}/projectCategory/{category['id']}", {"name": "Theirs"}, 200)
    assert admin.get(f"{V2}/projectCategory/{category['id']}")["name"] == "Theirs"
    admin.delete(f"{V2}/projectCategory/{category['id']}")
    assert "projectCategory" not in admin.get(f"{V2}/project/CHG")
    admin.delete(f"{V2}/project/CHG")
    kanban = {
        "key": "KAN", "name": "Kanban", "projectTypeKey": "software",
        "projectTemplateKey": "com.pyxis.greenhopper.jira:gh-kanban-template", **lead,
    }  # fmt: skip
    admin.post(f"{V2}/project", kanban)
    assert admin.get("/rest/agile/1.0/board", name="KAN")["values"][0]["type"] == "kanban"
    admin.delete(f"{V2}/project/KAN")


def test_parts_of_a_project_are_its_administrators(desk: Any) -> None:
    admin, agent = desk.as_("admin"), desk.as_("agent")
    for table in ("component", "version"):
        made = admin.post(f"{V2}/{table}", {"name": f"A {table}", "project": "OPS"})
        again = {"name": f"A {table}", "project": "OPS"}
        assert admin.status("POST", f"{V2}/{table}", json=again) == 400
        path = f"{V2}/{table}/{made['id']}"
        assert agent.status("PUT", path, json={"name": "Mine"}) == 403
        assert agent.status("DELETE", path) == 403
        counts = admin.get(f"{path}/relatedIssueCounts")
        assert 0 in counts.values()
        if table == "version":
            assert admin.get(f"{path}/unresolvedIssueCount")["issuesUnresolvedCount"] == 0
        admin.delete(path)


def test_the_desk_tells_its_corners(desk: Any) -> None:
    agent, requester = desk.as_("agent"), desk.as_("requester")
    key = desk.raise_request("requester", "Get IT help", description="h1. Help")
    path = f"{DESK}/request/{key}"
    fields = agent.get(
        f"{DESK}/servicedesk/1/requesttype/{desk.request_types['Get IT help']}/field"
    )
    priority = next(one for one in fields["requestTypeFields"] if one["fieldId"] == "priority")
    assert len(priority["validValues"]) == 5
    assert requester.status("POST", f"{path}/comment", json={"body": " "}) == 400
    assert requester.status("POST", f"{path}/comment", json={"body": 7}) == 400
    made = requester.post(f"{path}/comment", {"body": "*Thanks*", "public": True})
    rendered = requester.get(f"{path}/comment/{made['id']}", expand="renderedBody")
    assert "<strong>Thanks</strong>" in rendered["renderedBody"]["html"]
    assert requester.status("GET", f"{path}/comment/99999999") == 404
    assert agent.status("GET", f"{path}/sla/99") == 404
    assert requester.status("GET", f"{path}/sla") in {403, 404}
    nobody = {"accountIds": ["nobody"], "usernames": ["nobody"]}
    assert agent.status("POST", f"{path}/participant", json=nobody) == 400
    assert requester.status("POST", f"{path}/transition", json={"id": "9999"}) == 400
    assert agent.status("GET", f"{path}/approval/99") == 404
    for asked in ("OWNED_REQUESTS", "PARTICIPATED_REQUESTS", "APPROVER", "ALL_REQUESTS"):
        requester.get(f"{DESK}/request", requestOwnership=asked)
    assert agent.status("GET", f"{DESK}/request", params={"requestOwnership": "NOBODYS"}) == 400
    closed = requester.get(f"{DESK}/request", requestStatus="CLOSED_REQUESTS")["values"]
    assert key not in [one["issueKey"] for one in closed]
    there = requester.get(f"{DESK}/request", requestStatus="OPEN_REQUESTS", serviceDeskId="1")
    assert key in [one["issueKey"] for one in there["values"]]
    none = requester.get(f"{DESK}/request", requestTypeId="99")["values"]
    assert none == []


def test_a_decision_can_bring_a_comment_on_data_center(server: Any) -> None:
    key = server.change_at_gate()
    number = server.approvals(key)[-1]["id"]
    path = f"{DESK}/request/{key}/approval/{number}"
    body = {"decision": "approve", "comment": "Looks good", "commentPublic": True}
    assert server.as_("approver1").status("POST", path, json=body) == 200
    comments = server.as_("agent").get(f"{DESK}/request/{key}/comment")["values"]
    assert [(one["body"], one["public"]) for one in comments] == [("Looks good", True)]
    history = {"requestOwnership": "APPROVER", "approvalStatus": "MY_HISTORY_APPROVAL"}
    found = server.as_("approver1").get(f"{DESK}/request", **history)["values"]
    assert key in [one["issueKey"] for one in found]


DOCUMENTS = [
    {"type": "doc", "version": 1, "content": [{"type": "nosuch"}]},
    {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [7]}]},
    {"type": "doc", "version": 1, "content": [{"type": "text", "text": ""}]},
    {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [
        {"type": "text", "text": "x", "marks": "bold"}]}]},
    {"type": "doc", "version": 1, "content": [{"type": "paragraph", "attrs": 7}]},
    {"type": "doc", "version": 1, "content": "words"},
    {"type": "doc"},
]  # fmt: skip


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_document_that_is_none_is_refused(cloud: Any, document: dict[str, Any]) -> None:
    issue = cloud.ops_issue()
    path = f"/rest/api/3/issue/{issue}/comment"
    assert cloud.as_("admin").status("POST", path, json={"body": document}) == 400


def test_panels_and_small_letters_are_read_as_wiki_text(cloud: Any) -> None:
    admin, issue = cloud.as_("admin"), cloud.ops_issue()

    def text(words: str, *marks: dict[str, Any]) -> dict[str, Any]:
        return {"type": "text", "text": words, "marks": list(marks)}

    def below(kind: str) -> dict[str, Any]:
        return {"type": "subsup", "attrs": {"type": kind}}

    inner = {"type": "paragraph", "content": [text("H"), text("2", below("sub")), text("O")]}
    upper = {"type": "paragraph", "content": [text("m"), text("3", below("sup"))]}
    panel = {"type": "panel", "attrs": {"panelType": "info"}, "content": [inner, upper]}
    body = {"type": "doc", "version": 1, "content": [panel]}
    number = admin.post(f"/rest/api/3/issue/{issue}/comment", {"body": body})["id"]
    shown = admin.get(f"{V2}/issue/{issue}/comment/{number}")["body"]
    assert shown.startswith("{panel}")
    assert "~2~" in shown
    assert "^3^" in shown


VALUES: list[tuple[str, Any, int]] = [
    ("customfield_10008", "", 204),
    ("customfield_10008", "soon", 400),
    ("customfield_10008", 7, 400),
    ("customfield_10048", "", 204),
    ("customfield_10048", "2026-02-30", 400),
    ("customfield_10051", [{"value": "Berlin"}, {"value": "Tokyo"}], 204),
    ("customfield_10051", [{"value": "Rome"}], 400),
    ("customfield_10051", {"value": "Berlin"}, 400),
    ("customfield_10016", True, 400),
    ("customfield_10016", 3, 204),
    ("customfield_10014", "NOSUCH-1", 400),
    ("customfield_10020", {"id": 1}, 400),
    ("customfield_10050", None, 204),
    ("customfield_10038", [{"name": "CAB Approval"}], 204),
    ("customfield_10038", [{"name": "nobodies"}], 400),
    ("components", [{"name": "none"}], 400),
    ("fixVersions", [{"id": "99"}], 400),
    ("timetracking", {"originalEstimate": "soon"}, 400),
    ("timetracking", {"originalEstimate": "1d", "remainingEstimate": "4h"}, 204),
    ("parent", {"key": "NOSUCH-1"}, 400),
    ("labels", ["x" * 256], 400),
    ("summary", "x" * 256, 400),
    ("summary", "two\nlines", 400),
    ("priority", {"id": "77"}, 400),
    ("duedate", "2026-05-01", 204),
]


@pytest.mark.parametrize(("field", "value", "status"), VALUES)
def test_a_field_takes_its_kind_of_value(desk: Any, field: str, value: Any, status: int) -> None:
    issue = desk.ops_issue()
    body = {"fields": {field: value}}
    known = desk.as_("admin").get(f"{V2}/issue/{issue}/editmeta")["fields"]
    answer = desk.as_("admin").send("PUT", f"{V2}/issue/{issue}", json=body)
    assert answer.status_code == (status if field in known else 400), answer.text


def test_what_a_change_was_stands_in_the_changelog(desk: Any) -> None:
    admin, issue = desk.as_("admin"), desk.ops_issue()
    fields = {
        "customfield_10051": [{"value": "Berlin"}, {"value": "Tokyo"}],
        "customfield_10016": 3,
        "duedate": "2026-05-01",
        "labels": ["a", "b"],
    }
    admin.put(f"{V2}/issue/{issue}", {"fields": fields})
    (entry,) = admin.get(f"{V2}/issue/{issue}", expand="changelog")["changelog"]["histories"]
    words = {one["field"]: one["toString"] for one in entry["items"]}
    assert words["Affected sites"] == "Berlin,Tokyo"
    assert words["labels"] == "a b"
    assert words["duedate"].startswith("2026-05-01")


SEEDS: list[dict[str, Any]] = [
    {"accounts": [{"name": "nobody"}]},
    {"accounts": [{"name": "bob.miller", "zone": "Mars/Olympus"}]},
    {"bulk": {"project": "NO", "type": "Bug", "count": 1}},
    {"bulk": {"project": "OPS", "type": "Bug", "count": 1, "status": "Nowhere"}},
    {"requests": [{"reporter": "nobody", "type": "Get IT help", "fields": {}}]},
    {"requests": [{"reporter": "bob.miller", "type": "Nothing", "fields": {}}]},
    {"statuses": [{"issue": "NO-1", "status": "Open", "by": "admin"}]},
    {"moves": [{"issue": "NO-1", "project": "OPS"}]},
    {"conditions": [{"approval": 99, "type": "number", "value": 1}]},
    {"nothing": 1},
    {"moves": 7},
]


@pytest.mark.parametrize("document", SEEDS, ids=[str(one)[:60] for one in SEEDS])
def test_a_seed_that_cannot_be_carried_out_says_why(desk: Any, document: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="error"):
        desk.admin("POST", "/seed", document)


def test_an_issue_is_made_with_properties_and_a_first_transition(desk: Any) -> None:
    admin = desk.as_("admin")
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "At once"}
    body = {
        "fields": fields,
        "properties": [{"key": "marker", "value": 1}, {"value": 2}],
        "transition": {"id": "4"},
    }
    key = admin.post(f"{V2}/issue", body)["key"]
    assert admin.get(f"{V2}/issue/{key}/properties/marker")["value"] == 1
    assert desk.state(key) == "In Progress"
    admin.put(f"{V2}/issue/{key}", {"properties": [{"key": "marker", "value": 3}, 7]})
    assert admin.get(f"{V2}/issue/{key}/properties/marker")["value"] == 3
    refused: list[Any] = [7, {}, {"issueUpdates": []}, {"issueUpdates": [{}] * 51}]
    for wrong in refused:
        assert admin.status("POST", f"{V2}/issue/bulk", json=wrong) == 400
    some = admin.get(f"{V2}/issue/{key}", expand="operations", properties="marker")
    assert some["properties"] == {"marker": 3}
    assert "operations" in some
    again = {"transition": {"id": "words"}}
    assert admin.status("POST", f"{V2}/issue/{key}/transitions", json=again) == 400
    wanted = admin.get(f"{V2}/issue/{key}/transitions", transitionId="5")["transitions"]
    assert [one["id"] for one in wanted] == ["5"]


def test_people_without_the_right_change_nothing(desk: Any) -> None:
    requester, agent = desk.as_("requester"), desk.as_("agent")
    key = desk.raise_request("requester", "Get IT help")
    path = f"{V2}/issue/{key}"
    collaborator = desk.as_("approver1")
    assert collaborator.status("PUT", path, json={"fields": {"summary": "Mine"}}) == 403
    assert collaborator.status("PUT", f"{path}/assignee", json={"name": None}) == 403
    assert collaborator.status("DELETE", path) == 403
    assert collaborator.status("PUT", f"{path}/properties/x", json=1) == 403
    assert collaborator.status("POST", f"{path}/worklog", json={"timeSpent": "1h"}) == 403
    sprint = {"issues": [key]}
    assert collaborator.status("POST", "/rest/agile/1.0/backlog/issue", json=sprint) == 403
    assert collaborator.get(f"{path}/editmeta")["fields"] == {}
    assert requester.status("GET", path) == 404
    assert agent.status("DELETE", path) == 403


def test_a_sprint_needs_a_name_and_a_rank_needs_one_neighbour(desk: Any) -> None:
    admin = desk.as_("admin")
    made = admin.post(f"{V2}/filter", {"name": "Names", "jql": "project = OPS"}, 200)
    board = {"name": "Names", "type": "scrum", "filterId": int(made["id"])}
    number = admin.post("/rest/agile/1.0/board", board)["id"]
    for name in ("", "x" * 256, 7):
        body = {"name": name, "originBoardId": number}
        assert admin.status("POST", "/rest/agile/1.0/sprint", json=body) == 400
    body = {"name": "Goal", "originBoardId": number}
    sprint = admin.post("/rest/agile/1.0/sprint", body)["id"]
    path = f"/rest/agile/1.0/sprint/{sprint}"
    dates = {"startDate": "2026-04-11T15:22:00.000Z", "endDate": "2026-04-20T01:22:00.000Z"}
    changed = admin.post(
        path, {"goal": "Ship it", "name": "Goals", **dates, "state": "active"}, 200
    )
    assert (changed["goal"], changed["name"]) == ("Ship it", "Goals")
    kept = admin.put(path, {"name": "Kept", "state": "active"}, 200)
    assert kept["startDate"] == changed["startDate"]
    issue, other = desk.ops_issue(), desk.ops_issue()
    moved = {"issues": [issue]}
    assert admin.status("POST", f"/rest/agile/1.0/board/{number}/issue", json=moved) == 204
    rank = "/rest/agile/1.0/issue/rank"
    assert admin.status("PUT", rank, json={"issues": [issue]}) == 400
    assert admin.status("PUT", rank, json={"issues": "x", "rankBeforeIssue": other}) == 400
    assert admin.status("PUT", rank, json={**moved, "rankBeforeIssue": issue}) == 204
