"""The classifier's answer.

Per field, with confidence, the words it rests on, or a reason to abstain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AbstainReason(StrEnum):
    """Why the classifier names no intent."""

    EMPTY = "empty"
    LOW_CONFIDENCE = "low_confidence"
    NOVEL = "novel"
    SECOND_INTENT = "second_intent"
    NEGATED = "negated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One field's value, its confidence in 0..1, and the ticket's literal words it rests on."""

    value: str
    confidence: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What a ticket asks for, as one model understood it.

    Attributes:
        intent: An action's name from the closed catalogue; empty when abstained.
        candidate: The best intent even when abstained, for the note; empty when there is none.
        confidence: Of `candidate`, calibrated, in 0..1.
        parameters: Parameter name to guess; text as written, not yet bound to anything.
        fields: Triage field to guess.
        model: Digest that names model, training phrases and code version.
    """

    intent: str
    candidate: str
    confidence: float
    evidence: tuple[str, ...]
    model: str
    parameters: Mapping[str, Guess] = field(default_factory=dict[str, Guess])
    fields: Mapping[str, Guess] = field(default_factory=dict[str, Guess])
    abstained: AbstainReason | None = None
    abstained_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierInput:
    """What a classifier may see of a ticket: text and structured answers, never identity."""

    short_description: str
    description: str
    catalog_item: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
