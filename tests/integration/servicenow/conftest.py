"""The connector on a sandbox instance, and other people's plain sessions on it."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors.servicenow.factory import ServiceNowAdapters, build
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import TicketKind, TicketRef
from engine.runtime.clock import SystemClock

Call = Callable[..., Any]
TABLE = "/api/now/table"
CAB = "b85d44954a3623120004689b2d5dd60a"
TEXT = PlanText(
    short_description="Add bob.miller to PROD-DB-Admins",
    description="d",
    justification="j",
    risk_and_impact="r",
    implementation="i",
    test="t",
    backout="b",
)
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


@pytest.fixture
def ticket(call: Call) -> TicketRef:
    made = call(
        "POST",
        f"{TABLE}/incident",
        by="abel.tuter",
        json={"short_description": "help", "category": "inquiry"},
    )
    return TicketRef(system="snow", kind=TicketKind.INCIDENT, id=made["sys_id"], key=made["number"])


@pytest.fixture
def draft(ticket: TicketRef) -> ChangeDraft:
    return ChangeDraft(
        correlation_id=f"tg:{ticket.key}:1-r1",
        plan_digest="sha256:" + "5b" * 32,
        text=TEXT,
        kind=ChangeKind.NORMAL,
        window=Window(),
        ticket=ticket,
        requested_by=None,
        authority_group=CAB,
    )
