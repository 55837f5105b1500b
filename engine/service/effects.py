"""The rows of an effect: its key, its lease, and what it may be told to become."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase, effect_key
from engine.domain.handling import Handling
from engine.domain.plan import Plan
from engine.domain.stage import Gate, Stage
from engine.errors import LeaseLostError
from engine.ports.store import UnitOfWork
from engine.service.judge import change_of, plan_of
from engine.service.world import Services

CLAIM = "_claim"
"""The random name under which this intent claims; a restored backup does not know it."""
FIRING = "_firing_at"
"""Committed immediately before the call: without it the call was never made."""
NOT_OURS = "_claim_lost"
RESUMED = "_resumed"
"""How often a withheld intent was resumed; each time is claimed anew, under a name of its own."""
RESUMED_CLAIM = "_resumed_claim"


def key_of(services: Services, handling: Handling, kind: EffectKind) -> str:
    """Return the one key of this handling's effect of this kind."""
    return effect_key(
        installation=services.settings.installation,
        handling=handling.id,
        plan_digest=plan_of(handling).digest,
        kind=kind,
    )


def intent(
    services: Services, handling: Handling, kind: EffectKind, *, baseline: Mapping[str, str]
) -> Effect:
    """Return a new intent of this process, leased from now."""
    now = services.now()
    return Effect(
        key=key_of(services, handling, kind),
        handling=handling.id,
        kind=kind,
        action=plan_of(handling).bound.action,
        phase=EffectPhase.INTENT,
        owner=services.settings.owner,
        lease_until=now + services.settings.lease,
        fence=1,
        started_at=now,
        baseline=baseline,
        evidence={CLAIM: secrets.token_hex(16)},
    )


def resumption(services: Services, effect: Effect, *, baseline: Mapping[str, str]) -> Effect:
    """Return a withheld effect as an intent of this process, with a newer fence and a new name.

    The new name is claimed beside the first one: a backup that knew the withheld intent, and was
    restored after we went on, knows only names that are taken or not enough.
    """
    count = int(effect.evidence.get(RESUMED, "0")) + 1
    return replace(
        effect,
        phase=EffectPhase.INTENT,
        owner=services.settings.owner,
        fence=effect.fence + 1,
        lease_until=services.now() + services.settings.lease,
        baseline=baseline,
        evidence={
            **effect.evidence,
            RESUMED: str(count),
            RESUMED_CLAIM: secrets.token_hex(16),
        },
    )


def claims_of(effect: Effect, plan_digest: str) -> tuple[tuple[str, str], ...]:
    """Return what this intent must hold in the system of record, each as (what, in whose name)."""
    found = [(plan_digest, effect.evidence[CLAIM])]
    if RESUMED in effect.evidence:
        what = f"{plan_digest}#{effect.evidence[RESUMED]}"
        found.append((what, effect.evidence[RESUMED_CLAIM]))
    return tuple(found)


def withhold_in(work: UnitOfWork, effect: Effect, at: datetime) -> None:
    """Store that an intent which was never fired waits again; its approval stays consumed.

    Raises:
        LeaseLostError: Somebody took it over.
    """
    stored = work.effect(effect.key)
    if stored is None or stored.phase is not EffectPhase.INTENT or FIRING in stored.evidence:
        raise AssertionError("only an intent that was never fired is withheld")
    work.settle(replace(effect, phase=EffectPhase.WITHHELD, lease_until=at))


_AT_WORK = (Stage.IMPLEMENTING, Stage.BACKING_OUT, Stage.ENDING)


def busy_in(work: UnitOfWork, services: Services, handling: Handling) -> str:
    """Return who is at work on the same subject or target, "" when nobody is.

    Two runs on one target would each see the other's change as their own failure, and what one of
    them did, and the other took back, would look as if it had never happened. Counting holds off
    whoever counts the same name until the transaction ends, so of two that begin at once one waits.
    """
    touched = _touched(plan_of(handling))
    for name in sorted(touched):
        work.count_effects(action=f"target {name}", since=services.now())
    for other in work.handlings(stages=_AT_WORK, touching=plan_of(handling).bound.touched):
        if other.id == handling.id or other.plan is None:
            continue
        if touched & _touched(other.plan):
            return f"{other.ticket.key} is at work on the same target"
    return ""


def wake_waiting(services: Services, handling: Handling) -> None:
    """Wake who may have waited for this handling to leave their common target."""
    if handling.plan is None:
        return
    touched = _touched(handling.plan)
    with services.store.begin() as work:
        waiting = work.handlings(
            stages=(Stage.READY, Stage.APPROVED, Stage.TIMEBOXED),
            touching=handling.plan.bound.touched,
        )
    for other in waiting:
        if other.reason and other.plan is not None and touched & _touched(other.plan):
            services.waker.wake(other.id)


def _touched(plan: Plan) -> frozenset[str]:
    return frozenset(f"{plan.bound.system} {name}" for name in plan.bound.touched)


def consumption_of(handling: Handling) -> Consumption | None:
    """Return the use of this handling's approval; None where none is needed."""
    plan = plan_of(handling)
    match handling.gate:
        case Gate.NONE | Gate.PERSON | Gate.UNDECIDED:
            return None
        case Gate.DESK:
            system, record = handling.ticket.system, handling.ticket.id
        case Gate.CHANGE:
            change = change_of(handling)
            system, record = change.system, change.id
    return Consumption(
        system=system, change_id=record, revision=plan.revision, plan_digest=plan.digest
    )


def load(services: Services, handling: Handling, kind: EffectKind) -> Effect | None:
    """Return this handling's effect of this kind."""
    with services.store.begin() as work:
        return work.effect(key_of(services, handling, kind))


def settle(services: Services, effect: Effect) -> Effect:
    """Store an effect.

    Raises:
        LeaseLostError: Somebody took it over.
    """
    with services.store.begin() as work:
        work.settle(effect)
    return effect


def take_over(services: Services, effect: Effect) -> Effect:
    """Return a dead attempt's effect as ours, with a newer fence and a lease from now."""
    return settle(
        services,
        replace(
            effect,
            owner=services.settings.owner,
            fence=effect.fence + 1,
            lease_until=services.now() + services.settings.lease,
        ),
    )


def renew(services: Services, effect: Effect) -> Effect:
    """Return our effect with a lease from now.

    Raises:
        LeaseLostError: Somebody took it over.
    """
    return settle(services, replace(effect, lease_until=services.now() + services.settings.lease))


def require_lease(services: Services, effect: Effect) -> None:
    """Return if a call of full length still fits into the lease.

    Raises:
        LeaseLostError: It does not; whoever finds the intent goes on.
    """
    if services.now() + services.settings.deadline > effect.lease_until:
        raise LeaseLostError(f"effect {effect.key[:12]}: its lease ran out before it was fired")


def public(evidence: Mapping[str, str]) -> Mapping[str, str]:
    """Return what people may read of an effect's evidence."""
    return {name: text for name, text in evidence.items() if not name.startswith("_")}
