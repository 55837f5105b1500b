"""The connector on a sandbox instance, and other people's plain sessions on it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors.servicenow.factory import ServiceNowAdapters, build
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.servicenow.settings import ServiceNowSettings
from engine.runtime.clock import SystemClock

Call = Callable[..., Any]
Connect = Callable[..., ServiceNowAdapters]


@pytest.fixture
def sandbox() -> Iterator[ServiceNowSandbox]:
    with ServiceNowSandbox(seed="empty") as running:
        yield running


@pytest.fixture
def call(sandbox: ServiceNowSandbox) -> Call:
    """Send one request as a person, outside of the connector; return its result."""

    def send(method: str, path: str, *, by: str = "admin", **kwargs: Any) -> Any:
        answer = requests.request(
            method, f"{sandbox.url}{path}", auth=(by, f"{by}-pw"), timeout=30, **kwargs
        )
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()["result"] if answer.content else None

    return send


@pytest.fixture
def connect(sandbox: ServiceNowSandbox) -> Connect:
    """Build the connector with settings of the test's choice."""

    def make(auth: Mapping[str, str] | None = None, **changes: object) -> ServiceNowAdapters:
        raw: dict[str, object] = {
            "url": sandbox.url,
            "auth": auth or {"user": "tiergate", "password": "tiergate-pw"},
            "tickets": [
                {"table": "incident", "filter": "active=true"},
                {"table": "sc_req_item", "filter": "active=true"},
            ],
            "changes": {"assignment_group": "Software"},
            "attempts": 2,
            **changes,
        }
        return build("snow", ServiceNowSettings.model_validate(raw), SystemClock())

    return make


@pytest.fixture
def settle(sandbox: ServiceNowSandbox) -> Callable[[], None]:
    """Move the instance's clock past everything written so far."""
    return lambda: sandbox.clock.advance(timedelta(seconds=10))
