"""Compares what a target's own log ascribes to our account with the effects on our record.

Pure functions. A change is explained by an effect whose action leaves such a trace, at a target of
its plan, between its firing and its end; each attempt of an effect explains each kind of change
once, so a second one that slipped into the same minute stands out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.ports.fulfilment import ForeignChange
from engine.service.effects import FIRING

SLACK = timedelta(minutes=2)
"""How far the target's clock may be off ours; `check` calls more than that a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One effect that was fired, with where and when it can have left a trace.

    `targets` is None where an erasure took the plan: then time and action alone are compared.
    """

    key: str
    handling: str
    ticket: str
    kind: EffectKind
    action: str
    system: str | None
    targets: frozenset[str] | None
    begins_at: datetime
    ends_at: datetime
    attempts: int
    is_expected: bool

    def explains(self, system: str, change: ForeignChange) -> bool:
        """Whether the change can be this effect's."""
        is_here = self.targets is None or (
            self.system == system and change.target_id in self.targets
        )
        return (
            is_here
            and self.action in change.actions
            and self.begins_at <= change.at <= self.ends_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Both differences of one target."""

    unrecorded: tuple[ForeignChange, ...]
    untraced: tuple[Deed, ...]


def deed(effect: Effect, handling: Handling) -> Deed | None:
    """Return what an effect can have left; None when it was never fired.

    A trace is expected of what was done and verified. A way back may have found nothing to do, an
    effect of unknown outcome may have done nothing, and an erased one cannot be told.
    """
    fired = effect.evidence.get(FIRING)
    is_erased = handling.plan is None
    if fired is None and not (is_erased and effect.finished_at is not None):
        return None
    bound = handling.plan.bound if handling.plan else None
    ids = None if bound is None else (bound.subject.id, *(t.id for t in bound.targets.values()))
    begins = datetime.fromisoformat(fired) if fired else effect.started_at
    ends = max(effect.finished_at or effect.lease_until, effect.lease_until)
    return Deed(
        key=effect.key,
        handling=effect.handling,
        ticket=str(handling.ticket),
        kind=effect.kind,
        action=effect.action,
        system=bound.system if bound else None,
        targets=None if ids is None else frozenset(ids),
        # An attempt that died and was taken over fired from the intent on, in its own time.
        begins_at=min(begins, effect.started_at) - SLACK,
        ends_at=ends + SLACK,
        attempts=effect.fence,
        is_expected=(
            not is_erased
            and effect.kind is EffectKind.IMPLEMENT
            and effect.verified
            and effect.phase in {EffectPhase.DONE, EffectPhase.BACKED_OUT}
        ),
    )


def compare(
    system: str, changes: Sequence[ForeignChange], deeds: Iterable[Deed], *, since: datetime
) -> Compared:
    """Return what of one target is on one side alone; `since` is where its log was read from."""
    # Whoever ends first is served first; what was erased explains only what nobody else does.
    known = sorted(deeds, key=lambda one: (one.targets is None, one.ends_at))
    used = Counter[tuple[str, tuple[str, ...]]]()
    traced = set[str]()
    unrecorded = list[ForeignChange]()
    for change in sorted(changes, key=lambda one: one.at):
        traced |= _hidden(change, known)
        for one in known:
            mark = (one.key, change.what)
            if one.explains(system, change) and used[mark] < one.attempts:
                used[mark] += 1
                traced.add(one.key)
                break
        else:
            if change.is_ours:
                unrecorded.append(change)
    untraced = [
        one
        for one in known
        if one.is_expected
        and one.system == system
        and one.begins_at >= since
        and one.key not in traced
    ]
    return Compared(unrecorded=tuple(unrecorded), untraced=tuple(untraced))


def _hidden(change: ForeignChange, deeds: Iterable[Deed]) -> set[str]:
    """Return whose own trace may be hidden behind this later change of the same target."""
    if not change.is_newest:
        return set()
    return {
        one.key
        for one in deeds
        if one.targets is not None
        and change.target_id in one.targets
        and one.action in change.actions
        and change.at >= one.begins_at
    }
