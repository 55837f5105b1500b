"""The operators' page names every fault that the daemon can tell."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_duty_that_can_fail_is_on_the_operators_page() -> None:
    source = (ROOT / "engine" / "runtime" / "work.py").read_text("utf-8")
    duties = set(re.findall(r'name=f?"(\w+)', source))
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(\w+)", page, re.M))
    assert duties
    assert told == duties
