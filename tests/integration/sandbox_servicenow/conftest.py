"""One sandbox per test module that changes records, and sessions for its accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from connectors.servicenow.sandbox.server import ServiceNowSandbox

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """One account's way to the Table API, with the checks that most tests want."""

    url: str
    session: requests.Session

    def get(self, path: str, status: int = 200, **parameters: Any) -> requests.Response:
        answer = self.session.get(f"{self.url}{path}", params=parameters, timeout=20)
        assert answer.status_code == status, answer.text
        return answer

    def post(self, path: str, body: object, status: int = 201, **parameters: Any) -> Record:
        answer = self.session.post(f"{self.url}{path}", json=body, params=parameters, timeout=20)
        assert answer.status_code == status, answer.text
        found: Record = answer.json()
        return found

    def worked(self, started: Record) -> Record:
        """Return what the worker of a change found, once its answer said that it waits."""
        assert started["result"]["state"] == {"value": 1, "display_value": "Waiting"}
        address = started["result"]["worker"]["link"].removeprefix(self.url)
        found: Record = self.get(address).json()["result"]
        assert found["state"] == {"value": 3, "display_value": "Complete"}
        return found

    def spans(self, path: str, **parameters: Any) -> list[Record]:
        """Return the free times that a worker finds for a change or an item."""
        found = self.worked(self.get(path, 202, **parameters).json())
        spans: list[Record] = found.get("payload", {"spans": []})["spans"]
        return spans

    def records(self, table: str, query: str = "", **parameters: Any) -> list[Record]:
        parameters.setdefault("sysparm_exclude_reference_link", "true")
        answer = self.get(f"/api/now/table/{table}", sysparm_query=query, **parameters)
        found: list[Record] = answer.json()["result"]
        return found

    def record(self, table: str, sys_id: str, **parameters: Any) -> Record:
        parameters.setdefault("sysparm_exclude_reference_link", "true")
        found: Record = self.get(f"/api/now/table/{table}/{sys_id}", **parameters).json()["result"]
        return found

    def create(self, table: str, status: int = 201, **values: Any) -> Record:
        body = self.post(
            f"/api/now/table/{table}", values, status, sysparm_exclude_reference_link="true"
        )
        found: Record = body.get("result", body)
        return found

    def change(self, table: str, sys_id: str, status: int = 200, **values: Any) -> Record:
        answer = self.session.patch(
            f"{self.url}/api/now/table/{table}/{sys_id}?sysparm_exclude_reference_link=true",
            json=values,
            timeout=20,
        )
        assert answer.status_code == status, answer.text
        body: Record = answer.json()
        found: Record = body.get("result", body)
        return found


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ServiceNowSandbox]:
    with ServiceNowSandbox() as running:
        yield running


@pytest.fixture
def log_in(sandbox: ServiceNowSandbox) -> Iterator[Callable[[str], Api]]:
    opened: list[requests.Session] = []

    def make(role: str) -> Api:
        account = sandbox.accounts[role]
        session = requests.Session()
        session.auth = (account.username, account.password)
        session.headers["Accept"] = "application/json"
        opened.append(session)
        return Api(sandbox.url, session)

    yield make
    for session in opened:
        session.close()


@pytest.fixture
def daemon(log_in: Callable[[str], Api]) -> Api:
    return log_in("integration")


@pytest.fixture
def admin(log_in: Callable[[str], Api]) -> Api:
    return log_in("admin")


@pytest.fixture
def agent(log_in: Callable[[str], Api]) -> Api:
    return log_in("agent")


@pytest.fixture
def requester(log_in: Callable[[str], Api]) -> Api:
    return log_in("requester")


@pytest.fixture
def approver(log_in: Callable[[str], Api]) -> Api:
    return log_in("approver1")
