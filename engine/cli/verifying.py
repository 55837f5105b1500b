"""`tiergate audit verify`: the store, an export, and both against heads that were kept outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from engine.bootstrap import Daemon, Opened, open_daemon, open_installation
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
from engine.cli.reconciling import instant
from engine.domain.audit import NotedSeal, SignedHead, heads_in, seals_in
from engine.errors import ConfigurationError, TiergateError
from engine.store.heads import is_genuine, misfit_of
from engine.store.verification import Misfit

TicketOption = Annotated[str | None, typer.Option("--ticket", help="[SYSTEM:]KEY")]
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Outside:
    """What was found outside: genuine heads and seals, and lines that nobody of ours signed."""

    heads: list[SignedHead] = field(default_factory=list[SignedHead])
    seals: list[NotedSeal] = field(default_factory=list[NotedSeal])
    forged: list[str] = field(default_factory=list[str])
    unread: list[str] = field(default_factory=list[str])

    def take(self, text: str, place: str, public: bytes) -> None:
        """Take the lines of one text; a line with another signature is named, not believed."""
        for head in heads_in(text):
            if is_genuine(public, head):
                self.heads.append(head)
            else:
                self.forged.append(f"{place}: a head of {head.chain} row {head.number}")
        for seal in seals_in(text):
            if is_genuine(public, seal):
                self.seals.append(seal)
            else:
                self.forged.append(f"{place}: seal {seal.number}")


def verify(  # noqa: PLR0913  one option each
    *,
    config: ConfigOption = None,
    ticket: TicketOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="An export; needs no configuration.")
    ] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The installation's key, for --file.")
    ] = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option("--heads", help="Heads kept outside: the file, or what syslog wrote."),
    ] = None,
    native: Annotated[
        bool, typer.Option("--native", help="Compare with the heads on our changes, read afresh.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="With --native: changes since; by default all.")
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """Check hashes, order and seals, and heads kept outside; name what does not fit, exit 1."""
    _refuse_mixtures(
        is_file=file is not None,
        is_store=ticket is not None or config is not None or native,
        has_key=public_key is not None,
        has_since=since is not None and not native,
    )
    with errors_end_the_command():
        if file is not None:
            _verify_file(file, public_key, heads or (), as_json=as_json)
        elif native:
            with open_daemon(config_path(config)) as daemon:
                begin = _EVER if since is None else instant(since, now=daemon.opened.clock.now())
                outside = _read(heads or (), daemon.opened.store.public_key)
                read_native(daemon, outside, begin)
                _verify_store(daemon.opened, ticket, outside, as_json=as_json)
        else:
            with open_installation(config_path(config)) as opened:
                outside = _read(heads or (), opened.store.public_key)
                _verify_store(opened, ticket, outside, as_json=as_json)


def _refuse_mixtures(*, is_file: bool, is_store: bool, has_key: bool, has_since: bool) -> None:
    why = ""
    if is_file and is_store:
        why = "--file is checked by itself, without --ticket, --config and --native"
    elif has_key and not is_file:
        why = "--public-key goes with --file: the store knows its own key"
    elif has_since:
        why = "--since goes with --native"
    if why:
        complain(why)
        raise SystemExit(ExitCode.USAGE)


def _read(files: Sequence[Path], public: bytes) -> Outside:
    """Return what these files hold.

    Raises:
        ConfigurationError: A file cannot be read, or holds no line of ours at all.
    """
    outside = Outside()
    for path in files:
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from error
        if not heads_in(text) and not seals_in(text):
            raise ConfigurationError(f"{path}: no line in it is a head or a seal")
        outside.take(text, str(path), public)
    return outside


def read_native(daemon: Daemon, outside: Outside, since: datetime) -> None:
    """Add the heads that stand on changes; what cannot be read is said."""
    seen = set[str]()
    for name, itsm in daemon.itsm.items():
        if itsm.changes is None:
            continue
        if itsm.trail is None:
            outside.unread.append(f"{name}: its connector cannot read notes back")
            continue
        try:
            if itsm.trail.site in seen:
                continue
            seen.add(itsm.trail.site)
            for note in itsm.trail.head_notes(since, told=complain):
                outside.take(note.text, f"{name} {note.record}", daemon.opened.store.public_key)
        except TiergateError as error:
            outside.unread.append(f"{name}: {error}")


def _verify_store(opened: Opened, ticket: str | None, outside: Outside, *, as_json: bool) -> None:
    chain = None if ticket is None else chain_named(opened, ticket)
    first = opened.store.verify(chain)
    misfits = ([] if first is None else [first]) + [
        one
        for one in opened.store.compare(outside.heads, outside.seals)
        if chain is None or one.chain == chain
    ]
    with opened.store.read() as unit:
        count = 1 if chain else len(unit.chains())
    if as_json:
        print_json(
            {
                "chains": count,
                "fits": not misfits,
                "misfit": str(misfits[0]) if misfits else "",
                "misfits": [str(one) for one in misfits],
                "heads": len(outside.heads),
                "seals": len(outside.seals),
                "forged": outside.forged,
                "unread": outside.unread,
            }
        )
    elif not misfits:
        say(f"{count} chain(s): every row fits")
        if outside.heads or outside.seals:
            say(_reach(outside))
    _end(misfits, outside)


def _reach(outside: Outside) -> str:
    told = f"{len(outside.heads)} head(s) and {len(outside.seals)} seal(s) kept outside fit"
    if not outside.seals:
        return told
    newest = max(outside.seals, key=lambda seal: seal.number)
    return f"{told}; the newest is seal {newest.number} of {newest.at:%Y-%m-%d %H:%M:%S} UTC"


def _end(misfits: Sequence[Misfit], outside: Outside) -> None:
    for misfit in misfits:
        complain(str(misfit))
    for line in outside.forged:
        complain(f"not signed by this installation: {line}")
    for line in outside.unread:
        complain(f"not read: {line}")
    if misfits or outside.forged:
        raise SystemExit(ExitCode.FINDING)


def _verify_file(
    file: Path, public_key: str | None, heads: Sequence[Path], *, as_json: bool
) -> None:
    document = read_export(file)
    checked = check_export(document, public_key)
    outside, misfit = Outside(), checked.misfit
    if misfit is None:
        outside = _read(heads, bytes.fromhex(public_key or document["public_key"]))
        misfit = _lacking(document["rows"], checked.chain, outside)
    if as_json:
        print_json(
            {
                "chain": checked.chain,
                "rows": checked.rows,
                "key": checked.key,
                "key_given": checked.is_key_given,
                "fits": misfit is None,
                "misfit": str(misfit or ""),
                "forged": outside.forged,
            }
        )
    elif misfit is None:
        say(f"{checked.chain}: {checked.rows} row(s), every row, seal and the signature fit")
        say(f"signed with the key {checked.key}")
    _end([] if misfit is None else [misfit], outside)
    if not checked.is_key_given:
        complain(
            "the key was taken from the file itself: compare it with what `tiergate audit key`"
            " prints at the installation, or give that with --public-key"
        )


def _lacking(rows: Sequence[dict[str, object]], chain: str, outside: Outside) -> Misfit | None:
    """Return what the export lacks of heads of its chain from before it was made."""
    mine = sorted((one for one in outside.heads if one.chain == chain), key=lambda one: one.number)
    for head in mine:
        if head.number <= len(rows) and rows[head.number - 1]["hash"] != head.hash:
            return misfit_of(head, len(rows))
    return misfit_of(mine[-1], len(rows)) if mine and mine[-1].number > len(rows) else None


def chain_named(opened: Opened, ticket: str) -> str:
    """Return the chain of the ticket that `[SYSTEM:]KEY` names."""
    with opened.store.read() as unit:
        ref = unit.find_ticket(ticket)
    return f"{ref.system}:{ref.id}"
