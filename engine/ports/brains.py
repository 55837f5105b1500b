"""Classifier and TierPolicy: what a ticket asks for, and what the tier map says of it.

Both pure.
"""

from collections.abc import Sequence
from typing import Protocol

from engine.domain.classification import Classification, ClassifierInput
from engine.domain.decision import Decision, DecisionFacts
from engine.domain.plan import Plan, PlanText
from engine.ports.rendering import PlanContext, TemplateFacts


class Classifier(Protocol):
    """Names an intent from the closed catalogue, or abstains with a reason.

    Deterministic; no tools.
    """

    @property
    def model(self) -> str:
        """A digest of model, training phrases and code version."""
        ...

    def classify(self, texts: Sequence[ClassifierInput]) -> tuple[Classification, ...]:
        """Return one classification per text, in order."""
        ...


class TierPolicy(Protocol):
    """A compiled tier map: facts in, decision out; no I/O and no clock."""

    @property
    def digest(self) -> str:
        """Digest of the map's content."""
        ...

    def decide(self, facts: DecisionFacts) -> Decision:
        """Return the decision; the highest tier wins, every reason is kept, doubt hands over."""
        ...

    def subject_rule(self, action: str) -> str:
        """Return `requester` or `named`: whose account this action touches."""
        ...

    def target(self, action: str) -> str:
        """Return the fulfilment system that the map binds this action to."""
        ...


class PlanRenderer(Protocol):
    """Renders plans, notes and mails from the admin's template files, sandboxed."""

    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        """Return the texts that approvers read.

        Plain language first, exact parameters and digest after, the requester's own words last,
        capped, escaped, in one marked quote.

        Raises:
            DoesNotFitError: A text is longer than approvers' fields hold.
        """
        ...

    def render(self, template: str, facts: TemplateFacts) -> str:
        """Return a note, comment or mail from a named template.

        Raises:
            ConfigurationError: No such template.
        """
        ...
