"""A right that somebody gives our account after the approval shuts the system that it is in."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from engine.cli.demo.people import Play, write
from engine.cli.demo.seed import load_seed
from tests.e2e.stage import Stage

NAME = "issue-with-servicenow-change"


@pytest.mark.slow
def test_while_our_account_could_approve_nothing_is_implemented_for_any_other_system(
    stage: Stage,
) -> None:
    ticket = next(one for one in load_seed().tickets if one.name == NAME)
    stage.settle()
    before = stage.world.directory.state()
    written = write(stage.world, ticket)
    stage.settle()
    people = Play(
        world=stage.world, written={NAME: (ticket, written)}, before=before, mailed_before=()
    )
    people.act()

    with given_role(stage, "tiergate", "approver_user"):
        shut = stage.run("run", "--until-settled")

    assert shut.returncode == 1, stage.log()
    assert "shut" in stage.log()
    assert stage.world.change_end(written) != "closed successful"
    assert stage.world.directory.state() == before
    stage.settle()
    assert stage.world.change_end(written) == ticket.expect.change
    assert stage.world.directory.state() != before


@contextmanager
def given_role(stage: Stage, uid: str, role: str) -> Iterator[None]:
    """An admin gives the account a role, and takes it away at the end."""
    url = f"{stage.document['servicenow']['url']}/api/now/table"
    with requests.Session() as admin:
        admin.auth = ("admin", "admin-pw")

        def id_of(table: str, query: str) -> str:
            answer = admin.get(f"{url}/{table}", params={"sysparm_query": query}, timeout=10)
            answer.raise_for_status()
            found: str = answer.json()["result"][0]["sys_id"]
            return found

        values = {
            "user": id_of("sys_user", f"user_name={uid}"),
            "role": id_of("sys_user_role", f"name={role}"),
        }
        made = admin.post(f"{url}/sys_user_has_role", json=values, timeout=10)
        made.raise_for_status()
        yield
        row = made.json()["result"]["sys_id"]
        admin.delete(f"{url}/sys_user_has_role/{row}", timeout=10).raise_for_status()
