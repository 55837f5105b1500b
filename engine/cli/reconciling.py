"""`tiergate audit reconcile`: what our accounts did out there, against what is on our record."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from engine.bootstrap import open_daemon
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
from engine.errors import ConfigurationError, TiergateError
from engine.ports.changes import ChangeControl
from engine.ports.fulfilment import Fulfiller
from engine.service.reconcile import SLACK, Deed, compare, deed
from engine.service.world import Services
from engine.store.store import SQLStore
from engine.store.traces import OpenedOnRecord

LOOKBACK = timedelta(days=7)
_LONGEST_EFFECT = timedelta(hours=1)
_OURS = re.compile(r"tiergate-(?P<installation>[^-]+)-[0-9a-f]+-\d+-r\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that stands on one side alone: out there (`unrecorded`) or with us."""

    side: str
    system: str
    at: datetime
    what: str

    def document(self) -> dict[str, str]:
        """Return it for --json."""
        at = self.at.astimezone(UTC).isoformat(timespec="seconds")
        return {"side": self.side, "system": self.system, "at": at, "what": self.what}


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """What was compared, what differs, and what could not be read."""

    since: datetime
    compared: dict[str, int] = field(default_factory=dict[str, int])
    differences: list[Difference] = field(default_factory=list[Difference])
    unread: list[str] = field(default_factory=list[str])

    def document(self) -> dict[str, object]:
        """Return it for --json."""
        return {
            "since": self.since.astimezone(UTC).isoformat(timespec="seconds"),
            "compared": self.compared,
            "differences": [one.document() for one in self.differences],
            "unread": self.unread,
        }


def reconcile(
    *,
    config: ConfigOption = None,
    since: Annotated[
        str | None, typer.Option("--since", help="ISO 8601 instant; by default 7 days ago.")
    ] = None,
    as_json: JSONOption = False,
) -> None:
    """List what our accounts changed, against our record; exit 1 where the two differ."""
    with errors_end_the_command(), open_daemon(config_path(config)) as daemon:
        start = instant(since, now=daemon.opened.clock.now())
        found = reconciled(daemon.services, daemon.opened.store, start)
    if as_json:
        print_json(found.document())
    else:
        _print(found)
    if found.differences:
        raise SystemExit(ExitCode.FINDING)


def instant(text: str | None, *, now: datetime) -> datetime:
    """Return when the comparison begins.

    Raises:
        ConfigurationError: The text is no instant in the past.
    """
    if text is None:
        return now - LOOKBACK
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--since {text}: no ISO 8601 instant") from error
    read = read.replace(tzinfo=UTC) if read.tzinfo is None else read
    if read >= now:
        raise ConfigurationError(f"--since {text}: lies in the future")
    return read


def reconciled(services: Services, store: SQLStore, since: datetime) -> Reconciliation:
    """Compare every directory and every change system with the store."""
    found = Reconciliation(since=since)
    deeds = _deeds(store, since, found)
    for name, fulfiller in services.fulfillers.items():
        try:
            _directory(fulfiller, name, deeds, found)
        except TiergateError as error:
            found.unread.append(f"{name}: {error}")
    with store.read() as unit:
        recorded = unit.opened_since(since - _LONGEST_EFFECT)
    for name, control in services.changes.items():
        try:
            _changes(control, name, services.settings.installation, recorded, found)
        except TiergateError as error:
            found.unread.append(f"{name}: {error}")
    found.differences.sort(key=lambda one: (one.at, one.system, one.what))
    return found


def _deeds(store: SQLStore, since: datetime, found: Reconciliation) -> Sequence[Deed]:
    with store.read() as unit:
        pairs = unit.effects_since(since - _LONGEST_EFFECT)
    told = [deed(effect, handling) for effect, handling in pairs]
    deeds = [one for one in told if one is not None]
    found.unread += [
        f"{one.ticket}: erased; its {one.action} is compared by time alone"
        for one in deeds
        if one.targets is None
    ]
    return deeds


def _directory(
    fulfiller: Fulfiller, name: str, deeds: Sequence[Deed], found: Reconciliation
) -> None:
    changes = fulfiller.changes_by_us(found.since)
    if changes is None:
        found.unread.append(f"{name}: keeps no log of changes that our account may read")
        return
    found.compared[name] = len(changes)
    result = compare(name, changes, deeds, since=found.since)
    found.differences += [
        Difference(
            side="unrecorded",
            system=name,
            at=one.at,
            what=f"{', '.join(one.what)} of {one.target_name} changed by our account",
        )
        for one in result.unrecorded
    ]
    found.differences += [
        Difference(
            side="untraced",
            system=name,
            at=one.begins_at + SLACK,
            what=f"{one.action} for {one.ticket} (effect {one.key[:12]}) is not in the log",
        )
        for one in result.untraced
    ]


def _changes(
    control: ChangeControl,
    name: str,
    installation: str,
    recorded: Sequence[OpenedOnRecord],
    found: Reconciliation,
) -> None:
    opened = control.opened_by_us(found.since)
    if opened is None:
        found.unread.append(f"{name}: some of the changes that our account opened are hidden")
        return
    found.compared[name] = len(opened)
    known = {one.correlation_id for one in recorded}
    mine = [one for one in recorded if one.change.get("system") == name]
    ids = {one.change.get("id") for one in mine}
    for one in opened:
        if one.correlation_id not in known and one.ref.id not in ids:
            whose = _whose(one.correlation_id, installation)
            what = f"{one.ref.number} opened by our account{whose}"
            found.differences.append(
                Difference(side="unrecorded", system=name, at=one.opened_at, what=what)
            )
    seen = {one.ref.id for one in opened}
    found.differences += [
        _missing(control, name, kept)
        for kept in mine
        if kept.change["id"] not in seen and control.find(kept.correlation_id) is None
    ]


def _whose(correlation_id: str, installation: str) -> str:
    if not correlation_id:
        return ", without any key of a handling"
    match = _OURS.fullmatch(correlation_id)
    if match is not None and match.group("installation") != installation:
        return f" for another installation ({correlation_id})"
    return f", and no handling knows its key ({correlation_id})"


def _missing(control: ChangeControl, name: str, one: OpenedOnRecord) -> Difference:
    number = str(one.change.get("number", ""))
    return Difference(
        side="untraced",
        system=name,
        at=one.at,
        what=f"{number} of {one.chain} is on record, and {control.system} does not show it",
    )


def _print(found: Reconciliation) -> None:
    document = found.document()
    say(f"since {document['since']}")
    for name, count in found.compared.items():
        say(f"{name}: {count} change(s) by our account compared")
    for title, side in (
        ("Out there, and not on our record", "unrecorded"),
        ("On our record, and not out there", "untraced"),
    ):
        lines = [one.document() for one in found.differences if one.side == side]
        say(f"{title}: {len(lines) or 'nothing'}")
        for line in lines:
            say(f"  {line['at']}  {line['system']}  {line['what']}")
    for why in found.unread:
        complain(f"not read: {why}")
