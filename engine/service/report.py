"""Report: the change closed with its evidence, the ticket told and resolved where configured."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from engine.domain.canonical import JSON
from engine.domain.change import ChangeState, CloseCode
from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Stage
from engine.errors import RecordNotFoundError
from engine.service import anchors, moves, telling
from engine.service.deliver import DELIVERED
from engine.service.effects import FIRING, NOT_OURS, public, wake_waiting
from engine.service.judge import change_of, plan_of, standing
from engine.service.withdraw import release_hold
from engine.service.world import Occasion, Services, Template

_OCCASIONS = {
    Stage.FULFILLED: Occasion.DONE,
    Stage.BACKED_OUT: Occasion.HANDED_OVER,
    Stage.HANDED_OVER: Occasion.HANDED_OVER,
}


_KINDS = {
    EffectKind.IMPLEMENT: "carried out",
    EffectKind.BACK_OUT: "backed out",
    EffectKind.END: "ended as planned",
}
_PHASES = {
    EffectPhase.INTENT: "not finished",
    EffectPhase.WITHHELD: "held back",
    EffectPhase.DONE: "done",
    EffectPhase.FAILED: "failed",
    EffectPhase.UNKNOWN: "outcome unknown",
    EffectPhase.BACKED_OUT: "taken back",
}


def report(services: Services, handling: Handling) -> Handling | None:
    """REPORTING: tell change and ticket how it ended, each once, then end."""
    outcome = handling.outcome
    if outcome is None:
        raise AssertionError("a reporting handling has an outcome")
    effects = _effects(services, handling)
    stands = tell(services, handling, outcome, effects)
    ended = moves.move(
        services,
        handling,
        outcome.end,
        why=outcome.because,
        evidence={"effects": [effect.key for effect in effects], **stands},
    )
    wake_waiting(services, ended)
    return ended


def tell_granted(services: Services, handling: Handling) -> Handling:
    """TIMEBOXED, first time: what was granted is reported now, its end when it comes."""
    outcome = handling.outcome
    if outcome is None:
        raise AssertionError("a time-boxed handling has an outcome")
    tell(services, handling, outcome, _effects(services, handling))
    ends_at = plan_of(handling).ends_at
    now = services.now()
    return moves.touch(services, handling, wake_at=ends_at, attempts=0, trouble="", told_at=now)


def tell(
    services: Services, handling: Handling, outcome: Outcome, effects: Sequence[Effect]
) -> Mapping[str, JSON]:
    """Write everything that people read about an end; every part is found again by its key.

    Returns where the change stands now, for the chain.
    """
    did = _did(effects)
    stands: Mapping[str, JSON] = {}
    occasion = "ended" if any(item.kind is EffectKind.END for item in effects) else "outcome"
    if handling.change is not None and not any(NOT_OURS in item.evidence for item in effects):
        stands = _close(services, handling, outcome, effects)
    with suppress(RecordNotFoundError):  # the ticket was deleted: nobody is there to be told
        _tell_ticket(services, handling, outcome, occasion=occasion, did=did)
    return stands


def _tell_ticket(
    services: Services, handling: Handling, outcome: Outcome, *, occasion: str, did: list[str]
) -> None:
    release_hold(services, handling)
    telling.outcome(services, handling, occasion=occasion, did=did, reason=outcome.because)
    telling.comment(services, handling, _OCCASIONS[outcome.end], did=did, reason=outcome.because)
    if outcome.end is Stage.FULFILLED and services.settings.resolve_tickets:
        facts = telling.facts(services, handling, did=did, reason=outcome.because)
        text = services.renderer.render(Template.RESOLVE_TEXT, facts)
        services.desk(handling.ticket).resolve(handling.ticket, text)


def _effects(services: Services, handling: Handling) -> tuple[Effect, ...]:
    with services.store.begin() as work:
        return work.effects(handling.id)


def _did(effects: Sequence[Effect]) -> list[str]:
    lines: list[str] = []
    for effect in effects:
        if FIRING not in effect.evidence:
            continue
        fired_at = datetime.fromisoformat(effect.evidence[FIRING])
        how = "verified at the target" if effect.verified else _PHASES[effect.phase]
        sent = ", sent to the out-of-band address on file" if DELIVERED in effect.evidence else ""
        lines.append(
            f"{effect.action} {_KINDS[effect.kind]} {fired_at:%d %b %Y %H:%M:%S} UTC, {how}{sent}"
        )
    return lines


def _close(
    services: Services, handling: Handling, outcome: Outcome, effects: Sequence[Effect]
) -> Mapping[str, JSON]:
    """Close the change truthfully; a record that a person ended is never moved again."""
    change = change_of(handling)
    control = services.change_control(change.system)
    try:
        snapshot = control.snapshot(change)
    except RecordNotFoundError:
        return {}  # a person deleted it: the ticket's note tells what was done
    name = f"{telling.marker(handling, 'evidence').replace(':', '-')}-{len(effects)}.json"
    content = json.dumps(_evidence(handling, effects), indent=2, sort_keys=True)
    control.attach(change, name=name, content=content.encode(), content_type="application/json")
    anchors.anchor(services, handling, occasion=f"end-{len(effects)}")
    is_ours = snapshot.moved_by is not None and (
        snapshot.moved_by.identity == snapshot.daemon.identity
    )
    state = snapshot.state
    match state:
        case ChangeState.IMPLEMENT | ChangeState.REVIEW:
            state = _close_with_code(services, handling, outcome, effects)
        case ChangeState.SCHEDULED if outcome.end is Stage.FULFILLED:
            # A plain workflow has no status for implementing: it stayed where it was approved.
            state = _close_with_code(services, handling, outcome, effects)
        case ChangeState.NEW | ChangeState.ASSESS | ChangeState.AUTHORIZE | ChangeState.SCHEDULED:
            state = control.cancel(change, reason=outcome.because)
        case ChangeState.CLOSED | ChangeState.CANCELLED | ChangeState.REJECTED if is_ours:
            pass  # a run of ours that was cut off had ended it already
        case ChangeState.CLOSED | ChangeState.CANCELLED | ChangeState.REJECTED:
            telling.note_on_change(
                services,
                handling,
                Template.CHANGE_NOTE,
                occasion=f"after-end-{len(effects)}",
                reason=outcome.because,
            )
    return standing(replace(snapshot, state=state))


def _close_with_code(
    services: Services, handling: Handling, outcome: Outcome, effects: Sequence[Effect]
) -> ChangeState:
    """Close the change with the code that the outcome earns; return where it stands then."""
    change = change_of(handling)
    facts = telling.facts(services, handling, did=_did(effects), reason=outcome.because)
    is_fulfilled = outcome.end is Stage.FULFILLED
    services.change_control(change.system).close(
        change,
        code=CloseCode.SUCCESSFUL if is_fulfilled else CloseCode.UNSUCCESSFUL,
        notes=services.renderer.render(Template.CLOSE_NOTES, facts),
        at=services.now(),
    )
    return ChangeState.CLOSED


def _evidence(handling: Handling, effects: Sequence[Effect]) -> dict[str, object]:
    plan = plan_of(handling)
    return {
        "ticket": str(handling.ticket),
        "plan": plan.document(),
        "plan_digest": plan.digest,
        "effects": [
            {
                "key": effect.key,
                "kind": effect.kind,
                "action": effect.action,
                "phase": effect.phase,
                "started_at": effect.started_at.isoformat(),
                "finished_at": effect.finished_at.isoformat() if effect.finished_at else None,
                "verified": effect.verified,
                "baseline": dict(effect.baseline),
                "seen": dict(public(effect.evidence)),
            }
            for effect in effects
        ],
    }
