"""The judge of forbidden writes finds each kind of them, and lets the daemon's own work pass."""

import json
from typing import Any

import pytest

from tests.e2e.attacks.forbidden import forbidden

CHANGE = "/api/now/table/change_request/1"
ISSUE = "/rest/api/2/issue/10001"
ANSWER = "/rest/servicedeskapi/request/ITH-2/approval/1"


def wrote(method: str, target: str, number: int = 1, **body: Any) -> dict[str, Any]:
    return {"id": number, "method": method, "target": target, "body": json.dumps(body)}


@pytest.mark.parametrize(
    ("system", "log"),
    [
        ("servicenow", [wrote("PATCH", "/api/now/table/sysapproval_approver/1", state="approved")]),
        ("servicenow", [wrote("POST", "/api/now/table/sysapproval_group", parent="1")]),
        ("servicenow", [wrote("PATCH", f"{CHANGE}?sysparm_fields=state", approval="approved")]),
        ("servicenow", [wrote("PATCH", "/api/sn_chg_rest/change/1/approvals", state="approved")]),
        ("servicenow", [wrote("POST", "/api/now/table/sys_user_grmember", user="1")]),
        ("servicenow", [wrote("POST", "/api/now/v1/batch")]),
        ("itsm-jira", [wrote("POST", ANSWER, decision="approve")]),
        ("itsm-jira", [wrote("POST", "/rest/api/3/group/user?groupId=1", accountId="1")]),
        (
            "itsm-jira",
            [
                wrote("POST", f"{ISSUE}/transitions", transition={"id": "11"}),
                wrote("PUT", ISSUE, fields={"customfield_10003": []}),
            ],
        ),
    ],
)
def test_each_forbidden_write_is_found(system: str, log: list[dict[str, Any]]) -> None:
    assert len(forbidden(system, log)) == 1
    assert forbidden(system, log, stolen={1}) == []


@pytest.mark.parametrize(
    ("system", "log"),
    [
        ("servicenow", [wrote("PATCH", CHANGE, state="-1")]),
        ("servicenow", [wrote("GET", "/api/now/table/sysapproval_approver")]),
        (
            "itsm-jira",
            [
                wrote("PUT", ISSUE, fields={"customfield_10003": []}),
                wrote("POST", f"{ISSUE}/transitions", transition={"id": "11"}),
            ],
        ),
    ],
)
def test_what_the_daemon_must_do_is_not_forbidden(system: str, log: list[dict[str, Any]]) -> None:
    assert forbidden(system, log) == []
