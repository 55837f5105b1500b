"""What a browser sees behind the address of a record: /nav_to.do?uri=TABLE.do?sys_id=ID.

Read-only, for whoever runs the sandbox, like the approvals page: no log-in, every field that has a
value, the journals below.
"""

import re
from html import escape
from urllib.parse import parse_qsl, unquote

from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.http import Reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.page import html_page
from connectors.servicenow.sandbox.schema import Column, ColumnType, Table
from connectors.servicenow.sandbox.store import Row

_RECORD = re.compile(r"(?:^|/)(?P<table>[a-z0-9_]+)\.do\?(?:.*&)?sys_id=(?P<id>[0-9A-Za-z]{1,64})")
_PATH = re.compile(r"/(?:nav_to|[a-z0-9_]+)\.do|/now/nav/ui/classic/params/target/.+")
_FIRST = ("number", "name", "short_description", "state", "approval", "caller_id")
_LONG = 1000


def is_record_path(path: str) -> bool:
    """Say whether a browser's address shows a record."""
    return path != "/oauth_token.do" and _PATH.fullmatch(path) is not None


class RecordPage:
    """Shows one record."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, path: str, query: str) -> Reply:
        """Return the page of the record that an address names."""
        uri = dict(parse_qsl(query)).get("uri", "")
        address = unquote(uri) if uri else f"{unquote(path)}?{unquote(query)}"
        match = _RECORD.search(address)
        table = self._instance.schema.get(match["table"]) if match else None
        row = self._instance.store.read(table, match["id"]) if match and table else None
        if table is None or row is None:
            return html_page("Record not found", "<p>There is no such record.</p>", 404)
        own = self._instance.schema.get(row.get("sys_class_name", "")) or table
        title = row.get("number") or row.get(own.display) or row["sys_id"]
        return html_page(f"{own.label} {title}", self._content(own, row))

    def _content(self, table: Table, row: Row) -> str:
        pairs: list[tuple[int, str, str]] = []
        for column in table.columns.values():
            if column.type is ColumnType.JOURNAL:
                text = self._instance.displays.journal(column.name, row["sys_id"], SYSTEM)
                if text and column.name != "comments_and_work_notes":
                    pairs.append((2, column.label, escape(text)))
            elif row[column.name]:
                pairs.append((_place(column), column.label, self._value(column, row)))
        # What a person reads comes first, what the system keeps last.
        listed = "".join(
            f"<dt>{escape(label)}</dt><dd>{text}</dd>"
            for _, label, text in sorted(pairs, key=lambda pair: pair[0])
        )
        return (
            '<p><a href="/approvals">Approvals</a></p>'
            f'<article class="record"><dl>{listed}</dl></article>'
        )

    def _value(self, column: Column, row: Row) -> str:
        value = row[column.name]
        text = escape(self._instance.displays.display(column, value, SYSTEM) or value)
        if column.type is not ColumnType.REFERENCE:
            return text
        link = escape(f"/{column.reference}.do?sys_id={value}")
        return f'<a href="{link}">{text}</a>'


def _place(column: Column) -> int:
    if column.name in _FIRST:
        return 0
    if column.name.startswith("sys_"):
        return 4
    return 1 if column.length >= _LONG else 3
