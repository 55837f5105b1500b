"""The Jira sandbox as one object: start it, talk to `url`, steer it through `admin_url`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from starlette.datastructures import Headers
from starlette.types import Scope

from connectors.jira.sandbox import admin, auth
from connectors.jira.sandbox.app import JiraApp
from connectors.jira.sandbox.definition import load_definition
from connectors.jira.sandbox.dialect import JiraDialect
from connectors.jira.sandbox.limits import Throttle
from connectors.jira.sandbox.people import Flavour, People
from connectors.jira.sandbox.seed import accounts, plant
from connectors.jira.sandbox.site import Site
from connectors.jira.sandbox.storage import Store
from connectors.jira.sandbox.webhooks import Courier
from connectors.sandboxkit.admin import AdminApi
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard
from connectors.sandboxkit.injector import Injector
from connectors.sandboxkit.log import RequestLog
from connectors.sandboxkit.organisation import load_organisation
from connectors.sandboxkit.server import SandboxServer
from connectors.sandboxkit.tls import TlsFiles, ensure_tls


class JiraSandbox:
    """A Jira site with Service Management on loopback.

    `data` is the folder of its database (kept), or None for one that ends with the object. `seed`
    is `demo` or `empty`; both know the people of Example Corp and the projects ITH and OPS.
    """

    def __init__(
        self,
        data: Path | None = None,
        seed: Literal["demo", "empty"] = "empty",
        flavour: Literal["cloud", "datacenter"] = "cloud",
        *,
        port: int = 0,
        admin_port: int = 0,
        tls: bool = False,
    ) -> None:
        self.clock = SandboxClock()
        self.faults = FaultBoard()
        self.log = RequestLog(self.clock.now)
        self._folder = tempfile.TemporaryDirectory(prefix="jira-sandbox-") if data is None else None
        folder = Path(self._folder.name) if self._folder is not None else Path(str(data))
        folder.mkdir(parents=True, exist_ok=True)
        chosen = Flavour(flavour)
        definition = load_definition()
        store = Store(folder / f"jira-{chosen.value}.db")
        self.site = Site(
            store=store,
            definition=definition,
            flavour=chosen,
            people=People(store, definition, chosen),
            clock=self.clock,
            faults=self.faults,
        )
        self.throttle = Throttle()
        self._courier = Courier()
        files = ensure_tls(folder / "tls", self.clock.now()) if tls else None
        self.ca_file: Path | None = files.ca if files is not None else None
        with store.transaction():
            plant(self.site, seed)
        self._serve(port, admin_port, files)
        self.accounts: Mapping[str, Mapping[str, str]] = accounts(chosen, load_organisation())
        """Username and password by role; on Cloud the e-mail and the API token."""

    def _serve(self, port: int, admin_port: int, files: TlsFiles | None) -> None:
        app = Injector(
            JiraApp(self.site, self.throttle, self._courier),
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            dialect=JiraDialect(self.site),
            identify=self._identify,
        )
        self._server = SandboxServer(app, port=port, tls=files)
        self.url = self._server.url
        self.site.url = self.url
        api = AdminApi(
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            seeder=admin.Seeding(self.site, self.throttle),
        )
        self._admin = SandboxServer(api.app(), port=admin_port)
        self.admin_url = self._admin.url

    def _identify(self, scope: Scope) -> str:
        return auth.name_of(self.site, Headers(scope=scope).get("authorization", ""))

    def start(self) -> Self:
        """Serve both ports; returns when requests are answered."""
        self._server.start()
        self._admin.start()
        return self

    def stop(self) -> None:
        """Stop serving, close the database, and remove it where it was a temporary one."""
        self._server.stop()
        self._admin.stop()
        self._courier.stop()
        self.site.store.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_failure: object) -> None:
        self.stop()
