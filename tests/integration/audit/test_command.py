"""The whole command, by its configuration, against three sandboxes over sockets."""

import json
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import ldap3
import pytest
from typer.testing import CliRunner, Result

from connectors.jira.sandbox.server import JiraSandbox
from connectors.ldap.sandbox.seed import ACCESS_LOG, GROUPS, PEOPLE
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.cli.main import app

DEFAULTS = Path(str(resources.files("config"))) / "defaults"
CONFIGURATION = """
store: {{url: "sqlite:///{folder}/t.db"}}
data: {folder}/data
tiers: {tiers}
systems:
  servicenow:
    kind: servicenow
    url: {servicenow}
    auth: {{user: "env:SN_USER", password: "env:SN_PASSWORD"}}
    tickets: [{{table: incident, filter: active=true}}]
  jira:
    kind: jira
    url: {jira}
    auth: {{email: "env:JIRA_EMAIL", token: "env:JIRA_TOKEN"}}
    tickets: [{{project: ITH}}]
    changes: {{project: ITH}}
directories:
  corporate-directory:
    kind: ldap
    flavour: openldap
    url: {ldap}
    bind: {{dn: "env:LDAP_DN", password: "env:LDAP_PASSWORD"}}
    people: "{people}"
    groups: "{groups}"
    changes_log: {log}
    ordinary: [git-users, ci-users, vpn-staff]
mail: {{host: localhost, from: it@example.test}}
"""
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def directory() -> Iterator[DirectorySandbox]:
    with DirectorySandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def run(directory: DirectorySandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run `tiergate audit reconcile` with more arguments."""
    folder = tmp_path_factory.mktemp("command")
    with ServiceNowSandbox(seed="empty") as snow, JiraSandbox(seed="empty") as jira:
        config = folder / "tiergate.yaml"
        places = {
            "folder": folder,
            "tiers": DEFAULTS / "tiers.yaml",
            "servicenow": snow.url,
            "jira": jira.url,
            "ldap": directory.url,
            "people": PEOPLE,
            "groups": GROUPS,
            "log": ACCESS_LOG,
        }
        config.write_text(CONFIGURATION.format_map(places), encoding="utf-8")
        now, site = snow.accounts["integration"], jira.accounts["integration"]
        tree = directory.accounts["integration"]
        secrets = {
            "SN_USER": now.username,
            "SN_PASSWORD": now.password,
            "JIRA_EMAIL": site["username"],
            "JIRA_TOKEN": site["password"],
            "LDAP_DN": tree["username"],
            "LDAP_PASSWORD": tree["password"],
        }

        def invoke(*arguments: str) -> Result:
            command = ["audit", "reconcile", "--config", str(config), *arguments]
            return CliRunner().invoke(app, command, env=secrets)

        yield invoke


def test_a_write_that_no_effect_explains_ends_the_command_with_1(
    run: Run, directory: DirectorySandbox
) -> None:
    quiet = run("--json")
    assert quiet.exit_code == 0, quiet.output
    told: dict[str, Any] = json.loads(quiet.stdout)
    assert told["unread"] == []
    assert told["compared"] == {
        "corporate-directory": 0,
        "servicenow": 0,
        "jira": 0,
        "servicenow writes": 0,
        "jira writes": 0,
    }

    account = directory.accounts["integration"]
    server = ldap3.Server("127.0.0.1", port=directory.port, get_info=ldap3.NONE)
    thief = ldap3.Connection(server, account["username"], account["password"], auto_bind=True)
    group = f"cn=git-users,{GROUPS}"
    member = [(ldap3.MODIFY_ADD, [f"uid=don.goodliffe,{PEOPLE}"])]
    done = thief.modify(group, {"member": member})  # type: ignore[no-untyped-call]  # types-ldap3 leaves it out
    assert done, thief.result
    thief.unbind()

    found = run("--json")
    assert found.exit_code == 1
    (difference,) = json.loads(found.stdout)["differences"]
    assert difference["side"] == "unrecorded"
    assert group in difference["what"]
    assert difference["what"].startswith("member of ")

    shown = run()
    assert shown.exit_code == 1
    assert "Out there, and not on our record: 1" in shown.stdout
    assert "On our record, and not out there: nothing" in shown.stdout


def test_a_wrong_beginning_is_wrong_usage(run: Run) -> None:
    assert run("--since", "last week").exit_code == 2
    assert run("--since", "2999-01-01").exit_code == 2


def test_a_log_that_begins_too_late_is_named_and_is_no_difference(run: Run) -> None:
    told = run("--since", "2001-01-01", "--json")
    unread = json.loads(told.stdout)["unread"]
    assert len(unread) == 1
    assert "later --since" in unread[0]
    assert told.exit_code == 0
