"""`tiergate tiers`: lint the tier map, ask why, ask what if, print its schema."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from config.schemas import schema
from config.simulate import MapReport, check_tier_map, explain, simulate
from config.tier_map import load_tier_map
from engine.bootstrap import open_daemon
from engine.cli.console import (
    ConfigOption,
    ExitCode,
    JSONOption,
    complain,
    config_path,
    errors_end_the_command,
    print_json,
    tell,
)
from engine.cli.reading import KeyArgument
from engine.domain.decision import DecisionFacts
from engine.domain.handling import Handling

app = typer.Typer(no_args_is_help=True, help="The tier map: lint, why, what-if, schema.")
FileOption = Annotated[
    Path | None, typer.Option("--file", help="Another tier map than the installed one.")
]


@app.command("check")
def check(
    *, config: ConfigOption = None, file: FileOption = None, as_json: JSONOption = False
) -> None:
    """Lint a tier map and run its own tests; exit 2 when it cannot be used, 1 when a test fails."""
    opening = open_daemon(config_path(config), tiers=file, is_offline=True)
    with errors_end_the_command(), opening as daemon:
        report = check_tier_map(
            file or daemon.opened.installation.tiers,
            daemon.catalogue,
            daemon.services.classifier,
            daemon.opened.installation.names,
        )
    _print(report, as_json=as_json)
    if not report.digest:
        raise SystemExit(ExitCode.USAGE)
    if not report.is_good:
        raise SystemExit(ExitCode.FINDING)


def _print(report: MapReport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "file": report.file,
                "digest": report.digest or None,
                "findings": [
                    {"place": str(f.place or ""), "message": f.message, "is_error": f.is_error}
                    for f in report.findings
                ],
                "tests": [
                    {
                        "place": str(case.place),
                        "name": case.name,
                        "passed": case.has_passed,
                        "skipped": case.skipped,
                        "differences": list(case.differences),
                    }
                    for case in report.tests
                ],
            }
        )
        return
    for finding in report.findings:
        text = f"{finding.place}: {finding.message}" if finding.place else finding.message
        (complain if finding.is_error else tell)(text)
    for case in report.tests:
        mark = "ok  " if case.has_passed else "skip" if case.skipped else "FAIL"
        tell(f"{mark} {case.name}  {case.skipped}")
        for difference in case.differences:
            tell(f"     {case.place}: {difference}")
    if report.digest:
        tell(f"{report.file}: usable, {report.digest}")


@app.command("explain")
def explain_ticket(
    key: KeyArgument, *, config: ConfigOption = None, as_json: JSONOption = False
) -> None:
    """Say why a ticket was decided as it was, by the facts that were stored then."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        with daemon.services.store.begin() as unit:
            handling = unit.latest(unit.find_ticket(key))
        facts = _facts(handling)
        if facts is None:
            complain(f"{key}: nothing was decided yet")
            raise SystemExit(ExitCode.FINDING)
        told = explain(daemon.tier_map.policy, facts)
    if as_json:
        print_json({"ticket": key, "summary": told.summary, "reasons": list(told.lines)})
        return
    tell(told.summary)
    for line in told.lines:
        tell(f"  {line}")


def _facts(handling: Handling | None) -> DecisionFacts | None:
    decision = handling.decision if handling else None
    return decision.facts if decision else None


@app.command("simulate")
def simulate_map(
    file: Annotated[Path, typer.Argument(help="The tier map to try.")],
    *,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Over so many of the newest tickets.")] = 1000,
    as_json: JSONOption = False,
) -> None:
    """Say which stored decisions another tier map would have taken differently."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        other = load_tier_map(file, daemon.catalogue, daemon.opened.installation.names)
        with daemon.services.store.begin() as unit:
            facts = {
                one.ticket.key: found
                for one in unit.handlings(limit=limit)
                if (found := _facts(one)) is not None
            }
        differing = {
            key: difference
            for key, one in facts.items()
            for difference in simulate(daemon.tier_map.policy, other.policy, [one])
        }
    lines = [
        {
            "ticket": key,
            "before": f"tier {int(d.before.tier)}, {d.before.gate}",
            "after": f"tier {int(d.after.tier)}, {d.after.gate}",
            "is_stricter": d.is_stricter,
        }
        for key, d in differing.items()
    ]
    if as_json:
        print_json({"compared": len(facts), "differences": lines})
        return
    for line in lines:
        tell(f"{line['ticket']!s:14} {line['before']}  ->  {line['after']}")
    tell(f"{len(lines)} of {len(facts)} decisions would differ")


@app.command("schema")
def print_schema(
    which: Annotated[Literal["tiers", "tiergate"], typer.Argument()] = "tiers",
) -> None:
    """Print the JSON Schema of one of the two files, for an editor."""
    print_json(schema(which))
