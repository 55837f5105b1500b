"""Implement: verdict, intent and consumption, claim, second verdict, lease, fire, verify.

What the process is doing when it dies decides what is found: an intent without `FIRING` was never
fired and goes on from the claim; one with it is verified at the target first (`recover`).

What stops an intent in the last moment and can pass (a hold, a freeze, a pause) withholds it: the
handling goes back to where it waits, its approval stays consumed, and the same intent is resumed.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from engine.domain.change import ChangeState, ClaimResult, Verdict, VerdictKind
from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Gate, Stage
from engine.errors import (
    LeaseLostError,
    NotApprovedError,
    OutcomeUnknownError,
    PermanentError,
    PreconditionError,
    ProtectedSubjectError,
    RecordNotFoundError,
    TransientError,
)
from engine.service import decide, deliver, desk_gate, facts, moves, pauses
from engine.service.effects import (
    FIRING,
    NOT_OURS,
    busy_in,
    claims_of,
    consumption_of,
    intent,
    load,
    renew,
    require_lease,
    resumption,
    settle,
    withhold_in,
)
from engine.service.judge import Judgement, Stale, change_of, judge, plan_of, still_wanted
from engine.service.plan import spec
from engine.service.verdict import INVALID_FOLLOWS, Follow
from engine.service.verify import conclude, failed, verified, verify_now
from engine.service.waiting import await_window
from engine.service.withdraw import leave, park
from engine.service.world import Services

WAITS_AT: Mapping[Gate, Stage] = MappingProxyType(
    {Gate.NONE: Stage.READY, Gate.DESK: Stage.AWAITING, Gate.CHANGE: Stage.AWAITING}
)
"""Where a handling waits again whose intent was never fired; behind other gates nothing runs."""

_READY = frozenset({Stage.READY, Stage.APPROVED})
"""Where a pause is waited for."""


def start(services: Services, handling: Handling) -> Handling | None:
    """READY or APPROVED: the first verdict, then intent and consumption in one transaction."""
    because = "no approval needed"
    if handling.gate.needs_approval:
        found = await_window(services, handling)
        if not isinstance(found, Judgement):
            return found
        because = found.verdict.because
    elif (stop := may_not_run_alone(services, handling)) is not None:
        return leave(services, handling, stop)
    if paused := pauses.standing(services, handling):
        return _wait_paused(services, handling, paused)
    return _intend(services, handling, because)


def may_not_run_alone(services: Services, handling: Handling) -> Outcome | None:
    """Return how it ends where no approval was needed, and nothing may run for it any more."""
    wanted = still_wanted(services, handling)
    if isinstance(wanted, Outcome):
        return wanted
    if isinstance(wanted, Stale):
        return Outcome(end=Stage.HANDED_OVER, because=wanted.because)
    if services.now() >= plan_of(handling).expires_at:
        return Outcome(end=Stage.HANDED_OVER, because="it waited too long to run unattended")
    return None


def _wait_paused(services: Services, handling: Handling, because: str) -> Handling | None:
    if handling.reason != because:
        handling = moves.touch(services, handling, reason=because)
    terms = services.settings
    turn = moves.turn(services, _READY, terms.pause_interval, terms.pause_spacing)
    moves.wait_until(services, handling, services.now() + turn)
    return None


def _intend(services: Services, handling: Handling, because: str) -> Handling | None:
    plan = plan_of(handling)
    spec(services, plan)
    deliver.address(services, handling)
    baseline = services.fulfiller(plan.bound.system).baseline(plan.bound)
    withheld = _withheld(services, handling)
    effect = (
        intent(services, handling, EffectKind.IMPLEMENT, baseline=baseline)
        if withheld is None
        else resumption(services, withheld, baseline=baseline)
    )
    with services.store.begin() as work:
        doubt = ""
        if not handling.gate.needs_approval and handling.decision and handling.decision.facts:
            # The limits are judged where one more use is added, or two could pass at once.
            used = facts.uses_in(work, services, plan.bound)
            today = decide.again(services, handling, replace(handling.decision.facts, uses=used))
            doubt = decide.stricter(handling, today)
        busy = busy_in(work, services, handling)
        if not doubt and not busy:
            if withheld is None:
                work.intend(effect, consumption_of(handling))
            else:
                work.settle(effect)  # its approval is consumed by this very effect already
            handling = moves.move_in(
                work,
                services,
                handling,
                Stage.IMPLEMENTING,
                why=f"intent {'stored' if withheld is None else 'resumed'}: {because}",
                evidence={"effect": effect.key, "plan_digest": plan.digest},
                wake_at=effect.lease_until,
            )
    if doubt:
        return leave(services, handling, Outcome(end=Stage.HANDED_OVER, because=doubt))
    if busy:
        return _wait_paused(services, handling, busy)
    return fire(services, handling, effect)


def _withheld(services: Services, handling: Handling) -> Effect | None:
    found = load(services, handling, EffectKind.IMPLEMENT)
    return found if found is not None and found.phase is EffectPhase.WITHHELD else None


def hold_back(services: Services, handling: Handling, effect: Effect, because: str) -> Handling:
    """IMPLEMENTING, never fired: wait again, with the intent withheld, until the reason passes."""
    now = services.now()
    with services.store.begin() as work:
        withhold_in(work, effect, now)
        return moves.move_in(
            work,
            services,
            handling,
            WAITS_AT[handling.gate],
            why=f"nothing was fired: {because}",
            evidence={"effect": effect.key, "withheld": True},
            wake_at=now + services.settings.pause_interval,
        )


def fire(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    """IMPLEMENTING, never fired yet: claim, second fresh verdict, lease, begin, and the call.

    Raises:
        LeaseLostError: Time or another worker took the lease; nothing was fired.
        TransientError: Nothing was fired; the intent goes on when its lease has passed.
    """
    if not _is_claimed(services, handling, effect):
        lost = replace(effect, evidence={**effect.evidence, NOT_OURS: "yes"})
        what = "change" if handling.gate is Gate.CHANGE else "acceptance"
        because = f"another daemon claimed this {what}: nothing was done here"
        return _refused(services, handling, lost, because)
    found = None
    if handling.gate.needs_approval:
        # The look has the whole lease before it, however long the claim took; what comes after
        # the look has only what the look left.
        effect = renew(services, effect)
        found = _second_look(services, handling, effect)
    if isinstance(found, Handling):
        return found
    if paused := pauses.standing(services, handling):
        return hold_back(services, handling, effect, paused)
    if found is not None:
        require_lease(services, effect)
        if not _begun(services, handling, found):
            return _refused(services, handling, effect, "the change refused to be implemented")
    return _call(services, handling, effect)


def _second_look(services: Services, handling: Handling, effect: Effect) -> Judgement | Handling:
    """Return the second fresh verdict if it still says yes; else what came of that."""
    try:
        found = judge(services, handling)
    except RecordNotFoundError:
        return _refused(services, handling, effect, "the change is gone")
    if found.verdict.kind is not VerdictKind.APPROVED:
        return _not_any_more(services, handling, effect, found.verdict)
    return found


def _is_claimed(services: Services, handling: Handling, effect: Effect) -> bool:
    """Whether the approval is ours in the system of record; where none is needed there is none."""
    claims = claims_of(effect, plan_of(handling).digest)
    match handling.gate:
        case Gate.CHANGE:
            change = change_of(handling)
            control = services.change_control(change.system)
            return all(
                control.claim(change, plan_digest=what, owner=name) is not ClaimResult.LOST
                for what, name in claims
            )
        case Gate.DESK:
            return desk_gate.is_claimed(services, handling, claims)
        case Gate.NONE | Gate.PERSON | Gate.UNDECIDED:
            return True


def _not_any_more(
    services: Services, handling: Handling, effect: Effect, verdict: Verdict
) -> Handling:
    """The second verdict differs from the first: wait where that can pass, else nothing is done."""
    can_pass = verdict.kind in {
        VerdictKind.ON_HOLD,
        VerdictKind.WAITING_FOR_WINDOW,
        VerdictKind.PENDING,
    }
    if verdict.kind is VerdictKind.INVALID and verdict.reason is not None:
        can_pass = INVALID_FOLLOWS[verdict.reason] is Follow.WAIT
    if can_pass:
        return hold_back(services, handling, effect, verdict.because)
    return _refused(services, handling, effect, verdict.because)


def _begun(services: Services, handling: Handling, found: Judgement) -> bool:
    """Move the change to Implement, unless a run of ours before a crash already did."""
    if handling.gate is not Gate.CHANGE or found.snapshot is None:
        return True
    if found.snapshot.state is ChangeState.IMPLEMENT:
        return True
    change = change_of(handling)
    try:
        services.change_control(change.system).begin(change, at=services.now())
    except NotApprovedError:
        return False
    return True


def _refused(services: Services, handling: Handling, effect: Effect, because: str) -> Handling:
    """Nothing was fired: say so truthfully on change and ticket."""
    ended = replace(effect, phase=EffectPhase.FAILED, finished_at=services.now())
    return conclude(
        services,
        handling,
        ended,
        Stage.REPORTING,
        why=because,
        outcome=Outcome(end=Stage.HANDED_OVER, because=because),
    )


def _call(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    plan = plan_of(handling)
    fulfiller = services.fulfiller(plan.bound.system)
    require_lease(services, effect)
    # Nobody else of ours is at work on this target by now, so this is what the run will change.
    baseline = fulfiller.baseline(plan.bound)
    fired_at = services.now()
    firing = replace(
        effect,
        baseline=baseline,
        evidence={**effect.evidence, FIRING: fired_at.isoformat()},
    )
    with services.store.begin() as work:
        paused = pauses.standing_in(work, handling)
        if not paused:
            work.settle(firing)
    if paused:
        return hold_back(services, handling, effect, paused)
    try:
        require_lease(services, firing)
        fulfiller.implement(
            plan.bound,
            key=firing.key,
            baseline=firing.baseline,
            deadline=fired_at + services.settings.deadline,
        )
    except (PreconditionError, ProtectedSubjectError) as refusal:
        return _refused(services, handling, firing, str(refusal))
    except OutcomeUnknownError as unknown:
        return _unknown(services, handling, firing, str(unknown))
    except (TransientError, LeaseLostError):
        settle(services, effect)  # by the port's promise nothing was done: as if never fired
        raise
    except PermanentError as error:
        return _unknown(services, handling, firing, f"{type(error).__name__}: {error}")
    return _after_call(services, handling, firing)


def _unknown(
    services: Services, handling: Handling, effect: Effect, because: str
) -> Handling | None:
    """The call may or may not have taken effect: the target says so, or a person does."""
    unknown = settle(services, replace(effect, phase=EffectPhase.UNKNOWN))
    evidence = verify_now(services, handling, unknown)
    if evidence.is_as_planned:
        return verified(services, handling, unknown, evidence)
    return park(services, handling, f"the outcome is unknown: {because}; {evidence.because}")


def _after_call(services: Services, handling: Handling, effect: Effect) -> Handling | None:
    evidence = verify_now(services, handling, effect)
    if evidence.is_as_planned:
        return verified(services, handling, effect, evidence)
    return failed(services, handling, effect, evidence)
