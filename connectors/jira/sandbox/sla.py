"""Service level agreements of a request, computed from its comments and its history."""

from collections.abc import Callable, Mapping

from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Row, desk_date

_HOUR = 3_600_000
_MINUTE = 60_000


def listing(call: Call, issue: Row) -> list[Row]:
    """Return the SLAs of an issue; none outside service desks."""
    project = call.store.row("SELECT template FROM project WHERE id=?", issue["project"])
    if project is None or issue["request_type"] is None:
        return []
    rules = call.definition.templates[project["template"]].get("slas", ())
    return [_measured(call, issue, rule) for rule in rules]


def _measured(call: Call, issue: Row, rule: Row) -> Row:
    stop = _STOPS[rule["stop"]](call, issue)
    paused = issue["status"] in rule.get("pause", ())
    end = stop if stop is not None else call.site.now()
    cycle = _cycle(call, issue["created"], end, rule["goal"])
    bean: Row = {
        "id": rule["id"],
        "name": rule["name"],
        "_links": {
            "self": f"{call.site.url}/rest/servicedeskapi/request/{issue['id']}/sla/{rule['id']}"
        },
        "completedCycles": [],
    }
    if stop is None:
        calendar = {"paused": paused, "withinCalendarHours": True}
        bean["ongoingCycle"] = {**cycle, **calendar, "breachTime": _breach(call, issue, rule)}
    else:
        bean["completedCycles"] = [{**cycle, "stopTime": desk_date(stop, call.zone)}]
    return bean


def _breach(call: Call, issue: Row, rule: Row) -> Row:
    return desk_date(issue["created"] + rule["goal"], call.zone)


def _cycle(call: Call, start: int, end: int, goal: int) -> Row:
    elapsed = max(0, end - start)
    return {
        "startTime": desk_date(start, call.zone),
        "breached": elapsed > goal,
        "goalDuration": _duration(goal),
        "elapsedTime": _duration(elapsed),
        "remainingTime": _duration(goal - elapsed),
    }


def _duration(millis: int) -> Row:
    sign = "-" if millis < 0 else ""
    hours, rest = divmod(abs(millis), _HOUR)
    return {"millis": millis, "friendly": f"{sign}{hours}h {rest // _MINUTE}m"}


def _first_response(call: Call, issue: Row) -> int | None:
    found: int | None = call.store.value(
        "SELECT min(created) FROM comment WHERE issue=? AND internal=0 AND author IS NOT ?",
        issue["id"],
        issue["reporter"],
    )
    return found if found is not None else issue["resolved"]


def _resolution(_call: Call, issue: Row) -> int | None:
    found: int | None = issue["resolved"]
    return found


_STOPS: Mapping[str, Callable[[Call, Row], int | None]] = {
    "first_response": _first_response,
    "resolution": _resolution,
}
