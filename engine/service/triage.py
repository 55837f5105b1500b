"""Triage: what the ticket asks for, and the fields that no person has set."""

from engine.domain.canonical import JSON
from engine.domain.classification import ClassifierInput
from engine.domain.handling import Handling, Outcome
from engine.domain.stage import Stage
from engine.domain.ticket import Ticket, TicketField
from engine.service import moves, takeover
from engine.service.withdraw import leave
from engine.service.world import Services


def classify(services: Services, handling: Handling) -> Handling | None:
    """INGESTED: name the intent, or abstain; nothing is written outside yet."""
    seen = takeover.look(services, handling)
    if isinstance(seen, Outcome):
        return leave(services, handling, seen)
    text = ClassifierInput(
        short_description=seen.short_description,
        description=seen.description,
        catalog_item=seen.catalog_item,
        variables=seen.variables,
    )
    (found,) = services.classifier.classify([text])
    abstained = str(found.abstained) if found.abstained else None
    return moves.move(
        services,
        handling,
        Stage.TRIAGED,
        why=found.abstained_because or f"understood as {found.intent}",
        evidence={
            "intent": found.intent,
            "candidate": found.candidate,
            "confidence": f"{found.confidence:.4f}",
            "model": found.model,
            "abstained": abstained,
        },
        classification=found,
    )


def route(services: Services, handling: Handling, ticket: Ticket) -> None:
    """Write the confident fields that no person has set, once; keep what was written."""
    if handling.classification is None or moves.has_recorded(services, handling, "routed"):
        return
    guessed = {
        TicketField(name): guess.value
        for name, guess in handling.classification.fields.items()
        if name in set(TicketField) and guess.confidence >= services.settings.field_confidence
    }
    kept: list[JSON] = [*sorted(str(field) for field in guessed if field in ticket.edited)]
    values = {field: value for field, value in guessed.items() if field not in ticket.edited}
    written = services.desk(handling.ticket).write_fields(ticket, values) if values else {}
    body: dict[str, JSON] = {
        "written": {str(field): value for field, value in written.items()},
        "kept": kept,
    }
    moves.record(services, handling, "routed", body=body)
