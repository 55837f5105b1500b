"""A start-up check: `engine`, `connectors` and `config` are ours and nobody else's."""

import importlib.metadata

from engine.errors import ConfigurationError

_OURS = "tiergate"
_PACKAGES = ("config", "connectors", "engine")


def require_own_packages() -> None:
    """Return if the three top-level packages come from this distribution alone.

    Another distribution with a top-level `config` overwrites ours silently; then a rule of the tier
    map could be read by somebody else's code.

    Raises:
        ConfigurationError: One of them belongs to another distribution as well.
    """
    owners = importlib.metadata.packages_distributions()
    for name in _PACKAGES:
        others = sorted(set(owners.get(name, [])) - {_OURS})
        if others:
            raise ConfigurationError(
                f"the package {name!r} also comes with {', '.join(others)}:"
                " install tiergate into a virtual environment of its own"
            )
