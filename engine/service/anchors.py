"""The signed head of a ticket's audit chain on its closed change, where we cannot take it back."""

from engine.domain.handling import Handling
from engine.service import telling
from engine.service.world import Services, chain_of

_WORDS = (
    "Audit: the chain of {key} stood at row {number} when this was written. Keep this note;"
    " `tiergate audit verify --native` compares it with the chain.\n{line}"
)


def anchor(services: Services, handling: Handling, *, occasion: str) -> None:
    """Write the chain's signed head on the handling's change, once for each occasion.

    It is written before the change closes, because a closed record may take no note any more: so
    it covers everything up to the verification, and the end itself is covered by the heads in
    syslog or file.
    """
    if handling.change is None:
        return
    head = services.store.signed_head(chain_of(handling.ticket), at=services.now())
    text = _WORDS.format(key=handling.ticket.key, number=head.number, line=head.line)
    services.change_control(handling.change.system).add_work_note(
        handling.change, text, marker=telling.marker(handling, f"head-{occasion}")
    )
