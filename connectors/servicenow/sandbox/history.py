"""What is kept about writes: journal entries, the audit of columns, history lines."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.servicenow.sandbox.actors import SYSTEM, Actor
from connectors.servicenow.sandbox.schema import ColumnType, Schema, Table
from connectors.servicenow.sandbox.shape import encode_row
from connectors.servicenow.sandbox.store import Row, Store

NOT_HISTORY = frozenset({
    "sys_updated_on", "sys_updated_by", "sys_mod_count", "sys_created_on", "sys_created_by",
})  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Writing:
    """One insert or update on its way through the rules."""

    table: Table
    actor: Actor
    old: Row | None
    new: Row
    journals: dict[str, str] = field(default_factory=dict[str, str])

    def changed(self, name: str) -> bool:
        """Say whether a column gets another value."""
        return self.new.get(name, "") != (self.old or {}).get(name, "")

    def becomes(self, name: str, *values: str) -> bool:
        """Say whether a column changes to one of the values."""
        return self.changed(name) and self.new.get(name, "") in values


class History:
    """Writes past all rules: history has none."""

    def __init__(self, store: Store, schema: Schema, now: Callable[[], str]) -> None:
        self._store = store
        self._schema = schema
        self._now = now

    def journal(self, table: str, sys_id: str, element: str, text: str, actor: Actor) -> None:
        """Append one journal entry."""
        journal = self._schema.tables["sys_journal_field"]
        row = {
            "sys_id": secrets.token_hex(16),
            "sys_created_on": self._now(),
            "sys_created_by": actor.user_name,
            "name": table,
            "element": element,
            "element_id": sys_id,
            "value": text,
        }
        self._store.insert(journal, row, encode_row(journal, row))

    def journals(self, writing: Writing) -> None:
        """Append what a write says in its journals."""
        for element, text in writing.journals.items():
            if element != "comments_and_work_notes":
                row = writing.new
                self.journal(writing.table.name, row["sys_id"], element, text, writing.actor)

    def lines(self, writing: Writing) -> None:
        """Keep who changed which audited column from what to what."""
        if not writing.table.audit or writing.old is None:
            return
        lines = [
            (name, writing.old.get(name, ""), value)
            for name, value in writing.new.items()
            if name not in NOT_HISTORY and value != writing.old.get(name, "")
        ]
        lines += [(name, "", text) for name, text in writing.journals.items()]
        checkpoint = secrets.token_hex(8)
        for name, old, new in lines:
            self._line(writing, name, old, new, checkpoint)

    def _line(self, writing: Writing, name: str, old: str, new: str, checkpoint: str) -> None:
        key, count = writing.new["sys_id"], writing.new["sys_mod_count"]
        column = writing.table.columns[name]
        hidden = column.type is ColumnType.PASSWORD
        now = self._now()
        audit = {
            "tablename": writing.table.name,
            "documentkey": key,
            "fieldname": name,
            "oldvalue": "*" if hidden and old else old,
            "newvalue": "*" if hidden else new,
            "user": writing.actor.user_name,
            "record_checkpoint": count,
            "internal_checkpoint": checkpoint,
        }
        line = {
            "set": self._set(writing.table.name, key, checkpoint),
            "field": name,
            "label": column.label,
            "old": audit["oldvalue"],
            "new": audit["newvalue"],
            "user": writing.actor.sys_id,
            "user_id": writing.actor.user_name,
            "user_name": writing.actor.name,
            "update": count,
            "update_time": now,
            "internal_checkpoint": checkpoint,
        }
        self._append("sys_audit", audit, writing.actor)
        self._append("sys_history_line", line, writing.actor)

    def _set(self, table: str, key: str, checkpoint: str) -> str:
        found = self._store.find(self._schema.tables["sys_history_set"], "id = ?", (key,))
        if found:
            return found[0]["sys_id"]
        values = {"table": table, "id": key, "internal_checkpoint": checkpoint,
                  "load_time": self._now()}  # fmt: skip
        return self._append("sys_history_set", values, SYSTEM)

    def _append(self, table_name: str, values: Row, actor: Actor) -> str:
        """Insert past all rules: history has none."""
        table = self._schema.tables[table_name]
        row = {name: column.default for name, column in table.columns.items()} | values
        row["sys_id"] = secrets.token_hex(16)
        now = self._now()
        row |= {"sys_created_on": now, "sys_updated_on": now, "sys_mod_count": "0"}
        row |= {"sys_created_by": actor.user_name, "sys_updated_by": actor.user_name}
        self._store.insert(table, row, encode_row(table, row))
        return row["sys_id"]
