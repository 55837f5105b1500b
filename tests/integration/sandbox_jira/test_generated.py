"""Schemathesis sends valid and invalid requests to what we serve: no 500, nothing off-schema."""

import contextlib
import json
import os
import unittest
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from connectors.jira.sandbox.app import Table
from connectors.jira.sandbox.people import Flavour

SPECS = Path(__file__).resolve().parents[4] / "shared" / "specs"
EXAMPLES = int(os.environ.get("TIERGATE_EXAMPLES", "2"))
pytestmark = [pytest.mark.shared, pytest.mark.slow]


def _served_only(name: str, prefix: str, flavour: Flavour) -> dict[str, Any]:
    """The specification, cut down to what is served, with answers left to the other judge."""
    raw: dict[str, Any] = json.loads((SPECS / name).read_text("utf-8"))
    table = Table(flavour)
    paths: dict[str, Any] = {}
    for path, methods in raw["paths"].items():
        concrete = prefix + path.replace("{", "x").replace("}", "x")
        kept = {}
        for method, operation in methods.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            served, _, _ = table.find(method.upper(), concrete)
            if served is not None:
                operation.pop("security", None)
                operation["responses"] = {"default": {"description": "any"}}
                kept[method] = operation
        if kept:
            if "parameters" in methods:
                kept["parameters"] = methods["parameters"]
            paths[prefix + path] = kept
    raw["paths"] = paths
    raw["servers"] = [{"url": "/"}]
    raw.pop("security", None)
    return raw


FILES = [
    ("cloud", "jira-cloud-platform-v3.json", ""),
    ("cloud", "jsm-cloud-v3.json", ""),
    ("datacenter", "jira-dc-10.3.json", "/rest"),
]


@pytest.mark.parametrize(
    ("flavour", "name", "prefix"), FILES, ids=[f"{one[0]} {one[1]}" for one in FILES]
)
@pytest.mark.usefixtures("specs_are_there")
@pytest.mark.timeout(900)
def test_no_generated_request_is_answered_with_a_fault(
    cloud: Any, server: Any, flavour: str, name: str, prefix: str
) -> None:
    desk = cloud if flavour == "cloud" else server
    held = desk.sandbox.accounts["admin"]
    schema = schemathesis.openapi.from_dict(_served_only(name, prefix, Flavour(flavour)))
    faults: list[str] = []
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]  # an operation that cannot be read fails here

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
                  phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
        def send(case: Any) -> None:
            nonlocal count
            count += 1
            answer = case.call(
                base_url=desk.sandbox.url, auth=(held["username"], held["password"]), timeout=20
            )
            if answer.status_code >= 500:
                sent = f"{case.body!r:.300} {case.query!r:.200}"
                faults.append(f"{case.method} {case.path}: {answer.status_code} {sent}")
            elif desk.judge is not None:
                desk.judge.see_generated(answer)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            with contextlib.suppress(Unsatisfiable, unittest.SkipTest):  # nothing to be wrong about
                given(case=strategy)(send)()
    assert not faults, "\n".join(faults)
    assert count > 100
