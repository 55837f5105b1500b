from importlib import resources
from pathlib import Path

import pytest

from engine.domain.action import (
    ActionSpec,
    Backout,
    Catalogue,
    ParameterKind,
    ParameterSpec,
    RiskScores,
)

GROUP = ParameterSpec(name="group", kind=ParameterKind.GROUP, is_required=True, does="the group")
UNTIL = ParameterSpec(name="until", kind=ParameterKind.DATE, is_required=False, does="the end")


def spec(
    name: str, scores: tuple[int, int, int], *parameters: ParameterSpec, inverse: str = ""
) -> ActionSpec:
    return ActionSpec(
        name=name,
        version=1,
        does=name.replace("_", " "),
        parameters=parameters,
        least_risk=RiskScores(
            blast_radius=scores[0], irreversibility=scores[1], regulatory=scores[2]
        ),
        backout=Backout.INVERSE if inverse else Backout.CANNOT_BE_UNDONE,
        may_repeat=True,
        inverse=inverse,
    )


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    specs = (
        spec("reset_password", (0, 1, 0)),
        spec("unlock_account", (0, 0, 0)),
        spec("add_group_member", (1, 0, 1), GROUP, UNTIL, inverse="remove_group_member"),
        spec("remove_group_member", (1, 0, 1), GROUP, inverse="add_group_member"),
        spec("disable_account", (1, 1, 1), inverse="enable_account"),
    )
    return {one.name: one for one in specs}


@pytest.fixture(scope="session")
def default_map() -> Path:
    return Path(str(resources.files("config"))) / "defaults/tiers.yaml"
