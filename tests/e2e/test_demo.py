"""The demo as a user runs it: scripted people, ends read from outside."""

import itertools
import json
import re
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import requests
from ruamel.yaml import YAML

from engine.cli.demo.seed import load_seed
from tests.e2e.attacks.forbidden import forbidden
from tests.recording import ACCOUNT

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


@pytest.mark.slow
def test_ctrl_c_ends_the_attended_demo_cleanly_and_nothing_forbidden_was_written(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.cli.main", "demo", "--data", str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert demo.stdout is not None
    with demo, demo.stdout:
        said: list[str] = []
        for line in demo.stdout:
            said.append(line)
            if "approve: http" in "".join(said) and " done " in line:
                break
        _nothing_forbidden_was_written(folder)
        demo.send_signal(signal.SIGINT)
        said += demo.stdout
        assert demo.wait(60) == 0, "".join(said)
    assert any("/api/now/table/sysapproval_approver" in line for line in said)
    assert "\x1b" not in "".join(said), "no colour where nobody watches on a terminal"
    left = [
        process
        for process in Path("/proc").glob("[0-9]*/cmdline")
        if str(folder).encode() in _read(process)
    ]
    assert not left


def _nothing_forbidden_was_written(folder: Path) -> None:
    """The sandboxes are processes of their own here: they are asked what our account wrote."""
    world = json.loads((folder / "world.json").read_text("utf-8"))
    for vendor, system in (("servicenow", "servicenow"), ("jira", "itsm-jira")):
        answer = requests.get(f"{world[vendor]['admin_url']}/log", timeout=30)
        answer.raise_for_status()
        ours = [one for one in answer.json()["requests"] if ACCOUNT in one["user"]]
        assert any(one["method"] != "GET" for one in ours), f"{vendor}: nothing was written"
        assert forbidden(system, ours) == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process ended meanwhile
        return b""
