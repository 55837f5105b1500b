"""Each connector says where it stands on every rule; what it cites exists."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
RULES = frozenset(
    {
        "pagination", "rate_limits", "retry_safety", "unknown_values", "auth_expiry", "log_once",
        "contract", "recordings", "dry_run", "docs",
    }
)  # fmt: skip
FILES = sorted((ROOT / "connectors").glob("*/quality.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_rule_is_done_to_do_or_exempt_with_its_reason(path: Path) -> None:
    found = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))["rules"]
    assert set(found) >= RULES
    for name, rule in found.items():
        reason = rule["by"] if rule["status"] == "done" else rule["because"]
        assert rule["status"] in {"done", "todo", "exempt"}, name
        assert reason, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_what_a_rule_cites_exists(path: Path) -> None:
    for cited in re.findall(r"(?:tests|docs)/[\w/.-]*\w", path.read_text("utf-8")):
        assert (ROOT / cited).exists(), cited


def test_the_servicenow_connector_answers_for_itself() -> None:
    assert ROOT / "connectors" / "servicenow" / "quality.yaml" in FILES
