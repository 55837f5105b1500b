"""Compares what an ITSM system says that our account wrote with where our handlings stood then.

Pure functions. A write is explained by a handling whose ticket or change it touched, at a stage in
which we write such things: while a change waits for its approvers we add notes, and nothing else;
after an end we write nothing at all. A decision on an approval is never explained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.stage import Stage
from engine.ports.trail import OwnWrite, WriteKind
from engine.service.reconcile import SLACK

_QUIET = frozenset({Stage.AWAITING, Stage.APPROVED, Stage.PARKED})
_NOTES = frozenset({WriteKind.NOTE})
_ALL = frozenset(WriteKind) - {WriteKind.APPROVAL}
_FAULT_ENDS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """A stretch of time in which one handling stood at one stage; `ends_at` None: it does yet."""

    stage: Stage
    begins_at: datetime
    ends_at: datetime | None

    def allows(self, write: OwnWrite) -> bool:
        """Whether the daemon may have written this then."""
        if self.stage.is_end:
            kinds: frozenset[WriteKind] = frozenset()
        else:
            kinds = _NOTES if self.stage in _QUIET else _ALL
        is_then = self.begins_at - SLACK <= write.at and (
            self.ends_at is None or write.at <= self.ends_at + SLACK
        )
        return is_then and write.kind in kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One handling's way: whose records it wrote on, and when it stood where.

    `records` are the ids of its ticket and of every change that it owns or owned; `change` and
    `system` tell the last of these.
    """

    handling: str
    ticket: str
    records: frozenset[str]
    change: str
    system: str
    spells: tuple[Spell, ...]

    @property
    def implemented(self) -> Spell | None:
        """The spell in which the effect of a change gate was carried out, if there was one."""
        if not self.change:
            return None
        return next((one for one in self.spells if one.stage is Stage.IMPLEMENTING), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFault:
    """A fault of the daemon that was told in an incident, and until when it stood."""

    begins_at: datetime
    ends_at: datetime | None

    def allows(self, write: OwnWrite) -> bool:
        """Whether the incident may have been written then."""
        is_over = self.ends_at is not None and write.at > self.ends_at + _FAULT_ENDS
        return write.at >= self.begins_at - SLACK and not is_over


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """Writes on one record at one instant that nothing on our record explains."""

    at: datetime
    record: str
    what: tuple[str, ...]
    why: str


def unexplained(
    writes: Sequence[OwnWrite],
    ways: Iterable[Way],
    faults: Mapping[str, Sequence[ToldFault]],
) -> tuple[Unexplained, ...]:
    """Return the writes that no handling and no fault explains, those of one instant together."""
    by_record: dict[str, list[Way]] = {}
    for way in ways:
        for record in way.records:
            by_record.setdefault(record, []).append(way)
    found: dict[tuple[datetime, str, str], list[str]] = {}
    for write in writes:
        because = _objection(write, by_record, faults)
        if because:
            found.setdefault((write.at, write.record, because), []).extend(write.what)
    return tuple(
        Unexplained(at=at, record=record, what=tuple(dict.fromkeys(what)), why=why)
        for (at, record, why), what in found.items()
    )


def _objection(
    write: OwnWrite,
    by_record: Mapping[str, Sequence[Way]],
    faults: Mapping[str, Sequence[ToldFault]],
) -> str:
    if write.kind is WriteKind.APPROVAL:
        return "our account decided an approval"
    ways = [way for owner in write.owners for way in by_record.get(owner, ())]
    if any(spell.allows(write) for way in ways for spell in way.spells):
        return ""
    if any(fault.allows(write) for fault in faults.get(write.key, ())):
        return ""
    if not ways:
        return "no handling of ours concerns this record"
    return f"{ways[-1].ticket} stood where we do not write this"


def unmoved(writes: Sequence[OwnWrite], ways: Iterable[Way], since: datetime) -> tuple[Way, ...]:
    """Return the handlings that carried a change's effect out, and whose change we never moved."""
    moved: dict[str, list[datetime]] = {}
    for write in writes:
        if write.kind is WriteKind.MOVE:
            for owner in write.owners:
                moved.setdefault(owner, []).append(write.at)
    lost = list[Way]()
    for way in ways:
        fired = way.implemented
        if fired is None or fired.begins_at < since or way.spells[-1].stage is not Stage.FULFILLED:
            continue
        until = way.spells[-1].begins_at + SLACK
        if not any(fired.begins_at - SLACK <= at <= until for at in moved.get(way.change, ())):
            lost.append(way)
    return tuple(lost)
