"""`tiergate tickets`, `show`, `status`: what is in flight, read from the store alone."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from engine.bootstrap import open_installation
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
from engine.cli.documents import line_document, show_document, status_document
from engine.cli.showing import show_lines, status_lines
from engine.domain.stage import Stage
from engine.ports.clock import Clock
from engine.ports.store import UnitOfWork

StageOption = Annotated[
    str | None, typer.Option("--stage", help="Only this stage; several with commas.")
]
KeyArgument = Annotated[str, typer.Argument(help="[SYSTEM:]KEY", metavar="KEY")]


@contextmanager
def _reading(config: Path | None) -> Generator[tuple[UnitOfWork, Clock]]:
    with (
        errors_end_the_command(),
        open_installation(config_path(config)) as opened,
        opened.store.read() as unit,
    ):
        yield unit, opened.clock


def tickets(
    *,
    config: ConfigOption = None,
    stage: StageOption = None,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 1000,
    as_json: JSONOption = False,
) -> None:
    """List the handlings, newest first: one line a ticket."""
    stages = _stages(stage)
    with _reading(config) as (unit, _clock):
        found = [line_document(one) for one in unit.handlings(stages=stages, limit=limit)]
    if as_json:
        print_json(found)
        return
    for line in found:
        tier = f"tier {line['tier']}" if line["tier"] else ""
        tell(
            f"{line['key']!s:12} {line['stage']!s:13} {line['action'] or '-'!s:20} {tier:7}"
            f" {line['change'] or '':12} {line['trouble'] or line['reason']}"
        )


def _stages(text: str | None) -> list[Stage] | None:
    if text is None:
        return None
    names = {str(stage): stage for stage in Stage}
    asked = [name.strip() for name in text.split(",")]
    unknown = [name for name in asked if name not in names]
    if unknown:
        complain(f"unknown stage {unknown[0]!r}; there are: {', '.join(names)}")
        raise SystemExit(ExitCode.USAGE)
    return [names[name] for name in asked]


def show(key: KeyArgument, *, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Tell everything known of one ticket."""
    with _reading(config) as (unit, _clock):
        document = show_document(unit, unit.find_ticket(key))
    if as_json:
        print_json(document)
        return
    for line in show_lines(document):
        tell(line)


def status(*, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Tell how polling stands, how many tickets stand at each stage, and what is paused."""
    with _reading(config) as (unit, clock):
        document = status_document(
            now=clock.now(),
            health=unit.health(),
            counts=unit.stage_counts(),
            effects=unit.effect_phases(),
            pauses=unit.pauses(),
        )
    if as_json:
        print_json(document)
        return
    for line in status_lines(document):
        tell(line)
