"""What templates may name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.domain.action import ActionSpec, BoundTarget, RiskScores
from engine.domain.canonical import JSON
from engine.domain.classification import Classification
from engine.domain.ticket import Ticket

TemplateFacts = Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContext:
    """What a plan's text tells beside the plan itself.

    `described` are subject and targets with fresh facts; `neighbours` are other changes on the same
    targets in the window, one line each; `tier_map_digest` names the map that decided, `risk` its
    scores of the action (None: only the code's least ones are known).
    """

    ticket: Ticket
    classification: Classification
    action: ActionSpec
    described: Mapping[str, BoundTarget]
    tier_map_digest: str
    neighbours: tuple[str, ...] = field(default_factory=tuple)
    risk: RiskScores | None = None
