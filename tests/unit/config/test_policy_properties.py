"""The promises of a decision, over facts and rules that nobody thought of."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from config.policy import STRICTNESS, CompiledTierMap
from config.tier_map import compile_tier_map
from engine.domain.action import Catalogue, Tier
from engine.domain.canonical import JSON
from engine.domain.decision import Decision, DecisionFacts, Phase
from engine.domain.stage import Gate

HEAD = """\
version: 1
authorities: {owners: {servicenow: a}, desk: {servicenow: b}}
gate: {authority: owners, desk: desk, expires: 10d}
calendars: {office: {timezone: Europe/Berlin, hours: "Mon-Fri 08:00-18:00"}}
freezes: [{name: F, from: 2026-12-18, to: 2027-01-04, tiers: [1, 2, 3]}]
roles: {developer: {department: Engineering, groups: [git-users]}}
actions:
"""
ACTION = """\
  %s:
    does: It
    risk: {blast_radius: %d, irreversibility: %d, regulatory: %d}
    target: d
    phase: %s
    subject: %s
    limits: {per_subject: 2/day}
"""
RULES = (
    "subject.vip",
    'action == "reset_password" && subject.vip',
    'action == "add_group_member" && !params.group.ordinary',
    "ticket.major_incident || ticket.security",
    'subject.kind == "service"',
    '"admins" in subject.groups',
    "has(params.until)",
    "!calendar.office",
    "!subject_is_requester",
    'requester.department != subject.department && action.startsWith("add")',
    "size(subject.groups) > 3",
    'subject.groups.exists(g, g == "x")',
    "params.group.members > 5",
)

text = st.text(max_size=12)
truth = st.booleans()
person = st.fixed_dictionaries(
    {},
    optional={
        "key": text,
        "kind": st.sampled_from(["person", "service", ""]),
        "department": st.sampled_from(["Engineering", "Finance"]),
        "manager": text,
        "vip": st.one_of(truth, st.sampled_from(["true", "false", "maybe"])),
        "active": truth,
        "groups": st.lists(st.sampled_from(["admins", "x", "y"]), max_size=5),
        "nonsense": st.integers(min_value=-(2**40), max_value=2**40),
    },
)
groups = st.fixed_dictionaries(
    {},
    optional={
        "id": text,
        "name": st.sampled_from(["git-users", "PROD-DB-Admins"]),
        "ordinary": st.one_of(truth, st.sampled_from(["true", "false", "x"])),
        "nested": truth,
        "members": st.sampled_from(["6", "many", 3]),
    },
)
tickets = st.fixed_dictionaries(
    {},
    optional={
        "system": text,
        "kind": text,
        "channel": text,
        "catalog_item": text,
        "major_incident": truth,
        "security": truth,
        "short_description": text,
        "description": text,
    },
)
instants = st.integers(0, 730 * 24).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)
all_facts = st.builds(
    DecisionFacts,
    action=st.sampled_from(
        [
            "reset_password",
            "unlock_account",
            "add_group_member",
            "disable_account",
            "",
            "unheard_of",
        ]
    ),
    confidence=st.floats(min_value=0, max_value=1),
    is_authenticated=truth,
    subject_is_requester=truth,
    ticket=tickets,
    requester=person,
    subject=person,
    params=st.fixed_dictionaries({}, optional={"group": groups, "until": text, "other": text}),
    uses=st.fixed_dictionaries({}, optional={"subject_day": st.integers(0, 5)}),
    ticket_created_at=instants,
    at=instants,
)
rules = st.lists(
    st.tuples(
        st.sampled_from(RULES),
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from([None, "desk", "change", "person"]),
        st.sampled_from([None, None, "owners", "desk"]),
    ).filter(lambda rule: rule[1] is not None or rule[2] is not None),
    max_size=5,
)


def build(
    catalogue: Catalogue, chosen: list[tuple[str, int | None, str | None, str | None]], phase: Phase
) -> CompiledTierMap:
    actions = "".join(
        ACTION
        % (
            name,
            spec.least_risk.blast_radius,
            spec.least_risk.irreversibility,
            spec.least_risk.regulatory,
            phase,
            "named" if spec.parameters else "requester",
        )
        for name, spec in catalogue.items()
    )
    lines = "".join(
        f"  - when: '{when}'\n    because: B\n"
        + (f"    tier: {tier}\n" if tier else "")
        + (f"    gate: {gate}\n" if gate else "")
        + (f"    authority: {authority}\n" if authority else "")
        for when, tier, gate, authority in chosen
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tiers.yaml"
        path.write_text(HEAD + actions + (f"rules:\n{lines}" if lines else ""), "utf-8")
        return compile_tier_map(path, catalogue)


def rank(decision: Decision) -> tuple[int, int]:
    return int(decision.tier), STRICTNESS[decision.gate]


@settings(max_examples=60, deadline=None)
@given(
    chosen=rules,
    added=rules.filter(bool),
    place=st.integers(0, 5),
    facts=all_facts,
    phase=st.sampled_from(Phase),
)
def test_adding_a_rule_never_lowers_tier_or_gate(
    catalogue: Catalogue,
    chosen: list[tuple[str, int | None, str | None, str | None]],
    added: list[tuple[str, int | None, str | None, str | None]],
    place: int,
    facts: DecisionFacts,
    phase: Phase,
) -> None:
    more = [*chosen[:place], *added, *chosen[place:]]
    before = build(catalogue, chosen, phase).decide(facts)
    after = build(catalogue, more, phase).decide(facts)
    assert rank(after)[0] >= rank(before)[0]
    assert rank(after)[1] >= rank(before)[1]


@settings(max_examples=150, deadline=None)
@given(chosen=rules, facts=all_facts, phase=st.sampled_from(Phase))
def test_a_decision_is_total_and_holds_together(
    catalogue: Catalogue,
    chosen: list[tuple[str, int | None, str | None, str | None]],
    facts: DecisionFacts,
    phase: Phase,
) -> None:
    policy = build(catalogue, chosen, phase)
    decision = policy.decide(facts)
    assert decision == policy.decide(facts)
    assert decision.gate is not Gate.UNDECIDED
    assert (decision.gate is Gate.PERSON) == bool(decision.hand_over)
    assert decision.gate.needs_approval == (decision.policy is not None)
    assert decision.reasons
    assert decision.tier_map_digest == policy.digest
    if decision.action in catalogue:
        assert decision.tier >= catalogue[decision.action].least_risk.floor
    if decision.tier is Tier.THREE:
        assert decision.gate in {Gate.CHANGE, Gate.PERSON}
    if decision.gate is Gate.NONE:
        assert facts.is_authenticated
        assert phase is not Phase.GATED


@settings(max_examples=150, deadline=None)
@given(
    chosen=rules,
    facts=all_facts,
    words=st.tuples(text, text, text),
    phase=st.sampled_from(Phase),
)
def test_other_words_never_change_a_decision_for_the_same_request(
    catalogue: Catalogue,
    chosen: list[tuple[str, int | None, str | None, str | None]],
    facts: DecisionFacts,
    words: tuple[str, str, str],
    phase: Phase,
) -> None:
    policy = build(catalogue, chosen, phase)
    written: dict[str, JSON] = dict(
        zip(("short_description", "description", "category"), words, strict=True)
    )
    reworded = replace(facts, ticket={**facts.ticket, **written})
    one, other = policy.decide(facts), policy.decide(reworded)
    assert (one.tier, one.gate, one.reasons) == (other.tier, other.gate, other.reasons)


@settings(max_examples=100, deadline=None)
@given(chosen=rules, facts=all_facts, confidence=st.floats(min_value=0, max_value=1))
def test_confidence_alone_never_moves_the_tier(
    catalogue: Catalogue,
    chosen: list[tuple[str, int | None, str | None, str | None]],
    facts: DecisionFacts,
    confidence: float,
) -> None:
    policy = build(catalogue, chosen, Phase.AUTOMATIC)
    later = replace(facts, confidence=confidence, at=facts.at + timedelta(0))
    assert policy.decide(facts).tier is policy.decide(later).tier
