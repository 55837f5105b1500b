"""A client on recorded answers: every request goes through our transport to `responses`."""

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from connectors.jira.client import JiraClient
from connectors.jira.settings import JiraSettings

URL = "https://jira.example.test"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DATE = "Fri, 20 Nov 2026 12:00:05 GMT"
SECRET = "s3cret-token"


class Clock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def settings(**changes: Any) -> JiraSettings:
    held: dict[str, Any] = {
        "url": URL,
        "auth": {"email": "tiergate@example.com", "token": SECRET},
        "flavour": "cloud",
        "tickets": [{"project": "ITH"}],
        "changes": {"project": "ITH"},
        "attempts": 1,
    }
    return JiraSettings.model_validate({**held, **changes})


@pytest.fixture
def wire() -> Generator[responses.RequestsMock]:
    """Recorded answers; every one of them must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def client() -> JiraClient:
    """A Cloud site's client that tries everything once."""
    return JiraClient("jira", settings(), Clock())


@pytest.fixture
def patient() -> JiraClient:
    """A Cloud site's client that tries what may be repeated up to four times."""
    return JiraClient("jira", settings(attempts=4), Clock())


@pytest.fixture
def center() -> JiraClient:
    """A Data Center site's client."""
    return JiraClient("jira", settings(flavour="datacenter", auth={"pat": SECRET}), Clock())
