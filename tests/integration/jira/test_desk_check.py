"""What `check` says of the desk gate, and what its settings refuse."""

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.jira.settings import JiraDeskWay
from engine.ports.findings import Severity
from tests.integration.jira.conftest import World


def codes(world: World, way: Any) -> dict[str, Severity]:
    return {one.code: one.severity for one in world.again(desk=way).desk.check()}


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ({"by": "field", "field": "No such field", "accept": "yes"}, "desk_field_unknown"),
        ({"by": "state", "accept": "No such status"}, "desk_status_unknown"),
        ({"by": "approval", "status": "No such status"}, "desk_status_unknown"),
        (
            {"by": "approval", "status": "Waiting for approval", "approver_groups_field": "none"},
            "desk_field_unknown",
        ),
    ],
)
def test_check_names_what_the_site_does_not_have(world: World, way: Any, code: str) -> None:
    assert codes(world, way)[code] is Severity.FAULT


@pytest.mark.parametrize(
    "way",
    [
        {"by": "note"},
        {"by": "field", "field": "Affected account", "accept": "accept {code}"},
        {"by": "state", "accept": "In Progress"},
        {"by": "approval", "status": "Waiting for approval"},
    ],
)
def test_a_whole_gate_has_no_fault(world: World, way: Any) -> None:
    assert Severity.FAULT not in codes(world, way).values()


@pytest.mark.parametrize(
    "way",
    [
        {"by": "approval"},
        {"by": "note", "status": "Waiting for approval"},
        {"by": "approval", "status": "Waiting for approval", "accept": "yes"},
        {"by": "state"},
    ],
)
def test_a_way_that_cannot_be_is_refused(way: Any) -> None:
    with pytest.raises(ValidationError):
        JiraDeskWay.model_validate(way)
