"""Tasks and configuration items of a change: /change/{id}/task and /change/{id}/ci."""

from connectors.servicenow.sandbox.api.change_view import ChangeView, Found
from connectors.servicenow.sandbox.api.workers import Workers
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, json_reply, object_body
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.store import Row

# Association type -> (table that keeps it, its column, the class an item must be of).
_ASSOCIATED = {
    "affected": ("task_ci", "ci_item", "cmdb_ci"),
    "impacted": ("task_cmdb_ci_service", "cmdb_ci_service", "cmdb_ci_service"),
    "offering": ("task_service_offering", "service_offering", "service_offering"),
}
_UNKNOWN_TYPE = "association_type must be one of affected, impacted, offering"


class ChangeItems:
    """Handlers of what hangs on a change."""

    def __init__(self, instance: Instance, view: ChangeView, workers: Workers) -> None:
        self._records = instance.records
        self._schema = instance.schema
        self._view = view
        self._workers = workers

    # --- tasks

    def tasks(self, call: Call, found: Found) -> Reply:
        """GET /{id}/task."""
        change = self._view.change(found)["sys_id"]
        return self._view.listed(call, "change_task", f"change_request={change}")

    def _task(self, found: Found) -> Row:
        row = self._records.read("change_task", found["task"])
        if row is None or row["change_request"] != self._view.change(found)["sys_id"]:
            raise ApiError(404, "Change Task record not found", "")
        return row

    def one_task(self, call: Call, found: Found) -> Reply:
        """GET /{id}/task/{task}."""
        return json_reply({"result": self._view.typed(call, "change_task", self._task(found))})

    def add_task(self, call: Call, found: Found) -> Reply:
        """POST /{id}/task."""
        values = self._view.values(call) | {"change_request": self._view.change(found)["sys_id"]}
        return self._task_written(call, values, "")

    def change_task(self, call: Call, found: Found) -> Reply:
        """PATCH /{id}/task/{task}."""
        return self._task_written(call, self._view.values(call), self._task(found)["sys_id"])

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
        shown = self._view.typed(call, "change_task", row)
        shown["__meta"] = {"ignoredFields": [name for name in values if name not in columns]}
        return json_reply({"result": shown})

    def drop_task(self, call: Call, found: Found) -> Reply:
        """DELETE /{id}/task/{task}: the answer is the task as it was."""
        row = self._task(found)
        shown = self._view.typed(call, "change_task", row)
        self._records.delete("change_task", row["sys_id"], call.actor)
        return json_reply({"result": shown})

    # --- configuration items

    def items(self, call: Call, found: Found) -> Reply:
        """GET /{id}/ci with `association_type`."""
        change = self._view.change(found)["sys_id"]
        kind = call.parameter("association_type")
        if kind not in _ASSOCIATED:
            raise ApiError(400, "Invalid association_type", _UNKNOWN_TYPE)
        return self._view.listed(call, _ASSOCIATED[kind][0], f"task={change}")

    def add_items(self, call: Call, found: Found) -> Reply:
        """POST /{id}/ci with `cmdb_ci_sys_ids` and `association_type`.

        What is wrong with a single item is a message of the worker, no refusal.
        """
        change = self._view.change(found)["sys_id"]
        body = object_body(call)
        kind = text_of(body.get("association_type")) or call.parameter("association_type")
        if kind not in _ASSOCIATED:
            raise ApiError(400, "Invalid association_type", _UNKNOWN_TYPE)
        listed = text_of(body.get("cmdb_ci_sys_ids") or call.parameter("cmdb_ci_sys_ids"))
        wanted = [one.strip() for one in listed.split(",") if one.strip()]
        if not wanted:
            raise ApiError(400, "Invalid cmdb_ci_sys_ids", "cmdb_ci_sys_ids is required")
        errors: list[str] = []
        notes: list[str] = []
        for item in wanted:
            self._add(call, change, kind, item, errors, notes)
        if kind == "affected" and text_of(body.get("refresh_impacted_services")) == "true":
            self._impact(call, change, wanted)
        return self._workers.started(
            call,
            kind,
            {"cmdb_ci_sys_ids": wanted, "association_type": kind, "task": change},
            messages={"errorMessages": errors, "infoMessages": notes},
        )

    def _add(
        self, call: Call, change: str, kind: str, item: str, errors: list[str], notes: list[str]
    ) -> None:
        table, column, root = _ASSOCIATED[kind]
        row = self._records.read("cmdb_ci", item)
        if row is None or not self._schema.is_a(row["sys_class_name"], root):
            errors.append(f"Invalid CMDB_CI sys_id provided: {item}")
        elif self._records.find(table, task=change, **{column: item}):
            notes.append(f"CMDB_CI sys_id already associated to provided Change: {item}")
        else:
            self._records.insert(table, {"task": change, column: item}, call.actor)

    def refresh(self, call: Call, found: Found) -> Reply:
        """POST /{id}/refresh_impacted_services: from the change's own item."""
        change = self._view.change(found)
        self._impact(call, change["sys_id"], [change["cmdb_ci"]])
        request = {"task": change["sys_id"]}
        return self._workers.started(call, "impacted", request, status=200)

    def _impact(self, call: Call, change: str, items: list[str]) -> None:
        """Relate the services above the items, through any number of relations."""
        seen = {one for one in items if one}
        waiting = list(seen)
        while waiting:
            for relation in self._records.find("cmdb_rel_ci", child=waiting.pop()):
                parent = relation["parent"]
                if parent and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        for item in sorted(seen):
            row = self._records.read("cmdb_ci", item)
            if row is not None and self._schema.is_a(row["sys_class_name"], "cmdb_ci_service"):
                self._add(call, change, "impacted", item, [], [])
