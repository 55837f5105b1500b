"""What is asked, by whom, and the status that answers it: one row each, on both flavours."""

from typing import Any

import pytest

V2 = "/rest/api/2"
ROOTS = {"api": V2, "desk": "/rest/servicedeskapi", "rest": "/rest"}

BOTH = """
admin GET api/issuetype/77 404
admin GET api/priority/77 404
admin GET api/resolution/77 404
admin GET api/status/nothing 404
admin GET api/statuscategory/done 200
admin GET api/statuscategory/77 404
admin GET api/issueLinkType/77 404
admin GET api/permissionscheme/0 200
admin GET api/permissionscheme/9 404
admin GET api/issuesecurityschemes 200
agent GET api/issuesecurityschemes 403
admin GET api/project/OPS/securitylevel 200
admin GET api/project/OPS/issuesecuritylevelscheme 404
admin GET api/notificationscheme 200
admin GET api/role/10002 200
admin GET api/role/7 404
agent POST api/projectCategory 403 {"name":"No"}
admin POST api/projectCategory 400 {"name":" "}
admin GET api/projectCategory/7 404
agent POST api/project 403 {"key":"NO","name":"No"}
admin POST api/project 400 {"key":"ops!","name":""}
admin POST api/project 400 {"key":"OPS","name":"Operations"}
admin PUT api/project/OPS 400 {"lead":"x","leadAccountId":"x"}
admin PUT api/project/OPS 400 {"key":"ITH"}
agent POST api/version 403 {"name":"1","project":"OPS"}
admin POST api/version 400 {"name":"","project":"OPS"}
admin POST api/component 400 {"name":"","project":"OPS"}
admin GET api/component/99 404
agent GET api/application-properties 403
admin GET api/application-properties?key=no 404
admin PUT api/application-properties/jira.title 200 {"value":"T"}
admin GET api/customFieldOption/7 404
admin GET api/user/viewissue/search?query=&projectKey=NO 404
admin GET api/user/assignable/search?project=NO 404
admin GET api/user/assignable/multiProjectSearch?projectKeys=NO 404
admin GET api/user/assignable/multiProjectSearch?projectKeys=OPS,ITH 200
admin GET api/user?accountId=no&username=no 404
admin GET api/user 400
admin GET api/user/picker 400
admin GET api/user/picker?query=lu 200
admin GET api/user/properties?accountId=no 404
agent PUT api/user/properties/x?username=admin&accountId=- 404 1
admin PUT api/user/properties/x 400 {
agent POST api/group 403 {"name":"mine"}
admin POST api/group 400 {"name":""}
admin GET api/group/member 400
admin GET api/group/member?groupname=no 404
admin GET api/mypermissions?permissions=FLY 400
admin GET api/mypermissions?permissions=EDIT_ISSUES&projectKey=NO 404
agent POST api/project/OPS/role/10002 403 {"group":["x"]}
admin POST api/project/OPS/role/10002 400 {"user":["nobody"]}
admin PUT api/project/OPS/role/10002 400 {}
admin GET api/project/OPS/role/7 404
admin GET desk/servicedesk/9 404
admin GET desk/servicedesk/1/requesttype/99 404
admin GET desk/servicedesk/1/requesttypegroup 200
admin GET desk/servicedesk/1/queue/99 404
admin GET desk/servicedesk/1/queue/1?includeCount=true 200
requester GET desk/servicedesk/1/queue 403
requester GET desk/servicedesk/1/customer 403
agent GET desk/servicedesk/1/customer?query=bob 200
agent GET desk/request?requestOwnership=PARTICIPATED_REQUESTS 200
agent GET desk/request?requestOwnership=ALL_REQUESTS 200
agent GET desk/request?requestStatus=CLOSED_REQUESTS 200
agent GET desk/request?serviceDeskId=9 200
agent GET desk/request?requestTypeId=99&serviceDeskId=1 200
agent POST desk/request 400 {"serviceDeskId":"1","requestTypeId":"99"}
agent POST desk/request 400 {"serviceDeskId":"9","requestTypeId":"1"}
agent GET desk/request/OPS-1 404
"""

CLOUD = """
admin GET api/group/bulk 200
admin GET api/user/bulk 400
admin GET api/user/bulk?accountId=nobody 200
admin GET api/workflowscheme 200
admin POST api/changelog/bulkfetch 400 {"issueIdsOrKeys":[]}
admin POST api/changelog/bulkfetch 400 {"issueIdsOrKeys":["1"],"fieldIds":"x"}
admin POST api/changelog/bulkfetch 400 {"issueIdsOrKeys":["1"],"maxResults":"x"}
admin POST api/changelog/bulkfetch 400 {"issueIdsOrKeys":["1"],"nextPageToken":"x"}
admin POST api/issue/bulkfetch 400 {"issueIdsOrKeys":[]}
admin POST api/search/jql 400 {"jql":"project=OPS","properties":["a","b","c","d","e","f"]}
admin POST api/search/jql 400 {"jql":"project=OPS","failFast":"no"}
admin POST api/search/jql 400 {"jql":"project=OPS","reconcileIssues":["1"]}
admin GET api/search/jql?jql=project=OPS&maxResults=0 400
admin GET api/search/jql?jql=project=OPS&reconcileIssues=x 400
admin GET api/search/jql?jql=project=OPS%20ORDER%20BY%20key,id,key,id,key,id,key,id 400
admin POST api/webhook 403 {"url":"http://x","webhooks":{}}
admin DELETE api/webhook 403 {"webhookIds":"1"}
admin PUT api/webhook/refresh 403 {"webhookIds":[1]}
"""

