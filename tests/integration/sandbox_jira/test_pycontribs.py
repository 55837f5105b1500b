"""The `jira` package, used as its documentation does, cannot tell the sandbox from the vendor."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jira import JIRA, JIRAError

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:jira", "ignore::DeprecationWarning:jira"
)


def _client(desk: Any, role: str, **more: Any) -> Any:
    held = desk.sandbox.accounts[role]
    return JIRA(
        desk.sandbox.url,
        basic_auth=(held["username"], held["password"]),
        max_retries=0,
        timeout=20,
        **more,
    )


@pytest.fixture(scope="module")
def admin(desk: Any) -> Iterator[Any]:
    client = _client(desk, "admin", validate=not desk.cloud)
    yield client
    client.close()


@pytest.fixture(scope="module")
def project(admin: Any, desk: Any) -> str:
    me = admin.myself()
    lead = me["accountId"] if desk.cloud else me["name"]
    assert admin.create_project("PYC", "A project of the client", assignee=lead)
    return "PYC"


@pytest.fixture
def issue(admin: Any, project: str) -> Any:
    return admin.create_issue(
        project=project, summary="An issue", issuetype={"name": "Bug"}, description="d"
    )


def test_an_issue_lives_its_life(admin: Any, project: str) -> None:
    fields = {
        "project": {"key": project},
        "summary": "s",
        "issuetype": {"name": "Bug"},
        "priority": {"name": "High"},
    }
    issue = admin.create_issue(fields=fields)
    assert (issue.fields.priority.name, issue.fields.project.key) == ("High", project)
    issue.update(summary="t", description="u", issuetype={"name": "Task"})
    assert (issue.fields.summary, issue.fields.issuetype.name) == ("t", "Task")
    issue.update(fields={"labels": ["one"]})
    issue.add_field_value("labels", "two")
    assert admin.issue(issue.key).fields.labels == ["one", "two"]
    issue.update(notify=False, description="silently")
    with pytest.raises(JIRAError) as refused:
        issue.update(fields={"labels": ["with space"]})
    assert refused.value.status_code == 400
    issue.delete()
    with pytest.raises(JIRAError) as gone:
        admin.issue(issue.key)
    assert gone.value.status_code == 404


def test_many_issues_are_made_and_failures_named(admin: Any, project: str, desk: Any) -> None:
    good = {"project": {"key": project}, "summary": "s", "issuetype": {"name": "Bug"}}
    bad = {**good, "issuetype": {"name": "NoSuchType"}}
    made = admin.create_issues([good, bad, good])
    assert [one["error"] is None for one in made] == [True, False, True]
    expected = "Specify a valid issue type" if desk.cloud else "issue type is required"
    assert made[1]["error"] == {"issuetype": expected}


def test_transitions_by_name_and_id_with_fields(admin: Any, issue: Any) -> None:
    known = admin.transitions(issue, expand="transitions.fields")
    assert admin.transitions(issue, known[0]["id"])[0]["id"] == known[0]["id"]
    admin.transition_issue(
        issue,
        "Resolve Issue" if "Resolve Issue" in [one["name"] for one in known] else "Done",
        resolution={"name": "Done"},
        comment="closed",
    )
    issue = admin.issue(issue.key)
    assert issue.fields.resolution.name == "Done"
    assert admin.comments(issue)[0].body == "closed"
    with pytest.raises(JIRAError):
        admin.transition_issue(issue, "999")


def test_comments_keep_order_pages_and_visibility(admin: Any, issue: Any) -> None:
    made = [admin.add_comment(issue, f"Comment {number}") for number in range(4)]
    assert [one.body for one in admin.comments(issue)] == [one.body for one in made]
    restricted = admin.add_comment(
        issue, "r", visibility={"type": "role", "value": "Administrators"}
    )
    assert restricted.visibility.value == "Administrators"
    assert hasattr(admin.comment(issue, made[0].id, expand="renderedBody"), "renderedBody")
    made[0].update(body="changed")
    assert admin.comment(issue, made[0].id).body == "changed"
    made[0].delete()
    assert len(admin.comments(issue)) == 4


def test_worklogs_watchers_votes_links_and_properties(
    admin: Any, issue: Any, project: str, desk: Any
) -> None:
    log = admin.add_worklog(issue, "2h", comment="c")
    assert log.timeSpentSeconds == 7200
    log.update(timeSpent="3h")
    assert admin.worklog(issue, log.id).timeSpentSeconds == 10800
    log.delete()
    assert admin.worklogs(issue) == []
    assert admin.watchers(issue).isWatching
    other = admin.create_issue(project=project, summary="other", issuetype="Bug")
    admin.create_issue_link("Relates", issue, other, comment=None)
    link = admin.issue(issue.key).fields.issuelinks[0]
    assert admin.issue_link(link.id).outwardIssue.key == other.key
    link.delete()
    remote = admin.add_remote_link(
        issue, {"url": "http://x.test", "title": "t"}, globalId="g", relationship="r"
    )
    shown = admin.remote_link(issue, remote.id)
    shown.update(object={"url": "http://y.test", "title": "y"}, globalId="h", relationship="z")
    assert (shown.globalId, shown.object.url) == ("h", "http://y.test")
    admin.add_issue_property(issue, "k", {"a": [1]})
    assert admin.issue_property(issue, "k").raw["value"] == {"a": [1]}
    assert [one.key for one in admin.issue_properties(issue)] == ["k"]
    admin.issue_property(issue, "k").delete()
    note = admin.add_attachment(issue, io.BytesIO(b"text"), filename="a.txt")
    assert admin.attachment(note.id).get() == b"text"
    assert admin.issue(issue.key).fields.attachment[0].filename == "a.txt"
    note.delete()
    if not desk.cloud:
        normal = _client(desk, "agent")
        normal.add_vote(issue.key)
        assert normal.votes(issue.key).votes == 1
        normal.remove_vote(issue.key)
        admin.add_watcher(issue, "luke.wilson")
        assert "luke.wilson" in [one.name for one in admin.watchers(issue).watchers]
        admin.remove_watcher(issue, "luke.wilson")


def test_searches_return_issues_and_refuse_nonsense(
    admin: Any, issue: Any, project: str, desk: Any
) -> None:
    found = admin.search_issues(f"project = {project} AND key = {issue.key}")
    assert found[0] == issue
    raw = admin.search_issues(f"project = {project}", maxResults=1, json_result=True)
    assert len(raw["issues"]) == 1
    everything = admin.search_issues(f"project = {project}", maxResults=False)
    assert issue.key in [one.key for one in everything]
    with pytest.raises(JIRAError) as refused:
        admin.search_issues("project = this is nonsense")
    assert refused.value.status_code == 400
    if desk.cloud:
        assert admin.approximate_issue_count(f"project = {project}") >= 1


def test_the_site_and_its_people(admin: Any, project: str, desk: Any) -> None:
    assert admin.server_info()["deploymentType"] == ("Cloud" if desk.cloud else "Server")
    assert admin.priority("1").name == "Highest"
    assert admin.status("3").name == "In Progress"
    assert admin.resolution("10000").name == "Done"
    assert admin.issue_type_by_name("Bug").name == "Bug"
    assert {one.name for one in admin.statuscategories()} >= {"To Do", "Done"}
    assert admin.issue_link_type("10000").name == "Blocks"
    assert admin.my_permissions(projectKey=project, permissions="BROWSE_PROJECTS")["permissions"][
        "BROWSE_PROJECTS"
    ]["havePermission"]
    assert "jira-administrators" in admin.groups("jira")
    assert len(admin.group_members("CAB Approval")) == 3
    assert admin.project_roles(project)["Administrators"]["id"] == "10002"
    assert admin.project_role(project, "10002").actors[0].name == "jira-administrators"
    assert admin.project(project, expand="projectKeys").projectKeys == [project]
    assert not hasattr(admin.project(project), "projectKeys")
    if not desk.cloud:
        assert admin.search_users("beth")[0].displayName == "Beth Anglin"
        assert [
            one.name for one in admin.search_assignable_users_for_issues("admin", project=project)
        ] == ["admin"]
        assert admin.search_allowed_users_for_issue("luke", projectKey=project)
        assert (
            admin.project_workflow_scheme(project).name
            == f"{project}: Software Simplified Workflow Scheme"
        )
        assert admin.project_priority_scheme(project).name == "Default priority scheme"
        assert "Kanban software development" in admin.templates()
        assert admin.application_properties("jira.title")["value"] == "Jira"


def test_components_versions_filters_and_roles(admin: Any, project: str, issue: Any) -> None:
    component = admin.create_component("core", project, description="x")
    issue.update(fields={"components": [{"name": "core"}]})
    assert admin.component_count_related_issues(component.id) == 1
    component.delete()
    version = admin.create_version("1.0", project, "d")
    issue.update(fields={"fixVersions": [{"id": version.id}]})
    assert admin.version_count_unresolved_issues(version.id) == 1
    assert admin.get_project_version_by_name(project, "1.0").id == version.id
    version.update(name="1.1")
    assert version.name == "1.1"
    version.delete()
    made = admin.create_filter("mine", "d", f"project = {project}", favourite=True)
    assert admin.filter(made.id).jql == f"project = {project}"
    assert [one.name for one in admin.favourite_filters()] == ["mine"]
    made.delete()


def test_a_change_is_approved_through_the_clients_session(desk: Any) -> None:
    key = desk.change_at_gate()
    client, approver = _client(desk, "integration"), _client(desk, "approver2")
    header = {"X-ExperimentalApi": "opt-in"}
    path = f"{client.server_url}/rest/servicedeskapi/request/{key}/approval"
    (approval,) = client._session.get(path, headers=header).json()["values"]
    with pytest.raises(JIRAError) as refused:
        client._session.post(
            f"{path}/{approval['id']}", headers=header, data=json.dumps({"decision": "approve"})
        )
    assert refused.value.status_code == 403
    approver._session.post(
        f"{path}/{approval['id']}", headers=header, data=json.dumps({"decision": "approve"})
    )
    client.transition_issue(key, "Implement")
    client.transition_issue(key, "Complete", resolution={"name": "Done"})
    assert client.issue(key).fields.status.name == "Completed"


def test_service_desk_helpers(desk: Any) -> None:
    client = _client(desk, "agent")
    assert client.supports_service_desk()
    (portal,) = client.service_desks()
    types = {one.name: one.id for one in client.request_types(portal)}
    made = client.create_customer_request(
        {
            "serviceDeskId": portal.id,
            "requestTypeId": int(types["Get IT help"]),
            "requestFieldValues": {"summary": "s"},
        }
    )
    assert made.key.startswith("ITH-")
    inner = client.add_comment(made.key, "internal", is_internal=True)
    assert (
        desk.as_("agent").get(f"/rest/servicedeskapi/request/{made.key}/comment/{inner.id}")[
            "public"
        ]
        is False
    )


def test_each_class_of_error_is_the_clients_own(desk: Any) -> None:
    with pytest.raises(JIRAError) as wrong:
        JIRA(desk.sandbox.url, basic_auth=("nobody", "x"), max_retries=0).myself()
    assert wrong.value.status_code == 401
    client = _client(desk, "integration")
    with pytest.raises(JIRAError) as missing:
        client.issue("NOPE-1")
    assert missing.value.status_code == 404
    with pytest.raises(JIRAError) as forbidden:
        client.delete_project("OPS")
    assert forbidden.value.status_code == 403
    desk.admin("POST", "/faults", {"kind": "429", "next_n": 1})
    with pytest.raises(JIRAError) as limited:
        client.myself()
    assert limited.value.status_code == 429


def test_tokens_and_sessions_of_data_center(server: Any) -> None:
    admin = _client(server, "admin")
    made = admin._session.post(
        f"{server.sandbox.url}/rest/pat/latest/tokens",
        data=json.dumps({"name": "t", "expirationDuration": 1}),
    ).json()
    assert JIRA(server.sandbox.url, token_auth=made["rawToken"]).myself() == admin.myself()
    cookie = JIRA(server.sandbox.url, auth=("admin", "admin-pw"))
    assert cookie.myself() == admin.myself()
    assert admin.session().name == "admin"


def test_logged_work_moves_the_remaining_estimate(admin: Any, issue: Any) -> None:
    log = admin.add_worklog(issue, "3h")
    log.update(timeSpent="2h")
    tracked = admin.issue(issue.key, fields="timetracking").fields.timetracking
    assert (tracked.remainingEstimate, tracked.timeSpent) == ("1h", "2h")
    log.delete()
    tracked = admin.issue(issue.key, fields="timetracking").fields.timetracking
    assert tracked.remainingEstimate == "3h"
    admin.add_worklog(issue, "1h", adjustEstimate="new", newEstimate="5h")
    tracked = admin.issue(issue.key, fields="timetracking").fields.timetracking
    assert tracked.remainingEstimate == "5h"


def test_pins_leads_options_and_properties_of_data_center(server: Any) -> None:
    admin = _client(server, "admin")
    issue = admin.create_issue(project="OPS", summary="pins", issuetype="Bug")
    first, second = (admin.add_comment(issue, words) for words in ("one", "two"))
    for one in (first, second):
        admin.pin_comment(issue.key, one.id, pin=True)
    assert [one.comment.body for one in admin.pinned_comments(issue.key)] == ["two", "one"]
    admin.pin_comment(issue.key, first.id, pin=False)
    assert [one.comment.body for one in admin.pinned_comments(issue.key)] == ["two"]
    component = admin.create_component("led", "OPS", leadUserName="admin")
    component.update(name="renamed", leadUserName="luke.wilson")
    assert (component.name, component.lead.name) == ("renamed", "luke.wilson")
    assert admin.custom_field_option("10000").value == "To Do"
    assert admin.application_properties(key="jira.lf.text.headingcolour")["value"] == "#172b4d"
    with pytest.raises(JIRAError):
        admin.set_application_property("random.nonexistent.property", "666")
    assert len(admin.my_permissions()["permissions"]) >= 40
    assert admin.add_user("gone", "gone@example.com", password="x")
    assert admin.delete_user("gone")
    assert admin.search_users("gone") == []
    assert admin.add_user("gone", "gone@example.com", password="x")
