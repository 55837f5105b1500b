"""How a database is opened: the same guarantees from SQLite and PostgreSQL."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from engine.errors import ConfigurationError, TransientError

BUSY_SECONDS = 30
_SCRUB_MILLISECONDS = 2000
_READING = "tiergate_reading"


def connect(url: str) -> Engine:
    """Return the engine for `sqlite:///PATH` or `postgresql://...`; nothing is opened yet.

    Raises:
        ConfigurationError: Another database, or no URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise ConfigurationError("store: this is no database URL") from exc
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql":
            return _postgresql(parsed)
        case other:
            raise ConfigurationError(f"store: {other!r} is neither sqlite nor postgresql")


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise ConfigurationError("store: SQLite needs a file; what is in memory survives no crash")
    path = Path(url.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite's own default is readable by everybody; its journals take the mode of the file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=8,
        hide_parameters=True,
    )

    def prepare(connection: Any, record: object) -> None:  # noqa: ANN401  the driver's own class
        del record
        # The driver must not begin by itself: it would begin deferred, and fail on the first write.
        connection.isolation_level = None
        # What is deleted or replaced is overwritten: an erasure leaves no text in free pages.
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
        for pragma in pragmas:
            _patiently(connection.execute, f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        is_reading = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


# The change to WAL, and the recovery of one that the last user left, are refused at once while
# another process does the same: SQLite's own patience does not cover them.
_patiently = Retrying(
    retry=retry_if_exception(
        lambda error: getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
    ),
    wait=wait_random(0.005, 0.05),
    stop=stop_after_delay(BUSY_SECONDS),
    reraise=True,
)


def _postgresql(url: URL) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=8,
        pool_pre_ping=True,
        hide_parameters=True,  # errors are logged, and parameters hold people's texts
        connect_args={"connect_timeout": 10, "application_name": "tiergate"},
    )


@contextmanager
def transaction(engine: Engine) -> Generator[Connection]:
    """Open a writing transaction; commit when left without an error, roll back otherwise.

    Raises:
        TransientError: The database is locked, unreachable, or chose this transaction to give way.
    """
    with _translated(), engine.connect() as connection, connection.begin():
        yield connection


def scrub(engine: Engine, *, is_first: bool) -> bool:
    """Empty the write-ahead log, in which erased texts still stand; False while somebody reads.

    The first time the whole file is written anew as well: earlier versions left texts in free
    pages. On PostgreSQL nothing is done here: its own vacuum frees dead rows.

    Raises:
        TransientError: As for `transaction`.
    """
    if engine.dialect.name != "sqlite":
        return True
    with _translated(), engine.connect() as opened:
        # The driver's own connection: neither statement may stand in a transaction.
        driver: Any = opened.connection.driver_connection
        try:
            driver.execute(f"PRAGMA busy_timeout={_SCRUB_MILLISECONDS}")
            if is_first:
                driver.execute("VACUUM")
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False  # somebody writes just now
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        return bool(busy == 0)


@contextmanager
def snapshot(engine: Engine) -> Generator[Connection]:
    """Open a reading transaction that sees one instant and holds off no writer.

    Raises:
        TransientError: As for `transaction`.
    """
    with _translated(), engine.connect() as opened:
        connection = opened.execution_options(**{_READING: True})
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except PoolTimeoutError as exc:
        raise TransientError("store: no free connection") from exc
    except OperationalError as exc:
        # Locked, unreachable, deadlock, serialisation, disk full: the same call may succeed later.
        # The driver's words, not the statement: that one carries the row's texts.
        name = getattr(exc.orig, "sqlite_errorname", type(exc.orig).__name__)
        raise TransientError(f"store: {name}") from exc
    except DBAPIError as exc:
        if exc.connection_invalidated:
            raise TransientError("store: the connection was lost") from exc
        raise
