"""How users, statuses and the other small things of a site look in an answer."""

import functools
from collections.abc import Callable
from typing import TypeVar

from connectors.jira.sandbox import pictures
from connectors.jira.sandbox.people import AVATAR_SIZES, Account
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json, Row

K = TypeVar("K", bound=object)
T = TypeVar("T")


def remembered(render: Callable[[Call, K], T]) -> Callable[[Call, K], T]:
    """Render each thing once per request; callers do not change what they get."""

    @functools.wraps(render)
    def once(call: Call, key: K) -> T:
        place = (render.__name__, key)
        found: Json = call.memo.get(place)
        if found is None:
            found = call.memo[place] = render(call, key)
        answer: T = found
        return answer

    return once


def avatars(call: Call, kind: str, owner: str) -> Row:
    """Return the four addresses of the avatar that something has."""
    number = pictures.chosen(call, kind, owner)
    where = f"{call.site.url}/secure/{kind}avatar"
    return {size: f"{where}?avatarId={number}&size={size}" for size in AVATAR_SIZES}


def user(call: Call, account: Account | None) -> Row | None:
    """Return a user as the platform API shows one."""
    if account is None:
        return None
    if call.cloud:
        return {
            "self": f"{call.api}/user?accountId={account.id}",
            "accountId": account.id,
            "emailAddress": account.email,
            "avatarUrls": avatars(call, "user", account.id),
            "displayName": account.display,
            "active": account.active,
            "timeZone": account.zone.key,
            "accountType": "atlassian",
        }
    return {
        "self": f"{call.api}/user?username={account.name}",
        "name": account.name,
        "key": account.id,
        "emailAddress": account.email,
        "avatarUrls": avatars(call, "user", account.id),
        "displayName": account.display,
        "active": account.active,
        "timeZone": account.zone.key,
    }


@remembered
def user_of(call: Call, key: str | None) -> Row | None:
    """Return the user with this id as the platform API shows one."""
    return user(call, call.people.by_id(key))


def desk_user(call: Call, account: Account) -> Row:
    """Return a user as the Service Management API shows one."""
    base = call.site.url
    who = f"accountId={account.id}" if call.cloud else f"username={account.name}"
    link = f"{base}/rest/api/2/user?{who}"
    known = {"accountId": account.id} if call.cloud else {"name": account.name, "key": account.id}
    return {
        **known,
        "emailAddress": account.email,
        "displayName": account.display,
        "active": account.active,
        "timeZone": account.zone.key,
        "_links": {
            "jiraRest": link,
            "avatarUrls": avatars(call, "user", account.id),
            "self": link,
        },
    }


def group(call: Call, row: Row) -> Row:
    """Return a group."""
    known = {"groupId": row["id"]} if call.cloud else {}
    who = f"groupId={row['id']}" if call.cloud else f"groupname={row['name']}"
    return {"name": row["name"], **known, "self": f"{call.api}/group?{who}"}


def category(call: Call, row: Row) -> Row:
    """Return a status category."""
    return {
        "self": f"{call.api}/statuscategory/{row['id']}",
        "id": row["id"],
        "key": row["key"],
        "colorName": row["color"],
        "name": row["name"],
    }


@remembered
def status(call: Call, number: str) -> Row:
    """Return a status."""
    row = call.definition.statuses[number]
    return {
        "self": f"{call.api}/status/{number}",
        "description": row.get("description", ""),
        "iconUrl": f"{call.site.url}/images/icons/statuses/{row.get('icon', 'generic')}.png",
        "name": row["name"],
        "id": number,
        "statusCategory": category(call, call.definition.categories[row["category"]]),
    }


@remembered
def priority(call: Call, number: str | None) -> Row | None:
    """Return a priority as an issue shows it."""
    if number is None:
        return None
    row = call.definition.priorities[number]
    return {
        "self": f"{call.api}/priority/{number}",
        "iconUrl": f"{call.site.url}/images/icons/priorities/{row['name'].lower()}.svg",
        "name": row["name"],
        "id": number,
    }


@remembered
def resolution(call: Call, number: str | None) -> Row | None:
    """Return a resolution."""
    if number is None:
        return None
    row = call.definition.resolutions[number]
    return {
        "self": f"{call.api}/resolution/{number}",
        "id": number,
        "description": row["description"],
        "name": row["name"],
    }


@remembered
def issue_type(call: Call, number: str) -> Row:
    """Return an issue type."""
    row = call.definition.types[number]
    bean: Row = {
        "self": f"{call.api}/issuetype/{number}",
        "id": number,
        "description": row.get("description", ""),
        "iconUrl": f"{call.site.url}/secure/viewavatar?avatarId=10300&avatarType=issuetype",
        "name": row["name"],
        "subtask": bool(row.get("subtask")),
        "avatarId": 10300,
    }
    if call.cloud:
        bean["hierarchyLevel"] = row.get("level", 0)
    return bean


def project(call: Call, row: Row) -> Row:
    """Return a project as an issue shows it."""
    bean: Row = {
        "self": f"{call.api}/project/{row['id']}",
        "id": str(row["id"]),
        "key": row["key"],
        "name": row["name"],
        "projectTypeKey": call.definition.templates[row["template"]]["type"],
        "avatarUrls": avatars(call, "project", str(row["id"])),
    }
    if call.cloud:
        bean["simplified"] = False
    return bean


@remembered
def project_bean(call: Call, number: int) -> Row:
    """Return a project that is known to exist as an issue shows it."""
    return project(call, project_of(call, number))


def project_of(call: Call, number: int) -> Row:
    """Return the row of a project that is known to exist."""
    row = call.store.row("SELECT * FROM project WHERE id=?", number)
    if row is None:
        raise KeyError(number)
    return row
