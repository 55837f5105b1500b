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
from engine.cli.offline import check_export, read_export
from engine.cli.reconciling import reconcile
from engine.errors import PreconditionError
from engine.store.keys import fingerprint

app = typer.Typer(no_args_is_help=True, help="The audit chains: verify, export, reconcile, erase.")
app.command("reconcile")(reconcile)
TicketOption = Annotated[str | None, typer.Option("--ticket", help="[SYSTEM:]KEY")]
OneTicketOption = Annotated[str, typer.Option("--ticket", help="[SYSTEM:]KEY")]


class Format(StrEnum):
    """How an export is written."""

    JSON = "json"
    HTML = "html"


@app.command("verify")
def verify(
    *,
    config: ConfigOption = None,
    ticket: TicketOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="An export; needs no configuration.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The installation's key, for --file.")
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """Check hashes, order and seals; name the first row that does not fit and exit 1."""
    if file is not None and (ticket is not None or config is not None):
        complain("--file is checked by itself, without --ticket and --config")
        raise SystemExit(ExitCode.USAGE)
    if public_key is not None and file is None:
        complain("--public-key goes with --file: the store knows its own key")
        raise SystemExit(ExitCode.USAGE)
    with errors_end_the_command():
        if file is not None:
            _verify_file(file, public_key, as_json=as_json)
        else:
            _verify_store(config, ticket, as_json=as_json)


def _verify_store(config: Path | None, ticket: str | None, *, as_json: bool) -> None:
    with open_installation(config_path(config)) as opened:
        chain = None if ticket is None else _chain(opened, ticket)
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


def _verify_file(file: Path, public_key: str | None, *, as_json: bool) -> None:
    checked = check_export(read_export(file), public_key)
    if as_json:
        print_json(
            {
                "chain": checked.chain,
                "rows": checked.rows,
                "key": checked.key,
                "key_given": checked.is_key_given,
                "fits": checked.misfit is None,
                "misfit": str(checked.misfit or ""),
            }
        )
    elif checked.misfit is None:
        say(f"{checked.chain}: {checked.rows} row(s), every row, seal and the signature fit")
        say(f"signed with the key {checked.key}")
    if checked.misfit is not None:
        complain(str(checked.misfit))
        raise SystemExit(ExitCode.FINDING)
    if not checked.is_key_given:
        complain(
            "the key was taken from the file itself: compare it with what `tiergate audit key`"
            " prints at the installation, or give that with --public-key"
        )


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
        document = opened.store.export(_chain(opened, ticket), at=opened.clock.now())
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
    ticket: OneTicketOption,
    why: Annotated[str, typer.Option("--why", help="For the audit; name no person in it.")],
) -> None:
    """Remove every personal text of one ended ticket; the chain stays and says who did it."""
    with errors_end_the_command(), open_installation(config_path(config)) as opened:
        if not why.strip():
            raise PreconditionError("--why: an erasure without a reason proves nothing")
        row = opened.store.erase(
            _chain(opened, ticket),
            at=opened.clock.now(),
            actor=f"operator {getpass.getuser()}",
            why=why.strip(),
        )
    say(f"{ticket}: erased, recorded as row {row.number}")


def _chain(opened: Opened, ticket: str) -> str:
    with opened.store.read() as unit:
        ref = unit.find_ticket(ticket)
    return f"{ref.system}:{ref.id}"
