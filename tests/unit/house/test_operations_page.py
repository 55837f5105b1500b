"""The operators' page names every fault that the daemon can tell."""

import inspect
import re
from pathlib import Path

from engine.runtime import work

ROOT = Path(__file__).parents[3]


def test_every_duty_that_can_fail_is_on_the_operators_page() -> None:
    duties = set(re.findall(r'name=f?"(\w+)', inspect.getsource(work)))
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert duties
    assert told == duties
