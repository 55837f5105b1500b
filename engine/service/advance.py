"""The one dispatcher: the next steps of one handling, whoever wakes it and however often."""

from collections.abc import Callable

from engine.domain.handling import Handling
from engine.domain.stage import Gate, Stage
from engine.errors import (
    AlreadyConsumedError,
    AuthenticationError,
    ConfigurationError,
    DoesNotFitError,
    DomainRuleError,
    LeaseLostError,
    PermanentError,
    PersonUnknownError,
    PlanChangedError,
    PreconditionError,
    ProtectedSubjectError,
    RateLimitedError,
    TransientError,
)
from engine.service import (
    backout,
    decide,
    desk_gate,
    gate,
    implement,
    moves,
    recover,
    report,
    triage,
    waiting,
)
from engine.service.endings import Cause, end_by
from engine.service.withdraw import finish, leave, park, revise, tell_parked
from engine.service.world import Services

_MOST_STEPS = 50
_PATIENT = frozenset(
    {
        Stage.AWAITING,
        Stage.APPROVED,
        Stage.TIMEBOXED,
        Stage.ENDING,
        Stage.REPORTING,
        Stage.WITHDRAWING,
        Stage.PARKED,
    }
)
"""Here an outage may last for weeks: an approval's own expiry is the only bound, what was granted
until a date is taken back whenever its target can be reached again, and what was done or withdrawn
is told whenever people can be."""
_BEFORE_INTENT = frozenset(
    {
        Stage.INGESTED,
        Stage.TRIAGED,
        Stage.DECIDED,
        Stage.READY,
        Stage.DRAFTED,
        Stage.OPENED,
        Stage.AWAITING,
        Stage.APPROVED,
    }
)
_HAND_OVER = (PersonUnknownError, PreconditionError, ProtectedSubjectError, DoesNotFitError)
"""Our rules say no: before an intent a person gets the ticket, after it a person looks."""


def advance(
    services: Services,
    handling_id: str,
    *,
    on_step: Callable[[Handling, Handling], None] | None = None,
) -> bool:
    """Do every step that can be done now; return whether any was. Idempotent.

    `on_step` is told the handling before and after every step that was committed.

    A failure is never lost: what may pass is tried again with growing pauses, what cannot is
    parked or handed over with its reason. Another worker's step is not an error.

    Raises:
        RecordNotFoundError: No such handling.
    """
    with services.store.begin() as work:
        handling = work.handling(handling_id)
    moved = False
    for _ in range(_MOST_STEPS):
        after = _safe_step(services, handling)
        if after is None:
            return moved
        if on_step is not None:
            on_step(handling, after)
        handling, moved = after, True
        if handling.stage.is_end:
            return True
    services.waker.wake(handling_id)
    return True


def _safe_step(services: Services, handling: Handling) -> Handling | None:
    try:
        return _guarded(services, handling)
    except LeaseLostError:
        return None  # another worker moved it, or found the intent: it goes on there


def _guarded(services: Services, handling: Handling) -> Handling | None:
    try:
        return step(services, handling)
    except LeaseLostError:
        raise
    except TransientError as error:
        return _retry_later(services, _fresh(services, handling), error)
    except AuthenticationError as error:
        # The system's own fault is told once by its poll, or by the look at our account there; no
        # ticket is parked for it.
        return _retry_later(services, _fresh(services, handling), error, is_patient=True)
    except DomainRuleError as error:
        fresh = _fresh(services, handling)
        if isinstance(error, AlreadyConsumedError) and fresh.stage is not handling.stage:
            return None  # another worker stored this very intent meanwhile: it goes on there
        return _refused(services, fresh, error)
    except (PermanentError, ConfigurationError) as error:
        return _stop(services, _fresh(services, handling), error)


def _fresh(services: Services, handling: Handling) -> Handling:
    """Return the handling as it stands: the step may have committed something before it failed."""
    with services.store.begin() as work:
        return work.handling(handling.id)


def step(  # noqa: C901, PLR0911, PLR0912  one arm a stage, total
    services: Services, handling: Handling
) -> Handling | None:
    """Do the one next step; None when nothing moves before `wake_at` or an event."""
    match handling.stage:
        case Stage.INGESTED:
            return triage.classify(services, handling)
        case Stage.TRIAGED:
            return decide.decide(services, handling)
        case Stage.DECIDED:
            return decide.follow(services, handling)
        case Stage.DRAFTED:
            if handling.gate is Gate.DESK:
                return desk_gate.ask(services, handling)
            return gate.open_change(services, handling)
        case Stage.OPENED:
            return gate.submit(services, handling)
        case Stage.AWAITING:
            return waiting.await_approval(services, handling)
        case Stage.READY | Stage.APPROVED:
            return implement.start(services, handling)
        case Stage.IMPLEMENTING:
            return recover.recover(services, handling)
        case Stage.BACKING_OUT:
            return backout.back_out(services, handling)
        case Stage.TIMEBOXED:
            if handling.told_at is None and not backout.has_ended(services, handling):
                handling = report.tell_granted(services, handling)
            return backout.await_end(services, handling)
        case Stage.ENDING:
            return backout.end(services, handling)
        case Stage.REPORTING:
            return report.report(services, handling)
        case Stage.WITHDRAWING:
            return waiting.withdraw(services, handling)
        case Stage.PARKED:
            return tell_parked(services, handling)
        case (
            Stage.FULFILLED
            | Stage.BACKED_OUT
            | Stage.REJECTED
            | Stage.CANCELLED
            | Stage.EXPIRED
            | Stage.HANDED_OVER
            | Stage.TAKEN_OVER
            | Stage.OBSERVED
            | Stage.RELEASED
        ):
            return None


def _retry_later(
    services: Services,
    handling: Handling,
    error: TransientError | AuthenticationError,
    *,
    is_patient: bool = False,
) -> Handling | None:
    if handling.stage.is_end:
        return None  # it failed after the last step was committed: nothing is due any more
    attempts = handling.attempts + 1
    terms = services.settings
    if attempts > terms.patience and not is_patient and handling.stage not in _PATIENT:
        return park(services, handling, f"{attempts} failures in a row, the last: {_said(error)}")
    pause = min(terms.backoff_longest, terms.backoff_first * 2 ** min(attempts - 1, 16))
    if isinstance(error, RateLimitedError):
        # Short pauses that a busy system asks for again and again must not use up our patience.
        pause = max(error.retry_after, pause)
    next_at = services.now() + pause
    if handling.stage is Stage.DRAFTED and handling.wake_at is not None:
        next_at = max(next_at, handling.wake_at) if handling.opening_since else next_at
    moves.touch(services, handling, wake_at=next_at, attempts=attempts, trouble=_said(error))
    return None


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _refused(services: Services, handling: Handling, error: DomainRuleError) -> Handling | None:
    if handling.stage in _BEFORE_INTENT and isinstance(error, _HAND_OVER):
        return leave(services, handling, end_by(Cause.OUR_RULES, str(error)))
    if handling.stage is Stage.WITHDRAWING and isinstance(error, _HAND_OVER):
        # The next revision cannot be drafted; the change of the last one is withdrawn already.
        return finish(services, handling, end_by(Cause.OUR_RULES, str(error)))
    if isinstance(error, PlanChangedError) and handling.stage in {
        Stage.OPENED,
        Stage.AWAITING,
        Stage.APPROVED,
    }:
        return revise(services, handling, str(error))
    return _stop(services, handling, error)


def _stop(services: Services, handling: Handling, error: Exception) -> Handling | None:
    # Where the reason of a park cannot be written on the ticket, `show` has it.
    return park(services, handling, _said(error))
