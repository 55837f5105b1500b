"""The sandbox directory, its administrator, and a real OpenLDAP where one is installed."""

from collections.abc import Callable, Generator
from typing import NoReturn

import pytest

from tests.integration.ldap.worlds import World, sandbox_world, slapd_world


@pytest.fixture(scope="module", params=["sandbox", pytest.param("slapd", marks=pytest.mark.slapd)])
def directory(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    lacking: Callable[[str], NoReturn],
) -> Generator[World]:
    """Each directory with an access log."""
    if request.param == "sandbox":
        with sandbox_world() as world:
            yield world
        return
    with slapd_world(tmp_path_factory.mktemp("slapd"), lacking) as world:
        yield world
