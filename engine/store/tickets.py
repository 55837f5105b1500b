"""Intake's rows: cursors, tickets as last seen, records that could not be read."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Select, delete, func, select, update

from engine.domain.refs import TicketRef
from engine.domain.ticket import Ticket
from engine.errors import RecordNotFoundError
from engine.ports.paging import Cursor
from engine.store import codec
from engine.store.rows import Rows
from engine.store.tables import BROKEN, CURSOR, TICKET, utc

ERASED = "erased"
"""What stands where a personal text stood, and the event that says so."""


def without_words(ticket: Ticket) -> Ticket:
    """Return what is kept of a ticket whose personal texts are erased: ids, times and states."""
    return dataclasses.replace(
        ticket,
        short_description=ERASED,
        description="",
        requester=None,
        creator=None,
        subject=None,
        assignee=None,
        variables={},
        updated_by="",
    )


class TicketRows(Rows):
    """The part of the unit of work that intake writes."""

    def cursor(self, source: str) -> Cursor | None:
        """Return the stored cursor of a source."""
        found = self._connection.scalar(
            select(CURSOR.c.document).where(CURSOR.c.source == source),
        )
        return None if found is None else codec.loads(Cursor, found)

    def save_cursor(self, source: str, cursor: Cursor) -> None:
        """Store the cursor, in the same transaction as what it covers."""
        self._save(CURSOR, {"source": source, "document": codec.dumps(cursor)})

    def save_ticket(self, ticket: Ticket, *, seen_at: datetime) -> bool:
        """Insert or update by (system, id); return whether anything in it is new to us.

        An older copy (by the remote `updated_at`) never replaces a newer one. A ticket whose
        version token stands still while its content moved (an approval row beside it) is new.

        What was erased stays erased for as long as the ticket is closed: its new version is kept
        without a word of it, and is no news.
        """
        values = {
            "system": ticket.ref.system,
            "id": ticket.ref.id,
            "key": ticket.ref.key,
            "version": ticket.version,
            "updated_at": ticket.updated_at,
            "seen_at": seen_at,
            "document": codec.dumps(ticket),
        }
        self._connection.execute(
            delete(BROKEN).where(
                BROKEN.c.id == ticket.ref.id,
                BROKEN.c.source.startswith(f"{ticket.ref.system}/", autoescape=True),
            )
        )
        if self._insert_new(TICKET, values):
            return True
        here = (TICKET.c.system == ticket.ref.system) & (TICKET.c.id == ticket.ref.id)
        stored = self._connection.execute(
            select(TICKET.c.document, TICKET.c.updated_at, TICKET.c.erased_at)
            .where(here)
            .with_for_update()
        ).one()
        if stored.updated_at > utc(ticket.updated_at):
            return False
        if stored.erased_at is not None and not ticket.state.is_open:
            blank = codec.dumps(without_words(ticket))
            self._connection.execute(
                update(TICKET).where(here).values(**values | {"document": blank})
            )
            return False
        if codec.loads(Ticket, stored.document) == ticket:
            self._connection.execute(update(TICKET).where(here).values(seen_at=seen_at))
            return False
        self._connection.execute(update(TICKET).where(here).values(**values, erased_at=None))
        return True

    def ticket(self, ref: TicketRef) -> Ticket | None:
        """Return the ticket as last seen."""
        found = self._connection.scalar(
            select(TICKET.c.document).where(TICKET.c.system == ref.system, TICKET.c.id == ref.id)
        )
        return None if found is None else codec.loads(Ticket, found)

    def find_ticket(self, name: str) -> TicketRef:
        """Return the ticket that `[SYSTEM:]KEY` names; people type keys in either case.

        Raises:
            RecordNotFoundError: None, or a key of several systems.
        """
        system, colon, key = name.partition(":")
        query = select(TICKET.c.document)
        if colon:
            query = query.where(TICKET.c.system == system)
        found = self._tickets_with(query, key if colon else name)
        if not found:
            raise RecordNotFoundError(f"no ticket {name!r} was ever polled")
        if len(found) > 1:
            names = ", ".join(sorted({f"{ref} ({ref.id})" for ref in found}))
            raise RecordNotFoundError(f"{name!r} names several tickets: {names}")
        return found[0]

    def _tickets_with(self, query: Select[str], key: str) -> list[TicketRef]:
        exact = self._connection.scalars(query.where(TICKET.c.key == key)).all()
        rows = exact or self._connection.scalars(
            query.where(func.lower(TICKET.c.key) == key.lower())
        )
        return [codec.loads(Ticket, row).ref for row in rows]

    def save_broken(self, source: str, record_id: str, why: str, *, at: datetime) -> bool:
        """Note a record that could not be read; return whether it, or its reason, is news."""
        values = {"source": source, "id": record_id, "why": why, "first_at": at, "last_at": at}
        if self._insert_new(BROKEN, values):
            return True
        here = (BROKEN.c.source == source) & (BROKEN.c.id == record_id)
        known = self._connection.scalar(select(BROKEN.c.why).where(here).with_for_update())
        self._connection.execute(update(BROKEN).where(here).values(why=why, last_at=at))
        return known != why

    def broken(self, source: str) -> Mapping[str, str]:
        """Return which records of a source could not be read, and why, by their id."""
        query = select(BROKEN.c.id, BROKEN.c.why).where(BROKEN.c.source == source)
        return {row.id: row.why for row in self._connection.execute(query)}

    def forget_broken(self, source: str, records: Iterable[str]) -> None:
        """Drop the notes of these records."""
        for record_id in records:
            here = (BROKEN.c.source == source) & (BROKEN.c.id == record_id)
            self._connection.execute(delete(BROKEN).where(here))
