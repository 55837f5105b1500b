"""The unit of work of MemoryStore: transition check, compare-and-set, unique keys, chains."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.domain.canonical import JSON
from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.domain.refs import ChangeRef, TicketRef
from engine.domain.stage import Gate, Stage, require_transition
from engine.errors import (
    AlreadyConsumedError,
    IllegalTransitionError,
    LeaseLostError,
    NotApprovedError,
    RecordNotFoundError,
)
from engine.ports.store import StageCount
from engine.testing.store_chains import AuditRows

_ONLY_OURS = frozenset(
    {"id", "stage", "version", "attempt", "created_at", "updated_at", "parked_from"}
)
_FINAL = frozenset({EffectPhase.DONE, EffectPhase.FAILED, EffectPhase.BACKED_OUT})
_UNFIRED = frozenset({EffectPhase.INTENT, EffectPhase.WITHHELD})
_AFTER_WITHHELD = _UNFIRED | {EffectPhase.FAILED}


class _HandlingRows(AuditRows):
    def start(self, ticket: TicketRef, *, at: datetime, actor: str) -> Handling | None:
        """Start a handling; None when one is live."""
        mine = self._of(ticket)
        if any(not item.stage.is_end for item in mine):
            return None
        attempt = max((item.attempt for item in mine), default=0) + 1
        handling = Handling(
            id=f"{ticket.system}:{ticket.id}:{attempt}",
            ticket=ticket,
            attempt=attempt,
            stage=Stage.INGESTED,
            gate=Gate.UNDECIDED,
            version=1,
            created_at=at,
            updated_at=at,
            wake_at=at,
        )
        self._rows.handlings[handling.id] = handling
        self._rows.arrivals[handling.id] = at
        known = self._rows.tickets.get(ticket.identity)
        self.record(
            chain=f"{ticket.system}:{ticket.id}",
            event="started",
            actor=actor,
            at=at,
            body={
                "handling": handling.id,
                "to": str(handling.stage),
                "gate": str(handling.gate),
                "kind": str(ticket.kind),
                "key": ticket.key,
            },
            private={"short_description": known.short_description} if known else None,
        )
        return handling

    def handling(self, handling_id: str) -> Handling:
        """Return the handling."""
        found = self._rows.handlings.get(handling_id)
        if found is None:
            raise RecordNotFoundError(f"no handling {handling_id!r}")
        return found

    def latest(self, ticket: TicketRef) -> Handling | None:
        """Return the newest handling of a ticket."""
        return max(self._of(ticket), key=lambda item: item.attempt, default=None)

    def handlings(
        self,
        *,
        stages: Sequence[Stage] | None = None,
        touching: Collection[str] | None = None,
        limit: int = 1000,
    ) -> tuple[Handling, ...]:
        """Return handlings, newest first; with `touching` those about one of these ids."""
        found = [
            item for item in self._rows.handlings.values() if stages is None or item.stage in stages
        ]
        if touching is not None:
            ids = set(touching)
            found = [item for item in found if item.plan and item.plan.bound.touched & ids]
        found.sort(key=lambda item: (item.created_at, item.id), reverse=True)
        return tuple(found[:limit])

    def advance(
        self,
        handling: Handling,
        to: Stage,
        *,
        why: str,
        at: datetime,
        actor: str = "tiergate",
        evidence: Mapping[str, JSON] | None = None,
        **changes: Any,  # noqa: ANN401  the port's own signature
    ) -> Handling:
        """Move the handling, with its audit row."""
        gate = _checked(changes).get("gate", handling.gate)
        is_move = to is not handling.stage
        if gate is not handling.gate and (
            handling.stage is not Stage.TRIAGED or to in {Stage.TRIAGED, Stage.PARKED}
        ):
            raise IllegalTransitionError("the gate is fixed when triaged is left")
        if to is Stage.DECIDED and gate is Gate.UNDECIDED:
            raise IllegalTransitionError("a decision names its gate")
        if is_move:
            require_transition(handling.gate, handling.stage, to, parked_from=handling.parked_from)
            changes["parked_from"] = handling.stage if to is Stage.PARKED else None
        if to.is_end:
            changes["wake_at"] = None
        after = self._write(handling, at=at, stage=to, **changes)
        body = {
            "handling": handling.id,
            "from": str(handling.stage),
            "to": str(to),
            "gate": str(gate),
        }
        if clash := (set(body) | {"why"}) & set(evidence or {}):
            raise ValueError(f"evidence may not name {sorted(clash)}")
        self.record(
            chain=f"{handling.ticket.system}:{handling.ticket.id}",
            event="stage" if is_move else "update",
            actor=actor,
            at=at,
            body={**body, **(evidence or {})},
            private={"why": why} if why else None,
        )
        return after

    def touch(self, handling: Handling, *, at: datetime, **changes: Any) -> Handling:  # noqa: ANN401  the port's own signature
        """Replace fields that are no step."""
        if changes.get("gate", handling.gate) is not handling.gate:
            raise IllegalTransitionError("the gate is fixed by a step")
        return self._write(handling, at=at, **_checked(changes))

    def due(self, now: datetime, *, limit: int) -> tuple[str, ...]:
        """Return ids of handlings whose `wake_at` has come, oldest first."""
        found = [
            (item.wake_at, item.id)
            for item in self._rows.handlings.values()
            if item.wake_at is not None and item.wake_at <= now
        ]
        return tuple(handling_id for _, handling_id in sorted(found)[:limit])

    def next_wake(self, stages: Sequence[Stage]) -> datetime | None:
        """Return the earliest `wake_at` of handlings at these stages."""
        found = self._rows.handlings.values()
        at = [item.wake_at for item in found if item.stage in stages and item.wake_at is not None]
        return min(at, default=None)

    def stage_counts(self) -> tuple[StageCount, ...]:
        """Return how many handlings stand at each stage."""
        counts: list[StageCount] = []
        for stage in Stage:
            found = [item.id for item in self._rows.handlings.values() if item.stage is stage]
            since = [self._rows.arrivals[handling_id] for handling_id in found]
            if since:
                counts.append(StageCount(stage=stage, count=len(since), oldest_at=min(since)))
        return tuple(counts)

    def waiting(self, system: str) -> Mapping[str, ChangeRef]:
        """Return the changes in `system` of AWAITING and APPROVED handlings, by handling."""
        return {
            item.id: item.change
            for item in self._rows.handlings.values()
            if item.stage in {Stage.AWAITING, Stage.APPROVED}
            and item.change is not None
            and item.change.system == system
        }

    def find_by_change(self, system: str, change_id: str) -> Handling | None:
        """Return the live handling that owns this change."""
        for item in self._rows.handlings.values():
            if item.stage.is_end or item.change is None:
                continue
            if (item.change.system, item.change.id) == (system, change_id):
                return item
        return None

    def _of(self, ticket: TicketRef) -> list[Handling]:
        found = self._rows.handlings.values()
        return [item for item in found if item.ticket.identity == ticket.identity]

    def _write(self, handling: Handling, *, at: datetime, **changes: Any) -> Handling:  # noqa: ANN401  as above
        stored = self.handling(handling.id)
        if stored.version != handling.version or stored.stage is not handling.stage:
            raise LeaseLostError(f"handling {handling.id}: replaced by another worker")
        after = replace(handling, version=handling.version + 1, updated_at=at, **changes)
        if after.ticket.identity != handling.ticket.identity:
            raise ValueError("a handling never changes its ticket")
        if after.stage is not handling.stage:
            self._rows.arrivals[after.id] = at
        if after.change is not None and after.change != handling.change:
            revision = after.plan.revision if after.plan else 0
            opened = self._rows.opened.setdefault((after.id, revision), after.change)
            if (opened.system, opened.id) != (after.change.system, after.change.id):
                raise AlreadyConsumedError(f"revision {revision} of {after.id} has another change")
            key = (after.change.system, after.change.id)
            if self._rows.owners.setdefault(key, after.id) != after.id:
                raise AlreadyConsumedError(f"change {after.change} belongs to another handling")
        self._rows.handlings[after.id] = after
        return after


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    if forbidden := _ONLY_OURS & set(changes):
        raise TypeError(f"only the store writes {sorted(forbidden)}")
    return changes


class MemoryUnitOfWork(_HandlingRows):
    """The port's `UnitOfWork` over rows in memory."""

    def intend(self, effect: Effect, consumption: Consumption | None) -> None:
        """Store intent and consumption together, or neither."""
        handling = self.handling(effect.handling)
        is_gated = handling.gate.needs_approval and effect.kind is EffectKind.IMPLEMENT
        if is_gated and consumption is None:
            raise NotApprovedError(f"{handling.id}: an effect without its approval")
        if effect.key in self._rows.effects:
            raise AlreadyConsumedError(f"effect {effect.key} was intended before")
        if consumption is not None:
            key = (
                consumption.system,
                consumption.change_id,
                consumption.revision,
                consumption.plan_digest,
            )
            if key in self._rows.consumed:
                raise AlreadyConsumedError(f"approval {key[:3]} was used before")
            self._rows.consumed[key] = effect.key
        bound = handling.plan.bound if handling.plan else None
        if bound is None and handling.decision is not None:
            bound = handling.decision.bound
        self._rows.subjects[effect.key] = bound.subject.id if bound else ""
        self._rows.effects[effect.key] = effect

    def effect(self, key: str) -> Effect | None:
        """Return the effect with this key."""
        return self._rows.effects.get(key)

    def effects(self, handling_id: str) -> tuple[Effect, ...]:
        """Return a handling's effects, oldest first."""
        found = [item for item in self._rows.effects.values() if item.handling == handling_id]
        return tuple(sorted(found, key=lambda item: (item.started_at, item.key)))

    def settle(self, effect: Effect) -> None:
        """Store what became of an effect; fences only rise, and an ended effect never restarts."""
        stored = self._rows.effects.get(effect.key)
        if stored is None:
            raise RecordNotFoundError(f"no effect {effect.key}")
        fixed = ("handling", "kind", "action", "started_at")
        if moved := [name for name in fixed if getattr(stored, name) != getattr(effect, name)]:
            raise ValueError(f"effect {effect.key}: {moved} never change")
        if stored.phase in _FINAL and effect.phase is EffectPhase.INTENT:
            raise AlreadyConsumedError(f"effect {effect.key} has ended")
        if effect.phase is EffectPhase.WITHHELD and stored.phase not in _UNFIRED:
            raise AlreadyConsumedError(f"effect {effect.key} is no intent any more")
        if stored.phase is EffectPhase.WITHHELD and effect.phase not in _AFTER_WITHHELD:
            raise AlreadyConsumedError(f"effect {effect.key} was never fired")
        is_same = effect.fence == stored.fence and effect.owner == stored.owner
        if effect.fence < stored.fence or (effect.fence == stored.fence and not is_same):
            raise LeaseLostError(f"effect {effect.key}: a newer fence is stored")
        self._rows.effects[effect.key] = effect

    def effect_phases(self) -> Mapping[EffectPhase, int]:
        """Return how many effects stand at each phase; a phase without any is left out."""
        return Counter(effect.phase for effect in self._rows.effects.values())

    def count_effects(self, *, action: str, since: datetime, subject: str | None = None) -> int:
        """Return how many implementations of `action` began since then."""
        return sum(
            effect.action == action
            and effect.kind is EffectKind.IMPLEMENT
            and effect.phase is not EffectPhase.WITHHELD
            and effect.started_at >= since
            and (subject is None or self._rows.subjects[effect.key] == subject)
            for effect in self._rows.effects.values()
        )
