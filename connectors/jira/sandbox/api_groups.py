"""Groups of the platform API."""

import re
from http import HTTPStatus

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.api_people import admin_only
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()
_RANGE = re.compile(r"users(?:\[(\d{1,9}):\d+\])?")
_SHOWN = 50


def _group(call: Call) -> Row:
    key = call.query.get("groupId") or call.query.get("groupname")
    if not key:
        raise bad_request("'groupname' or 'groupId' is required.")
    found = call.people.group(key)
    if found is None:
        raise not_found(
            f"The group '{key}' does not exist."
            if not call.cloud
            else f"Group '{key}' does not exist."
        )
    return found


@routes.on("GET", "/group/member")
def group_members(call: Call) -> Json:
    """Return a page of the members of a group."""
    group = _group(call)
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 50)
    found = call.people.members(group["id"])
    page = [beans.user(call, one) for one in sliced(found, start, limit)]
    who = f"groupId={group['id']}" if call.cloud else f"groupname={group['name']}"
    return page_bean(page, start, limit, len(found), f"{call.api}/group/member?{who}")


@routes.on("GET", "/group")
def get_group(call: Call) -> Json:
    """Return a group with its size, and up to 50 of its members where they are asked for."""
    group = _group(call)
    members = call.people.members(group["id"])
    asked = _RANGE.search(call.query.get("expand", ""))
    start = int(asked[1]) if asked and asked[1] else 0
    shown = members[start : start + _SHOWN] if asked else []
    users: Row = {
        "size": len(members),
        "items": [beans.user(call, one) for one in shown],
        "max-results": _SHOWN,
        "start-index": start,
        "end-index": min(start + _SHOWN, len(members)) - 1,
    }
    return {**beans.group(call, group), "users": users, "expand": "users"}


@routes.on("GET", "/groups/picker", anonymous=True)
def pick_groups(call: Call) -> Json:
    """Return groups whose name contains a text."""
    text = (call.query.get("query") or "").casefold()
    out = {*call.query.getlist("excludeId"), *call.query.getlist("exclude")}
    found = [
        one
        for one in call.people.groups()
        if text in one["name"].casefold() and not {one["id"], one["name"]} & out
    ]
    limit = as_int(call.query.get("maxResults"), 20, name="maxResults")
    shown: list[Row] = []
    for one in found[:limit]:
        bean: Row = {"name": one["name"], "html": one["name"], "labels": []}
        if call.cloud:
            bean["groupId"] = one["id"]
        shown.append(bean)
    return {
        "header": f"Showing {len(shown)} of {len(found)} matching groups",
        "total": len(found),
        "groups": shown,
    }


@routes.on("GET", "/group/bulk", flavours=CLOUD_ONLY)
def bulk_groups(call: Call) -> Json:
    """Return a page of groups."""
    wanted = {*call.query.getlist("groupId"), *call.query.getlist("groupName")}
    found = [
        {"name": one["name"], "groupId": one["id"]}
        for one in call.people.groups()
        if not wanted or wanted & {one["id"], one["name"]}
    ]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = as_int(call.query.get("maxResults"), 50, name="maxResults")
    return page_bean(
        sliced(found, start, limit), start, limit, len(found), f"{call.api}/group/bulk"
    )


@routes.on("POST", "/group")
def create_group(call: Call) -> Json:
    """Make a group."""
    admin_only(call)
    name = call.json().get("name")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("A group name is required.")
    if call.people.group(name) is not None:
        raise bad_request(f"A group with the name '{name}' already exists.")
    number = f"5b10ac8d-group-{call.store.counter('group', 1)}"
    call.store.run("INSERT INTO cluster VALUES (?, ?)", number, name)
    bean = beans.group(call, {"id": number, "name": name})
    return Reply(
        status=HTTPStatus.CREATED,
        body={**bean, "users": {"size": 0, "items": []}, "expand": "users"},
    )


@routes.on("DELETE", "/group")
def delete_group(call: Call) -> Json:
    """Remove a group."""
    admin_only(call)
    group = _group(call)
    call.store.run("DELETE FROM membership WHERE grp=?", group["id"])
    call.store.run("DELETE FROM cluster WHERE id=?", group["id"])
    return Reply(status=HTTPStatus.OK)


def _member(call: Call, value: Json) -> Account:
    key = value.get("accountId") if call.cloud else value.get("name")
    found = call.people.by_id(str(key)) if call.cloud else call.people.named(str(key))
    if found is None:
        raise not_found(f"User '{key}' does not exist.")
    return found


@routes.on("POST", "/group/user")
def add_member(call: Call) -> Json:
    """Put a user into a group."""
    admin_only(call)
    group, account = _group(call), _member(call, call.json())
    known = call.store.value(
        "SELECT 1 FROM membership WHERE grp=? AND account=?", group["id"], account.id
    )
    if known:
        raise bad_request("Cannot add user. User is already a member of the group.")
    call.store.run("INSERT INTO membership VALUES (?, ?)", group["id"], account.id)
    body = beans.group(call, group)
    return Reply(status=HTTPStatus.CREATED, body=body)


@routes.on("DELETE", "/group/user")
def remove_member(call: Call) -> Json:
    """Take a user out of a group."""
    admin_only(call)
    group = _group(call)
    key = {"accountId": call.query.get("accountId"), "name": call.query.get("username")}
    account = _member(call, key)
    gone = call.store.changed(
        "DELETE FROM membership WHERE grp=? AND account=?", group["id"], account.id
    )
    if not gone:
        raise bad_request("Cannot remove user. User is not a member of the group.")
    return Reply(status=HTTPStatus.OK)
