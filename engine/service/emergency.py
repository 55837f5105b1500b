"""Run it now, or skip the window: a new emergency change that cites the old one.

Nothing of the old approval is carried over: its change is withdrawn, the next revision of the plan
is opened as an emergency change, and the emergency chain of the organisation decides anew. Freezes,
authority and the number of approvers stay those of the tier map.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from engine.domain.decision import ChangeKind, Decision, Reason
from engine.domain.handling import Handling
from engine.domain.refs import Account, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import Ticket
from engine.errors import PreconditionError, RecordNotFoundError
from engine.service import moves
from engine.service.electorate import Parties
from engine.service.voters import persons_of
from engine.service.withdraw import revise
from engine.service.world import Services

ASKED = "emergency"
"""The audit row of an asking that counted: who, and by which native fact."""
IGNORED = "emergency_ignored"
"""The audit row of an asking that did not count, with the reason."""
_RULE = "emergency"
_BEFORE_INTENT = frozenset({Stage.AWAITING, Stage.APPROVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """What an asking that counts leads to: the sentence, and the decision of the next revision."""

    because: str
    decision: Decision


def expedite(services: Services, ticket: TicketRef, *, by: str, reason: str = "") -> Handling:
    """Withdraw the change that waits, and open an emergency change of the same plan instead.

    Raises:
        RecordNotFoundError: We never handled this ticket.
        PreconditionError: No change waits for it, or an emergency change does already.
    """
    with services.store.begin() as work:
        handling = work.latest(ticket)
    if handling is None:
        raise RecordNotFoundError(f"{ticket} was never handled")
    if (stop := _may_not(handling)) is not None:
        raise PreconditionError(f"{ticket} {stop}")
    found = _emergency(handling, by=by, reason=reason)
    private = {"reason": reason} if reason else None
    moves.record(services, handling, ASKED, body={"native": ""}, actor=by, private=private)
    moved = revise(services, handling, found.because, decision=found.decision)
    if moved is None:
        raise PreconditionError(f"{ticket} is moved by somebody else just now")
    services.waker.wake(moved.id)
    return moved


def asked(services: Services, handling: Handling, seen: Ticket) -> Emergency | None:
    """Return what follows from the newest `tiergate: run now` on the ticket; None where nothing.

    It counts from a member of the desk's group or of the authority who is no party to the plan, and
    once: asking is no approval, but it takes an approval away.
    """
    ask = seen.run_now
    if ask is None or _may_not(handling) is not None or handling.submission is None:
        return None
    is_ignored = moves.has_recorded(services, handling, IGNORED, native=ask.id)
    if ask.at < handling.submission.submitted_at or is_ignored:
        return None
    if doubt := _doubt(services, handling, ask.by):
        body = {"native": ask.id}
        moves.record(services, handling, IGNORED, body=body, private={"because": doubt})
        return None
    by = ask.by.name if ask.by is not None else ""
    actor = ask.by.id if ask.by is not None else ""
    # One that is on record and still stands here was not followed: a crash, or another worker's
    # step, came in between. What follows it is an emergency change, of which nobody asks again.
    if not moves.has_recorded(services, handling, ASKED, native=ask.id):
        moves.record(services, handling, ASKED, body={"native": ask.id}, actor=actor)
    return _emergency(handling, by=by, reason="")


def _may_not(handling: Handling) -> str | None:
    """Return why this handling has no change that an emergency change could replace."""
    if handling.gate is not Gate.CHANGE or handling.stage not in _BEFORE_INTENT:
        return f"is at stage {handling.stage}: no change waits that could be replaced"
    if handling.decision is None or handling.decision.policy is None or handling.change is None:
        raise AssertionError("a waiting change has a decision with a policy")
    if handling.decision.policy.change is ChangeKind.EMERGENCY:
        return "waits for an emergency change already"
    return None


def _emergency(handling: Handling, *, by: str, reason: str) -> Emergency:
    decision, change = handling.decision, handling.change
    if decision is None or decision.policy is None or change is None:
        raise AssertionError("a waiting change has a decision with a policy")
    why = f": {reason}" if reason else ""
    because = f"{by} asks to run it now{why}; emergency change instead of {change.number}"
    policy = replace(
        decision.policy,
        change=ChangeKind.EMERGENCY,
        lead=timedelta(0),
        length=None,
        within=None,
        board=None,
        template="",
        template_version="",
        template_proposal="",
    )
    kept = tuple(one for one in decision.reasons if one.rule != _RULE)
    reasons = (*kept, Reason(rule=_RULE, because=because))
    return Emergency(because=because, decision=replace(decision, policy=policy, reasons=reasons))


def _doubt(services: Services, handling: Handling, by: Account | None) -> str:
    """Return why this person's asking does not count, "" when it does."""
    plan, decision = handling.plan, handling.decision
    if plan is None or decision is None or decision.policy is None:
        raise AssertionError("a waiting change has a plan and a policy")
    if by is None:
        return "nobody can tell who asked"
    desk = services.desk(handling.ticket)
    daemon = desk.account()
    parties = Parties(plan=plan, daemon=daemon, persons=persons_of(services, (by, daemon)))
    if (doubt := parties.doubt(by)) is not None:
        return doubt[1]
    policy = decision.policy
    system = handling.ticket.system
    for authority in (policy.desk_group, policy.authority):
        group = "" if authority is None else authority.groups.get(system, "")
        members = desk.desk_members(group) if group else None
        if any(one.account.identity == by.identity for one in members or ()):
            return ""
    return f"{by.name} belongs neither to the desk's group nor to the authority"
