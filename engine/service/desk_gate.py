"""The desk gate: an agent accepts the plan natively on the ticket, or says what is wrong."""

from collections.abc import Sequence

from engine.domain.change import ClaimResult, Verdict, VerdictKind
from engine.domain.handling import Handling, Outcome, Submission
from engine.domain.plan import Plan, PlanText
from engine.domain.stage import Stage
from engine.errors import DoesNotFitError, MissingRightError, TransientError
from engine.service import decide, moves, takeover, telling
from engine.service.desk_verdict import DeskFacts, DeskVerdict, Refusal, desk_verdict
from engine.service.voters import members_then, persons_of
from engine.service.withdraw import leave
from engine.service.world import Occasion, Services, Template

CLAIMED = "desk_claimed"
"""The audit row that names the native answer which this plan's effect uses up."""
REFUSED = "desk_refused"
"""The audit row of an answer that does not count, with its reason."""


def ask(services: Services, handling: Handling) -> Handling | None:
    """DRAFTED: ask the desk natively, once; then the handling waits as a row.

    What counts as asked is what was read back; the members of the group are kept with it.

    Raises:
        MissingRightError: The members of the group cannot be read.
        TransientError: The request cannot be read back yet.
    """
    plan = _plan(handling)
    text = handling.text
    if text is None:
        raise AssertionError("a drafted handling has a text")
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    desk = services.desk(handling.ticket)
    members = desk.desk_members(plan.authority_group)
    if members is None:
        raise MissingRightError(
            f"the members of {plan.authority} in {handling.ticket.system} are unreadable"
        )
    facts = telling.facts(services, handling)
    request = services.renderer.render(Template.DESK_REQUEST, {**facts, "text": text.fields()})
    if plan.digest not in request:
        raise DoesNotFitError("the desk's template leaves out the plan's digest")
    marker = _marker(handling, plan)
    desk.ask_desk(handling.ticket, plan, request, marker=marker)
    asked = desk.desk_snapshot(handling.ticket, marker=marker, since=seen.updated_at)
    if asked.request is None or asked.requested_at is None:
        raise TransientError(f"{handling.ticket}: the request cannot be read back yet")
    telling.comment(services, handling, Occasion.WAITING)
    moves.record(
        services,
        handling,
        "submitted",
        body={"plan_digest": plan.digest, "members": [one.account.id for one in members]},
    )
    return moves.move(
        services,
        handling,
        Stage.AWAITING,
        why=f"asked the desk to accept plan {plan.code}",
        evidence={"plan_digest": plan.digest, "group": plan.authority_group},
        submission=Submission(
            text=_as_text(asked.request), submitted_at=asked.requested_at, version=seen.version
        ),
    )


def _as_text(request: str) -> PlanText:
    """Return the one text that the desk reads, in the form of a submission."""
    return PlanText(
        short_description="",
        description=request,
        justification="",
        risk_and_impact="",
        implementation="",
        test="",
        backout="",
    )


def _marker(handling: Handling, plan: Plan) -> str:
    return telling.marker(handling, f"desk-r{plan.revision}")


def judge(services: Services, handling: Handling) -> Verdict:
    """Return the desk's verdict over a fresh snapshot; see `engine.service.desk_verdict`.

    What does not count is told on the ticket and in the audit, once, while nothing was fired.
    """
    found = _judged(services, handling, claimed=_claimed(services, handling))
    if handling.stage in takeover.SUBMITTED:
        for refusal in found.refused:
            _tell_refused(services, handling, refusal)
        if found.verdict.kind is VerdictKind.INVALID:
            occasion = f"desk-r{_plan(handling).revision}-{found.verdict.reason}"
            _tell(services, handling, found.verdict.because, occasion=occasion)
    return found.verdict


