"""What administrators and older clients ask of a site: tokens, sessions, templates, properties."""

import secrets
from http import HTTPStatus

from connectors.jira.sandbox import beans, issues
from connectors.jira.sandbox.auth import note_failure
from connectors.jira.sandbox.site import DATA_CENTER_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    as_int,
    bad_request,
    forbidden,
    not_found,
    sliced,
    stamp,
)

routes = Routes()
rest_routes = Routes(prefix="/rest")
_DAY = 86_400_000
_TEMPLATES = (
    ("software", "Basic software development"),
    ("software", "Kanban software development"),
    ("software", "Scrum software development"),
    ("business", "Process management"),
    ("business", "Project management"),
    ("business", "Task management"),
)
_PROPERTIES = {
    "jira.title": "Jira",
    "jira.clone.prefix": "CLONE -",
    "jira.lf.text.headingcolour": "#172b4d",
    "jira.lf.favicon.hires.url": "/jira-favicon-hires.png",
    "jira.option.voting": "true",
    "jira.option.watching": "true",
}


# --- sessions and tokens


@rest_routes.on(
    "POST", "/auth/1/session", "/auth/latest/session", anonymous=True, flavours=DATA_CENTER_ONLY
)
def log_in(call: Call) -> Json:
    """Open a session for a name and a password; its cookie stands for both."""
    body = call.json()
    name, password = str(body.get("username", "")), str(body.get("password", ""))
    account = call.people.login(name, password)
    if account is None:
        note_failure(call.site, name)
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            {"errorMessages": ["Login failed"], "errors": {}},
            {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"},
        )
    value = secrets.token_hex(16)
    end = call.site.now() + _DAY
    call.store.run("INSERT INTO token VALUES (?, ?, 'session', ?)", value, account.id, end)
    return Reply(
        body={
            "session": {"name": "JSESSIONID", "value": value},
            "loginInfo": {"failedLoginCount": 0, "loginCount": 1},
        },
        headers={"Set-Cookie": f"JSESSIONID={value}; Path=/; HttpOnly"},
    )


@rest_routes.on("DELETE", "/auth/1/websudo")
def drop_websudo(_call: Call) -> Json:
    """End the administrator's extra session: there is none."""
    return Reply(status=HTTPStatus.NO_CONTENT)


@rest_routes.on("POST", "/pat/latest/tokens", "/pat/1.0/tokens", flavours=DATA_CENTER_ONLY)
def make_token(call: Call) -> Json:
    """Make a personal access token of the caller, which lives for some days."""
    body = call.json()
    days = body.get("expirationDuration", 90)
    if not isinstance(body.get("name"), str) or isinstance(days, bool) or not isinstance(days, int):
        raise bad_request("A token needs a name and a duration in days.")
    raw, now = secrets.token_urlsafe(33), call.site.now()
    end = now + max(1, min(days, 3650)) * _DAY
    number = call.store.run(
        "INSERT INTO token VALUES (?, ?, ?, ?)", raw, call.user.id, body["name"], end
    )
    made = {
        "id": number,
        "name": body["name"],
        "createdAt": stamp(now, call.zone),
        "expiringAt": stamp(end, call.zone),
        "rawToken": raw,
    }
    return Reply(status=HTTPStatus.CREATED, body=made)


# --- what the site is made of


@rest_routes.on("GET", "/project-templates/latest/templates", flavours=DATA_CENTER_ONLY)
def templates(_call: Call) -> Json:
    """Return the project templates by type."""
    grouped: dict[str, list[Row]] = {}
    for kind, name in _TEMPLATES:
        grouped.setdefault(kind, []).append({"name": name, "projectTypeKey": kind})
    found = [
        {"projectTypeBean": {"projectTypeKey": kind}, "projectTemplates": held}
        for kind, held in grouped.items()
    ]
    return {"projectTemplatesGroupedByType": found}


@rest_routes.on("GET", "/applinks/latest/listApplicationlinks")
def application_links(_call: Call) -> Json:
    """Return the links to other applications: none."""
    return {"list": []}


def _properties(call: Call) -> dict[str, str]:
    held = loads(call.store.value("SELECT value FROM site WHERE name='properties'"))
    return {**_PROPERTIES, **(held or {})}


def _property(key: str, value: str) -> Row:
    return {"id": key, "key": key, "value": value, "name": key, "desc": "", "type": "string"}


@routes.on("GET", "/application-properties")
def application_properties(call: Call) -> Json:
    """Return the properties of the application, or the one with a key."""
    _admin(call)
    held = _properties(call)
    key = call.query.get("key")
    if key is None:
        return [_property(one, value) for one, value in held.items()]
    if key not in held:
        raise not_found(f"The property {key} does not exist.")
    return _property(key, held[key])


@routes.on("PUT", "/application-properties/{key}")
def put_application_property(call: Call) -> Json:
    """Set one property of the application."""
    _admin(call)
    held, key = _properties(call), call.path["key"]
    if key not in held:
        raise not_found(f"The property {key} does not exist.")
    held[key] = str(call.json().get("value", ""))
    call.store.run("INSERT OR REPLACE INTO site VALUES ('properties', ?)", dumps(held))
    return _property(key, held[key])


def _admin(call: Call) -> None:
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer this site.")


@routes.on("GET", "/attachment/meta", anonymous=True)
def attachment_meta(_call: Call) -> Json:
    """Return whether files can be attached, and how large they may be."""
    return {"enabled": True, "uploadLimit": 10_485_760}


@routes.on("GET", "/customFieldOption/{id}", anonymous=True)
def custom_option(call: Call) -> Json:
    """Return one choice of a select field."""
    for spec in call.definition.fields.values():
        for one in spec.options:
            if one.id == call.path["id"]:
                return {"self": f"{call.api}/customFieldOption/{one.id}", "value": one.value}
    raise not_found(f"A custom field option with id '{call.path['id']}' does not exist")


@routes.on("GET", "/user/viewissue/search")
def viewers(call: Call) -> Json:
    """Return the users who may see an issue, or the issues of a project."""
    ref = call.query.get("issueKey")
    if ref:
        project = int(issues.visible(call, ref)["project"])
    else:
        key = call.query.get("projectKey", "")
        found = call.store.value("SELECT id FROM project WHERE key=?", key.upper())
        if found is None:
            raise not_found(f"No project could be found with key '{key}'.")
        project = found
    text = call.query.get("query") or call.query.get("username") or ""
    account = call.query.get("accountId")
    if call.cloud and not text and not account and "query" not in call.query:
        raise bad_request("The username query parameter was not provided.")
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = min(as_int(call.query.get("maxResults"), 50, name="maxResults"), 1000)
    people = [
        one
        for one in call.people.search(text)
        if call.people.may(one, "BROWSE_PROJECTS", project) and (not account or one.id == account)
    ]
    return [beans.user(call, one) for one in sliced(people, start, limit)]
