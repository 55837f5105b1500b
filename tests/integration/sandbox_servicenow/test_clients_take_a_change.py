"""pysnow and pysnc each take a change through its approval to its end."""

from collections.abc import Callable, Iterator
from typing import Any

import pysnc
import pysnow
import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox

END = {"state": "3", "close_code": "successful", "close_notes": "Done"}


@pytest.fixture(scope="module")
def secure() -> Iterator[ServiceNowSandbox]:
    with pytest.MonkeyPatch.context() as patch, ServiceNowSandbox(tls=True) as running:
        patch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        yield running


@pytest.fixture
def snow(secure: ServiceNowSandbox) -> Iterator[Callable[[str], pysnow.Client]]:
    sessions: list[requests.Session] = []

    def log_in(role: str) -> pysnow.Client:
        account = secure.accounts[role]
        session = requests.Session()
        session.auth = (account.username, account.password)
        sessions.append(session)
        return pysnow.Client(host=secure.url.removeprefix("https://"), session=session)

    yield log_in
    for session in sessions:
        session.close()


def table(client: pysnow.Client, name: str) -> Any:
    return client.resource(api_path=f"/table/{name}")


def test_pysnow_takes_a_change_through_its_approval(
    snow: Callable[[str], pysnow.Client],
) -> None:
    daemon, approver = snow("integration"), snow("approver1")
    made = table(daemon, "change_request").create(
        payload={"short_description": "by pysnow", "assignment_group": "Software"}
    )
    key = {"sys_id": made.one()["sys_id"]}
    table(daemon, "change_request").update(query=key, payload={"state": "-4"}).one()
    query = pysnow.QueryBuilder().field("sysapproval").equals(key["sys_id"])
    row = table(approver, "sysapproval_approver").get(query=query).one()
    assert row["state"] == "requested"
    with pytest.raises(requests.HTTPError, match="403"):
        table(daemon, "sysapproval_approver").update(
            query={"sys_id": row["sys_id"]}, payload={"state": "approved"}
        ).one()
    table(approver, "sysapproval_approver").update(
        query={"sys_id": row["sys_id"]}, payload={"state": "approved", "comments": "ok"}
    ).one()
    assert table(daemon, "change_request").get(query=key).one()["state"] == "-2"
    for values in ({"state": "-1"}, {"state": "0"}, END):
        done = table(daemon, "change_request").update(query=key, payload=values).one()
        assert done["state"] == values["state"]


def test_pysnc_takes_a_change_through_its_approval(secure: ServiceNowSandbox) -> None:
    def log_in(role: str) -> pysnc.ServiceNowClient:
        account = secure.accounts[role]
        return pysnc.ServiceNowClient(secure.url, (account.username, account.password))

    daemon, approver = log_in("integration"), log_in("approver2")
    change = daemon.GlideRecord("change_request")
    change.initialize()
    change.short_description = "by pysnc"
    change.assignment_group = "8a4dde73c6112278017a6a4baf547aa7"
    number = change.insert()
    change.state = "-4"
    assert change.update()
    row = approver.GlideRecord("sysapproval_approver")
    assert row.get("sysapproval", number)
    row.state = "approved"
    assert row.update()
    for values in ({"state": "-1"}, {"state": "0"}, END):
        assert change.get(number)
        for name, value in values.items():
            change.set_value(name, value)
        assert change.update()
        assert change.get_value("state") == values["state"]
    assert change.get_display_value("state") == "Closed"
    for client in (daemon, approver):
        client.session.close()
