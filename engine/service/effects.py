"""The rows of an effect: its key, its lease, and what it may be told to become."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase, effect_key
from engine.domain.handling import Handling
from engine.domain.stage import Gate
from engine.errors import LeaseLostError
from engine.service.judge import change_of, plan_of
from engine.service.world import Services

CLAIM = "_claim"
"""The random name under which this intent claims; a restored backup does not know it."""
FIRING = "_firing_at"
"""Committed immediately before the call: without it the call was never made."""
NOT_OURS = "_claim_lost"


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
