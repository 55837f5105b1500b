"""How a handling ends before an effect: what becomes of ticket and change, by one table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from engine.domain.canonical import JSON
from engine.domain.decision import Decision
from engine.domain.effect import EffectPhase
from engine.domain.handling import Handling, Outcome
from engine.domain.refs import ChangeRef
from engine.domain.stage import TRANSITIONS, Stage
from engine.domain.ticket import TicketState
from engine.errors import PreconditionError, RecordNotFoundError
from engine.ports.store import UnitOfWork
from engine.service import anchors, moves, telling
from engine.service.endings import Cause, end_by
from engine.service.plan import correlation_id
from engine.service.takeover import look
from engine.service.world import Occasion, Services, Template


class TicketTerm(StrEnum):
    """What becomes of the ticket."""

    RETURN = "return"
    """Off our hold, with a note; a person works on."""
    LEAVE = "leave"
    """A person took or closed it: nothing but the end of our own hold is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTerms:
    """How one end is told; `has_note` when no change was open, a withdrawn change always has."""

    ticket: TicketTerm
    has_note: bool
    comment: Occasion | None


END_TERMS: Mapping[Stage, EndTerms] = MappingProxyType(
    {
        Stage.REJECTED: EndTerms(ticket=TicketTerm.RETURN, has_note=True, comment=Occasion.REFUSED),
        Stage.EXPIRED: EndTerms(
            ticket=TicketTerm.RETURN, has_note=True, comment=Occasion.HANDED_OVER
        ),
        Stage.HANDED_OVER: EndTerms(
            ticket=TicketTerm.RETURN, has_note=True, comment=Occasion.HANDED_OVER
        ),
        Stage.CANCELLED: EndTerms(ticket=TicketTerm.LEAVE, has_note=False, comment=None),
        Stage.TAKEN_OVER: EndTerms(ticket=TicketTerm.LEAVE, has_note=False, comment=None),
        Stage.RELEASED: EndTerms(ticket=TicketTerm.RETURN, has_note=False, comment=None),
    }
)
"""Ends before an effect. In each our own change, if one is open, is cancelled with the reason; a
change that a person ended is left as it is (docs/gate.md has the same table for people)."""

_MAY_HAVE_CHANGE = frozenset({Stage.DRAFTED, Stage.OPENED, Stage.AWAITING, Stage.APPROVED})
_NOTHING_OUTSIDE = frozenset({Stage.INGESTED, Stage.TRIAGED, Stage.DECIDED, Stage.READY})


def leave(
    services: Services,
    handling: Handling,
    outcome: Outcome,
    *,
    evidence: Mapping[str, JSON] | None = None,
) -> Handling | None:
    """Stop a handling before its effect, by the way that its stage allows.

    Once an intent is stored only the outcome at the target decides: such a handling is parked.
    `evidence` goes into the chain where a change is withdrawn.
    """
    at = handling.parked_from if handling.stage is Stage.PARKED else handling.stage
    is_parked_leaving = handling.stage is Stage.PARKED and at is Stage.WITHDRAWING
    if at in _MAY_HAVE_CHANGE or is_parked_leaving:
        return _give_up(services, handling, Stage.WITHDRAWING, outcome=outcome, evidence=evidence)
    if handling.stage is Stage.PARKED and at in _NOTHING_OUTSIDE:
        return _leave_parked(services, handling, outcome)
    if at in _NOTHING_OUTSIDE and outcome.end in TRANSITIONS[handling.gate][handling.stage]:
        tell_end(services, handling, outcome)
        return _give_up(services, handling, outcome.end, outcome=outcome)
    return park(services, handling, outcome.because)


def _give_up(
    services: Services,
    handling: Handling,
    to: Stage,
    *,
    outcome: Outcome,
    evidence: Mapping[str, JSON] | None = None,
) -> Handling:
    why = outcome.because
    with services.store.begin() as work:
        end_withheld_in(work, services, handling)
        return moves.move_in(
            work, services, handling, to, why=why, evidence=evidence, outcome=outcome
        )


def end_withheld_in(work: UnitOfWork, services: Services, handling: Handling) -> None:
    """End the intents of this handling that were never fired: nothing resumes them any more."""
    for effect in work.effects(handling.id):
        if effect.phase is EffectPhase.WITHHELD:
            work.settle(replace(effect, phase=EffectPhase.FAILED, finished_at=services.now()))


def _leave_parked(services: Services, handling: Handling, outcome: Outcome) -> Handling | None:
    if outcome.end not in TRANSITIONS[handling.gate][Stage.PARKED]:
        moves.wait_until(services, handling, None)
        return None
    tell_end(services, handling, outcome)
    return _give_up(services, handling, outcome.end, outcome=outcome)


def park(services: Services, handling: Handling, why: str) -> Handling | None:
    """Stop at this stage until a person looks; the reason is kept and, where we may, told."""
    if handling.stage is Stage.PARKED:
        moves.wait_until(services, handling, _resumes_at(handling))
        return None
    if handling.stage.is_end:
        return None
    return moves.move(services, handling, Stage.PARKED, why=why)


def _resumes_at(handling: Handling) -> datetime | None:
    """Return when a parked handling goes on by itself; None: only a person ends it.

    What was granted until a date is taken back then, whatever could not be told of it before.
    """
    if handling.parked_from is not Stage.TIMEBOXED or handling.plan is None:
        return None
    ends_at = handling.plan.ends_at
    # What was parked behind its end was parked by the taking back itself: that is a person's.
    return ends_at if ends_at is not None and handling.updated_at < ends_at else None


