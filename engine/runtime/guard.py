"""The last line of defence: nothing that one ticket does stops the daemon or another ticket."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from engine.errors import TiergateError

T = TypeVar("T")
_log = structlog.stdlib.get_logger("tiergate.runtime")


class Guard:
    """Runs one piece of work; logs a failure once when it begins and once when it ends.

    People are told of both in the same way, and again with the next run until that got through.
    """

    def __init__(
        self,
        on_fault: Callable[[str, str], bool],
        on_mended: Callable[[str], bool],
        *,
        known: Iterable[str] = (),
    ) -> None:
        """Take what tells that work begins to fail (name, why), and that it works again.

        Both return whether it got through. Of the `known` names an earlier process may have told a
        fault: the first good run tells that it is mended.
        """
        self._on_fault = on_fault
        self._on_mended = on_mended
        self._failing: dict[str, str] = {}
        self._untold: set[str] = set()
        self._unmended = set(known)

    def run(self, name: str, work: Callable[[], T]) -> T | None:
        """Return what `work` returns, or None after a failure, which is logged and told once.

        A deliberate error is told by its own sentence; any other by its kind alone, because its
        text may hold what a ticket or a server wrote. The traceback goes to the debug log.
        """
        try:
            result = work()
        except TiergateError as error:
            self._failed(name, f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001  the one broad catch: keeps the daemon alive
            _log.debug("unexpected", work=name, exc_info=True)
            self._failed(name, f"unexpected {type(error).__name__}, see the log")
        else:
            self._worked(name)
            return result
        return None

    @property
    def failing(self) -> dict[str, str]:
        """The names of failing work and why, as of now."""
        return dict(self._failing)

    def forget(self, name: str) -> str:
        """Drop a failure that was dealt with, and return why it was; "" when there is none."""
        return self._failing.pop(name, "")

    def _failed(self, name: str, why: str) -> None:
        is_news = name not in self._failing
        self._failing[name] = why
        if is_news:
            _log.error("failing", work=name, why=why)
            self._untold.add(name)
            self._unmended.discard(name)
        if name in self._untold and self._on_fault(name, why):
            self._untold.discard(name)

    def _worked(self, name: str) -> None:
        if self._failing.pop(name, None) is not None:
            _log.info("working_again", work=name)
            self._untold.discard(name)
            self._unmended.add(name)
        if name in self._unmended and self._on_mended(name):
            self._unmended.discard(name)
