"""What an operator may do with one ticket: retry, release, undo; each is audited by name."""

from engine.domain.classification import Classification, Guess
from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.domain.refs import TicketRef
from engine.domain.stage import TRANSITIONS, Stage
from engine.errors import PreconditionError, RecordNotFoundError
from engine.service import moves, telling
from engine.service.advance import advance
from engine.service.endings import Cause, end_by
from engine.service.judge import plan_of
from engine.service.takeover import UNDO_MODEL
from engine.service.withdraw import leave, tell_end
from engine.service.world import Services, Template


def retry(services: Services, ticket: TicketRef, *, by: str) -> Handling:
    """Start a new handling: a new decision, hence a new approval; a parked one is released first.

    Raises:
        RecordNotFoundError: We never handled this ticket.
        PreconditionError: It is still at work, or its ticket is closed.
    """
    latest = _latest(services, ticket)
    with services.store.begin() as work:
        seen = work.ticket(ticket)
    if latest.stage.is_end and seen is not None and not seen.state.is_open:
        raise PreconditionError(f"{ticket} is closed in {ticket.system}: open it there first")
    if not latest.stage.is_end:
        if latest.stage is not Stage.PARKED:
            raise PreconditionError(f"{ticket} is at stage {latest.stage}: nothing to retry")
        release(services, ticket, by=by)
    return _started(services, ticket, by=by)


def release(services: Services, ticket: TicketRef, *, by: str) -> Handling:
    """Let a ticket go to the people; a change that waits for approval is withdrawn.

    After an effect began the change is left as it is, with a note: only people know the outcome.

    Raises:
        RecordNotFoundError: We never handled this ticket.
        PreconditionError: It has ended, or an effect of it is under way.
    """
    handling = _latest(services, ticket)
    if handling.stage.is_end:
        raise PreconditionError(f"{ticket} has ended at {handling.stage}")
    because = f"released by {by}"
    if _stands_until(handling):
        because = f"{because}; what was granted stays: nothing of ours takes it back on its date"
    outcome = end_by(Cause.RELEASED, because)
    allowed = TRANSITIONS[handling.gate][handling.stage]
    is_before = handling.parked_from in {
        Stage.DRAFTED,
        Stage.OPENED,
        Stage.AWAITING,
        Stage.APPROVED,
        Stage.WITHDRAWING,
    }
    if Stage.RELEASED in allowed and not is_before:
        tell_end(services, handling, outcome)
        telling.note_on_change(
            services,
            handling,
            Template.CHANGE_NOTE,
            occasion="released",
            reason=outcome.because,
        )
        moves.move(services, handling, Stage.RELEASED, why=outcome.because, outcome=outcome)
    elif Stage.WITHDRAWING in allowed:
        moved = leave(services, handling, outcome)
        if moved is not None:
            advance(services, handling.id)
    else:
        raise PreconditionError(f"{ticket} is at stage {handling.stage}: an effect is under way")
    moves.record(services, handling, "released", body={"from": str(handling.stage)}, actor=by)
    return _latest(services, ticket)


def _stands_until(handling: Handling) -> bool:
    """Whether something was granted until a date, and is not taken back yet."""
    at = {handling.stage, handling.parked_from}
    return bool(at & {Stage.TIMEBOXED, Stage.ENDING})


def undo(services: Services, ticket: TicketRef, *, by: str) -> Handling:
    """Start the inverse of what was done last, as a new plan with its own tier and approval.

    A later attempt that changed nothing (a retry that ended early, a taking back that was rejected)
    leaves what an earlier one did to be taken back.

    Raises:
        RecordNotFoundError: We never handled this ticket.
        PreconditionError: Nothing of ours stands there, it has no inverse, or the target moved on.
    """
    done, effect = _standing(services, _latest(services, ticket))
    plan = plan_of(done)
    fulfiller = services.fulfiller(plan.bound.system)
    inverse = fulfiller.catalogue()[plan.bound.action].inverse
    if not inverse:
        raise PreconditionError(f"{plan.bound.action} has no inverse")
    seen = fulfiller.verify(plan.bound, key=effect.key, baseline=effect.baseline)
    if not seen.is_as_planned:
        raise PreconditionError(f"the target moved on: {seen.because or 'not as we left it'}")
    values = {name: target.id for name, target in plan.bound.targets.items()}
    given = Classification(
        intent=inverse,
        candidate=inverse,
        confidence=1.0,
        evidence=(),
        model=UNDO_MODEL,
        parameters={name: Guess(value=text, confidence=1.0) for name, text in values.items()},
    )
    with services.store.begin() as work:
        started = work.start(ticket, at=services.now(), actor=by)
        if started is None:
            raise PreconditionError(f"{ticket} is being handled")
        handling = moves.move_in(
            work,
            services,
            started,
            Stage.TRIAGED,
            why=f"{by} asked to take {done.id} back",
            evidence={"intent": inverse, "undoes": done.id, "effect": effect.key},
            classification=given,
            subject=done.subject,
        )
    services.waker.wake(handling.id)
    return handling


def _standing(services: Services, latest: Handling) -> tuple[Handling, Effect]:
    """Return the newest attempt that changed something, with its effect."""
    prefix = latest.id.removesuffix(str(latest.attempt))
    with services.store.begin() as work:
        for attempt in range(latest.attempt, 0, -1):
            for effect in work.effects(f"{prefix}{attempt}"):
                if effect.kind is EffectKind.IMPLEMENT and effect.phase is EffectPhase.DONE:
                    return work.handling(f"{prefix}{attempt}"), effect
    raise PreconditionError(f"{latest.ticket}: no effect of ours stands")


def _latest(services: Services, ticket: TicketRef) -> Handling:
    with services.store.begin() as work:
        found = work.latest(ticket)
    if found is None:
        raise RecordNotFoundError(f"{ticket} was never handled")
    return found


def _started(services: Services, ticket: TicketRef, *, by: str) -> Handling:
    with services.store.begin() as work:
        handling = work.start(ticket, at=services.now(), actor=by)
    if handling is None:
        raise PreconditionError(f"{ticket} is being handled")
    services.waker.wake(handling.id)
    return handling
