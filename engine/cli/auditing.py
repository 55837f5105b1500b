"""`tiergate audit`: verify the chains, export one with everything it proves, erase, reconcile."""

import getpass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from engine.bootstrap import Opened, open_installation
from engine.cli.audit_page import audit_page
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
from engine.cli.offline import check_export
from engine.cli.reconciling import reconcile
from engine.cli.verifying import chain_named, verify
from engine.errors import PreconditionError, RecordNotFoundError
from engine.store.keys import fingerprint

app = typer.Typer(no_args_is_help=True, help="The audit chains: verify, export, reconcile, erase.")
app.command("verify")(verify)
app.command("reconcile")(reconcile)
OneTicketOption = Annotated[str, typer.Option("--ticket", help="[SYSTEM:]KEY")]


class Format(StrEnum):
    """How an export is written."""

    JSON = "json"
    HTML = "html"


@app.command("key")
def key(*, config: ConfigOption = None, as_json: JSONOption = False) -> None:
    """Print the public key that exports and seals are checked with."""
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        public = opened.store.public_key
    if as_json:
        print_json({"public_key": public.hex(), "fingerprint": fingerprint(public)})
        return
    say(public.hex())
    complain(f"fingerprint {fingerprint(public)}")


@app.command("export")
def export(
    *,
    config: ConfigOption = None,
    ticket: OneTicketOption,
    to: Annotated[Path | None, typer.Option("--to", help="A file; by default stdout.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="json proves, html is for reading.")
    ] = Format.JSON,
) -> None:
    """Write one ticket's whole chain: signed JSON that is verified offline, or a page to read."""
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        document = opened.store.export(chain_named(opened, ticket), at=opened.clock.now())
        match form:
            case Format.JSON:
                content = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
            case Format.HTML:
                checked = check_export(document, opened.store.public_key.hex())
                content = audit_page(document, misfit=str(checked.misfit or "")).encode()
    if to is None:
        say(content.decode())
        return
    with errors_end_the_command():
        _write(to, content)
    say(f"{ticket}: {to}")


def _write(to: Path, content: bytes) -> None:
    try:
        to.write_bytes(content)
    except OSError as error:
        raise PreconditionError(f"{to}: {error.strerror}") from error


@app.command("erase")
def erase(
    *,
    config: ConfigOption = None,
    ticket: Annotated[str | None, typer.Option("--ticket", help="[SYSTEM:]KEY")] = None,
    person: Annotated[
        str | None,
        typer.Option("--person", help="Join key, account id or name: all their ended tickets."),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="For the audit; name no person in it.")],
) -> None:
    """Remove every personal text of ended tickets; the chains stay and say who did it."""
    if (ticket is None) is (person is None):
        complain("erase: name either --ticket or --person")
        raise SystemExit(ExitCode.USAGE)
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        if not why.strip():
            raise PreconditionError("--why: an erasure without a reason proves nothing")
        live = _erase(opened, ticket, person, why.strip())
        if not opened.store.scrub():
            complain("the database's log still holds the texts while others read: the daemon")
            complain("empties it within seconds; without one, run this command again")
    if live:
        raise SystemExit(ExitCode.FINDING)


def _erase(opened: Opened, ticket: str | None, person: str | None, why: str) -> bool:
    """Erase one ticket, or all of one person; return whether a live one was left out."""
    if ticket is not None:
        chains: tuple[str, ...] = (chain_named(opened, ticket),)
    else:
        with opened.store.read() as unit:
            chains = unit.concerning([person or ""])
        if not chains:
            raise RecordNotFoundError("no ticket that still holds texts names this person")
    is_left = False
    for chain in chains:
        try:
            row = opened.store.erase(
                chain, at=opened.clock.now(), actor=f"operator {getpass.getuser()}", why=why
            )
        except PreconditionError as refusal:
            if ticket is not None:
                raise
            complain(str(refusal))
            is_left = True
        else:
            say(f"{ticket or chain}: erased, recorded as row {row.number}")
    return is_left
