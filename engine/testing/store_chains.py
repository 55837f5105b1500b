"""Intake's, operations' and the chains' rows of MemoryStore."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime

from engine.domain.audit import GENESIS, AuditRow, row_hash
from engine.domain.canonical import JSON
from engine.domain.refs import TicketRef
from engine.domain.ticket import Ticket
from engine.errors import RecordNotFoundError
from engine.ports.paging import Cursor
from engine.ports.store import Pause, PollHealth
from engine.testing.store_rows import Rows


class IntakeRows:
    """Cursors, tickets, health, settings."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def cursor(self, source: str) -> Cursor | None:
        """Return the stored cursor."""
        return self._rows.cursors.get(source)

    def save_cursor(self, source: str, cursor: Cursor) -> None:
        """Store the cursor."""
        self._rows.cursors[source] = cursor

    def save_ticket(self, ticket: Ticket, *, seen_at: datetime) -> bool:
        """Insert or update; an older copy never replaces a newer one."""
        del seen_at  # the port wants it kept; nothing here reads it
        known = self._rows.tickets.get(ticket.ref.identity)
        if known == ticket or (known is not None and ticket.updated_at < known.updated_at):
            return False
        for name in [name for name in self._rows.broken if name[1] == ticket.ref.id]:
            del self._rows.broken[name]
        self._rows.tickets[ticket.ref.identity] = ticket
        return True

    def ticket(self, ref: TicketRef) -> Ticket | None:
        """Return the ticket as last seen."""
        return self._rows.tickets.get(ref.identity)

    def find_ticket(self, name: str) -> TicketRef:
        """Return the ticket that `[SYSTEM:]KEY` names."""
        found = [
            ticket.ref
            for ticket in self._rows.tickets.values()
            if name in {ticket.ref.key, str(ticket.ref)}
        ]
        if len(found) != 1:
            raise RecordNotFoundError(f"{name}: {len(found)} tickets have this name")
        return found[0]

    def save_broken(self, source: str, record_id: str, why: str, *, at: datetime) -> bool:
        """Note a record that could not be read; return whether it is news."""
        del at  # as above
        is_news = self._rows.broken.get((source, record_id)) != why
        self._rows.broken[source, record_id] = why
        return is_news

    def broken(self, source: str) -> Mapping[str, str]:
        """Return which records of a source could not be read, and why, by their id."""
        return {one: why for (of, one), why in self._rows.broken.items() if of == source}

    def forget_broken(self, source: str, records: Iterable[str]) -> None:
        """Drop the notes of these records."""
        for record_id in records:
            self._rows.broken.pop((source, record_id), None)

    def save_health(self, health: PollHealth) -> None:
        """Store how polling of a source stands."""
        self._rows.healths[health.source] = health

    def health(self) -> tuple[PollHealth, ...]:
        """Return how polling stands."""
        return tuple(self._rows.healths[name] for name in sorted(self._rows.healths))

    def setting(self, name: str) -> str | None:
        """Return a stored setting."""
        return self._rows.settings.get(name)

    def save_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self._rows.settings[name] = value

    def first_setting(self, name: str, value: str) -> str:
        """Store a setting unless one is stored; return what stands."""
        return self._rows.settings.setdefault(name, value)


class AuditRows(IntakeRows):
    """The chains, and the pauses that stand in one."""

    def record(
        self,
        *,
        chain: str,
        event: str,
        actor: str,
        at: datetime,
        body: Mapping[str, JSON],
        private: Mapping[str, str] | None = None,
    ) -> AuditRow:
        """Append a row bound to the one before."""
        rows = self._rows.chains.get(chain, ())
        number = len(rows) + 1
        whole = dict(body)
        if private:
            salt = secrets.token_hex(16)
            hashes = {
                name: hashlib.sha256(f"{salt}{text}".encode()).hexdigest()
                for name, text in private.items()
            }
            whole["private"] = hashes
            self._rows.private[chain, number] = dict(private)
        previous = rows[-1].hash if rows else GENESIS
        own = row_hash(
            chain=chain,
            number=number,
            at=at,
            event=event,
            actor=actor,
            body=whole,
            previous=previous,
        )
        row = AuditRow(
            chain=chain,
            number=number,
            at=at,
            event=event,
            actor=actor,
            body=whole,
            previous=previous,
            hash=own,
        )
        self._rows.chains[chain] = (*rows, row)
        return row

    def audit(self, chain: str) -> tuple[AuditRow, ...]:
        """Return one chain's rows."""
        return self._rows.chains.get(chain, ())

    def private(self, chain: str) -> Mapping[int, Mapping[str, str]]:
        """Return the personal payloads beside a chain."""
        found = self._rows.private.items()
        return {number: texts for (name, number), texts in found if name == chain}

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains."""
        return tuple(sorted(self._rows.chains))

    def pauses(self) -> tuple[Pause, ...]:
        """Return what is paused."""
        return tuple(self._rows.pauses[name] for name in sorted(self._rows.pauses))

    def pause(self, pause: Pause) -> None:
        """Pause; idempotent, audited."""
        key = (pause.action or "", pause.system or "")
        if key in self._rows.pauses:
            return
        self._rows.pauses[key] = pause
        body = {"action": pause.action, "system": pause.system}
        self.record(chain="installation", event="paused", actor=pause.by, at=pause.at, body=body)

    def resume(self, *, action: str | None, system: str | None, by: str, at: datetime) -> bool:
        """Lift that pause; audited where it stood."""
        stood = self._rows.pauses.pop((action or "", system or ""), None) is not None
        if stood:
            body = {"action": action, "system": system}
            self.record(chain="installation", event="resumed", actor=by, at=at, body=body)
        return stood