SERVER = """
admin POST rest/pat/latest/tokens 400 {"name":7}
admin POST api/user 400 {"name":"admin"}
agent POST api/user 403 {"name":"new"}
admin GET api/search?jql=project=OPS&expand=names,schema 200
admin POST rest/webhooks/1.0/webhook 400 {"name":"no address"}
admin POST rest/webhooks/1.0/webhook 400 {"name":"x","url":"http://x","events":["no"]}
admin PUT api/issue/OPS-99999/comment/1/pin 404 true
"""


def _rows(table: str) -> list[str]:
    return table.strip().splitlines()


def _ask(desk: Any, row: str) -> None:
    """Send what a row says: role, method, path below a root, the status expected, a body."""
    role, method, path, status, *rest = row.split(" ", 4)
    root, _, tail = path.partition("/")
    body = rest[0].encode() if rest else None
    headers = {"Content-Type": "application/json"}
    answer = desk.as_(role).send(method, f"{ROOTS[root]}/{tail}", data=body, headers=headers)
    assert answer.status_code == int(status), f"{answer.status_code}: {answer.text[:300]}"


@pytest.mark.parametrize("row", _rows(BOTH))
def test_both_flavours_answer(desk: Any, row: str) -> None:
    _ask(desk, row)


@pytest.mark.parametrize("row", _rows(CLOUD))
def test_cloud_answers(cloud: Any, row: str) -> None:
    _ask(cloud, row)


@pytest.mark.parametrize("row", _rows(SERVER))
def test_data_center_answers(server: Any, row: str) -> None:
    _ask(server, row)


WRONG = [
    "status < Open",
    "project > OPS",
    "created ~ today",
    "created is yesterday",
    "duedate ~ x",
    "cf[10016] > many",
    "cf[10016] ~ 3",
    "cf[10016] = now()",
    "summary = x",
    "summary ~ now()",
    'summary ~ "!!"',
    "key ~ OPS-1",
    "key = OPS-99999999",
    "key in nosuch()",
    "statusCategory > Done",
    "statusCategory = Nowhere",
    "text = x",
    "approvals != approved()",
    "approvals = nosuch()",
    "approvals = approver(nobody)",
    'assignee in membersOf("no such group")',
    "issue in linkedIssues()",
    "project = nosuch()",
    "sprint = NoSuchSprint",
    '"Epic Link" = NOSUCH-1',
    '"Approver groups" = nobodies',
    "labels was x",
    "priority is High",
]


@pytest.mark.parametrize("jql", WRONG)
def test_a_query_that_means_nothing_is_refused_with_its_reason(desk: Any, jql: str) -> None:
    path = "/rest/api/3/search/jql" if desk.cloud else f"{V2}/search"
    answer = desk.as_("admin").send("GET", path, params={"jql": jql})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"]


RIGHT = [
    'created = "2026/01/01 00:00"',
    'created != "2026/01/01 00:00"',
    'created in ("2026/01/01", now())',
    'created not in ("2026/01/01", now())',
    '"Planned start" = "2026/01/01 00:00"',
    '"Planned start" is not EMPTY',
    'duedate in ("2026/01/01")',
    "duedate is EMPTY",
    "cf[10016] != 3",
    "cf[10016] <= 3",
    "cf[10016] is EMPTY",
    "description is EMPTY",
    "description !~ nothing",
    "text !~ nothing",
    "statusCategory not in (Done)",
    "priority >= Medium",
    "key > OPS-1",
    "key != OPS-1",
    "issue in votedIssues()",
    "issue in watchedIssues()",
    "issue in updatedBy(admin)",
    "issue in linkedIssues(OPS-1)",
    "issuetype in subTaskIssueTypes()",
    "project in projectsLeadByUser()",
    "fixVersion in unreleasedVersions(OPS)",
    "NOT status changed",
    "NOT (status = Open OR priority = High)",
    '"Approver groups" = "CAB Approval"',
    "resolution was Done",
    'status was not Open ON "2026/01/01"',
    "resolution = Unresolved ORDER BY priority, statusCategory, key DESC, id",
    '"Request Type" = "Get IT help"',
    "watcher = currentUser()",
    "component is EMPTY ORDER BY Rank",
]


@pytest.mark.parametrize("jql", RIGHT)
def test_a_query_that_means_something_is_answered(desk: Any, jql: str) -> None:
    desk.ops_issue()
    path = "/rest/api/3/search/jql" if desk.cloud else f"{V2}/search"
    answer = desk.as_("admin").send("GET", path, params={"jql": f"{jql}", "fields": "key"})
    assert answer.status_code == 200, answer.text


def test_a_version_moves_within_its_project(desk: Any) -> None:
    admin = desk.as_("admin")
    numbers = [
        admin.post(f"{V2}/version", {"name": f"Moved {one}", "project": "OPS"})["id"]
        for one in "abc"
    ]
    a, b, c = numbers

    def order() -> list[str]:
        found = admin.send("GET", f"{V2}/project/OPS/versions").json()
        return [one["id"] for one in found if one["id"] in numbers]

    path = f"{V2}/version/{{}}/move"
    assert order() == [a, b, c]
    for number, body, expected in (
        (c, {"position": "First"}, [c, a, b]),
        (c, {"position": "Later"}, [a, c, b]),
        (b, {"position": "Earlier"}, [a, b, c]),
        (a, {"position": "Last"}, [b, c, a]),
        (b, {"after": f"{desk.sandbox.url}{V2}/version/{c}"}, [c, b, a]),
    ):
        assert admin.status("POST", path.format(number), json=body) == 200
        assert order() == expected
    for body in ({}, {"position": "Middle"}, {"after": "99999"}):
        assert admin.status("POST", path.format(a), json=body) == 400
    assert desk.as_("agent").status("POST", path.format(a), json={"position": "First"}) == 403
    for number in numbers:
        admin.delete(f"{V2}/version/{number}")
