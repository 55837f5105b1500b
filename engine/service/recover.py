"""A found intent of a dead attempt is verified at the target, never run blindly again."""

from dataclasses import replace

from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Gate, Stage
from engine.errors import PersonUnknownError, PreconditionError, ProtectedSubjectError
from engine.service import moves
from engine.service.effects import FIRING, load, settle, take_over
from engine.service.implement import WAITS_AT, fire, hold_back, may_not_run_alone
from engine.service.judge import plan_of, still_wanted
from engine.service.plan import spec
from engine.service.verify import after_effect, conclude, verified, verify_now
from engine.service.withdraw import park
from engine.service.world import Services


def recover(services: Services, handling: Handling) -> Handling | None:
    """IMPLEMENTING, come upon from outside: go on from what the effect's row says."""
    effect = load(services, handling, EffectKind.IMPLEMENT)
    if effect is None:
        raise AssertionError("an implementing handling has an effect")
    match effect.phase:
        case EffectPhase.DONE:
            return after_effect(services, handling, effect)
        case EffectPhase.INTENT | EffectPhase.UNKNOWN:
            if services.now() < effect.lease_until:
                moves.wait_for_lease(services, handling, effect.lease_until)
                return None
            if FIRING not in effect.evidence:
                return _go_on(services, handling, effect)
            return _verify(services, handling, take_over(services, effect))
        case EffectPhase.WITHHELD:
            raise AssertionError("a withheld effect goes back to waiting with its handling")
        case EffectPhase.FAILED | EffectPhase.BACKED_OUT:
            because = "a run of ours failed and was cut off before it could tell"
            outcome = Outcome(end=Stage.HANDED_OVER, because=because)
            return conclude(
                services, handling, effect, Stage.REPORTING, why=because, outcome=outcome
            )


def _verify(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    evidence = verify_now(services, handling, effect)
    if evidence.is_as_planned:
        return verified(services, handling, effect, evidence)
    plan = plan_of(handling)
    now_there = services.fulfiller(plan.bound.system).baseline(plan.bound)
    untouched = dict(now_there) == dict(effect.baseline)
    may_go_on = untouched or evidence.is_partly_ours
    if may_go_on and effect.phase is EffectPhase.INTENT and spec(services, plan).may_repeat:
        kept = {name: text for name, text in effect.evidence.items() if name != FIRING}
        unfired = settle(services, replace(effect, evidence=kept))
        go_on = _go_on if untouched else fire  # what was begun is finished
        return go_on(services, handling, unfired)
    settle(services, replace(effect, phase=EffectPhase.UNKNOWN))
    seen = "the target is as before" if untouched else "the target changed, but not as planned"
    return park(
        services,
        handling,
        f"an interrupted run: {seen} ({evidence.because or 'not as planned'}); a person decides",
    )


def _go_on(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    """Nothing was done yet: on from the claim, if it is still wanted after all that time.

    Else it goes back to where it waits, where the same look says how it ends.
    """
    because = _unwanted(services, handling)
    own = take_over(services, effect)  # the lease begins behind the look, however long that took
    if because:
        return hold_back(services, handling, own, because)
    return fire(services, handling, own)


def _unwanted(services: Services, handling: Handling) -> str:
    waits = replace(handling, stage=WAITS_AT[handling.gate])
    look = may_not_run_alone if handling.gate is Gate.NONE else still_wanted
    try:
        stop = look(services, waits)
    except (PersonUnknownError, PreconditionError, ProtectedSubjectError) as refusal:
        return str(refusal)
    return stop.because if stop is not None else ""
