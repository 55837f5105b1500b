"""The plan: built from the decision, rendered whole, revised and never edited."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, time

from engine.domain.action import ActionSpec
from engine.domain.decision import ChangeKind, Decision, GatePolicy, TemplatePin
from engine.domain.handling import Handling
from engine.domain.plan import ChangeDraft, Plan, PlanText
from engine.domain.refs import Person, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import Ticket
from engine.errors import ConfigurationError, DoesNotFitError, PreconditionError
from engine.ports.rendering import PlanContext
from engine.service import facts, moves
from engine.service.terms import window_and_expiry
from engine.service.world import Services

_CORRELATION_LIMIT = 100
_MOST_LINES = 8


def ready(services: Services, handling: Handling) -> Handling:
    """DECIDED, no gate: the same canonical plan, kept for the effect key and the evidence."""
    built = build(services, handling, revision=1)
    return moves.move(
        services,
        handling,
        Stage.READY,
        why="the tier map lets this run alone",
        evidence={"plan_digest": built.digest},
        plan=built,
    )


def draft(services: Services, handling: Handling, ticket: Ticket, *, revision: int) -> Handling:
    """DECIDED or WITHDRAWING: build and render the revision that approvers will read.

    Raises:
        DoesNotFitError: A text would have to be cut, or does not carry the plan's digest.
    """
    built = build(services, handling, revision=revision)
    text = render(services, handling, ticket, built)
    return moves.move(
        services,
        handling,
        Stage.DRAFTED,
        why=f"revision {revision} drafted",
        evidence={"plan_digest": built.digest, "revision": revision},
        plan=built,
        text=text,
        change=None,
        submission=None,
        outcome=None,
        opening_since=None,
        reminded_at=None,
        told_at=None,
    )


def build(services: Services, handling: Handling, *, revision: int) -> Plan:
    """Return the canonical plan of this decision, with its window and expiry from now on.

    Raises:
        PreconditionError: The end date is no date, or lies behind us.
        ConfigurationError: The authority has no group in the system that asks it.
    """
    decision, requester, subject = _decided(handling)
    if decision.bound is None:
        raise AssertionError("a gate other than person has a bound action")
    now = services.now().replace(microsecond=0)
    window, expires_at = window_and_expiry(decision.policy, handling.gate, now)
    name, group, least = _authority(services, handling, decision)
    return Plan(
        revision=revision,
        ticket=handling.ticket,
        bound=decision.bound,
        requester_key=requester.key,
        requester_name=requester.name,
        subject_key=subject.key,
        subject_name=subject.name,
        tier=decision.tier,
        reasons=tuple(f"{item.rule}: {item.because}" for item in decision.reasons),
        authority=name,
        authority_group=group,
        least_approvers=least,
        window=window,
        expires_at=expires_at,
        ends_at=_ends_at(services, decision, now),
        template=_pin(services, handling, decision),
    )


def _pin(services: Services, handling: Handling, decision: Decision) -> TemplatePin | None:
    """Return the pinned template, where this is a standard change of a system that has them."""
    if decision.policy is None or handling.gate is not Gate.CHANGE:
        return None
    system = services.change_system_for(handling.ticket.system)
    return decision.policy.pin if services.change_control(system).has_templates else None


def _decided(handling: Handling) -> tuple[Decision, Person, Person]:
    if handling.decision is None or handling.requester is None or handling.subject is None:
        raise AssertionError("a plan follows a decision over known persons")
    return handling.decision, handling.requester, handling.subject


def _authority(services: Services, handling: Handling, decision: Decision) -> tuple[str, str, int]:
    policy = decision.policy
    if policy is None or not handling.gate.needs_approval:
        return "", "", 0
    if handling.gate is Gate.DESK:
        authority, system = policy.desk_group or policy.authority, handling.ticket.system
        least = 1
    else:
        authority, system = policy.authority, services.change_system_for(handling.ticket.system)
        least = policy.least_approvers
    group = authority.groups.get(system, "")
    if not group:
        raise ConfigurationError(f"authority {authority.name!r} has no group in {system}")
    return authority.name, group, least


def _ends_at(services: Services, decision: Decision, now: datetime) -> datetime | None:
    if decision.bound is None or not (text := facts.end_of(services, decision.bound)):
        return None
    try:
        ends_at = datetime.fromisoformat(text)
    except ValueError:
        raise PreconditionError(f"the end date {text!r} is no ISO date") from None
    if len(text) <= len("2026-11-20"):  # a bare date means its whole day
        ends_at = datetime.combine(ends_at.date(), time.max)
    ends_at = ends_at.replace(microsecond=0, tzinfo=ends_at.tzinfo or UTC).astimezone(UTC)
    if ends_at <= now:
        raise PreconditionError(f"the end date {text} lies in the past")
    return ends_at


def spec(services: Services, plan: Plan) -> ActionSpec:
    """Return the catalogue entry of a plan's action.

    Raises:
        PreconditionError: The action is gone, or is another version by now.
    """
    found = services.fulfiller(plan.bound.system).catalogue().get(plan.bound.action)
    if found is None or found.version != plan.bound.version:
        raise PreconditionError(
            f"{plan.bound.action} version {plan.bound.version} is no longer in the catalogue"
        )
    return found


def render(services: Services, handling: Handling, ticket: Ticket, plan: Plan) -> PlanText:
    """Return the texts that approvers read; the digest must stand in them.

    Raises:
        DoesNotFitError: A text would have to be cut, or lacks the digest.
    """
    if handling.classification is None or handling.decision is None:
        raise AssertionError("a plan follows a decision")
    context = PlanContext(
        ticket=ticket,
        classification=handling.classification,
        action=spec(services, plan),
        described=services.fulfiller(plan.bound.system).describe(plan.bound),
        tier_map_digest=handling.decision.tier_map_digest,
        risk=handling.decision.risk,
        neighbours=(
            *_scheduled(services, handling, plan),
            *_neighbours(services, handling, plan),
            *_named_elsewhere(services, handling, plan),
        ),
    )
    text = services.renderer.render_plan(plan, context)
    if not any(plan.digest in part for part in text.fields().values()):
        raise DoesNotFitError("the plan's templates leave out its digest")
    return text


def _scheduled(services: Services, handling: Handling, plan: Plan) -> tuple[str, ...]:
    """What the change system's own calendar says of the window, a line each."""
    policy = handling.decision.policy if handling.decision else None
    if handling.gate is not Gate.CHANGE or policy is None:
        return ()
    system = services.change_system_for(handling.ticket.system)
    found = services.change_control(system).ahead(plan.window, native_in(policy.native, system))
    lines = [obstacle.line for obstacle in found.obstacles]
    if found.unreadable:
        lines.append(f"nothing runs until these schedules can be read: {found.unreadable}")
    return _not_too_many(lines, "more in the change system's calendar")


