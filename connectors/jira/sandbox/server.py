"""The Jira sandbox as one object: start it, talk to `url`, steer it through `admin_url`."""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Self

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Scope

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
        chosen = Flavour(flavour)
        with ExitStack() as undo:
            self._build(data, seed, chosen, tls=tls, undo=undo)
            self._server = self._listen(self._injected(), port, undo, self._files)
            self.url = self.site.url = self._server.url
            self._admin = self._listen(self._admin_api(), admin_port, undo, None)
            self.admin_url = self._admin.url
            self._undo = undo.pop_all()
        self.accounts: Mapping[str, Mapping[str, str]] = accounts(chosen, load_organisation())
        """Username and password by role; on Cloud the e-mail and the API token."""

    def _build(
        self, data: Path | None, seed: str, chosen: Flavour, *, tls: bool, undo: ExitStack
    ) -> None:
        if data is None:
            name = undo.enter_context(tempfile.TemporaryDirectory(prefix="jira-sandbox-"))
            data = Path(name)
        data.mkdir(parents=True, exist_ok=True)
        definition = load_definition()
        store = Store(data / f"jira-{chosen.value}.db")
        undo.callback(store.close)
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
        undo.callback(self._courier.stop)
        self._files = ensure_tls(data / "tls", self.clock.now()) if tls else None
        self.ca_file: Path | None = self._files.ca if self._files is not None else None
        with store.transaction():
            plant(self.site, seed)

    def _injected(self) -> ASGIApp:
        return Injector(
            JiraApp(self.site, self.throttle, self._courier),
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            dialect=JiraDialect(self.site),
            identify=self._identify,
        )

    def _admin_api(self) -> ASGIApp:
        return AdminApi(
            clock=self.clock,
            faults=self.faults,
            log=self.log,
            seeder=admin.Seeding(self.site, self.throttle),
        ).app()

    def _listen(
        self, app: ASGIApp, port: int, undo: ExitStack, files: TlsFiles | None
    ) -> SandboxServer:
        server = SandboxServer(app, port=port, tls=files)
        undo.callback(server.stop)
        return server

    def _identify(self, scope: Scope) -> str:
        return auth.name_of(self.site, Headers(scope=scope).get("authorization", ""))

    def start(self) -> Self:
        """Serve both ports; returns when requests are answered."""
        self._server.start()
        self._admin.start()
        return self

    def stop(self) -> None:
        """Stop serving, close the database, and remove it where it was a temporary one."""
        with ThreadPoolExecutor(2) as pool:  # both at once: a suite stops hundreds of sandboxes
            list(pool.map(SandboxServer.stop, (self._server, self._admin)))
        self._undo.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_failure: object) -> None:
        self.stop()
