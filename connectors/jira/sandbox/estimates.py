"""The remaining estimate: logged work reduces it, work that is taken back restores it."""

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.durations import seconds_of
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Row, field_errors

_FIELD = "timetracking"


def adjust(call: Call, issue: Row, spent: int) -> None:
    """Change the remaining estimate for `spent` seconds more (or less) of logged work.

    The parameter `adjustEstimate` says how: `auto` (the default), `leave`, `new` with
    `newEstimate`, `manual` with `reduceBy` or `increaseBy`.

    Raises:
        ApiError: 400, an estimate that the way of adjusting needs is missing or malformed.
    """
    held = dict(issue["fields"].get(_FIELD) or {})
    before = int(held.get("remainingEstimate", 0))
    match call.query.get("adjustEstimate", "auto"):
        case "leave":
            return
        case "new":
            after = _given(call, "newEstimate")
        case "manual":
            if call.query.get("increaseBy") is not None:
                after = before + _given(call, "increaseBy")
            else:
                after = before - _given(call, "reduceBy")
        case _:
            after = before - spent
    held["remainingEstimate"] = max(0, after)
    issues.change(call, issue, {_FIELD: held})


def _given(call: Call, name: str) -> int:
    seconds = seconds_of(call.query.get(name) or "")
    if seconds is None:
        raise field_errors({name: f"'{name}' is required and must be a duration."})
    return seconds
