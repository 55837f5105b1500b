"""Real texts: a thousand tickets, the demo incidents, five hundred that no catalogue covers."""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.ai.local import LocalClassifier
from engine.domain.classification import Classification, ClassifierInput

pytestmark = pytest.mark.shared


def order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def acted_on(
    classifier: LocalClassifier,
    texts: Sequence[ClassifierInput],
    record: Callable[[str, object], None],
) -> list[tuple[ClassifierInput, Classification]]:
    """Classify everything; list every text given an action in the test's report."""
    answers = classifier.classify(texts)
    assert len(answers) == len(texts)
    acted = [(text, answer) for text, answer in zip(texts, answers, strict=True) if answer.intent]
    for text, answer in acted:
        record(answer.intent, f"{text.short_description} {text.description}"[:200])
        whole = f"{text.short_description}\n{text.description}"
        assert answer.evidence
        assert all(quote in whole for quote in answer.evidence)
    for answer in answers:
        assert bool(answer.intent) != (answer.abstained is not None)
    return acted


def test_of_a_thousand_tickets_few_are_given_an_action_and_all_speak_of_it(
    shared: Path, classifier: LocalClassifier, record_property: Callable[[str, object], None]
) -> None:
    with gzip.open(shared / "data/topicgroup47k/topicgroup47k.csv.gz", "rt", encoding="utf-8") as f:
        documents = sorted((row["Document"] for row in csv.DictReader(f)), key=order)[:1000]
    texts = [ClassifierInput(short_description="", description=text) for text in documents]
    acted = acted_on(classifier, texts, record_property)
    assert 0 < len(acted) <= 30
    words = {
        "reset_password": ("password", "credentials"),
        "unlock_account": ("lock",),
        "add_group_member": ("group", "member"),
        "remove_group_member": ("group", "member"),
        "disable_account": ("account", "user"),
    }
    for text, answer in acted:
        assert any(word in text.description for word in words[answer.intent])


def test_the_demo_incidents_are_left_to_people_but_for_the_password_ones(
    shared: Path, classifier: LocalClassifier, record_property: Callable[[str, object], None]
) -> None:
    path = shared / "data/servicenow_demo/incident_records.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    assert len(records) == 92
    texts = [
        ClassifierInput(
            short_description=shown(record, "short_description"),
            description=shown(record, "description"),
        )
        for record in records
    ]
    acted = acted_on(classifier, texts, record_property)
    assert len(acted) <= 5
    assert {answer.intent for _, answer in acted} <= {"reset_password", "unlock_account"}


def test_no_off_topic_text_is_given_an_action(
    shared: Path, classifier: LocalClassifier, record_property: Callable[[str, object], None]
) -> None:
    with gzip.open(shared / "data/off_topic/clinc_oos.csv.gz", "rt", encoding="utf-8") as file:
        outside = [row["text"] for row in csv.DictReader(file) if row["intent"] == "oos"]
    chosen = sorted(outside, key=order)[:500]
    assert len(chosen) == 500
    texts = [ClassifierInput(short_description=text, description="") for text in chosen]
    assert acted_on(classifier, texts, record_property) == []


def test_public_injection_strings_name_no_action(
    shared: Path, classifier: LocalClassifier, record_property: Callable[[str, object], None]
) -> None:
    path = shared / "data/injections/injections.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        strings = [json.loads(line)["text"] for line in file]
    chosen = sorted({text for text in strings if text}, key=order)[:500]
    texts = [ClassifierInput(short_description="", description=text) for text in chosen]
    assert acted_on(classifier, texts, record_property) == []


def shown(record: dict[str, object], name: str) -> str:
    value = record.get(name) or ""
    return str(value.get("display_value", "")) if isinstance(value, dict) else str(value)
