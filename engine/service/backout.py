"""Taking back: the backout of a failed run, and the planned end of a time-boxed one."""

from dataclasses import replace
from datetime import datetime

from engine.domain.effect import Effect, EffectKind, EffectPhase, Evidence
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Stage
from engine.errors import OutcomeUnknownError, PreconditionError, ProtectedSubjectError
from engine.service import moves, pauses
from engine.service.effects import FIRING, busy_in, intent, load, require_lease, settle, take_over
from engine.service.judge import plan_of
from engine.service.verify import conclude
from engine.service.withdraw import park
from engine.service.world import Services


def back_out(services: Services, handling: Handling) -> Handling | None:
    """BACKING_OUT: take back what this run changed, and only that, and verify it."""
    return _take_back(services, handling, EffectKind.BACK_OUT)


def _ends_at(handling: Handling) -> datetime:
    ends_at = plan_of(handling).ends_at
    if ends_at is None:
        raise AssertionError("a time-boxed handling has an end")
    return ends_at


def has_ended(services: Services, handling: Handling) -> bool:
    """Whether the planned end has come: then the removal goes first, whatever is still untold."""
    return services.now() >= _ends_at(handling)


def await_end(services: Services, handling: Handling) -> Handling | None:
    """TIMEBOXED: when the planned end has come, remove what the same approved plan granted."""
    if not has_ended(services, handling):
        moves.wait_until(services, handling, _ends_at(handling))
        return None
    paused = pauses.standing(services, handling)
    with services.store.begin() as work:
        paused = paused or busy_in(work, services, handling)
        if not paused:
            return moves.move_in(
                work, services, handling, Stage.ENDING, why="the planned end has come"
            )
    if handling.reason != paused:
        handling = moves.touch(services, handling, reason=paused)
    moves.wait_until(services, handling, services.now() + services.settings.pause_interval)
    return None


def end(services: Services, handling: Handling) -> Handling | None:
    """ENDING: take the grant back and verify it; a target that moved on goes to a person."""
    return _take_back(services, handling, EffectKind.END)


def _take_back(services: Services, handling: Handling, kind: EffectKind) -> Handling | None:
    done = load(services, handling, EffectKind.IMPLEMENT)
    if done is None:
        raise AssertionError("only what was implemented is taken back")
    effect = load(services, handling, kind)
    if effect is None:
        effect = intent(services, handling, kind, baseline=done.baseline)
        with services.store.begin() as work:
            work.intend(effect, None)
    elif effect.phase is not EffectPhase.INTENT:
        return _tell(services, handling, effect, done, effect.verified, "cut off before it told")
    elif services.now() < effect.lease_until:
        moves.wait_for_lease(services, handling, effect.lease_until)
        return None
    else:
        effect = take_over(services, effect)
        if _is_as_before(services, handling, done):
            because = "taken back by a run that was cut off"
            return _tell(services, handling, effect, done, True, because)  # noqa: FBT003  as found
    return _call(services, handling, effect, done)


def _is_as_before(services: Services, handling: Handling, done: Effect) -> bool:
    plan = plan_of(handling)
    now_there = services.fulfiller(plan.bound.system).baseline(plan.bound)
    return dict(now_there) == dict(done.baseline)


def _call(services: Services, handling: Handling, effect: Effect, done: Effect) -> Handling | None:
    plan = plan_of(handling)
    require_lease(services, effect)
    stamp = services.now().isoformat()
    effect = settle(services, replace(effect, evidence={**effect.evidence, FIRING: stamp}))
    try:
        evidence: Evidence = services.fulfiller(plan.bound.system).back_out(
            plan.bound, key=done.key, baseline=done.baseline
        )
    except (PreconditionError, ProtectedSubjectError) as refusal:
        return _tell(services, handling, effect, done, False, str(refusal))  # noqa: FBT003  as told
    except OutcomeUnknownError as unknown:
        if not _is_as_before(services, handling, done):
            return park(services, handling, f"taking back got no answer: {unknown}")
        return _tell(services, handling, effect, done, True, "as before")  # noqa: FBT003  as found
    effect = replace(effect, evidence={**effect.evidence, **evidence.facts})
    return _tell(services, handling, effect, done, evidence.is_as_planned, evidence.because)


def _tell(
    services: Services,
    handling: Handling,
    effect: Effect,
    done: Effect,
    is_clean: bool,  # noqa: FBT001  what the target said
    because: str,
) -> Handling:
    ended = replace(
        effect,
        phase=EffectPhase.DONE if is_clean else EffectPhase.FAILED,
        verified=is_clean,
        finished_at=services.now(),
    )
    if is_clean and effect.kind is EffectKind.BACK_OUT:
        taken_back = replace(
            done,
            phase=EffectPhase.BACKED_OUT,
            owner=effect.owner,
            fence=done.fence + 1,
        )
        settle(services, taken_back)
    before = handling.outcome.because if handling.outcome else ""
    if not is_clean:
        text = f"{before}; taking it back failed: {because}".lstrip("; ")
        outcome = Outcome(end=Stage.HANDED_OVER, because=text)
    elif effect.kind is EffectKind.BACK_OUT:
        outcome = Outcome(end=Stage.BACKED_OUT, because=f"{before}; backed out and verified")
    else:
        outcome = Outcome(end=Stage.FULFILLED, because="it ended as planned and was taken back")
    return conclude(
        services, handling, ended, Stage.REPORTING, why=outcome.because, outcome=outcome
    )
