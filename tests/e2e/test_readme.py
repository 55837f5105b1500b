"""Every command of the README works as it stands there, in its order."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from engine.cli.demo.people import play_to_the_end, write_all
from engine.cli.demo.seed import Seed, load_seed
from tests.e2e.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
SHOWN = "INC0010003"


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text("utf-8")
    return [
        line.removeprefix("$ ")
        for block in BLOCK.findall(text)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def test_the_readme_shows_every_command_of_the_command_line() -> None:
    shown = {shlex.split(line)[1] for line in commands() if line.startswith(".venv/bin/tiergate")}
    assert shown >= {
        "init",
        "check",
        "tickets",
        "show",
        "status",
        "tiers",
        "audit",
        "pause",
        "resume",
    }


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("make")])
def test_every_make_target_of_the_readme_exists(line: str) -> None:
    done = subprocess.run(
        ["make", "-n", *shlex.split(line)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "make test" in commands()
    assert (ROOT / ".ci" / "run").read_text("utf-8").rstrip().endswith("exec make test")


@pytest.mark.slow
def test_the_tour_of_the_readme_works_as_it_stands_there(stage: Stage, tmp_path: Path) -> None:
    wanted = {"forgotten-password", "developer-group", "privileged-approved"}
    seed = Seed(tickets=tuple(one for one in load_seed().tickets if one.name in wanted))
    stage.settle()
    play = write_all(stage.world, seed)
    for _ in range(10):
        stage.settle()
        rows = play_to_the_end(play, patience=0)
        if all(row.is_reached for row in rows):
            break
    tour = [line for line in commands() if line.startswith(".venv/bin/tiergate")]
    for line in tour:
        arguments = shlex.split(line)[1:]
        if arguments[0] in {"demo", "sandbox"}:
            continue
        if arguments[0] == "init":
            arguments[1] = str(tmp_path / arguments[1])
        done = stage.run(*arguments)
        assert done.returncode == 0, f"{line}: {done.stdout}\n{stage.log()}"
        assert done.stdout, line


@pytest.mark.parametrize("option", ["--action", "--system"])
def test_a_pause_of_a_name_that_nothing_bears_is_refused(stage: Stage, option: str) -> None:
    assert stage.run("pause", option, "reset_pasword").returncode == 2
    assert "reset_password" in stage.log() or "servicenow" in stage.log()
    assert stage.run("pause").returncode == 0
