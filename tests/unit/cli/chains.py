"""A real store filled by the real use cases, and an installation's configuration around it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from typer.testing import CliRunner, Result

from engine.cli.auditing import app
from engine.domain.refs import TicketRef
from engine.store.store import SQLStore, open_store
from engine.testing.world import JOIN, MemoryWorld, memory_world

HOSTILE = "need access \u202egnp.exe <script>alert(1)</script><img src=x onerror=alert(2)>\u200b"
CONFIGURATION = """
store: {{url: "sqlite:///{folder}/t.db"}}
data: {folder}/data
tiers: tiers.yaml
systems:
  servicenow:
    kind: servicenow
    url: https://example.service-now.com
    auth: {{user: "env:TIERGATE_TEST_PASSWORD", password: "env:TIERGATE_TEST_PASSWORD"}}
    tickets: [{{table: incident, filter: active=true}}]
directories:
  directory:
    kind: ldap
    flavour: openldap
    url: ldaps://ldap.example.test
    bind: {{dn: "cn=tiergate,dc=example,dc=test", password: "env:TIERGATE_TEST_PASSWORD"}}
mail: {{host: localhost, from: it@example.test}}
"""


@dataclass(frozen=True, slots=True)
class Chains:
    """A world in memory whose store is a real one."""

    world: MemoryWorld
    store: SQLStore
    config: Path

    def export(self, ref: TicketRef) -> dict[str, Any]:
        return dict(self.store.export(f"{ref.system}:{ref.id}", at=self.world.clock.now()))

    def approved(self, *, description: str = "") -> TicketRef:
        """Let somebody ask for membership, an owner approve it, and the plan be carried out."""
        ref = self.world.ask(JOIN, description=description)
        self.world.run()
        self.world.approve(ref)
        self.world.run()
        return ref

    def audit(self, *arguments: str, is_configured: bool = True) -> Result:
        """Run `tiergate audit ...`."""
        more = ["--config", str(self.config)] if is_configured else []
        environment = {"TIERGATE_TEST_PASSWORD": "a-password", "TIERGATE_CONFIG": "/nowhere"}
        return CliRunner().invoke(app, [*arguments, *more], env=environment)

    def written(self, ref: TicketRef, **changes: object) -> Path:
        """Return a file with a ticket's export, some of it changed."""
        path = self.config.parent / f"{ref.id}-{len(changes)}.json"
        path.write_text(json.dumps({**self.export(ref), **changes}), encoding="utf-8")
        return path


@contextmanager
def chains(folder: Path) -> Iterator[Chains]:
    """Open a store below `folder` and put it into a world in memory."""
    config = folder / "tiergate.yaml"
    config.write_text(CONFIGURATION.format(folder=folder), encoding="utf-8")
    store = open_store(f"sqlite:///{folder}/t.db", data_dir=folder / "data")
    try:
        yield Chains(memory_world(store=cast("Any", store)), store, config)
    finally:
        store.close()
