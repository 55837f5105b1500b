"""Real payloads of the vendor and the sandbox's answers have the same shape."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.shared

# What a real site shows and this one does not, each with its reason.
ABSENT = {
    "issuerestriction": "a switch of team-managed projects",
    "aggregatetimeestimate": "sums over sub-tasks of premium reports",
    "aggregatetimeoriginalestimate": "sums over sub-tasks of premium reports",
    "aggregatetimespent": "sums over sub-tasks of premium reports",
    "thumbnail": "a column of the issue navigator",
}


@pytest.fixture(scope="module")
def real(shared: Path) -> Path:
    return shared / "fixtures" / "jira"


def _load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))


def _differences(real: Any, ours: Any, at: str = "") -> list[str]:
    """Where a value of ours has another JSON type than the vendor's, or lacks a key of it."""
    if real is None or ours is None:
        return []
    if isinstance(real, dict):
        if not isinstance(ours, dict):
            return [f"{at}: {type(ours).__name__} for an object"]
        found = [f"{at}/{key} is missing" for key in real if key not in ours]
        for key in real.keys() & ours.keys():
            found += _differences(real[key], ours[key], f"{at}/{key}")
        return found
    if isinstance(real, list):
        if not isinstance(ours, list):
            return [f"{at}: {type(ours).__name__} for an array"]
        return _differences(real[0], ours[0], f"{at}[]") if real and ours else []
    kinds = (
        (int, float) if isinstance(real, int | float) and not isinstance(real, bool) else type(real)
    )
    return (
        []
        if isinstance(ours, kinds)
        else [f"{at}: {type(ours).__name__} for {type(real).__name__}"]
    )


def test_an_approval_has_the_shape_of_a_real_one(cloud: Any, real: Path) -> None:
    key = cloud.change_at_gate()
    number = cloud.approvals(key)[0]["id"]
    cloud.answer(key, number, "approver1")
    page = cloud.as_("integration").get(f"/rest/servicedeskapi/request/{key}/approval")
    expected = _load(real, "go-atlassian/jira_sm_mocks_get-approvals.json")
    gone = {"/values[]/approvers[]/approver/name", "/values[]/approvers[]/approver/key"}
    for one in _differences(expected, page):
        where = one.removesuffix(" is missing")
        assert where in gone or where in {"/_links/next", "/_links/prev"}, one


def test_a_request_has_the_shape_of_a_real_one(cloud: Any, real: Path) -> None:
    key = cloud.raise_request("requester", "Reset password", description="d")
    ours = cloud.as_("requester").get(f"/rest/servicedeskapi/request/{key}")
    expected = _load(real, "go-atlassian/jira_sm_mocks_get-customer-request.json")
    left = {"/reporter/name is missing", "/reporter/key is missing"}
    assert set(_differences(expected, ours)) <= left


def test_an_issue_has_the_shape_of_a_real_one(cloud: Any, real: Path) -> None:
    key = cloud.ops_issue(labels=["a"], description="d", priority={"name": "High"})
    cloud.as_("integration").post(f"/rest/api/2/issue/{key}/comment", {"body": "c"})
    ours = cloud.as_("integration").get(f"/rest/api/2/issue/{key}")
    expected = _load(real, "go-atlassian/jira_v3_mocks_get-issue-v2.json")
    found = []
    for one in _differences(expected, ours):
        name = one.split("/")[2].split(" ")[0] if one.startswith("/fields/") else ""
        if name.startswith("customfield_") or name in ABSENT:
            continue
        found.append(one)
    assert found == []


def test_comments_and_transitions_have_the_shape_of_real_ones(cloud: Any, real: Path) -> None:
    client, key = cloud.as_("integration"), cloud.ops_issue()
    client.post(f"/rest/api/2/issue/{key}/comment", {"body": "c"})
    page = client.get(f"/rest/api/3/issue/{key}/comment", expand="renderedBody")
    assert _differences(_load(real, "xsoar/get_comments.one_comment.json"), page) == []
    shown = client.get(f"/rest/api/3/issue/{key}/transitions")
    assert _differences(_load(real, "xsoar/get_transitions.raw_response.json"), shown) == []


def test_slas_forms_and_desks_have_the_shape_of_real_ones(cloud: Any, real: Path) -> None:
    agent = cloud.as_("agent")
    key = cloud.raise_request("requester", "Get IT help")
    pages = {
        "get-customer-slas": f"/rest/servicedeskapi/request/{key}/sla",
        "get-customer-transitions": f"/rest/servicedeskapi/request/{key}/transition",
        "get-service-desk-projects": "/rest/servicedeskapi/servicedesk",
        "get-request-types": "/rest/servicedeskapi/servicedesk/1/requesttype",
        "get-service-desk-queues": "/rest/servicedeskapi/servicedesk/1/queue",
        "get-service-management-info": "/rest/servicedeskapi/info",
    }
    for name, path in pages.items():
        expected = _load(real, f"go-atlassian/jira_sm_mocks_{name}.json")
        left = {"/_links/next is missing", "/_links/prev is missing"}
        found = set(_differences(expected, agent.get(path, includeCount="true")))
        assert found <= left, (name, found)


def test_the_quoted_errors_are_answered_word_for_word(cloud: Any, real: Path) -> None:
    quoted = {one["case"]: one for one in _load(real, "quoted/errors.json")}
    client = cloud.as_("integration")
    cases = {
        "cloud legacy search removed": client.send("GET", "/rest/api/3/search"),
        "cloud search/jql unbounded JQL": client.send(
            "GET", "/rest/api/3/search/jql", params={"jql": "ORDER BY created"}
        ),
        "cloud search/jql POST with wrong-typed or unknown body field (e.g. expand as array)": (
            client.send("POST", "/rest/api/3/search/jql", json={"jql": "a=b", "expand": []})
        ),
        "issue not found (cloud)": client.send("GET", "/rest/api/3/issue/NOPE-1"),
    }
    for name, answer in cases.items():
        expected = quoted[name]
        assert (answer.status_code, answer.json()) == (expected["status"], expected["body"])
