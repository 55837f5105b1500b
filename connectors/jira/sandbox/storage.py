"""The SQLite store: one connection, one lock, one transaction per request."""

import json
import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.jira.sandbox.wire import Json, Row

_SCHEMA = """
CREATE TABLE IF NOT EXISTS site (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS account (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, email TEXT NOT NULL, display TEXT NOT NULL,
  active INTEGER NOT NULL, zone TEXT NOT NULL, kind TEXT NOT NULL, password TEXT NOT NULL,
  locale TEXT NOT NULL DEFAULT 'en_US', properties TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS token (
  token TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account(id), name TEXT NOT NULL,
  expires INTEGER);
CREATE TABLE IF NOT EXISTS cluster (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS membership (
  grp TEXT NOT NULL, account TEXT NOT NULL, PRIMARY KEY (grp, account));
CREATE INDEX IF NOT EXISTS membership_account ON membership (account);
CREATE TABLE IF NOT EXISTS project (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, template TEXT NOT NULL,
  lead TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', category INTEGER,
  assignee_type TEXT NOT NULL DEFAULT 'UNASSIGNED', url TEXT NOT NULL DEFAULT '',
  counter INTEGER NOT NULL DEFAULT 0, properties TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS project_role (
  project INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL, holder TEXT NOT NULL,
  PRIMARY KEY (project, role, kind, holder));
CREATE TABLE IF NOT EXISTS component (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS version (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS desk (id INTEGER PRIMARY KEY, project INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS request_type (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS issue (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, number INTEGER NOT NULL,
  key TEXT NOT NULL UNIQUE, type TEXT NOT NULL, status TEXT NOT NULL, priority TEXT,
  resolution TEXT, summary TEXT NOT NULL,
  reporter TEXT, creator TEXT, assignee TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  resolved INTEGER, category_changed INTEGER NOT NULL, request_type INTEGER, channel TEXT,
  parent INTEGER, fields TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS issue_project ON issue (project, number);
CREATE INDEX IF NOT EXISTS issue_reporter ON issue (reporter);
CREATE INDEX IF NOT EXISTS issue_parent ON issue (parent) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS moved (old TEXT PRIMARY KEY, issue INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ix (
  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL,
  type TEXT NOT NULL, status TEXT NOT NULL, category TEXT NOT NULL, priority TEXT, resolution TEXT,
  summary TEXT NOT NULL, words TEXT NOT NULL, summary_words TEXT NOT NULL, reporter TEXT,
  creator TEXT, assignee TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  resolved INTEGER, category_changed INTEGER NOT NULL, due INTEGER, request_type INTEGER,
  parent INTEGER);
CREATE INDEX IF NOT EXISTS ix_key ON ix (key);
CREATE INDEX IF NOT EXISTS ix_updated ON ix (updated, id);
CREATE INDEX IF NOT EXISTS ix_created ON ix (created, id);
CREATE INDEX IF NOT EXISTS ix_status ON ix (project, status, updated);
CREATE INDEX IF NOT EXISTS ix_number ON ix (project, number);
CREATE TABLE IF NOT EXISTS ix_value (
  issue INTEGER NOT NULL, field TEXT NOT NULL, value, text TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS ix_value_issue ON ix_value (issue, field);
CREATE INDEX IF NOT EXISTS ix_value_value ON ix_value (field, value);
CREATE TABLE IF NOT EXISTS ix_due (issue INTEGER PRIMARY KEY, due INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ix_old (
  issue INTEGER PRIMARY KEY, at INTEGER NOT NULL, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS history (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, author TEXT, created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS history_issue ON history (issue, id);
CREATE TABLE IF NOT EXISTS history_item (
  history INTEGER NOT NULL, issue INTEGER NOT NULL, field TEXT NOT NULL, field_type TEXT NOT NULL,
  field_id TEXT NOT NULL, old TEXT, old_text TEXT, new TEXT, new_text TEXT);
CREATE INDEX IF NOT EXISTS history_item_history ON history_item (history);
CREATE INDEX IF NOT EXISTS history_item_issue ON history_item (issue, field_id);
CREATE TABLE IF NOT EXISTS comment (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, author TEXT, editor TEXT, body TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, internal INTEGER NOT NULL,
  visibility TEXT, properties TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS comment_issue ON comment (issue, id);
CREATE TABLE IF NOT EXISTS pin (
  comment INTEGER PRIMARY KEY, account TEXT NOT NULL, pinned INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS worklog (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, author TEXT, editor TEXT, body TEXT,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, started INTEGER NOT NULL,
  seconds INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS worklog_issue ON worklog (issue, id);
CREATE TABLE IF NOT EXISTS worklog_limit (
  worklog INTEGER PRIMARY KEY, visibility TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS worklog_gone (id INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS property (
  issue INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (issue, key));
CREATE TABLE IF NOT EXISTS remote_link (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, global_id TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS remote_link_issue ON remote_link (issue, global_id);
CREATE TABLE IF NOT EXISTS link (
  id INTEGER PRIMARY KEY, type TEXT NOT NULL, source INTEGER NOT NULL, target INTEGER NOT NULL,
  UNIQUE (type, source, target));
CREATE INDEX IF NOT EXISTS link_target ON link (target);
CREATE INDEX IF NOT EXISTS link_source ON link (source);
CREATE TABLE IF NOT EXISTS watcher (
  issue INTEGER NOT NULL, account TEXT NOT NULL, PRIMARY KEY (issue, account));
CREATE TABLE IF NOT EXISTS vote (
  issue INTEGER NOT NULL, account TEXT NOT NULL, PRIMARY KEY (issue, account));
CREATE TABLE IF NOT EXISTS attachment (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, author TEXT, created INTEGER NOT NULL,
  filename TEXT NOT NULL, media TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS attachment_issue ON attachment (issue);
CREATE TABLE IF NOT EXISTS file_talk (attachment INTEGER PRIMARY KEY, comment INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS waiting_file (
  id TEXT PRIMARY KEY, desk INTEGER NOT NULL, account TEXT NOT NULL, filename TEXT NOT NULL,
  media TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS feedback (
  issue INTEGER PRIMARY KEY, rating INTEGER NOT NULL, comment TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscription (
  issue INTEGER NOT NULL, account TEXT NOT NULL, wanted INTEGER NOT NULL,
  PRIMARY KEY (issue, account));
CREATE TABLE IF NOT EXISTS approval (
  id INTEGER PRIMARY KEY, issue INTEGER NOT NULL, status TEXT NOT NULL, name TEXT NOT NULL,
  created INTEGER NOT NULL, completed INTEGER, final TEXT NOT NULL, spec TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS approval_issue ON approval (issue, id);
CREATE TABLE IF NOT EXISTS approver (
  approval INTEGER NOT NULL, account TEXT NOT NULL, decision TEXT NOT NULL, decided INTEGER,
  grp TEXT NOT NULL DEFAULT '', PRIMARY KEY (approval, account));
CREATE INDEX IF NOT EXISTS approver_account ON approver (account, decision);
CREATE TABLE IF NOT EXISTS webhook (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, owner TEXT, body TEXT NOT NULL, expires INTEGER);
CREATE TABLE IF NOT EXISTS project_category (id INTEGER PRIMARY KEY, name TEXT, description TEXT);
CREATE TABLE IF NOT EXISTS filter (id INTEGER PRIMARY KEY, owner TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS favourite (
  filter INTEGER NOT NULL, account TEXT NOT NULL, PRIMARY KEY (filter, account));
CREATE TABLE IF NOT EXISTS board (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, filter INTEGER NOT NULL,
  project INTEGER, owner TEXT NOT NULL, properties TEXT NOT NULL DEFAULT '{}',
  settings TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS sprint (
  id INTEGER PRIMARY KEY, board INTEGER NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
  goal TEXT, starts INTEGER, ends INTEGER, activated INTEGER, completed INTEGER,
  created INTEGER NOT NULL, place INTEGER NOT NULL, properties TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS sprint_board ON sprint (board, place);
CREATE TABLE IF NOT EXISTS dashboard (id INTEGER PRIMARY KEY, owner TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS avatar (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, media TEXT NOT NULL,
  content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS avatar_choice (
  kind TEXT NOT NULL, owner TEXT NOT NULL, avatar INTEGER NOT NULL, PRIMARY KEY (kind, owner));
"""


