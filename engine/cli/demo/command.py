"""`tiergate demo`: everything on loopback, and the story as it happens."""

import json
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.console import errors_end_the_command, has_colour, say
from engine.cli.demo.children import Child, FirstLine, ReadySocket
from engine.cli.demo.files import write_files
from engine.errors import ConfigurationError
from engine.runtime.signals import on_end

_START = 60.0
_MARK = ".tiergate-demo"


def demo(
    *,
    unattended: Annotated[
        bool,
        typer.Option(
            "--unattended",
            help="Scripted people approve; exit 0 only if every ticket reached its expected end.",
        ),
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the demo lives; by default a new folder.")
    ] = None,
) -> None:
    """Show the whole thing on loopback: no key, no account, nothing left behind but one folder."""
    with errors_end_the_command():
        folder = data or Path(tempfile.mkdtemp(prefix="tiergate-demo-"))
        _clear(folder)
        raise SystemExit(_run(folder, is_unattended=unattended))


def _clear(folder: Path) -> None:
    """Make an empty folder for a demo; only what an earlier demo left there is removed.

    Raises:
        ConfigurationError: Something else stands there.
    """
    mark = folder / _MARK
    if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"--data {folder}: is not empty and holds no earlier demo; name a new folder"
        )
    if mark.is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark.touch()


def _run(folder: Path, *, is_unattended: bool) -> int:
    stop = threading.Event()
    on_end(stop.set)
    with _sandboxes(folder) as world:
        world_file = folder / "world.json"
        world_file.write_text(json.dumps(world, indent=2), "utf-8")
        config = write_files(folder, world)
        say(f"configuration  {config}    (tiergate show KEY --config {config})")
        with _daemon(folder, config) as daemon:
            _tell_how_to_approve(world, is_unattended=is_unattended)
            people = Child(
                "people",
                ["engine.cli.demo.people", str(world_file)]
                + ([] if is_unattended else ["--only-write"]),
                log=folder / "people.log",
                on_line=say,
            )
            try:
                return _watch(stop, daemon, people, folder, is_unattended=is_unattended)
            finally:
                people.stop()


def _watch(
    stop: threading.Event, daemon: Child, people: Child, folder: Path, *, is_unattended: bool
) -> int:
    while not stop.wait(0.2):
        if not daemon.is_alive:
            say(f"the daemon ended; its log: {folder / 'daemon.log'}")
            return 1
        if people.is_alive:
            continue
        code = people.wait()
        if code != 0:
            say(f"the demo's people gave up; their log: {folder / 'people.log'}")
        if is_unattended or code != 0:
            return code or 0
    say("ending")
    return 0


@contextmanager
def _sandboxes(folder: Path) -> Generator[dict[str, Any]]:
    first = FirstLine()
    child = Child(
        "the sandboxes",
        ["engine.cli.main", "sandbox", "--seed", "demo", "--data", str(folder / "sandboxes")],
        log=folder / "sandboxes.log",
        on_line=first,
    )
    try:
        document: dict[str, Any] = json.loads(first.get(child, timeout=_START))
        yield document
    finally:
        child.stop()


@contextmanager
def _daemon(folder: Path, config: Path) -> Generator[Child]:
    ready = ReadySocket(folder / "ready")
    child = Child(
        "the daemon",
        ["engine.cli.main", "run", "--config", str(config), "--story"]
        + (["--colour"] if has_colour() else []),
        log=folder / "daemon.log",
        environment=ready.environment,
        on_line=say,
    )
    try:
        ready.wait(child, timeout=_START)
        yield child
    finally:
        child.stop()


def _tell_how_to_approve(world: dict[str, Any], *, is_unattended: bool) -> None:
    if is_unattended:
        say("scripted people write tickets and approve through the vendors' native APIs")
        return
    approver = world["servicenow"]["accounts"]["approver1"]
    servicenow, jira = world["servicenow"]["url"], world["jira"]["url"]
    say(f"approve        {servicenow}/approvals   (ServiceNow, in a browser)")
    say(f"               {jira}/approvals   (Jira, in a browser)")
    say("or with curl   (take the row's sys_id from the first answer)")
    login = f"-u {approver['username']}:{approver['password']}"
    rows = f"{servicenow}/api/now/table/sysapproval_approver"
    query = f"sysparm_query=state=requested^approver.user_name={approver['username']}"
    say(f"  curl -s {login} '{rows}?{query}'")
    say(f"  curl -s {login} -X PATCH -H 'Content-Type: application/json' \\")
    say(f'    -d \'{{"state":"approved"}}\' {rows}/SYS_ID')
    say("Ctrl-C ends everything")
