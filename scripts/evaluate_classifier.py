"""Figures of the local classifier: the written paraphrases, and the real texts beside the checkout.

    python -P scripts/evaluate_classifier.py [--map FILE] [--examples FILE] [--show]

`--show` lists every example that was missed and every real text that was given an action.
"""

import argparse
import csv
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from config.tier_map import compile_tier_map
from connectors.ldap.actions import CATALOGUE
from engine.ai.evaluation import Report, Terms, evaluate, load_examples
from engine.ai.local import LocalClassifier
from engine.domain.classification import ClassifierInput

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
LEAST_SHARE = 0.8


def main() -> int:
    """Print the figures; exit 1 when an example runs wrongly or too few run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--map", type=Path, default=ROOT / "config/defaults/tiers.yaml")
    parser.add_argument("--examples", type=Path, default=ROOT / "tests/data/paraphrases.jsonl")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    policy = compile_tier_map(given.map, CATALOGUE)
    classifier = LocalClassifier(policy.training(seed=20261120, threshold=None, novelty=None))
    terms = {
        name: Terms(
            subject_rule=action.section.subject, confidence=float(action.section.confidence)
        )
        for name, action in policy.actions.items()
    }
    print(f"model {classifier.model}, tier map {policy.digest}")
    report = evaluate(classifier, load_examples(given.examples), terms)
    tell(report, is_shown=given.show)
    if SHARED.is_dir():
        for name, texts in real_texts():
            tell_real(classifier, name, texts, is_shown=given.show)
    else:
        print("no reference material beside the checkout: real texts are left out")
    return int(bool(report.wrong) or report.share < LEAST_SHARE)


def tell(report: Report, *, is_shown: bool) -> None:
    """Print a table over splits, languages and kinds, and what went wrong."""
    print(f"{'':24}{'texts':>6}{'should run':>12}{'right':>7}{'share':>8}{'wrong':>7}")
    groups: list[tuple[str, Report]] = [("all", report)]
    for field in ("split", "language", "kind", "action"):
        values = sorted({getattr(one.example, field) for one in report.judged})
        groups += [(f"{field} {value}", report.only(**{field: value})) for value in values]
    for name, part in groups:
        share = f"{part.share:8.1%}" if part.should_run else f"{'-':>8}"
        print(
            f"{name:24}{len(part.judged):6}{part.should_run:12}{part.right:7}{share}"
            f"{len(part.wrong):7}"
        )
    for one in report.wrong:
        print(f"WRONG {one.example.id}: {one.answer.intent} for {one.example.action}")
    if is_shown:
        for one in report.judged:
            if one.example.action != "none" and not one.is_right:
                text = f"{one.example.text.short_description} / {one.example.text.description}"
                print(f"missed {one.example.id} {one.example.action}: {text}")
                print(f"       {one.answer.candidate}: {one.answer.abstained_because}")


def tell_real(
    classifier: LocalClassifier, name: str, texts: Sequence[ClassifierInput], *, is_shown: bool
) -> None:
    """Print how many real texts were given an action, and why the others were not."""
    answers = classifier.classify(texts)
    acted = [(t, a) for t, a in zip(texts, answers, strict=True) if a.intent]
    reasons = Counter(str(answer.abstained) for answer in answers if not answer.intent)
    print(f"{name}: {len(texts)} texts, {len(acted)} given an action; else {dict(reasons)}")
    for text, answer in acted if is_shown else ():
        named = {key: guess.value for key, guess in answer.parameters.items()}
        words = f"{text.short_description} {text.description}".strip()
        print(f"  {answer.intent} {answer.confidence} {named} {' '.join(words.split())[:160]}")


def real_texts() -> Sequence[tuple[str, Sequence[ClassifierInput]]]:
    """Return the samples of real texts: a thousand tickets, the demo incidents, 500 off-topic."""
    with gzip.open(SHARED / "topicgroup47k/topicgroup47k.csv.gz", "rt", encoding="utf-8") as file:
        tickets = sorted((row["Document"] for row in csv.DictReader(file)), key=_shuffled)
    with gzip.open(
        SHARED / "servicenow_demo/incident_records.jsonl.gz", "rt", encoding="utf-8"
    ) as file:
        incidents = [json.loads(line) for line in file]
    with gzip.open(SHARED / "off_topic/clinc_oos.csv.gz", "rt", encoding="utf-8") as file:
        outside = [row["text"] for row in csv.DictReader(file) if row["intent"] == "oos"]
    return (
        ("topicgroup47k", [_text("", ticket) for ticket in tickets[:1000]]),
        (
            "servicenow_demo",
            [
                _text(_value(one, "short_description"), _value(one, "description"))
                for one in incidents
            ],
        ),
        ("off_topic", [_text("", text) for text in sorted(outside, key=_shuffled)[:500]]),
    )


def _shuffled(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text(short: str, long: str) -> ClassifierInput:
    return ClassifierInput(short_description=short, description=long)


def _value(record: dict[str, object], name: str) -> str:
    value = record.get(name, "")
    return str(value.get("display_value", "")) if isinstance(value, dict) else str(value or "")


if __name__ == "__main__":
    raise SystemExit(main())
