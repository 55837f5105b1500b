"""The Import Set API: rows put into a staging table and carried over by its transform maps."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    api_refused,
    invalid_table,
    json_reply,
    no_record,
    object_body,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.store import Row

_ROLES = ("import_admin", "import_set_loader", "import_transformer")
_STAGING = "sys_import_set_row"
_NO_MAP = "No transform map is defined for this table"


class ImportSetApi:
    """POST /api/now/import/{staging}[/insertMultiple] and GET /api/now/import/{staging}/{row}."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._records = instance.records

    def handle(self, call: Call, staging: str, rest: str) -> Reply:
        """Answer one call.

        Raises:
            ApiError: as the vendor words it.
        """
        table = self._instance.schema.get(staging)
        if table is None or not self._instance.schema.is_a(staging, _STAGING):
            raise invalid_table(staging)
        if not call.actor.has(*_ROLES):
            raise api_refused()
        if call.method == "GET" and rest:
            return self._one(call, table, rest)
        if call.method == "POST" and not rest:
            return self._insert(call, table)
        if call.method == "POST" and rest == "insertMultiple":
            return self._many(call, table)
        raise ApiError(405, "Method not supported", None)

    def _set(self, call: Call, table: Table) -> Row:
        values = {"table_name": table.name, "state": "loaded", "short_description": "REST"}
        return self._records.insert("sys_import_set", values, call.actor)

    def _insert(self, call: Call, table: Table) -> Reply:
        given = {name: text_of(value) for name, value in object_body(call).items()}
        batch = self._set(call, table)
        row = self._load(call, table, batch, given, 0)
        shown = self._shown(call, table, batch, [row])
        place = f"{call.base}/api/now/import/{table.name}/{row['sys_id']}"
        return json_reply(shown, 201, {"Location": place})

    def _many(self, call: Call, table: Table) -> Reply:
        listed = object_body(call).get("records")
        if not isinstance(listed, list):
            raise ApiError(400, "Invalid payload", "records must be a list")
        batch = self._set(call, table)
        for position, one in enumerate(listed):
            if isinstance(one, Mapping):
                given = {str(name): text_of(value) for name, value in one.items()}
                self._load(call, table, batch, given, position)
        number = batch["sys_id"]
        return json_reply({"import_set_id": number, "multi_import_set_id": number}, 201)

    def _load(
        self, call: Call, table: Table, batch: Row, given: Mapping[str, str], position: int
    ) -> Row:
        """Write a staging row and transform it; what became of it stands in the row."""
        own = {name: value for name, value in given.items() if not name.startswith("sys_")}
        values = {
            **own, "sys_import_set": batch["sys_id"], "sys_import_row": str(position),
            "sys_import_state": "pending",
        }  # fmt: skip
        row = self._records.insert(table.name, values, call.actor)
        maps = sorted(
            self._records.find("sys_transform_map", source_table=table.name, active="true"),
            key=lambda one: int(one["order"] or 0),
        )
        outcome = {"sys_import_state": "error", "sys_import_state_comment": _NO_MAP}
        for one in maps:
            outcome = self._transform(call, one, row)
        self._records.update("sys_import_set", batch["sys_id"], {"state": "processed"})
        return self._records.update(table.name, row["sys_id"], outcome, call.actor)

    def _transform(self, call: Call, mapping: Row, row: Row) -> dict[str, str]:
        """Carry one row over to the target of a map; return the columns that tell of it."""
        target = mapping["target_table"]
        told = {"sys_transform_map": mapping["sys_id"], "sys_target_table": target}
        entries = self._records.find("sys_transform_entry", map=mapping["sys_id"])
        values = {one["target_field"]: row.get(one["source_field"], "") for one in entries}
        keys = {
            one["target_field"]: values[one["target_field"]]
            for one in entries
            if one["coalesce"] == "true"
        }
        try:
            found = self._records.find(target, **keys) if keys and all(keys.values()) else []
            if not found:
                made = self._records.insert(target, values, call.actor)
                state, number = "inserted", made["sys_id"]
            else:
                before = found[0]["sys_mod_count"]
                number = found[0]["sys_id"]
                after = self._records.update(target, number, values, call.actor)
                state = "ignored" if after["sys_mod_count"] == before else "updated"
        except AbortedError as error:
            return {
                **told, "sys_import_state": "error", "sys_import_state_comment": error.detail,
            }  # fmt: skip
        return {**told, "sys_import_state": state, "sys_target_sys_id": number}

    def _one(self, call: Call, table: Table, number: str) -> Reply:
        row = self._records.read(table.name, number)
        if row is None:
            raise no_record()
        batch = self._records.read("sys_import_set", row["sys_import_set"])
        if batch is None:
            raise no_record()
        return json_reply(self._shown(call, table, batch, [row]))

    def _shown(self, call: Call, table: Table, batch: Row, rows: list[Row]) -> dict[str, object]:
        return {
            "import_set": batch["number"],
            "staging_table": table.name,
            "result": [self._outcome(call, row) for row in rows],
        }

    def _outcome(self, call: Call, row: Row) -> dict[str, str]:
        name_of = self._instance.displays.name_of
        target, number = row["sys_target_table"], row["sys_target_sys_id"]
        told = {
            "transform_map": name_of("sys_transform_map", row["sys_transform_map"]) or "",
            "table": target,
            "status": row["sys_import_state"],
        }
        if row["sys_import_state"] == "error":
            return {**told, "error_message": row["sys_import_state_comment"]}
        return {
            **told,
            "display_name": self._records.table(target).display,
            "display_value": name_of(target, number) or "",
            "record_link": f"{call.base}/api/now/table/{target}/{number}",
            "sys_id": number,
        }
