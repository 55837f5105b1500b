"""What hangs on a change in its API: tasks, items, conflicts, schedules, answers, models."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.values import stamp
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.rules import changes
from connectors.servicenow.sandbox.schema import Column, ColumnType
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.store import Row

_OPEN_STATES = ("-5", "-4", "-3", "-2", "-1", "0")
_COMPLETE = {"value": "3", "display_value": "Complete"}
_WINDOW = timedelta(hours=2)

Found = Mapping[str, str]


class ChangeParts:
    """Handlers of the paths behind /change/{id}."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self._workers: dict[str, dict[str, object]] = {}

    def change(self, found: Found) -> Row:
        """Return the change of a path.

        Raises:
            ApiError: 404, also where it is of another kind than the path says.
        """
        row = self._records.read("change_request", found["id"])
        kind = found.get("kind", "")
        if row is None or (kind and row["type"] != kind):
            raise ApiError(404, "Change Request record not found", "")
        return row

    def typed(self, call: Call, table_name: str, row: Row) -> dict[str, object]:
        """Return a record in the typed form of this API."""
        table = self._records.table(table_name)
        hidden = self._instance.access.hidden_columns(call.actor, table)
        return {
            name: self._typed(call, column, row)
            for name, column in table.columns.items()
            if name not in hidden
        }

    def _typed(self, call: Call, column: Column, row: Row) -> dict[str, object]:
        displays = self._instance.displays
        if column.type is ColumnType.JOURNAL:
            text = displays.journal(column.name, row["sys_id"], call.actor)
            return {"display_value": text, "value": ""}
        value = row[column.name]
        shown: dict[str, object] = {
            "display_value": displays.display(column, value, call.actor) or "",
            "value": value,
        }
        if column.type is ColumnType.INTEGER and value:
            shown["value"] = float(value)
        elif column.type is ColumnType.BOOLEAN:
            shown["value"] = value == "true"
        elif column.type is ColumnType.DATETIME and value:
            shown["display_value_internal"] = str(shown["display_value"])
        elif column.type is ColumnType.REFERENCE and value:
            link = f"{call.base}/api/now/table/{column.reference}/{value}"
            shown["link"] = link
        return shown

    # --- models and templates

    def models(self, call: Call, _found: Found) -> Reply:
        """GET /model."""
        rows = self._records.find("chg_model", active="true")
        return json_reply({"result": [self.typed(call, "chg_model", row) for row in rows]})

    def model(self, call: Call, found: Found) -> Reply:
        """GET /model/{id}."""
        return self._named(call, "chg_model", found["id"], "Change Model")

    def templates(self, call: Call, _found: Found) -> Reply:
        """GET /standard/template."""
        rows = self._records.find("std_change_record_producer", active="true")
        shown = [self.typed(call, "std_change_record_producer", row) for row in rows]
        return json_reply({"result": shown})

    def template(self, call: Call, found: Found) -> Reply:
        """GET /standard/template/{id}, by template or by version."""
        number = found["id"]
        version = self._records.read("std_change_producer_version", number)
        number = version["std_change_producer"] if version else number
        return self._named(call, "std_change_record_producer", number, "Standard Change Template")

    def _named(self, call: Call, table: str, number: str, what: str) -> Reply:
        row = self._records.read(table, number)
        if row is None:
            raise ApiError(404, f"{what} record not found", "")
        return json_reply({"result": self.typed(call, table, row)})

    # --- states and answers

    def next_states(self, _call: Call, found: Found) -> Reply:
        """GET /{id}/nextstates."""
        row = self.change(found)
        moves = changes.MOVES.get(row["type"], changes.MOVES["normal"]).get(row["state"], ())
        labels = self._records.table("change_request").columns["state"].choices
        transitions: list[object] = []
        open_moves: list[str] = []
        for target in moves:
            unmet = changes.unmet(self._records, row, row["state"], target)
            if not unmet:
                open_moves.append(target)
            transitions.append([self._transition(row, target, labels, unmet)])
        states = [*open_moves, row["state"]]
        return json_reply(
            {
                "result": {
                    "available_states": states,
                    "state_transitions": transitions,
                    "state_label": {state: labels[state] for state in (*moves, row["state"])},
                }
            }
        )

    def _transition(
        self, row: Row, target: str, labels: Mapping[str, str], unmet: list[str]
    ) -> dict[str, object]:
        name = f"{labels[row['state']]} to {labels[target]}"
        names = unmet or ["Not On hold"]
        return {
            "sys_id": stable_id("sttrm_state_transition", f"{row['type']}{name}"),
            "display_value": name,
            "from_state": row["state"],
            "to_state": target,
            "transition_available": not unmet,
            "automatic_transition": target in (changes.AUTHORIZE, changes.SCHEDULED)
            and row["type"] != "standard",
            "conditions": [
                {
                    "passed": not unmet,
                    "condition": {
                        "name": one,
                        "description": one,
                        "sys_id": stable_id("sttrm_transition_condition", name + one),
                    },
                }
                for one in names
            ],
        }

    def answer(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/approvals: answer what is awaited of the caller."""
        row = self.change(found)
        body = object_body(call)
        state = text_of(body.get("state")) or call.parameter("state")
        if state not in ("approved", "rejected"):
            raise ApiError(400, "Invalid state value", "state must be approved or rejected")
        mine = self._records.find(
            "sysapproval_approver",
            sysapproval=row["sys_id"],
            approver=call.actor.sys_id,
            state="requested",
        )
        if not mine:
            raise ApiError(400, "No pending approval for the current user on this change", "")
        values = {"state": state, "comments": text_of(body.get("comments"))}
        for one in mine:
            self._records.update("sysapproval_approver", one["sys_id"], values, call.actor)
        fresh = self._records.read("change_request", row["sys_id"]) or row
        return json_reply({"result": self.typed(call, "change_request", fresh)})

    # --- conflicts and schedules

    def conflicts(self, call: Call, found: Found) -> Reply:
        """GET /{id}/conflict."""
        row = self.change(found)
        rows = self._records.find("conflict", change=row["sys_id"])
        return json_reply(
            {
                "result": {
                    "status": row["conflict_status"],
                    "last_run": row["conflict_last_run"],
                    "record_count": str(len(rows)),
                    "job_status": "2",
                    "conflicts": [self.typed(call, "conflict", one) for one in rows],
                }
            }
        )

    def check_conflicts(self, call: Call, found: Found) -> Reply:
        """POST /{id}/conflict: find changes of the same item in the same time."""
        row = self.change(found)
        if not (row["cmdb_ci"] and row["start_date"] and row["end_date"]):
            raise ApiError(400, "Conflict check needs a configuration item and planned dates", "")
        self._drop_conflicts(row)
        others = [
            other
            for other in self._records.find("change_request", cmdb_ci=row["cmdb_ci"])
            if other["sys_id"] != row["sys_id"]
            and other["state"] in _OPEN_STATES
            and other["start_date"]
            and other["start_date"] < row["end_date"]
            and other["end_date"] > row["start_date"]
        ]
        now = self._records.now()
        for other in others:
            self._records.insert(
                "conflict",
                {
                    "change": row["sys_id"],
                    "configuration_item": row["cmdb_ci"],
                    "conflicting_change": other["sys_id"],
                    "type": "ci_already_scheduled",
                    "last_checked": now,
                },
                call.actor,
            )
        values = {
            "conflict_status": "Conflict" if others else "No Conflict",
            "conflict_last_run": now,
        }
        self._records.update("change_request", row["sys_id"], values)
        return self._worker(call, row["sys_id"])

    def _drop_conflicts(self, row: Row) -> None:
        for one in self._records.find("conflict", change=row["sys_id"]):
            self._records.delete("conflict", one["sys_id"])

    def cancel_conflicts(self, _call: Call, found: Found) -> Reply:
        """DELETE /{id}/conflict."""
        row = self.change(found)
        self._drop_conflicts(row)
        self._records.update("change_request", row["sys_id"], {"conflict_status": "Not Run"})
        return Reply(status=204)

    def _worker(self, call: Call, subject: str) -> Reply:
        number = stable_id("worker", f"{subject}{self._records.now()}")
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

    def _slot(self, row: Row | None) -> tuple[str, str]:
        """Return the first free slot from the next full hour, behind other changes of the item."""
        now = self._instance.clock.now().replace(minute=0, second=0, microsecond=0)
        start = now + timedelta(hours=1)
        item = row["cmdb_ci"] if row else ""
        length = _WINDOW
        if row and row["start_date"] and row["end_date"]:
            length = _moment(row["end_date"]) - _moment(row["start_date"])
        busy = sorted(
            (other["start_date"], other["end_date"])
            for other in self._records.find("change_request", cmdb_ci=item)
            if item and other["state"] in _OPEN_STATES and other["start_date"] and other["end_date"]
            and (row is None or other["sys_id"] != row["sys_id"])
        )  # fmt: skip
        for begin, end in busy:
            if begin < stamp(start + length) and end > stamp(start):
                start = _moment(end)
        return stamp(start), stamp(start + length)

    def schedule(self, call: Call, found: Found) -> Reply:
        """GET /{id}/schedule and /ci/{ci}/schedule: the next time slot."""
        row = self._records.read("change_request", found["id"])
        if row is None and "/ci/" not in call.path:
            raise ApiError(404, "Change Request record not found", "")
        start, end = self._slot(row)
        span = {
            "start": {"value": start, "display_value": start},
            "end": {"value": end, "display_value": end},
        }
        return json_reply({"result": {"spans": [span], **_COMPLETE}})

    def first_available(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/schedule/first_available: plan the change there."""
        row = self.change(found)
        start, end = self._slot(row)
        values = {"start_date": start, "end_date": end}
        self._records.update("change_request", row["sys_id"], values, call.actor)
        return self._worker(call, row["sys_id"])

    # --- tasks and items

    def tasks(self, call: Call, found: Found) -> Reply:
        """GET /{id}/task."""
        rows = self._records.find("change_task", change_request=self.change(found)["sys_id"])
        return json_reply({"result": [self.typed(call, "change_task", row) for row in rows]})

    def _task(self, found: Found) -> Row:
        row = self._records.read("change_task", found["task"])
        if row is None or row["change_request"] != self.change(found)["sys_id"]:
            raise ApiError(404, "Change Task record not found", "")
        return row

    def one_task(self, call: Call, found: Found) -> Reply:
        """GET /{id}/task/{task}."""
        return json_reply({"result": self.typed(call, "change_task", self._task(found))})

    def _values(self, call: Call) -> dict[str, str]:
        given = {name: value for name, value in call.parameters if not name.startswith("sysparm_")}
        return given | {name: text_of(value) for name, value in object_body(call).items()}

    def add_task(self, call: Call, found: Found) -> Reply:
        """POST /{id}/task."""
        values = self._values(call) | {"change_request": self.change(found)["sys_id"]}
        return self._task_written(call, values, "")

    def change_task(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/task/{task}."""
        return self._task_written(call, self._values(call), self._task(found)["sys_id"])

    def _task_written(self, call: Call, values: dict[str, str], number: str) -> Reply:
        columns = self._records.table("change_task").columns
        try:
            if number:
                row = self._records.update("change_task", number, values, call.actor)
            else:
                row = self._records.insert("change_task", values, call.actor)
        except AbortedError as error:
            what = "updated" if number else "created"
            message = f"Change Task record could not be {what}. {error.detail}"
            raise ApiError(400, message, "") from error
        shown = self.typed(call, "change_task", row)
        shown["__meta"] = {"ignoredFields": [name for name in values if name not in columns]}
        return json_reply({"result": shown})

    def drop_task(self, call: Call, found: Found) -> Reply:
        """DELETE /{id}/task/{task}."""
        self._records.delete("change_task", self._task(found)["sys_id"], call.actor)
        return Reply(status=204)

    def items(self, call: Call, found: Found) -> Reply:
        """GET /{id}/ci."""
        rows = self._records.find("task_ci", task=self.change(found)["sys_id"])
        return json_reply({"result": [self.typed(call, "task_ci", row) for row in rows]})

    def add_items(self, call: Call, found: Found) -> Reply:
        """POST /{id}/ci with `cmdb_ci_sys_ids` and `association_type`."""
        row = self.change(found)
        listed = object_body(call).get("cmdb_ci_sys_ids")
        wanted = text_of(listed or call.parameter("cmdb_ci_sys_ids")).split(",")
        for number in (one.strip() for one in wanted):
            if self._records.read("cmdb_ci", number) is None:
                raise ApiError(400, "Invalid configuration item", number)
            values = {"task": row["sys_id"], "ci_item": number}
            self._records.insert("task_ci", values, call.actor)
        return self._worker(call, row["sys_id"])

    def refresh(self, call: Call, found: Found) -> Reply:
        """POST /{id}/refresh_impacted_services."""
        return self._worker(call, self.change(found)["sys_id"])


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
