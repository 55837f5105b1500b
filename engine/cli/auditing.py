"""`tiergate audit`: verify the chains, export one of them with everything it proves."""

from pathlib import Path
from typing import Annotated

import orjson
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
    say,
)

app = typer.Typer(no_args_is_help=True, help="The audit chains: verify, export, erase.")
TicketOption = Annotated[str | None, typer.Option("--ticket", help="[SYSTEM:]KEY")]


@app.command("verify")
def verify(
    *, config: ConfigOption = None, ticket: TicketOption = None, as_json: JSONOption = False
) -> None:
    """Check hashes, order and seals; name the first row that does not fit and exit 1."""
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        chain = None
        if ticket is not None:
            with opened.store.read() as unit:
                ref = unit.find_ticket(ticket)
            chain = f"{ref.system}:{ref.id}"
        misfit = opened.store.verify(chain)
        with opened.store.read() as unit:
            count = 1 if chain else len(unit.chains())
    if as_json:
        print_json({"chains": count, "fits": misfit is None, "misfit": str(misfit or "")})
    elif misfit is None:
        say(f"{count} chain(s): every row fits")
    if misfit is not None:
        complain(str(misfit))
        raise SystemExit(ExitCode.FINDING)


@app.command("export")
def export(
    *,
    config: ConfigOption = None,
    ticket: Annotated[str, typer.Option("--ticket", help="[SYSTEM:]KEY")],
    to: Annotated[Path | None, typer.Option("--to", help="A file; by default stdout.")] = None,
) -> None:
    """Write one ticket's whole chain as a signed document that can be verified offline."""
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        with opened.store.read() as unit:
            ref = unit.find_ticket(ticket)
        document = opened.store.export(f"{ref.system}:{ref.id}", at=opened.clock.now())
        if to is None:
            print_json(document)
            return
        to.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        say(f"{ticket}: {to}")
