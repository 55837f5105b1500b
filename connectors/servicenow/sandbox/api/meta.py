"""What an instance says of itself: the CMDB Meta API and what its own pages ask for.

The paths below /ui and /doc are not in the vendor's reference; clients use them all the same.
"""

from connectors.servicenow.sandbox.http import (
    ApiError,
    Call,
    Reply,
    api_refused,
    invalid_table,
    json_reply,
)
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.schema import Column, ColumnType, Table
from connectors.servicenow.sandbox.seed_ids import stable_id


class MetaApi:
    """Tables, columns, classes and the caller."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def columns(self, call: Call, table_name: str) -> Reply:
        """GET /api/now/ui/meta/{table}: the columns by name.

        Raises:
            ApiError: 400 for an unknown table, 403 for one that the account may not use.
        """
        _read_only(call)
        table = self._instance.schema.get(table_name)
        if table is None:
            raise invalid_table(table_name)
        if self._instance.access.forbidden(call.actor, table):
            raise api_refused()
        hidden = self._instance.access.hidden_columns(call.actor, table)
        shown = {
            name: self._column(call, table, column)
            for name, column in table.columns.items()
            if name not in hidden
        }
        return json_reply({"result": {"columns": shown}})

    def _column(self, call: Call, table: Table, column: Column) -> dict[str, object]:
        writable = self._instance.access.writable(call.actor, table, column.name, creating=False)
        target = self._instance.schema.get(column.reference)
        choosing = bool(column.choices)
        shown: dict[str, object] = {
            "name": column.name,
            "label": column.label,
            "type": "choice" if choosing else column.type.value,
            "internal_type": column.type.value,
            "max_length": column.length,
            "mandatory": False,
            "read_only": not writable,
            "reference": column.reference,
            "reference_display_field": target.display if target else "",
            "display": table.display == column.name,
            "default": column.default,
            "filterable": column.type is not ColumnType.PASSWORD,
            "sortable": column.type is not ColumnType.JOURNAL,
            "canread": True,
            "canwrite": writable,
        }
        if choosing:
            shown["choices"] = [
                {"label": label, "value": value} for value, label in column.choices.items()
            ]
        return shown

    def tables(self, call: Call) -> Reply:
        """GET /api/now/doc/table/schema: every table by label."""
        _read_only(call)
        found = sorted(self._instance.schema.tables.values(), key=lambda one: one.label)
        return json_reply({"result": [{"label": one.label, "value": one.name} for one in found]})

    def caller(self, call: Call) -> Reply:
        """GET /api/now/ui/user/current_user."""
        _read_only(call)
        actor = call.actor
        initials = "".join(word[0] for word in actor.name.split()[:2])
        return json_reply(
            {
                "result": {
                    "user_avatar": "",
                    "user_sys_id": actor.sys_id,
                    "user_name": actor.user_name,
                    "user_display_name": actor.name,
                    "user_initials": initials.upper(),
                }
            }
        )

    def configuration_class(self, call: Call, name: str) -> Reply:
        """GET /api/now/cmdb/meta/{class}.

        Raises:
            ApiError: 403 without the role, 404 where there is no such class.
        """
        _read_only(call)
        if not call.actor.has("itil"):
            raise api_refused()
        table = self._instance.schema.get(name)
        if table is None or table.root != "cmdb_ci":
            raise ApiError(404, "Invalid class", f"{name} is not a CMDB class")
        family = self._instance.schema.family(name)
        children = [one for one in family if self._instance.schema.tables[one].parent == name]
        return json_reply(
            {
                "result": {
                    "icon_url": "",
                    "is_extendable": True,
                    "parent": table.parent,
                    "children": children,
                    "name": name,
                    "icon": stable_id("cmdb_icon", name),
                    "attributes": [_attribute(table, one) for one in table.columns.values()],
                    "relationship_rules": [],
                    "label": table.label,
                    "identification_rules": {},
                }
            }
        )


def _attribute(table: Table, column: Column) -> dict[str, object]:
    """Every answer is a string here, as the vendor's are."""
    return {
        "is_inherited": "true" if column.table != table.name else "false",
        "is_mandatory": "false",
        "is_read_only": "true" if column.name.startswith("sys_") else "false",
        "default_value": column.default or None,
        "label": column.label,
        "type": column.type.value,
        "element": column.name,
        "max_length": str(column.length),
        "is_display": "true" if table.display == column.name else "false",
    }


def _read_only(call: Call) -> None:
    if call.method != "GET":
        raise ApiError(405, "Method not supported", None)
