"""Conflict detection: other changes, maintenance windows and blackouts around a planned change.

The properties `change.conflict.*` say what is looked at, as on an instance: `mode` (basic: the
change's own item, advanced: the affected items too), `currentci`, `currentwindow`, `blackout`,
`assigned_to`, `relatedchildwindow` and `relatedparentwindow`, `allow_contiguous_changes`. Being
inside a blackout is a conflict, and being outside a maintenance window is one.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.rules import schedules
from connectors.servicenow.sandbox.rules.schedules import Interval
from connectors.servicenow.sandbox.rules.scripts import holds
from connectors.servicenow.sandbox.store import Row

NO_CONFLICT, CONFLICT, NOT_RUN = "No Conflict", "Conflict", "Not Run"

_PREFIX = "change.conflict."
_RELATED: Mapping[str, tuple[str, str, str]] = {
    "relatedchildwindow": ("child_", "parent", "child"),
    "relatedparentwindow": ("parent_", "child", "parent"),
}
_HORIZON_DAYS = 90
_MOST_SLOTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One conflict; `prefix` says whether it is of the item itself or of a relative."""

    kind: str
    item: str = ""
    schedule: str = ""
    change: str = ""
    related: str = ""

    def values(self) -> dict[str, str]:
        """Return the columns of its row."""
        return {
            "type": self.kind,
            "configuration_item": self.item,
            "schedule": self.schedule,
            "conflicting_change": self.change,
            "related_configuration_item": self.related,
        }


def wanted(records: Records, name: str) -> bool:
    """Say whether a property of the detection is on."""
    found = records.find("sys_properties", name=_PREFIX + name)
    return bool(found) and found[0]["value"] == "true"


def items_of(records: Records, change: Row) -> list[str]:
    """Return the items that count for a change in the mode of the instance."""
    listed = [change["cmdb_ci"]] if change["cmdb_ci"] else []
    mode = records.find("sys_properties", name=_PREFIX + "mode")
    if mode and mode[0]["value"] == "advanced":
        affected = records.find("task_ci", task=change["sys_id"])
        listed.extend(one["ci_item"] for one in affected if one["ci_item"] not in listed)
    return listed


def window_of(change: Row) -> Interval | None:
    """Return the planned time of a change, or None where it has none that could come."""
    try:
        start, end = moment(change["start_date"]), moment(change["end_date"])
        # A change that takes no time still happens at one second.
        return start, max(end, start + timedelta(seconds=1))
    except (ValueError, OverflowError):
        return None


def moment(value: str) -> datetime:
    """Return a kept time as a moment."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def detect(records: Records, change: Row) -> list[Found]:
    """Return what stands against the planned time of a change."""
    window = window_of(change)
    if window is None:
        return []
    found: list[Found] = []
    items = items_of(records, change)
    for item in items:
        found.extend(_of_item(records, change, item, window))
        for name, (prefix, own, other) in _RELATED.items():
            if wanted(records, name):
                for one in records.find("cmdb_rel_ci", **{own: item}):
                    found.extend(
                        Found(
                            kind=prefix + hit.kind,
                            item=item,
                            schedule=hit.schedule,
                            change=hit.change,
                            related=one[other],
                        )
                        for hit in _of_item(records, change, one[other], window)
                    )
    if wanted(records, "blackout"):
        found.extend(_blackouts(records, change, "", window))
    if wanted(records, "assigned_to") and change["assigned_to"]:
        rivals = _rivals(records, change, window, assigned_to=change["assigned_to"])
        found.extend(
            Found(kind="assigned_to_already_scheduled", change=one["sys_id"]) for one in rivals
        )
    return found


def _of_item(records: Records, change: Row, item: str, window: Interval) -> Generator[Found]:
    if wanted(records, "currentci"):
        for one in _rivals(records, change, window, cmdb_ci=item):
            yield Found(kind="ci_already_scheduled", item=item, change=one["sys_id"])
    if wanted(records, "currentwindow"):
        for schedule in maintenance_of(records, item):
            if not schedules.covers(schedules.intervals(records, schedule, *window), *window):
                yield Found(kind="not_in_maintenance_window", item=item, schedule=schedule)
    if wanted(records, "blackout"):
        yield from _blackouts(records, change, item, window)


def _rivals(records: Records, change: Row, window: Interval, **equal: str) -> Generator[Row]:
    """Yield the other open changes that share something with a change and its time."""
    contiguous = wanted(records, "allow_contiguous_changes")
    for other in records.find("change_request", active="true", **equal):
        planned = window_of(other)
        if other["sys_id"] == change["sys_id"] or planned is None:
            continue
        apart = planned[1] <= window[0] or window[1] <= planned[0]
        touching = planned[1] == window[0] or window[1] == planned[0]
        if not apart or (touching and not contiguous):
            yield other


def maintenance_of(records: Records, item: str) -> list[str]:
    """Return the maintenance schedules of an item: its own one, and those whose condition holds."""
    row = records.read("cmdb_ci", item)
    if row is None:
        return []
    own = row["maintenance_schedule"]
    # A schedule that is gone binds nobody, as in the vendor's own check.
    found = [own] if records.read("cmn_schedule", own) else []
    found.extend(
        schedule["sys_id"]
        for schedule in records.find("cmn_schedule_maintenance", type="maintenance")
        if schedule["applies_to"] and _applies(records, schedule, row)
    )
    return found


def _applies(records: Records, schedule: Row, row: Row) -> bool:
    """Say whether a schedule's source and condition take in a record."""
    source, class_name = schedule["applies_to"], row["sys_class_name"]
    if source not in records.schema.tables or class_name not in records.schema.tables:
        return False
    if not records.schema.is_a(class_name, source):
        return False
    return holds(records, source, schedule["condition"], row["sys_id"])


