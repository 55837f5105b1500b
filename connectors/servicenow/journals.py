"""Work notes and comments: written once, found again, and what agents say in them.

A journal's raw value reads back empty; its entries stand in `sys_journal_field`, with an author
that the writer cannot choose (ServiceNow docs, "Journal fields").
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import HOLDS, commands, required_instant
from engine.errors import MissingRightError, OutcomeUnknownError

_FIELDS = ("element_id", "element", "value", "sys_created_on", "sys_created_by")
# Text in these marks would be rendered as HTML by the instance's journals.
_MARKUP = re.compile(r"\[(/?code)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line that a person addressed to us in a work note; `id` is the entry's own."""

    id: str
    record_id: str
    by: str
    word: str
    code: str
    at: datetime


def token(marker: str) -> str:
    """Return the short text by which an entry is found again."""
    return "tg-" + hashlib.sha256(marker.encode()).hexdigest()[:20]


class Journals:
    """Entries on the records of one instance."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client

    def add_once(self, table: str, sys_id: str, element: str, entry: str, marker: str) -> None:
        """Append an entry unless one with this marker is there already.

        Raises:
            OutcomeUnknownError: The answer was lost and the entry cannot be seen yet; the caller
                may call again.
            MissingRightError: Entries are hidden from us, so that it cannot be found again.
        """
        key = token(marker)
        if self._is_there(sys_id, element, key):
            return
        safe = _MARKUP.sub(r"[ \1]", entry.rstrip())
        try:
            self._client.append(table, sys_id, element, f"{safe}\n\n({key})")
        except OutcomeUnknownError:
            if not self._is_there(sys_id, element, key):
                raise

    def _is_there(self, sys_id: str, element: str, key: str) -> bool:
        rows = self._client.rows(
            "sys_journal_field",
            q.both(
                q.equals("element_id", sys_id),
                q.equals("element", element),
                q.contains("value", key),
            ),
            fields=("sys_id", "value", "sys_created_by"),
            limit=10,
        )
        if rows.total > len(rows.records):
            raise MissingRightError(
                f"{self._client.name}: {rows.total - len(rows.records)} journal entries are hidden "
                "from us, so nothing can be written once (sys_journal_field)"
            )
        # What the key's line says counts only where we wrote it: a person may quote our note.
        own = self._client.account().name
        return any(
            key in text(row, "value") and text(row, "sys_created_by") == own for row in rows.records
        )

    def entry(self, sys_id: str, element: str, marker: str) -> tuple[str, datetime] | None:
        """Return our own entry with this marker as it reads now, and when it was written.

        Raises:
            MissingRightError: Entries are hidden from us.
        """
        key = token(marker)
        rows, hidden = self._client.all_rows(
            "sys_journal_field",
            q.both(
                q.equals("element_id", sys_id),
                q.equals("element", element),
                q.contains("value", key),
            ),
            fields=_FIELDS,
        )
        if hidden:
            raise MissingRightError(
                f"{self._client.name}: {hidden} journal entries are hidden (sys_journal_field)"
            )
        own = self._client.account().name
        found = [
            (text(row, "value"), required_instant(row, "sys_created_on"))
            for row in rows
            if key in text(row, "value") and text(row, "sys_created_by") == own
        ]
        return min(found, key=lambda one: one[1], default=None)

    def commands(self, record_ids: Iterable[str]) -> tuple[Command, ...]:
        """Return what people told us in internal notes on these records, oldest first.

        Our own notes quote such lines and do not count; comments, which requesters write, neither.
        """
        return self.told(record_ids)[0]

    def told(self, record_ids: Iterable[str]) -> tuple[tuple[Command, ...], int]:
        """Return the same, and how many entries are hidden from us."""
        rows, hidden = self._client.rows_of(
            "sys_journal_field",
            "element_id",
            record_ids,
            fields=_FIELDS,
            base=q.both(q.equals("element", "work_notes"), q.contains("value", "tiergate")),
        )
        own = self._client.account().name
        found = [
            command
            for row in rows
            if text(row, "sys_created_by") != own and text(row, "element") == "work_notes"
            for command in _commands_in(row)
        ]
        return tuple(sorted(found, key=lambda command: command.at)), hidden

    def held(self, owners: Mapping[str, str], said: Iterable[Command]) -> frozenset[str]:
        """Return which tickets a person told us to leave alone.

        Args:
            owners: Record id (a ticket's, or that of one of its tasks) to ticket id.
            said: What people told us on these records, oldest first.
        """
        state: dict[str, bool] = {}
        for command in said:
            if command.word in HOLDS:
                state[owners[command.record_id]] = HOLDS[command.word]
        return frozenset(ticket for ticket, is_held in state.items() if is_held)


def _commands_in(row: Record) -> tuple[Command, ...]:
    return tuple(
        Command(
            id=text(row, "sys_id"),
            record_id=text(row, "element_id"),
            by=text(row, "sys_created_by"),
            word=word,
            code=code,
            at=required_instant(row, "sys_created_on"),
        )
        for word, code in commands(text(row, "value"))
    )
