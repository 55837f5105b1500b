"""The platform's own rows: tables, columns and choices described as records, log lines."""

from collections.abc import Generator

from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.seed_ids import stable_id
from connectors.servicenow.sandbox.shape import encode_row
from connectors.servicenow.sandbox.store import Row

# Tables of every instance that the sandbox describes and does not serve.
_NAMED_ONLY = {
    "alm_asset": "Asset",
    "alm_hardware": "Hardware",
    "bsm_chart": "BSM Map",
    "cmdb": "Base Configuration Item",
}
_LOG_LINES = 700


def add_platform_rows(instance: Instance) -> None:
    """Write the rows of sys_db_object, sys_dictionary and sys_choice, and a past in syslog."""
    now = instance.records.now()
    for name, rows in (
        ("sys_db_object", _tables(instance)),
        ("sys_dictionary", _columns(instance)),
        ("sys_number", _numbers(instance)),
        ("sys_choice", _choices(instance)),
        ("syslog", _log()),
    ):
        table = instance.schema.tables[name]
        default = {column.name: column.default for column in table.columns.values()}
        stamps = {
            "sys_created_on": now,
            "sys_updated_on": now,
            "sys_created_by": "system",
            "sys_updated_by": "system",
            "sys_mod_count": "0",
            "sys_class_name": name if table.classed else "",
        }
        full = ({**default, **stamps, **row} for row in rows)
        instance.store.insert_many(table, ((row, encode_row(table, row)) for row in full))


def _tables(instance: Instance) -> Generator[Row]:
    for table in instance.schema.tables.values():
        yield {
            "sys_id": stable_id("sys_db_object", table.name),
            "name": table.name,
            "sys_name": table.label,
            "label": table.label,
            "super_class": stable_id("sys_db_object", table.parent) if table.parent else "",
            "number_ref": table.prefix,
        }
    for name, label in _NAMED_ONLY.items():
        yield {"sys_id": stable_id("sys_db_object", name), "name": name, "label": label}


def _numbers(instance: Instance) -> Generator[Row]:
    """Which prefix means which table: clients find the table of a number here."""
    for table in instance.schema.tables.values():
        if table.prefix:
            yield {
                "sys_id": stable_id("sys_number", table.name),
                "category": table.name,
                "prefix": table.prefix,
            }


def _columns(instance: Instance) -> Generator[Row]:
    for table in instance.schema.tables.values():
        yield from _columns_of(table)


def _columns_of(table: Table) -> Generator[Row]:
    for column in table.columns.values():
        if column.table != table.name:
            continue
        yield {
            "sys_id": stable_id("sys_dictionary", f"{table.name}.{column.name}"),
            "name": table.name,
            "element": column.name,
            "column_label": column.label,
            "internal_type": column.type.value,
            "reference": column.reference,
            "max_length": str(column.length),
            "default_value": column.default,
            "choice": "1" if column.has_choices else "",
            "display": "true" if table.display == column.name else "false",
        }


def _choices(instance: Instance) -> Generator[Row]:
    for table in instance.schema.tables.values():
        for column in table.columns.values():
            own = column.table == table.name or _differs(instance, table, column.name)
            for sequence, (value, label) in enumerate(column.choices.items() if own else ()):
                yield {
                    "sys_id": stable_id("sys_choice", f"{table.name}.{column.name}.{value}"),
                    "name": table.name,
                    "element": column.name,
                    "value": value,
                    "label": label,
                    "sequence": str(sequence),
                    "language": "en",
                    "inactive": "false",
                }


def _differs(instance: Instance, table: Table, name: str) -> bool:
    parent = instance.schema.get(table.parent)
    if parent is None or name not in parent.columns:
        return False
    return parent.columns[name].choices is not table.columns[name].choices


def _log() -> Generator[Row]:
    for number in range(_LOG_LINES):
        yield {
            "sys_id": stable_id("syslog", str(number)),
            "level": "0",
            "source": "sandbox",
            "message": f"Event {number} was processed",
            "sequence": str(number),
        }
