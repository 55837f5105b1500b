import importlib
from collections.abc import Generator
from datetime import timedelta

import pytest

from tests.contract.harness import Harness

KEY = "tiergate-contract-0123456789abcdef-1-r1"


@pytest.fixture(params=["memory", "servicenow", "jira", "jira_datacenter"])
def harness(request: pytest.FixtureRequest) -> Generator[Harness]:
    """A fresh system with everybody in it."""
    module = importlib.import_module(f"tests.contract.harness_{request.param}")
    with module.harness() as made:
        yield made


def test_the_changes_that_our_account_opened_are_listed_with_their_key(harness: Harness) -> None:
    ticket = harness.seed_ticket("I need access", description="please")
    since = harness.now() - timedelta(minutes=1)
    opened = harness.changes.open(harness.draft(ticket, correlation_id=KEY))
    harness.settle()
    listed = harness.changes.opened_by_us(since)
    assert listed is not None
    assert [(one.ref.id, one.ref.number, one.correlation_id) for one in listed] == [
        (opened.id, opened.number, KEY)
    ]
    assert abs(listed[0].opened_at - harness.now()) < timedelta(minutes=5)
    assert harness.changes.opened_by_us(harness.now() + timedelta(hours=1)) == ()
