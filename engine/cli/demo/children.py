"""The demo's processes: started, listened to, and ended cleanly in the reverse order."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from engine.errors import TransientError


def _drop(_line: str) -> None:
    """Listen to nothing."""


class Child:
    """One process of the demo, in its own session so that Ctrl-C reaches only the demo itself."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Start `python -P -m <arguments>`; stderr goes to `log`, lines of stdout to `on_line`."""
        self.name = name
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603  our own modules, no shell
                [sys.executable, "-P", "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                text=True,
                bufsize=1,
            )
        self._on_line = on_line or _drop
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code, or None when `timeout` seconds passed before it ended."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join()
        return code

    def stop(self, patience: float = 20) -> None:
        """Ask the process to end; kill it when it has not after `patience` seconds."""
        if self.is_alive:
            self._process.send_signal(signal.SIGTERM)
        if self.wait(patience) is None:
            self._process.kill()
            self.wait()

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                self._on_line(line.rstrip("\n"))


class FirstLine:
    """Waits for the first line a child prints; the rest is handed on."""

    def __init__(self, rest: Callable[[str], None] | None = None) -> None:
        """Take what to do with the lines after the first."""
        self._arrived = threading.Event()
        self._line = ""
        self._rest = rest or _drop

    def __call__(self, line: str) -> None:
        """Take one line."""
        if self._arrived.is_set():
            self._rest(line)
            return
        self._line = line
        self._arrived.set()

    def get(self, child: Child, *, timeout: float) -> str:
        """Return the first line.

        Raises:
            TransientError: The child ended, or said nothing in time.
        """
        waited = 0.0
        while not self._arrived.wait(0.1):
            waited += 0.1
            if not child.is_alive or waited > timeout:
                raise TransientError(f"{child.name} did not come up; its log says why")
        return self._line


class ReadySocket:
    """A socket on which a child says READY=1, as a service manager would listen (sd_notify)."""

    def __init__(self, path: Path) -> None:
        """Listen at `path`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def wait(self, child: Child, *, timeout: float) -> None:
        """Return when the child said READY=1.

        Raises:
            TransientError: The child ended, or said nothing in time.
        """
        waited = 0.0
        with self._socket:
            while waited <= timeout and child.is_alive:
                try:
                    if b"READY=1" in self._socket.recv(4096):
                        return
                except TimeoutError:
                    waited += 0.1
        raise TransientError(f"{child.name} did not get ready; its log says why")
