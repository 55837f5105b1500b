"""A whole daemon in another process, against sandboxes in this one."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.cli.demo.people import World

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stage:
    """The sandboxes, the configuration that leads to them, and a way to run the daemon."""

    folder: Path
    document: dict[str, Any]
    world: World
    config: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a `tiergate` command in a process of its own."""
        with (self.folder / "daemon.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.cli.main", *arguments],
                cwd=ROOT,
                env={**os.environ, **self.environment, "TIERGATE_CONFIG": str(self.config)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a `tiergate` command to its end."""
        process = self.start(*arguments)
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out)

    def settle(self) -> None:
        """Run the daemon until nothing moves by itself."""
        done = self.run("run", "--until-settled")
        assert done.returncode == 0, self.log()

    def show(self, key: str) -> dict[str, Any]:
        """Everything the daemon knows of one ticket."""
        done = self.run("show", key, "--json")
        assert done.returncode == 0, self.log()
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def log(self) -> str:
        """The daemon's log, its end."""
        return (self.folder / "daemon.log").read_text("utf-8")[-4000:]


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port
