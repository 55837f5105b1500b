"""Conflicts and free times of a change: /change/{id}/conflict and /change/{id}/schedule."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.rules import conflicts
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.shape import local_time
from connectors.servicenow.sandbox.store import Row

_COMPLETE = {"value": "3", "display_value": "Complete"}
_WINDOW = timedelta(hours=2)
_HOUR = timedelta(hours=1)
_MOST_WORKERS = 1000

Found = Mapping[str, str]
Shown = Callable[[Call, str, Row], dict[str, object]]


class ChangeSchedule:
    """Checks a planned time, finds another one, and answers for the workers that did so."""

    def __init__(self, instance: Instance, change: Callable[[Found], Row], typed: Shown) -> None:
        self._instance = instance
        self._records = instance.records
        self._change = change
        self._typed = typed
        self._workers: dict[str, dict[str, object]] = {}

    def conflicts(self, call: Call, found: Found) -> Reply:
        """GET /{id}/conflict."""
        row = self._change(found)
        rows = self._records.find("conflict", change=row["sys_id"])
        return json_reply(
            {
                "result": {
                    "status": row["conflict_status"],
                    "last_run": row["conflict_last_run"],
                    "record_count": str(len(rows)),
                    "job_status": "2",
                    "conflicts": [self._typed(call, "conflict", one) for one in rows],
                }
            }
        )

    def check(self, call: Call, found: Found) -> Reply:
        """POST /{id}/conflict: look for what stands against the planned time."""
        row = self._change(found)
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
        return self.started(call, row["sys_id"])

    def _drop(self, row: Row) -> None:
        for one in self._records.find("conflict", change=row["sys_id"]):
            self._records.delete("conflict", one["sys_id"])

    def cancel(self, _call: Call, found: Found) -> Reply:
        """DELETE /{id}/conflict."""
        row = self._change(found)
        self._drop(row)
        values = {"conflict_status": conflicts.NOT_RUN}
        self._records.update("change_request", row["sys_id"], values)
        return Reply(status=204)

    # --- workers

    def started(self, call: Call, subject: str) -> Reply:
        """Answer with the worker of something that is done already."""
        number = stable_id("worker", f"{subject}{self._records.now()}")
        if len(self._workers) >= _MOST_WORKERS:
            del self._workers[next(iter(self._workers))]
        self._workers[number] = {
            "worker": {"sysId": number, "link": f"{call.base}{call.path.split('/change')[0]}"
                       f"/change/worker/{number}"},
            "state": _COMPLETE,
            "messages": {"errorMessages": [], "warningMessages": [], "infoMessages": []},
        }  # fmt: skip
        return json_reply({"result": self._workers[number]})

    def worker(self, _call: Call, found: Found) -> Reply:
        """GET /worker/{id}."""
        known = self._workers.get(found["id"])
        if known is None:
            raise ApiError(404, "Worker record not found", "")
        return json_reply({"result": known})

    # --- free times

    def _slots(self, row: Row) -> list[tuple[datetime, datetime]]:
        """Return the free times from the next full hour on, as long as the change is planned."""
        now = self._instance.clock.now().replace(minute=0, second=0, microsecond=0)
        planned = conflicts.window_of(row)
        length = planned[1] - planned[0] if planned else _WINDOW
        return conflicts.free_slots(self._records, row, now + _HOUR, length)

    def schedule(self, call: Call, found: Found) -> Reply:
        """GET /{id}/schedule and /ci/{ci}/schedule: the next free times, the first one first."""
        row = self._subject(call, found)
        spans = [
            {"start": self._moment(call, start), "end": self._moment(call, end)}
            for start, end in self._slots(row)
        ]
        return json_reply({"result": {"spans": spans, **_COMPLETE}})

    def _subject(self, call: Call, found: Found) -> Row:
        if "/ci/" not in call.path:
            return self._change(found)
        if self._records.read("cmdb_ci", found["id"]) is None:
            raise ApiError(404, "Configuration Item record not found", "")
        columns = self._records.table("change_request").columns
        return {**dict.fromkeys(columns, ""), "cmdb_ci": found["id"]}

    def _moment(self, call: Call, moment: datetime) -> dict[str, str]:
        value = stamp(moment)
        return {"value": value, "display_value": local_time(value, call.actor)}

    def first_available(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/schedule/first_available: plan the change in the first free time."""
        row = self._change(found)
        slots = self._slots(row)
        if not slots:
            raise ApiError(400, "No available time slot found", "")
        values = {"start_date": stamp(slots[0][0]), "end_date": stamp(slots[0][1])}
        self._records.update("change_request", row["sys_id"], values, call.actor)
        return self.started(call, row["sys_id"])
