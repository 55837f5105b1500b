"""The changelog: inside an issue on both flavours, as endpoints on Cloud."""

from connectors.jira.sandbox import beans, issues
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    Json,
    Row,
    as_int,
    bad_payload,
    bad_request,
    page_bean,
    stamp,
)

routes = Routes()
_EXPANDED_MOST = 100
_BULK_MOST = 1000
_BULK_PAGE = 10_000
_BULK_FIELDS = 10


def histories(call: Call, rows: list[Row]) -> list[Row]:
    """Return changelog entries with their items."""
    return [_history(call, row) for row in rows]


def _history(call: Call, row: Row) -> Row:
    items = call.store.rows("SELECT * FROM history_item WHERE history=? ORDER BY rowid", row["id"])
    return {
        "id": str(row["id"]),
        "author": beans.user_of(call, row["author"]),
        "created": stamp(row["created"], call.zone),
        "items": [item_bean(call, one) for one in items],
    }


def item_bean(call: Call, item: Row) -> Row:
    """Return one item of a changelog entry."""
    bean: Row = {"field": item["field"], "fieldtype": item["field_type"]}
    if call.cloud:
        bean["fieldId"] = item["field_id"]
    return {
        **bean,
        "from": item["old"],
        "fromString": item["old_text"],
        "to": item["new"],
        "toString": item["new_text"],
    }


def changelog_of(call: Call, issue: Row) -> Row:
    """Return the changelog inside an issue: newest first and cut off on Cloud, whole elsewhere."""
    rows = call.store.rows("SELECT * FROM history WHERE issue=? ORDER BY id", issue["id"])
    total = len(rows)
    if call.cloud:
        rows = rows[::-1][:_EXPANDED_MOST]
    return {
        "startAt": 0,
        "maxResults": len(rows),
        "total": total,
        "histories": histories(call, rows),
    }


@routes.on("GET", "/issue/{key}/changelog", anonymous=True, flavours=CLOUD_ONLY)
def get_changelog(call: Call) -> Json:
    """Return a page of the changelog, oldest first."""
    issue = issues.visible(call, call.path["key"])
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 100, name="maxResults"), 100)
    rows = call.store.rows("SELECT * FROM history WHERE issue=? ORDER BY id", issue["id"])
    page = histories(call, rows[start : start + limit])
    url = f"{call.api}/issue/{call.path['key']}/changelog"
    return page_bean(page, start, limit, len(rows), url)


@routes.on("POST", "/issue/{key}/changelog/list", anonymous=True, flavours=CLOUD_ONLY)
def list_changelog(call: Call) -> Json:
    """Return the changelog entries with these ids."""
    issue = issues.visible(call, call.path["key"])
    wanted = call.json().get("changelogIds")
    if not isinstance(wanted, list) or not all(isinstance(one, int) for one in wanted):
        raise bad_payload()
    rows = call.store.rows("SELECT * FROM history WHERE issue=? ORDER BY id", issue["id"])
    found = [row for row in rows if row["id"] in wanted]
    return {
        "startAt": 0,
        "maxResults": len(found),
        "total": len(found),
        "histories": histories(call, found),
    }


def _bulk_body(call: Call) -> tuple[list[str], list[str], int, int]:
    body = call.json()
    wanted = body.get("issueIdsOrKeys")
    fields = body.get("fieldIds") or []
    if not isinstance(wanted, list) or not wanted or len(wanted) > _BULK_MOST:
        raise bad_request("issueIdsOrKeys must hold 1 to 1000 issues.")
    if not isinstance(fields, list) or len(fields) > _BULK_FIELDS:
        raise bad_request("fieldIds must hold at most 10 fields.")
    limit = body.get("maxResults") or 1000
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= _BULK_PAGE:
        raise bad_payload()
    token = body.get("nextPageToken") or "0"
    if not isinstance(token, str) or not token.isdigit():
        raise bad_request("The provided next page token is invalid or expired.")
    return [str(one) for one in wanted], [str(one) for one in fields], limit, int(token)


@routes.on("POST", "/changelog/bulkfetch", anonymous=True, flavours=CLOUD_ONLY)
def bulk_changelog(call: Call) -> Json:
    """Return the changelogs of many issues, page by page."""
    wanted, fields, limit, after = _bulk_body(call)
    found = [issues.find(call, one) for one in wanted]
    seen = sorted(
        {one["id"] for one in found if one and call.may("BROWSE_PROJECTS", one["project"])}
    )
    entries: list[tuple[int, Row]] = []
    for number in seen:
        for row in call.store.rows("SELECT * FROM history WHERE issue=? ORDER BY id", number):
            bean = _history(call, row)
            if fields:
                bean["items"] = [one for one in bean["items"] if one.get("fieldId") in fields]
            if bean["items"]:
                entries.append((number, bean))
    page = entries[after : after + limit]
    grouped: dict[int, list[Row]] = {}
    for number, bean in page:
        grouped.setdefault(number, []).append(bean)
    answer: Row = {
        "issueChangeLogs": [
            {"issueId": str(number), "changeHistories": rows} for number, rows in grouped.items()
        ]
    }
    if after + limit < len(entries):
        answer["nextPageToken"] = str(after + limit)
    return answer
