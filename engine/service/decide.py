"""Decide: the tier map's answer to frozen facts, and what follows from it."""

from dataclasses import replace

from engine.domain.decision import Decision, DecisionFacts, GatePolicy, Phase, Reason
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import NativeApproval, Ticket
from engine.service import facts as gathering
from engine.service import moves, plan, takeover, telling, triage
from engine.service.facts import Gathered
from engine.service.withdraw import leave
from engine.service.world import Occasion, Services, Template

STRICTNESS = {Gate.UNDECIDED: -1, Gate.NONE: 0, Gate.DESK: 1, Gate.CHANGE: 2, Gate.PERSON: 3}


def decide(services: Services, handling: Handling) -> Handling | None:
    """TRIAGED: evaluate the tier map once, over facts that are frozen and kept with it.

    While the ticket's own native approval is pending nothing is decided.
    """
    classification = handling.classification
    if classification is None:
        raise AssertionError("a triaged handling has a classification")
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    if classification.intent and seen.native_approval is NativeApproval.PENDING:
        terms = services.settings
        turn = moves.turn(services, {Stage.TRIAGED}, terms.approval_interval, terms.look_spacing)
        moves.wait_until(services, handling, services.now() + turn)
        return None
    gathered = gathering.gather(services, handling, seen, classification)
    decision = _judged(services, gathered)
    return moves.move(
        services,
        handling,
        Stage.DECIDED,
        why=decision.hand_over or f"tier {int(decision.tier)}",
        evidence={
            "tier": int(decision.tier),
            "action": decision.action,
            "phase": str(decision.phase),
            "tier_map_digest": decision.tier_map_digest,
            "authenticated": gathered.facts.is_authenticated,
            "reasons": [{"rule": item.rule, "because": item.because} for item in decision.reasons],
        },
        gate=decision.gate,
        requester=gathered.requester,
        subject=gathered.subject,
        decision=decision,
    )


def _judged(services: Services, gathered: Gathered) -> Decision:
    decision = services.policy.decide(gathered.facts)
    if not gathered.facts.action:
        decision = replace(decision, phase=services.settings.phase_without_action)
    doubt = gathered.doubt
    if not doubt and decision.gate.needs_approval and decision.policy is None:
        doubt = "the tier map asks for an approval and names nobody to give it"
    if doubt and decision.gate is not Gate.PERSON:
        reason = Reason(rule="facts", because=doubt, gate=Gate.PERSON)
        decision = replace(decision, reasons=(*decision.reasons, reason))
    if doubt:
        decision = replace(decision, gate=Gate.PERSON, hand_over=doubt)
    if decision.gate is Gate.PERSON and not decision.hand_over:
        decision = replace(decision, hand_over="the tier map gives this ticket to a person")
    return replace(decision, facts=gathered.facts, bound=gathered.bound)


def follow(services: Services, handling: Handling) -> Handling | None:
    """DECIDED: route the ticket, then go to the gate that the decision names.

    In phase observe nothing is written anywhere but in our own store.
    """
    decision = handling.decision
    if decision is None:
        raise AssertionError("a decided handling has a decision")
    if decision.phase is Phase.OBSERVE:
        return moves.move(
            services, handling, Stage.OBSERVED, why="phase observe: nothing is written"
        )
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    triage.route(services, handling, seen)
    match handling.gate:
        case Gate.PERSON | Gate.UNDECIDED:
            because = decision.hand_over
            return leave(services, handling, Outcome(end=Stage.HANDED_OVER, because=because))
        case Gate.NONE:
            return plan.ready(services, handling)
        case Gate.DESK | Gate.CHANGE:
            return plan.draft(services, handling, seen, revision=1)


def announce(services: Services, handling: Handling) -> None:
    """Write the one internal note that says what was understood, why this tier, and what waits."""
    telling.note(services, handling, Template.TRIAGE_NOTE, occasion="triage")
    telling.comment(services, handling, Occasion.WAITING)


def again(services: Services, handling: Handling, facts: DecisionFacts | None = None) -> Decision:
    """Return what the map says today of the same facts (a pure evaluation)."""
    stored = handling.decision
    if stored is None or stored.facts is None:
        raise AssertionError("a decision keeps its facts")
    return replace(services.policy.decide(facts or stored.facts), bound=stored.bound)


def refreshed(services: Services, handling: Handling, ticket: Ticket) -> DecisionFacts:
    """Return the stored facts with today's persons, target and ticket flags; the instant stays.

    The age of the ticket and the limits were judged when it was decided; who people are now, what
    the ticket has become, and what the target is part of, may still make the map stricter.

    Raises:
        PreconditionError: The target's name stands for another thing by now.
        ProtectedSubjectError: The target refuses it by now.
    """
    stored = handling.decision.facts if handling.decision else None
    bound = handling.decision.bound if handling.decision else None
    if stored is None or handling.requester is None or handling.subject is None:
        raise AssertionError("a decision keeps its facts and persons")
    requester = services.people.person(gathering.account_of(handling, handling.requester))
    subject = (
        requester
        if handling.subject.key == handling.requester.key
        else services.people.person(gathering.account_of(handling, handling.subject))
    )
    return replace(
        stored,
        ticket=gathering.ticket_document(ticket),
        requester=gathering.person_document(requester),
        subject=gathering.person_document(subject),
        params=stored.params
        if bound is None
        else gathering.parameter_documents(gathering.rebind(services, bound, subject)),
    )


def stricter(handling: Handling, today: Decision) -> str:
    """Return why the map of today asks for more than the one that decided, "" when it does not."""
    before = handling.decision
    if before is None:
        raise AssertionError("a decision is compared with itself")
    if STRICTNESS[today.gate] > STRICTNESS[before.gate]:
        return today.hand_over or f"the tier map now asks for the gate {today.gate}"
    if today.tier > before.tier:
        return f"the tier map now says tier {int(today.tier)}"
    if before.policy is None or today.policy is None:
        return ""
    return _other_terms(before.policy, today.policy, is_same_gate=today.gate is before.gate)


def _other_terms(before: GatePolicy, today: GatePolicy, *, is_same_gate: bool) -> str:
    if today.least_approvers > before.least_approvers:
        return f"the tier map now asks for {today.least_approvers} approvers"
    if is_same_gate and today.authority != before.authority:
        return "the tier map now names another authority"
    if before.pin is not None and today.pin != before.pin:
        return "the tier map now pins another template for the standard change"
    return ""
