"""The physical side: one SQLite table per table hierarchy, and its rows ready encoded beside it.

A row is a `dict` of strings as the Table API shows them; what is empty is NULL in SQLite. The
encoded form (the answer of `sysparm_display_value=false`) is written with the row, so that a page
of full rows costs a lookup and no encoding.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from connectors.servicenow.sandbox.past import Past
from connectors.servicenow.sandbox.schema import ColumnType, Schema, Table

Row = dict[str, str]
Made = TypeVar("Made")

_CHUNK = 900
_PROGRESS_STEPS = 50_000


class QuotaExceededError(Exception):
    """A statement ran longer than the transaction quota allows."""


class _TakenBackError(Exception):
    """Ends a rehearsal."""


def _take_back() -> None:
    raise _TakenBackError


def _quoted(name: str) -> str:
    return f'"{name}"'


class Store:
    """The database of one sandbox; one thread at a time may use it."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.schema = schema
        self.past = Past()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;"
        )
        self._versions: dict[str, int] = {}
        self._rollbacks = 0
        self._deadline = 0.0
        self._lock = threading.RLock()
        self._physical: dict[str, list[str]] = {}
        for table in schema.tables.values():
            self._physical.setdefault(table.root, [])
        for root in self._physical:
            self._create(root)
        # Other domains are rare: the index holds next to nothing and spares a look at every page.
        self._execute(
            "CREATE INDEX IF NOT EXISTS task_other_domain ON task (sys_domain) "
            "WHERE sys_domain != 'global'"
        )
        for table in schema.tables.values():
            if table.name != table.root:
                self._create_view(table)
        self._execute(
            "CREATE TABLE IF NOT EXISTS sandbox_counter (name TEXT PRIMARY KEY, value INTEGER)"
        )
        self._execute("CREATE TABLE IF NOT EXISTS sandbox_blob (id TEXT PRIMARY KEY, content BLOB)")
        self._execute(
            "CREATE TABLE IF NOT EXISTS sandbox_job "
            "(id INTEGER PRIMARY KEY, due TEXT, kind TEXT, subject TEXT)"
        )
        self._connection.set_progress_handler(self._late, _PROGRESS_STEPS)

    def _create(self, root: str) -> None:
        columns: dict[str, str] = {}
        indexes: list[str] = []
        for name in self.schema.family(root):
            table = self.schema.tables[name]
            for column in table.columns.values():
                if column.type is not ColumnType.JOURNAL:
                    numeric = column.type is ColumnType.INTEGER
                    columns[column.name] = "INTEGER" if numeric else "TEXT COLLATE NOCASE"
            indexes.extend(index for index in table.index if index not in indexes)
        self._physical[root] = list(columns)
        listed = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {_quoted(root)} (_id INTEGER PRIMARY KEY, {listed})"
        )
        self._execute(
            f"CREATE TABLE IF NOT EXISTS {_quoted(root + '__enc')} "
            "(_id INTEGER PRIMARY KEY, enc BLOB)"
        )
        self._execute(
            f"CREATE UNIQUE INDEX IF NOT EXISTS {_quoted(root + '_sys_id')} "
            f"ON {_quoted(root)} (sys_id)"
        )
        for index in indexes:
            fields = index.split(",")
            name = _quoted(f"{root}_{'_'.join(fields)}_x")
            listed = ", ".join(_quoted(field) for field in fields)
            self._execute(f"CREATE INDEX IF NOT EXISTS {name} ON {_quoted(root)} ({listed})")

    def _create_view(self, table: Table) -> None:
        """Make a child table readable by its own name."""
        names = ", ".join(f"'{name}'" for name in self.schema.family(table.name))
        self._execute(
            f"CREATE VIEW IF NOT EXISTS {_quoted(table.name)} AS "  # noqa: S608 - names come from the schema, values are bound
            f"SELECT * FROM {_quoted(table.root)} WHERE sys_class_name IN ({names})"
        )

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, tuple(parameters))
        except sqlite3.OperationalError as error:
            raise _translated(error) from error

    def _late(self) -> int:
        return int(0 < self._deadline < time.monotonic())

    @contextmanager
    def quota(self, seconds: float) -> Generator[None]:
        """Interrupt statements that run past `seconds` from now with QuotaExceededError."""
        self._deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = 0.0

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what the block wrote, or nothing of it; blocks nest into the outermost one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._execute("BEGIN")
            try:
                yield
            except BaseException:  # an interrupt as well leaves nothing half written
                self._connection.rollback()
                self._rollbacks += 1
                self.past.taken_back()
                raise
            self._connection.commit()
            self.past.committed()

    def rehearse(self, write: Callable[[], Made]) -> Made:
        """Carry out a write, take all of it back, and return what it returned."""
        made: list[Made] = []
        try:
            with self.transaction():
                made.append(write())
                _take_back()
        except _TakenBackError:
            pass
        return made[0]

    def version(self, root: str) -> tuple[int, int]:
        """Return a mark that is another one after every write to the hierarchy."""
        return self._rollbacks, self._versions.get(root, 0)

    def _touch(self, root: str) -> None:
        self._versions[root] = self._versions.get(root, 0) + 1

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Run a SELECT of the compiler's making.

        Raises:
            QuotaExceededError: it ran past the quota.
        """
        try:
            return self._execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            # The interrupt may come while rows are fetched, not only when the statement starts.
            raise _translated(error) from error

    def read(self, table: Table, sys_id: str) -> Row | None:
        """Return the record of this id in the hierarchy of a table, or None.

        A record of another class of the hierarchy is found only through an ancestor of its class.
        """
        found = self._execute(
            f"SELECT * FROM {_quoted(table.root)} WHERE sys_id = ?",  # noqa: S608 - names come from the schema, values are bound
            (sys_id,),
        ).fetchone()
        if found is None:
            return None
        row = self._row(table.root, found)
        if table.classed and not self.schema.is_a(row["sys_class_name"], table.name):
            return None
        return row

    def _row(self, root: str, found: Sequence[object]) -> Row:
        values = found[1:]
        return {
            name: "" if value is None else str(value)
            for name, value in zip(self._physical[root], values, strict=True)
        }

    def full_rows(self, table: Table, ids: Sequence[int]) -> list[Row]:
        """Return whole records by row number, in the order asked."""
        found: dict[int, Row] = {}
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT * FROM {_quoted(table.root)} WHERE _id IN ({marks})"  # noqa: S608 - names come from the schema
            for one in self._execute(sql, chunk):
                found[int(one[0])] = self._row(table.root, one)
        return [found[number] for number in ids if number in found]

    def any_of(self, table: Table, ids: Sequence[int], where: str) -> bool:
        """Say whether a condition holds for any of these rows (asked of the whole table first)."""
        sql = f"SELECT 1 FROM {_quoted(table.root)} WHERE {where} LIMIT 1"  # noqa: S608 - names come from the schema
        if self._execute(sql).fetchone() is None:
            return False
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT 1 FROM {_quoted(table.root)} WHERE _id IN ({marks}) AND {where} LIMIT 1"  # noqa: S608 - names come from the schema
            if self._execute(sql, chunk).fetchone() is not None:
                return True
        return False

    def find(self, table: Table, where: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Return the records that satisfy a condition over the columns, oldest first."""
        sql = f"SELECT * FROM {_quoted(table.name)} WHERE {where} ORDER BY _id"  # noqa: S608 - names come from the schema
        return [self._row(table.root, one) for one in self._execute(sql, parameters)]

    def encoded(self, table: Table, ids: Sequence[int]) -> list[bytes]:
        """Return ready encoded records by row number, in the order asked."""
        found: dict[int, bytes] = {}
        for chunk in _chunks(ids):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT _id, enc FROM {_quoted(table.root + '__enc')} WHERE _id IN ({marks})"  # noqa: S608 - names come from the schema
            found.update(self._execute(sql, chunk))
        return [found[number] for number in ids if number in found]

    def insert(self, table: Table, row: Mapping[str, str], encoded: bytes) -> None:
        """Add a record.

        Raises:
            sqlite3.IntegrityError: the sys_id is taken.
        """
        self.insert_many(table, [(row, encoded)])

    def insert_many(self, table: Table, records: Iterable[tuple[Mapping[str, str], bytes]]) -> None:
        """Add many records quickly (the seeder's way)."""
        columns = self._physical[table.root]
        names = ", ".join(map(_quoted, columns))
        marks = ",".join("?" * len(columns))
        sql = f"INSERT INTO {_quoted(table.root)} ({names}) VALUES ({marks})"  # noqa: S608 - names come from the schema
        enc = f"INSERT INTO {_quoted(table.root + '__enc')} VALUES (?, ?)"  # noqa: S608 - names come from the schema
        for row, encoded in records:
            cursor = self._execute(sql, [row.get(name) or None for name in columns])
            self._execute(enc, (cursor.lastrowid, encoded))
        self._touch(table.root)

    def update(self, table: Table, sys_id: str, row: Mapping[str, str], encoded: bytes) -> None:
        """Replace a record."""
        columns = self._physical[table.root]
        sets = ", ".join(f"{_quoted(name)} = ?" for name in columns)
        root = _quoted(table.root)
        self._execute(
            f"UPDATE {root} SET {sets} WHERE sys_id = ?",  # noqa: S608 - names come from the schema
            [*(row.get(name) or None for name in columns), sys_id],
        )
        self._execute(
            f"UPDATE {_quoted(table.root + '__enc')} SET enc = ? "  # noqa: S608 - names come from the schema
            f"WHERE _id = (SELECT _id FROM {root} WHERE sys_id = ?)",
            (encoded, sys_id),
        )
        self._touch(table.root)

    def delete(self, table: Table, sys_id: str) -> None:
        """Remove a record."""
        root = _quoted(table.root)
        self._execute(
            f"DELETE FROM {_quoted(table.root + '__enc')} "  # noqa: S608 - names come from the schema
            f"WHERE _id = (SELECT _id FROM {root} WHERE sys_id = ?)",
            (sys_id,),
        )
        self._execute(f"DELETE FROM {root} WHERE sys_id = ?", (sys_id,))  # noqa: S608 - names come from the schema
        self._touch(table.root)

    def next_number(self, name: str, first: int) -> int:
        """Return the next number of a sequence that starts at `first`."""
        self._execute("INSERT OR IGNORE INTO sandbox_counter VALUES (?, ?)", (name, first - 1))
        found = self._execute(
            "UPDATE sandbox_counter SET value = value + 1 WHERE name = ? RETURNING value", (name,)
        ).fetchone()
        return int(found[0])

    def put_blob(self, number: str, content: bytes) -> None:
        """Keep the content of an attachment."""
        self._execute("INSERT OR REPLACE INTO sandbox_blob VALUES (?, ?)", (number, content))

    def blob(self, number: str) -> bytes:
        """Return the content of an attachment, empty where there is none."""
        found = self._execute("SELECT content FROM sandbox_blob WHERE id = ?", (number,)).fetchone()
        return b"" if found is None else bytes(found[0])

    def drop_blob(self, number: str) -> None:
        """Forget the content of an attachment."""
        self._execute("DELETE FROM sandbox_blob WHERE id = ?", (number,))

    def add_job(self, due: str, kind: str, subject: str) -> None:
        """Keep a step that an instance takes by itself later."""
        self._execute(
            "INSERT INTO sandbox_job (due, kind, subject) VALUES (?, ?, ?)", (due, kind, subject)
        )

    def take_job(self, now: str) -> tuple[str, str, str] | None:
        """Remove the first step that is due and return its time, kind and subject, or None."""
        found = self._execute(
            "DELETE FROM sandbox_job WHERE id = "
            "(SELECT id FROM sandbox_job WHERE due <= ? ORDER BY due, id LIMIT 1) "
            "RETURNING due, kind, subject",
            (now,),
        ).fetchone()
        return None if found is None else (str(found[0]), str(found[1]), str(found[2]))

    def has_jobs(self) -> bool:
        """Say whether any step is waiting."""
        return self._execute("SELECT 1 FROM sandbox_job LIMIT 1").fetchone() is not None

    def wipe(self) -> None:
        """Remove every record, number and step."""
        self.past.forget()
        with self.transaction():
            for root in self._physical:
                self._execute(f"DELETE FROM {_quoted(root)}")  # noqa: S608 - names come from the schema
                self._execute(f"DELETE FROM {_quoted(root + '__enc')}")  # noqa: S608 - names come from the schema
                self._touch(root)
            for name in ("sandbox_counter", "sandbox_blob", "sandbox_job"):
                self._execute(f"DELETE FROM {name}")  # noqa: S608 - names are above


def _chunks(ids: Sequence[int]) -> Generator[list[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield list(ids[start : start + _CHUNK])


def _translated(error: sqlite3.OperationalError) -> Exception:
    return QuotaExceededError() if "interrupted" in str(error) else error
