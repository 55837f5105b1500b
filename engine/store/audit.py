"""The audit chains: rows are appended in the transaction that makes the step true.

A ticket's chain is named `system:record id`; the installation has one of its own. Personal texts
stand beside the chain; the row holds their salted hashes. Without the salt, which is erased with
the text, a hash of a short text tells nothing.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from engine.domain.audit import GENESIS, AuditRow, row_hash
from engine.domain.canonical import JSON, canonical_json
from engine.domain.refs import TicketRef
from engine.store.rows import Rows
from engine.store.tables import AUDIT, HEAD, PRIVATE, utc
from engine.store.tickets import ERASED

INSTALLATION = "installation"
"""The chain of what concerns no single ticket; no ticket's chain lacks a colon."""

STARTED, STAGE, UPDATE = "started", "stage", "update"
STEPS = frozenset({STARTED, STAGE, UPDATE})
"""The events that say where a handling stands; like ERASED, only the store itself writes them."""


def chain_of(ticket: TicketRef) -> str:
    """Return the name of a ticket's chain; it survives every change of kind and key."""
    return f"{ticket.system}:{ticket.id}"


def private_hash(salt: str, text: str) -> str:
    """Return what the chain holds in place of a personal text.

    A lone surrogate counts as its escape, because an export has to write it so.
    """
    message = text.encode("utf-8", "backslashreplace")
    return "hmac-sha256:" + hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()


def audit_row(row: Row[*tuple[Any, ...]]) -> AuditRow:
    """Return the row as it stands in the database, without any check."""
    return AuditRow(
        chain=row.chain,
        number=row.number,
        at=row.at,
        event=row.event,
        actor=row.actor,
        body=json.loads(row.body),
        previous=row.previous,
        hash=row.hash,
    )


class AuditRows(Rows):
    """The part of the unit of work that writes and reads the chains."""

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
        """Append an audit row; two that append at once queue up at the chain's head.

        Raises:
            ValueError: The event is one of the store's own, the body names `private` itself, or is
                no canonical JSON.
        """
        if event in STEPS | {ERASED}:
            raise ValueError(f"only the store itself writes the event {event!r}")
        return self._append(
            chain=chain, event=event, actor=actor, at=at, body=body, private=private
        )

    def _append(
        self,
        *,
        chain: str,
        event: str,
        actor: str,
        at: datetime,
        body: Mapping[str, JSON],
        private: Mapping[str, str] | None = None,
    ) -> AuditRow:
        if "private" in body:
            raise ValueError("the body's `private` is written from `private`")
        salted = {name: (secrets.token_hex(32), text) for name, text in (private or {}).items()}
        content: dict[str, JSON] = dict(body)
        if salted:
            content["private"] = {name: private_hash(*pair) for name, pair in salted.items()}
        number, previous = self._head(chain)
        document = canonical_json(content).decode()
        written = {
            "chain": chain,
            "number": number + 1,
            "at": utc(at),
            "event": event,
            "actor": actor,
            "previous": previous,
        }
        content = json.loads(document)
        own = row_hash(
            chain=chain,
            number=number + 1,
            at=utc(at),
            event=event,
            actor=actor,
            body=content,
            previous=previous,
        )
        self._connection.execute(insert(AUDIT).values(**written, body=document, hash=own))
        self._connection.execute(
            update(HEAD).where(HEAD.c.chain == chain).values(number=number + 1, hash=own)
        )
        for name, (salt, text) in salted.items():
            place = {"chain": chain, "number": number + 1, "name": name}
            payload = {"salt": salt, "document": json.dumps(text, ensure_ascii=True)}
            self._connection.execute(insert(PRIVATE).values(**place, **payload))
        return AuditRow(
            chain=chain,
            number=number + 1,
            at=utc(at),
            event=event,
            actor=actor,
            body=content,
            previous=previous,
            hash=own,
        )

    def _head(self, chain: str) -> tuple[int, str]:
        self._insert_new(HEAD, {"chain": chain, "number": 0, "hash": GENESIS, "sealed": 0})
        query = select(HEAD.c.number, HEAD.c.hash).where(HEAD.c.chain == chain)
        head = self._connection.execute(query.with_for_update()).one()
        return head.number, head.hash

    def audit(self, chain: str) -> tuple[AuditRow, ...]:
        """Return one chain's rows in order."""
        query = select(AUDIT).where(AUDIT.c.chain == chain).order_by(AUDIT.c.number)
        return tuple(audit_row(row) for row in self._connection.execute(query))

    def private(self, chain: str) -> Mapping[int, Mapping[str, str]]:
        """Return the personal payloads beside a chain, by row number; erased ones are absent."""
        found: dict[int, dict[str, str]] = {}
        query = select(PRIVATE).where(PRIVATE.c.chain == chain)
        for row in self._connection.execute(query.order_by(PRIVATE.c.number, PRIVATE.c.name)):
            found.setdefault(row.number, {})[row.name] = json.loads(row.document)
        return found

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains."""
        return tuple(self._connection.scalars(select(HEAD.c.chain).order_by(HEAD.c.chain)))
