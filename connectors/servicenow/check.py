"""What `check` finds out about one instance, by reading only."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from connectors.servicenow import query as q
from connectors.servicenow.agenda_check import check_agenda
from connectors.servicenow.answers import Record, shown, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import TICKET_FIELDS
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.snapshots import SNAPSHOT_FIELDS
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
_TERM = re.compile(r"^(?:OR)?(?P<field>[a-z][a-z0-9_]*)")
_MIGHTY = frozenset({"admin", "security_admin", "maint"})
_APPROVING = frozenset({"approver_user", "approval_admin", "approver_admin"})
COULD_APPROVE = _MIGHTY | _APPROVING
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
        """Find columns that the instance does not have: their query terms would be dropped."""
        names = sorted({name.partition(".")[0] for name in wanted if not name.startswith("sys_")})
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
            return
        optional = {"major_incident_state"}
        for name in names:
            if name not in known and name not in optional:
                yield self.finding(
                    Severity.FAULT,
                    f"column:{table}.{name}",
                    f"{table} has no column {name}; ServiceNow drops such a term silently",
                    "Correct the filter, or install the plugin that brings the column.",
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


class DeskCheck:
    """Findings about reading and writing tickets."""

    def __init__(
        self, client: ServiceNowClient, settings: ServiceNowSettings, clock: Clock
    ) -> None:
        self._probe = Probe(client, clock)
        self._settings = settings

    def run(
        self, gate: Callable[[Probe, ServiceNowSettings], Iterable[Finding]]
    ) -> tuple[Finding, ...]:
        """Return every finding; `gate` finds those about the desk gate."""
        return self._probe.run(
            (
                self._probe.clock,
                self._probe.time_zone,
                self._sources,
                lambda: gate(self._probe, self._settings),
                lambda: self._probe.readable(
                    "sys_journal_field",
                    why="a note is written once only if it can be found again.",
                    severity=Severity.UNSAFE,
                ),
                lambda: self._probe.readable(
                    "sys_audit",
                    why="without it every triage field counts as set by a person.",
                    severity=Severity.WARNING,
                ),
            )
        )

    def _sources(self) -> Iterable[Finding]:
        for source in self._settings.tickets:
            yield from self._probe.readable(
                source.table, why="its tickets are polled.", severity=Severity.FAULT
            )
            own = {match["field"] for match in map(_TERM.match, source.filter.split("^")) if match}
            yield from self._probe.columns(source.table, {*TICKET_FIELDS[source.table], *own})
            yield from self._probe.may_write(source.table)
            if source.table == "sc_req_item":
                for table in ("sc_task", "sc_item_option_mtom"):
                    yield from self._probe.readable(
                        table, why="it belongs to requested items.", severity=Severity.FAULT
                    )


class ChangeCheck:
    """Findings about changes; above all every known way in which this account could approve."""

    def __init__(
        self, client: ServiceNowClient, settings: ServiceNowSettings, clock: Clock
    ) -> None:
        self._probe = Probe(client, clock)
        self._client = client
        self._settings = settings

    def run(self, *more: Callable[[Probe], Iterable[Finding]]) -> tuple[Finding, ...]:
        """Return every finding, those of `more` among them."""
        shut = "the gate stays shut without it."
        return self._probe.run(
            (
                self._roles,
                self._groups,
                self._asked,
                self._delegations,
                *((lambda step=step: step(self._probe)) for step in more),
                self._write_rules,
                self._probe.clock,
                self._probe.time_zone,
                lambda: self._probe.columns("change_request", SNAPSHOT_FIELDS),
                lambda: self._probe.may_write("change_request"),
                lambda: check_agenda(self._probe, self._settings.schedule),
                *(
                    (
                        lambda table=table: self._probe.readable(
                            table, why=shut, severity=Severity.UNSAFE
                        )
                    )
                    for table in (
                        "change_request",
                        "sysapproval_approver",
                        "sys_audit",
                        "sys_user_grmember",
                    )
                ),
            )
        )

    def _unsafe(self, code: str, seen: str, remedy: str) -> Finding:
        return self._probe.finding(Severity.UNSAFE, code, seen, remedy)

    def _unproved(self, code: str, seen: str) -> Finding:
        return self._probe.finding(
            Severity.WARNING,
            f"unproved:{code}",
            seen,
            "Grant the read right, or accept this by name in the configuration.",
        )

    def _roles(self) -> Iterable[Finding]:
        roles = self._probe.roles()
        if roles is None:
            yield self._unproved("roles", "our own roles cannot be read (sys_user_has_role)")
            return
        for role in sorted(roles & COULD_APPROVE):
            yield self._unsafe(
                f"may_approve:role:{role}",
                f"the account holds the role {role}",
                "Take the role away: the daemon's account must not be able to approve.",
            )

    def _groups(self) -> Iterable[Finding]:
        own = self._client.account().id
        rows, hidden = self._client.all_rows(
            "sys_user_grmember", q.equals("user", own), fields=("user", "group")
        )
        if hidden:
            yield self._unproved("groups", f"{hidden} of our own group memberships are hidden")
        groups = {text(row, "group"): shown(row, "group") for row in rows}
        if not groups:
            return
        asked, hidden = self._client.rows_of(
            "sysapproval_group", "assignment_group", groups, fields=("assignment_group",)
        )
        if hidden:
            yield self._unproved("group_approvals", "group approvals are hidden")
        approving = {text(row, "assignment_group") for row in asked}
        for group, name in sorted(groups.items()):
            if group in approving:
                yield self._unsafe(
                    f"may_approve:group:{name}",
                    f"the account is a member of {name}, which is asked to approve",
                    "Remove the account from the group.",
                )
            else:
                yield self._probe.finding(
                    Severity.WARNING,
                    f"member:{name}",
                    f"the account is a member of {name}; a policy may make it an approver",
                    "Remove the account from every group it does not need.",
                )

    def _asked(self) -> Iterable[Finding]:
        rows = self._client.rows(
            "sysapproval_approver",
            q.both(q.equals("approver", self._client.account().id), q.equals("state", "requested")),
            fields=("approver", "state"),
            limit=10,
        )
        if rows.total:
            yield self._unsafe(
                "may_approve:asked",
                f"{rows.total} approvals are asked of our own account",
                "Take the account out of every approval policy.",
            )

    def _delegations(self) -> Iterable[Finding]:
        rows, hidden = self._client.all_rows(
            "sys_user_delegate",
            q.equals("delegate", self._client.account().id),
            fields=("user", "delegate", "approvals", "starts", "ends"),
        )
        if hidden:
            yield self._unproved("delegations", f"{hidden} delegations to us are hidden")
        now = self._client.server_now()
        for row in rows:
            if text(row, "approvals") != "false" and _is_active(row, now):
                yield self._unsafe(
                    "may_approve:delegation",
                    f"{shown(row, 'user')} delegated approvals to our account",
                    "End the delegation.",
                )

    def _write_rules(self) -> Iterable[Finding]:
        try:
            rows = self._client.rows(
                "sys_security_acl",
                q.both(
                    q.equals("name", "sysapproval_approver"),
                    q.equals("operation", "write"),
                    q.equals("active", "true"),
                ),
                fields=("sys_id", "name"),
                limit=50,
            )
        except PermanentError:
            rows = None
        if rows is None or not rows.records:
            yield self._unproved(
                "approval_rules", "the write rules of sysapproval_approver cannot be read"
            )


def _is_active(row: Record, now: datetime) -> bool:
    starts, ends = q.parse_instant(text(row, "starts")), q.parse_instant(text(row, "ends"))
    return (starts is None or starts <= now) and (ends is None or ends > now)
