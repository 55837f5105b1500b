"""While it waits: each wake reads afresh; people are reminded, nobody is ever approved for."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from engine.domain.canonical import JSON
from engine.domain.change import Verdict, VerdictKind
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Gate, Stage
from engine.errors import RecordNotFoundError
from engine.service import desk_gate, moves, plan, takeover, telling
from engine.service.endings import ENDINGS, Cause, end_by
from engine.service.judge import (
    Judgement,
    Stale,
    judge,
    next_look,
    plan_of,
    standing,
    still_wanted,
)
from engine.service.terms import remind_at, tell_at
from engine.service.verdict import INVALID_FOLLOWS, Follow
from engine.service.verdict_rules import deciding
from engine.service.verdict_standard import preapproving
from engine.service.withdraw import close_gate, finish, leave, revise
from engine.service.world import Services, Template

ENDS: Mapping[VerdictKind, Cause | None] = MappingProxyType(
    {
        VerdictKind.PENDING: None,
        VerdictKind.APPROVED: None,
        VerdictKind.ON_HOLD: None,
        VerdictKind.WAITING_FOR_WINDOW: None,
        VerdictKind.INVALID: None,
        VerdictKind.REJECTED: Cause.REJECTED,
        VerdictKind.CANCELLED: Cause.CHANGE_ENDED,
        VerdictKind.EXPIRED: Cause.EXPIRED,
    }
)
"""How a handling ends on each verdict; None: it does not end by that."""


TOLD = frozenset({VerdictKind.ON_HOLD, VerdictKind.WAITING_FOR_WINDOW, VerdictKind.INVALID})
"""What the ticket is told of while it waits, once for each reason: nobody sees it there otherwise.

