from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from config.policy import CompiledTierMap
from config.tier_map import compile_tier_map
from engine.domain.action import Catalogue, Tier
from engine.domain.canonical import JSON
from engine.domain.decision import ChangeKind, DecisionFacts, Phase
from engine.domain.stage import Gate
from engine.errors import ConfigurationError

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
PERSON: dict[str, JSON] = {
    "key": "1001",
    "kind": "person",
    "department": "Engineering",
    "manager": "1009",
    "vip": False,
    "active": True,
    "groups": [],
}
TICKET: dict[str, JSON] = {
    "system": "servicenow",
    "kind": "incident",
    "channel": "self-service",
    "catalog_item": "",
    "major_incident": False,
    "security": False,
}


def facts(action: str, **changes: Any) -> DecisionFacts:
    base = DecisionFacts(
        action=action,
        confidence=0.99,
        is_authenticated=True,
        subject_is_requester=True,
        ticket=TICKET,
        requester=PERSON,
        subject=PERSON,
        params={},
        uses={"subject_day": 0, "overall_hour": 0},
        ticket_created_at=AT - timedelta(minutes=5),
        at=AT,
    )
    return replace(base, **changes)


def group(name: str = "git-users", *, ordinary: JSON = True) -> dict[str, JSON]:
    return {"group": {"id": "91aa", "name": name, "ordinary": ordinary}}


@pytest.fixture(scope="module")
def automatic(
    default_map: Path, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> CompiledTierMap:
    return compiled(default_map, catalogue, tmp_path_factory.mktemp("map"), "automatic")


def compiled(
    default_map: Path, catalogue: Catalogue, folder: Path, phase: str, extra: str = ""
) -> CompiledTierMap:
    path = folder / "tiers.yaml"
    text = default_map.read_text("utf-8").replace("phase: observe", f"phase: {phase}")
    path.write_text(text.replace("rules: ", f"rules:\n{extra}", 1) if extra else text, "utf-8")
    return compile_tier_map(path, catalogue, {"servicenow", "jira", "corporate-directory"})


def test_a_tier_one_request_runs_without_asking(automatic: CompiledTierMap) -> None:
    decision = automatic.decide(facts("reset_password"))
    assert (decision.tier, decision.gate) == (Tier.ONE, Gate.NONE)
    assert decision.policy is None
    assert decision.hand_over == ""
    assert [reason.rule for reason in decision.reasons] == ["floor"]
    assert decision.delivery is not None
    assert decision.delivery.attribute == "privateMail"
    assert decision.delivery.or_manager


def test_a_role_template_lets_tier_two_pass(automatic: CompiledTierMap) -> None:
    decision = automatic.decide(facts("add_group_member", params=group()))
    assert (decision.tier, decision.gate) == (Tier.TWO, Gate.NONE)
    assert decision.reasons[-1].rule == "role developer"


@pytest.mark.parametrize(
    ("subject", "params"),
    [
        ({**PERSON, "department": "Finance"}, group()),
        ({**PERSON, "kind": "contractor"}, group()),
        (PERSON, group("finance-reports")),
    ],
)
def test_tier_two_outside_the_role_waits_for_a_change(
    automatic: CompiledTierMap, subject: dict[str, JSON], params: dict[str, JSON]
) -> None:
    decision = automatic.decide(facts("add_group_member", subject=subject, params=params))
    assert (decision.tier, decision.gate) == (Tier.TWO, Gate.CHANGE)
    assert decision.policy is not None
    assert decision.policy.authority.name == "identity-owners"


@pytest.mark.parametrize("ordinary", [False, "false", None, "unclear"])
def test_a_group_that_is_not_surely_ordinary_is_privileged(
    automatic: CompiledTierMap, ordinary: JSON
) -> None:
    decision = automatic.decide(facts("add_group_member", params=group(ordinary=ordinary)))
    assert (decision.tier, decision.gate) == (Tier.THREE, Gate.CHANGE)


def test_a_nested_group_is_never_ordinary(automatic: CompiledTierMap) -> None:
    params: dict[str, JSON] = {"group": {"name": "git-users", "ordinary": True, "nested": "true"}}
    assert automatic.decide(facts("add_group_member", params=params)).tier is Tier.THREE


def test_the_highest_tier_and_the_strictest_gate_win_and_every_reason_is_kept(
    automatic: CompiledTierMap,
) -> None:
    vip = {**PERSON, "vip": True}
    decision = automatic.decide(
        facts("add_group_member", subject=vip, params=group("PROD-DB-Admins", ordinary=False))
    )
    assert (decision.tier, decision.gate) == (Tier.THREE, Gate.CHANGE)
    assert [reason.rule for reason in decision.reasons] == ["floor", "rule 1", "rule 3", "tier"]


def test_a_desk_rule_puts_an_agent_before_a_tier_one_action(automatic: CompiledTierMap) -> None:
    decision = automatic.decide(facts("reset_password", subject={**PERSON, "vip": True}))
    assert (decision.tier, decision.gate) == (Tier.ONE, Gate.DESK)
    assert decision.policy is not None
    assert decision.policy.desk_group is not None
    assert decision.policy.desk_group.name == "service-desk"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"confidence": 0.9}, "Confidence 0.900 is below 0.970"),
        ({"confidence": float("nan")}, "Confidence nan is below 0.970"),
        ({"is_authenticated": False}, "The requester is not authenticated by the record"),
        ({"subject_is_requester": False}, "It is about somebody else's account"),
        ({"ticket_created_at": AT - timedelta(hours=25)}, "The ticket is older than 24 hours"),
        ({"uses": {"subject_day": 2}}, "Already 2 times for this account within a day"),
        ({"uses": {"overall_hour": 60}}, "Already 60 times within an hour"),
        ({"ticket": {**TICKET, "security": True}}, "Never automatic"),
        ({"ticket": {}}, "cannot be judged"),
        ({"subject": {}}, "cannot be judged"),
        ({"subject": {**PERSON, "vip": "perhaps"}}, "cannot be judged"),
        ({"action": ""}, "No action of the catalogue fits this ticket"),
        ({"action": "delete_everything"}, "No entry of the tier map covers"),
    ],
)
def test_doubt_hands_over_with_its_sentence(
    automatic: CompiledTierMap, change: dict[str, Any], sentence: str
) -> None:
    decision = automatic.decide(replace(facts("reset_password"), **change))
    assert decision.gate is Gate.PERSON
    assert sentence in decision.hand_over
    assert decision.policy is None


