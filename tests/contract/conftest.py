"""The harnesses that the suite runs against: each adapter passes the same tests."""

import importlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.contract.harness import Harness
from tests.recording import RECORDER

HARNESSES = tuple(
    path.stem.removeprefix("harness_")
    for path in sorted(Path(__file__).parent.glob("harness_*.py"))
)


@pytest.fixture(scope="session", autouse=True)
def _all_traffic_is_recorded() -> Iterator[None]:
    with RECORDER.listening():
        yield


@pytest.fixture(autouse=True)
def _no_write_is_forbidden(_all_traffic_is_recorded: None) -> Iterator[None]:
    """I3 over the whole suite: whatever a test is about, the adapter wrote nothing forbidden."""
    yield
    assert RECORDER.judge() == []


TICKETS_ALONE = frozenset({"servicenow_requests"})
"""Harnesses whose changes are those of another harness: only their tickets are tried."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another harness tries on the same code."""
    own = Path(__file__).with_name("test_changes.py")
    left_out = [
        item
        for item in items
        if item.path == own
        and isinstance(item, pytest.Function)
        and item.callspec.params.get("harness") in TICKETS_ALONE
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest) -> Generator[Harness]:
    """A fresh system with everybody in it, behind one adapter."""
    module = importlib.import_module(f"tests.contract.harness_{request.param}")
    with module.harness() as made:
        yield made
