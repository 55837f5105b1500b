"""The judge of forbidden writes finds each kind of them, and lets the daemon's own work pass."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox
from tests.e2e.attacks.forbidden import forbidden
from tests.recording import RECORDER

ROOT = Path(__file__).resolve().parents[3]

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


def approve_with(account: str) -> None:
    """Write `approval` on a change, as nobody of ours ever may."""
    with ServiceNowSandbox(seed="empty") as sandbox:
        url = f"{sandbox.url}/api/now/table/change_request"
        login = (account, f"{account}-pw")
        body = {"short_description": "x"}
        made = requests.post(url, auth=login, json=body, timeout=30).json()["result"]
        answer = {"approval": "approved"}
        requests.patch(f"{url}/{made['sys_id']}", auth=login, json=answer, timeout=30)


def test_a_forbidden_write_of_the_daemons_account_is_recorded_whoever_sends_it() -> None:
    heard = RECORDER.total
    approve_with("tiergate")
    assert RECORDER.total > heard
    (found,) = RECORDER.judge()
    assert "approved" in found
    approve_with("luke.wilson")
    with RECORDER.stolen():
        approve_with("tiergate")
    assert RECORDER.judge() == []


@pytest.mark.parametrize("layer", ["e2e", "contract"])
def test_a_test_that_makes_the_daemon_approve_fails_by_itself(layer: str) -> None:
    """The judgement is wired into every test of a layer: this one asserts nothing and fails."""
    made = ROOT / "tests" / layer / f"test_thief_{layer}.py"
    text = "from tests.e2e.attacks.test_forbidden import approve_with\n\n\n"
    made.write_text(f"{text}def test_nothing() -> None:\n    approve_with('tiergate')\n", "utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(made)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        made.unlink()
    assert done.returncode == 1, done.stdout
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "approved" in done.stdout
