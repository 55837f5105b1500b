"""The tables and choice lists of the sandbox, read from data/schema.yaml and data/choices.yaml.

The type words of a column line: `string[(length)]`, `html`, `integer`, `float`, `boolean`,
`datetime`, `date`, `duration`, `due` (a date that reads UNKNOWN), `choice`, `choice!` (an off-list
value is stored as empty), `intchoice`, `ref:TABLE`, `list:TABLE`, `journal`, `password`, `price`,
`document`, `table`, `class`, `span` (a moment of a schedule: yyyymmddThhmmss, Z for UTC, else
in the zone of the schedule); `=value` at the end is the default.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Any

from ruamel.yaml import YAML


class ColumnType(StrEnum):
    """How a column stores, compares and shows its values."""

    STRING = "string"
    HTML = "html"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATETIME = "glide_date_time"
    DATE = "glide_date"
    DURATION = "glide_duration"
    DUE = "due_date"
    REFERENCE = "reference"
    LIST = "glide_list"
    JOURNAL = "journal_input"
    PASSWORD = "password"  # noqa: S105 - the name of a column type
    PRICE = "price"
    DOCUMENT = "document_id"
    TABLE = "table_name"
    CLASS = "sys_class_name"
    GUID = "GUID"
    SCHEDULE_TIME = "schedule_date_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of one table (inherited columns are repeated with the child's choices)."""

    name: str
    type: ColumnType
    label: str
    table: str
    """The table that defines it."""
    reference: str = ""
    length: int = 40
    default: str = ""
    has_choices: bool = False
    strict_choice: bool = False
    choices: Mapping[str, str]

    @property
    def numeric(self) -> bool:
        """Say whether values compare as numbers."""
        return self.type in (ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.PRICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table with all its columns, its own and the inherited ones, by name."""

    name: str
    label: str
    parent: str
    root: str
    """The top of the hierarchy, whose physical table holds the rows."""
    display: str
    prefix: str
    audit: bool
    columns: Mapping[str, Column]
    index: tuple[str, ...]

    @property
    def classed(self) -> bool:
        """Say whether the rows carry sys_class_name as the name of their table."""
        column = self.columns.get("sys_class_name")
        return column is not None and column.type is ColumnType.CLASS


_WORDS: Mapping[str, ColumnType] = {
    "string": ColumnType.STRING,
    "html": ColumnType.HTML,
    "integer": ColumnType.INTEGER,
    "float": ColumnType.FLOAT,
    "boolean": ColumnType.BOOLEAN,
    "datetime": ColumnType.DATETIME,
    "date": ColumnType.DATE,
    "duration": ColumnType.DURATION,
    "due": ColumnType.DUE,
    "choice": ColumnType.STRING,
    "choice!": ColumnType.STRING,
    "intchoice": ColumnType.INTEGER,
    "ref": ColumnType.REFERENCE,
    "list": ColumnType.LIST,
    "journal": ColumnType.JOURNAL,
    "password": ColumnType.PASSWORD,
    "price": ColumnType.PRICE,
    "document": ColumnType.DOCUMENT,
    "table": ColumnType.TABLE,
    "class": ColumnType.CLASS,
    "span": ColumnType.SCHEDULE_TIME,
}
_SPEC = re.compile(r"^(?P<word>[a-z]+!?)(?::(?P<ref>\w+))?(?:\((?P<length>\d+)\))?$")
_SYSTEM = """\
sys_id guid Sys ID
sys_created_on datetime Created
sys_created_by string Created by
sys_updated_on datetime Updated
sys_updated_by string Updated by
sys_mod_count integer=0 Updates
sys_tags string Tags
"""
_LEAN = """\
sys_id guid Sys ID
sys_created_on datetime Created
sys_created_by string Created by
sys_tags string Tags
"""


class Schema:
    """Every table by name."""

    def __init__(
        self, tables: Mapping[str, Table], children: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.tables = tables
        self._children = children

    def get(self, name: str) -> Table | None:
        """Return the table of this name, or None."""
        return self.tables.get(name)

    def lineage(self, name: str) -> Iterator[str]:
        """Yield a table and its ancestors, nearest first."""
        while name:
            yield name
            name = self.tables[name].parent

    def family(self, name: str) -> tuple[str, ...]:
        """Return a table and all that extend it, itself first."""
        found = [name]
        for one in found:
            found.extend(self._children.get(one, ()))
        return tuple(found)

    def is_a(self, name: str, ancestor: str) -> bool:
        """Say whether one table is, or extends, another."""
        return ancestor in self.lineage(name)


def _load(name: str) -> Any:  # noqa: ANN401 - YAML has no narrower type
    text = (
        resources.files("connectors.servicenow.sandbox").joinpath("data", name).read_text("utf-8")
    )
    return YAML(typ="safe", pure=True).load(text)


@functools.cache
def load_schema() -> Schema:
    """Read and link the tables and their choices.

    Raises:
        KeyError: a line names a type or a parent that does not exist.
    """
    raw: dict[str, dict[str, Any]] = _load("schema.yaml")
    choices = {
        key: {str(value): str(label) for value, label in listed.items()}
        for key, listed in _load("choices.yaml").items()
    }
    tables: dict[str, Table] = {}
    children: dict[str, list[str]] = {}
    for name, spec in raw.items():
        parent = tables[spec["extends"]] if "extends" in spec else None
        if parent is not None:
            children.setdefault(parent.name, []).append(name)
        tables[name] = _table(name, spec, parent, choices)
    return Schema(tables, {name: tuple(found) for name, found in children.items()})


def _table(
    name: str,
    spec: Mapping[str, Any],
    parent: Table | None,
    choices: Mapping[str, Mapping[str, str]],
) -> Table:
    defaults: Mapping[str, str] = spec.get("defaults", {})
    columns: dict[str, Column] = {}
    if parent is not None:
        columns = {
            column.name: _inherited(column, name, choices, defaults)
            for column in parent.columns.values()
        }
    own = spec["columns"] if parent is not None else _system(spec) + spec["columns"]
    for line in own.splitlines():
        if line.strip():
            column = _column(name, line.strip(), choices)
            columns[column.name] = column
    return Table(
        name=name,
        label=spec["label"],
        parent=parent.name if parent else "",
        root=parent.root if parent else name,
        display=spec.get("display", parent.display if parent else ""),
        prefix=spec.get("prefix", ""),
        audit=spec.get("audit", parent.audit if parent else False),
        columns=columns,
        index=tuple(spec.get("index", ())),
    )


def _system(spec: Mapping[str, Any]) -> str:
    return _LEAN if spec.get("lean") else _SYSTEM


def _inherited(
    column: Column,
    table: str,
    choices: Mapping[str, Mapping[str, str]],
    defaults: Mapping[str, str],
) -> Column:
    own = choices.get(f"{table}.{column.name}")
    return Column(
        name=column.name,
        type=column.type,
        label=column.label,
        table=column.table,
        reference=column.reference,
        length=column.length,
        default=defaults.get(column.name, column.default),
        has_choices=column.has_choices,
        strict_choice=column.strict_choice,
        choices=column.choices if own is None else own,
    )


def _column(table: str, line: str, choices: Mapping[str, Mapping[str, str]]) -> Column:
    name, _, rest = line.partition(" ")
    spec, default, label = _split(rest)
    if spec == "guid":
        return Column(
            name=name, type=ColumnType.GUID, label=label, table=table, length=32, choices={}
        )
    match = _SPEC.match(spec)
    if match is None:
        raise KeyError(f"{table}.{name}: {spec}")
    word = match["word"]
    return Column(
        name=name,
        type=_WORDS[word],
        label=label or name.replace("_", " ").capitalize(),
        table=table,
        reference=match["ref"] or "",
        length=int(match["length"] or 255),
        default=default,
        has_choices="choice" in word,
        strict_choice=word == "choice!",
        choices=choices.get(f"{table}.{name}", {}),
    )


def _split(rest: str) -> tuple[str, str, str]:
    """Part `type[=default] [Label]`; a default with a blank in it is one of the two known ones."""
    for blank in ("not requested", "Not Run"):
        spec, found, label = rest.partition(f"={blank}")
        if found:
            return spec, blank, label.strip()
    spec, _, label = rest.partition(" ")
    spec, _, default = spec.partition("=")
    return spec, default, label.strip()
