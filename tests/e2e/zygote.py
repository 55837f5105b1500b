"""A process that has imported the daemon already and forks one `tiergate` command after another.

What is tested is the daemon's behaviour, not Python's imports: a fork starts it in a moment, and it
can be killed like any process. Run as a script; requests and answers are lines of JSON.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Command:
    """One forked command."""

    pid: int
    out: Path
    ended: threading.Event = field(default_factory=threading.Event)
    code: int = 0

    def wait(self, timeout: float) -> int:
        """Return the exit code; a negative one is a signal."""
        if not self.ended.wait(timeout):
            self.kill()
            self.ended.wait(10)
            raise TimeoutError(f"process {self.pid} did not end in {timeout} s")
        return self.code

    def kill(self) -> None:
        """SIGKILL, at once."""
        os.kill(self.pid, 9)


class Zygote:
    """Forks commands; `close` ends it."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        """Import everything in a new process."""
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._commands: dict[int, Command] = {}
        self._started: list[int] = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, arguments: list[str], *, environment: dict[str, str], out: Path) -> Command:
        """Fork one command; its stdout goes to `out`."""
        assert self._process.stdin
        request = {"arguments": arguments, "environment": environment, "out": str(out)}
        with self._news:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            assert self._news.wait_for(lambda: self._started, timeout=60), "nothing was forked"
            command = Command(pid=self._started.pop(0), out=out)
            self._commands[command.pid] = command
            self._news.notify_all()
        return command

    def close(self) -> None:
        """End the process and what it forked."""
        for command in self._commands.values():
            if not command.ended.is_set():
                command.kill()
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            told = json.loads(line)
            with self._news:
                if "code" in told:
                    command = self._commands[told["pid"]]
                    command.code = told["code"]
                    command.ended.set()
                else:
                    self._started.append(told["pid"])
                    self._news.notify_all()
                    self._news.wait_for(lambda: not self._started, timeout=60)


def serve() -> None:
    """Fork a child for every request line, one after the other."""
    from engine.cli.main import main  # noqa: PLC0415  imported once, in this process alone

    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(main, request)
        sys.stdout.write(json.dumps({"pid": pid}) + "\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps({"pid": pid, "code": code}) + "\n")
        sys.stdout.flush()


def _become(main: Any, request: dict[str, Any]) -> None:
    code = 1
    try:
        os.environ.update(request["environment"])
        out = os.open(request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["tiergate", *request["arguments"]]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