def test_a_limit_that_is_not_reached_hands_nothing_over(automatic: CompiledTierMap) -> None:
    decision = automatic.decide(facts("reset_password", uses={"subject_day": 1}))
    assert decision.gate is Gate.NONE


def test_phase_gated_puts_the_desk_before_what_would_run_alone(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    gated = compiled(default_map, catalogue, tmp_path, "gated")
    assert gated.decide(facts("unlock_account")).gate is Gate.DESK
    assert gated.decide(facts("add_group_member", params=group())).gate is Gate.DESK
    assert gated.decide(facts("disable_account")).gate is Gate.CHANGE
    assert gated.decide(facts("unlock_account", is_authenticated=False)).gate is Gate.PERSON


def test_phase_observe_decides_as_usual_and_says_so(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    observed = compiled(default_map, catalogue, tmp_path, "observe").decide(facts("unlock_account"))
    assert (observed.gate, observed.phase) == (Gate.NONE, Phase.OBSERVE)
    assert observed.reasons[-1].rule == "phase"


def test_the_gate_policy_carries_its_terms(automatic: CompiledTierMap) -> None:
    policy = automatic.decide(facts("disable_account")).policy
    assert policy is not None
    assert policy.change is ChangeKind.NORMAL
    assert policy.length == timedelta(hours=4)
    assert policy.expires == timedelta(days=10)
    assert policy.tell_whom == "it-management@example.com"
    assert [freeze.name for freeze in policy.freezes] == ["Year end"]
    assert policy.freezes[0].begins_at == datetime(2026, 12, 17, 23, tzinfo=UTC)
    assert policy.freezes[0].ends_at == datetime(2027, 1, 4, 23, tzinfo=UTC)


def test_a_freeze_holds_what_would_run_at_once(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.yaml"
    text = default_map.read_text("utf-8").replace("tiers: [3]", "tiers: [1, 3]")
    path.write_text(text, "utf-8")
    policy = compile_tier_map(path, catalogue)
    at = datetime(2026, 12, 24, 12, tzinfo=UTC)
    frozen = facts("unlock_account", at=at, ticket_created_at=at)
    assert policy.decide(frozen).hand_over == "Frozen: Year end"
    assert policy.decide(facts("unlock_account")).hand_over == ""


def test_rules_may_name_an_authority_but_not_two(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    one = "  - {when: subject.active, tier: 3, authority: service-desk, because: One}\n"
    two = "  - {when: subject.active, tier: 3, authority: identity-owners, because: Two}\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    named = compiled(default_map, catalogue, tmp_path / "a", "automatic", one)
    decision = named.decide(facts("disable_account"))
    assert decision.policy is not None
    assert decision.policy.authority.name == "service-desk"
    torn = compiled(default_map, catalogue, tmp_path / "b", "automatic", one + two)
    assert "different authorities" in torn.decide(facts("disable_account")).hand_over


def test_calendars_are_facts_of_rules(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    rule = "  - {when: '!calendar.office', gate: desk, because: Outside office hours}\n"
    policy = compiled(default_map, catalogue, tmp_path, "automatic", rule)
    night = datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert policy.decide(facts("unlock_account")).gate is Gate.NONE
    late = facts("unlock_account", at=night, ticket_created_at=night)
    assert policy.decide(late).gate is Gate.DESK


def test_the_policy_knows_subject_rule_target_and_phase(automatic: CompiledTierMap) -> None:
    assert automatic.subject_rule("reset_password") == "requester"
    assert automatic.subject_rule("disable_account") == "named"
    assert automatic.target("disable_account") == "corporate-directory"
    assert automatic.phase("disable_account") is Phase.AUTOMATIC
    with pytest.raises(ConfigurationError):
        automatic.target("delete_everything")


def test_the_training_set_holds_phrases_forms_and_routes(automatic: CompiledTierMap) -> None:
    training = automatic.training(seed=1, threshold=None, novelty=None)
    assert [action.name for action in training.actions] == sorted(automatic.actions)
    assert all(len(action.phrases) > 10 for action in training.actions)
    assert training.routes[0].route == {"category": "Network", "assignment_group": "Network"}
