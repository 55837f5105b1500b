"""What people read on the ticket: internal notes, and comments where they are switched on."""

from collections.abc import Mapping, Sequence

from engine.domain.canonical import JSON
from engine.domain.decision import GatePolicy, Phase
from engine.domain.handling import Handling
from engine.domain.plan import Plan
from engine.domain.refs import ChangeRef
from engine.domain.stage import Stage
from engine.errors import AuthenticationError, PermanentError
from engine.ports.mailer import Message
from engine.service import moves
from engine.service.world import Occasion, Services, Template

_LOOK_BACK = 40
_MOST_RELATED = 3


def may_write(handling: Handling) -> bool:
    """Whether anything of this handling may be written outside: a decision says so."""
    return handling.decision is not None and handling.decision.phase is not Phase.OBSERVE


def marker(handling: Handling, occasion: str) -> str:
    """Return the key under which one note of this handling is found again."""
    return f"tiergate:{handling.id}:{occasion}"


def facts(
    services: Services,
    handling: Handling,
    *,
    did: Sequence[str] = (),
    reason: str = "",
) -> dict[str, JSON]:
    """Return what every template of a ticket may name; texts in it are data, never markup."""
    decision, classification = handling.decision, handling.classification
    stage = handling.outcome.end if handling.outcome else handling.stage
    hand_over = decision.hand_over if decision else ""
    if stage is Stage.HANDED_OVER:
        hand_over = hand_over or reason
    routed = moves.find_recorded(services, handling, "routed") or {}
    return {
        "ticket": {
            "system": handling.ticket.system,
            "key": handling.ticket.key,
            "kind": str(handling.ticket.kind),
        },
        "action": decision.action if decision else "",
        "tier": int(decision.tier) if decision else None,
        "gate": str(handling.gate),
        "phase": str(decision.phase) if decision else "",
        "hand_over": hand_over,
        "reasons": [
            {"rule": item.rule, "because": item.because}
            for item in (decision.reasons if decision else ())
        ],
        "tier_map_digest": decision.tier_map_digest if decision else "",
        "intent": classification.intent if classification else "",
        "candidate": classification.candidate if classification else "",
        "confidence": f"{classification.confidence:.3f}" if classification else "",
        "evidence": list(classification.evidence) if classification else [],
        "model": classification.model if classification else "",
        "abstained_because": classification.abstained_because if classification else "",
        "routed": routed.get("written", {}),
        "kept": routed.get("kept", []),
        "requester": handling.requester.name if handling.requester else "",
        "subject": handling.subject.name if handling.subject else "",
        "stage": str(stage),
        "did": list(did),
        "related": _related(services, handling),
        "reason": reason,
        "change": _change(handling.change),
        "plan": _plan(handling.plan),
    }


def _related(services: Services, handling: Handling) -> list[JSON]:
    """Our other recent tickets of the same requester, for whoever reads the note."""
    if handling.requester is None:
        return []
    with services.store.begin() as work:
        others = work.handlings(limit=_LOOK_BACK)
    lines: list[JSON] = []
    for other in others:
        is_same = other.requester is not None and other.requester.key == handling.requester.key
        if not is_same or other.ticket.identity == handling.ticket.identity:
            continue
        action = other.decision.action if other.decision else ""
        what = f"{action} {other.stage}".strip().replace("_", " ")
        lines.append(f"{other.ticket.key} (same requester, {other.created_at:%d %b %Y}, {what})")
    return lines[:_MOST_RELATED]


def _change(change: ChangeRef | None) -> Mapping[str, JSON] | None:
    if change is None:
        return None
    return {"system": change.system, "number": change.number, "url": change.url}


def _plan(plan: Plan | None) -> Mapping[str, JSON] | None:
    if plan is None:
        return None
    document = plan.document()
    return {
        "digest": plan.digest,
        "code": plan.code,
        "revision": plan.revision,
        "window": document["window"],
        "expires_at": document["expires"],
        "ends_at": document["ends"],
    }


def note(
    services: Services,
    handling: Handling,
    template: Template,
    *,
    occasion: str,
    did: Sequence[str] = (),
    reason: str = "",
) -> None:
    """Write one internal note, once for this handling and occasion."""
    text = services.renderer.render(template, facts(services, handling, did=did, reason=reason))
    services.desk(handling.ticket).add_work_note(
        handling.ticket, text, marker=marker(handling, occasion)
    )


def outcome(
    services: Services, handling: Handling, *, occasion: str, did: Sequence[str], reason: str
) -> None:
    """Write the one note of an end: with the whole story, where no note told it before."""
    has_told = handling.gate.needs_approval
    template = Template.OUTCOME_NOTE if has_told else Template.TRIAGE_NOTE
    note(services, handling, template, occasion=occasion, did=did, reason=reason)


def comment(
    services: Services,
    handling: Handling,
    occasion: Occasion,
    *,
    did: Sequence[str] = (),
    reason: str = "",
) -> None:
    """Write the requester-visible comment of this occasion, if the configuration has one."""
    template = services.settings.comments.get(occasion)
    if template is None:
        return
    text = services.renderer.render(template, facts(services, handling, did=did, reason=reason))
    services.desk(handling.ticket).add_comment(
        handling.ticket, text, marker=marker(handling, f"comment-{occasion}")
    )


def waits_too_long(
    services: Services, handling: Handling, policy: GatePolicy, *, reason: str
) -> None:
    """Tell whom the map names that a change waits: by mail, and by its native watch list.

    It changes nobody's right to decide. What the change system or the mail server refuses is kept
    in the audit, and stops nothing else: who waits for an approval does not wait for a watcher.
    """
    told: dict[str, JSON] = {}
    if policy.tell_whom:
        told["mail"] = policy.tell_whom
        try:
            _mail(services, handling, policy.tell_whom, reason)
        except AuthenticationError:
            raise
        except PermanentError as refusal:
            told["mail_refused"] = str(refusal)
    change = handling.change
    who = policy.tell_watch.get(change.system, ()) if change is not None else ()
    if change is not None and who:
        told["watch"] = list(who)
        try:
            services.change_control(change.system).watch(change, who)
        except AuthenticationError:
            raise
        except PermanentError as refusal:
            told["watch_refused"] = str(refusal)
    if told:
        moves.record(services, handling, "told", body=told)


def _mail(services: Services, handling: Handling, whom: str, reason: str) -> None:
    text = services.renderer.render(Template.TELL_MAIL, facts(services, handling, reason=reason))
    subject, _, body = text.partition("\n")
    key = f"{handling.id}-{handling.correlation_suffix}".replace(":", "-")
    services.mailer.send(
        Message(
            id=f"tell-{key}@{services.settings.installation}",
            to=whom,
            subject=subject.strip(),
            body=body.lstrip("\n"),
        )
    )


def note_on_change(
    services: Services, handling: Handling, template: Template, *, occasion: str, reason: str
) -> None:
    """Write one internal note on the handling's change, once."""
    if handling.change is None:
        return
    text = services.renderer.render(template, facts(services, handling, reason=reason))
    services.change_control(handling.change.system).add_work_note(
        handling.change, text, marker=marker(handling, occasion)
    )
