"""Every operation of the reference is served, and its answers fit the vendor's specification."""

from typing import Any

import pytest

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def ticket(desk: Any) -> str:
    key: str = desk.raise_request("requester", "Reset password", description="*I* forgot it")
    return key


def test_the_site_describes_itself(desk: Any) -> None:
    client = desk.as_("integration")
    info = client.get("/rest/api/2/serverInfo")
    assert info["deploymentType"] == ("Cloud" if desk.cloud else "Server")
    assert client.get("/rest/api/2/myself")["timeZone"] == "Europe/Berlin"
    for path in ("field", "issuetype", "priority", "status", "resolution", "issueLinkType",
                 "statuscategory", "project", "role", "configuration", "permissionscheme",
                 "notificationscheme"):  # fmt: skip
        assert desk.as_("admin").get(f"/rest/api/2/{path}"), path
    assert client.get("/rest/api/latest/priority/1")["name"] == "Highest"
    assert client.get("/rest/auth/1/session")["self"]
    assert client.get("/rest/servicedeskapi/info")["isLicensedForUse"] is True
    admin = desk.as_("admin")
    assert admin.get("/rest/api/2/projectCategory") == []
    assert admin.get("/rest/api/2/issuesecurityschemes")["issueSecuritySchemes"]
    for path in ("issuetype/10004", "status/3", "resolution/10000", "issueLinkType/10000"):
        assert client.get(f"/rest/api/2/{path}")["id"]
    assert client.status("GET", "/rest/api/2/priority/99") == 404


def test_a_project_is_read_made_changed_and_deleted(desk: Any) -> None:
    admin = desk.as_("admin")
    assert admin.get("/rest/api/2/project/ITH")["projectTypeKey"] == "service_desk"
    assert admin.get("/rest/api/2/project/ITH/statuses")
    assert admin.get("/rest/api/2/project/ITH/role")
    assert admin.get("/rest/api/2/project/ITH/role/10101")["actors"]
    if desk.cloud:
        assert admin.get("/rest/api/3/project/search", query="help")["total"] == 1
    me = admin.get("/rest/api/2/myself")
    lead = {"leadAccountId": me["accountId"]} if desk.cloud else {"lead": me["name"]}
    made = admin.post(
        "/rest/api/2/project",
        {"key": "NEWP", "name": "New project", "projectTypeKey": "software", **lead},
    )
    assert made["key"] == "NEWP"
    assert (
        admin.status("POST", "/rest/api/2/project", json={"key": "NEWP", "name": "x", **lead})
        == 400
    )
    admin.put("/rest/api/2/project/NEWP", {"description": "d"}, 200)
    admin.post("/rest/api/2/component", {"project": "NEWP", "name": "core"})
    admin.post("/rest/api/2/version", {"project": "NEWP", "name": "1.0"})
    assert [one["name"] for one in admin.get("/rest/api/2/project/NEWP/components")] == ["core"]
    assert [one["name"] for one in admin.get("/rest/api/2/project/NEWP/versions")] == ["1.0"]
    admin.delete("/rest/api/2/project/NEWP")
    assert admin.status("GET", "/rest/api/2/project/NEWP") == 404
    assert desk.as_("integration").status("DELETE", "/rest/api/2/project/ITH") == 403


def test_an_issue_is_made_read_edited_assigned_and_deleted(desk: Any) -> None:
    client, admin = desk.as_("integration"), desk.as_("admin")
    key = desk.ops_issue(labels=["one"], priority={"name": "High"})
    issue = client.get(
        f"/rest/api/2/issue/{key}",
        expand="names,schema,editmeta,transitions,changelog,renderedFields,operations",
    )
    assert issue["fields"]["labels"] == ["one"]
    assert issue["changelog"]["total"] == 0
    me = client.get("/rest/api/2/myself")
    user = {"accountId": me["accountId"]} if desk.cloud else {"name": me["name"]}
    client.put(f"/rest/api/2/issue/{key}/assignee", user)
    client.put(
        f"/rest/api/2/issue/{key}", {"update": {"labels": [{"add": "two"}, {"remove": "one"}]}}
    )
    found = client.get(f"/rest/api/2/issue/{key}", fields="labels,assignee")["fields"]
    assert found["labels"] == ["two"]
    assert found["assignee"]["displayName"] == "Tiergate Integration"
    both = {"fields": {"summary": "x"}, "update": {"summary": [{"set": "y"}]}}
    assert client.status("PUT", f"/rest/api/2/issue/{key}", json=both) == 400
    assert client.status("PUT", f"/rest/api/2/issue/{key}", json={"fields": {"status": "x"}}) == 400
    assert client.get(f"/rest/api/2/issue/{key}/editmeta")["fields"]["summary"]["required"] is True
    assert client.status("DELETE", f"/rest/api/2/issue/{key}") == 403
    admin.delete(f"/rest/api/2/issue/{key}")
    assert client.status("GET", f"/rest/api/2/issue/{key}") == 404


