"""One page of a sweep over what changed: keyset on (sys_updated_on, sys_id) under server time.

What makes it lose nothing:
- A sweep ends at a fixed horizon, the server's now less a lag; the next begins an overlap before
  it, so that rows which became visible late are met.
- Rows of one second are told apart by their id; the order has no ties.
- ServiceNow cuts the page before it hides rows (the count is blind to access rules), so a short or
  empty page is not the end: the count decides.
- ServiceNow drops a query term whose field it does not know; every row is held against the window
  that was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, Rows, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import required_instant
from engine.errors import InvalidAnswerError, TransientError
from engine.ports.paging import Cursor

_SHIFTS = 5
_INSTANTS = ("floor", "begun", "looked_at", "turned_at", "turned_before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a cursor's continuation holds.

    Attributes:
        floor: Nothing created before this is ours; None: no such bound.
        begun: Where the sweep under way began.
        phase: Which of several tables the sweep is in.
        looked: The last of the waiting records that the slow look has come to.
        looked_at: When it last looked.
        turned_at, turned_before: When its present turn, and the one before, began.
    """

    floor: datetime | None = None
    begun: datetime | None = None
    phase: str = ""
    looked: str = ""
    looked_at: datetime | None = None
    turned_at: datetime | None = None
    turned_before: datetime | None = None

    def encoded(self) -> str:
        """Return the text that a cursor keeps."""
        parts = {"phase": self.phase, "looked": self.looked}
        for name in _INSTANTS:
            moment: datetime | None = getattr(self, name)
            parts[name] = moment.isoformat() if moment else ""
        return urlencode({name: value for name, value in parts.items() if value})

    def between(self) -> "Position":
        """Return what is kept from one sweep to the next."""
        return replace(self, begun=None, phase="")


def position_of(cursor: Cursor) -> Position:
    """Return what a cursor's continuation holds.

    Raises:
        InvalidAnswerError: The stored text is none of ours.
    """
    parts = dict(parse_qsl(cursor.opaque))
    try:
        moments = {name: datetime.fromisoformat(parts[name]) for name in _INSTANTS if name in parts}
        return Position(phase=parts.get("phase", ""), looked=parts.get("looked", ""), **moments)
    except ValueError:
        raise InvalidAnswerError("a stored cursor holds no continuation of ours") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPage:
    """Rows in order, the position behind them, and whether the window is exhausted."""

    records: tuple[Record, ...]
    at: datetime
    id: str
    is_last: bool
    hidden: int
    server_now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The fixed stretch of time of one sweep, and how far it has come."""

    begun: datetime
    horizon: datetime
    at: datetime
    id: str
    floor: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing can lie in it yet."""
        return self.horizon < self.begun


def open_window(
    cursor: Cursor, position: Position, server_now: datetime, *, lag: timedelta, overlap: timedelta
) -> Window:
    """Return the window that the cursor is in, or the next one.

    Where the server's clock was set back behind the cursor, the window follows it.
    """
    if cursor.horizon is not None and position.begun is not None:
        return Window(
            begun=position.begun,
            horizon=cursor.horizon,
            at=cursor.at,
            id=cursor.id,
            floor=position.floor,
        )
    horizon = server_now - lag
    begun = min(cursor.at, horizon) - overlap
    if position.floor is not None:
        begun = max(begun, position.floor)
    return Window(begun=begun, horizon=horizon, at=begun, id="", floor=position.floor)


def read_page(
    client: ServiceNowClient,
    *,
    table: str,
    base: str,
    window: Window,
    fields: Sequence[str],
    limit: int,
) -> SweepPage:
    """Return the next page of the window.

    Raises:
        InvalidAnswerError: A row lies outside of what was asked for: a term was dropped.
        TransientError: Rows kept moving out of the window while hidden ones were stepped over.
    """
    floor = q.at("sys_created_on", ">=", window.floor) if window.floor else ""
    until = q.at("sys_updated_on", "<=", window.horizon)
    if window.id:
        later = q.both(base, floor, q.at("sys_updated_on", ">", window.at), until)
        tied = q.both(base, floor, q.at("sys_updated_on", "=", window.at), q.after_id(window.id))
        query = q.either(later, tied)
    else:
        query = q.both(base, floor, q.at("sys_updated_on", ">=", window.at), until)
    query = q.ordered(query, "sys_updated_on", "sys_id")
    rows, is_last, hidden = _visible(client, table, query, fields, limit)
    for record in rows.records:
        _require_inside(table, record, window)
    if not rows.records:
        return SweepPage(
            records=(), at=window.horizon, id="", is_last=True, hidden=hidden,
            server_now=rows.server_now,
        )  # fmt: skip
    last = rows.records[-1]
    return SweepPage(
        records=rows.records,
        at=required_instant(last, "sys_updated_on"),
        id=text(last, "sys_id"),
        is_last=is_last,
        hidden=hidden,
        server_now=rows.server_now,
    )


def _visible(
    client: ServiceNowClient, table: str, query: str, fields: Sequence[str], limit: int
) -> tuple[Rows, bool, int]:
    """Return the first page that shows a row, whether it is the last, and how many were hidden.

    Only pages without any visible row are stepped over by offset; as soon as a row shows, the
    keyset goes on behind it. Rows that leave the window meanwhile shift the offsets; the count
    betrays that, and the stepping begins again.
    """
    for _ in range(_SHIFTS):
        offset = 0
        first = client.rows(table, query, fields=fields, limit=limit)
        rows = first
        while not rows.records and offset + limit < rows.total:
            offset += limit
            rows = client.rows(table, query, fields=fields, limit=limit, offset=offset)
            if rows.total != first.total:
                break
        else:
            shown = len(rows.records)
            on_page = min(limit, max(rows.total - offset, shown))
            return rows, offset + limit >= rows.total, offset + on_page - shown
    raise TransientError(
        f"{client.name} GET {table}: rows kept moving while hidden ones were skipped"
    )


def _require_inside(table: str, record: Record, window: Window) -> None:
    updated = required_instant(record, "sys_updated_on")
    created = required_instant(record, "sys_created_on")
    is_inside = window.at <= updated <= window.horizon
    if not is_inside or (window.floor is not None and created < window.floor):
        raise InvalidAnswerError(
            f"{table}: a row outside of the window came; the server dropped a term of the query"
        )
