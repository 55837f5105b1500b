"""The rows of our handlings: `advance` is the only writer of `stage`."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, false, func, or_, select, update

from engine.domain.canonical import JSON
from engine.domain.handling import Handling
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.stage import Gate, Stage, require_transition
from engine.domain.ticket import Ticket
from engine.errors import (
    AlreadyConsumedError,
    IllegalTransitionError,
    InvalidAnswerError,
    LeaseLostError,
    RecordNotFoundError,
)
from engine.ports.store import StageCount
from engine.store import codec
from engine.store.audit import STAGE, STARTED, UPDATE, AuditRows, chain_of
from engine.store.tables import CHANGE, HANDLING, TICKET, utc

# What only this module may write.
_OURS = frozenset({"id", "stage", "version", "attempt", "created_at", "updated_at", "parked_from"})
_ROW = select(HANDLING.c.document, HANDLING.c.stage, HANDLING.c.gate, HANDLING.c.version)


class HandlingRows(AuditRows):
    """The part of the unit of work that moves handlings."""

    def start(self, ticket: TicketRef, *, at: datetime, actor: str) -> Handling | None:
        """Start a handling at INGESTED, due at once, with its first audit row.

        None when one is live: the unique key decides between two that start at the same time.
        """
        newest = self._connection.scalar(
            select(func.max(HANDLING.c.attempt)).where(
                HANDLING.c.system == ticket.system, HANDLING.c.ticket_id == ticket.id
            )
        )
        attempt = (newest or 0) + 1
        handling = Handling(
            id=f"{ticket.system}:{ticket.id}:{attempt}",
            ticket=ticket,
            attempt=attempt,
            stage=Stage.INGESTED,
            gate=Gate.UNDECIDED,
            version=1,
            created_at=utc(at),
            updated_at=utc(at),
            wake_at=utc(at),
        )
        values = _columns(handling) | {
            "id": handling.id,
            "system": ticket.system,
            "ticket_id": ticket.id,
            "attempt": attempt,
            "created_at": at,
            "stage_at": at,
        }
        if not self._insert_new(HANDLING, values):
            return None
        known = self._connection.scalar(
            select(TICKET.c.document).where(
                TICKET.c.system == ticket.system, TICKET.c.id == ticket.id
            )
        )
        self._append(
            chain=chain_of(ticket),
            event=STARTED,
            actor=actor,
            at=at,
            body={
                "handling": handling.id,
                "to": str(handling.stage),
                "gate": str(handling.gate),
                "kind": str(ticket.kind),
                "key": ticket.key,
            },
            private=_first_words(known),
        )
        return handling

    def handling(self, handling_id: str) -> Handling:
        """Return the handling.

        Raises:
            RecordNotFoundError: No such handling.
        """
        found = self._one(_ROW.where(HANDLING.c.id == handling_id))
        if found is None:
            raise RecordNotFoundError(f"no handling {handling_id!r}")
        return found

    def latest(self, ticket: TicketRef) -> Handling | None:
        """Return the newest handling of a ticket, live or ended."""
        mine = (HANDLING.c.system == ticket.system) & (HANDLING.c.ticket_id == ticket.id)
        return self._one(_ROW.where(mine).order_by(HANDLING.c.attempt.desc()).limit(1))

    def handlings(
        self,
        *,
        stages: Sequence[Stage] | None = None,
        touching: Collection[str] | None = None,
        limit: int = 1000,
    ) -> tuple[Handling, ...]:
        """Return handlings, newest first, of these stages; see the port."""
        query = _ROW.order_by(HANDLING.c.created_at.desc(), HANDLING.c.id.desc()).limit(limit)
        if stages is not None:
            query = query.where(HANDLING.c.stage.in_([str(stage) for stage in stages]))
        if touching is None:
            return self._all(query)
        # The database finds the few whose document holds such an id at all: most are not decoded.
        named = [HANDLING.c.document.contains(_in_json(one), autoescape=True) for one in touching]
        found = self._all(query.where(or_(false(), *named)))
        return tuple(one for one in found if one.plan and one.plan.bound.touched & set(touching))

    def advance(
        self,
        handling: Handling,
        to: Stage,
        *,
        why: str,
        at: datetime,
        actor: str = "tiergate",
        evidence: Mapping[str, JSON] | None = None,
        **changes: Any,  # noqa: ANN401  any field of Handling, typed there
    ) -> Handling:
        """Move the handling and write its audit row, in this transaction; see the port.

        The gate is fixed once, when the handling leaves TRIAGED; the move itself is judged by the
        gate before. Parking keeps the stage to resume at. An ended handling is never due again.

        Raises:
            IllegalTransitionError: The table has no such edge, or the gate may not change here.
            LeaseLostError: The row has another version by now (compare-and-set).
            AlreadyConsumedError: The change belongs to another handling or revision.
        """
        _allow(changes)
        gate = changes.get("gate", handling.gate)
        is_move = to is not handling.stage
        _judge_gate(handling, to, gate)
        if is_move:
            require_transition(handling.gate, handling.stage, to, parked_from=handling.parked_from)
            changes["parked_from"] = handling.stage if to is Stage.PARKED else None
        if to.is_end:
            changes["wake_at"] = None
        after = self._write(handling, at=at, stage=to, **changes)
        steps: dict[str, JSON] = {
            "handling": handling.id,
            "from": str(handling.stage),
            "to": str(to),
            "gate": str(gate),
        }
        if clash := (set(steps) | {"why"}) & set(evidence or {}):
            raise ValueError(f"evidence may not name {sorted(clash)}")
        self._append(
            chain=chain_of(handling.ticket),
            event=STAGE if is_move else UPDATE,
            actor=actor,
            at=at,
            body={**steps, **(evidence or {})},
            # Reasons name people: who approved, who took the ticket, whom nobody knows.
            private={"why": why} if why else None,
        )
        return after

    def touch(self, handling: Handling, *, at: datetime, **changes: Any) -> Handling:  # noqa: ANN401  as above
        """Replace fields that are no step; no audit row, compare-and-set.

        Raises:
            LeaseLostError: The row has another version by now.
            IllegalTransitionError: The gate is a step, not a touch.
        """
        _allow(changes)
        if changes.get("gate", handling.gate) is not handling.gate:
            raise IllegalTransitionError("the gate is fixed by a step, with its audit row")
        return self._write(handling, at=at, **changes)

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        """Return ids of handlings whose `wake_at` has come, oldest first.

        On PostgreSQL those that another transaction is moving just now are left out.
        """
        query = (
            select(HANDLING.c.id)
            .where(HANDLING.c.wake_at <= now)
            .order_by(HANDLING.c.wake_at, HANDLING.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return tuple(self._connection.scalars(query))

    def next_wake(self, stages: Sequence[Stage]) -> datetime | None:
        """Return the earliest `wake_at` of handlings at these stages; None without one."""
        names = [str(stage) for stage in stages]
        query = select(HANDLING.c.wake_at).where(HANDLING.c.stage.in_(names))
        earliest = query.where(HANDLING.c.wake_at.is_not(None)).order_by(HANDLING.c.wake_at)
        return self._connection.scalar(earliest.limit(1))

    def stage_counts(self) -> tuple[StageCount, ...]:
        """Return how many handlings stand at each stage, only stages that have any."""
        oldest = func.min(HANDLING.c.stage_at, type_=HANDLING.c.stage_at.type)
        query = select(HANDLING.c.stage, func.count().label("size"), oldest.label("oldest_at"))
        return tuple(
            StageCount(stage=Stage(row.stage), count=row.size, oldest_at=row.oldest_at)
            for row in self._connection.execute(
                query.group_by(HANDLING.c.stage).order_by(HANDLING.c.stage)
            )
        )

    def waiting(self, system: str) -> Mapping[str, ChangeRef]:
        """Return the changes in `system` of handlings that are AWAITING or APPROVED, by handling.

        No document is read: this is asked in every cycle, however many wait.
        """
        stages = [str(Stage.AWAITING), str(Stage.APPROVED)]
        query = (
            select(CHANGE.c.handling, CHANGE.c.id, CHANGE.c.number, CHANGE.c.url)
            .join(HANDLING, HANDLING.c.id == CHANGE.c.handling)
            .where(HANDLING.c.change_system == system, HANDLING.c.stage.in_(stages))
            .where(CHANGE.c.system == system, CHANGE.c.is_open)
            .order_by(HANDLING.c.created_at, HANDLING.c.id)
        )
        return {
            row.handling: ChangeRef(system=system, id=row.id, number=row.number, url=row.url)
            for row in self._connection.execute(query)
        }

    def find_by_change(self, system: str, change_id: str) -> Handling | None:
        """Return the live handling that owns this change."""
        owned = CHANGE.c.handling == HANDLING.c.id
        mine = (CHANGE.c.system == system) & (CHANGE.c.id == change_id) & CHANGE.c.is_open
        return self._one(_ROW.join(CHANGE, owned).where(mine, HANDLING.c.is_live))

    def _write(self, handling: Handling, *, at: datetime, **changes: Any) -> Handling:  # noqa: ANN401  as above
        after = dataclasses.replace(
            handling, version=handling.version + 1, updated_at=utc(at), **changes
        )
        if after.ticket.identity != handling.ticket.identity:
            raise ValueError("a handling never changes its ticket")
        unseen = update(HANDLING).where(
            HANDLING.c.id == handling.id,
            HANDLING.c.version == handling.version,
            HANDLING.c.stage == str(handling.stage),
            HANDLING.c.gate == str(handling.gate),
        )
        values = _columns(after)
        if after.stage is not handling.stage:
            values["stage_at"] = at
        if self._connection.execute(unseen.values(**values)).rowcount != 1:
            raise LeaseLostError(
                f"handling {handling.id}: version {handling.version} was replaced by another worker"
            )
        self._own_change(handling, after)
        return after

    def _own_change(self, before: Handling, after: Handling) -> None:
        """Keep `change_record` true: one owner for ever, one open change per handling."""
        if after.change == before.change and after.stage.is_end == before.stage.is_end:
            return
        opened = CHANGE.c.handling == after.id
        self._connection.execute(update(CHANGE).where(opened).values(is_open=False))
        if after.change is None or after.stage.is_end:
            return
        change, revision = after.change, after.plan.revision if after.plan else 0
        values = {
            "system": change.system,
            "id": change.id,
            "handling": after.id,
            "correlation": f"{after.id}-r{revision}",
            "is_open": True,
            "number": change.number,
            "url": change.url,
        }
        if self._insert_new(CHANGE, values):
            return
        this = opened & (CHANGE.c.system == change.system) & (CHANGE.c.id == change.id)
        again = {name: values[name] for name in ("is_open", "number", "url")}
        if self._connection.execute(update(CHANGE).where(this).values(**again)).rowcount != 1:
            raise AlreadyConsumedError(_taken(change, after, revision))

    def _one(self, query: Select[*tuple[Any, ...]]) -> Handling | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _handling(row)

    def _all(self, query: Select[*tuple[Any, ...]]) -> tuple[Handling, ...]:
        return tuple(_handling(row) for row in self._connection.execute(query))


def _in_json(text: str) -> str:
    """Return the text as it stands in a document."""
    return json.dumps(text, ensure_ascii=True)


def _taken(change: ChangeRef, handling: Handling, revision: int) -> str:
    return (
        f"change {change}: it belongs to another handling, or revision {revision} of"
        f" {handling.id} has another change"
    )


def _allow(changes: Mapping[str, Any]) -> None:
    if forbidden := _OURS & set(changes):
        raise TypeError(f"only the store writes {sorted(forbidden)}")


def _judge_gate(handling: Handling, to: Stage, gate: Gate) -> None:
    if gate is not handling.gate and (
        handling.stage is not Stage.TRIAGED or to in {Stage.TRIAGED, Stage.PARKED}
    ):
        raise IllegalTransitionError(f"the gate is fixed when {Stage.TRIAGED} is left, not at {to}")
    if to is Stage.DECIDED and gate is Gate.UNDECIDED:
        raise IllegalTransitionError("a decision names its gate")


def _columns(handling: Handling) -> dict[str, Any]:
    return {
        "stage": str(handling.stage),
        "gate": str(handling.gate),
        "version": handling.version,
        "is_live": not handling.stage.is_end,
        "wake_at": handling.wake_at,
        "change_system": handling.change.system if handling.change else None,
        "document": codec.dumps(handling),
    }


def _handling(row: Row[*tuple[Any, ...]]) -> Handling:
    """Decode one row; its columns and its document must tell the same."""
    found = codec.loads(Handling, row.document)
    if (found.stage, found.gate, found.version) != (row.stage, row.gate, row.version):
        raise InvalidAnswerError(
            f"handling {found.id}: the row says {row.stage} behind {row.gate} (version"
            f" {row.version}), its document {found.stage} behind {found.gate}"
            f" (version {found.version}): somebody edited the database"
        )
    return found


def _first_words(document: str | None) -> Mapping[str, str] | None:
    if document is None:
        return None
    return {"short_description": codec.loads(Ticket, document).short_description}
