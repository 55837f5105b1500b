"""What `check` finds out about one instance, by reading only."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.agenda_check import check_agenda
from connectors.servicenow.answers import Record, shown, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import TICKET_FIELDS
from connectors.servicenow.probe import COULD_APPROVE, Probe
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.snapshots import SNAPSHOT_FIELDS
from engine.errors import (
    PermanentError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_TERM = re.compile(r"^(?:OR)?(?P<field>[a-z][a-z0-9_]*)")


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
