"""A change goes through its native approval, and only an approver's own answer moves it."""

from typing import Any

import pytest
import requests


def test_a_change_waits_for_its_approvers_and_is_moved_by_the_desk_itself(desk: Any) -> None:
    key = desk.change_at_gate()
    (approval,) = desk.approvals(key)
    assert approval["name"] == "Authorize"
    assert approval["finalDecision"] == "pending"
    assert approval["canAnswerApproval"] is False
    names = {one["approver"]["displayName"] for one in approval["approvers"]}
    assert names == {"Howard Johnson", "Beth Anglin", "Bow Ruggeri"}
    assert "completedDate" not in approval
    assert desk.approvals(key, "approver1")[0]["canAnswerApproval"] is True
    answered = desk.answer(key, approval["id"], "approver1")
    assert answered.json()["finalDecision"] == "approved"
    assert desk.state(key) == "Awaiting Implementation"
    desk.move(key, "Implement")
    desk.move(key, "Complete", fields={"resolution": {"name": "Done"}})
    issue = desk.as_("integration").get(f"/rest/api/2/issue/{key}", expand="changelog")
    moves = [
        (one["toString"], entry["author"]["displayName"])
        for entry in sorted(issue["changelog"]["histories"], key=lambda held: int(held["id"]))
        for one in entry["items"]
        if one["field"] == "status"
    ]
    assert moves[2] == ("Awaiting Implementation", "Howard Johnson")
    assert issue["fields"]["resolution"]["name"] == "Done"
    assert issue["fields"]["resolutiondate"]


def test_nobody_but_an_approver_can_answer(desk: Any) -> None:
    key = desk.change_at_gate()
    number = desk.approvals(key)[0]["id"]
    for role in ("integration", "admin", "agent"):
        assert desk.answer(key, number, role).status_code == 403
    assert desk.state(key) == "Authorize"


def test_no_agent_finds_or_runs_the_approve_transition(desk: Any) -> None:
    key = desk.change_at_gate()
    path = f"/rest/api/2/issue/{key}/transitions"
    for role in ("integration", "admin"):
        known = desk.as_(role).get(path)["transitions"]
        assert [one["name"] for one in known] == ["Cancel"]
        assert desk.as_(role).status("POST", path, json={"transition": {"id": "801"}}) == 400
    assert desk.state(key) == "Authorize"


def test_a_decline_ends_the_change_and_a_second_answer_is_a_conflict(desk: Any) -> None:
    key = desk.change_at_gate()
    number = desk.approvals(key)[0]["id"]
    assert desk.answer(key, number, "approver2", "decline").json()["finalDecision"] == "declined"
    assert desk.state(key) == "Declined"
    assert desk.answer(key, number, "approver1").status_code == 409
    assert desk.answer(key, number, "approver1", "maybe").status_code == 400


def test_entering_the_status_again_opens_a_new_approval(desk: Any) -> None:
    key = desk.change_at_gate()
    first = desk.approvals(key)[0]["id"]
    desk.answer(key, first, "approver1")
    desk.move(key, "Return to planning")
    desk.move(key, "Request approval")
    found = desk.approvals(key)
    assert [one["finalDecision"] for one in found] == ["approved", "pending"]
    assert found[1]["id"] != first
    assert desk.answer(key, first, "approver2").status_code == 409


def test_an_approval_that_was_left_cannot_be_answered(desk: Any) -> None:
    key = desk.change_at_gate()
    number = desk.approvals(key)[0]["id"]
    desk.move(key, "Cancel")
    assert desk.answer(key, number, "approver1").status_code == 409
    assert desk.state(key) == "Canceled"


