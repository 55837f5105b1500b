"""How records look in answers: the three shapes of `sysparm_display_value`, links, formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from connectors.servicenow.sandbox.actors import Actor
from connectors.servicenow.sandbox.coerce import java_format
from connectors.servicenow.sandbox.schema import Column, ColumnType, Schema, Table
from connectors.servicenow.sandbox.store import Row, Store

LINK_MARK = "\x01"
"""Stands for `https://instance/api/now/table` in the encoded rows; no client text can hold it."""
ENCODED_MARK = b"\\u0001"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JOURNALS = {"comments_and_work_notes": ("comments", "work_notes")}
_DOCUMENT_TABLES = ("source_table", "table", "tablename", "parent_table", "target_table")

Shaped = object
Formatter = Callable[[str], Shaped]
Hides = Callable[[str, str], bool]
"""(table, sys_id) -> whether the caller may not read that record, and so not its name."""


def encode_row(table: Table, row: Mapping[str, str]) -> bytes:
    """Return the `sysparm_display_value=false` form of a whole record, links by mark."""
    shaped: dict[str, object] = {}
    for name, column in table.columns.items():
        value = row.get(name, "")
        if not value or column.type is ColumnType.JOURNAL:
            shaped[name] = ""
        elif column.type is ColumnType.REFERENCE:
            shaped[name] = {"link": f"{LINK_MARK}/{column.reference}/{value}", "value": value}
        elif column.type is ColumnType.DOCUMENT:
            target = document_table(row)
            link = {"link": f"{LINK_MARK}/{target}/{value}", "value": value}
            shaped[name] = link if target else value
        elif column.type is ColumnType.PASSWORD:
            shaped[name] = "********"
        elif name == "sys_domain":
            shaped[name] = {"link": f"{LINK_MARK}/sys_user_group/{value}", "value": value}
        else:
            shaped[name] = value
    return orjson.dumps(shaped)


def document_table(row: Mapping[str, str]) -> str:
    """Return the table that a row's document id points into, or ""."""
    return next((row[name] for name in _DOCUMENT_TABLES if row.get(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the caller wants values: `display` is false, true or all."""

    display: str = "false"
    links: bool = True
    base: str = ""
    """`https://instance/api/now/table`, with the version the caller used."""


class Displays:
    """Display values, in the caller's time zone and formats; names of references are remembered."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema
        self._names: dict[str, dict[str, str | None]] = {}
        self._marks: dict[str, object] = {}
        self._choices: Mapping[tuple[str, str], str] = {}
        self._choice_mark: object = None

    def name_of(self, table_name: str, sys_id: str) -> str | None:
        """Return a record's display value: "" where it has none, None where it is not there."""
        table = self._schema.get(table_name)
        if table is None:
            return None
        mark = self._store.version(table.root)
        known = self._names.setdefault(table.root, {})
        if self._marks.get(table.root) != mark or len(known) > 200_000:  # noqa: PLR2004 - memory stays flat
            known.clear()
            self._marks[table.root] = mark
        if sys_id not in known:
            column = f'"{table.display}"' if table.display else "''"
            found = self._store.rows(
                f'SELECT {column} FROM "{table.root}" WHERE sys_id = ?',  # noqa: S608 - names come from the schema
                (sys_id,),
            )
            known[sys_id] = str(found[0][0] or "") if found else None
        return known[sys_id]

    def display(self, column: Column, value: str, actor: Actor) -> str | None:
        """Return what a person would read; None for a choice without a value."""
        if not value:
            if column.type is ColumnType.DUE:
                return "UNKNOWN"
            return None if column.has_choices else ""
        if column.has_choices or column.choices:
            added = self.added_choices()
            label = added.get((column.name, value)) if added else None
            return label or column.choices.get(value, value)
        special = self._special(column, value, actor)
        return value if special is None else special

    def added_choices(self) -> Mapping[tuple[str, str], str]:
        """Return labels of choices that somebody added, by column and value."""
        mark = self._store.version("sys_metadata")
        if mark != self._choice_mark:
            found = self._store.rows(
                "SELECT element, value, label FROM sys_choice WHERE sys_created_by != 'system'"
            )
            self._choices = {(str(one[0]), str(one[1])): str(one[2]) for one in found}
            self._choice_mark = mark
        return self._choices

    def _special(self, column: Column, value: str, actor: Actor) -> str | None:
        by_type: dict[ColumnType, Callable[[], str]] = {
            ColumnType.REFERENCE: lambda: self.name_of(column.reference, value) or "",
            ColumnType.LIST: lambda: self._listed(column, value),
            ColumnType.DATETIME: lambda: local_time(value, actor),
            ColumnType.DUE: lambda: local_time(value, actor),
            ColumnType.DATE: lambda: _local_date(value, actor),
            ColumnType.SCHEDULE_TIME: lambda: _schedule_time(value, actor),
            ColumnType.DURATION: lambda: spoken_duration(value),
            ColumnType.PASSWORD: lambda: "********",
            ColumnType.PRICE: lambda: f"${float(value):,.2f}",
            ColumnType.DOCUMENT: lambda: self._document(value),
            ColumnType.CLASS: lambda: self._label(value),
        }
        handler = by_type.get(column.type)
        return None if handler is None else handler()

    def _listed(self, column: Column, value: str) -> str:
        return ", ".join(self.name_of(column.reference, one) or one for one in value.split(","))

    def _label(self, value: str) -> str:
        known = self._schema.get(value)
        return known.label if known else value

    def _document(self, value: str) -> str:
        task = self._schema.tables["task"]
        found = self._store.find(task, "sys_id = ?", (value,))
        if not found:
            return ""
        label = self._schema.tables[found[0]["sys_class_name"]].label
        return f"{label}: {found[0]['number']}"

    def journal(self, element: str, sys_id: str, actor: Actor) -> str:
        """Return the whole history of a journal, newest first."""
        elements = _JOURNALS.get(element, (element,))
        marks = ",".join("?" * len(elements))
        found = self._store.rows(
            "SELECT sys_created_on, sys_created_by, element, value FROM sys_journal_field "  # noqa: S608 - marks only
            f"WHERE element_id = ? AND element IN ({marks}) ORDER BY sys_created_on DESC, _id DESC",
            (sys_id, *elements),
        )
        labels = {"comments": "Additional comments", "work_notes": "Work notes"}
        entries: list[str] = []
        for created, author, kind, text in found:
            label = labels.get(str(kind), str(kind).replace("_", " ").capitalize())
            when = local_time(str(created), actor)
            who = self._author(str(author))
            entries.append(f"{when} - {who} ({label})\n{text or ''}\n\n")
        return "".join(entries)

    def _author(self, user_name: str) -> str:
        found = self._store.rows("SELECT name FROM sys_user WHERE user_name = ?", (user_name,))
        return str(found[0][0]) if found else user_name


def local_time(value: str, actor: Actor) -> str:
    """Return a kept UTC moment in the caller's zone and format."""
    form = java_format(f"{actor.date_format} {actor.time_format}")
    try:
        moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
        return moment.astimezone(actor.zone).strftime(form)
    except (ValueError, OverflowError):
        return value


def _local_date(value: str, actor: Actor) -> str:
    try:
        return datetime.fromisoformat(value).strftime(java_format(actor.date_format))
    except ValueError:
        return value


def _schedule_time(value: str, actor: Actor) -> str:
    """Return a moment of a schedule as a person reads it: floating ones as they stand."""
    form = java_format(f"{actor.date_format} {actor.time_format}")
    try:
        moment = datetime.fromisoformat(value)
        return (moment.astimezone(actor.zone) if moment.tzinfo else moment).strftime(form)
    except (ValueError, OverflowError):
        return value


def spoken_duration(value: str) -> str:
    """Return a kept duration as a person reads it."""
    try:
        left = int((datetime.fromisoformat(value).replace(tzinfo=UTC) - _EPOCH).total_seconds())
    except ValueError:
        return value
    parts: list[str] = []
    for name, size in (("Day", 86400), ("Hour", 3600), ("Minute", 60), ("Second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(parts) or "0 Seconds"


class Shaper:
    """Turns the values of one request's records into what stands in its answer."""

    def __init__(self, displays: Displays, actor: Actor, shape: Shape, hides: Hides) -> None:
        self._hides = hides
        self._displays = displays
        self._actor = actor
        self._shape = shape

    def row(self, columns: Mapping[str, Column], row: Row) -> dict[str, Shaped]:
        """Shape a whole record; journals are looked up by its sys_id."""
        return {
            name: self.formatter(column, document_table(row))(
                row["sys_id"] if column.type is ColumnType.JOURNAL else row.get(name, "")
            )
            for name, column in columns.items()
        }

    def formatter(self, column: Column, target: str = "") -> Formatter:
        """Return the function that shapes one column; a journal's value is its record's sys_id."""
        if column.type is ColumnType.JOURNAL:
            return self._journal(column)
        reference = column.reference if column.type is ColumnType.REFERENCE else ""
        if column.type is ColumnType.DOCUMENT:
            reference = target
        if column.name == "sys_domain":
            reference = "sys_user_group"
        return self._reference(column, reference) if reference else self._plain(column)

    def _journal(self, column: Column) -> Formatter:
        def history(sys_id: str) -> str:
            return self._displays.journal(column.name, sys_id, self._actor) if sys_id else ""

        if self._shape.display == "true":
            return history
        if self._shape.display == "all":
            return lambda sys_id: {"display_value": history(sys_id), "value": ""}
        return lambda _: ""

    def _plain(self, column: Column) -> Formatter:
        display, actor = self._displays.display, self._actor
        if self._shape.display == "true":
            return lambda value: display(column, value, actor)
        hidden = column.type is ColumnType.PASSWORD
        if self._shape.display == "all":
            if column.type is ColumnType.PRICE:
                return lambda value: {
                    "display_value": display(column, value, actor),
                    "value": value,
                    "currency_display_value": display(column, value, actor),
                }
            return lambda value: {
                "display_value": display(column, value, actor),
                "value": "********" if hidden and value else value,
            }
        if hidden:
            return lambda value: "********" if value else ""
        return lambda value: value

    def _reference(self, column: Column, reference: str) -> Formatter:
        base, links = self._shape.base, self._shape.links

        def name(value: str) -> str:
            if reference == "sys_user_group" and value == "global":
                return value
            if self._hides(reference, value):
                return ""
            return (
                self._displays.display(column, value, self._actor)
                if column.type is ColumnType.DOCUMENT
                else self._displays.name_of(reference, value)
            ) or ""

        def raw(value: str) -> Shaped:
            if not value or not links:
                return value
            return {"link": f"{base}/{reference}/{value}", "value": value}

        def shown(value: str) -> Shaped:
            if not value or not links:
                return name(value) if value else ""
            return {"display_value": name(value), "link": f"{base}/{reference}/{value}"}

        def both(value: str) -> Shaped:
            if not value:
                return {"display_value": "", "value": ""}
            pair = {"display_value": name(value), "value": value}
            return {**pair, "link": f"{base}/{reference}/{value}"} if links else pair

        return {"true": shown, "all": both}.get(self._shape.display, raw)
