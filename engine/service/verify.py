"""After the call: what the target says, and where the handling goes from there."""

from dataclasses import replace
from typing import Any

from engine.domain.action import Backout
from engine.domain.effect import Effect, EffectPhase, Evidence
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Stage
from engine.errors import PermanentError, PreconditionError, RecordNotFoundError
from engine.service import deliver, moves
from engine.service.effects import FIRING, settle
from engine.service.judge import changed_after, plan_of
from engine.service.plan import spec
from engine.service.world import Services


def verify_now(services: Services, handling: Handling, effect: Effect) -> Evidence:
    """Read the target back."""
    plan = plan_of(handling)
    return services.fulfiller(plan.bound.system).verify(
        plan.bound, key=effect.key, baseline=effect.baseline
    )


def conclude(
    services: Services,
    handling: Handling,
    effect: Effect,
    to: Stage,
    *,
    why: str,
    outcome: Outcome,
    **changes: Any,  # noqa: ANN401  any other field of Handling, typed there
) -> Handling:
    """Settle the effect and move the handling, in one transaction."""
    with services.store.begin() as work:
        work.settle(effect)
        return moves.move_in(
            work,
            services,
            handling,
            to,
            why=why,
            evidence={
                "effect": effect.key,
                "phase": str(effect.phase),
                "fired": FIRING in effect.evidence,
                "verified": effect.verified,
            },
            outcome=outcome,
            **changes,
        )


def verified(
    services: Services, handling: Handling, effect: Effect, evidence: Evidence
) -> Handling | None:
    """The target is as planned: keep that first, whatever follows."""
    done = settle(
        services,
        replace(
            effect,
            phase=EffectPhase.DONE,
            finished_at=services.now(),
            verified=True,
            evidence={**effect.evidence, **evidence.facts},
        ),
    )
    return after_effect(services, handling, done)


def after_effect(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    """IMPLEMENTING, done and verified: what changed since the second verdict, then delivery.

    What changed after the second read could not be prevented: it is backed out where it can be.
    """
    if because := _taken_back(services, handling):
        because = f"the approval was taken back while it ran: {because}"
        return _undo(services, handling, effect, because)
    if deliver.is_due(handling, effect):
        try:
            effect = deliver.deliver(services, handling, effect)
        except (PreconditionError, PermanentError) as refusal:
            because = f"done and verified, but the secret could not be delivered: {refusal}"
            return conclude(
                services,
                handling,
                effect,
                Stage.REPORTING,
                why=because,
                outcome=Outcome(end=Stage.HANDED_OVER, because=because),
            )
    plan = plan_of(handling)
    fulfilled = Outcome(end=Stage.FULFILLED, because="done and verified at the target")
    if plan.ends_at is not None:
        return conclude(
            services,
            handling,
            effect,
            Stage.TIMEBOXED,
            why=f"done and verified; it ends at {plan.ends_at.isoformat()}",
            outcome=fulfilled,
            told_at=None,
        )
    return conclude(
        services, handling, effect, Stage.REPORTING, why="done and verified", outcome=fulfilled
    )


def _taken_back(services: Services, handling: Handling) -> str:
    if not handling.gate.needs_approval:
        return ""
    try:
        return changed_after(services, handling)
    except RecordNotFoundError:
        return "the change is gone"


def failed(
    services: Services, handling: Handling, effect: Effect, evidence: Evidence
) -> Handling | None:
    """The call was answered, and the target is not as planned."""
    because = f"verification failed: {evidence.because or 'the target is not as planned'}"
    ended = replace(
        effect,
        phase=EffectPhase.FAILED,
        finished_at=services.now(),
        evidence={**effect.evidence, **evidence.facts},
    )
    return _undo(services, handling, ended, because)


def _undo(services: Services, handling: Handling, effect: Effect, because: str) -> Handling:
    plan = plan_of(handling)
    if spec(services, plan).backout is Backout.INVERSE:
        return conclude(
            services,
            handling,
            effect,
            Stage.BACKING_OUT,
            why=because,
            outcome=Outcome(end=Stage.BACKED_OUT, because=because),
        )
    because = f"{because}; this action cannot be undone"
    return conclude(
        services,
        handling,
        effect,
        Stage.REPORTING,
        why=because,
        outcome=Outcome(end=Stage.HANDED_OVER, because=because),
    )