def tell_parked(services: Services, handling: Handling) -> Handling | None:
    """PARKED: write the reason on the ticket once; then nothing is due until a person acts.

    A person who takes, holds or closes the ticket before any effect has acted: the handling ends.
    """
    resumes_at = _resumes_at(handling)
    if resumes_at is not None and services.now() >= resumes_at:
        return moves.move(services, handling, Stage.TIMEBOXED, why="the planned end has come")
    if telling.may_write(handling):
        telling.note(
            services,
            handling,
            Template.PARKED_NOTE,
            occasion=f"parked-{handling.parked_from}",
            reason=handling.reason,
        )
    if handling.parked_from in _MAY_HAVE_CHANGE | _NOTHING_OUTSIDE:
        seen = look(services, handling)
        if isinstance(seen, Outcome):
            return leave(services, handling, seen)
    moves.wait_until(services, handling, resumes_at)
    return None


def revise(
    services: Services, handling: Handling, because: str, *, decision: Decision | None = None
) -> Handling | None:
    """Withdraw the change and open the next revision, unless that went on too often or too long.

    `decision` is today's, where the tier map became stricter.
    """
    plan, decision = handling.plan, decision or handling.decision
    if plan is None or decision is None or decision.policy is None:
        raise AssertionError("only a plan behind a gate is revised")
    if services.now() >= decision.policy.after(handling.created_at, decision.policy.expires):
        outcome = end_by(Cause.EXPIRED, f"{because}; the time for approval is over")
        return leave(services, handling, outcome)
    if plan.revision >= services.settings.max_revisions:
        because = f"{because}; revision {plan.revision} was the last, a person decides"
        return leave(services, handling, end_by(Cause.STRICTER, because))
    with services.store.begin() as work:
        end_withheld_in(work, services, handling)
        return moves.move_in(
            work,
            services,
            handling,
            Stage.WITHDRAWING,
            why=because,
            outcome=None,
            decision=decision,
        )


def close_gate(services: Services, handling: Handling, because: str) -> Mapping[str, JSON] | None:
    """End our own change, or an unanswered create of it; return None while that must wait.

    Else return where it stands now, for the chain, as far as that is known.
    """
    change = handling.change
    if change is None and handling.opening_since is not None:
        change = _find_unanswered(services, handling)
        if change is None and not _is_looked_for(services, handling):
            return None
    if change is None:
        return {}
    control = services.change_control(change.system)
    stands: dict[str, JSON] = {}
    try:
        stands["change_state"] = str(control.cancel(change, reason=because))
    except RecordNotFoundError:
        return {}  # a person deleted it: there is nothing left to end
    except PreconditionError as stuck:
        # A person moved it to where nothing of ours leads on: it stays there, and says why.
        because = f"{because}; the change stays as it is ({stuck})"
    if handling.change is not None:
        telling.note_on_change(
            services,
            handling,
            Template.CHANGE_NOTE,
            occasion=f"withdrawn-{handling.correlation_suffix}",
            reason=because,
        )
        anchors.anchor(services, handling, occasion=f"withdrawn-{handling.correlation_suffix}")
    return stands


def _find_unanswered(services: Services, handling: Handling) -> ChangeRef | None:
    system = services.change_system_for(handling.ticket.system)
    return services.change_control(system).find(correlation_id(services, handling))


def _is_looked_for(services: Services, handling: Handling) -> bool:
    """Whether a create that got no answer was looked for long enough; else wait for it."""
    if handling.opening_since is None:
        return True
    until = handling.opening_since + services.settings.opening_lookup
    if services.now() >= until:
        return True
    next_at = min(until, services.now() + services.settings.opening_interval)
    moves.wait_until(services, handling, next_at)
    return False


def finish(
    services: Services,
    handling: Handling,
    outcome: Outcome,
    *,
    evidence: Mapping[str, JSON] | None = None,
) -> Handling:
    """WITHDRAWING with an outcome: tell the ticket, take it off our hold, end."""
    tell_end(services, handling, outcome)
    return moves.move(services, handling, outcome.end, why=outcome.because, evidence=evidence)


def tell_end(services: Services, handling: Handling, outcome: Outcome) -> None:
    """Tell the ticket how it ended and take it off our own hold, as the table says."""
    if not telling.may_write(handling):
        return
    try:
        release_hold(services, handling)
        _tell(services, handling, outcome)
    except RecordNotFoundError:
        return  # the ticket itself was deleted: nobody is there to be told


def _tell(services: Services, handling: Handling, outcome: Outcome) -> None:
    terms = END_TERMS[outcome.end]
    if not terms.has_note and handling.held_from is None:
        return
    handling = replace(handling, outcome=outcome)
    telling.outcome(services, handling, occasion="outcome", did=(), reason=outcome.because)
    if terms.comment is not None:
        telling.comment(services, handling, terms.comment, reason=outcome.because)


def release_hold(services: Services, handling: Handling) -> None:
    """Take the ticket off our own hold, to where it was; a person's own move is left alone."""
    if handling.held_from is None:
        return
    to = TicketState.IN_PROGRESS if handling.held_from is TicketState.ON_HOLD else None
    services.desk(handling.ticket).take_off_hold(handling.ticket, to or handling.held_from)
