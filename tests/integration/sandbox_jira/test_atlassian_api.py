"""atlassian-python-api, used as its documentation does, takes a change through its approval."""

from typing import Any

import atlassian
import pytest
import requests
from atlassian.errors import ApiError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


Jira: Any = atlassian.Jira  # the package has no types
ServiceDesk: Any = atlassian.ServiceDesk


def _arguments(desk: Any, role: str) -> dict[str, Any]:
    held = desk.sandbox.accounts[role]
    return {
        "url": desk.sandbox.url,
        "username": held["username"],
        "password": held["password"],
        "cloud": desk.cloud,
    }


def test_a_ticket_is_created_found_changed_commented_and_moved(desk: Any) -> None:
    client = Jira(**_arguments(desk, "integration"))
    made = client.issue_create(
        {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "by atlassian"}
    )
    key = made["key"]
    found = (
        client.enhanced_jql("summary ~ atlassian")
        if desk.cloud
        else client.jql("summary ~ atlassian")
    )
    assert [one["id"] for one in found["issues"]] == [made["id"]]
    client.update_issue_field(key, {"labels": ["a"]})
    assert client.issue_field_value(key, "labels") == ["a"]
    client.issue_add_comment(key, "a comment")
    assert client.issue_get_comments(key)["total"] == 1
    client.set_issue_status(key, "In Progress")
    assert client.get_issue_status(key) == "In Progress"
    assert [one["name"] for one in client.get_issue_transitions(key)]
    history = client.get_issue_changelog(key)
    assert (
        history["histories" if not desk.cloud else "values"]
        if "values" in history
        else history["histories"]
    )


def test_a_change_is_approved_by_its_approver(desk: Any) -> None:
    raised = ServiceDesk(**_arguments(desk, "integration")).create_customer_request(
        "1",
        desk.request_types["Request a change"],
        {"summary": "by atlassian", "customfield_10040": "do it"},
    )
    key = raised["issueKey"]
    worker = Jira(**_arguments(desk, "integration"))
    worker.set_issue_status(key, "Planning")
    worker.set_issue_status(key, "Authorize")
    ours = ServiceDesk(**_arguments(desk, "integration"))
    (approval,) = ours.get_approvals(key)
    assert approval["canAnswerApproval"] is False
    with pytest.raises((requests.HTTPError, ApiError)):
        ours.answer_approval(key, approval["id"], "approve")
    approver = ServiceDesk(**_arguments(desk, "approver1"))
    decided = approver.answer_approval(key, approval["id"], "approve")
    assert decided["finalDecision"] == "approved"
    assert ours.get_approval_by_id(key, approval["id"])["finalDecision"] == "approved"
    assert desk.state(key) == "Awaiting Implementation"
    with pytest.raises((requests.HTTPError, ApiError)):
        approver.answer_approval(key, approval["id"], "approve")
    worker.set_issue_status(key, "Implementing")
    worker.set_issue_status(key, "Completed")
    assert desk.state(key) == "Completed"


def test_service_desk_resources(desk: Any) -> None:
    client = ServiceDesk(**_arguments(desk, "agent"))
    assert client.get_info()["isLicensedForUse"] is True
    assert client.get_service_desks()[0]["projectKey"] == "ITH"
    key = client.create_customer_request(
        "1", desk.request_types["Reset password"], {"summary": "s"}
    )["issueKey"]
    assert client.get_customer_request(key)["issueKey"] == key
    assert "Waiting for support" in str(client.get_customer_request_status(key))
    made = client.create_request_comment(key, "internal", public=False)
    assert made["public"] is False
    assert len(client.get_request_comments(key)) == 1
    moves = client.get_customer_transitions(key)["values"]
    client.perform_transition(key, moves[0]["id"], "moving")
    assert client.get_sla(key)
    assert client.get_queues("1")


def test_errors_are_the_clients_own(desk: Any) -> None:
    client = Jira(**_arguments(desk, "integration"))
    with pytest.raises((requests.HTTPError, ApiError)):
        client.issue("NOPE-1")
    with pytest.raises((requests.HTTPError, ApiError)):
        client.issue_create({"project": {"key": "OPS"}, "summary": "s"})
    wrong = Jira(desk.sandbox.url, username="nobody", password="x", cloud=desk.cloud)
    with pytest.raises((requests.HTTPError, ApiError)):
        wrong.myself()