That approvers have not decided is no news; the note before the waiting said it.
"""


CONFLICT = "conflict_told"
"""The audit row of an obstacle that approvers were told of after they were asked."""

WAITS = "waits"
"""The audit event: why an approved change does not run yet, as the ticket was told."""


def await_approval(services: Services, handling: Handling) -> Handling | None:
    """AWAITING: look afresh; move on, end, or go on waiting."""
    found = _look(services, handling)
    if not isinstance(found, Judgement):
        return found
    verdict = found.verdict
    if verdict.kind is VerdictKind.APPROVED:
        return _approved(services, handling, found)
    if verdict.kind is VerdictKind.WAITING_FOR_WINDOW:
        return _approved(services, handling, found)
    _tell_approvers(services, handling, found)
    _remind(services, handling, verdict)
    return None


def await_window(services: Services, handling: Handling) -> Judgement | Handling | None:
    """APPROVED: return the judgement if it may run now; else wait, go back, or end."""
    found = _look(services, handling)
    if not isinstance(found, Judgement):
        return found
    verdict = found.verdict
    if verdict.kind is VerdictKind.APPROVED:
        return found
    if verdict.kind is VerdictKind.WAITING_FOR_WINDOW:
        handling = _tell_ticket(services, handling, verdict)
        # The change system's clock may be behind ours: never look again at once.
        soonest = services.now() + services.settings.backoff_first
        moves.wait_until(services, handling, max(verdict.not_before or soonest, soonest))
        return None
    return moves.move(
        services,
        handling,
        Stage.AWAITING,
        why=verdict.because,
    )


def _look(services: Services, handling: Handling) -> Judgement | Handling | None:
    """Return a judgement that lets us go on or wait; everything else has been acted upon."""
    wanted = still_wanted(services, handling)
    if isinstance(wanted, Outcome):
        return leave(services, handling, wanted)
    if isinstance(wanted, Stale):
        return _stale(services, handling, wanted)
    try:
        found = judge(services, handling)
    except RecordNotFoundError:
        gone = end_by(Cause.CHANGE_GONE, "the change is gone or hidden from us")
        return leave(services, handling, gone)
    verdict = found.verdict
    end = _end(handling, verdict)
    if handling.gate is Gate.DESK and verdict.kind is VerdictKind.REJECTED:
        desk_gate.keep_feedback(services, handling)
    if end is not None:
        return leave(services, handling, end, evidence=standing(found.snapshot))
    if verdict.kind is VerdictKind.INVALID:
        return _invalid(services, handling, found)
    return found


def _end(handling: Handling, verdict: Verdict) -> Outcome | None:
    cause = ENDS[verdict.kind]
    if cause is None:
        return None
    end = ENDINGS[cause].stage
    if handling.gate is Gate.DESK and end is Stage.REJECTED:
        end = Stage.HANDED_OVER  # an agent who says what is wrong has the ticket in hand
    return Outcome(end=end, because=verdict.because)


def _stale(services: Services, handling: Handling, stale: Stale) -> Handling | None:
    if stale.may_revise:
        return revise(services, handling, stale.because, decision=stale.decision)
    return leave(services, handling, end_by(Cause.STRICTER, stale.because))


def _invalid(
    services: Services, handling: Handling, found: Judgement
) -> Judgement | Handling | None:
    verdict = found.verdict
    if verdict.reason is None:
        raise AssertionError("an invalid verdict has a reason")
    match INVALID_FOLLOWS[verdict.reason]:
        case Follow.REVISE:
            return revise(services, handling, verdict.because)
        case Follow.HAND_OVER:
            return leave(services, handling, end_by(Cause.NOT_COUNTED, verdict.because))
        case Follow.WAIT:
            return found


def _approved(services: Services, handling: Handling, found: Judgement) -> Handling:
    verdict = found.verdict
    return moves.move(
        services,
        handling,
        Stage.APPROVED,
        why=verdict.because,
        evidence={
            "approvers": _approvers(found),
            "plan_digest": plan_of(handling).digest,
            "record_version": found.snapshot.version if found.snapshot else "",
            **standing(found.snapshot),
        },
        wake_at=verdict.not_before or services.now(),
    )


def _approvers(found: Judgement) -> list[JSON]:
    """Return who approved, who set it, and when, for the audit."""
    if found.snapshot is None:
        return [{"system": by.system, "id": by.id} for by in found.verdict.approvers]
    return [
        {
            "system": row.approver.system,
            "id": row.approver.id,
            "set_by": row.set_by.id if row.set_by else None,
            "decided_at": row.decided_at.isoformat() if row.decided_at else None,
        }
        for row in (*deciding(found.snapshot), *preapproving(found.snapshot))
    ]


def _tell_ticket(services: Services, handling: Handling, verdict: Verdict) -> Handling:
    """Keep why it waits; write it on the ticket where agents could not see it, once a reason."""
    if handling.reason == verdict.because:
        return handling
    if verdict.kind in TOLD:
        telling.note(
            services,
            handling,
            Template.WAIT_NOTE,
            occasion=f"waits-r{plan_of(handling).revision}-{_short(verdict.because)}",
            reason=verdict.because,
        )
        body: dict[str, JSON] = {"verdict": str(verdict.kind)}
        moves.record(services, handling, WAITS, body=body, private={"why": verdict.because})
    return moves.touch(services, handling, reason=verdict.because)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _tell_approvers(services: Services, handling: Handling, found: Judgement) -> None:
    """Write on the change, once each, what stands against it that its plan does not say yet.

    What holds the effect is told where it holds; this is for what approvers may weigh.
    """
    if found.snapshot is None or handling.text is None:
        return
    for obstacle in found.snapshot.schedule.obstacles:
        is_known = obstacle.said in handling.text.risk_and_impact
        if obstacle.is_binding or is_known:
            continue
        of = {"change": found.snapshot.ref.number, "obstacle": obstacle.said}
        if moves.has_recorded(services, handling, CONFLICT, **of):
            continue
        telling.note_on_change(
            services,
            handling,
            Template.CONFLICT_NOTE,
            occasion=f"conflict-{_short(obstacle.said)}",
            reason=obstacle.line,
        )
        moves.record(services, handling, CONFLICT, body=of)


def _remind(services: Services, handling: Handling, verdict: Verdict) -> None:
    """Remind approvers on the change, tell whom the map names; a timeout approves nothing."""
    decision, submission = handling.decision, handling.submission
    if decision is None or decision.policy is None or submission is None:
        raise AssertionError("a waiting handling has a gate policy and a submission")
    handling = _tell_ticket(services, handling, verdict)
    now, policy = services.now(), decision.policy
    since = handling.reminded_at or submission.submitted_at
    due_at = remind_at(policy, since)
    if due_at is not None and now >= due_at:
        telling.note_on_change(
            services,
            handling,
            Template.REMINDER_NOTE,
            occasion=f"reminder-{since:%Y%m%dT%H%M%S}",
            reason=verdict.because,
        )
        handling = moves.touch(services, handling, reminded_at=now)
    due_at = None if handling.told_at else tell_at(policy, submission.submitted_at)
    if due_at is not None and now >= due_at:
        telling.waits_too_long(services, handling, policy, reason=verdict.because)
        handling = moves.touch(services, handling, told_at=now)
    moves.wait_until(services, handling, _again_at(services, handling, verdict))


def _again_at(services: Services, handling: Handling, verdict: Verdict) -> datetime:
    """Return when to look again: in its turn, or when what holds it ends, whichever is first."""
    at = next_look(services, handling)
    if verdict.not_before is None:
        return at
    # The change system's clock may be behind ours: never look again at once.
    soonest = services.now() + services.settings.backoff_first
    return min(at, max(verdict.not_before, soonest))


def withdraw(services: Services, handling: Handling) -> Handling | None:
    """WITHDRAWING: end our change, then the handling, or draft the next revision."""
    because = handling.outcome.because if handling.outcome else handling.reason or "revised"
    stands = close_gate(services, handling, because)
    if stands is None:
        return None
    if handling.outcome is not None:
        return finish(services, handling, handling.outcome, evidence=stands)
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return finish(services, handling, seen, evidence=stands)
    own = plan_of(handling)
    if handling.change is not None:
        # Else agents would see another change on the ticket and nobody would tell them why.
        telling.note(
            services,
            handling,
            Template.OUTCOME_NOTE,
            occasion=f"revised-r{own.revision}",
            did=(f"{handling.change.number} withdrawn, revision {own.revision + 1} follows",),
            reason=because,
        )
    return plan.draft(services, handling, seen, revision=own.revision + 1)
