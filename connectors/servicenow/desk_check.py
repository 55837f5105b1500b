"""What `check` finds about the desk gate of one instance: what keeps it shut."""

from collections.abc import Iterable

from connectors.servicenow.desk_gate import CLAIM_TABLES
from connectors.servicenow.mapping import KINDS
from connectors.servicenow.probe import Probe
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.desk import DeskChannel
from engine.ports.findings import Finding, Severity


def check_desk_gate(probe: Probe, settings: ServiceNowSettings) -> Iterable[Finding]:
    """Yield what of the gate cannot be read, and where an acceptance could not be claimed."""
    tables = sorted({str(source.table) for source in settings.tickets})
    for table in tables:
        claims, _ = CLAIM_TABLES[KINDS[table]]
        yield from probe.readable(
            claims, why="an acceptance at the desk is claimed there.", severity=Severity.FAULT
        )
        yield from probe.may_write(claims)
    yield from probe.readable(
        "sys_user_grmember", why="the desk gate stays shut without it.", severity=Severity.FAULT
    )
    if settings.desk.by is DeskChannel.NOTE:
        return
    name = "state" if settings.desk.by is DeskChannel.STATE else settings.desk.field
    for table in tables:
        yield from probe.columns(table, (name, "number"))
    why = f"who set {name} stands there; the desk gate stays shut without it."
    yield from probe.readable("sys_audit", why=why, severity=Severity.FAULT)
