"""How much may hang on one issue (Cloud): the vendor's limits, which a seed can lower."""

from collections.abc import Mapping
from http import HTTPStatus

from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Row, platform_error

CAPS: Mapping[str, int] = {
    "comment": 5_000,
    "worklog": 10_000,
    "attachment": 2_000,
    "link": 2_000,
    "remote_link": 2_000,
}
"""Most rows per issue by table."""
_NOUNS: Mapping[str, str] = {
    "comment": "comments",
    "worklog": "worklogs",
    "attachment": "attachments",
    "link": "issue links",
    "remote_link": "remote links",
}


def leave_room(call: Call, table: str, issue: Row) -> None:
    """Let one more thing be put on an issue, or refuse it.

    Raises:
        ApiError: 413, the issue holds as much as it may.
    """
    if not call.cloud:
        return
    most = call.site.caps.get(table, CAPS[table])
    where = "source=? OR target=?" if table == "link" else "issue=?"
    values = (issue["id"],) * where.count("?")
    sql = f"SELECT count(*) FROM {table} WHERE {where}"  # noqa: S608 - words of ours
    if call.store.value(sql, *values) >= most:
        raise platform_error(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The issue {issue['key']} has reached its limit of {most} {_NOUNS[table]}.",
        )