def _blackouts(records: Records, change: Row, item: str, window: Interval) -> Generator[Found]:
    """Yield the blackouts of an item; without one, those of the change itself and of everything."""
    row = records.read("cmdb_ci", item) if item else change
    for schedule in records.find("cmn_schedule_blackout", type="blackout"):
        source = schedule["applies_to"]
        if row is None or (source == "" and item):
            continue
        if source and not _applies(records, schedule, row):
            continue
        if schedules.overlaps(schedules.intervals(records, schedule["sys_id"], *window), *window):
            yield Found(kind="blackout", item=item, schedule=schedule["sys_id"])


def horizon(records: Records) -> timedelta:
    """Return how far ahead a free time is looked for: a property, ninety days without it."""
    kept = records.find("sys_properties", name=_PREFIX + "next_available.schedule_window")
    days = kept[0]["value"] if kept else ""
    return timedelta(days=min(int(days), 366) if days.isdecimal() else _HORIZON_DAYS)


def free_slots(records: Records, change: Row, start: datetime, length: timedelta) -> list[Interval]:
    """Return the first times from `start` on in which nothing stands against a change."""
    stretch = horizon(records)
    if length > stretch:
        return []
    end = start + stretch
    busy, open_times = _busy(records, change, start, end), _open(records, change, start, end)
    starts = {start, *(finish for _, finish in busy)}
    for listed in open_times:
        starts |= {begin for begin, _ in listed}
    found: list[Interval] = []
    for begin in sorted(one for one in starts if start <= one < end):
        slot = begin, begin + length
        if not schedules.overlaps(busy, *slot) and all(
            schedules.covers(listed, *slot) for listed in open_times
        ):
            found.append(slot)
    return found[:_MOST_SLOTS]


def _busy(records: Records, change: Row, start: datetime, end: datetime) -> list[Interval]:
    stretch = start, end
    found: list[Interval] = []
    items = items_of(records, change)
    for item in items:
        rivals = _rivals(records, change, stretch, cmdb_ci=item)
        found.extend(planned for one in rivals if (planned := window_of(one)))
    if wanted(records, "blackout"):
        hits = [hit for item in ("", *items) for hit in _blackouts(records, change, item, stretch)]
        for hit in hits:
            found.extend(schedules.intervals(records, hit.schedule, *stretch))
    return schedules.merge(found)


def _open(
    records: Records, change: Row, start: datetime, end: datetime
) -> Sequence[list[Interval]]:
    if not wanted(records, "currentwindow"):
        return []
    named = [one for item in items_of(records, change) for one in maintenance_of(records, item)]
    return [schedules.intervals(records, one, start, end) for one in named]
