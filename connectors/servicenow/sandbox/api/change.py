"""The Change Management API: /api/sn_chg_rest[/v1]/change..., with its typed values.

POST answers 200; fields that are unknown or read-only do not fail, they are listed in
`__meta.ignoredFields`.
"""

import re
from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.api.change_items import ChangeItems
from connectors.servicenow.sandbox.api.change_parts import ChangeParts
from connectors.servicenow.sandbox.api.change_schedule import ChangeSchedule
from connectors.servicenow.sandbox.api.change_view import ChangeView
from connectors.servicenow.sandbox.api.workers import Workers
from connectors.servicenow.sandbox.http import ApiError, Call, Reply, api_refused, json_reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.store import Row

_READERS = ("sn_change_read", "itil", "change_manager")
_WRITERS = ("sn_change_write", "itil", "change_manager")
_ID = r"(?P<id>[0-9A-Za-z]{32})"
_KIND = r"(?P<kind>normal|standard|emergency)"

Handler = Callable[[Call, Mapping[str, str]], Reply]


class ChangeApi:
    """Changes, their tasks, conflicts, schedules, approvals, models and templates."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records
        self._view = ChangeView(instance)
        workers = Workers(instance.records)
        parts, items = ChangeParts(instance, self._view), ChangeItems(instance, self._view, workers)
        times = ChangeSchedule(instance, self._view, workers)
        self._routes: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "", self._list),
            ("POST", "", self._create),
            ("GET", _KIND, self._list),
            ("POST", "(?P<kind>normal|emergency)", self._create),
            ("GET", "standard/template", parts.templates),
            ("GET", f"standard/template/{_ID}", parts.template),
            ("POST", r"standard/(?P<template>[0-9A-Za-z]{32})", self._create_standard),
            ("PATCH", f"standard/{_ID}/risk", self._update),
            ("GET", "model", parts.models),
            ("GET", f"model/{_ID}", parts.model),
            ("GET", f"worker/{_ID}", workers.answer),
            ("GET", f"ci/{_ID}/schedule", times.item_schedule),
            ("GET", f"(?:{_KIND}/)?{_ID}", self._one),
            ("PATCH", f"(?:{_KIND}/)?{_ID}", self._update),
            ("PUT", f"(?:{_KIND}/)?{_ID}", self._update),
            ("DELETE", f"(?:{_KIND}/)?{_ID}", self._delete),
            ("GET", f"{_ID}/nextstates", parts.next_states),
            ("PATCH", f"{_ID}/approvals", parts.answer),
            ("GET", f"{_ID}/conflict", times.conflicts),
            ("POST", f"{_ID}/conflict", times.check),
            ("DELETE", f"{_ID}/conflict", times.cancel),
            ("GET", f"{_ID}/schedule", times.schedule),
            ("PATCH", f"{_ID}/schedule/first_available", times.first_available),
            ("GET", f"{_ID}/task", items.tasks),
            ("POST", f"{_ID}/task", items.add_task),
            ("GET", f"{_ID}/task/(?P<task>[0-9A-Za-z]+)", items.one_task),
            ("PATCH", f"{_ID}/task/(?P<task>[0-9A-Za-z]+)", items.change_task),
            ("DELETE", f"{_ID}/task/(?P<task>[0-9A-Za-z]+)", items.drop_task),
            ("GET", f"{_ID}/ci", items.items),
            ("POST", f"{_ID}/ci", items.add_items),
            ("POST", f"{_ID}/refresh_impacted_services", items.refresh),
        )

    def handle(self, call: Call, rest: str) -> Reply:
        """Answer one call; `rest` is the path behind /change.

        Raises:
            ApiError: as the vendor words it.
        """
        roles: tuple[str, ...] = _READERS if call.method == "GET" else _WRITERS
        if call.method == "DELETE" and "/" not in rest.strip("/"):
            roles = ("change_manager",)
        answering = rest.endswith("/approvals")
        if not answering and not call.actor.has(*roles):
            raise api_refused()
        for method, pattern, handler in self._routes:
            match = re.fullmatch(pattern, rest.strip("/")) if method == call.method else None
            if match is not None:
                found = {name: value or "" for name, value in match.groupdict().items()}
                return handler(call, found)
        raise ApiError(400, f"Requested URI does not represent any resource: {call.path[5:]}", None)

    def _list(self, call: Call, found: Mapping[str, str]) -> Reply:
        kind = found.get("kind", "")
        return self._view.listed(call, "change_request", f"type={kind}" if kind else "")

    def _one(self, call: Call, found: Mapping[str, str]) -> Reply:
        row = self._view.change(found)
        return json_reply({"result": self._view.typed(call, "change_request", row)})

    def values(self, call: Call) -> dict[str, str]:
        """Return fields from URL and body; the body wins.

        The fields that `encrypted_fields` names are display values, as its documentation has it.
        """
        given = self._view.values(call)
        named = given.pop("encrypted_fields", "").split(",")
        # The kind of a change is taken by its label too, as the vendor's own sample has it.
        shown = {name: value for name, value in given.items() if name in (*named, "type")}
        table = self._records.table("change_request")
        return given | self._records.coerced(table, shown, call.actor)[0]

    def _create(self, call: Call, found: Mapping[str, str]) -> Reply:
        values = self.values(call)
        if found.get("kind"):
            values["type"] = found["kind"]
        return self._insert(call, values)

    def _create_standard(self, call: Call, found: Mapping[str, str]) -> Reply:
        template = found["template"]
        version = self._records.read("std_change_producer_version", template)
        producer = self._records.read("std_change_record_producer", template)
        if producer is not None:
            version = self._records.read("std_change_producer_version", producer["current_version"])
        template = version["std_change_producer"] if version else ""
        producer = self._records.read("std_change_record_producer", template)
        # A template that was retired or switched off is in nobody's catalogue any more.
        offered = producer and producer["active"] == "true" and producer["retired"] != "true"
        if version is None or not offered:
            raise ApiError(404, "Standard Change Template record not found", "")
        values = self.values(call) | {
            "type": "standard",
            "std_change_producer_version": version["sys_id"],
        }
        return self._insert(call, values)

    def _insert(self, call: Call, values: dict[str, str]) -> Reply:
        try:
            row = self._records.insert("change_request", self._known(call, values), call.actor)
        except AbortedError as error:
            message = f"Change Request record could not be created. {error.detail}"
            raise ApiError(400, message, "") from error
        return self._written(call, row, values)

    def _known(self, call: Call, values: Mapping[str, str]) -> dict[str, str]:
        table = self._records.table("change_request")
        writable = self._instance.access.writable
        return {
            name: value
            for name, value in values.items()
            if writable(call.actor, table, name, creating=True) and name != "sys_id"
        }

    def _written(self, call: Call, row: Row, values: Mapping[str, str]) -> Reply:
        shown = self._view.typed(call, "change_request", row)
        columns = self._records.table("change_request").columns
        known = self._known(call, values)
        ignored = [name for name in values if name not in columns or name not in known]
        shown["__meta"] = {"ignoredFields": ignored}
        return json_reply({"result": shown})

    def _update(self, call: Call, found: Mapping[str, str]) -> Reply:
        row = self._view.change(found)
        values = self.values(call)
        try:
            row = self._records.update(
                "change_request", row["sys_id"], self._known(call, values), call.actor
            )
        except AbortedError as error:
            message = f"Change Request record could not be updated. {error.detail}"
            raise ApiError(400, message, "") from error
        return self._written(call, row, values)

    def _delete(self, call: Call, found: Mapping[str, str]) -> Reply:
        """Delete a change; the answer is the change as it was."""
        row = self._view.change(found)
        shown = self._view.typed(call, "change_request", row)
        self._records.delete("change_request", row["sys_id"], call.actor)
        return json_reply({"result": shown})
