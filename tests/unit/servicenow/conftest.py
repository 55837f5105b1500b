"""A ServiceNow instance of recorded payloads: what is replayed is what real instances answered."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from connectors.servicenow.factory import ServiceNowAdapters, build
from connectors.servicenow.settings import ServiceNowSettings

URL = "https://example.service-now.com"
API = f"{URL}/api/now/table"
OWN = "09826bf03710200044e0bfc8bcbe5d01"
NOW = datetime(2026, 11, 20, 10, 42, 7, tzinfo=UTC)
# As recorded from a developer instance (2022), shortened to what a client may look at.
HEADERS = {
    "X-Is-Logged-In": "true",
    "X-Transaction-ID": "09ee25ec974f",
    "Date": "Fri, 20 Nov 2026 10:42:07 GMT",
    "Set-Cookie": "JSESSIONID=4F1B; Path=/; HttpOnly",
    "Server": "ServiceNow",
}
JSON = "application/json;charset=UTF-8"


class StoppedClock:
    def now(self) -> datetime:
        return NOW


def pair(value: str, display: str | None = None) -> dict[str, str]:
    """A field as `sysparm_display_value=all` shows it."""
    return {"value": value, "display_value": value if display is None else display}


def record(**values: str | tuple[str, str]) -> dict[str, Any]:
    return {
        name: pair(*value) if isinstance(value, tuple) else pair(value)
        for name, value in values.items()
    }


class Instance:
    """Answers of one instance, per table in order, and the requests that were made."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.mock = mock
        self._defaults()

    def _defaults(self) -> None:
        own = record(sys_id=OWN, user_name="tiergate", sys_updated_on="2026-11-01 00:00:00")
        self.rows("sys_user", [own])
        for table in ("sys_audit", "sys_journal_field", "cmn_schedule_blackout", "conflict"):
            self.rows(table, [])

    def rows(self, table: str, rows: Sequence[Mapping[str, Any]], total: int | None = None) -> None:
        """Answer a list; several answers of one table are used in order, the last for good."""
        self.answer(table, {"result": list(rows)}, total=len(rows) if total is None else total)

    def answer(
        self, table: str, body: object, *, total: int | None = None, status: int = 200
    ) -> None:
        headers = {**HEADERS, **({} if total is None else {"X-Total-Count": str(total)})}
        text = body if isinstance(body, str) else json.dumps(body)
        self.mock.get(
            f"{API}/{table}", body=text, status=status, headers=headers, content_type=JSON
        )

    def write(
        self,
        method: str,
        path: str,
        result: Mapping[str, Any] | None,
        status: int = 200,
        body: str | None = None,
        content_type: str = JSON,
    ) -> None:
        self.mock.add(
            method,
            f"{API}/{path}",
            body=json.dumps({"result": result}) if body is None else body,
            status=status,
            headers=HEADERS,
            content_type=content_type,
        )

    def queries(self, table: str) -> list[str]:
        """The encoded queries that a table was asked with."""
        found: list[str] = []
        for call in self.mock.calls:
            parts = urlsplit(call.request.url or "")
            if parts.path == f"/api/now/table/{table}":
                found += parse_qs(parts.query).get("sysparm_query", [])
        return found

    def bodies(self, method: str) -> list[dict[str, str]]:
        """What was written with this method."""
        return [
            json.loads(call.request.body or b"{}")
            for call in self.mock.calls
            if call.request.method == method
        ]


@pytest.fixture
def instance() -> Iterator[Instance]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Instance(mock)


def settings(**changes: object) -> ServiceNowSettings:
    return ServiceNowSettings.model_validate(
        {
            "url": URL,
            "auth": {"api_key": "a-key"},
            "tickets": [{"table": "incident", "filter": "active=true", "since": "2026-01-01"}],
            "unset": {"category": ["inquiry"], "impact": ["3"], "urgency": ["3"]},
            "page_size": 3,
            "attempts": 1,
            **changes,
        }
    )


@pytest.fixture
def snow() -> ServiceNowAdapters:
    return build("snow", settings(), StoppedClock())


def incident(number: int, at: str = "2026-11-20 10:00:00", **values: str | tuple[str, str]) -> Any:
    """An incident as a list shows it to our account."""
    fields: dict[str, str | tuple[str, str]] = {
        "sys_id": f"{number:032x}",
        "number": f"INC{number:07d}",
        "sys_class_name": ("incident", "Incident"),
        "sys_mod_count": "0",
        "sys_created_on": at,
        "sys_created_by": "abel.tuter",
        "sys_updated_on": at,
        "sys_updated_by": "abel.tuter",
        "state": ("1", "New"),
        "approval": ("not requested", "Not Yet Requested"),
        "short_description": "Forgot my password",
        "description": "",
        "caller_id": ("62826bf03710200044e0bfc8bcbe5df1", "Abel Tuter"),
        "opened_by": ("62826bf03710200044e0bfc8bcbe5df1", "Abel Tuter"),
        "assigned_to": "",
        "assignment_group": "",
        "contact_type": ("self-service", "Self-service"),
        "category": ("inquiry", "Inquiry / Help"),
        "priority": ("5", "5 - Planning"),
        "impact": ("3", "3 - Low"),
        "urgency": ("3", "3 - Low"),
        **values,
    }
    return record(**fields)
