"""Reads and findings that every check of one instance shares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from connectors.servicenow import query as q
from connectors.servicenow.answers import shown, text
from connectors.servicenow.client import ServiceNowClient
from engine.errors import (
    AuthenticationError,
    MissingRightError,
    PermanentError,
    TiergateError,
    TransientError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_MOST_SKEW = timedelta(seconds=30)
_ZONES = frozenset({"GMT", "UTC", "Etc/UTC", "Etc/GMT", "Greenwich"})
_MIGHTY = frozenset({"admin", "security_admin", "maint"})
_APPROVING = frozenset({"approver_user", "approval_admin", "approver_admin", "change_manager"})
# Members and roles are theirs to give; what an impersonator does is recorded as the other's deed
# (ServiceNow docs, "Impersonating users").
_LEADING_THERE = frozenset({"user_admin", "impersonator"})
COULD_APPROVE = _MIGHTY | _APPROVING | _LEADING_THERE
"""Roles with which an account can approve, or can give itself what it takes."""
_WRITING: Mapping[str, frozenset[str]] = {
    "incident": frozenset({"itil", "sn_incident_write"}),
    "incident_task": frozenset({"itil", "sn_incident_write"}),
    "sc_req_item": frozenset({"itil"}),
    "sc_task": frozenset({"itil"}),
    "change_request": frozenset({"itil", "sn_change_write"}),
}


class Probe:
    """Reads and findings that both ports' checks share."""

    def __init__(self, client: ServiceNowClient, clock: Clock) -> None:
        self.client = client
        self._clock = clock

    def finding(self, severity: Severity, code: str, seen: str, remedy: str = "") -> Finding:
        """Return a finding about this system."""
        return Finding(
            severity=severity, code=code, system=self.client.name, seen=seen, remedy=remedy
        )

    def run(self, steps: Sequence[Callable[[], Iterable[Finding]]]) -> tuple[Finding, ...]:
        """Return all steps' findings; without a connection there is only that one."""
        try:
            own = self.client.account()
        except TiergateError as error:
            return (self._unreachable(error),)
        found = [self.finding(Severity.OK, "account", f"logged in as {own.name}")]
        for step in steps:
            try:
                found += step()
            except TiergateError as error:
                found.append(
                    self.finding(Severity.FAULT, "unreadable", str(error), "Grant the read right.")
                )
        return tuple(found)

    def _unreachable(self, error: TiergateError) -> Finding:
        if isinstance(error, AuthenticationError | MissingRightError):
            return self.finding(
                Severity.FAULT,
                "credentials",
                str(error),
                "Check the account's secret, that it is active, and its right to use the REST API.",
            )
        if isinstance(error, TransientError):
            return self.finding(
                Severity.FAULT, "unreachable", str(error), "Check url, network and proxy rules."
            )
        return self.finding(Severity.FAULT, "unusable", str(error), "Check the url.")

    def clock(self) -> Iterable[Finding]:
        """Compare the server's clock with ours."""
        server_now = self.client.server_now()
        skew = abs(server_now - self._clock.now())
        if skew > _MOST_SKEW:
            yield self.finding(
                Severity.UNSAFE,
                "clock",
                f"the instance's clock and ours differ by {skew.total_seconds():.0f} s",
                "Run a time service on this machine.",
            )

    def time_zone(self) -> Iterable[Finding]:
        """Prove that instants in queries mean UTC for this account.

        Sources differ on whether they follow the account's time zone, so a record with a known
        time is asked for.
        """
        own = self.client.account().id
        record = self.client.read("sys_user", own, fields=("sys_id", "sys_updated_on", "time_zone"))
        zone = text(record, "time_zone")
        moment = q.parse_instant(text(record, "sys_updated_on"))
        if zone and zone not in _ZONES:
            yield self.finding(
                Severity.UNSAFE,
                "time_zone",
                f"the account's time zone is {zone}",
                "Set the account's time zone to GMT.",
            )
        if moment is None:
            return
        terms = (q.at("sys_updated_on", sign, moment) for sign in (">=", ">"))
        reached = [
            bool(
                self.client.rows(
                    "sys_user", q.both(q.equals("sys_id", own), term), fields=("sys_id",), limit=1
                ).records
            )
            for term in terms
        ]
        if reached != [True, False]:
            yield self.finding(
                Severity.UNSAFE,
                "time_zone_self_test",
                "a record is not found by its own time of update: another zone is in force",
                "Set the account's time zone to GMT.",
            )

    def readable(self, table: str, *, why: str, severity: Severity) -> Iterable[Finding]:
        """Find out whether the account sees rows of a table at all."""
        try:
            rows = self.client.rows(
                table, "ORDERBYDESCsys_created_on", fields=("sys_id",), limit=50
            )
        except PermanentError as error:
            yield self.finding(severity, f"unreadable:{table}", str(error), f"{table}: {why}")
            return
        if rows.total and not rows.records:
            yield self.finding(
                severity,
                f"unreadable:{table}",
                f"{rows.total} rows are counted, none is shown",
                f"Grant the read right on {table}: {why}",
            )

    def columns(self, table: str, wanted: Iterable[str]) -> Iterable[Finding]:
        """Find columns that the instance does not have or hides: both look like empty ones."""
        names = sorted({name.partition(".")[0] for name in wanted if not name.startswith("sys_")})
        names = [name for name in names if name != "major_incident_state"]  # a plugin's
        rows, _ = self.client.all_rows(
            "sys_dictionary",
            q.both(q.one_of("name", [table, "task"]), q.one_of("element", names)),
            fields=("element", "name"),
        )
        known = {text(row, "element") for row in rows}
        if not known:
            yield self.finding(
                Severity.WARNING,
                "columns_unproved",
                f"the columns of {table} cannot be read from sys_dictionary",
                "Grant read on sys_dictionary, so that a mistyped column in a filter is found.",
            )
        shown_rows = self.client.rows(
            table, "ORDERBYDESCsys_created_on", fields=names, limit=50
        ).records
        seen = {name for row in shown_rows for name in row}
        for name in names:
            if known and name not in known:
                yield self.finding(
                    Severity.FAULT,
                    f"column:{table}.{name}",
                    f"{table} has no column {name}; ServiceNow drops such a term silently",
                    "Correct the filter, or install the plugin that brings the column.",
                )
            elif shown_rows and name not in seen:
                yield self.finding(
                    Severity.FAULT,
                    f"hidden:{table}.{name}",
                    f"{table}.{name} is not shown to us; ServiceNow leaves it out silently",
                    f"Grant the read right on the column {name}, or correct the filter.",
                )

    def roles(self) -> frozenset[str] | None:
        """Return our own roles by name; None when they cannot be read."""
        rows, hidden = self.client.all_rows(
            "sys_user_has_role", q.equals("user", self.client.account().id), fields=("user", "role")
        )
        if hidden or not rows:
            return None
        return frozenset(shown(row, "role") for row in rows)

    def may_write(self, table: str) -> Iterable[Finding]:
        """Find out by roles whether the account may write to a table."""
        roles = self.roles()
        if roles is not None and not roles & (_WRITING[table] | _MIGHTY):
            yield self.finding(
                Severity.WARNING,
                f"role:{table}",
                f"none of the roles that write {table} is held",
                f"Grant {' or '.join(sorted(_WRITING[table]))}, or an ACL of your own.",
            )
