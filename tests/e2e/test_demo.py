"""The demo as a user runs it: scripted people, ends read from outside."""

import itertools
import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from engine.cli.demo.seed import load_seed

ROOT = Path(__file__).resolve().parents[2]


def _runs_of_five(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(itertools.islice(words, start, None) for start in range(5)), strict=False))


def test_no_text_of_the_demo_shares_a_run_of_five_words_with_an_example_phrase() -> None:
    text = resources.files("config").joinpath("defaults/tiers.yaml").read_text("utf-8")
    actions = YAML(typ="safe", pure=True).load(text)["actions"].values()
    taught = set[tuple[str, ...]]().union(
        *(_runs_of_five(phrase) for action in actions for phrase in action["examples"])
    )
    for ticket in load_seed().tickets:
        words = f"{ticket.short_description} {ticket.description}"
        assert not _runs_of_five(words) & taught, ticket.name


@pytest.mark.slow
def test_every_ticket_of_the_unattended_demo_reaches_its_expected_end(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", f"ARGS=--unattended --data {tmp_path / 'demo'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "ends reached" in done.stdout
