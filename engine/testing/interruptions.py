"""Makes any port fail, or the process die, before or after any call: for crash tests."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

P = TypeVar("P")
Watch = Callable[[str], None]
"""Told `before <port>.<method>` and `after <port>.<method>`; what it raises interrupts there."""


class Killed(BaseException):
    """The process ended here."""


class _Interrupted:
    def __init__(self, port: object, name: str, watch: Watch) -> None:
        self._port = port
        self._name = name
        self._watch = watch

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401  whatever the port has there
        found = getattr(self._port, method)
        if not callable(found):
            return found
        return partial(_call, self._watch, f"{self._name}.{method}", found)


def _call(
    watch: Watch,
    point: str,
    method: Callable[..., Any],
    /,
    *args: Any,  # noqa: ANN401  passed through
    **named: Any,  # noqa: ANN401  passed through
) -> Any:  # noqa: ANN401  passed through
    watch(f"before {point}")
    result = method(*args, **named)
    watch(f"after {point}")
    return result


def interrupted(port: P, name: str, watch: Watch) -> P:
    """Return the port with `watch` told before and after each call."""
    return cast("P", _Interrupted(port, name, watch))