def test_issues_are_made_in_bulk_and_each_stands_alone(desk: Any) -> None:
    good = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "b"}}
    bad = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}}}
    made = desk.as_("integration").post("/rest/api/2/issue/bulk", {"issueUpdates": [good, bad]})
    assert len(made["issues"]) == 1
    assert made["errors"][0]["failedElementNumber"] == 1


def test_comments_worklogs_watchers_votes_and_properties(desk: Any, ticket: str) -> None:
    client = desk.as_("integration")
    made = client.post(f"/rest/api/2/issue/{ticket}/comment", {"body": "public"})
    inner = client.post(
        f"/rest/api/2/issue/{ticket}/comment",
        {
            "body": "internal",
            "properties": [{"key": "sd.public.comment", "value": {"internal": True}}],
        },
    )
    if desk.cloud:
        assert (made["jsdPublic"], inner["jsdPublic"]) == (True, False)
    shown = desk.as_("requester").get(f"/rest/servicedeskapi/request/{ticket}/comment")["values"]
    assert [one["body"] for one in shown] == ["public"]
    client.put(f"/rest/api/2/issue/{ticket}/comment/{made['id']}", {"body": "changed"}, 200)
    assert client.get(f"/rest/api/2/issue/{ticket}/comment")["total"] == 2
    assert client.get(f"/rest/api/2/issue/{ticket}/comment/{made['id']}")["body"] == "changed"
    client.delete(f"/rest/api/2/issue/{ticket}/comment/{made['id']}")
    log = client.post(
        f"/rest/api/2/issue/{ticket}/worklog", {"timeSpent": "1h 30m", "comment": "w"}
    )
    assert log["timeSpentSeconds"] == 5400
    client.put(f"/rest/api/2/issue/{ticket}/worklog/{log['id']}", {"timeSpentSeconds": 60}, 200)
    assert client.get(f"/rest/api/2/issue/{ticket}/worklog")["total"] == 1
    client.delete(f"/rest/api/2/issue/{ticket}/worklog/{log['id']}")
    client.post(f"/rest/api/2/issue/{ticket}/watchers", None, 204)
    assert client.get(f"/rest/api/2/issue/{ticket}/watchers")["isWatching"] is True
    client.post(f"/rest/api/2/issue/{ticket}/votes", None, 204)
    assert client.get(f"/rest/api/2/issue/{ticket}/votes")["votes"] == 1
    path = f"/rest/api/2/issue/{ticket}/properties/mark"
    assert client.send("PUT", path, json={"a": 1}).status_code == 201
    assert client.send("PUT", path, json={"a": 2}).status_code == 200
    assert client.get(path)["value"] == {"a": 2}
    listed = client.get(f"/rest/api/2/issue/{ticket}/properties")["keys"]
    assert "mark" in [one["key"] for one in listed]
    client.delete(path)
    assert client.status("GET", path) == 404


def test_links_between_issues_and_to_elsewhere(desk: Any) -> None:
    client = desk.as_("integration")
    first, second = desk.ops_issue(), desk.ops_issue()
    body = {
        "type": {"name": "Blocks"},
        "inwardIssue": {"key": first},
        "outwardIssue": {"key": second},
        "comment": None,
    }
    client.post("/rest/api/2/issueLink", body)
    client.post("/rest/api/2/issueLink", body)
    links = client.get(f"/rest/api/2/issue/{first}", fields="issuelinks")["fields"]["issuelinks"]
    assert [one["outwardIssue"]["key"] for one in links] == [second]
    number = links[0]["id"]
    assert client.get(f"/rest/api/2/issueLink/{number}")["inwardIssue"]["key"] == first
    client.delete(f"/rest/api/2/issueLink/{number}")
    remote = {"globalId": "g=1", "object": {"url": "http://x.test/", "title": "t"}}
    made = client.post(f"/rest/api/2/issue/{first}/remotelink", remote)
    assert client.post(f"/rest/api/2/issue/{first}/remotelink", remote, 200)["id"] == made["id"]
    assert client.get(f"/rest/api/2/issue/{first}/remotelink", globalId="g=1")["globalId"] == "g=1"
    assert len(client.get(f"/rest/api/2/issue/{first}/remotelink")) == 1
    client.put(f"/rest/api/2/issue/{first}/remotelink/{made['id']}", remote)
    client.delete(f"/rest/api/2/issue/{first}/remotelink/{made['id']}")


def test_users_groups_and_permissions(desk: Any) -> None:
    client = desk.as_("integration")
    asked = {"query": "beth"} if desk.cloud else {"username": "beth"}
    found = client.get("/rest/api/2/user/search", **asked)
    assert [one["displayName"] for one in found] == ["Beth Anglin"]
    key = {"accountId": found[0]["accountId"]} if desk.cloud else {"username": found[0]["name"]}
    assert client.get("/rest/api/2/user", **key, expand="groups")["groups"]["items"]
    members = client.get("/rest/api/2/group/member", groupname="CAB Approval")
    assert members["total"] == 3
    names = [
        one["displayName"]
        for one in client.get("/rest/api/2/user/assignable/search", project="ITH")
    ]
    assert "Luke Wilson" in names
    assert "Bob Miller" not in names
    held = client.get(
        "/rest/api/2/mypermissions", permissions="SERVICEDESK_AGENT,ADMINISTER", projectKey="ITH"
    )
    assert [
        held["permissions"][one]["havePermission"] for one in ("SERVICEDESK_AGENT", "ADMINISTER")
    ] == [True, False]
    assert (
        client.get("/rest/api/2/groups/picker", query="cab")["groups"][0]["name"] == "CAB Approval"
    )