def _not_too_many(lines: list[str], what: str) -> tuple[str, ...]:
    """Return as many as a person reads, and how many are left out: the text has to fit."""
    left_out = len(lines) - _MOST_LINES
    return (*lines[:_MOST_LINES], *([f"and {left_out} {what}"] if left_out > 0 else []))


def _named_elsewhere(services: Services, handling: Handling, plan: Plan) -> tuple[str, ...]:
    """Other people's changes that name the subject or a target in the window, a line each."""
    if handling.gate is not Gate.CHANGE:
        return ()
    system = services.change_system_for(handling.ticket.system)
    names = (plan.bound.subject.name, *(item.name for item in plan.bound.targets.values()))
    return services.change_control(system).naming(names, plan.window)


def _neighbours(services: Services, handling: Handling, plan: Plan) -> tuple[str, ...]:
    """Our other changes on the same subject or targets that may run before this one."""
    stages = (Stage.OPENED, Stage.AWAITING, Stage.APPROVED, Stage.IMPLEMENTING)
    with services.store.begin() as work:
        others = work.handlings(stages=stages, touching=plan.bound.touched)
    lines: list[str] = []
    for other in others:
        if other.id == handling.id or other.plan is None or other.change is None:
            continue
        bound = other.plan.bound
        lines.append(f"{other.change.number} ({bound.action}, {bound.subject.name})")
    return _not_too_many(lines, "more of ours on the same target")


def correlation_id(services: Services, handling: Handling) -> str:
    """Return our key on the native record: installation, ticket, attempt and revision.

    Raises:
        ConfigurationError: The installation's name leaves no room (100 characters everywhere).
    """
    key = (
        f"tiergate-{services.settings.installation}-{ticket_hash(handling.ticket)}"
        f"-{handling.correlation_suffix}"
    )
    if len(key) > _CORRELATION_LIMIT:
        raise ConfigurationError("the installation's name is too long for correlation ids")
    return key


def ticket_hash(ticket: TicketRef) -> str:
    """Return sixteen hex digits that stand for the ticket whatever its key becomes."""
    return hashlib.sha256(f"{ticket.system}\x1f{ticket.id}".encode()).hexdigest()[:16]


def native_in(native: Mapping[str, str], system: str) -> dict[str, str]:
    """Return the native values for one change system.

    `servicenow.category` is for the system of that name alone, `category` for whichever holds it.
    """
    found: dict[str, str] = {}
    for name, value in native.items():
        owner, dot, field = name.rpartition(".")
        if not dot or owner == system:
            found[field] = value
    return found


def _kind(plan: Plan, policy: GatePolicy) -> ChangeKind:
    """Without a pinned template nobody has approved anything yet: then people are asked."""
    if policy.change is ChangeKind.STANDARD and plan.template is None:
        return ChangeKind.NORMAL
    return policy.change


def change_draft(services: Services, handling: Handling) -> ChangeDraft:
    """Return the native record's content for the handling's plan."""
    decision, requester, _ = _decided(handling)
    plan, text, policy = handling.plan, handling.text, decision.policy
    if plan is None or text is None or policy is None:
        raise AssertionError("a drafted handling has plan, text and gate policy")
    system = services.change_system_for(handling.ticket.system)
    replaces = ""
    if plan.revision > 1:
        suffix = f"-r{plan.revision}"
        replaces = correlation_id(services, handling).removesuffix(suffix) + (
            f"-r{plan.revision - 1}"
        )
    return ChangeDraft(
        correlation_id=correlation_id(services, handling),
        plan_digest=plan.digest,
        text=text,
        kind=_kind(plan, policy),
        window=plan.window,
        ticket=handling.ticket,
        requested_by=requester.account_in(system),
        authority_group=plan.authority_group,
        native=native_in(policy.native, system),
        template=plan.template.id if plan.template else "",
        template_version=plan.template.version if plan.template else "",
        replaces=replaces,
    )