def _judged(services: Services, handling: Handling, *, claimed: str | None) -> DeskVerdict:
    plan = _plan(handling)
    if handling.submission is None:
        raise AssertionError("the desk is judged after it was asked")
    desk = services.desk(handling.ticket)
    snapshot = desk.desk_snapshot(
        handling.ticket, marker=_marker(handling, plan), since=handling.submission.submitted_at
    )
    accounts = [snapshot.daemon, *(said.by for said in snapshot.answers or ())]
    policy = decide.again(services, handling).policy
    return desk_verdict(
        DeskFacts(
            snapshot=snapshot,
            plan=plan,
            submission=handling.submission,
            members=desk.desk_members(plan.authority_group),
            members_then=members_then(services, handling, plan.digest),
            persons=persons_of(services, accounts),
            freezes=policy.freezes if policy else (),
            claimed=claimed,
            own_now=services.now(),
        )
    )


def _claimed(services: Services, handling: Handling) -> str | None:
    """Return the answer claimed for this plan's intent ("" for none); None before the intent."""
    if handling.stage in {Stage.DRAFTED, *takeover.SUBMITTED}:
        return None
    row = moves.find_recorded(services, handling, CLAIMED, plan_digest=_plan(handling).digest)
    return "" if row is None else str(row.get("answer", ""))


def is_claimed(services: Services, handling: Handling, claims: Sequence[tuple[str, str]]) -> bool:
    """Claim the acceptance in the ticket's system; whether nobody else has it.

    The answer is the thing that is used once: a second daemon that waits for the same acceptance
    with another store, or a restored backup, finds it claimed. It is kept before the claim, so that
    the verdict that follows rests upon this answer and no other; without an acceptance nothing is
    claimed, and that verdict says why.

    Args:
        services: The ports.
        handling: At the desk gate, with its intent stored.
        claims: What the intent must hold, each as plan digest (with what tells a resumed intent
            from the first) and the name that it claims in.
    """
    plan = _plan(handling)
    found = _judged(services, handling, claimed=None)
    if found.verdict.kind is not VerdictKind.APPROVED or found.basis is None:
        return True
    answer = found.basis.id
    if _claimed(services, handling) != answer:
        body = {"answer": answer, "plan_digest": plan.digest}
        moves.record(services, handling, CLAIMED, body=body)
    desk = services.desk(handling.ticket)
    return all(
        desk.claim(
            handling.ticket,
            answer=f"{answer}{what.removeprefix(plan.digest)}",
            plan_digest=plan.digest,
            owner=name,
        )
        is not ClaimResult.LOST
        for what, name in claims
    )


def keep_feedback(services: Services, handling: Handling) -> None:
    """Keep an agent's no as structured feedback, once; the classifier learns from it."""
    found = _judged(services, handling, claimed=None)
    said = found.basis
    if found.verdict.kind is not VerdictKind.REJECTED or said is None or said.by is None:
        return
    plan = _plan(handling)
    body = {
        "answer": said.answer,
        "by": said.by.id,
        "at": said.at.isoformat(),
        "channel": str(said.channel),
        "action": plan.bound.action,
        "plan_digest": plan.digest,
    }
    if not moves.has_recorded(services, handling, "feedback", **body):
        moves.record(services, handling, "feedback", body=body, actor=said.by.id)


def _tell_refused(services: Services, handling: Handling, refusal: Refusal) -> None:
    """Say on the ticket, and keep, why an answer does not count; once for each."""
    said = refusal.answer
    key = {"answer_id": said.id, "reason": str(refusal.reason)}
    if moves.has_recorded(services, handling, REFUSED, **key):
        return
    _tell(services, handling, refusal.because, occasion=f"desk-refused-{said.id}")
    body = {
        **key,
        "answer": said.answer,
        "at": said.at.isoformat(),
    }
    private = {"because": refusal.because, "by": said.by.id if said.by is not None else "?"}
    moves.record(services, handling, REFUSED, body=body, private=private)


def _tell(services: Services, handling: Handling, because: str, *, occasion: str) -> None:
    if telling.may_write(handling):
        telling.note(services, handling, Template.DESK_REFUSED, occasion=occasion, reason=because)


def _plan(handling: Handling) -> Plan:
    if handling.plan is None:
        raise AssertionError("the desk gate has a plan")
    return handling.plan
