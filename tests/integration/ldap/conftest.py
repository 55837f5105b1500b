"""Which directories the suite runs against; what is not installed skips, in CI it fails."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import NoReturn

import pytest

from connectors.ldap.factory import LDAPAdapters
from tests.integration.ldap.worlds import SETTLED, World, samba_world, sandbox_world, slapd_world

_Opened = Callable[[str], World]


@pytest.fixture(scope="session")
def opened(
    tmp_path_factory: pytest.TempPathFactory, lacking: Callable[[str], NoReturn]
) -> Generator[_Opened]:
    """Start a directory the first time somebody asks for it, and stop all of them at the end."""
    entered: dict[str, tuple[AbstractContextManager[World], World]] = {}

    def open_world(name: str) -> World:
        if name not in entered:
            folder = tmp_path_factory.mktemp(name)
            context = {
                "sandbox": sandbox_world,
                "slapd": lambda: slapd_world(folder, lacking),
                "samba": lambda: samba_world(folder, lacking),
            }[name]()
            entered[name] = (context, context.__enter__())
        return entered[name][1]

    yield open_world
    for context, _world in entered.values():
        context.__exit__(None, None, None)


@pytest.fixture(
    params=[
        "sandbox",
        pytest.param("slapd", marks=pytest.mark.slapd),
        pytest.param("samba", marks=pytest.mark.samba),
    ]
)
def world(request: pytest.FixtureRequest, opened: _Opened) -> Generator[World]:
    """One of the three directories."""
    found = opened(request.param)
    found.clock.shift = SETTLED
    yield found
    found.close()


@pytest.fixture
def domain(opened: _Opened) -> Generator[World]:
    """The Samba domain controller, for what only a domain has."""
    found = opened("samba")
    found.clock.shift = SETTLED
    yield found
    found.close()


@pytest.fixture(params=["sandbox", pytest.param("slapd", marks=pytest.mark.slapd)])
def unix(request: pytest.FixtureRequest, opened: _Opened) -> Generator[World]:
    """The two OpenLDAPs, for what only they have."""
    found = opened(request.param)
    found.clock.shift = SETTLED
    yield found
    found.close()


@pytest.fixture
def adapters(world: World) -> LDAPAdapters:
    """The adapters on it, with the settings of a careful administrator."""
    return world.adapters()
