"""Other people's changes that name what ours touches, in its window."""

from collections.abc import Sequence
from datetime import datetime

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, shown, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.drafts import MARK
from engine.domain.decision import Window

_TABLE = "change_request"
_OPEN = ("-5", "-4", "-3", "-2", "-1")
_FIELDS = ("number", "short_description", "state", "start_date", "end_date", "correlation_display")
_SEARCHED = ("short_description", "description")
_MOST = 10
_SHORTEST = 3


def naming(client: ServiceNowClient, names: Sequence[str], window: Window) -> tuple[str, ...]:
    """Return a line for each open change that names one of these, and one for what is not shown.

    Raises:
        TransientError: Nothing can be said now.
    """
    sought = [name for name in dict.fromkeys(names) if len(name) >= _SHORTEST]
    branches: list[str] = []
    unsaid = 0
    for name in sought:
        try:
            branches += [
                q.both(q.one_of("state", _OPEN), q.contains(field, name)) for field in _SEARCHED
            ]
        except q.UnsafeValueError:
            unsaid += 1
    if not branches:
        return ()
    rows, hidden = client.all_rows(_TABLE, q.either(*branches), fields=_FIELDS)
    found = {
        text(row, "number"): _line(row)
        for row in rows
        # A dropped term would have matched every change: at least its state is looked at again.
        if text(row, "state") in _OPEN
        and text(row, "correlation_display") != MARK
        and _meets(row, window)
    }
    lines = [found[number] for number in sorted(found)]
    more = lines[:_MOST]
    if len(lines) > _MOST:
        more.append(f"and {len(lines) - _MOST} more changes that name it")
    if hidden:
        more.append(f"{hidden} more changes that name it are hidden from us")
    if unsaid:
        more.append(f"{unsaid} names cannot be searched for in {client.name}")
    return tuple(more)


def _meets(row: Record, window: Window) -> bool:
    """Whether a change may run while ours may; one without dates may run at any time."""
    begins, ends = q.parse_instant(text(row, "start_date")), q.parse_instant(text(row, "end_date"))
    is_before = ends is not None and window.earliest is not None and ends <= window.earliest
    is_after = begins is not None and window.latest is not None and begins >= window.latest
    return not is_before and not is_after


def _line(row: Record) -> str:
    begins, ends = q.parse_instant(text(row, "start_date")), q.parse_instant(text(row, "end_date"))
    planned = f"{_at(begins)} to {_at(ends)}" if begins or ends else "no dates"
    state = shown(row, "state") or text(row, "state")
    return f"{text(row, 'number')} ({state}, {planned}): {text(row, 'short_description')}"


def _at(moment: datetime | None) -> str:
    return f"{moment:%d %b %Y %H:%M} UTC" if moment else "open"
