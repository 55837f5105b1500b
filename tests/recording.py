"""What the daemon's account wrote to any sandbox of this process, and whether it was allowed to.

Every request of every end-to-end and contract test goes by: it is recorded where the sandboxes
write their own logs, and judged after each test (invariant I3). A test that plays a thief with the
daemon's password says so with `stolen`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from connectors.sandboxkit.log import RequestLog, redact
from tests.e2e.attacks.forbidden import forbidden

ACCOUNT = "tiergate"
_VENDORS = {"/api/": "servicenow", "/rest/": "itsm-jira"}


class Recorder:
    """The daemon's requests since the last judgement, in the order in which they were answered."""

    def __init__(self) -> None:
        self.total = 0
        self._held: list[tuple[int, str, dict[str, Any]]] = []
        self._is_stolen = False

    def add(self, log: RequestLog, **entry: Any) -> None:
        """Keep one request as the sandbox logs it."""
        vendor = next(
            (name for start, name in _VENDORS.items() if entry["target"].startswith(start)), ""
        )
        if vendor and ACCOUNT in entry["user"] and not self._is_stolen:
            self.total += 1
            if entry["method"] != "GET":
                body = redact(entry["body"]).decode("utf-8", "replace") if entry["body"] else ""
                self._held.append((id(log), vendor, {**entry, "body": body, "id": len(self._held)}))

    def judge(self) -> list[str]:
        """Return every forbidden write since the last judgement, and forget what was judged."""
        held, self._held = self._held, []
        logs: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for log, vendor, entry in held:
            logs.setdefault((log, vendor), []).append(entry)
        return [
            line for (_, vendor), entries in logs.items() for line in forbidden(vendor, entries)
        ]

    @contextmanager
    def stolen(self) -> Generator[None]:
        """What is done here with the daemon's own password is not the daemon's doing."""
        self._is_stolen = True
        try:
            yield
        finally:
            self._is_stolen = False

    @contextmanager
    def listening(self) -> Generator[None]:
        """Hear every sandbox that is started in this process."""
        real = RequestLog.add

        def add(log: RequestLog, **entry: Any) -> None:
            self.add(log, **entry)
            real(log, **entry)

        with mock.patch.object(RequestLog, "add", add):
            yield


RECORDER = Recorder()
