"""What every layer of tests shares: the reference material, and when skipping is an error."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def skip_or_fail(why: str) -> NoReturn:
    """Skip with a clear word; in CI, where everything is installed, fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run this test: {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the checkout."""
    if not SHARED.is_dir():
        skip_or_fail(f"the reference material is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def lacking() -> Callable[[str], NoReturn]:
    """Skip, or in CI fail, because this machine lacks something."""
    return skip_or_fail
