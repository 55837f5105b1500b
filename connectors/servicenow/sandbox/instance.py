"""One instance: its database, clock, accounts and rules, as the API modules use them."""

import functools
from datetime import timedelta
from pathlib import Path

from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard
from connectors.servicenow.sandbox.acl import AccessRules
from connectors.servicenow.sandbox.actors import Accounts, Actor
from connectors.servicenow.sandbox.query.values import QueryEnv
from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.rules import flow
from connectors.servicenow.sandbox.schema import load_schema
from connectors.servicenow.sandbox.shape import Displays, Shape, Shaper
from connectors.servicenow.sandbox.store import Store
from connectors.servicenow.sandbox.tokens import Tokens
from connectors.servicenow.sandbox.write_faults import FaultReader

QUOTA_SECONDS = 60.0
"""The vendor's transaction quota for the Table, Aggregate, Import and Attachment APIs."""


class Instance:
    """Everything behind the APIs; used by one thread at a time."""

    def __init__(self, database: Path, clock: SandboxClock, faults: FaultBoard) -> None:
        self.clock = clock
        self.faults = faults
        self.schema = load_schema()
        self.store = Store(database, self.schema)
        self.records = Records(self.store, self.schema, clock)
        flow.register(self.records)
        self.accounts = Accounts(self.store, self.schema)
        self.access = AccessRules(self.store, self.schema, self.records.now)
        self.displays = Displays(self.store, self.schema)
        self.tokens = Tokens(clock)
        self.counts: dict[object, int] = {}
        self.fault_reader = FaultReader(faults)
        self.stale_seconds = 0.0

    def env(self, actor: Actor) -> QueryEnv:
        """Return the environment in which an account's query is read."""
        return QueryEnv(
            now=self.clock.now(), zone=actor.zone, user_id=actor.sys_id, user_name=actor.user_name
        )

    def shaper(self, actor: Actor, shape: Shape) -> Shaper:
        """Return the shaper of one request."""
        return Shaper(self.displays, actor, shape, functools.partial(self._hides, actor))

    def _hides(self, actor: Actor, table_name: str, sys_id: str) -> bool:
        """Say whether a task behind a reference is none of the account's business."""
        table = self.schema.get(table_name)
        if table is None or table.root != "task" or actor.has("itil"):
            return False
        rule = self.access.row_rule(actor, table)
        row = self.store.read(table, sys_id) if rule is not None else None
        return rule is not None and row is not None and not rule(row)

    def property(self, name: str, default: str = "") -> str:
        """Return a system property."""
        found = self.store.rows("SELECT value FROM sys_properties WHERE name = ?", (name,))
        return str(found[0][0] or "") if found else default

    def set_flow_delay(self, delay: timedelta) -> None:
        """Let the instance's own steps come so much later than the writes that cause them."""
        self.records.flow_delay = delay
