"""A real PostgreSQL server for tests, under a directory of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import psycopg

_numbers = itertools.count(1)


class Server:
    """One PostgreSQL server under a directory of its own, on a socket that only we see."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def fresh(self) -> str:
        name = f"store_{next(_numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://tiergate@/{database}?host={self.directory}"

    @property
    def socket(self) -> str:
        """The path of the socket that it listens on."""
        return f"{self.directory}/.s.PGSQL.5432"


@contextmanager
def running_server(lacking: Callable[[str], NoReturn]) -> Iterator[Server]:
    """Start the PostgreSQL of this machine; `lacking` is told when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        lacking("the PostgreSQL server (initdb) is not installed")
    binaries = found[-1].parent
    directory = Path(tempfile.mkdtemp(prefix="tiergate-pg-"))
    as_owner = list[str]()
    if os.geteuid() == 0:
        # The server refuses to run as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        owner = "postgres" if "postgres" in names else "nobody"
        shutil.chown(directory, owner)
        as_owner = ["runuser", "-u", owner, "--"]
    data = directory / "data"

    def run(*command: str) -> None:
        subprocess.run([*as_owner, *command], check=True, cwd=directory, stdout=subprocess.DEVNULL)

    initdb = ("--auth=trust", "--username=tiergate", "--encoding=UTF8", "--locale=C", "--no-sync")
    run(f"{binaries}/initdb", *initdb, "-D", str(data))
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
    control = (f"{binaries}/pg_ctl", "-D", str(data), "-w")
    run(*control, "-o", options, "-l", str(directory / "log"), "start")
    try:
        yield Server(directory)
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(directory)
