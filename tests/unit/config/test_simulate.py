from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from config.document import load_document
from config.schemas import FOLDER, MODELS, schema, schema_text
from config.simulate import check_tier_map, explain, simulate
from config.tier_map import compile_tier_map
from engine.domain.action import Catalogue
from engine.domain.canonical import JSON
from engine.domain.classification import Classification, ClassifierInput
from engine.domain.decision import DecisionFacts

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


class WordClassifier:
    """Knows one word."""

    @property
    def model(self) -> str:
        return "word"

    def classify(self, texts: Sequence[ClassifierInput]) -> tuple[Classification, ...]:
        return tuple(
            Classification(
                intent="reset_password" if "password" in text.short_description else "",
                candidate="reset_password",
                confidence=0.99,
                evidence=(),
                model="word",
            )
            for text in texts
        )


def test_the_shipped_map_is_good_and_its_tests_pass(
    default_map: Path, catalogue: Catalogue
) -> None:
    systems = {"servicenow", "jira", "corporate-directory"}
    report = check_tier_map(default_map, catalogue, WordClassifier(), systems)
    assert report.is_good
    assert report.findings == ()
    assert [result.name for result in report.tests if not result.has_passed] == []
    assert len(report.tests) == 8


def test_tests_from_text_say_that_they_need_a_classifier(
    default_map: Path, catalogue: Catalogue
) -> None:
    report = check_tier_map(default_map, catalogue)
    skipped = [result for result in report.tests if result.skipped]
    assert len(skipped) == 3
    assert not any(result.has_passed for result in skipped)
    assert report.is_good


def test_a_failing_test_says_what_differs_and_where(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.yaml"
    text = default_map.read_text("utf-8")
    wrong = "expect: {tier: 1, gate: none, reason: moon}"
    path.write_text(text.replace("expect: {tier: 3, gate: change}", wrong), "utf-8")
    report = check_tier_map(path, catalogue)
    (failed,) = [result for result in report.tests if result.differences]
    assert failed.differences == (
        "tier is 3, expected 1",
        "gate is change, expected none",
        "no reason says 'moon'",
    )
    assert failed.place.file == str(path)
    assert not report.is_good


def test_mistakes_come_as_findings_and_not_as_an_exception(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    path = tmp_path / "tiers.yaml"
    path.write_text("version: 1\n", "utf-8")
    report = check_tier_map(path, catalogue)
    assert not report.is_good
    assert report.digest == ""
    assert {finding.message for finding in report.findings} == {
        'missing key "authorities"',
        'missing key "gate"',
        'missing key "actions"',
    }


def test_what_is_probably_not_meant_is_said(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.yaml"
    text = default_map.read_text("utf-8")
    path.write_text(
        text.replace("requester: authenticated ", "requester: any ", 1)
        .replace("    max_age: 24h\n", "", 1)
        .replace("gate:  ", "gate: ", 1)
        .replace("authorities: ", "authorities:\n  spare: {servicenow: x}\n# ", 1),
        "utf-8",
    )
    report = check_tier_map(path, catalogue)
    messages = " ".join(finding.message for finding in report.findings)
    assert "runs for requesters whom the record does not authenticate" in messages
    assert "has no max_age" in messages
    assert "authority spare is not used" in messages
    assert not any(finding.is_error for finding in report.findings)


def facts(action: str) -> DecisionFacts:
    person: dict[str, JSON] = {
        "key": "1",
        "kind": "person",
        "vip": True,
        "department": "",
        "groups": (),
    }
    return DecisionFacts(
        action=action,
        confidence=0.99,
        is_authenticated=True,
        subject_is_requester=True,
        ticket={"major_incident": False, "security": False},
        requester=person,
        subject=person,
        params={},
        uses={},
        ticket_created_at=AT - timedelta(minutes=1),
        at=AT,
    )


def test_an_explanation_gives_the_outcome_and_every_reason(
    default_map: Path, catalogue: Catalogue
) -> None:
    told = explain(compile_tier_map(default_map, catalogue), facts("unlock_account"))
    assert told.summary.startswith("unlock_account: tier 3, waits for an approved change")
    assert told.lines[0] == "floor: Floor of unlock_account -> tier 1"
    assert any("Accounts of executives" in line for line in told.lines)


def test_a_changed_map_shows_where_it_decides_otherwise(
    default_map: Path, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "tiers.yaml"
    text = default_map.read_text("utf-8")
    path.write_text(text.replace("gate: desk ", "gate: person ", 1), "utf-8")
    before, after = compile_tier_map(default_map, catalogue), compile_tier_map(path, catalogue)
    (difference,) = simulate(before, after, [facts("reset_password"), facts("unlock_account")])
    assert difference.facts.action == "reset_password"
    assert difference.is_stricter


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_shipped_schema_is_the_one_of_the_code(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text("utf-8") == schema_text(name)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_shipped_file_fits_its_schema(name: str, default_map: Path) -> None:
    document = load_document(default_map.with_name(f"{name}.yaml"))
    jsonschema.validate(document.data, schema(name))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document.data, "unheard_of": 1}, schema(name))
