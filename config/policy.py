"""The compiled tier map: facts in, decision out; no I/O, no clock, total over its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from config.expressions import EvaluationError, Expression
from config.facts import RuleView
from config.tier_models import ActionSection, RoleSection, RoutingSection
from engine.domain.action import ActionSpec, RiskScores, Tier
from engine.domain.calendar import Calendar
from engine.domain.canonical import JSON
from engine.domain.decision import (
    Authority,
    Decision,
    DecisionFacts,
    DeliveryPolicy,
    Freeze,
    GatePolicy,
    Phase,
    Reason,
)
from engine.domain.stage import Gate
from engine.errors import ConfigurationError
from engine.ports.training import ActionExamples, CatalogForm, RouteExamples, TrainingSet

STRICTNESS: Mapping[Gate, int] = {
    Gate.UNDECIDED: -1,
    Gate.NONE: 0,
    Gate.DESK: 1,
    Gate.CHANGE: 2,
    Gate.PERSON: 3,
}
"""Person before change before desk before none; UNDECIDED is no answer of a policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One compiled rule; `number` counts from 1 in the file, as reasons name it."""

    number: int
    when: Expression
    because: str
    tier: Tier | None
    gate: Gate | None
    authority: str | None

    @property
    def name(self) -> str:
        """The rule's name in reasons."""
        return f"rule {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPolicy:
    """What the map says of one action, beside the code's own specification."""

    spec: ActionSpec
    section: ActionSection
    risk: RiskScores
    tier_two_gate: Gate
    gate_policy: GatePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFreeze:
    """A freeze and the tiers it holds."""

    freeze: Freeze
    tiers: frozenset[Tier]


@dataclass(slots=True)
class _Tally:
    """Collects reasons; tier and gate only ever rise."""

    tier: Tier
    gate: Gate = Gate.NONE
    reasons: list[Reason] = field(default_factory=list[Reason])
    hand_over: str = ""
    authorities: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, reason: Reason) -> None:
        self.reasons.append(reason)
        if reason.tier is not None:
            self.tier = max(self.tier, reason.tier)
        if reason.gate is not None:
            self.gate = stricter(self.gate, reason.gate)
            if reason.gate is Gate.PERSON:  # the first doubt is the sentence people read
                self.hand_over = self.hand_over or reason.because

    def doubt(self, rule: str, because: str) -> None:
        """Hand over, whatever tier was reached."""
        self.add(Reason(rule=rule, because=because, gate=Gate.PERSON))


