from importlib import resources
from pathlib import Path

import pytest

from config.policy import CompiledTierMap
from config.tier_map import compile_tier_map
from connectors.ldap.actions import CATALOGUE
from engine.ai.local import LocalClassifier

DEFAULT_MAP = Path(str(resources.files("config"))) / "defaults/tiers.yaml"


@pytest.fixture(scope="session")
def policy() -> CompiledTierMap:
    return compile_tier_map(DEFAULT_MAP, CATALOGUE)


@pytest.fixture(scope="session")
def classifier(policy: CompiledTierMap) -> LocalClassifier:
    return LocalClassifier(policy.training(seed=20261120, threshold=None, novelty=None))
