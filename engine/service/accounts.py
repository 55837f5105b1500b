"""Whether our own accounts may be worked with, and work: an unsafe account shuts its system."""

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from engine.errors import PermanentError, UnsafeAccountError
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_FRESH = timedelta(minutes=1)
_TELLS_NOTHING = frozenset({Severity.UNSAFE, Severity.FAULT})

Look = Callable[[], tuple[Finding, ...]]


class Accounts:
    """Looks at our account in each system, and shuts a system while it could approve for itself.

    A shut system is opened again only by a look that found nothing unsafe and could read all.
    Safe to use from several threads.
    """

    def __init__(
        self, looks: Mapping[str, Look], clock: Clock, *, unpolled: Collection[str] = ()
    ) -> None:
        """Take, for every system, what finds out about our account there; nothing is asked yet.

        Nothing else tells of the `unpolled` ones when they refuse us or do not answer.
        """
        self._looks = dict(looks)
        self._clock = clock
        self._unpolled = frozenset(unpolled)
        self._lock = threading.Lock()
        self._shut: dict[str, str] = {}
        self._away: dict[str, str] = {}
        self._looked_at: dict[str, datetime] = {}

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that are looked at."""
        return tuple(self._looks)

    def is_shut(self, system: str) -> bool:
        """Whether nothing may be done with `system`."""
        with self._lock:
            return system in self._shut

    def require_safe(self, system: str) -> None:
        """Return if the system may be worked with, as of its last look.

        Raises:
            UnsafeAccountError: Our account there is unsafe; the message says how to mend it.
        """
        with self._lock:
            why = self._shut.get(system)
        if why is not None:
            raise UnsafeAccountError(why)

    def look(self, system: str) -> tuple[Finding, ...]:
        """Ask the system about our account, and shut or open it by what is found."""
        findings = self._looks[system]()
        unsafe = [one for one in findings if one.severity is Severity.UNSAFE]
        with self._lock:
            self._looked_at[system] = self._clock.now()
            if unsafe:
                first = unsafe[0]
                self._shut[system] = f"{system} is shut: {first.seen} ({first.remedy})"
            elif not any(one.severity in _TELLS_NOTHING for one in findings):
                self._shut.pop(system, None)
            self._away.pop(system, None)
            if findings and all(one.severity is Severity.FAULT for one in findings):
                self._away[system] = f"{findings[0].seen} ({findings[0].remedy})"
        return findings

    def watch(self, system: str) -> None:
        """Look again, unless that was done this minute.

        Raises:
            UnsafeAccountError: The system is shut.
            PermanentError: One that is not polled refuses us, or does not answer.
        """
        with self._lock:
            at = self._looked_at.get(system)
        if at is None or self._clock.now() - at >= _FRESH:
            self.look(system)
        self.require_safe(system)
        with self._lock:
            away = self._away.get(system)
        if away is not None and system in self._unpolled:
            raise PermanentError(away)
