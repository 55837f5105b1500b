"""The CMDB Instance API: /api/now[/v1]/cmdb/instance/{class}[/{sys_id}[/relation[/{id}]]]."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.api.misc import number
from connectors.servicenow.sandbox.api.table import TableApi
from connectors.servicenow.sandbox.coerce import text_of
from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    invalid_table,
    json_reply,
    no_record,
    object_body,
    refused,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.query.parse import parse
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.selection import Selection
from connectors.servicenow.sandbox.store import Row

_LIMIT = 10_000
_JAVA = {
    bool: "java.lang.Boolean",
    int: "java.lang.Integer",
    float: "java.lang.Double",
    list: "java.util.List",
}


class CmdbApi:
    """Configuration items with their relations."""

    def __init__(self, instance: Instance, tables: TableApi) -> None:
        self._instance = instance
        self._records = instance.records
        self._tables = tables

    def handle(self, call: Call, class_name: str, rest: str) -> Reply:
        """Answer one call; `rest` is the path behind the class.

        Raises:
            ApiError: as the vendor words it.
        """
        table = self._instance.schema.get(class_name)
        if table is None or table.root != "cmdb_ci":
            raise invalid_table(class_name)
        parts = [part for part in rest.split("/") if part]
        if not parts:
            return self._many(call, table)
        row = self._tables.readable(call, table, parts[0])
        if parts[1:2] == ["relation"]:
            return self._relation(call, row, parts[2:])
        if call.method == "GET":
            return self._shown(call, row)
        if call.method in ("PUT", "PATCH"):
            self._check(call, table)
            own = self._instance.schema.tables[row["sys_class_name"]]
            values = self._attributes(call)
            changed = self._records.update(own.name, row["sys_id"], values, call.actor)
            return self._shown(call, changed)
        raise ApiError(405, "Method not supported", None)

    def _check(self, call: Call, table: Table) -> None:
        if not self._instance.access.can_create(call.actor, table):
            raise refused("Insert")

    def _attributes(self, call: Call) -> dict[str, str]:
        """Return what is to be written, with its source as where the item was discovered.

        The vendor casts every value to a text of its language and answers 500 where that fails;
        clients stringify for that reason.
        """
        body = object_body(call)
        attributes = body.get("attributes")
        if not isinstance(attributes, Mapping) and call.method != "POST":
            message = 'Cannot invoke "java.util.Map.entrySet()" because "attributes" is null'
            raise ApiError(500, message, None)
        column = self._instance.schema.tables["cmdb_ci"].columns["discovery_source"]
        source = text_of(body.get("source"))
        if source not in column.choices:
            named = ", ".join(column.choices)
            detail = (
                f"INVALID_INPUT_DATA: Invalid dataSource [{source or 'null'}]. Use one of the "
                f"choices of [cmdb_ci.discovery_source]: {named}"
            )
            raise ApiError(400, "Exception while updating CMDB record", detail)
        if not isinstance(attributes, Mapping):
            raise ApiError(400, "Invalid payload", "attributes must be an object")
        for value in attributes.values():
            if value is not None and not isinstance(value, str):
                kind = _JAVA.get(type(value), "java.util.Map")
                message = f"class {kind} cannot be cast to class java.lang.String"
                raise ApiError(500, message, None)
        given = {str(name): value or "" for name, value in attributes.items()}
        return {**given, "discovery_source": source}

    def _many(self, call: Call, table: Table) -> Reply:
        if call.method == "POST":
            self._check(call, table)
            row = self._records.insert(table.name, self._attributes(call), call.actor)
            self._relate_all(call, row, object_body(call))
            return self._shown(call, row, 201)
        if call.method != "GET":
            raise ApiError(405, "Method not supported", None)
        selection = Selection(
            self._instance, table, parse(call.parameter("sysparm_query")), call.actor
        )
        limit = number(call.parameter("sysparm_limit"), _LIMIT)
        offset = number(call.parameter("sysparm_offset"), 0)
        # The vendor gives no total here: clients read on until a page is empty.
        page = selection.page(limit, offset, count=False)
        seen = selection.visible(page.ids)
        rows = self._instance.store.full_rows(table, page.ids) if seen is None else seen
        return json_reply(
            {"result": [{"sys_id": row["sys_id"], "name": row["name"]} for row in rows]}
        )

    def _shown(self, call: Call, row: Row, status: int = 200) -> Reply:
        own = row["sys_id"]
        result = {
            "attributes": row,
            "outbound_relations": self._relations(call, "parent", "child", own),
            "inbound_relations": self._relations(call, "child", "parent", own),
        }
        return json_reply({"result": result}, status)

    def _relations(self, call: Call, own: str, other: str, number: str) -> list[dict[str, object]]:
        name = self._instance.displays.name_of
        base = f"{call.base}/api/now"
        return [
            {
                "sys_id": one["sys_id"],
                "type": {
                    "display_value": name("cmdb_rel_type", one["type"]),
                    "link": f"{base}/table/cmdb_rel_type/{one['type']}",
                    "value": one["type"],
                },
                "target": {
                    "display_value": name("cmdb_ci", one[other]),
                    "link": f"{base}/cmdb/instance/cmdb_ci/{one[other]}",
                    "value": one[other],
                },
            }
            for one in self._records.find("cmdb_rel_ci", **{own: number})
        ]

    def _relation(self, call: Call, row: Row, parts: list[str]) -> Reply:
        table = self._instance.schema.tables["cmdb_ci"]
        self._check(call, table)
        if call.method == "DELETE" and parts:
            found = self._records.read("cmdb_rel_ci", parts[0])
            if found is None or row["sys_id"] not in (found["parent"], found["child"]):
                raise no_record()
            self._records.delete("cmdb_rel_ci", parts[0], call.actor)
            return Reply(status=204)
        if call.method != "POST":
            raise ApiError(405, "Method not supported", None)
        body = object_body(call)
        self._relate_all(call, row, body)
        return self._shown(call, row)

    def _relate_all(self, call: Call, row: Row, body: Mapping[str, object]) -> None:
        for key, own, other in (
            ("inbound_relations", "child", "parent"),
            ("outbound_relations", "parent", "child"),
        ):
            listed = body.get(key)
            for one in listed if isinstance(listed, list) else []:
                if isinstance(one, Mapping):
                    self._relate(call, row, one, own, other)

    def _relate(
        self, call: Call, row: Row, given: Mapping[object, object], own: str, other: str
    ) -> None:
        target, kind = text_of(given.get("target")), text_of(given.get("type"))
        if not self._records.read("cmdb_ci", target):
            raise ApiError(400, "Invalid target", target)
        values = {own: row["sys_id"], other: target, "type": kind}
        self._records.insert("cmdb_rel_ci", values, call.actor)
