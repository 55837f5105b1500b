"""Pages of issues as the agile API gives them: a condition, narrowed by a query of the caller."""

from connectors.jira.sandbox import agile, index
from connectors.jira.sandbox.api_issues import full_bean
from connectors.jira.sandbox.api_search import compiled, keys, loaded, start_of, token_of, total
from connectors.jira.sandbox.jql.compiling import Compiled
from connectors.jira.sandbox.jql.sql import Sql, both
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json, Row, as_int, bad_request, sliced

_MOST = 1000
_RANKED = "ORDER BY Rank ASC"


def in_sprint(number: int) -> Sql:
    """Return the condition of being in a sprint."""
    return _holds(agile.SPRINT, number)


def in_epic(number: int) -> Sql:
    """Return the condition of belonging to an epic."""
    return _holds(agile.EPIC_LINK, number)


def _holds(field_id: str, value: Json) -> Sql:
    text = "EXISTS (SELECT 1 FROM ix_value e WHERE e.issue=ix.id AND e.field=? AND e.value=?)"
    return Sql(text, (field_id, value))


def in_no_epic(call: Call) -> Sql:
    """Return the condition of belonging to no epic and being none."""
    epics = [one["id"] for one in call.definition.types.values() if one["name"] == "Epic"]
    text = "NOT EXISTS (SELECT 1 FROM ix_value e WHERE e.issue=ix.id AND e.field=?)"
    marks = ",".join("?" * len(epics))
    return Sql(f"{text} AND ix.type NOT IN ({marks})", (agile.EPIC_LINK, *epics))


def in_open_sprint() -> Sql:
    """Return the condition of being in a sprint that is not closed."""
    text = (
        "EXISTS (SELECT 1 FROM ix_value e JOIN sprint s ON s.id=e.value"
        " WHERE e.issue=ix.id AND e.field=? AND s.state<>'closed')"
    )
    return Sql(text, (agile.SPRINT,))


def on_board(call: Call, board: Row) -> Compiled:
    """Return the query of a board."""
    return compiled(call, agile.board_jql(call, board) or _RANKED)


def page(call: Call, base: Compiled, *conditions: Sql) -> Row:
    """Return a page of the issues that meet a query, more conditions, and the caller's `jql`.

    Under the newer address of Cloud the pages go by token, under the older one by offset.
    """
    index.catch_up(call.site)
    asked = call.query.get("jql")
    parts = [base.where, *conditions]
    order, values = base.order, base.order_values
    if asked:
        narrowed = compiled(call, asked)
        parts.append(narrowed.where)
        if narrowed.sorts:
            order, values = narrowed.order, narrowed.order_values
    query = Compiled(both("AND", parts), order, values, restricted=True, sorts=0)
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), _MOST)
    by_token = call.target.startswith("/rest/software/")
    place = call.target.split("?", 1)[0]
    start = (
        start_of(call, place, call.query.get("nextPageToken"))
        if by_token
        else as_int(call.query.get("startAt"), 0, name="startAt")
    )
    numbers = keys(call, query, start, limit + 1)
    found = loaded(call, numbers[:limit])
    fields, expand = call.words("fields"), call.words("expand")
    beans = [issue_bean(call, one, fields, expand) for one in found]
    if by_token:
        more = len(numbers) > limit
        token = {"nextPageToken": token_of(call, place, start + limit)} if more else {}
        return {"issues": beans, "isLast": not more, **token}
    return {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": limit,
        "total": total(call, query),
        "issues": beans,
    }


def everything(call: Call) -> Compiled:
    """Return the query that every issue meets, in the order of their rank."""
    return compiled(call, _RANKED)


def issue_bean(call: Call, issue: Row, fields: list[str], expand: list[str]) -> Row:
    """Return an issue with the fields that only the agile API shows."""
    bean = full_bean(call, issue, fields, "*navigable", expand)
    own = {
        "sprint": _sprint(call, issue),
        "closedSprints": _closed(call, issue),
        "epic": _epic(call, issue),
        "flagged": False,
    }
    for name, value in own.items():
        if not fields or name in fields or "*all" in fields or "*navigable" in fields:
            bean["fields"][name] = value
    return bean


def _sprint(call: Call, issue: Row) -> Row | None:
    for number in agile.open_sprints(call, issue["fields"].get(agile.SPRINT, [])):
        return agile.sprint_bean(call, agile.sprint_row(call, str(number)))
    return None


def _closed(call: Call, issue: Row) -> list[Row]:
    held = issue["fields"].get(agile.SPRINT, [])
    still = agile.open_sprints(call, held)
    rows = [call.store.row("SELECT * FROM sprint WHERE id=?", one) for one in held]
    return [agile.sprint_bean(call, row) for row in rows if row and row["id"] not in still]


def _epic(call: Call, issue: Row) -> Row | None:
    row = call.store.row("SELECT * FROM issue WHERE id=?", issue["fields"].get(agile.EPIC_LINK))
    return None if row is None else epic_bean(call, row)


def epic_bean(call: Call, row: Row) -> Row:
    """Return an epic: an issue with a name, a colour, and whether it is done."""
    from connectors.jira.sandbox.storage import loads  # noqa: PLC0415 - used here alone

    held = loads(row["fields"]) if isinstance(row["fields"], str) else row["fields"]
    return {
        "id": row["id"],
        "key": row["key"],
        "self": f"{agile.where(call)}/epic/{row['id']}",
        "name": held.get(agile.EPIC_NAME) or row["summary"],
        "summary": row["summary"],
        "color": {"key": held.get(agile.EPIC_COLOUR) or "color_1"},
        "done": bool(held.get("epic_done")),
    }


def listed(call: Call, values: list[Row]) -> Row:
    """Return a page of boards, sprints, epics or versions."""
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), _MOST)
    return {
        "maxResults": limit,
        "startAt": start,
        "total": len(values),
        "isLast": start + limit >= len(values),
        "values": sliced(values, start, limit),
    }


def issues_named(call: Call, most: int = 50) -> list[str]:
    """Return the issues that a body names.

    Raises:
        ApiError: 400, none or too many.
    """
    wanted = call.json().get("issues")
    if not isinstance(wanted, list) or not 0 < len(wanted) <= most:
        raise bad_request(f"'issues' must hold 1 to {most} issues.")
    return [str(one) for one in wanted]
