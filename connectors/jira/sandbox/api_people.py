"""Users and groups of the platform API."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, issues
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import CLOUD_ONLY, DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()


def _with_groups(call: Call, account: Account) -> Row:
    bean = beans.user(call, account) or {}
    groups = call.people.groups_of(account)
    expand = call.words("expand")
    bean["locale"] = account.locale
    bean["groups"] = {"size": len(groups), "items": []}
    roles = [{"key": "jira-software", "name": "Jira Software", "groups": []}]
    bean["applicationRoles"] = {"size": len(roles), "items": []}
    if "applicationRoles" in expand:
        bean["applicationRoles"]["items"] = roles
    if "groups" in expand:
        bean["groups"]["items"] = [beans.group(call, one) for one in groups]
    bean["expand"] = "groups,applicationRoles"
    return bean


@routes.on("GET", "/myself")
def myself(call: Call) -> Json:
    """Return the caller."""
    return _with_groups(call, call.user)


def _asked(call: Call) -> Account:
    if call.cloud:
        key = call.query.get("accountId")
        if not key:
            raise bad_request("The query parameter 'accountId' is required.")
        found = call.people.by_id(key)
    else:
        name, key = call.query.get("username"), call.query.get("key")
        if not name and not key:
            raise bad_request(
                "Either the 'username' or the 'key' query parameters need to be provided"
            )
        found = call.people.by_name(name) if name else call.people.by_id(key)
        key = name or key
    if found is None:
        raise not_found(
            "Specified user does not exist or you do not have required permissions"
            if call.cloud
            else f"The user named '{key}' does not exist"
        )
    return found


@routes.on("GET", "/user")
def get_user(call: Call) -> Json:
    """Return one user."""
    return _with_groups(call, _asked(call))


@routes.on("GET", "/user/groups", flavours=CLOUD_ONLY)
def user_groups(call: Call) -> Json:
    """Return the groups of one user."""
    return [beans.group(call, one) for one in call.people.groups_of(_asked(call))]


def _sought(call: Call) -> list[Account]:
    key = call.query.get("accountId")
    if call.cloud and key:
        found = call.people.by_id(key)
        return [found] if found is not None else []
    text = call.query.get("query") if call.cloud else call.query.get("username")
    if text is None:
        if call.cloud and call.query.get("property") is None:
            raise bad_request(
                "Either the 'query' or the 'accountId' or the 'property' parameter must be"
                " provided."
            )
        text = call.query.get("query") or call.query.get("username")
        if text is None:
            raise bad_request("The username query parameter was not provided")
    return call.people.all() if text in {".", "%"} else call.people.search(text)


@routes.on("GET", "/user/search")
def search_users(call: Call) -> Json:
    """Return users by name, e-mail or id."""
    return _users_page(call, _sought(call))


def _users_page(call: Call, found: list[Account]) -> list[Row | None]:
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 1000)
    active = [one for one in found if one.active]
    return [beans.user(call, one) for one in sliced(active, start, limit)]


@routes.on("GET", "/user/assignable/search")
def assignable(call: Call) -> Json:
    """Return the users to whom an issue or the issues of a project can be assigned."""
    ref = call.query.get("issueKey") or call.query.get("issueId")
    if ref:
        project = int(issues.visible(call, ref)["project"])
    else:
        key = call.query.get("project") or ""
        if not key and call.cloud:
            raise bad_request("Issue or project must be specified.")
        row = call.store.row("SELECT id FROM project WHERE key=? OR id=?", key.upper(), key)
        if row is None or not call.may("BROWSE_PROJECTS", row["id"]):
            raise not_found(f"No project could be found with key '{key}'.")
        project = row["id"]
    text = call.query.get("query", "") if call.cloud else call.query.get("username", "")
    chosen = {one.id for one in (call.people.search(text) if text else call.people.all())}
    found = [one for one in call.people.assignable(project) if one.id in chosen]
    wanted = call.query.get("accountId")
    if wanted:
        found = [one for one in found if one.id == wanted]
    return _users_page(call, found)


@routes.on("GET", "/user/permission/search", flavours=CLOUD_ONLY)
def with_permissions(call: Call) -> Json:
    """Return the users who hold all of some permissions in a project or for an issue."""
    wanted = call.words("permissions")
    known = {one for held in call.definition.permissions.values() for one in held}
    if not wanted or not set(wanted) <= known:
        raise bad_request("The permissions are not valid.")
    ref, key = call.query.get("issueKey"), call.query.get("projectKey", "")
    if ref:
        project = int(issues.visible(call, ref)["project"])
    else:
        row = call.store.row("SELECT id FROM project WHERE key=?", key)
        if row is None:
            raise bad_request("Issue or project must be specified.")
        project = row["id"]
    account = call.query.get("accountId")
    text = call.query.get("query", "")
    people = call.people.search(text) if text else call.people.all()
    found = [
        one
        for one in people
        if (not account or one.id == account)
        and all(call.people.may(one, each, project) for each in wanted)
    ]
    return _users_page(call, found)


@routes.on("GET", "/user/assignable/multiProjectSearch")
def assignable_many(call: Call) -> Json:
    """Return the users to whom the issues of all these projects can be assigned."""
    keys = call.words("projectKeys")
    text = call.query.get("query", "") if call.cloud else call.query.get("username", "")
    found = call.people.search(text) if text else call.people.all()
    for key in keys:
        row = call.store.row("SELECT id FROM project WHERE key=?", key.upper())
        if row is None:
            raise not_found(f"No project could be found with key '{key}'.")
        allowed = {one.id for one in call.people.assignable(row["id"])}
        found = [one for one in found if one.id in allowed]
    return _users_page(call, found)


@routes.on("GET", "/users", flavours=CLOUD_ONLY)
@routes.on("GET", "/users/search", flavours=CLOUD_ONLY)
def all_users(call: Call) -> Json:
    """Return all users."""
    return _users_page(call, call.people.all())


@routes.on("GET", "/user/bulk", flavours=CLOUD_ONLY)
def bulk_users(call: Call) -> Json:
    """Return users by their ids."""
    wanted = call.query.getlist("accountId")
    if not wanted:
        raise bad_request("The query parameter 'accountId' is required.")
    found = [account for one in wanted if (account := call.people.by_id(one))]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = as_int(call.query.get("maxResults"), 10, name="maxResults", least=1)
    page = [beans.user(call, one) for one in sliced(found, start, limit)]
    return page_bean(page, start, limit, len(found), f"{call.api}/user/bulk")


def admin_only(call: Call) -> None:
    """Let nobody but administrators pass.

    Raises:
        ApiError: 403.
    """
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer groups and users.")


# --- properties of users, where the employee number stands


def _held(call: Call) -> tuple[Account, Row]:
    keyed = call.query.get("accountId") or call.query.get("username") or call.query.get("userKey")
    account = call.user
    if keyed:
        found = call.people.by_id(keyed) or call.people.by_name(keyed)
        if found is None:
            raise not_found("The user does not exist.")
        account = found
    return account, loads(call.store.value("SELECT properties FROM account WHERE id=?", account.id))


@routes.on("GET", "/user/properties")
def user_properties(call: Call) -> Json:
    """Return the keys of a user's properties."""
    _, held = _held(call)
    where = f"{call.api}/user/properties"
    return {"keys": [{"self": f"{where}/{key}", "key": key} for key in sorted(held)]}


