"""Which of our changes changed: what was updated since the cursor, and slowly all that wait.

A cycle asks for approval rows and for change records updated since the last one, in one query each,
however many wait. An update that no cycle saw (written with an old time, visible after the overlap)
is found by a look at all waiting changes in turn: some at a time, every few minutes, against what
was updated since the look before.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ID_CHUNK, ServiceNowClient
from connectors.servicenow.drafts import MARK
from connectors.servicenow.mapping import required_instant
from connectors.servicenow.settings import ServiceNowSettings
from connectors.servicenow.snapshots import ChangeMapping
from connectors.servicenow.sweep import Position, Window, open_window, position_of, read_page
from engine.domain.refs import ChangeRef
from engine.ports.paging import Cursor, Page

_RECORDS = "records"
_TABLES = {"": "sysapproval_approver", _RECORDS: "change_request"}
_MARKED_BY = {"": "sysapproval.correlation_display", _RECORDS: "correlation_display"}
_FIELDS = {
    "": (
        "sys_id", "sysapproval", "sysapproval.number", "sysapproval.correlation_display",
        "sys_updated_on", "sys_created_on",
    ),
    _RECORDS: ("sys_id", "number", "correlation_display", "sys_updated_on", "sys_created_on"),
}  # fmt: skip
_LOOK_EVERY = timedelta(minutes=2)
_LOOK_AT = ID_CHUNK
"""Waiting changes per look: what fits into one query, so a look costs two requests."""


class ChangeSweep:
    """Sweeps the changes of one instance."""

    def __init__(
        self, client: ServiceNowClient, settings: ServiceNowSettings, mapping: ChangeMapping
    ) -> None:
        self._client = client
        self._settings = settings
        self._mapping = mapping

    def first_cursor(self) -> Cursor:
        """Return the server's now."""
        return Cursor(at=self._client.server_now())

    def changed_since(self, cursor: Cursor, waiting: Sequence[ChangeRef]) -> Page[ChangeRef]:
        """Return changes whose approval rows changed, then changes that changed themselves.

        A sweep costs two queries and a read of the clock; with its last page comes, every two
        minutes and for two requests more, what a look at the next of `waiting` found.
        """
        position = position_of(cursor)
        server_now = self._client.server_now()
        lag, overlap = self._settings.lag, self._settings.overlap
        window = open_window(cursor, position, server_now, lag=lag, overlap=overlap)
        if window.is_empty:
            return Page(items=(), cursor=cursor, is_last=True, server_now=server_now)
        phase = position.phase
        page = read_page(
            self._client,
            table=_TABLES[phase],
            base=q.equals(_MARKED_BY[phase], MARK),
            window=window,
            fields=_FIELDS[phase],
            limit=self._settings.page_size,
        )
        refs = [ref for record in page.records if (ref := self._ref(record, phase)) is not None]
        is_over = page.is_last and phase == _RECORDS
        if is_over:
            position, missed = self._look(position, waiting, server_now)
            refs += missed
            after = Cursor(at=window.horizon, opaque=position.between().encoded())
        elif page.is_last:
            after = _ahead(window, position, phase=_RECORDS)
        else:
            after = _ahead(window, position, phase=phase, at=page.at, last=page.id)
        return Page(
            items=tuple(dict.fromkeys(refs)),
            cursor=after,
            is_last=is_over,
            hidden=page.hidden,
            server_now=page.server_now,
        )

    def _ref(self, record: Record, phase: str) -> ChangeRef | None:
        # A server that dropped the term would show everybody's changes.
        if text(record, _MARKED_BY[phase]) != MARK:
            return None
        if phase == _RECORDS:
            return self._mapping.ref(record)
        if not text(record, "sysapproval"):
            return None
        return self._mapping.ref(
            {"sys_id": record["sysapproval"], "number": record["sysapproval.number"]}
        )

    def _look(
        self, position: Position, waiting: Sequence[ChangeRef], now: datetime
    ) -> tuple[Position, list[ChangeRef]]:
        """Look at the next of the waiting changes, when it is time; return those to be woken."""
        if position.looked_at is not None and now - position.looked_at < _LOOK_EVERY:
            return position, []
        if position.looked_at is None or not waiting:
            # The first of all, when whoever waits is woken without us; or nothing to be missed.
            begun = replace(position, looked="", looked_at=now, turned_at=now, turned_before=now)
            return begun, []
        ordered = sorted(waiting, key=lambda ref: ref.id)
        ahead = [ref for ref in ordered if ref.id > position.looked]
        chosen = ahead[:_LOOK_AT]
        since = (position.turned_before or now) - self._settings.overlap
        missed = self._changed(chosen, since)
        after = replace(position, looked_at=now, looked=chosen[-1].id if chosen else "")
        if len(ahead) <= _LOOK_AT:
            # All were seen: the next turn looks for what was updated since this one began.
            after = replace(after, looked="", turned_at=now, turned_before=position.turned_at)
        return after, missed

    def _changed(self, refs: Sequence[ChangeRef], since: datetime) -> list[ChangeRef]:
        """Return which of these are gone, or were updated with their rows since then."""
        known = {ref.id: ref for ref in refs}
        if not known:
            return []
        records, _ = self._client.rows_of(
            "change_request", "sys_id", known, fields=("sys_updated_on",)
        )
        rows, _ = self._client.rows_of(
            "sysapproval_approver",
            "sysapproval",
            known,
            fields=("sysapproval", "sys_updated_on"),
            base=q.at("sys_updated_on", ">=", since),
        )
        standing = {text(record, "sys_id") for record in records}
        fresh = {
            text(record, "sys_id")
            for record in records
            if required_instant(record, "sys_updated_on") >= since
        }
        fresh |= {text(row, "sysapproval") for row in rows}
        return [ref for ref in refs if ref.id in fresh or ref.id not in standing]


def _ahead(
    window: Window,
    position: Position,
    *,
    phase: str,
    at: datetime | None = None,
    last: str = "",
) -> Cursor:
    """Return the cursor within a sweep: behind a page, or at the beginning of its next table."""
    inside = replace(position, begun=window.begun, phase=phase)
    return Cursor(at=at or window.begun, id=last, horizon=window.horizon, opaque=inside.encoded())