def test_create_metadata_has_the_shape_of_the_flavour(desk: Any) -> None:
    client = desk.as_("integration")
    types = client.get("/rest/api/2/issue/createmeta/OPS/issuetypes")
    listed = types["issueTypes" if desk.cloud else "values"]
    bug = next(one["id"] for one in listed if one["name"] == "Bug")
    fields = client.get(f"/rest/api/2/issue/createmeta/OPS/issuetypes/{bug}")
    names = [one["fieldId"] for one in fields["fields" if desk.cloud else "values"]]
    assert "summary" in names
    assert "reporter" not in names


def test_the_service_desk_shows_its_portal_and_queues(desk: Any, ticket: str) -> None:
    client = desk.as_("agent")
    base = "/rest/servicedeskapi/servicedesk"
    assert client.get(base)["values"][0]["projectKey"] == "ITH"
    assert client.get(f"{base}/1")["projectName"] == "IT Help"
    number = desk.request_types["Request a change"]
    form = client.get(f"{base}/1/requesttype/{number}/field")
    assert form["canRaiseOnBehalfOf"] is True
    assert client.get(f"{base}/1/requesttype/{number}")["name"] == "Request a change"
    queues = client.get(f"{base}/1/queue", includeCount="true")["values"]
    rows = client.get(f"{base}/1/queue/{queues[0]['id']}/issue")["values"]
    assert ticket in [one["key"] for one in rows]
    assert desk.as_("requester").status("GET", f"{base}/1/queue") == 403
    assert client.status("GET", f"{base}/99") == 404


def test_a_request_shows_status_transitions_participants_and_slas(desk: Any, ticket: str) -> None:
    agent, customer = desk.as_("agent"), desk.as_("requester")
    path = f"/rest/servicedeskapi/request/{ticket}"
    shown = customer.get(path, expand="participant,status,comment")
    assert shown["currentStatus"]["status"] == "Waiting for support"
    assert customer.get(f"{path}/status")["values"][-1]["status"] == "Waiting for support"
    assert [one["name"] for one in customer.get(f"{path}/transition")["values"]] == [
        "Resolve this issue",
        "Cancel request",
    ]
    bob = agent.get(
        "/rest/api/2/user/search", **({"query": "abel"} if desk.cloud else {"username": "abel"})
    )[0]
    people = {"accountIds": [bob["accountId"]]} if desk.cloud else {"usernames": [bob["name"]]}
    assert agent.post(f"{path}/participant", people, 200)["size"] == 1
    assert customer.get(f"{path}/participant")["values"][0]["displayName"] == "Abel Tuter"
    assert agent.send("DELETE", f"{path}/participant", json=people).json()["size"] == 0
    slas = agent.get(f"{path}/sla")["values"]
    assert [one["name"] for one in slas] == ["Time to first response", "Time to resolution"]
    assert agent.get(f"{path}/sla/10033")["ongoingCycle"]["breached"] is False
    customer.post(f"{path}/comment", {"body": "hello"})
    assert customer.status("POST", f"{path}/comment", json={"body": "x", "public": False}) == 403
    assert customer.get("/rest/servicedeskapi/request", requestStatus="OPEN_REQUESTS")["values"]
    customer.post(f"{path}/transition", {"id": "61", "additionalComment": {"body": "solved"}}, 204)
    assert desk.state(ticket) == "Resolved"


def test_customers_and_organisations(desk: Any) -> None:
    agent = desk.as_("agent")
    body = {"email": "new@customer.test", "displayName": "New Customer"}
    made = agent.post("/rest/servicedeskapi/customer", body)
    assert made["displayName"] == "New Customer"
    assert agent.status("POST", "/rest/servicedeskapi/customer", json=body) == 400
    number = agent.post("/rest/servicedeskapi/organization", {"name": "Partners"})["id"]
    base = f"/rest/servicedeskapi/organization/{number}"
    people = {"accountIds": [made["accountId"]]} if desk.cloud else {"usernames": [made["name"]]}
    assert agent.status("POST", f"{base}/user", json=people) == 204
    assert agent.get(f"{base}/user")["values"][0]["displayName"] == "New Customer"
    portal = "/rest/servicedeskapi/servicedesk/1/organization"
    assert agent.status("POST", portal, json={"organizationId": int(number)}) == 204
    assert [one["name"] for one in agent.get(portal)["values"]] == ["Partners"]
    assert agent.send("DELETE", f"{base}/user", json=people).status_code == 204
    agent.delete(base)
    assert agent.status("GET", base) == 404
    assert desk.as_("requester").status("POST", "/rest/servicedeskapi/customer", json=body) == 403
