"""The Ansible module community.general.jira, run by a playbook, against Data Center v2."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

PLAYBOOK = Path(__file__).resolve().parent / "ansible" / "playbook.yaml"
ROOT = Path(__file__).resolve().parents[3]
PIN = "ansible==11.0.0"
"""The distribution that carries the collection; it pins its own ansible-core."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ansible(tmp_path_factory: pytest.TempPathFactory, lacking: Callable[[str], NoReturn]) -> Path:
    """Ansible in an environment of its own, from the package index."""
    folder = tmp_path_factory.mktemp("ansible") / "venv"
    if not (ROOT / ".uv").is_dir():
        lacking("uv is not in .uv: run make setup")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".uv")}
    base = getattr(sys, "_base_executable", sys.executable)
    for arguments in (
        ["venv", "--python", base, str(folder)],
        ["pip", "install", "--python", str(folder / "bin" / "python"), PIN],
    ):
        done = subprocess.run(
            [base, "-m", "uv", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        if done.returncode:
            lacking(f"Ansible could not be installed: {done.stderr[-500:]}")
    return folder


def test_a_playbook_takes_an_issue_through_its_life(
    ansible: Path, server: Any, tmp_path: Path
) -> None:
    held = server.sandbox.accounts["integration"]
    values = {
        "url": server.sandbox.url,
        "user": held["username"],
        "secret": held["password"],
        "ansible_python_interpreter": str(ansible / "bin" / "python"),
    }
    command = [str(ansible / "bin" / "ansible-playbook"), "-i", "localhost,", str(PLAYBOOK)]
    for name, value in values.items():
        command += ["-e", f"{name}={value}"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,
        env={
            "PATH": f"{ansible / 'bin'}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "LANG": "C.UTF-8",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "failed=0" in done.stdout
    assert server.state("OPS-1") == "In Progress"