def test_a_major_change_passes_two_stages_of_which_the_second_does_not_exist_before(
    desk: Any,
) -> None:
    key = desk.change_at_gate("Request a major change")
    (peers,) = desk.approvals(key)
    assert (peers["name"], len(peers["approvers"])) == ("Peer review", 2)
    assert desk.answer(key, peers["id"], "agent").json()["finalDecision"] == "pending"
    assert desk.state(key) == "Peer review"
    account = desk.sandbox.site.people.by_name("ada.tuter")
    body = {"decision": "approve"}
    path = f"/rest/servicedeskapi/request/{key}/approval"
    login = (account.email if desk.cloud else account.name, "ada.tuter-pw")
    header = {"X-ExperimentalApi": "opt-in"}
    session = desk.as_(None).session
    answer = session.post(
        f"{desk.sandbox.url}{path}/{peers['id']}", json=body, auth=login, headers=header, timeout=9
    )
    assert answer.json()["finalDecision"] == "approved"
    second = desk.approvals(key)[1]
    assert (second["name"], second["finalDecision"]) == ("Authorize", "pending")
    desk.answer(key, second["id"], "approver1")
    assert desk.state(key) == "Authorize"
    desk.answer(key, second["id"], "approver2")
    assert desk.state(key) == "Awaiting Implementation"


def test_approvers_are_those_of_the_moment_of_entry(desk: Any) -> None:
    key = desk.raise_request("integration", "Request a change")
    desk.move(key, "Plan")
    client = desk.as_("integration")
    beth = desk.sandbox.site.people.by_name("beth.anglin")
    one = {"accountId": beth.id} if desk.cloud else {"name": beth.name}
    client.put(f"/rest/api/2/issue/{key}", {"fields": {"customfield_10003": [one]}})
    desk.move(key, "Request approval")
    client.put(f"/rest/api/2/issue/{key}", {"fields": {"customfield_10003": []}})
    (approval,) = desk.approvals(key)
    assert [held["approver"]["displayName"] for held in approval["approvers"]] == ["Beth Anglin"]
    shown = client.get(f"/rest/api/2/issue/{key}", fields="customfield_10029")["fields"]
    assert shown["customfield_10029"][0]["id"] == approval["id"]


def test_a_reporter_who_sits_in_the_authority_is_no_approver_of_the_own_change(desk: Any) -> None:
    key = desk.raise_request("approver1", "Request a change")
    desk.move(key, "Plan")
    desk.move(key, "Request approval")
    names = {one["approver"]["displayName"] for one in desk.approvals(key)[0]["approvers"]}
    assert names == {"Beth Anglin", "Bow Ruggeri"}


def test_requests_wait_for_the_asked_approver_in_his_own_list(desk: Any) -> None:
    key = desk.change_at_gate()
    query = {"requestOwnership": "APPROVER", "approvalStatus": "MY_PENDING_APPROVAL"}
    keys = [
        one["issueKey"]
        for one in desk.as_("approver1").get("/rest/servicedeskapi/request", **query)["values"]
    ]
    assert key in keys
    desk.answer(key, desk.approvals(key)[0]["id"], "approver1")
    keys = [
        one["issueKey"]
        for one in desk.as_("approver1").get("/rest/servicedeskapi/request", **query)["values"]
    ]
    assert key not in keys


def test_an_issue_without_a_request_type_is_no_request(desk: Any) -> None:
    client = desk.as_("integration")
    body = {
        "fields": {
            "project": {"key": "ITH"},
            "issuetype": {"name": "[System] Change"},
            "summary": "c",
        }
    }
    key = client.post("/rest/api/2/issue", body)["key"]
    assert client.status("GET", f"/rest/servicedeskapi/request/{key}") == 404
    body["fields"]["customfield_10010"] = desk.request_types["Request a change"]
    key = client.post("/rest/api/2/issue", body)["key"]
    assert client.get(f"/rest/servicedeskapi/request/{key}")["issueKey"] == key


def test_an_agent_raises_on_behalf_and_a_customer_does_not(desk: Any) -> None:
    held = desk.sandbox.accounts["requester"]["username"]
    body = {"serviceDeskId": "1", "requestTypeId": desk.request_types["Reset password"],
            "raiseOnBehalfOf": held, "requestFieldValues": {"summary": "s"}}  # fmt: skip
    key = desk.as_("agent").post("/rest/servicedeskapi/request", body)["issueKey"]
    issue = desk.as_("agent").get(f"/rest/api/2/issue/{key}", fields="reporter,creator")["fields"]
    assert (issue["reporter"]["displayName"], issue["creator"]["displayName"]) == (
        "Bob Miller",
        "Luke Wilson",
    )
    assert desk.as_("approver1").status("POST", "/rest/servicedeskapi/request", json=body) == 403
    own = desk.raise_request("requester", "Reset password")
    issue = desk.as_("agent").get(f"/rest/api/2/issue/{own}", fields="reporter,creator")["fields"]
    assert issue["reporter"] == issue["creator"]


