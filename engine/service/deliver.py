"""Secrets go out of band, by mail, before anything is reported; never through the ticket."""

from dataclasses import replace

from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.ports.mailer import Message
from engine.service import telling
from engine.service.judge import plan_of
from engine.service.world import Services, Template

DELIVERED = "delivered_at"


def address(services: Services, handling: Handling) -> str:
    """Return where a secret of this plan would go, "" where the map delivers none.

    Asked before the effect, so that without an address nothing is reset at all.

    Raises:
        PreconditionError: There is no address, or it or the manager changed too lately.
    """
    decision, subject = handling.decision, handling.subject
    if decision is None or decision.delivery is None or subject is None:
        return ""
    return services.fulfiller(plan_of(handling).bound.system).delivery_address(
        subject,
        attribute=decision.delivery.attribute,
        or_manager=decision.delivery.or_manager,
        at=services.now(),
    )


def is_due(handling: Handling, effect: Effect) -> bool:
    """Whether this effect's secret has still to be delivered."""
    has_policy = handling.decision is not None and handling.decision.delivery is not None
    return has_policy and DELIVERED not in effect.evidence


def deliver(services: Services, handling: Handling, effect: Effect) -> Effect:
    """Send the secret, derived again from the effect's key, and keep that it was accepted.

    A crash in between sends the same message with the same id again.

    Raises:
        PreconditionError: The address is gone, or changed since.
        TransientError: The mail server did not take it now.
        PermanentError: The address was refused.
    """
    plan = plan_of(handling)
    secret = services.fulfiller(plan.bound.system).secret(plan.bound, key=effect.key)
    if secret is not None:
        facts = telling.facts(services, handling)
        text = services.renderer.render(
            Template.DELIVERY_MAIL,
            {**facts, "secret": secret.value, "person": plan.subject_name},
        )
        subject, _, body = text.partition("\n")
        services.mailer.send(
            Message(
                id=f"{effect.key[:40]}@{services.settings.installation}",
                to=address(services, handling),
                subject=subject.strip(),
                body=body.lstrip("\n"),
            )
        )
    told = {**effect.evidence, DELIVERED: services.now().isoformat(timespec="seconds")}
    settled = replace(effect, evidence=told)
    with services.store.begin() as work:
        work.settle(settled)
    return settled
