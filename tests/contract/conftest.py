"""The harnesses that the suite runs against: each adapter passes the same tests."""

import importlib
import importlib.util
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.contract.harness import Harness

HARNESSES = tuple(
    path.stem.removeprefix("harness_")
    for path in sorted(Path(__file__).parent.glob("harness_*.py"))
)


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest) -> Generator[Harness]:
    """A fresh system with everybody in it, behind one adapter."""
    module = importlib.import_module(f"tests.contract.harness_{request.param}")
    with module.harness() as made:
        yield made
