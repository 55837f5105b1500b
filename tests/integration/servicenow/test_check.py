"""`check` finds every known way in which our account could approve, and what is missing."""

from datetime import UTC, timedelta

import pytest

from connectors.sandboxkit.organisation import load_organisation
from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sandbox.acl import AccessRules
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.domain.refs import Account
from engine.ports.findings import Finding, Severity
from tests.integration.servicenow.conftest import Call, Connect

OWN = "09826bf03710200044e0bfc8bcbe5d01"
HOWARD = "08826bf03710200044e0bfc8bcbe5d01"
CAB = "b85d44954a3623120004689b2d5dd60a"
TABLE = "/api/now/table"


def severe(findings: tuple[Finding, ...]) -> set[str]:
    return {one.code for one in findings if one.severity in {Severity.UNSAFE, Severity.FAULT}}


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect()


def test_a_least_privileged_account_is_safe(snow: ServiceNowAdapters) -> None:
    assert severe(snow.desk.check()) == set()
    assert severe(snow.changes.check()) == set()


@pytest.mark.parametrize(
    "role",
    ["admin", "approver_user", "security_admin", "user_admin", "impersonator", "change_manager"],
)
def test_a_role_that_approves_is_unsafe(call: Call, snow: ServiceNowAdapters, role: str) -> None:
    query = {"sysparm_query": f"name={role}"}
    (found,) = call("GET", f"{TABLE}/sys_user_role", params=query)
    body = {"user": OWN, "role": found["sys_id"]}
    call("POST", f"{TABLE}/sys_user_has_role", json=body)
    assert f"may_approve:role:{role}" in severe(snow.changes.check())


def test_a_membership_in_a_group_that_is_asked_is_unsafe(
    call: Call, snow: ServiceNowAdapters
) -> None:
    call("POST", f"{TABLE}/sys_user_grmember", json={"user": OWN, "group": CAB})
    codes = {one.code for one in snow.changes.check()}
    assert codes & {"member:CAB Approval", "may_approve:group:CAB Approval"}


def test_an_approval_asked_of_our_own_account_is_unsafe(
    call: Call, snow: ServiceNowAdapters
) -> None:
    change = call("POST", f"{TABLE}/change_request", json={"short_description": "x"})
    body = {
        "approver": OWN,
        "sysapproval": change["sys_id"],
        "document_id": change["sys_id"],
        "source_table": "change_request",
        "state": "requested",
    }
    call("POST", f"{TABLE}/sysapproval_approver", json=body)
    assert "may_approve:asked" in severe(snow.changes.check())


@pytest.mark.parametrize(("days", "is_unsafe"), [(1, True), (-1, False)])
def test_an_active_delegation_to_us_is_unsafe_and_an_ended_one_is_not(
    call: Call,
    snow: ServiceNowAdapters,
    sandbox: ServiceNowSandbox,
    days: int,
    is_unsafe: bool,  # noqa: FBT001  a parameter of the table above
) -> None:
    now = sandbox.clock.now().astimezone(UTC)
    form = "%Y-%m-%d %H:%M:%S"
    body = {
        "user": HOWARD,
        "delegate": OWN,
        "approvals": "true",
        "starts": (now - timedelta(days=2)).strftime(form),
        "ends": (now + timedelta(days=days)).strftime(form),
    }
    call("POST", f"{TABLE}/sys_user_delegate", json=body)
    assert ("may_approve:delegation" in severe(snow.changes.check())) is is_unsafe


def test_an_account_in_another_time_zone_is_unsafe(call: Call, snow: ServiceNowAdapters) -> None:
    call("PATCH", f"{TABLE}/sys_user/{OWN}", json={"time_zone": "US/Pacific"})
    assert "time_zone" in severe(snow.desk.check())


def test_a_clock_off_by_more_than_half_a_minute_is_unsafe(
    snow: ServiceNowAdapters, sandbox: ServiceNowSandbox
) -> None:
    sandbox.clock.advance(timedelta(seconds=45))
    assert "clock" in severe(snow.desk.check())


def test_an_account_that_cannot_read_history_keeps_the_gate_shut(
    call: Call, snow: ServiceNowAdapters
) -> None:
    made = call("POST", f"{TABLE}/incident", json={"short_description": "x"})
    call("PATCH", f"{TABLE}/incident/{made['sys_id']}", json={"impact": "1"})
    query = {"sysparm_query": f"user={OWN}^role.name=history_reader"}
    (grant,) = call("GET", f"{TABLE}/sys_user_has_role", params=query)
    call("DELETE", f"{TABLE}/sys_user_has_role/{grant['sys_id']}")
    assert "unreadable:sys_audit" in severe(snow.changes.check())


