"""Which directories the suite runs against; what is not installed skips, in CI it fails."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
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
    worlds: dict[str, World] = {}
    with ExitStack() as stack:

        def open_world(name: str) -> World:
            if name not in worlds:
                context = _context(name, tmp_path_factory.mktemp(name), lacking)
                worlds[name] = stack.enter_context(context)
            return worlds[name]

        yield open_world


def _context(
    name: str, folder: Path, lacking: Callable[[str], NoReturn]
) -> AbstractContextManager[World]:
    if name == "sandbox":
        return sandbox_world()
    return (slapd_world if name == "slapd" else samba_world)(folder, lacking)


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
