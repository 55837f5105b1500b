"""Conflicts and free times of a change: /change/{id}/conflict and /change/{id}/schedule."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from connectors.servicenow.sandbox.api.change_view import ChangeView, Found
from connectors.servicenow.sandbox.api.workers import Workers
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.rules import conflicts
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.shape import local_time
from connectors.servicenow.sandbox.store import Row

_HOUR = timedelta(hours=1)
_LONGEST = 10 * 365 * 86_400

Slots = list[tuple[datetime, datetime]]


class ChangeSchedule:
    """Checks a planned time and finds another one."""

    def __init__(self, instance: Instance, view: ChangeView, workers: Workers) -> None:
        self._instance = instance
        self._records = instance.records
        self._view = view
        self._workers = workers

    def conflicts(self, call: Call, found: Found) -> Reply:
        """GET /{id}/conflict."""
        row = self._view.change(found)
        rows = self._records.find("conflict", change=row["sys_id"])
        return json_reply(
            {
                "result": {
                    "status": row["conflict_status"],
                    "last_run": row["conflict_last_run"],
                    "record_count": str(len(rows)),
                    "job_status": "2",
                    "conflicts": [self._view.typed(call, "conflict", one) for one in rows],
                }
            }
        )

    def check(self, call: Call, found: Found) -> Reply:
        """POST /{id}/conflict: look for what stands against the planned time.

        The answer is nothing but the number of the check; what it found is a GET away.
        """
        row = self._view.change(found)
        if conflicts.window_of(row) is None or not conflicts.items_of(self._records, row):
            raise ApiError(400, "Conflict check needs a configuration item and planned dates", "")
        self._drop(row)
        now = self._records.now()
        hits = conflicts.detect(self._records, row)
        for hit in hits:
            values = {"change": row["sys_id"], "last_checked": now, **hit.values()}
            self._records.insert("conflict", values, call.actor)
        outside = any(hit.kind == "not_in_maintenance_window" for hit in hits)
        values = {
            "conflict_status": conflicts.CONFLICT if hits else conflicts.NO_CONFLICT,
            "conflict_last_run": now,
            "outside_maintenance_schedule": "true" if outside else "false",
        }
        self._records.update("change_request", row["sys_id"], values)
        return json_reply({"result": stable_id("conflict_check", f"{row['sys_id']}{now}")})

    def _drop(self, row: Row) -> None:
        for one in self._records.find("conflict", change=row["sys_id"]):
            self._records.delete("conflict", one["sys_id"])

    def cancel(self, _call: Call, found: Found) -> Reply:
        """DELETE /{id}/conflict."""
        row = self._view.change(found)
        self._drop(row)
        values = {"conflict_status": conflicts.NOT_RUN}
        self._records.update("change_request", row["sys_id"], values)
        return Reply()

    # --- free times

    def schedule(self, call: Call, found: Found) -> Reply:
        """GET /{id}/schedule: the next free times of a planned change, found by a worker."""
        row = self._view.change(found)
        planned = conflicts.window_of(row)
        if planned is None or not row["cmdb_ci"]:
            raise ApiError(400, "Schedule needs a configuration item and planned dates", "")
        slots = self._slots(row, planned[1] - planned[0], self._next_hour())
        request = {"change_sys_id": row["sys_id"], "timezone": call.actor.zone.key}
        return self._searched(call, request, slots)

    def item_schedule(self, call: Call, found: Found) -> Reply:
        """GET /ci/{ci}/schedule: the next free times of a configuration item."""
        if self._records.read("cmdb_ci", found["id"]) is None:
            raise ApiError(400, "Configuration Item record not found", "")
        length = _duration(call.parameter("duration_in_seconds"))
        start = self._start(call.parameter("planned_start_time"))
        columns = self._records.table("change_request").columns
        row = {**dict.fromkeys(columns, ""), "cmdb_ci": found["id"]}
        request = {
            "cmdb_ci_sys_id": found["id"],
            "planned_start_time": call.parameter("planned_start_time"),
            "duration_in_seconds": int(length.total_seconds()),
            "timezone": call.actor.zone.key,
        }
        return self._searched(call, request, self._slots(row, length, start))

    def first_available(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/schedule/first_available: plan the change in the first free time."""
        row = self._view.change(found)
        body = object_body(call)
        length = _duration(text_of(body.get("duration_in_seconds")))
        start = self._start(text_of(body.get("planned_start_time")))
        if not row["cmdb_ci"]:
            raise ApiError(400, "Schedule needs a configuration item", "")
        slots = self._slots(row, length, start)
        note = f"No slots found for {conflicts.horizon(self._records).days} days from now"
        if slots:
            values = {"start_date": stamp(slots[0][0]), "end_date": stamp(slots[0][1])}
            self._records.update("change_request", row["sys_id"], values, call.actor)
            note = "Change has been updated"
        request = {
            "change_sys_id": row["sys_id"],
            "duration_in_seconds": int(length.total_seconds()),
            "timezone": call.actor.zone.key,
        }
        return self._workers.started(call, "schedule", request, messages={"infoMessages": [note]})

    def _searched(self, call: Call, request: Mapping[str, object], slots: Slots) -> Reply:
        if not slots:
            days = conflicts.horizon(self._records).days
            note = f"No slots found for {days} days from now"
            return self._workers.started(
                call, "schedule", request, messages={"infoMessages": [note]}
            )
        spans = [
            {"start": self._moment(call, start), "end": self._moment(call, end)}
            for start, end in slots
        ]
        return self._workers.started(call, "schedule", request, payload={"spans": spans})

    def _slots(self, row: Row, length: timedelta, start: datetime) -> Slots:
        return conflicts.free_slots(self._records, row, start, length)

    def _next_hour(self) -> datetime:
        return self._instance.clock.now().replace(minute=0, second=0, microsecond=0) + _HOUR

    def _start(self, text: str) -> datetime:
        """Return from when on is looked: the next full hour, or a later planned start."""
        if not text:
            return self._next_hour()
        try:
            return max(conflicts.moment(text), self._next_hour())
        except (ValueError, OverflowError) as error:
            raise ApiError(400, "Invalid planned_start_time", text) from error

    def _moment(self, call: Call, moment: datetime) -> dict[str, str]:
        value = stamp(moment)
        return {"value": value, "display_value": local_time(value, call.actor)}


def _duration(text: str) -> timedelta:
    if not text.isdecimal() or not 0 < int(text) <= _LONGEST:
        raise ApiError(400, "Invalid duration_in_seconds", text)
    return timedelta(seconds=int(text))
