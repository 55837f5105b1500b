"""The desk gate: an agent accepts the plan natively on the ticket, or says what is wrong."""

from collections.abc import Mapping
from types import MappingProxyType

from engine.domain.change import Verdict, VerdictKind
from engine.domain.handling import Handling, Outcome, Submission
from engine.domain.plan import Plan
from engine.domain.refs import Account
from engine.domain.stage import Stage
from engine.errors import PersonUnknownError, UnmappedValueError
from engine.ports.desk import DeskAnswer
from engine.service import moves, takeover, telling
from engine.service.withdraw import leave
from engine.service.world import Occasion, Services, Template

ANSWERS: Mapping[str, VerdictKind] = MappingProxyType(
    {
        "accept": VerdictKind.APPROVED,
        "wrong_action": VerdictKind.REJECTED,
        "wrong_person": VerdictKind.REJECTED,
        "do_it_myself": VerdictKind.REJECTED,
    }
)
"""What each native answer means; everything but accept is kept as feedback."""


def ask(services: Services, handling: Handling) -> Handling | None:
    """DRAFTED: ask the desk natively, once; then the handling waits as a row."""
    plan, text = handling.plan, handling.text
    if plan is None or text is None:
        raise AssertionError("a drafted handling has plan and text")
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    facts = telling.facts(services, handling)
    request = services.renderer.render(Template.DESK_REQUEST, {**facts, "text": text.fields()})
    services.desk(handling.ticket).ask_desk(
        handling.ticket,
        plan,
        request,
        marker=telling.marker(handling, f"desk-r{plan.revision}"),
    )
    telling.comment(services, handling, Occasion.WAITING)
    # The ticket's own clock, from before we asked: an answer is never older than this.
    submission = Submission(text=text, submitted_at=seen.updated_at, version=seen.version)
    return moves.move(
        services,
        handling,
        Stage.AWAITING,
        why=f"asked the desk to accept plan {plan.code}",
        evidence={"plan_digest": plan.digest, "group": plan.authority_group},
        submission=submission,
    )


def judge(services: Services, handling: Handling) -> Verdict:
    """Return the desk's verdict: the newest answer that counts, else pending or expired.

    An answer counts from a member of the group, read afresh, who is neither the requester nor the
    subject nor ourselves, and only with this plan's code where the site's way carries one.
    """
    plan = handling.plan
    if plan is None:
        raise AssertionError("a submitted handling has a plan")
    is_expired = services.now() >= plan.expires_at
    counted = counting(services, handling)
    if counted:
        return _verdict(counted[-1], expired=is_expired)
    if is_expired:
        return Verdict(kind=VerdictKind.EXPIRED, because="no agent answered in time")
    return Verdict(kind=VerdictKind.PENDING, because="no agent has answered yet")


def counting(services: Services, handling: Handling) -> list[DeskAnswer]:
    """Return the answers that count, newest last."""
    plan = handling.plan
    if plan is None or handling.submission is None:
        raise AssertionError("a submitted handling has a plan")
    desk = services.desk(handling.ticket)
    members = {account.identity for account in desk.members(plan.authority_group)}
    answers = desk.desk_answers(handling.ticket, since=handling.submission.submitted_at)
    return [
        found
        for found in answers
        if found.by.identity in members
        and found.by.identity != desk.account().identity
        and found.code in {"", plan.code}
        and not _is_party(services, plan, found.by)
    ]


def keep_feedback(services: Services, handling: Handling) -> None:
    """Keep an agent's no as structured feedback, once; the classifier learns from it."""
    for found in counting(services, handling)[-1:]:
        body = {"answer": found.answer, "by": found.by.id, "at": found.at.isoformat()}
        if not moves.has_recorded(services, handling, "feedback", **body):
            moves.record(services, handling, "feedback", body=body, actor=found.by.id)


def _verdict(found: DeskAnswer, *, expired: bool) -> Verdict:
    kind = ANSWERS.get(found.answer)
    if kind is None:
        raise UnmappedValueError("desk answer", found.answer)
    if kind is VerdictKind.APPROVED:
        if expired:
            return Verdict(kind=VerdictKind.EXPIRED, because="accepted, but not run in time")
        because = f"accepted by {found.by.name}"
        return Verdict(kind=kind, because=because, approvers=(found.by,))
    because = f"{found.by.name} answered {found.answer.replace('_', ' ')}"
    return Verdict(kind=kind, because=because, approvers=(found.by,))


def _is_party(services: Services, plan: Plan, account: Account) -> bool:
    """Whether the account belongs to the requester, the subject, or to nobody we know."""
    try:
        person = services.people.person(account)
    except PersonUnknownError:
        return True
    return person.key in {plan.requester_key, plan.subject_key}
