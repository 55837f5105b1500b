"""Records as an instance keeps them: defaults, rules, journals, history, counters of updates."""

import secrets
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connectors.sandboxkit.clock import SandboxClock
from connectors.servicenow.sandbox.actors import SYSTEM, Actor
from connectors.servicenow.sandbox.coerce import coerce
from connectors.servicenow.sandbox.history import NOT_HISTORY, History, Writing
from connectors.servicenow.sandbox.past import Change
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.schema import Column, ColumnType, Schema, Table
from connectors.servicenow.sandbox.shape import encode_row
from connectors.servicenow.sandbox.store import Made, Row, Store
from connectors.servicenow.sandbox.write_faults import NONE

_NUMBER_START = {"CHG": 30001, "INC": 10001, "REQ": 10001, "RITM": 10001, "SCTASK": 10001,
                 "PRB": 40001, "CTASK": 10001, "KB": 10001, "PTASK": 10001, "GPRB": 10001,
                 "SIR": 10001, "TASK": 20001, "STDCHG": 10001, "ISET": 10001}  # fmt: skip
_STATES = ("state", "incident_state", "problem_state", "request_state")


class AbortedError(Exception):
    """A business rule or data policy refused the write; `detail` is the vendor's sentence."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class DuplicateError(Exception):
    """The sys_id that the client chose is taken."""


def aborted_by(table: str, rule: str, rule_id: str) -> AbortedError:
    """Return the refusal of a named business rule."""
    return AbortedError(
        f"Operation against file '{table}' was aborted by Business Rule '{rule}^{rule_id}'. "
        f"Business Rule Stack:{rule}"
    )


Rule = Callable[["Records", Writing], None]


class Records:
    """Inserts, updates and deletes with everything that an instance does around them."""

    def __init__(self, store: Store, schema: Schema, clock: SandboxClock) -> None:
        self.store = store
        self.schema = schema
        self.clock = clock
        self.flow_delay = timedelta(0)
        self.faults = NONE
        self._pending: list[tuple[datetime, Callable[[], object]]] = []
        self._as_of = ""
        self._history = History(store, schema, self.now)
        self._before: dict[str, list[Rule]] = {}
        self._after: dict[str, list[Rule]] = {}

    def before(self, table: str, rule: Rule) -> None:
        """Register a rule that runs before a write to a table or one that extends it."""
        self._before.setdefault(table, []).append(rule)

    def after(self, table: str, rule: Rule) -> None:
        """Register a rule that runs after a write."""
        self._after.setdefault(table, []).append(rule)

    def table(self, name: str) -> Table:
        """Return a table that is known to exist."""
        return self.schema.tables[name]

    def now(self) -> str:
        """Return the present as records keep it (for a late commit the moment of its write)."""
        return self._as_of or stamp(self.clock.now())

    @contextmanager
    def as_of(self, moment: str) -> Generator[None]:
        """Stamp what the block writes with another moment than the present."""
        before, self._as_of = self._as_of, moment
        try:
            yield
        finally:
            self._as_of = before

    def commit_due(self) -> None:
        """Make late writes visible whose time has come."""
        due = [one for one in self._pending if one[0] <= self.clock.now()]
        self._pending = [one for one in self._pending if one not in due]
        for _, write in due:
            write()

    def _late(self, write: Callable[[], Row], again: Callable[[Row], object]) -> Row:
        """Carry a write out, take it back, and leave it to be done again when it is due."""
        seconds, self.faults = self.faults.late, replace(self.faults, late=0.0)
        made, at = self.store.rehearse(write), self.now()

        def commit() -> None:
            with self.as_of(at):
                again(made)

        self._pending.append((self.clock.now() + timedelta(seconds=seconds), commit))
        return made

    def later(self, kind: str, subject: str) -> None:
        """Leave a step for the instance's own worker."""
        now = datetime.fromisoformat(self.now()).replace(tzinfo=UTC)
        self.store.add_job(stamp(now + self.flow_delay), kind, subject)

    def read(self, table: str, sys_id: str) -> Row | None:
        """Return a record or None."""
        return self.store.read(self.schema.tables[table], sys_id) if sys_id else None

    def find(self, table: str, **equal: str) -> list[Row]:
        """Return the records whose columns equal the values, oldest first."""
        where = " AND ".join(f'"{name}" = ?' for name in equal) or "1"
        return self.store.find(self.schema.tables[table], where, tuple(equal.values()))

    def lookup(self, table: str, display: str) -> str | None:
        """Return the sys_id of the record that a person means by a display value."""
        known = self.schema.get(table)
        if known is None:
            return None
        names = [known.display] if known.display else []
        if table == "sys_user":
            names = ["user_name", "name", "email"]
        for name in names:
            found = self.store.rows(
                f'SELECT sys_id FROM "{known.name}" WHERE "{name}" = ? LIMIT 1',  # noqa: S608 - names come from the schema
                (display,),
            )
            if found:
                return str(found[0][0])
        return None

    def coerced(
        self, table: Table, values: Mapping[str, str], actor: Actor | None = None
    ) -> tuple[Row, dict[str, str]]:
        """Part values into kept columns and journal entries; unknown names are passed over.

        With an `actor` the values are display values in that account's zone and format.
        """
        row: Row = {}
        journals: dict[str, str] = {}
        for name, value in values.items():
            column = table.columns.get(name)
            if column is None:
                continue
            if column.type is ColumnType.JOURNAL:
                if value:
                    journals[name] = value
                continue
            row[name] = self._coerced(column, value, actor)
        return row, journals

    def _coerced(self, column: Column, value: str, actor: Actor | None) -> str:
        if actor is None:
            return coerce(column, value, self.lookup)
        form = f"{actor.date_format} {actor.time_format}"
        return coerce(column, value, self.lookup, zone=actor.zone, form=form)

    def insert(
        self,
        table_name: str,
        values: Mapping[str, str],
        actor: Actor = SYSTEM,
        *,
        display: bool = False,
        keep_system: bool = False,
    ) -> Row:
        """Create a record.

        Raises:
            AbortedError: a rule refused it.
            DuplicateError: its sys_id is taken.
        """
        if self.faults.late and actor is not SYSTEM:
            return self._late(
                lambda: self.insert(
                    table_name, values, actor, display=display, keep_system=keep_system
                ),
                lambda made: self.insert(
                    table_name,
                    {**values, "sys_id": made["sys_id"], "number": made.get("number", "")},
                    actor,
                    display=display,
                    keep_system=keep_system,
                ),
            )
        table = self.schema.tables[table_name]
        given, journals = self.coerced(table, values, actor if display else None)
        row = {name: column.default for name, column in table.columns.items()}
        row.update(given)
        row["sys_id"] = values.get("sys_id") or secrets.token_hex(16)
        if table.classed:
            row["sys_class_name"] = table.name
        if table.prefix and not row.get("number"):
            row["number"] = self._number(table)
        self._stamp(row, actor, given if keep_system else {}, created=True)
        writing = Writing(table=table, actor=actor, old=None, new=row, journals=journals)
        with self.store.transaction():
            self._run(self._before, writing)
            try:
                self.store.insert(table, row, encode_row(table, row))
            except sqlite3.IntegrityError as error:
                raise DuplicateError from error
            self._note(table, row["sys_id"], None)
            self._history.journals(writing)
            self._run(self._after, writing)
        return self.read(table_name, row["sys_id"]) or row

    def _number(self, table: Table) -> str:
        number = self.store.next_number(table.prefix, _NUMBER_START.get(table.prefix, 10001))
        return f"{table.prefix}{number:07d}"

    def _stamp(self, row: Row, actor: Actor, given: Row, *, created: bool) -> None:
        now = self.faults.equal or self.now()
        stamps = {"sys_updated_on": now, "sys_updated_by": actor.user_name}
        if self.faults.frozen and not created:
            del stamps["sys_updated_on"]
        if created:
            stamps |= {"sys_created_on": now, "sys_created_by": actor.user_name}
            row["sys_mod_count"] = "0"
        for name, value in stamps.items():
            row[name] = given.get(name) or value

    def update(
        self,
        table_name: str,
        sys_id: str,
        values: Mapping[str, str],
        actor: Actor = SYSTEM,
        *,
        display: bool = False,
        keep_system: bool = False,
    ) -> Row:
        """Change a record; a write that changes nothing leaves it as it is, count included.

        Raises:
            AbortedError: a rule refused it.
            KeyError: there is no such record.
        """
        if self.faults.late and actor is not SYSTEM:

            def write(_made: Row | None = None) -> Row:
                return self.update(
                    table_name, sys_id, values, actor, display=display, keep_system=keep_system
                )

            return self._late(write, write)
        with self.store.transaction():
            old = self.read(table_name, sys_id)
            if old is None:
                raise KeyError(sys_id)
            table = self.schema.tables[old["sys_class_name"]] if self._classed(old) else (
                self.schema.tables[table_name]
            )  # fmt: skip
            given, journals = self.coerced(table, values, actor if display else None)
            for name in ("sys_id", "sys_class_name"):
                given.pop(name, None)
            ignored = _STATES if self.faults.ignore_state and actor is not SYSTEM else ()
            kept = {
                name: value
                for name, value in given.items()
                if name not in NOT_HISTORY and name not in ignored
            }
            new = {**old, **kept}
            if keep_system:
                new.update({name: value for name, value in given.items() if value})
            writing = Writing(table=table, actor=actor, old=old, new=new, journals=journals)
            self._run(self._before, writing)
            if new == old and not journals:
                return old
            count = int(old["sys_mod_count"] or 0) + 1
            self._stamp(new, actor, given if keep_system else {}, created=False)
            new["sys_mod_count"] = str(count)
            self.store.update(table, sys_id, new, encode_row(table, new))
            self._note(table, sys_id, old)
            self._history.journals(writing)
            self._history.lines(writing)
            self._run(self._after, writing)
            return self.read(table_name, sys_id) or new

    def _classed(self, row: Row) -> bool:
        return row.get("sys_class_name", "") in self.schema.tables

    def delete(self, table_name: str, sys_id: str, actor: Actor = SYSTEM) -> None:
        """Remove a record and keep that it was there."""
        table = self.schema.tables[table_name]
        row = self.read(table_name, sys_id)
        if row is None:
            return
        with self.store.transaction():
            self.store.delete(table, sys_id)
            self._note(table, sys_id, row)
            if table_name != "sys_audit_delete":
                self.insert(
                    "sys_audit_delete",
                    {
                        "tablename": row.get("sys_class_name") or table_name,
                        "documentkey": sys_id,
                        "display_value": row.get(table.display, ""),
                        "user": actor.user_name,
                    },
                )

    def _note(self, table: Table, sys_id: str, before: Row | None) -> None:
        at = self.clock.now()
        self.store.past.note(Change(at=at, table=table.name, sys_id=sys_id, before=before))

    def as_it_was(self, moment: datetime, look: Callable[[], Made]) -> Made:
        """Return what a look at the records would have found at an earlier moment."""

        def undone() -> Made:
            for change in list(self.store.past.since(moment)):
                self._undo(change)
            return look()

        return self.store.rehearse(undone)

    def _undo(self, change: Change) -> None:
        before, table = change.before, self.schema.tables[change.table]
        if before is None:
            self.store.delete(table, change.sys_id)
        elif self.store.read(table, change.sys_id) is None:
            self.store.insert(table, before, encode_row(table, before))
        else:
            self.store.update(table, change.sys_id, before, encode_row(table, before))

    def journal(self, table: str, sys_id: str, element: str, text: str, actor: Actor) -> None:
        """Append one journal entry."""
        self._history.journal(table, sys_id, element, text, actor)

    def _run(self, rules: Mapping[str, list[Rule]], writing: Writing) -> None:
        for name in reversed(list(self.schema.lineage(writing.table.name))):
            for rule in rules.get(name, ()):
                rule(self, writing)
        for rule in rules.get("*", ()):
            rule(self, writing)
