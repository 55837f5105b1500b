"""What the instance's own calendar says against a change: blackouts, maintenance, conflicts.

Read afresh for every verdict. Which items a schedule is about is a condition that only the instance
can evaluate, so it is asked: is this change, or this item, among what the condition matches?
(ServiceNow docs, "Blackout and maintenance schedules" and "Conflict detection".) What cannot be
read is said, and shuts the gate; a table that an instance does not have is switched off by name in
the configuration.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, shown, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.settings import ScheduleSettings
from connectors.servicenow.spans import Span, Stretch, in_force, read_span
from engine.domain.decision import Window
from engine.domain.schedule import NativeSchedule, Obstacle, ObstacleKind
from engine.errors import InvalidAnswerError, MissingRightError, PermanentError

_CHANGE = "change_request"
_RECORD = (
    "cmdb_ci", "cmdb_ci.maintenance_schedule", "business_service", "start_date", "end_date",
)  # fmt: skip
_SCHEDULE = ("name", "time_zone", "parent", "applies_to", "condition")
_SPAN = (
    "schedule", "type", "all_day", "start_date_time", "end_date_time", "repeat_type",
    "repeat_count", "repeat_until", "days_of_week", "monthly_type", "yearly_type",
)  # fmt: skip
_AHEAD = timedelta(days=1)
_LOOK_AHEAD = timedelta(days=400)
_WHOLE_CHANGE = frozenset({"", _CHANGE, "task"})
_OPEN_STATES = ("-5", "-4", "-3", "-2", "-1")
_MOST_CONFLICTS = 10
TABLES: Mapping[str, tuple[str, ...]] = {
    "blackouts": ("cmn_schedule_blackout", "cmn_schedule_span"),
    "maintenance": ("cmn_schedule_maintenance", "cmn_schedule_span", "cmdb_ci"),
    "conflicts": ("conflict",),
}
"""The tables that each of the settings needs to be readable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What a schedule may be about: the change (where it exists) and its items by column."""

    change: str
    items: tuple[str, ...]
    maintenance: str = ""


class Agenda:
    """Reads the calendar of one instance."""

    def __init__(self, client: ServiceNowClient, settings: ScheduleSettings) -> None:
        self._client = client
        self._settings = settings

    def of(self, change_id: str) -> NativeSchedule:
        """Return what speaks against running this change at the instance's present time.

        Raises:
            TransientError: Nothing can be said now.
            RecordNotFoundError: The change is gone.
        """
        record = self._client.read(_CHANGE, change_id, fields=_RECORD)
        items = [text(record, name) for name in ("cmdb_ci", "business_service")]
        about = _About(
            change=change_id,
            items=tuple(item for item in items if item),
            maintenance=text(record, "cmdb_ci.maintenance_schedule"),
        )
        now = self._client.server_now()
        planned = _planned(record)

        def conflicts() -> Iterable[Obstacle]:
            found = {one.name: one for one in self._recorded(change_id)}
            if planned is not None:
                others = self._overlapping(text(record, "cmdb_ci"), *planned, but=change_id)
                found = {one.name: one for one in others} | found
            return found.values()

        return self._read(about, now, now + _AHEAD, conflicts)

    def ahead(self, window: Window, native: Mapping[str, str]) -> NativeSchedule:
        """Return what stands in the window of a change that does not exist yet.

        Raises:
            TransientError: Nothing can be said now.
        """
        now = self._client.server_now()
        begin = window.earliest or now
        end = max(window.latest or begin + _AHEAD, begin)
        item = native.get("cmdb_ci", "")
        if item and not q.is_sys_id(item):
            return NativeSchedule(unreadable=f"the configuration item {item!r} is no sys_id")
        items = tuple(one for one in (item, native.get("business_service", "")) if one)
        about = _About(change="", items=items, maintenance=self._own_schedule(item))
        return self._read(about, begin, end, lambda: self._overlapping(item, begin, end))

    def _read(
        self,
        about: _About,
        begin: datetime,
        end: datetime,
        conflicts: Callable[[], Iterable[Obstacle]],
    ) -> NativeSchedule:
        found: list[Obstacle] = []
        try:
            if self._settings.blackouts:
                found += self._blackouts(about, begin, end)
            if self._settings.maintenance and about.items:
                found += self._maintenance(about, begin, end)
            if self._settings.conflicts != "off":
                found += conflicts()
        except (PermanentError, ValueError) as error:
            # One schedule that nobody can read may be the one that forbids it.
            return NativeSchedule(
                obstacles=tuple(found), unreadable=f"{self._client.name}: {error}"
            )
        return NativeSchedule(obstacles=tuple(found))

    # --- schedules
    def _blackouts(self, about: _About, begin: datetime, end: datetime) -> Iterable[Obstacle]:
        schedules = [
            row
            for row in self._rows("cmn_schedule_blackout", "", _SCHEDULE)
            if self._applies(row, about)
        ]
        for row, spans in self._spans(schedules):
            for opens, closes in in_force(spans, begin, end):
                yield Obstacle(
                    kind=ObstacleKind.BLACKOUT,
                    name=text(row, "name"),
                    begins_at=opens,
                    ends_at=closes,
                )

    def _maintenance(self, about: _About, begin: datetime, end: datetime) -> Iterable[Obstacle]:
        schedules = [
            row
            for row in self._rows("cmn_schedule_maintenance", "", _SCHEDULE)
            if text(row, "applies_to") not in _WHOLE_CHANGE and self._applies(row, about)
        ]
        known = {text(row, "sys_id") for row in schedules}
        if about.maintenance and about.maintenance not in known:
            own = q.equals("sys_id", about.maintenance)
            rows = self._rows("cmn_schedule", own, ("name", "time_zone", "parent"))
            if not rows:
                raise MissingRightError("the item's own maintenance schedule cannot be read")
            schedules += rows
        for row, spans in self._spans(schedules):
            opened = in_force(spans, begin, begin + _LOOK_AHEAD)
            for shut_from, shut_until in _closed(opened, begin, end):
                yield Obstacle(
                    kind=ObstacleKind.OUTSIDE_MAINTENANCE,
                    name=text(row, "name"),
                    begins_at=shut_from,
                    ends_at=shut_until,
                )

    def _own_schedule(self, item: str) -> str:
        if not item or not self._settings.maintenance:
            return ""
        fields = ("sys_id", "maintenance_schedule")
        rows = self._client.rows("cmdb_ci", q.equals("sys_id", item), fields=fields, limit=1)
        return text(rows.records[0], "maintenance_schedule") if rows.records else ""

    def _applies(self, schedule: Record, about: _About) -> bool:
        """Whether the schedule is about this change: the instance itself evaluates its condition.

        A term that the instance drops makes the condition match more, which only shuts more.
        """
        table, condition = text(schedule, "applies_to"), text(schedule, "condition")
        ids: tuple[str, ...] = about.items
        if table in _WHOLE_CHANGE:
            if not condition or not about.change:
                return True
            table, ids = _CHANGE, (about.change,)
        elif not table.startswith("cmdb_ci"):
            raise InvalidAnswerError(
                f"schedule {text(schedule, 'name')} is about {table}, which is no kind of item here"
            )
        if not ids:
            return False
        own = q.one_of("sys_id", ids)
        parts = condition.removesuffix("^EQ").split("^NQ")
        asked = q.either(*(q.both(own, part) for part in parts))
        return self._client.rows(table, asked, fields=("sys_id",), limit=1).total > 0

    def _spans(self, schedules: Sequence[Record]) -> Iterable[tuple[Record, list[Span]]]:
        """Return each schedule with its entries and those that it takes over from its parent."""
        owners: dict[str, list[str]] = {}
        for row in schedules:
            for owner in (text(row, "sys_id"), text(row, "parent")):
                if owner:
                    owners.setdefault(owner, []).append(text(row, "sys_id"))
        if not owners:
            return
        rows, hidden = self._client.rows_of("cmn_schedule_span", "schedule", owners, fields=_SPAN)
        if hidden:
            raise MissingRightError(f"{hidden} entries of schedules are hidden (cmn_schedule_span)")
        for row in schedules:
            own = text(row, "sys_id")
            zone = _zone(row)
            spans = [
                read_span(one, zone) for one in rows if own in owners.get(text(one, "schedule"), ())
            ]
            yield row, spans

    def _rows(self, table: str, query: str, fields: Sequence[str]) -> tuple[Record, ...]:
        rows, hidden = self._client.all_rows(table, query, fields=fields)
        if hidden:
            raise MissingRightError(f"{hidden} rows of {table} are hidden")
        return rows

    # --- conflicts
    def _recorded(self, change_id: str) -> Iterable[Obstacle]:
        """Return what the instance's own conflict check noted on this change.

        Blackouts and maintenance are judged by their schedules at the present time; what the check
        noted of them is about the planned dates.
        """
        fields = ("change", "type", "conflicting_change")
        rows = self._rows("conflict", q.equals("change", change_id), fields)
        numbers = {
            shown(row, "conflicting_change")
            for row in rows
            if text(row, "change") == change_id and text(row, "conflicting_change")
        }
        return [self._conflict(number) for number in sorted(numbers)[:_MOST_CONFLICTS]]

    def _overlapping(
        self, item: str, begin: datetime, end: datetime, *, but: str = ""
    ) -> Iterable[Obstacle]:
        """Return other people's changes of the same item that are planned into the window."""
        if not item:
            return []
        query = q.both(
            q.equals("cmdb_ci", item),
            q.one_of("state", _OPEN_STATES),
            q.at("start_date", "<", end),
            q.at("end_date", ">", begin),
        )
        rows = self._rows(_CHANGE, query, ("number", "cmdb_ci", "start_date", "end_date"))
        return [
            Obstacle(
                kind=ObstacleKind.CONFLICT,
                name=text(row, "number"),
                begins_at=q.parse_instant(text(row, "start_date")),
                ends_at=q.parse_instant(text(row, "end_date")),
                is_binding=False,
            )
            for row in rows[:_MOST_CONFLICTS]
            if text(row, "cmdb_ci") == item and text(row, "sys_id") != but
        ]

    def _conflict(self, number: str) -> Obstacle:
        is_binding = self._settings.conflicts == "hold"
        return Obstacle(kind=ObstacleKind.CONFLICT, name=number, is_binding=is_binding)


def _planned(record: Record) -> Stretch | None:
    begin, end = (q.parse_instant(text(record, name)) for name in ("start_date", "end_date"))
    return None if begin is None or end is None else (begin, end)


def _closed(opened: Sequence[Stretch], begin: datetime, end: datetime) -> Iterable[Stretch]:
    """Yield when a maintenance schedule is shut within [begin, end), each to its next opening."""
    at = begin
    for opens, closes in opened:
        if at >= end:
            return
        if opens > at:
            yield at, opens
        at = max(at, closes)
    if at < end:
        yield at, begin + _LOOK_AHEAD


def _zone(schedule: Record) -> ZoneInfo | None:
    name = text(schedule, "time_zone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidAnswerError(
            f"schedule {text(schedule, 'name')}: {name} is no time zone"
        ) from None