@routes.on("GET", "/user/properties/{property}")
def user_property(call: Call) -> Json:
    """Return one property of a user."""
    _, held = _held(call)
    key = call.path["property"]
    if key not in held:
        raise not_found(f"The property {key} does not exist.")
    return {"key": key, "value": held[key]}


@routes.on("PUT", "/user/properties/{property}")
def put_user_property(call: Call) -> Json:
    """Set one property of a user: one's own, or anybody's for an administrator."""
    account, held = _held(call)
    if account.id != call.user.id and not call.people.is_admin(call.caller):
        raise forbidden("Only administrators can set the properties of other users.")
    if call.broken or call.body is None:
        raise bad_request("The value you provided is not a valid JSON.")
    new = call.path["property"] not in held
    held[call.path["property"]] = call.body
    call.store.run("UPDATE account SET properties=? WHERE id=?", dumps(held), account.id)
    return Reply(
        status=HTTPStatus.CREATED if new else HTTPStatus.OK, body={} if call.cloud else None
    )


@routes.on("GET", "/user/picker", anonymous=True)
def pick_users(call: Call) -> Json:
    """Return users for a picker."""
    text = call.query.get("query")
    if text is None:
        raise bad_request("'query' is required.")
    found = call.people.search(text) if call.caller else []
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 1000)
    shown: list[Row] = []
    for one in found[:limit]:
        key = {"accountId": one.id} if call.cloud else {"name": one.name, "key": one.id}
        shown.append({**key, "html": one.display, "displayName": one.display})
    return {
        "users": shown,
        "total": len(found),
        "header": f"Showing {len(shown)} of {len(found)} matching users",
    }


@routes.on("POST", "/user", flavours=DATA_CENTER_ONLY)
def create_user(call: Call) -> Json:
    """Make a user (Data Center)."""
    admin_only(call)
    body = call.json()
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or call.people.by_name(name) is not None:
        raise bad_request(
            "A user with that username already exists." if name else "You must specify a username."
        )
    number = f"JIRAUSER{call.store.counter('account', 20000)}"
    call.store.insert(
        "account",
        {
            "id": number,
            "name": name,
            "email": str(body.get("emailAddress", "")),
            "display": str(body.get("displayName") or name),
            "active": 1,
            "zone": call.user.zone.key,
            "kind": "person",
            "password": str(body.get("password", "")),
        },
    )
    group = call.people.group("jira-software-users")
    if group is not None:
        call.store.run("INSERT INTO membership VALUES (?, ?)", group["id"], number)
    found = call.people.by_id(number)
    shown = _with_groups(call, found) if found is not None else None
    return Reply(status=HTTPStatus.CREATED, body=shown)


@routes.on("DELETE", "/user", flavours=DATA_CENTER_ONLY)
def delete_user(call: Call) -> Json:
    """Remove a user (Data Center)."""
    admin_only(call)
    account = _asked(call)
    call.store.run("UPDATE account SET active=0 WHERE id=?", account.id)
    call.store.run("DELETE FROM membership WHERE account=?", account.id)
    call.store.run("UPDATE account SET name=name || '.deleted.' || id WHERE id=?", account.id)
    return Reply(status=HTTPStatus.NO_CONTENT)