def test_wrong_credentials_are_one_finding(connect: Connect) -> None:
    found = connect({"user": "tiergate", "password": "wrong"}).desk.check()
    assert [one.code for one in found] == ["credentials"]


def test_an_unreachable_instance_is_one_finding(
    connect: Connect, sandbox: ServiceNowSandbox
) -> None:
    closed = connect(url=sandbox.url.rsplit(":", 1)[0] + ":9", attempts=1)
    assert [one.code for one in closed.desk.check()] == ["unreachable"]


def test_every_finding_that_stops_us_says_how_to_mend_it(
    call: Call, snow: ServiceNowAdapters
) -> None:
    call("PATCH", f"{TABLE}/sys_user/{OWN}", json={"time_zone": "US/Pacific"})
    findings = (*snow.desk.check(), *snow.changes.check())
    assert all(one.remedy for one in findings if one.severity is not Severity.OK)


@pytest.mark.parametrize(
    "auth",
    [
        {"oauth": "client_credentials"},
        {"oauth": "password", "user": "tiergate", "password": "tiergate-pw"},
    ],
)
def test_oauth_is_a_way_in(connect: Connect, auth: dict[str, str]) -> None:
    client = {"client_id": "tiergate-client", "client_secret": "tiergate-client-pw"}
    assert connect({**auth, **client}).desk.account().id == OWN


def test_an_expired_token_does_not_stop_the_daemon(
    connect: Connect, sandbox: ServiceNowSandbox
) -> None:
    client = {"client_id": "tiergate-client", "client_secret": "tiergate-client-pw"}
    snow = connect({"oauth": "client_credentials", **client})
    group = snow.desk.members(CAB)
    sandbox.faults.add({"kind": "expired_token", "user": "tiergate", "next_n": 1})
    assert snow.desk.members(CAB) == group


def test_an_api_key_is_a_way_in(connect: Connect) -> None:
    assert connect({"api_key": "tiergate-key-pw"}).desk.account().id == OWN


def test_accounts_carry_the_key_that_joins_persons(snow: ServiceNowAdapters) -> None:
    howard = load_organisation().person("howard.johnson")
    account = Account(system="snow", id=howard.servicenow, name="howard.johnson")
    assert snow.accounts.account_key(account) == howard.employee_number
    assert snow.accounts.accounts_with_key(howard.employee_number) == (account,)
    assert snow.accounts.accounts_with_key("no such number") == ()
    assert snow.accounts.accounts_named("howard.johnson") == (account,)
    assert snow.accounts.accounts_named("x^ORactive=true") == ()


def test_a_member_who_took_over_an_old_row_is_a_new_member(
    call: Call, snow: ServiceNowAdapters, sandbox: ServiceNowSandbox
) -> None:
    before = {one.account.id: one.since for one in snow.accounts.members(CAB) or ()}
    assert HOWARD in before
    (row,) = call(
        "GET",
        f"{TABLE}/sys_user_grmember",
        params={"sysparm_query": f"group={CAB}^user={HOWARD}"},
    )
    sandbox.clock.advance(timedelta(hours=1))
    body = {"user": "62826bf03710200044e0bfc8bcbe5df1"}
    call("PATCH", f"{TABLE}/sys_user_grmember/{row['sys_id']}", json=body)
    after = {one.account.id: one.since for one in snow.accounts.members(CAB) or ()}
    since, former = after[body["user"]], before[HOWARD]
    assert since is not None
    assert former is not None
    assert since >= former + timedelta(hours=1)


def test_a_filter_with_a_mistyped_column_is_found_or_said_to_be_unproved(
    connect: Connect,
) -> None:
    snow = connect(tickets=[{"table": "incident", "filter": "actve=true"}])
    codes = {one.code for one in snow.desk.check()}
    assert codes & {"column:incident.actve", "columns_unproved"}


def test_a_column_that_is_hidden_from_us_is_named(
    snow: ServiceNowAdapters, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("POST", f"{TABLE}/incident", json={"short_description": "x"})
    call("POST", f"{TABLE}/change_request", json={"short_description": "x"})
    hidden = frozenset({"assigned_to", "on_hold"})
    monkeypatch.setattr(AccessRules, "hidden_columns", lambda *_: hidden)
    assert "hidden:incident.assigned_to" in severe(snow.desk.check())
    assert "hidden:change_request.on_hold" in severe(snow.changes.check())
