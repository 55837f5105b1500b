"""Reads everything a verdict needs, afresh, and asks the pure function."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.domain.canonical import JSON
from engine.domain.change import ChangeSnapshot, InvalidReason, Verdict, VerdictKind
from engine.domain.decision import Decision
from engine.domain.handling import Handling, Outcome
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef
from engine.domain.stage import Gate, Stage
from engine.errors import TransientError
from engine.ports.changes import ChangeControl
from engine.service import decide, desk_gate, emergency, moves, plan, takeover
from engine.service.terms import remind_at, tell_at
from engine.service.verdict import verdict
from engine.service.verdict_rules import Facts, deciding
from engine.service.verdict_standard import preapproving
from engine.service.voters import members_then, persons_of
from engine.service.world import Services

_WAITING = frozenset({Stage.AWAITING, Stage.APPROVED})
_TIME_ONLY = frozenset(
    {InvalidReason.WINDOW_PASSED, InvalidReason.FROZEN, InvalidReason.SCHEDULE_UNREADABLE}
)
_UNTOLD = frozenset(
    {
        InvalidReason.HISTORY_UNREADABLE,
        InvalidReason.MEMBERSHIP_UNREADABLE,
        InvalidReason.PREAPPROVAL_UNREADABLE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with the snapshot it rests on; the desk gate has none."""

    verdict: Verdict
    snapshot: ChangeSnapshot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The map became stricter than the plan; `may_revise` while its gate stays a change."""

    because: str
    decision: Decision
    may_revise: bool


def judge(services: Services, handling: Handling) -> Judgement:
    """Return the verdict of this handling's gate, read afresh from the system of record.

    Raises:
        RecordNotFoundError: The change is gone.
        TransientError: Nothing was decided.
    """
    if handling.gate is Gate.DESK:
        return Judgement(verdict=desk_gate.judge(services, handling), snapshot=None)
    change = change_of(handling)
    control = services.change_control(change.system)
    snapshot = control.snapshot(change)
    facts = _facts(services, handling, control, snapshot)
    return Judgement(verdict=verdict(facts), snapshot=snapshot)


def change_of(handling: Handling) -> ChangeRef:
    """Return the change that stands behind this handling."""
    if handling.change is None:
        raise AssertionError("a submitted handling has a change")
    return handling.change


def plan_of(handling: Handling) -> Plan:
    """Return the plan that this handling implements."""
    if handling.plan is None:
        raise AssertionError("a drafted handling has a plan")
    return handling.plan


def _facts(
    services: Services, handling: Handling, control: ChangeControl, snapshot: ChangeSnapshot
) -> Facts:
    if handling.submission is None:
        raise AssertionError("a change is judged after its submission")
    own = plan_of(handling)
    policy = decide.again(services, handling).policy
    return Facts(
        snapshot=snapshot,
        plan=own,
        submission=handling.submission,
        correlation_id=plan.correlation_id(services, handling),
        members=control.members(own.authority_group),
        members_then=members_then(services, handling, own.digest),
        persons=persons_of(services, _voices(snapshot)),
        freezes=policy.freezes if policy else (),
        seen_at=services.now(),
        own_now=services.now(),
    )


def _voices(snapshot: ChangeSnapshot) -> Iterator[Account | None]:
    """Yield every account whose word matters, and ours."""
    yield snapshot.daemon
    for row in (*deciding(snapshot), *preapproving(snapshot)):
        yield from (row.approver, row.set_by)


def still_wanted(services: Services, handling: Handling) -> Outcome | Stale | None:
    """Return why an untouched approval must not be used any more, or None.

    The ticket was closed or held, its requester changed or left, or the map of today is stricter.
    """
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return seen
    changed = takeover.asker_changed(services, handling, seen)
    if changed is not None:
        return changed
    asked = emergency.asked(services, handling, seen)
    if asked is not None:
        return Stale(because=asked.because, decision=asked.decision, may_revise=True)
    today = decide.again(services, handling, decide.refreshed(services, handling, seen))
    because = decide.stricter(handling, today)
    if not because:
        return None
    may_revise = today.gate is Gate.CHANGE is handling.gate
    return Stale(because=because, decision=today, may_revise=may_revise)


def changed_after(services: Services, handling: Handling) -> str:
    """Return what took the approval back between the last verdict and the effect, "" if nothing.

    Time that went by is no objection here: the effect began inside its window. Nor is what cannot
    be told yet: a history may lag behind our own move, and nothing approved is undone for that.

    Raises:
        TransientError: It cannot be told as of now.
    """
    judgement = judge(services, handling)
    found = judgement.verdict
    if found.reason in _UNTOLD or _is_mover_untold(judgement):
        raise TransientError(f"what changed while it ran cannot be told yet: {found.because}")
    objections = {
        VerdictKind.REJECTED,
        VerdictKind.CANCELLED,
        VerdictKind.ON_HOLD,
        VerdictKind.PENDING,
    }
    if found.kind in objections:
        return found.because
    if found.kind is VerdictKind.INVALID and found.reason not in _TIME_ONLY:
        return found.because
    return ""


def _is_mover_untold(judgement: Judgement) -> bool:
    snapshot = judgement.snapshot
    is_about_mover = judgement.verdict.reason is InvalidReason.MOVED_BY_OTHER
    return is_about_mover and snapshot is not None and snapshot.moved_by is None


def next_look(services: Services, handling: Handling) -> datetime:
    """Return when a waiting handling must be looked at even if nobody wakes it."""
    own = plan_of(handling)
    policy = handling.decision.policy if handling.decision else None
    terms = services.settings
    turn = moves.turn(services, _WAITING, terms.waiting_interval, terms.look_spacing)
    moments = [services.now() + turn, own.expires_at]
    if own.window.latest is not None:
        moments.append(own.window.latest)
    if policy is not None and handling.submission is not None:
        since = handling.reminded_at or handling.submission.submitted_at
        told_at = None if handling.told_at else tell_at(policy, handling.submission.submitted_at)
        moments += [moment for moment in (remind_at(policy, since), told_at) if moment]
    now = services.now()
    # A moment that passed without an end (on hold, say) must not wake it again and again.
    return min(moment for moment in moments if moment > now)


def standing(snapshot: ChangeSnapshot | None) -> dict[str, JSON]:
    """Return where a change stands, for the chain; empty where there is none."""
    if snapshot is None:
        return {}
    return {"change_state": str(snapshot.state), "change_approval": str(snapshot.rollup)}
