"""What `tickets`, `show` and `status` tell, as documents; the keys are an interface for scripts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from engine.domain.audit import AuditRow
from engine.domain.canonical import JSON
from engine.domain.classification import Classification
from engine.domain.effect import Effect, EffectPhase
from engine.domain.handling import Handling
from engine.domain.refs import Account, TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket
from engine.ports.store import Pause, PollHealth, StageCount, UnitOfWork

Document = dict[str, "JSON | float"]


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="milliseconds")


def _account(account: Account | None) -> Mapping[str, JSON] | None:
    return None if account is None else {"id": account.id, "name": account.name}


def line_document(handling: Handling) -> Mapping[str, JSON]:
    """Return one line of `tickets`."""
    return {
        "system": handling.ticket.system,
        "key": handling.ticket.key,
        "stage": str(handling.stage),
        "gate": str(handling.gate),
        "action": handling.decision.action if handling.decision else None,
        "tier": int(handling.decision.tier) if handling.decision else None,
        "change": handling.change.number if handling.change else None,
        "attempt": handling.attempt,
        "reason": handling.reason,
        "trouble": handling.trouble,
        "created_at": _at(handling.created_at),
        "updated_at": _at(handling.updated_at),
        "wake_at": _at(handling.wake_at),
    }


def show_document(unit: UnitOfWork, ref: TicketRef) -> dict[str, object]:
    """Return everything known of one ticket: its newest handling, effects and audit chain."""
    ticket = unit.ticket(ref)
    handling = unit.latest(ref)
    rows = unit.audit(f"{ref.system}:{ref.id}")
    beside = unit.private(f"{ref.system}:{ref.id}")
    document: dict[str, object] = {
        "ticket": _ticket(ref, ticket),
        "stage": None,
        "classification": None,
        "decision": None,
        "change": None,
        "effects": [],
        "audit": [audit_document(row, beside.get(row.number, {})) for row in rows],
    }
    if handling is None:
        return document
    return document | {
        "stage": str(handling.stage),
        "gate": str(handling.gate),
        "attempt": handling.attempt,
        "reason": handling.reason,
        "trouble": handling.trouble,
        "wake_at": _at(handling.wake_at),
        "classification": classification_document(handling.classification)
        if handling.classification
        else None,
        "decision": _decision(handling),
        "change": _change(handling, rows),
        "effects": [effect_document(effect) for effect in unit.effects(handling.id)],
    }


def _ticket(ref: TicketRef, ticket: Ticket | None) -> dict[str, object]:
    document: dict[str, object] = {"system": ref.system, "id": ref.id, "key": ref.key}
    if ticket is None:
        return document
    return document | {
        "url": ticket.url,
        "kind": str(ref.kind),
        "requester": _account(ticket.requester),
        "subject": _account(ticket.subject or ticket.requester),
        "short_description": ticket.short_description,
        "state": str(ticket.state),
        "updated_at": _at(ticket.updated_at),
    }


def classification_document(found: Classification) -> dict[str, object]:
    """Return what one text was understood as."""
    return {
        "intent": found.intent or None,
        "candidate": found.candidate or None,
        "confidence": found.confidence,
        "parameters": {name: asdict(guess) for name, guess in found.parameters.items()},
        "fields": {name: asdict(guess) for name, guess in found.fields.items()},
        "evidence": list(found.evidence),
        "model": found.model,
        "abstained": found.abstained_because or None,
    }


def _decision(handling: Handling) -> dict[str, object] | None:
    decision = handling.decision
    if decision is None:
        return None
    return {
        "tier": int(decision.tier),
        "action": decision.action or None,
        "gate": str(decision.gate),
        "phase": str(decision.phase),
        "reasons": [f"{reason.rule}: {reason.because}" for reason in decision.reasons],
        "hand_over": decision.hand_over or None,
        "tier_map_digest": decision.tier_map_digest,
    }


def _change(handling: Handling, rows: tuple[AuditRow, ...]) -> dict[str, object] | None:
    change, plan = handling.change, handling.plan
    if change is None:
        return None
    own = [row.body for row in rows if row.body.get("handling") == handling.id]
    return {
        "system": change.system,
        "id": change.id,
        "number": change.number,
        "url": change.url,
        "state": _newest(own, "change_state"),
        "approval": _newest(own, "change_approval"),
        "approvers": _newest(own, "approvers") or [],
        "plan_digest": plan.digest if plan else None,
        "window": None
        if plan is None
        else {"earliest": _at(plan.window.earliest), "latest": _at(plan.window.latest)},
        "expires_at": _at(plan.expires_at) if plan else None,
    }


def _newest(bodies: Sequence[Mapping[str, JSON]], name: str) -> JSON:
    """Return what the newest row says of this; None where none does."""
    return next((body[name] for body in reversed(bodies) if name in body), None)


def effect_document(effect: Effect) -> dict[str, object]:
    """Return one effect."""
    return {
        "key": effect.key,
        "kind": str(effect.kind),
        "action": effect.action,
        "phase": str(effect.phase),
        "started_at": _at(effect.started_at),
        "finished_at": _at(effect.finished_at),
        "verified": effect.verified,
        "evidence": dict(effect.evidence),
    }


def audit_document(row: AuditRow, beside: Mapping[str, str]) -> dict[str, object]:
    """Return one audit row with the personal texts beside it; those that are gone say so."""
    hashes = row.body.get("private")
    names = hashes if isinstance(hashes, Mapping) else {}
    texts = {name: beside.get(name, "erased") for name in names}
    return {
        "number": row.number,
        "at": _at(row.at),
        "event": row.event,
        "actor": row.actor,
        "body": {**texts, **row.body},
        "hash": row.hash,
    }


def status_document(
    *,
    now: datetime,
    health: tuple[PollHealth, ...],
    counts: tuple[StageCount, ...],
    effects: Mapping[EffectPhase, int],
    pauses: tuple[Pause, ...],
) -> dict[str, object]:
    """Return how the daemon stands: polling by source, handlings by stage, effects, pauses."""
    live = {str(stage): 0 for stage in Stage if not stage.is_end}
    return {
        "sources": [
            {
                "source": one.source,
                "last_good_at": _at(one.last_good_at),
                "lag_seconds": _seconds(now, one.last_good_at),
                "errors_in_row": one.errors_in_row,
                "last_error": one.last_error or None,
                "seen": one.seen,
                "hidden": one.hidden,
                "unreadable": one.unread,
            }
            for one in health
        ],
        "stages": live | {str(one.stage): one.count for one in counts},
        "effects": {str(phase): effects.get(phase, 0) for phase in EffectPhase},
        "oldest": {str(one.stage): _at(one.oldest_at) for one in counts if not one.stage.is_end},
        "pauses": [
            {
                "action": p.action,
                "system": p.system,
                "by": p.by,
                "at": _at(p.at),
                "reason": p.reason,
            }
            for p in pauses
        ],
    }


def _seconds(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else round((now - then) / timedelta(seconds=1), 1)
