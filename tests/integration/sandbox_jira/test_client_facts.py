"""Facts that the integration suites of further clients taught us (JRJC, the .NET SDK, go-jira)."""

import uuid
from typing import Any

import pytest
import requests

_SESSION = "/rest/auth/latest/session"


def _filter(desk: Any, jql: str) -> dict[str, Any]:
    body = {"name": f"Saved {uuid.uuid4().hex}", "jql": jql}
    found: dict[str, Any] = desk.as_("admin").post("/rest/api/2/filter", body, 200)
    return found


def test_a_query_finds_what_a_saved_filter_finds(desk: Any) -> None:
    admin, one, other = desk.as_("admin"), desk.ops_issue(), desk.ops_issue()
    saved = _filter(desk, f"key = {one} ORDER BY created")
    both = f"key in ({one}, {other})"
    assert admin.search(f"filter = {saved['id']}") == [one]
    assert admin.search(f'savedFilter = "{saved["name"]}"') == [one]
    assert admin.search(f"{both} AND filter != {saved['id']}") == [other]
    assert admin.search(f"{both} AND NOT filter in ({saved['id']})") == [other]


def test_a_filter_of_somebody_else_and_one_that_names_itself_are_refused(desk: Any) -> None:
    saved = _filter(desk, "project = OPS")
    path = "/rest/api/3/search/jql" if desk.cloud else "/rest/api/2/search"
    jql = {"jql": f"filter = {saved['id']}"}
    foreign = desk.as_("agent").send("GET", path, params=jql)
    told = f"The value '{saved['id']}' does not exist for the field 'filter'."
    assert (foreign.status_code, foreign.json()["errorMessages"]) == (400, [told])
    body = {"name": saved["name"], "jql": f"project = OPS OR filter = {saved['id']}"}
    desk.as_("admin").put(f"/rest/api/2/filter/{saved['id']}", body, 200)
    circle = desk.as_("admin").send("GET", path, params=jql)
    assert circle.status_code == 400
    assert "cyclical reference" in circle.json()["errorMessages"][0]


def test_a_filter_tells_its_search_as_the_vendor_writes_it(desk: Any) -> None:
    saved = _filter(desk, "project = OPS")
    assert saved["searchUrl"].endswith("/search?jql=project+%3D+OPS")


def test_a_session_ends_when_its_client_logs_out(server: Any) -> None:
    url, held = server.sandbox.url + _SESSION, server.sandbox.accounts["agent"]
    with requests.Session() as client:
        given = {"username": held["username"], "password": held["password"]}
        assert client.post(url, json=given, timeout=20).status_code == 200
        assert client.get(url, timeout=20).json()["name"] == held["username"]
        cookies = dict(client.cookies)
        assert client.delete(url, timeout=20).status_code == 204
        assert requests.get(url, cookies=cookies, timeout=20).status_code == 401


def test_the_session_counts_the_logins_that_failed(server: Any) -> None:
    agent, url = server.as_("agent"), server.sandbox.url + _SESSION
    before = agent.get(_SESSION)["loginInfo"]["failedLoginCount"]
    assert requests.get(url, auth=("luke.wilson", "wrong"), timeout=20).status_code == 401
    wrong = {"username": "luke.wilson", "password": "wrong"}
    assert requests.post(url, json=wrong, timeout=20).status_code == 401
    info = agent.get(_SESSION)["loginInfo"]
    assert info["failedLoginCount"] == before + 2
    assert info["lastFailedLoginTime"]


def test_the_project_that_an_issue_has_may_come_with_an_edit(desk: Any) -> None:
    admin, issue = desk.as_("admin"), desk.ops_issue()
    path = f"/rest/api/2/issue/{issue}"
    admin.put(path, {"fields": {"project": {"key": "OPS"}, "summary": "Edited"}})
    assert admin.get(path)["fields"]["summary"] == "Edited"
    moved = admin.send("PUT", path, json={"fields": {"project": {"key": "ITH"}}})
    assert moved.status_code == 400


def test_work_that_was_started_can_be_stopped(desk: Any) -> None:
    issue = desk.ops_issue()
    desk.move(issue, "Start Progress")
    desk.move(issue, "Stop Progress")
    status = desk.as_("admin").get(f"/rest/api/2/issue/{issue}")["fields"]["status"]
    assert (status["name"], status["iconUrl"].rsplit("/", 1)[1]) == ("Open", "open.png")
    assert status["description"].startswith("The issue is open and ready")


def test_a_transition_screen_says_that_the_resolution_is_required(desk: Any) -> None:
    issue, admin = desk.ops_issue(), desk.as_("admin")
    path = f"/rest/api/2/issue/{issue}/transitions"
    known = admin.get(path, expand="transitions.fields")["transitions"]
    fields = next(one["fields"] for one in known if one["name"] == "Resolve Issue")
    assert fields["resolution"]["required"] is True
    desk.move(issue, "Resolve Issue")
    assert admin.get(f"/rest/api/2/issue/{issue}")["fields"]["resolution"]["name"] == "Done"


def test_data_center_checks_its_health_when_asked(server: Any) -> None:
    admin = server.as_("admin")
    assert "healthChecks" not in admin.get("/rest/api/2/serverInfo")
    checks = admin.get("/rest/api/2/serverInfo", doHealthCheck="true")["healthChecks"]
    assert [one["passed"] for one in checks] == [True]


def test_data_center_tells_an_account_that_it_made_in_full(server: Any) -> None:
    body = {"name": "a/b", "emailAddress": "a@example.org", "displayName": "A", "password": "x"}
    made = server.as_("admin").post("/rest/api/2/user", body | {"applicationKeys": []})
    assert (made["locale"], made["active"]) == ("en_US", True)
    assert server.as_("admin").get("/rest/api/2/user", username="a/b")["key"] == made["key"]


@pytest.mark.parametrize("flavour", ["cloud", "server"])
def test_null_is_a_property_on_data_center_alone(
    flavour: str, request: pytest.FixtureRequest
) -> None:
    desk = request.getfixturevalue(flavour)
    path = f"/rest/api/2/issue/{desk.ops_issue()}/properties/nothing"
    headers = {"Content-Type": "application/json"}
    answer = desk.as_("admin").send("PUT", path, data="null", headers=headers)
    assert answer.status_code == (400 if desk.cloud else 201)
    if not desk.cloud:
        assert desk.as_("admin").get(path) == {"key": "nothing", "value": None}


def test_projects_are_listed_with_their_leads_when_asked(desk: Any) -> None:
    admin = desk.as_("admin")
    assert all("lead" not in one for one in admin.get("/rest/api/2/project"))
    assert all(
        one["lead"]["displayName"] for one in admin.get("/rest/api/2/project", expand="lead")
    )
