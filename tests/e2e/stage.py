"""A whole daemon in another process, against sandboxes in this one."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.cli.demo.people import World
from tests.e2e.zygote import Command, Zygote


@dataclass
class Stage:
    """The sandboxes, the configuration that leads to them, and a way to run the daemon."""

    folder: Path
    document: dict[str, Any]
    world: World
    config: Path
    environment: dict[str, str] = field(default_factory=dict)
    _zygote: Zygote | None = None
    _count: int = 0

    def start(self, *arguments: str) -> Command:
        """Start a `tiergate` command in a process of its own."""
        if self._zygote is None:
            self._zygote = Zygote(self.folder / "daemon.log", self.environment)
        self._count += 1
        return self._zygote.start(
            list(arguments),
            environment={"TIERGATE_CONFIG": str(self.config)},
            out=self.folder / f"out-{self._count}.txt",
        )

    def run(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a `tiergate` command to its end."""
        command = self.start(*arguments)
        code = command.wait(timeout)
        out = command.out.read_text("utf-8")
        return subprocess.CompletedProcess(list(arguments), code, out)

    def close(self) -> None:
        """End every process of the stage."""
        self.world.close()
        if self._zygote is not None:
            self._zygote.close()

    def settle(self, *, timeout: float = 180) -> None:
        """Run the daemon until nothing moves by itself."""
        done = self.run("run", "--until-settled", timeout=timeout)
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