def stricter(one: Gate, other: Gate) -> Gate:
    """Return the stricter of two gates."""
    return one if STRICTNESS[one] >= STRICTNESS[other] else other


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledTierMap:
    """A tier map ready to decide; implements `engine.ports.brains.TierPolicy`."""

    digest: str
    actions: Mapping[str, ActionPolicy]
    rules: tuple[Rule, ...]
    roles: Mapping[str, RoleSection]
    freezes: tuple[TierFreeze, ...]
    calendars: Mapping[str, Calendar]
    authorities: Mapping[str, Authority]
    routing: tuple[RoutingSection, ...]
    view: RuleView

    def decide(self, facts: DecisionFacts) -> Decision:
        """Return the decision; the highest tier and the strictest gate win, doubt hands over."""
        action = self.actions.get(facts.action)
        if action is None:
            because = (
                f"No entry of the tier map covers {facts.action!r}"
                if facts.action
                else "No action of the catalogue fits this ticket"
            )
            return Decision(
                tier=Tier.THREE,
                gate=Gate.PERSON,
                action=facts.action,
                reasons=(Reason(rule="catalogue", because=because, gate=Gate.PERSON),),
                phase=Phase.OBSERVE,
                tier_map_digest=self.digest,
                policy=None,
                hand_over=because,
                facts=facts,
            )
        return self._decide(action, facts)

    def subject_rule(self, action: str) -> str:
        """Return `requester` or `named`.

        Raises:
            ConfigurationError: The map has no such action.
        """
        return self._action(action).section.subject

    def target(self, action: str) -> str:
        """Return the system that the map binds the action to.

        Raises:
            ConfigurationError: The map has no such action.
        """
        return self._action(action).section.target

    def phase(self, action: str) -> Phase:
        """Return the action's phase on this installation.

        Raises:
            ConfigurationError: The map has no such action.
        """
        return self._action(action).section.phase

    def training(self, *, seed: int, threshold: float | None, novelty: float | None) -> TrainingSet:
        """Return what a classifier learns from this map."""
        return TrainingSet(
            actions=tuple(
                ActionExamples(
                    name=name,
                    phrases=action.section.examples,
                    parameters=action.spec.parameters,
                    subject_rule=action.section.subject,
                    route=action.section.route.model_dump(exclude_none=True),
                    forms=tuple(
                        CatalogForm(
                            id=item.id, variables=dict(item.variables), subject=item.subject
                        )
                        for item in action.section.catalog_items
                    ),
                )
                for name, action in sorted(self.actions.items())
            ),
            routes=tuple(
                RouteExamples(
                    route=section.route.model_dump(exclude_none=True), phrases=section.examples
                )
                for section in self.routing
            ),
            seed=seed,
            threshold=threshold,
            novelty=novelty,
        )

    def _action(self, action: str) -> ActionPolicy:
        found = self.actions.get(action)
        if found is None:
            raise ConfigurationError(f"the tier map has no action {action!r}")
        return found

    def _decide(self, action: ActionPolicy, facts: DecisionFacts) -> Decision:
        section = action.section
        tally = _Tally(tier=Tier.ONE)
        tally.add(Reason(rule="floor", because=f"Floor of {facts.action}", tier=action.risk.floor))
        documents = self.view.of(facts, action.spec, section.ordinary)
        self._apply_rules(documents, tally)
        _apply_limits(section, facts, tally)
        if tally.tier is Tier.THREE:
            tally.add(
                Reason(
                    rule="tier",
                    because="Tier 3 waits for an approved change",
                    gate=stricter(Gate.CHANGE, action.tier_two_gate),
                )
            )
        elif tally.tier is Tier.TWO:
            self._apply_roles(action, documents, tally)
        if section.phase is Phase.GATED and tally.gate is Gate.NONE:
            because = "The action is in phase gated: an agent accepts it first"
            tally.add(Reason(rule="phase", because=because, gate=Gate.DESK))
        if section.phase is Phase.OBSERVE:
            because = "The action is in phase observe: nothing is written"
            tally.add(Reason(rule="phase", because=because))
        self._apply_freezes(facts, tally)
        policy = self._gate_policy(action, tally)

        return Decision(
            tier=tally.tier,
            gate=tally.gate,
            action=facts.action,
            reasons=tuple(tally.reasons),
            phase=section.phase,
            tier_map_digest=self.digest,
            policy=policy,
            hand_over=tally.hand_over,
            delivery=_delivery(section),
            risk=action.risk,
            facts=facts,
        )

    def _apply_rules(self, documents: Mapping[str, JSON], tally: _Tally) -> None:
        for rule in self.rules:
            try:
                if not rule.when.holds(documents):
                    continue
            except EvaluationError as error:
                tally.doubt(rule.name, f"{rule.name} of the tier map cannot be judged ({error})")
                continue
            tally.add(Reason(rule=rule.name, because=rule.because, tier=rule.tier, gate=rule.gate))
            if rule.authority is not None:
                tally.authorities[rule.authority] = rule.name

    def _apply_roles(
        self, action: ActionPolicy, documents: Mapping[str, JSON], tally: _Tally
    ) -> None:
        for name, role in sorted(self.roles.items()):
            if covers(role, action.spec, documents):
                because = f"The role template {name} of the subject covers it"
                tally.add(Reason(rule=f"role {name}", because=because))
                return
        because = "No role template of the subject covers it"
        tally.add(Reason(rule="role", because=because, gate=action.tier_two_gate))

    def _apply_freezes(self, facts: DecisionFacts, tally: _Tally) -> None:
        if tally.gate is not Gate.NONE:
            return  # what waits for approval is held by its policy's freezes, at its own time
        for held in self.freezes:
            if tally.tier in held.tiers and held.freeze.covers(facts.at):
                tally.doubt("freeze", f"Frozen: {held.freeze.name}")

    def _gate_policy(self, action: ActionPolicy, tally: _Tally) -> GatePolicy | None:
        if len(tally.authorities) > 1:
            names = ", ".join(sorted(tally.authorities))
            tally.doubt("authority", f"Rules name different authorities: {names}")
        if not tally.gate.needs_approval:
            return None
        policy = action.gate_policy
        authority = next(iter(tally.authorities), None)
        return replace(
            policy,
            authority=self.authorities[authority] if authority else policy.authority,
            freezes=tuple(held.freeze for held in self.freezes if tally.tier in held.tiers),
        )


def _delivery(section: ActionSection) -> DeliveryPolicy | None:
    if section.deliver is None:
        return None
    return DeliveryPolicy(
        attribute=section.deliver.attribute, or_manager=section.deliver.otherwise == "manager"
    )


def _apply_limits(section: ActionSection, facts: DecisionFacts, tally: _Tally) -> None:
    """Add every doubt that hands over: confidence, authenticity, subject, age, how often."""
    if not facts.confidence >= section.confidence:  # also true for a NaN
        because = f"Confidence {facts.confidence:.3f} is below {section.confidence:.3f}"
        tally.doubt("confidence", because)
    if section.requester == "authenticated" and not facts.is_authenticated:
        tally.doubt("requester", "The requester is not authenticated by the record")
    if section.subject == "requester" and not facts.subject_is_requester:
        tally.doubt("subject", "It is about somebody else's account")
    age = facts.at - facts.ticket_created_at
    if section.max_age is not None and age > section.max_age:
        tally.doubt("age", f"The ticket is older than {_said(section.max_age)}")
    limits = section.limits
    per_subject, overall = facts.uses.get("subject_day", 0), facts.uses.get("overall_hour", 0)
    if limits.per_subject is not None and per_subject >= limits.per_subject:
        tally.doubt("limit", f"Already {per_subject} times for this account within a day")
    if limits.overall is not None and overall >= limits.overall:
        tally.doubt("limit", f"Already {overall} times within an hour")


def covers(role: RoleSection, spec: ActionSpec, documents: Mapping[str, JSON]) -> bool:
    """Whether a role template of the subject covers exactly these ordinary groups."""
    if spec.name not in role.actions:
        return False
    subject = documents["subject"]
    if not isinstance(subject, Mapping) or subject.get("kind") != role.kind:
        return False
    if role.department is not None and subject.get("department") != role.department:
        return False
    params = documents["params"]
    groups = (
        [value for value in params.values() if isinstance(value, Mapping)]
        if isinstance(params, Mapping)
        else []
    )
    allowed = {name.casefold() for name in role.groups}
    return bool(groups) and all(
        group.get("ordinary") is True
        and bool({str(group.get(key, "")).casefold() for key in ("id", "name")} & allowed)
        for group in groups
    )


def _said(duration: timedelta) -> str:
    hours = duration.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"  # noqa: PLR2004  two days
