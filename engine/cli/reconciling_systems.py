"""The ITSM half of `tiergate audit reconcile`: changes opened, and every write of our accounts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from engine.cli.console import complain
from engine.errors import TiergateError
from engine.ports.changes import ChangeControl
from engine.ports.trail import AccountTrail, OwnWrites
from engine.service import faults
from engine.service.own_writes import Spell, ToldFault, Way, unexplained, unmoved
from engine.service.world import Services
from engine.store.audit import INSTALLATION
from engine.store.store import SQLStore
from engine.store.traces import OpenedOnRecord, Trodden

LONGEST_EFFECT = timedelta(hours=1)
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


def compare_systems(
    services: Services,
    store: SQLStore,
    trails: Mapping[str, AccountTrail | None],
    found: Reconciliation,
) -> None:
    """Add what differs between the ITSM systems and the store."""
    with store.read() as unit:
        recorded = unit.opened_since(found.since - LONGEST_EFFECT)
    for name, control in services.changes.items():
        try:
            _changes(control, name, services.settings.installation, recorded, found)
        except TiergateError as error:
            found.unread.append(f"{name}: {error}")
    ways = _ways(store, found.since)
    seen = dict[str, str]()
    for name, trail in trails.items():
        if trail is None:
            found.unread.append(f"{name}: its connector cannot read our own writes back")
            continue
        try:
            if (site := trail.site) not in seen:
                seen[site] = name
                _writes(services, store, trail, ways, found)
            else:
                found.unread.append(f"{name}: the same site and account as {seen[site]}, see there")
        except TiergateError as error:
            found.unread.append(f"{name}: {error}")


def _writes(
    services: Services,
    store: SQLStore,
    trail: AccountTrail,
    ways: Sequence[Way],
    found: Reconciliation,
) -> None:
    read: OwnWrites = trail.writes(found.since, told=complain)
    found.unread += read.unread
    found.compared[f"{trail.system} writes"] = len(read.writes)
    told = _faults(services, store, trail)
    found.differences += [
        Difference(
            side="unrecorded",
            system=trail.system,
            at=one.at,
            what=f"{', '.join(one.what)} of {one.record} written by our account: {one.why}",
        )
        for one in unexplained(read.writes, ways, told)
    ]
    if read.unread:
        return  # what is hidden may be the very move that is missed
    mine = [way for way in ways if way.system == trail.system]
    found.differences += [
        Difference(
            side="untraced",
            system=trail.system,
            at=way.spells[-1].begins_at,
            what=f"{way.ticket} was carried out, and its change was never moved by our account",
        )
        for way in unmoved(read.writes, mine, found.since)
    ]


def _ways(store: SQLStore, since: datetime) -> list[Way]:
    with store.read() as unit:
        return [_way(one) for one in unit.trodden_since(since - LONGEST_EFFECT)]


def _way(one: Trodden) -> Way:
    ends = [at for _, at in one.steps[1:]]
    return Way(
        handling=one.handling,
        ticket=one.ticket,
        records=one.records,
        change=one.change,
        system=one.change_system,
        spells=tuple(
            Spell(stage=stage, begins_at=at, ends_at=end)
            for (stage, at), end in zip(one.steps, [*ends, None], strict=True)
        ),
    )


def _faults(
    services: Services, store: SQLStore, trail: AccountTrail
) -> Mapping[str, Sequence[ToldFault]]:
    """Return when which fault of the daemon stood, by the key of its incident in this system."""
    with store.read() as unit:
        rows = unit.audit(INSTALLATION)
    begun = dict[str, datetime]()
    told = dict[str, list[ToldFault]]()
    for row in rows:
        name = str(row.body.get("name", ""))
        key = trail.fault_key(faults.marker(services, name))
        if row.event == "fault_open":
            begun[key] = row.at
        elif row.event == "fault_mended" and key in begun:
            told.setdefault(key, []).append(ToldFault(begins_at=begun.pop(key), ends_at=row.at))
    for key, at in begun.items():
        told.setdefault(key, []).append(ToldFault(begins_at=at, ends_at=None))
    return told


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
