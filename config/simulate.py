"""Library of `tiers check`, `explain` and `simulate`: findings, tests, reasons, what-ifs."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import cast

from config.policy import STRICTNESS, CompiledTierMap
from config.problems import InvalidConfigurationError
from config.tier_map import LoadedTierMap, load_tier_map
from config.tier_models import CaseSection
from config.units import parse_instant, parse_zone
from engine.domain.action import Catalogue, Tier
from engine.domain.canonical import JSON
from engine.domain.classification import Classification, ClassifierInput
from engine.domain.decision import Decision, DecisionFacts, Phase
from engine.domain.stage import Gate
from engine.errors import ConfigurationError, Place
from engine.ports.brains import Classifier, TierPolicy

_NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
_ORDINARY_TICKET: Mapping[str, JSON] = MappingProxyType(
    {
        "system": "test",
        "kind": "service_request",
        "channel": "portal",
        "catalog_item": "",
        "major_incident": False,
        "security": False,
    }
)
_ORDINARY_PERSON: Mapping[str, JSON] = MappingProxyType(
    {
        "key": "test",
        "kind": "person",
        "department": "",
        "manager": "",
        "vip": False,
        "active": True,
        "groups": (),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFinding:
    """One thing to mend or to know, with its place; `is_error` keeps the map from being used."""

    place: Place | None
    message: str
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How one test of the map went; `skipped` says why it could not run."""

    place: Place
    name: str
    differences: tuple[str, ...]
    decision: Decision | None
    skipped: str = ""

    @property
    def has_passed(self) -> bool:
        """Whether the test ran and met every expectation."""
        return not self.differences and not self.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReport:
    """Everything `tiers check` tells; `digest` is "" when the map cannot be used."""

    file: str
    digest: str
    findings: tuple[MapFinding, ...]
    tests: tuple[CaseResult, ...]

    @property
    def is_good(self) -> bool:
        """Whether the map can be used and no test failed."""
        return not any(finding.is_error for finding in self.findings) and not any(
            result.differences for result in self.tests
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision in sentences, for people: the outcome first, then every reason in order."""

    decision: Decision
    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One set of facts on which two maps disagree."""

    facts: DecisionFacts
    before: Decision
    after: Decision

    @property
    def is_stricter(self) -> bool:
        """Whether the later map asks for more approval."""
        return (self.after.tier, STRICTNESS[self.after.gate]) > (
            self.before.tier,
            STRICTNESS[self.before.gate],
        )


def check_tier_map(
    path: Path,
    catalogue: Catalogue,
    classifier: Classifier | None = None,
    systems: Collection[str] | None = None,
) -> MapReport:
    """Lint a tier map and run its tests; never raises for what is wrong in the file.

    Tests that start from a ticket's text need `classifier`; without one they say so and skip.
    """
    try:
        loaded = load_tier_map(path, catalogue, systems)
    except InvalidConfigurationError as error:
        findings = tuple(_finding(problem) for problem in error.problems)
        return MapReport(file=str(path), digest="", findings=findings, tests=())
    return MapReport(
        file=str(path),
        digest=loaded.policy.digest,
        findings=tuple(_advice(loaded, catalogue)),
        tests=tuple(_run_all(loaded, classifier)),
    )


def explain(policy: TierPolicy, facts: DecisionFacts) -> Explanation:
    """Return the decision with every reason as a sentence."""
    decision = policy.decide(facts)
    gates: Mapping[Gate, str] = {
        Gate.UNDECIDED: "is undecided",
        Gate.NONE: "runs without asking anybody",
        Gate.DESK: "waits for an agent to accept it on the ticket",
        Gate.CHANGE: "waits for an approved change",
        Gate.PERSON: "is handed over to a person",
    }
    name = decision.action or "no action"
    summary = f"{name}: tier {int(decision.tier)}, {gates[decision.gate]}"
    if decision.phase is Phase.OBSERVE:
        summary += " (phase observe: nothing is written)"
    lines = tuple(
        f"{reason.rule}: {reason.because}"
        + (f" -> tier {int(reason.tier)}" if reason.tier else "")
        + (f" -> gate {reason.gate}" if reason.gate else "")
        for reason in decision.reasons
    )
    return Explanation(decision=decision, summary=summary, lines=lines)


def simulate(
    before: TierPolicy, after: TierPolicy, facts: Iterable[DecisionFacts]
) -> tuple[Difference, ...]:
    """Return where a changed map would have decided otherwise on facts that were stored."""
    found: list[Difference] = []
    for one in facts:
        old, new = before.decide(one), after.decide(one)
        if (old.tier, old.gate, old.phase) != (new.tier, new.gate, new.phase):
            found.append(Difference(facts=one, before=old, after=new))
    return tuple(found)


def _finding(problem: ConfigurationError) -> MapFinding:
    text = str(problem)
    message = text.removeprefix(f"{problem.place}: ") if problem.place else text
    return MapFinding(place=problem.place, message=message, is_error=True)


def _advice(loaded: LoadedTierMap, catalogue: Catalogue) -> Iterable[MapFinding]:
    """Yield what is allowed and probably not meant."""
    document = loaded.document
    for name in sorted(set(catalogue) - set(loaded.file.actions)):
        place = document.place(("actions",), key=True)
        message = f"the catalogue also has {name}; without an entry it is always handed over"
        yield MapFinding(place=place, message=message, is_error=False)
    for name, action in loaded.policy.actions.items():
        at = ("actions", name)
        section = action.section
        if not section.examples and not section.catalog_items:
            message = f"{name} has neither examples nor catalog items; no ticket will ever mean it"
            yield MapFinding(place=document.place(at, key=True), message=message, is_error=False)
        if section.requester == "any" and action.risk.floor is not Tier.THREE:
            place = document.place((*at, "requester"))
            message = f"{name} runs for requesters whom the record does not authenticate"
            yield MapFinding(place=place, message=message, is_error=False)
        if section.max_age is None:
            message = f"{name} has no max_age; tickets of any age are acted on"
            yield MapFinding(place=document.place(at, key=True), message=message, is_error=False)
    used = {rule.authority for rule in loaded.policy.rules} | {
        name
        for action in loaded.policy.actions.values()
        for name in (
            action.gate_policy.authority.name,
            action.gate_policy.desk_group.name if action.gate_policy.desk_group else "",
        )
    }
    for name in sorted(set(loaded.file.authorities) - used):
        place = document.place(("authorities", name), key=True)
        yield MapFinding(place=place, message=f"authority {name} is not used", is_error=False)


def _run_all(loaded: LoadedTierMap, classifier: Classifier | None) -> Iterable[CaseResult]:
    for number, case in enumerate(loaded.file.tests):
        place = loaded.document.place(("tests", number))
        name = case.name or case.ticket.short_description or f"test {number + 1}"
        yield _run(case, loaded.policy, classifier, place=place, name=name)


def _run(
    case: CaseSection,
    policy: CompiledTierMap,
    classifier: Classifier | None,
    *,
    place: Place,
    name: str,
) -> CaseResult:
    understood: Classification | None = None
    if case.ticket.action is None:
        if classifier is None:
            skipped = "needs a classifier, because it starts from the ticket's text"
            return CaseResult(
                place=place, name=name, differences=(), decision=None, skipped=skipped
            )
        text = ClassifierInput(
            short_description=case.ticket.short_description, description=case.ticket.description
        )
        (understood,) = classifier.classify([text])
    try:
        facts = _facts(case, understood)
    except ValueError as error:
        return CaseResult(place=place, name=name, differences=(str(error),), decision=None)
    decision = policy.decide(facts)
    return CaseResult(
        place=place, name=name, differences=tuple(_differences(case, decision)), decision=decision
    )


def _differences(case: CaseSection, decision: Decision) -> Iterable[str]:
    expect = case.expect
    if expect.action is not None and expect.action != (decision.action or "none"):
        yield f"action is {decision.action or 'none'}, expected {expect.action}"
    if expect.tier is not None and expect.tier != int(decision.tier):
        yield f"tier is {int(decision.tier)}, expected {expect.tier}"
    if expect.gate is not None and expect.gate != str(decision.gate):
        yield f"gate is {decision.gate}, expected {expect.gate}"
    if expect.reason is not None and not any(
        expect.reason in reason.because for reason in decision.reasons
    ):
        yield f"no reason says {expect.reason!r}"


def _facts(case: CaseSection, understood: Classification | None) -> DecisionFacts:
    ticket = case.ticket
    at = parse_instant(ticket.at, parse_zone("UTC")) if ticket.at else _NOON
    requester = {**_ORDINARY_PERSON, **_json(ticket.requester)}
    subject = requester
    if ticket.subject is not None:
        subject = {**_ORDINARY_PERSON, "key": "other", **_json(ticket.subject)}
    return DecisionFacts(
        action=understood.intent if understood else ticket.action or "",
        confidence=understood.confidence if understood else float(ticket.confidence),
        is_authenticated=ticket.authenticated,
        subject_is_requester=ticket.subject is None,
        ticket={**_ORDINARY_TICKET, **_json(ticket.facts)},
        requester=requester,
        subject=subject,
        params=_json(ticket.params),
        uses=MappingProxyType({}),
        ticket_created_at=at - (ticket.age or timedelta(0)),
        at=at,
    )


def _json(value: Mapping[str, object]) -> dict[str, JSON]:
    """Return facts of a test as JSON; the file holds nothing else than plain YAML values."""
    return {key: cast("JSON", item) for key, item in value.items()}
