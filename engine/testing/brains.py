"""FixedClassifier, FixedTierPolicy and PlainRenderer: answers that a test writes down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from engine.domain.action import Tier
from engine.domain.canonical import digest
from engine.domain.classification import AbstainReason, Classification, ClassifierInput, Guess
from engine.domain.decision import (
    Authority,
    Decision,
    DecisionFacts,
    DeliveryPolicy,
    GatePolicy,
    Phase,
    Reason,
)
from engine.domain.plan import Plan, PlanText
from engine.domain.stage import Gate
from engine.errors import ConfigurationError
from engine.ports.rendering import PlanContext, TemplateFacts


def understood(
    intent: str,
    *,
    confidence: float = 0.99,
    parameters: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
) -> Classification:
    """Return a sure classification."""
    return Classification(
        intent=intent,
        candidate=intent,
        confidence=confidence,
        evidence=(intent.replace("_", " "),),
        model="fixed",
        parameters={
            name: Guess(value=text, confidence=confidence)
            for name, text in (parameters or {}).items()
        },
        fields={name: Guess(value=text, confidence=0.95) for name, text in (fields or {}).items()},
    )


NOTHING = Classification(
    intent="",
    candidate="",
    confidence=0.0,
    evidence=(),
    model="fixed",
    abstained=AbstainReason.NOVEL,
    abstained_because="nothing in the catalogue is like this",
)


class FixedClassifier:
    """The Classifier port: short descriptions to answers; abstains on every other."""

    model = "fixed"

    def __init__(self, answers: Mapping[str, Classification]) -> None:
        """Know these answers."""
        self.answers = dict(answers)

    def classify(self, texts: Sequence[ClassifierInput]) -> tuple[Classification, ...]:
        """Return one answer per text."""
        return tuple(self.answers.get(text.short_description, NOTHING) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedRule:
    """What the map says of one action."""

    tier: Tier
    gate: Gate
    target: str
    subject: str = "named"
    phase: Phase = Phase.AUTOMATIC
    policy: GatePolicy | None = None
    delivery: DeliveryPolicy | None = None
    per_day: int = 1000
    least_confidence: float = 0.8


@dataclass(slots=True)
class FixedTierPolicy:
    """The TierPolicy port over a few fixed rules that a test may replace while it runs."""

    rules: dict[str, FixedRule] = field(default_factory=dict[str, FixedRule])

    @property
    def digest(self) -> str:
        """Digest of the rules."""
        return digest({name: repr(rule) for name, rule in self.rules.items()})

    def decide(self, facts: DecisionFacts) -> Decision:
        """Return the action's rule, or a person."""
        rule = self.rules.get(facts.action)
        because = self._doubt(rule, facts)
        if rule is None or because:
            return Decision(
                tier=rule.tier if rule else Tier.THREE,
                gate=Gate.PERSON,
                action=facts.action,
                reasons=(Reason(rule="doubt", because=because, gate=Gate.PERSON),),
                phase=rule.phase if rule else Phase.OBSERVE,
                tier_map_digest=self.digest,
                policy=None,
                hand_over=because,
                facts=facts,
            )
        return Decision(
            tier=rule.tier,
            gate=rule.gate,
            action=facts.action,
            reasons=(Reason(rule="floor", because=f"Floor of {facts.action}", tier=rule.tier),),
            phase=rule.phase,
            tier_map_digest=self.digest,
            policy=rule.policy,
            delivery=rule.delivery,
            facts=facts,
        )

    def _doubt(self, rule: FixedRule | None, facts: DecisionFacts) -> str:
        if rule is None:
            return "no action of the map fits"
        if facts.confidence < rule.least_confidence:
            return "the confidence is below the threshold"
        if not facts.is_authenticated:
            return "the requester is not authenticated"
        if facts.uses.get("subject_day", 0) >= rule.per_day:
            return "the limit for this subject is reached"
        return ""

    def subject_rule(self, action: str) -> str:
        """Return `requester` or `named`."""
        return self._rule(action).subject

    def target(self, action: str) -> str:
        """Return the fulfilment system."""
        return self._rule(action).target

    def change(self, action: str, **facts: object) -> None:
        """Let an admin change the map."""
        self.rules[action] = replace(self._rule(action), **facts)  # type: ignore[arg-type]  # facts of FixedRule by name

    def _rule(self, action: str) -> FixedRule:
        if action not in self.rules:
            raise ConfigurationError(f"the map has no action {action!r}")
        return self.rules[action]


def gate_policy(groups: Mapping[str, str], *, name: str = "owners") -> GatePolicy:
    """Return the terms of a change gate without a window, ten days long."""
    return GatePolicy(
        authority=Authority(name=name, groups=groups),
        remind=timedelta(days=2),
        tell_after=timedelta(days=5),
        tell_whom="it-management@example.test",
    )


class PlainRenderer:
    """The PlanRenderer port in plain words."""

    def render_plan(self, plan: Plan, context: PlanContext) -> PlanText:
        """Return the texts; the exact document stands in the implementation."""
        bound = plan.bound
        what = f"{bound.action} for {bound.subject.name}"
        exact = json.dumps(plan.document(), sort_keys=True)
        return PlanText(
            short_description=f"{what} ({plan.ticket.key})",
            description=f"{what}\n{context.ticket.short_description}",
            justification=f"Asked by {plan.requester_name}. " + " ".join(plan.reasons),
            risk_and_impact=f"Tier {int(plan.tier)}",
            implementation=f"1. {what}\n2. Read back.\n{exact}\nDigest {plan.digest}",
            test="Read back.",
            backout=str(context.action.backout),
        )

    def render(self, template: str, facts: TemplateFacts) -> str:
        """Return the template's name and the facts that have a value."""
        known = {name: value for name, value in facts.items() if value not in ("", None, [], {})}
        return f"{template}\n" + "\n".join(f"{name}: {known[name]}" for name in sorted(known))
