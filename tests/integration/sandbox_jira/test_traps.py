"""What makes Jira hard for a client is there: silent anonymity, moves, limits, zones, headers."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests


def test_cloud_answers_bad_credentials_anonymously_with_a_header(cloud: Any) -> None:
    url, login = cloud.sandbox.url, ("tiergate@example.com", "expired")
    answer = requests.get(
        f"{url}/rest/api/3/search/jql",
        params={"jql": "project = OPS OR created > -1d"},
        auth=login,
        timeout=9,
    )
    assert answer.status_code in {200, 400}
    answer = requests.get(
        f"{url}/rest/api/3/search/jql", params={"jql": "created > -1d"}, auth=login, timeout=9
    )
    assert (answer.status_code, answer.json()) == (200, {"issues": [], "isLast": True})
    assert answer.headers["x-seraph-loginreason"] == "AUTHENTICATED_FAILED"
    cloud.ops_issue()
    named = requests.get(
        f"{url}/rest/api/3/search/jql", params={"jql": "project = OPS"}, auth=login, timeout=9
    )
    assert (named.status_code, named.json()["issues"]) == (200, [])
    assert requests.get(f"{url}/rest/api/3/myself", auth=login, timeout=9).status_code == 401
    good = cloud.as_("integration").send("GET", "/rest/api/3/myself")
    assert good.headers["x-seraph-loginreason"] == "OK"


def test_data_center_refuses_bad_credentials_everywhere_with_a_page(server: Any) -> None:
    answer = requests.get(
        f"{server.sandbox.url}/rest/api/2/serverInfo", auth=("admin", "no"), timeout=9
    )
    assert answer.status_code == 401
    assert answer.headers["x-seraph-loginreason"] == "AUTHENTICATED_FAILED"
    assert answer.headers["content-type"].startswith("text/html")


def test_data_center_takes_personal_access_tokens(server: Any) -> None:
    token = server.sandbox.accounts["integration"]["token"]
    header = {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{server.sandbox.url}/rest/api/2/myself", headers=header, timeout=9)
    assert answer.json()["name"] == "tiergate"


def test_data_center_tells_its_limits_on_every_answer(server: Any) -> None:
    answer = server.as_("integration").send("GET", "/rest/api/2/myself")
    assert answer.headers["retry-after"] == "0"
    for name in ("Limit", "Remaining", "FillRate", "Interval-Seconds"):
        assert int(answer.headers[f"X-RateLimit-{name}"]) > 0
    server.admin("POST", "/seed", {"bucket": 3})
    codes = [server.as_("agent").status("GET", "/rest/api/2/myself") for _ in range(5)]
    server.admin("POST", "/seed", {"bucket": 0})
    assert codes[:3] == [200, 200, 200]
    assert 429 in codes


def test_cloud_limits_writes_to_one_issue(cloud: Any) -> None:
    key = cloud.ops_issue()
    cloud.admin("POST", "/clock", {"frozen": True})
    codes = [
        cloud.as_("integration").send(
            "PUT", f"/rest/api/2/issue/{key}", json={"fields": {"summary": f"s{n}"}}
        )
        for n in range(22)
    ]
    cloud.admin("POST", "/clock", {"frozen": False})
    assert [one.status_code for one in codes] == [204] * 20 + [429] * 2
    refused = codes[-1].headers
    assert (refused["RateLimit-Reason"], refused["Retry-After"]) == ("jira-per-issue-on-write", "2")


def test_cloud_limits_bursts_where_it_is_told_to(cloud: Any) -> None:
    cloud.admin("POST", "/seed", {"bursts": True})
    cloud.admin("POST", "/clock", {"frozen": True})
    codes = [cloud.as_("integration").send("GET", "/rest/api/2/myself") for _ in range(101)]
    cloud.admin("POST", "/clock", {"frozen": False})
    cloud.admin("POST", "/seed", {"bursts": False})
    assert codes[-1].headers["RateLimit-Reason"] == "jira-burst-based"
    assert [one.status_code for one in codes[:100]] == [200] * 100


def test_a_moved_issue_answers_to_its_old_key_with_the_new_one(desk: Any) -> None:
    old = desk.ops_issue(summary="wanderer")
    number = desk.as_("admin").get(f"/rest/api/2/issue/{old}")["id"]
    (new,) = desk.admin("POST", "/seed", {"moves": [{"issue": old, "project": "ITH"}]})["moves"]
    found = desk.as_("integration").get(f"/rest/api/2/issue/{old}")
    assert (found["key"], found["id"]) == (new, number)
    assert new.startswith("ITH-")
    assert desk.as_("integration").search("summary ~ wanderer") == [new]


def test_the_clock_of_the_sandbox_stands_in_the_date_header(desk: Any) -> None:
    desk.admin("POST", "/clock", {"offset_seconds": 7200})
    answer = desk.as_("integration").send("GET", "/rest/api/2/serverInfo")
    ahead = parsedate_to_datetime(answer.headers["Date"]) - desk.sandbox.clock.now()
    desk.admin("POST", "/clock", {"offset_seconds": 0})
    assert abs(ahead.total_seconds()) < 5


def test_wiki_text_and_documents_go_round(cloud: Any) -> None:
    client = cloud.as_("integration")
    wiki = 'h2. Plan\n\n# first *bold*\n# second {{code}}\n\n{noformat}\n{"a": 1}\n{noformat}\n\n[link|http://x.test]'
    key = cloud.ops_issue(description=wiki)
    document = client.get(f"/rest/api/3/issue/{key}", fields="description")["fields"]["description"]
    assert [one["type"] for one in document["content"]] == [
        "heading",
        "orderedList",
        "codeBlock",
        "paragraph",
    ]
    client.put(f"/rest/api/3/issue/{key}", {"fields": {"description": document}})
    assert (
        client.get(f"/rest/api/2/issue/{key}", fields="description")["fields"]["description"]
        == wiki
    )
    assert (
        client.status("PUT", f"/rest/api/3/issue/{key}", json={"fields": {"description": "text"}})
        == 400
    )
    assert (
        client.status("PUT", f"/rest/api/2/issue/{key}", json={"fields": {"description": document}})
        == 400
    )
    assert client.status("POST", f"/rest/api/3/issue/{key}/comment", json={"body": "text"}) == 400


def test_what_was_written_on_v2_is_read_on_v2_unchanged(desk: Any) -> None:
    text = 'Digest {"a":[1,2]} *x* {{y}} [z] \\{q\\} <b>&amp;</b> ^up^ h1. no\r\n| a\n\n\n end'
    key = desk.ops_issue(customfield_10040=text)
    shown = desk.as_("integration").get(f"/rest/api/2/issue/{key}", fields="customfield_10040")
    assert shown["fields"]["customfield_10040"] == text.replace("\r\n", "\n")


def test_the_changelog_endpoint_is_oldest_first_and_the_expansion_newest_first(cloud: Any) -> None:
    key = cloud.ops_issue()
    client = cloud.as_("integration")
    for name in ("one", "two"):
        client.put(f"/rest/api/2/issue/{key}", {"fields": {"summary": name}})
    page = client.get(f"/rest/api/3/issue/{key}/changelog")
    assert [one["items"][0]["toString"] for one in page["values"]] == ["one", "two"]
    issue = client.get(f"/rest/api/3/issue/{key}", expand="changelog")
    assert [one["items"][0]["toString"] for one in issue["changelog"]["histories"]] == [
        "two",
        "one",
    ]
    ids = [int(one["id"]) for one in page["values"]]
    chosen = client.post(f"/rest/api/3/issue/{key}/changelog/list", {"changelogIds": ids[:1]}, 200)
    assert chosen["total"] == 1
    bulk = client.post(
        "/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": [key], "fieldIds": ["summary"]}, 200
    )
    assert len(bulk["issueChangeLogs"][0]["changeHistories"]) == 2
    fetched = client.post(
        "/rest/api/3/issue/bulkfetch",
        {"issueIdsOrKeys": [key, "OPS-9999"], "fields": ["summary"]},
        200,
    )
    assert [one["key"] for one in fetched["issues"]] == [key]
    assert len(fetched["issueErrors"]) == 1


def test_data_center_has_no_changelog_endpoint(server: Any) -> None:
    key = server.ops_issue()
    assert server.as_("integration").status("GET", f"/rest/api/2/issue/{key}/changelog") == 404
    assert server.as_("integration").status("GET", f"/rest/api/3/issue/{key}") == 404


def test_what_common_clients_send_is_taken(desk: Any) -> None:
    client = desk.as_("integration")
    key = desk.ops_issue()
    number = client.get(f"/rest/api/2/issue/{key}/transitions/")["transitions"][0]["id"]
    body = {"transition": {"id": int(number)}, "fields": {}, "update": None}
    client.post(f"/rest/api/latest/issue/{key}/transitions/", body, 204)
    header = {"Content-Type": "application/json", "X-Atlassian-Token": "no-check"}
    assert client.send(
        "GET", f"/rest/api/2/issue/{key}/", headers=header, params={"updateHistory": "true"}
    ).ok
    assert (
        client.status(
            "PUT", f"/rest/api/2/issue/{key}?notifyUsers=true", json={"fields": {"summary": "n"}}
        )
        == 204
    )
    assert (
        client.status(
            "PUT", f"/rest/api/2/issue/{key}?notifyUsers=false", json={"fields": {"summary": "n"}}
        )
        == 403
    )
    fields = client.send(
        "GET", f"/rest/api/2/issue/{key}?fields=summary&fields=status,-labels"
    ).json()["fields"]
    assert set(fields) == {"summary", "status"}
    me = client.get("/rest/api/2/myself")
    name = me["accountId"] if desk.cloud else me["name"]
    assert client.status("POST", f"/rest/api/2/issue/{key}/watchers", json=name) == 204


HOSTILE = [
    ("POST", "/rest/api/2/issue", b"{"),
    ("POST", "/rest/api/2/issue", b"[]"),
    ("POST", "/rest/api/2/issue", b"null"),
    ("POST", "/rest/api/2/issue", b'{"fields":{"project":{"id":1e400},"summary":[[]]}}'),
    (
        "POST",
        "/rest/api/2/issue",
        b'{"fields":{"project":{"key":"OPS"},"issuetype":{"name":"Bug"},"summary":"\\ud800"}}',
    ),
    ("POST", "/rest/api/2/issue", b"[" * 100_000),
    ("PUT", "/rest/api/2/issue/OPS-1", b'{"update":{"labels":{"add":1}}}'),
    ("PUT", "/rest/api/2/issue/99999999999999999999999", b'{"fields":{}}'),
    ("POST", "/rest/servicedeskapi/request", b'{"serviceDeskId":{},"requestTypeId":[]}'),
    ("POST", "/rest/servicedeskapi/request", b""),
    ("GET", "/rest/api/2/user/search?startAt=99999999999999999999&query=a&username=a", b""),
    ("GET", "/rest/api/2/issue/%00", b""),
    ("GET", "/rest/api/2/issue/..%2f..%2fetc", b""),
    ("GET", "/rest/api/2/search?jql=" + "(" * 3000, b""),
    ("GET", "/rest/api/2/search/jql?jql=" + "(" * 3000, b""),
    ("GET", "/rest/nothing", b""),
    ("PATCH", "/rest/api/2/issue/OPS-1", b"{}"),
    ("GET", "/rest/servicedeskapi/request?limit=-1", b""),
]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    HOSTILE,
    ids=[f"{one[0]} {one[1][:40]} {one[2][:20]!r}" for one in HOSTILE],
)
def test_hostile_input_is_refused_and_never_a_fault(
    desk: Any, method: str, path: str, body: bytes
) -> None:
    answer = desk.as_("integration").send(
        method, path, data=body, headers={"Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500


def test_a_very_long_address_and_a_very_large_body_are_answered(desk: Any) -> None:
    client = desk.as_("integration")
    keys = ",".join(f"OPS-{number}" for number in range(2600))
    path = "/rest/api/2/search/jql" if desk.cloud else "/rest/api/2/search"
    answer = client.send("GET", path, params={"jql": f"key in ({keys})", "x": "y" * 3000})
    assert len(answer.request.url) > 23_000
    assert answer.status_code == 400
    large = {
        "fields": {
            "project": {"key": "OPS"},
            "issuetype": {"name": "Bug"},
            "summary": "x",
            "description": "d" * 15_000_000,
        }
    }
    refused = client.send("POST", "/rest/api/2/issue", json=large)
    assert refused.status_code == 400
    assert (
        "exceeds the allowed limit of 32,767 characters" in refused.json()["errors"]["description"]
    )


def test_employee_numbers_join_accounts_to_people(desk: Any) -> None:
    account = desk.sandbox.site.people.by_name("bob.miller")
    who = {"accountId": account.id} if desk.cloud else {"username": account.name}
    found = desk.as_("integration").get("/rest/api/2/user/properties/employeeNumber", **who)
    assert found["value"] == "1002"


def test_a_clock_that_is_set_back_lets_nobody_wait(cloud: Any) -> None:
    key, client = cloud.ops_issue(), cloud.as_("integration")
    cloud.admin("POST", "/clock", {"offset_seconds": 86400})
    codes = [
        client.status("PUT", f"/rest/api/2/issue/{key}", json={"fields": {"summary": "ahead"}})
        for _ in range(15)
    ]
    cloud.admin("POST", "/clock", {"offset_seconds": 0})
    codes += [
        client.status("PUT", f"/rest/api/2/issue/{key}", json={"fields": {"summary": "back"}})
        for _ in range(15)
    ]
    assert set(codes) == {204}


def test_an_approval_without_approvers_waits_for_ever(desk: Any) -> None:
    key = desk.raise_request("integration", "Request a change")
    desk.move(key, "Plan")
    client = desk.as_("integration")
    client.put(f"/rest/api/2/issue/{key}", {"fields": {"customfield_10003": []}})
    desk.move(key, "Request approval")
    (approval,) = desk.approvals(key, "admin")
    assert (approval["finalDecision"], approval["approvers"]) == ("pending", [])
    assert desk.answer(key, approval["id"], "requester").status_code == 404
    assert desk.answer(key, approval["id"], "approver1").status_code == 403
    assert desk.answer(key, approval["id"], "admin").status_code == 403


def test_a_badly_made_workflow_lets_somebody_pass_by_the_approval(desk: Any) -> None:
    key = desk.change_at_gate()
    passed = {"issue": key, "status": "Awaiting Implementation", "by": "luke.wilson"}
    desk.admin("POST", "/seed", {"statuses": [passed]})
    assert desk.state(key) == "Awaiting Implementation"
    (approval,) = desk.approvals(key)
    assert approval["finalDecision"] == "pending"
    assert "completedDate" not in approval
    issue = desk.as_("integration").get(f"/rest/api/2/issue/{key}", expand="changelog")
    authors = [
        entry["author"]["displayName"]
        for entry in issue["changelog"]["histories"]
        if any(one["toString"] == "Awaiting Implementation" for one in entry["items"])
    ]
    assert authors == ["Luke Wilson"]
    assert desk.answer(key, approval["id"], "approver1").status_code == 409
