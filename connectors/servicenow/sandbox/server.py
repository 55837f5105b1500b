"""The ServiceNow sandbox as one object: start, stop, addresses, accounts."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from connectors.sandboxkit.admin import AdminApi
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard
from connectors.sandboxkit.injector import Injector
from connectors.sandboxkit.log import RequestLog
from connectors.sandboxkit.organisation import load_organisation
from connectors.sandboxkit.server import SandboxServer
from connectors.sandboxkit.tls import TlsFiles, ensure_tls
from connectors.servicenow.sandbox.app import Application
from connectors.servicenow.sandbox.dialect import ServiceNowDialect
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.router import Router
from connectors.servicenow.sandbox.seed import Seeder
from connectors.servicenow.sandbox.sessions import SessionGate

Seed = Literal["demo", "empty"]
_ROLES = {"agent": "luke.wilson", "agent2": "ada.tuter", "requester": "abel.tuter",
          "requester2": "bob.miller", "approver1": "howard.johnson", "approver2": "beth.anglin",
          "approver3": "bow.ruggeri"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxAccount:
    """A way in."""

    username: str
    password: str


class ServiceNowSandbox:
    """A running (or startable) instance; usable as a context manager.

    Args:
        data: the folder for its database; None keeps it in a temporary one that `stop()` removes.
        seed: `demo` for people, groups and the well-known records with some tickets, `empty` for
            people, groups and configuration alone. A database that is already seeded is kept.
        port: the port of the API, 0 for a free one.
        admin_port: the port of the admin API, 0 for a free one.
        tls: serve https with a generated authority (`ca_file`).
    """

    def __init__(
        self,
        data: Path | None = None,
        seed: Seed = "demo",
        port: int = 0,
        admin_port: int = 0,
        *,
        tls: bool = False,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory() if data is None else None
        folder = Path(self._temporary.name) if self._temporary else Path(data or ".")
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = SandboxClock()
        self.faults = FaultBoard()
        self.log = RequestLog(self.clock.now)
        self._instance = Instance(folder / "servicenow.db", self.clock, self.faults)
        self._seeder = Seeder(self._instance)
        self._seeder.ensure(seed)
        self._application = Application(Router(self._instance))
        injector = Injector(
            self._application.starlette(),
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            dialect=ServiceNowDialect(self.clock),
            identify=self._application.identify,
        )
        app = SessionGate(injector, self.log, self._application.identify)
        files: TlsFiles | None = ensure_tls(folder / "tls", self.clock.now()) if tls else None
        self.ca_file = files.ca if files else None
        self._server = SandboxServer(app, port=port, tls=files)
        admin = AdminApi(
            clock=self.clock, faults=self.faults, log=self.log, seeder=self._seed
        ).app()
        self._admin = SandboxServer(admin, port=admin_port)
        self.url = self._server.url
        self.admin_url = self._admin.url

    @property
    def accounts(self) -> Mapping[str, SandboxAccount]:
        """Return the accounts by role: admin, integration, agent, requester, approver1 and more."""
        organisation = load_organisation()
        found = {
            role: SandboxAccount(username=uid, password=organisation.person(uid).password)
            for role, uid in _ROLES.items()
        }
        for kind in ("admin", "integration"):
            account = organisation.account(kind)
            found[kind] = SandboxAccount(username=account.uid, password=account.password)
        return found

    def _seed(self, raw: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out POST /seed in the thread that owns the database."""
        if "flow_delay_seconds" in raw:
            value = raw["flow_delay_seconds"]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError("flow_delay_seconds is a number")
            self._instance.set_flow_delay(timedelta(seconds=value))
            return {"flow_delay_seconds": value}
        return self._application.executor.submit(self._seeder.run, raw).result()

    def start(self) -> Self:
        """Serve until `stop()`; both addresses answer when this returns."""
        self._server.start()
        self._admin.start()
        return self

    def stop(self) -> None:
        """Stop serving, close the database, remove what was temporary."""
        self._server.stop()
        self._admin.stop()
        self._application.executor.shutdown()
        self._instance.store.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
