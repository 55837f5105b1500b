"""Real texts flow through the whole daemon: each reaches an end or a person, and none is parked.

CI takes a sample of each source; TIERGATE_REAL_TEXTS=all takes 1,000 of topicgroup47k, every
incident of servicenow_demo and 500 of off_topic.
"""

import csv
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.demo.doors import Written
from tests.e2e.stage import Stage

ALL = os.environ.get("TIERGATE_REAL_TEXTS") == "all"
SIZES = {"topicgroup47k": 1000, "servicenow_demo": 92, "off_topic": 500}
SAMPLE = {"topicgroup47k": 40, "servicenow_demo": 40, "off_topic": 40}
ASKING = ("abel.tuter", "dan.wolter", "grete.olsen", "hugo.lindt")


def _topicgroup(shared: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(shared / "data/topicgroup47k/topicgroup47k.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            text = row["Document"]
            yield text[:150], text


def _demo(shared: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(shared / "data/servicenow_demo/incident_records.jsonl.gz", "rt") as file:
        for line in file:
            record = json.loads(line)
            yield _plain(record.get("short_description")), _plain(record.get("description"))


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("display_value") or value.get("value") or "")
    return str(value or "")


def _off_topic(shared: Path) -> Iterator[tuple[str, str]]:
    with gzip.open(shared / "data/off_topic/clinc_oos.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if "oos" in row.values():
                yield row["text"], ""


SOURCES = {"topicgroup47k": _topicgroup, "servicenow_demo": _demo, "off_topic": _off_topic}


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(3600)
def test_every_real_text_reaches_an_end_or_a_person(stage: Stage, shared: Path) -> None:
    stage.settle()
    before = stage.world.directory.state()
    sizes = SIZES if ALL else SAMPLE
    written: dict[str, tuple[str, Written]] = {}
    for source, read in SOURCES.items():
        for number, (title, text) in zip(range(sizes[source]), read(shared), strict=False):
            ticket = stage.world.servicenow.incident(
                ASKING[number % len(ASKING)], short_description=title[:150], description=text
            )
            written[ticket.key] = (source, ticket)
    stage.settle(timeout=3000)
    lines = json.loads(stage.run("tickets", "--json", "--limit", "5000").stdout)
    stages = {line["key"]: line for line in lines if line["key"] in written}
    assert set(stages) == set(written), "a ticket was never handled"
    parked = {key: one["reason"] for key, one in stages.items() if one["stage"] == "parked"}
    assert not parked
    acted = {key: one for key, one in stages.items() if one["stage"] != "handed_over"}
    for key, one in acted.items():
        print(f"{written[key][0]} {key}: {one['action']} {one['stage']}")  # noqa: T201  the list
    assert not [key for key in acted if written[key][0] == "off_topic"]
    effects, strange = before.difference(stage.world.directory.state())
    assert not strange
    assert len(effects) <= len(acted)
