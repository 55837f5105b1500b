"""`tiergate audit reconcile`: what our accounts did out there, against what is on our record."""

from collections.abc import Mapping, Sequence
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
    tell,
)
from engine.cli.reconciling_systems import (
    LONGEST_EFFECT,
    Difference,
    Reconciliation,
    compare_systems,
)
from engine.errors import ConfigurationError, TiergateError
from engine.ports.fulfilment import Fulfiller
from engine.ports.trail import AccountTrail
from engine.service.reconcile import SLACK, Deed, compare, deed
from engine.service.world import Services
from engine.store.store import SQLStore

LOOKBACK = timedelta(days=7)


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
        trails = {name: one.trail for name, one in daemon.itsm.items()}
        found = reconciled(daemon.services, daemon.opened.store, start, trails)
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


def reconciled(
    services: Services,
    store: SQLStore,
    since: datetime,
    trails: Mapping[str, AccountTrail | None] | None = None,
) -> Reconciliation:
    """Compare every directory and every change system with the store."""
    found = Reconciliation(since=since)
    deeds = _deeds(store, since, found)
    for name, fulfiller in services.fulfillers.items():
        try:
            _directory(fulfiller, name, deeds, found)
        except TiergateError as error:
            found.unread.append(f"{name}: {error}")
    compare_systems(services, store, trails or {}, found)
    found.differences.sort(key=lambda one: (one.at, one.system, one.what))
    return found


def _deeds(store: SQLStore, since: datetime, found: Reconciliation) -> Sequence[Deed]:
    with store.read() as unit:
        pairs = unit.effects_since(since - LONGEST_EFFECT)
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
        changes = fulfiller.newest_changes(found.since)
        found.unread.append(
            f"{name}: keeps no log of changes that our account may read"
            + ("" if changes is None else "; only the newest change of each entry is compared")
        )
    if changes is None:
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


def _print(found: Reconciliation) -> None:
    document = found.document()
    tell(f"since {document['since']}")
    for name, count in found.compared.items():
        tell(f"{name}: {count} change(s) by our account compared")
    for title, side in (
        ("Out there, and not on our record", "unrecorded"),
        ("On our record, and not out there", "untraced"),
    ):
        lines = [one.document() for one in found.differences if one.side == side]
        tell(f"{title}: {len(lines) or 'nothing'}")
        for line in lines:
            tell(f"  {line['at']}  {line['system']}  {line['what']}")
    for why in found.unread:
        complain(f"not read: {why}")
