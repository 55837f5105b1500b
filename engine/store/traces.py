"""What the store has on record of a stretch of time, for comparing it with other systems' logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.store import codec
from engine.store.audit import AuditRows, audit_row
from engine.store.tables import AUDIT, EFFECT, HANDLING


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedOnRecord:
    """A change that the chain says we opened, or asked for without an answer (`change` empty)."""

    chain: str
    at: datetime
    correlation_id: str
    change: Mapping[str, Any]


class TraceRows(AuditRows):
    """The part of the unit of work that a reconciliation reads."""

    def effects_since(self, since: datetime) -> tuple[tuple[Effect, Handling], ...]:
        """Return the effects intended since then with their handlings, oldest first."""
        query = (
            select(EFFECT.c.document, HANDLING.c.document)
            .join(HANDLING, EFFECT.c.handling == HANDLING.c.id)
            .where(EFFECT.c.started_at >= since)
            .order_by(EFFECT.c.started_at, EFFECT.c.key)
        )
        return tuple(
            (codec.loads(Effect, effect), codec.loads(Handling, handling))
            for effect, handling in self._connection.execute(query)
        )

    def opened_since(self, since: datetime) -> tuple[OpenedOnRecord, ...]:
        """Return the changes that the chains name since then, in their order."""
        query = (
            select(AUDIT)
            .where(AUDIT.c.at >= since, AUDIT.c.body.contains('"correlation_id"'))
            .order_by(AUDIT.c.at, AUDIT.c.chain, AUDIT.c.number)
        )
        found = list[OpenedOnRecord]()
        for row in map(audit_row, self._connection.execute(query)):
            key, change = row.body.get("correlation_id"), row.body.get("change")
            if isinstance(key, str):
                held = change if isinstance(change, Mapping) else {}
                found.append(
                    OpenedOnRecord(chain=row.chain, at=row.at, correlation_id=key, change=held)
                )
        return tuple(found)
