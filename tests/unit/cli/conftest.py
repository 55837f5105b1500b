"""One fresh store for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.chains import Chains, chains


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Chains]:
    with chains(tmp_path) as opened:
        yield opened
