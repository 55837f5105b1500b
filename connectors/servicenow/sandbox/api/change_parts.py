"""What hangs on a change in its API: tasks, items, conflicts, schedules, answers, models."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.api.change_schedule import ChangeSchedule
from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.rules import changes
from connectors.servicenow.sandbox.schema import Column, ColumnType
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_LIMIT = 500

Found = Mapping[str, str]


class ChangeParts:
    """Handlers of the paths behind /change/{id}."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self.schedules = ChangeSchedule(instance, self.change, self.typed)

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
        return self._listed(call, "chg_model", "active=true")

    def _listed(self, call: Call, table_name: str, base: str) -> Reply:
        """Answer with the records of a table that the caller's query leaves, page by page."""
        query = call.parameter("sysparm_query")
        encoded = parse(f"{base}^{query}" if query else base)
        table = self._records.table(table_name)
        selection = Selection(self._instance, table, encoded, call.actor)
        limit = number(call.parameter("sysparm_limit"), _LIMIT)
        offset = number(call.parameter("sysparm_offset"), 0)
        page = selection.page(limit, offset, count=True)
        rows = self._instance.store.full_rows(table, page.ids)
        shown = [self.typed(call, table_name, row) for row in rows]
        return json_reply({"result": shown}, headers={"X-Total-Count": str(page.total)})

    def model(self, call: Call, found: Found) -> Reply:
        """GET /model/{id}."""
        return self._named(call, "chg_model", found["id"], "Change Model")

    def templates(self, call: Call, _found: Found) -> Reply:
        """GET /standard/template."""
        return self._listed(call, "std_change_record_producer", "active=true^retired=false")

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
        for item in (one.strip() for one in wanted):
            if self._records.read("cmdb_ci", item) is None:
                raise ApiError(400, "Invalid configuration item", item)
            values = {"task": row["sys_id"], "ci_item": item}
            self._records.insert("task_ci", values, call.actor)
        return self.schedules.started(call, row["sys_id"])

    def refresh(self, call: Call, found: Found) -> Reply:
        """POST /{id}/refresh_impacted_services."""
        return self.schedules.started(call, self.change(found)["sys_id"])
