"""Effects and the approvals they use up: intent before effect, each exactly once."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, or_, select, update

from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.errors import (
    AlreadyConsumedError,
    LeaseLostError,
    NotApprovedError,
    RecordNotFoundError,
)
from engine.store import codec
from engine.store.handlings import HandlingRows
from engine.store.tables import CONSUMPTION, EFFECT

# What an effect may become. An ended effect never stands at INTENT again, so it never runs again.
PHASES: Mapping[EffectPhase, frozenset[EffectPhase]] = {
    EffectPhase.INTENT: frozenset(EffectPhase),
    EffectPhase.WITHHELD: frozenset({EffectPhase.WITHHELD, EffectPhase.INTENT, EffectPhase.FAILED}),
    EffectPhase.UNKNOWN: frozenset(EffectPhase) - {EffectPhase.WITHHELD},
    EffectPhase.DONE: frozenset({EffectPhase.DONE, EffectPhase.BACKED_OUT, EffectPhase.UNKNOWN}),
    EffectPhase.FAILED: frozenset(
        {EffectPhase.FAILED, EffectPhase.DONE, EffectPhase.BACKED_OUT, EffectPhase.UNKNOWN}
    ),
    EffectPhase.BACKED_OUT: frozenset({EffectPhase.BACKED_OUT}),
}


class EffectRows(HandlingRows):
    """The part of the unit of work that effects are written by."""

    def intend(self, effect: Effect, consumption: Consumption | None) -> None:
        """Store intent and consumption together, or neither.

        Raises:
            AlreadyConsumedError: The effect key or the approval was used before.
            NotApprovedError: The handling stands behind a gate, and no approval was named.
            RecordNotFoundError: No such handling.
        """
        handling = self.handling(effect.handling)
        is_gated = handling.gate.needs_approval and effect.kind is EffectKind.IMPLEMENT
        if is_gated and consumption is None:
            raise NotApprovedError(f"handling {handling.id}: an effect behind {handling.gate}")
        values = {
            "key": effect.key,
            "handling": effect.handling,
            "kind": str(effect.kind),
            "action": effect.action,
            "subject": _subject(handling),
            "phase": str(effect.phase),
            "owner": effect.owner,
            "fence": effect.fence,
            "started_at": effect.started_at,
            "document": codec.dumps(effect),
        }
        # The savepoint takes the intent back as well where a caller goes on after the error.
        with self._connection.begin_nested():
            if not self._insert_new(EFFECT, values):
                raise AlreadyConsumedError(f"effect {effect.key} was intended before")
            if consumption is not None:
                used = {
                    "system": consumption.system,
                    "change_id": consumption.change_id,
                    "revision": consumption.revision,
                    "plan_digest": consumption.plan_digest,
                    "effect": effect.key,
                }
                if not self._insert_new(CONSUMPTION, used):
                    raise AlreadyConsumedError(
                        f"change {consumption.system}:{consumption.change_id} revision"
                        f" {consumption.revision}: its approval was used before"
                    )

    def effect(self, key: str) -> Effect | None:
        """Return the effect with this key."""
        found = self._connection.scalar(select(EFFECT.c.document).where(EFFECT.c.key == key))
        return None if found is None else codec.loads(Effect, found)

    def effects(self, handling_id: str) -> tuple[Effect, ...]:
        """Return a handling's effects, oldest first."""
        query = select(EFFECT.c.document).where(EFFECT.c.handling == handling_id)
        rows = self._connection.scalars(query.order_by(EFFECT.c.started_at, EFFECT.c.key))
        return tuple(codec.loads(Effect, row) for row in rows)

    def settle(self, effect: Effect) -> None:
        """Store phase, outcome, lease and evidence of a known effect.

        Of two workers that take a dead attempt over with the same fence, one wins: the same fence
        is accepted from the owner that holds it only.

        Raises:
            LeaseLostError: A newer fence, or another owner with this one, is stored.
            AlreadyConsumedError: The effect ended and would stand at INTENT again.
            RecordNotFoundError: No such effect.
        """
        stored = self._connection.scalar(
            select(EFFECT.c.document).where(EFFECT.c.key == effect.key).with_for_update()
        )
        if stored is None:
            raise RecordNotFoundError(f"no effect {effect.key}")
        before = codec.loads(Effect, stored)
        fixed = ("handling", "kind", "action", "started_at")
        if moved := [name for name in fixed if getattr(before, name) != getattr(effect, name)]:
            raise ValueError(f"effect {effect.key}: {moved} never change")
        here = (EFFECT.c.key == effect.key) & or_(
            EFFECT.c.fence < effect.fence,
            (EFFECT.c.fence == effect.fence) & (EFFECT.c.owner == effect.owner),
        )
        values = {
            "phase": str(effect.phase),
            "owner": effect.owner,
            "fence": effect.fence,
            "document": codec.dumps(effect),
        }
        if effect.phase not in PHASES[before.phase]:
            raise AlreadyConsumedError(
                f"effect {effect.key}: {before.phase} never becomes {effect.phase}"
            )
        if self._connection.execute(update(EFFECT).where(here).values(**values)).rowcount != 1:
            raise LeaseLostError(
                f"effect {effect.key}: fence {before.fence} of {before.owner} is stored,"
                f" {effect.owner} came with {effect.fence}"
            )

    def effect_phases(self) -> Mapping[EffectPhase, int]:
        """Return how many effects stand at each phase; a phase without any is left out."""
        rows = self._connection.execute(
            select(EFFECT.c.phase, func.count()).group_by(EFFECT.c.phase)
        )
        return {EffectPhase(phase): count for phase, count in rows}

    def count_effects(self, *, action: str, since: datetime, subject: str | None = None) -> int:
        """Return how many implementations of `action` began since then; removals are no uses.

        One that is withheld has not begun: it counts when it is resumed.

        Whoever counts an action holds off others that count it until the transaction ends (SQLite
        by its one writer, PostgreSQL by an advisory lock), so a limit holds between workers too.
        """
        if self._is_postgresql:
            digest = hashlib.sha256(f"tiergate effects of {action}".encode()).digest()
            number = int.from_bytes(digest[:8], signed=True)
            self._connection.execute(select(func.pg_advisory_xact_lock(number)))
        query = select(func.count()).where(
            EFFECT.c.action == action,
            EFFECT.c.started_at >= since,
            EFFECT.c.kind == str(EffectKind.IMPLEMENT),
            EFFECT.c.phase != str(EffectPhase.WITHHELD),
        )
        if subject is not None:
            query = query.where(EFFECT.c.subject == subject)
        return self._connection.scalar(query) or 0


def _subject(handling: Handling) -> str:
    """Return the stable id of whom the effect touches, for the limits per subject."""
    bound = handling.plan.bound if handling.plan else None
    if bound is None and handling.decision is not None:
        bound = handling.decision.bound
    return bound.subject.id if bound else ""
