"""One daemon per data directory: a lock that the kernel drops when its process dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.errors import ConfigurationError

LOCK_FILE = "daemon.lock"


class DirectoryLock:
    """Holds the data directory for this process, from entering to leaving.

    `flock` and not a file with a process id: after kill -9 nothing has to be cleaned up. Commands
    that only read or pause do not take it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock at once.

        Raises:
            ConfigurationError: Another daemon runs on this data directory.
        """
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigurationError(
                f"{self._path.parent}: another daemon (process {holder or 'unknown'}) runs on this"
                " data directory"
            ) from exc
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next daemon in."""
        if self._descriptor is not None:
            # The file stays: removing it would let two daemons lock two different files.
            os.close(self._descriptor)
            self._descriptor = None