class Store:
    """SQL over one connection; use it inside `transaction()` only."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.RLock()
        name = ":memory:" if path is None else str(path)
        self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        self._db.row_factory = _as_dict
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-65536;" + _SCHEMA
        )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what the block writes, or nothing of it where it raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:  # an interrupt as well leaves nothing half written
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return every row of a query."""
        return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        """Return the first row of a query, or None."""
        found: Row | None = self._db.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, *values: object) -> Json:
        """Return the first column of the first row, or None."""
        found = self.row(sql, *values)
        return None if found is None else next(iter(found.values()))

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; return the row id of an insert."""
        return self._db.execute(sql, values).lastrowid or 0

    def many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """Execute a statement for each tuple of values."""
        self._db.executemany(sql, values)

    def changed(self, sql: str, *values: object) -> int:
        """Execute a statement; return how many rows it touched."""
        return self._db.execute(sql, values).rowcount

    def insert(self, table: str, row: Row) -> int:
        """Insert a row given by column names; return its row id."""
        marks = ",".join("?" * len(row))
        sql = f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})"  # noqa: S608 - names of ours
        return self.run(sql, *row.values())

    def insert_or_replace(self, table: str, row: Row) -> None:
        """Insert a row given by column names in the place of one with the same key."""
        marks = ",".join("?" * len(row))
        sql = f"INSERT OR REPLACE INTO {table} ({','.join(row)}) VALUES ({marks})"  # noqa: S608 - names of ours
        self.run(sql, *row.values())

    def update(self, table: str, key: int, row: Row) -> None:
        """Set columns of the row with this id."""
        sets = ",".join(f"{name}=?" for name in row)
        sql = f"UPDATE {table} SET {sets} WHERE id=?"  # noqa: S608 - names of ours
        self.run(sql, *row.values(), key)

    def counter(self, name: str, start: int) -> int:
        """Return the next number of a named sequence that begins at `start`."""
        last = self.value("SELECT value FROM site WHERE name=?", f"seq.{name}")
        number = start if last is None else int(last) + 1
        self.run("INSERT OR REPLACE INTO site VALUES (?, ?)", f"seq.{name}", str(number))
        return number

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def dumps(value: Json) -> str:
    """Encode a value for a JSON column."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: str | None) -> Json:
    """Decode a JSON column; None stays None."""
    return None if text is None else json.loads(text)
