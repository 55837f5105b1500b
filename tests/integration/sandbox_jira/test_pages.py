"""The approval page: decisions go through the native rows, hostile text stays text."""

import re
from typing import Any

import requests


def _page(desk: Any, **query: str) -> str:
    answer = requests.get(f"{desk.sandbox.url}/approvals", params=query, timeout=9)
    assert answer.headers["content-type"] == "text/html;charset=UTF-8"
    return answer.text


def _form(page: str, key: str) -> dict[str, str]:
    article = next(one for one in page.split("<article")[1:] if f"/browse/{key}" in one)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', article))


def test_an_approver_sees_the_change_and_approves_it(desk: Any) -> None:
    key = desk.raise_request(
        "integration",
        "Request a change",
        customfield_10040="1. Add <script>alert(1)</script>",
        customfield_10005={"value": "Normal"},
    )
    desk.move(key, "Plan")
    desk.move(key, "Request approval")
    page = _page(desk, person="howard.johnson")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    form = {**_form(page, key), "decision": "approve", "comment": "fine with me"}
    answer = requests.post(f"{desk.sandbox.url}/approvals", data=form, timeout=9)
    assert f"Approved: {key}" in answer.text
    (approval,) = desk.approvals(key)
    assert approval["finalDecision"] == "approved"
    decided = [one for one in approval["approvers"] if one["approverDecision"] == "approved"]
    assert [one["approver"]["displayName"] for one in decided] == ["Howard Johnson"]
    assert "fine with me" in requests.get(f"{desk.sandbox.url}/browse/{key}", timeout=9).text
    again = requests.post(f"{desk.sandbox.url}/approvals", data=form, timeout=9)
    assert "already" in again.text


def test_a_person_who_is_no_approver_decides_nothing(desk: Any) -> None:
    key = desk.change_at_gate()
    form = {
        **_form(_page(desk, person="beth.anglin"), key),
        "person": "bob.miller",
        "decision": "approve",
    }
    assert "permission" in requests.post(f"{desk.sandbox.url}/approvals", data=form, timeout=9).text
    assert desk.state(key) == "Authorize"


def test_the_page_lists_tickets_and_changes_and_takes_nonsense(desk: Any) -> None:
    key = desk.raise_request("requester", "Reset password", description="please")
    page = _page(desk)
    assert f"/browse/{key}" in page
    assert 'id="changes"' in page
    for form in ({}, {"person": "x", "issue": "y", "approval": "z", "decision": "approve"}):
        assert (
            requests.post(f"{desk.sandbox.url}/approvals", data=form, timeout=9).status_code == 200
        )
    assert requests.get(f"{desk.sandbox.url}/browse/NOPE-1", timeout=9).status_code == 200
