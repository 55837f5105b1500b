"""I7: no secret in a ticket, a change, a log, an audit row, a database or the list of processes."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import requests

from engine.cli.demo.people import play_to_the_end, write_all
from engine.cli.demo.seed import Seed, load_seed
from tests.e2e.stage import Stage
from tests.e2e.zygote import Command

_SENT = re.compile(r"temporary password is:\s+(\S+)")
_WAYS = frozenset({"forgotten-password", "privileged-approved"})
_NEVER = frozenset({"installation", "temporary password"})
_SIGHTS = 40


def spelt(secret: str) -> tuple[bytes, ...]:
    """How a secret could stand in a file: as it is, in JSON, in base64 of an authorisation."""
    return (secret.encode(), json.dumps(secret)[1:-1].encode())


def holding(files: Iterable[Path], secrets: dict[str, str]) -> list[str]:
    """Which file holds which secret."""
    found = list[str]()
    for path in files:
        content = path.read_bytes()
        found += [
            f"{name} in {path.name}"
            for name, secret in secrets.items()
            if any(one in content for one in spelt(secret))
        ]
    return found


def seen_in_processes(command: Command, secrets: dict[str, str]) -> list[str]:
    """What `ps` shows of every process while the command runs."""
    found = list[str]()
    for _ in range(_SIGHTS):
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = place.read_bytes()
            except OSError:
                continue  # it has ended meanwhile
            found += [name for name, one in secrets.items() if one.encode() in line]
        if command.ended.wait(0.25):
            break
    return found


def mailed(stage: Stage) -> list[str]:
    """The temporary passwords that were sent out of band: the one place where they may stand."""
    url = f"{stage.document['smtp']['admin_url'].rstrip('/')}/messages"
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return [one for mail in answer.json()["messages"] for one in _SENT.findall(mail["body"])]


@pytest.mark.slow
def test_no_secret_stands_anywhere_after_the_ways_of_the_demo(stage: Stage) -> None:
    folder = stage.folder
    credentials = folder / "credentials"
    known = {
        name: (credentials / name).read_text("utf-8").strip()
        for name in ("servicenow", "jira", "ldap", "installation")
    }
    seed = Seed(tickets=tuple(one for one in load_seed().tickets if one.name in _WAYS))
    assert len(seed.tickets) == len(_WAYS)
    stage.settle()
    play = write_all(stage.world, seed)
    running = stage.start("run", "--until-settled")
    assert seen_in_processes(running, known) == []
    for _ in range(10):
        assert running.wait(120) == 0, stage.log()
        if all(row.is_reached for row in play_to_the_end(play, patience=0)):
            break
        running = stage.start("run", "--until-settled")
    (temporary,) = mailed(stage)
    secrets = {**known, "temporary password": temporary}

    tickets = [written for _, written in play.written.values()]
    for ticket in tickets:
        to = ("--to", str(folder / f"{ticket.key}.html"), "--format", "html")
        stage.run("audit", "export", "--ticket", ticket.key, *to)
        stage.run("show", ticket.key, "--json")
        told = "\n".join(stage.world.door_of(ticket).notes(ticket))
        assert "Tiergate" in told
        assert [name for name, one in secrets.items() if one in told] == []
    # The same ways are a proof of the other kind: everything that was written is on record.
    compared = stage.run("audit", "reconcile")
    assert compared.returncode == 0, compared.stdout
    break_everything(stage)

    ours = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and credentials not in path.parents
        and not path.is_relative_to(folder / "smtp")
    ]
    names = {path.name for path in ours}
    assert {"tiergate.db", "daemon.log", f"{tickets[0].key}.html", "out-1.txt"} <= names
    # The vendors' own databases know the accounts' logins, of course; never the other two.
    inner = {name: one for name, one in secrets.items() if name in _NEVER}
    vendors = [path for path in ours if {"jira", "servicenow", "ldap"} & set(path.parts)]
    assert holding(vendors, inner) == []
    assert holding([path for path in ours if path not in vendors], secrets) == []


def break_everything(stage: Stage) -> None:
    """Let every way in be refused, so that the errors are written that a wrong password makes."""
    text = stage.config.read_text("utf-8")
    wrong = stage.folder / "wrong.yaml"
    wrong.write_text(text.replace("file:credentials/", "file:credentials/wrong-"), "utf-8")
    for path in list((stage.folder / "credentials").iterdir()):
        copy = path.with_name(f"wrong-{path.name}")
        # Another password that holds the right one: what is cut to its beginning would show it.
        copy.touch(mode=0o600)
        copy.write_text(f"{path.read_text('utf-8').strip()}-wrong", "utf-8")
    done = stage.run("check", "--json", "--config", str(wrong))
    assert done.returncode == 1
    assert "credentials" in done.stdout
