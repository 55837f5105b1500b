"""What the store has on record of a stretch of time, for comparing it with other systems' logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.domain.stage import Stage
from engine.store import codec
from engine.store.audit import STEPS, AuditRows, audit_row
from engine.store.tables import AUDIT, CHANGE, EFFECT, HANDLING

_BATCH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Trodden:
    """One handling with every step of it, in order, and the records that it wrote on."""

    handling: str
    ticket: str
    records: frozenset[str]
    change: str
    change_system: str
    steps: tuple[tuple[Stage, datetime], ...]


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

    def trodden_since(self, since: datetime) -> tuple[Trodden, ...]:
        """Return the handlings that live, or moved since then, with all their steps."""
        query = select(HANDLING).where(or_(HANDLING.c.is_live, HANDLING.c.stage_at >= since))
        handlings = self._connection.execute(query.order_by(HANDLING.c.id)).all()
        ids = [row.id for row in handlings]
        steps = self._steps({f"{row.system}:{row.ticket_id}" for row in handlings})
        changes = dict[str, list[str]]()
        for start in range(0, len(ids), _BATCH):
            mine = CHANGE.c.handling.in_(ids[start : start + _BATCH])
            for row in self._connection.execute(select(CHANGE).where(mine)):
                changes.setdefault(row.handling, []).append(row.id)
        found = list[Trodden]()
        for row in handlings:
            own = codec.loads(Handling, row.document)
            change = own.change
            records = {row.ticket_id, *changes.get(row.id, ())} | ({change.id} if change else set())
            found.append(
                Trodden(
                    handling=row.id,
                    ticket=str(own.ticket),
                    records=frozenset(records),
                    change=change.id if change else "",
                    change_system=change.system if change else "",
                    steps=tuple(steps.get(row.id, ())),
                )
            )
        return tuple(found)

    def _steps(self, chains: set[str]) -> Mapping[str, list[tuple[Stage, datetime]]]:
        found = dict[str, list[tuple[Stage, datetime]]]()
        names = sorted(chains)
        for start in range(0, len(names), _BATCH):
            query = select(AUDIT).where(
                AUDIT.c.chain.in_(names[start : start + _BATCH]), AUDIT.c.event.in_(sorted(STEPS))
            )
            ordered = query.order_by(AUDIT.c.chain, AUDIT.c.number)
            for row in map(audit_row, self._connection.execute(ordered)):
                handling, to = str(row.body["handling"]), Stage(str(row.body["to"]))
                found.setdefault(handling, []).append((to, row.at))
        return found
