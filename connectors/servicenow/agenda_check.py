"""What `check` says of the instance's own calendar: what is read, what is missing, what is off."""

from collections.abc import Iterable

from connectors.servicenow.agenda import TABLES, Agenda
from connectors.servicenow.probe import Probe
from connectors.servicenow.settings import ScheduleSettings
from engine.domain.decision import Window
from engine.errors import PermanentError
from engine.ports.findings import Finding, Severity

_ABSENT = "invalid table"


def check_agenda(probe: Probe, settings: ScheduleSettings) -> Iterable[Finding]:
    """Yield a finding for everything that keeps the gate shut, and for what is switched off."""
    is_on = {
        "blackouts": settings.blackouts,
        "maintenance": settings.maintenance,
        "conflicts": settings.conflicts != "off",
    }
    seen: set[str] = set()
    for part, tables in TABLES.items():
        if not is_on[part]:
            yield probe.finding(
                Severity.WARNING,
                f"schedule:{part}",
                f"{part} of the instance are switched off (`schedule: {part}:`)",
                "Switch them on where the instance has them.",
            )
            continue
        for table in tables:
            if table not in seen:
                seen.add(table)
                yield from _table(probe, part, table)
    found = Agenda(probe.client, settings).ahead(Window(), {})
    if found.unreadable:
        yield probe.finding(
            Severity.UNSAFE,
            "schedule:unreadable",
            found.unreadable,
            "Mend the schedule or the right; until then nothing gated runs.",
        )


def _table(probe: Probe, part: str, table: str) -> Iterable[Finding]:
    try:
        probe.client.rows(table, "ORDERBYsys_id", fields=("sys_id",), limit=1)
    except PermanentError as error:
        if _ABSENT in str(error).lower():
            off = "off" if part == "conflicts" else "false"
            yield probe.finding(
                Severity.FAULT,
                f"schedule:absent:{table}",
                f"the instance has no table {table}; until that is said nothing gated runs",
                f"Say `schedule: {{{part}: {off}}}`, or install the plugin that brings it.",
            )
            return
    why = f"without it nobody can tell whether {part} forbid a change; nothing gated runs."
    yield from probe.readable(table, why=why, severity=Severity.UNSAFE)