@pytest.mark.parametrize(
    "values",
    [
        {"unknown": "x"},
        {"customfield_10005": {"value": "Weird"}},
        {"summary": ""},
        {"customfield_10008": "soon"},
    ],
)
def test_only_fields_of_the_form_with_valid_values_are_taken(
    desk: Any, values: dict[str, Any]
) -> None:
    body = {"serviceDeskId": "1", "requestTypeId": desk.request_types["Request a change"],
            "requestFieldValues": {"summary": "s", **values}}  # fmt: skip
    answer = desk.as_("integration").send("POST", "/rest/servicedeskapi/request", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"errorMessage", "i18nErrorMessage"}


def test_a_plain_project_has_approval_by_status_for_the_group_alone(desk: Any) -> None:
    key = desk.ops_issue()
    desk.move(key, "Request approval")
    path = f"/rest/api/2/issue/{key}/transitions"
    assert "Approve" not in [
        one["name"] for one in desk.as_("integration").get(path)["transitions"]
    ]
    if desk.cloud:
        shown = desk.as_("integration").get(path, includeUnavailableTransitions="true")
        open_to = {one["name"]: one["isAvailable"] for one in shown["transitions"]}
        assert (open_to["Approve"], open_to["Back to work"]) == (False, True)
    desk.move(key, "Approve", "approver1")
    assert desk.state(key) == "Approved"


def test_data_center_wants_the_header_for_experimental_resources(server: Any) -> None:
    key = server.change_at_gate()
    path = f"/rest/servicedeskapi/request/{key}/approval"
    answer = server.as_("integration").send("GET", path, headers={"X-ExperimentalApi": "no"})
    assert answer.status_code == 412
    assert answer.json()["errorMessage"].startswith("This API is experimental")
    shown = server.approvals(key)[0]
    assert shown["condition"] == {"type": "number", "value": "1"}


@pytest.mark.parametrize(
    ("kind", "value", "answers"),
    [("number", 2, 2), ("percent", 100, 3), ("percent", 34, 2), ("number", 9, 3)],
)
def test_an_approval_is_complete_when_its_condition_is_met(
    desk: Any, kind: str, value: int, answers: int
) -> None:
    key = desk.change_at_gate()
    number = desk.approvals(key)[0]["id"]
    asked = {"conditions": [{"approval": number, "type": kind, "value": value}]}
    desk.admin("POST", "/seed", asked)
    third = desk.sandbox.site.people.by_name("bow.ruggeri")
    path = f"{desk.sandbox.url}/rest/servicedeskapi/request/{key}/approval/{number}"
    login = (third.email if desk.cloud else third.name, "bow.ruggeri-pw")
    given = ["pending"] * (answers - 1) + ["approved"]
    seen = []
    for turn in range(answers):
        if turn == 2:
            body, header = {"decision": "approve"}, {"X-ExperimentalApi": "opt-in"}
            done = requests.post(path, json=body, auth=login, headers=header, timeout=9)
        else:
            done = desk.answer(key, number, f"approver{turn + 1}")
        seen.append(done.json()["finalDecision"])
    assert seen == given
    assert desk.state(key) == "Awaiting Implementation"


def test_each_group_of_approvers_must_give_its_number(desk: Any) -> None:
    key = desk.raise_request("integration", "Request a change")
    desk.move(key, "Plan")
    groups = {"customfield_10038": [{"name": "Service Desk"}, {"name": "CAB Approval"}]}
    fields = {"customfield_10003": [], **groups}
    desk.as_("integration").put(f"/rest/api/2/issue/{key}", {"fields": fields})
    desk.move(key, "Request approval")
    (approval,) = desk.approvals(key)
    assert len(approval["approvers"]) == 5
    asked = {"approval": approval["id"], "type": "numberPerPrincipal", "value": 1}
    desk.admin("POST", "/seed", {"conditions": [asked]})
    for role in ("approver1", "approver2"):
        answer = desk.answer(key, approval["id"], role)
        assert answer.json()["finalDecision"] == "pending"
    assert desk.answer(key, approval["id"], "agent").json()["finalDecision"] == "approved"
