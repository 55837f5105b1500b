"""Saved filters and what they are shared with: who reads one, and how it looks."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote_plus

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import ApiError, Json, Row, bad_request, not_found

HIDDEN = (
    "The selected filter is not available to you, perhaps it has been deleted or had its"
    " permissions changed."
)
SHOWN_AS: Mapping[str, str] = {
    "global": "global",
    "authenticated": "loggedin",
    "loggedin": "loggedin",
    "project": "project",
    "projectRole": "role",
    "group": "group",
    "user": "user",
}
"""What a type of sharing is called when it is read back, by what it was called when it was set."""


def shares_read(call: Call, given: Json) -> list[Row]:
    """Return what is kept of a list of share permissions.

    Raises:
        ApiError: 400, a type or a target that does not exist.
    """
    if given is None:
        return []
    if not isinstance(given, list):
        raise bad_request("Share permissions must be a list.")
    return [share_read(call, one) for one in given]


def share_read(call: Call, one: Json) -> Row:
    """Return what is kept of one share permission; every one gets an id of its own.

    Raises:
        ApiError: 400, a type or a target that does not exist.
    """
    kind = SHOWN_AS.get(str(one.get("type"))) if isinstance(one, dict) else None
    if kind is None or not isinstance(one, dict):
        raise bad_request("The share type is not valid.")
    kept: Row = {"id": call.store.counter("share", 10000), "type": kind}
    if kind in {"project", "role"}:
        named = one.get("projectId") or (one.get("project") or {}).get("id")
        if call.store.value("SELECT id FROM project WHERE id=?", str(named)) is None:
            raise bad_request("A valid project must be specified.")
        kept["project"] = int(str(named))
    elif kind == "group":
        group = one.get("group") or {}
        key = one.get("groupId") or one.get("groupname") or group.get("groupId")
        found = call.people.group(str(key or group.get("name")))
        if found is None:
            raise bad_request("A valid group must be specified.")
        kept["group"] = found["id"]
    elif kind == "user":
        user = one.get("user") or {}
        key = one.get("accountId") or one.get("userKey") or user.get("accountId")
        account = call.people.by_id(str(key)) or call.people.by_name(str(key))
        if account is None:
            raise bad_request("A valid user must be specified.")
        kept["user"] = account.id
    return kept


def share_bean(call: Call, share: Row) -> Row:
    """Return one share permission as the vendor shows it."""
    bean: Row = {"id": share["id"], "type": share["type"]}
    if "project" in share:
        bean["project"] = beans.project_bean(call, share["project"])
    if "group" in share:
        group = call.people.group(share["group"])
        bean["group"] = None if group is None else beans.group(call, group)
    if "user" in share:
        bean["user"] = beans.user_of(call, share["user"])
    if not call.cloud:
        bean |= {"view": True, "edit": False}
    return bean


def reaches(call: Call, account: Account, share: Row) -> bool:
    """Say whether a share permission is for an account."""
    if share["type"] in {"global", "loggedin"}:
        return True
    if "project" in share:
        return call.people.may(account, "BROWSE_PROJECTS", share["project"])
    if "group" in share:
        return any(row["id"] == share["group"] for row in call.people.groups_of(account))
    return bool(share.get("user") == account.id)


def readable(call: Call, row: Row) -> bool:
    """Say whether the caller reads a shared thing: its owner does, and whom it is shared with."""
    if row["owner"] == call.user.id:
        return True
    shares = loads(row["body"]).get("sharePermissions") or []
    return any(reaches(call, call.user, one) for one in shares)


def hidden(call: Call) -> ApiError:
    """Return the refusal of a filter that is not there or not shared: 404 on Cloud, else 400."""
    return not_found(HIDDEN) if call.cloud else bad_request(HIDDEN)


def visible(call: Call, number: str) -> Row:
    """Return a filter that the caller may read.

    Raises:
        ApiError: 404 on Cloud and 400 on Data Center.
    """
    row = call.store.row("SELECT * FROM filter WHERE id=?", number)
    if row is None or not readable(call, row):
        raise hidden(call)
    return row


def owned(call: Call, number: str) -> Row:
    """Return a filter that the caller may change.

    Raises:
        ApiError: as `visible`; 403 for one that is only shared with the caller.
    """
    row = visible(call, number)
    if row["owner"] != call.user.id and not call.people.is_admin(call.user):
        raise ApiError(
            HTTPStatus.FORBIDDEN,
            {"errorMessages": ["You do not own this filter."], "errors": {}},
        )
    return row


def bean(call: Call, row: Row) -> Row:
    """Return a filter as the vendor shows it."""
    held = loads(row["body"])
    jql = held.get("jql", "")
    marked = call.store.rows("SELECT account FROM favourite WHERE filter=?", row["id"])
    found: Row = {
        "self": f"{call.api}/filter/{row['id']}",
        "id": str(row["id"]),
        "name": held["name"],
        "description": held.get("description") or "",
        "owner": beans.user_of(call, row["owner"]),
        "jql": jql,
        "viewUrl": f"{call.site.url}/issues/?filter={row['id']}",
        "searchUrl": f"{call.api}/search?jql={quote_plus(jql)}",
        "favourite": any(one["account"] == call.user.id for one in marked),
        "sharePermissions": [share_bean(call, one) for one in held.get("sharePermissions") or ()],
    }
    nothing: Row = {"size": 0, "items": [], "max-results": 0, "start-index": 0, "end-index": 0}
    if call.cloud:
        found |= {"favouritedCount": len(marked), "editPermissions": []}
        found["isWritable"] = row["owner"] == call.user.id
    else:
        found |= {"editable": row["owner"] == call.user.id, "sharedUsers": nothing}
    return {**found, "subscriptions": nothing}


def make(call: Call, owner: str, name: str, jql: str, shares: list[Row]) -> Row:
    """Make a filter for somebody, as the site does for the boards of new projects."""
    body = {"name": name, "description": "", "jql": jql, "sharePermissions": shares}
    row: Row = {"id": call.store.counter("filter", 10000), "owner": owner, "body": dumps(body)}
    call.store.insert("filter", row)
    return row
