"""Service Management: customers and organisations."""

import re
from http import HTTPStatus

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.desk import body_object, is_agent, page
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.projects import USERS
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import ApiError, Json, Reply, Row, desk_error

routes = Routes(prefix="/rest/servicedeskapi")
_MAIL = re.compile(r"^[^@\s]+@[^@\s]+$")


def _agent_only(call: Call) -> None:
    desks = call.store.rows("SELECT project FROM desk")
    if not any(is_agent(call, row["project"]) for row in desks):
        raise desk_error(
            HTTPStatus.FORBIDDEN, "You do not have permission to do this.", "sd.agent.permission"
        )


@routes.on("POST", "/customer")
def create_customer(call: Call) -> Json:
    """Make a customer without a password."""
    _agent_only(call)
    body = body_object(call)
    mail = str(body.get("email", ""))
    name = str(body.get("displayName") or body.get("fullName") or mail)
    if not _MAIL.match(mail) or call.store.row("SELECT 1 AS x FROM account WHERE email=?", mail):
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The email address is not valid or taken.", "sd.customer.email"
        )
    number = call.store.counter("account", 20000)
    key = f"qm:{number}" if call.cloud else f"JIRAUSER{number}"
    call.store.insert(
        "account",
        {
            "id": key,
            "name": mail,
            "email": mail,
            "display": name,
            "active": 1,
            "zone": "Etc/UTC",
            "kind": "customer",
            "password": "",
        },
    )
    group = call.people.group(USERS)
    if group is not None:
        call.store.run("INSERT INTO membership VALUES (?, ?)", group["id"], key)
    account = call.people.by_id(key)
    shown = beans.desk_user(call, account) if account is not None else None
    return Reply(status=HTTPStatus.CREATED, body=shown)


# --- organisations: kept as one document of the site, for there are few


def _all(call: Call) -> dict[str, Row]:
    held: dict[str, Row] | None = loads(
        call.store.value("SELECT value FROM site WHERE name='organisations'")
    )
    return held or {}


def _keep(call: Call, held: dict[str, Row]) -> None:
    call.store.run("INSERT OR REPLACE INTO site VALUES ('organisations', ?)", dumps(held))


def _bean(call: Call, number: str, one: Row) -> Row:
    where = f"{call.site.url}/rest/servicedeskapi/organization/{number}"
    return {"id": number, "name": one["name"], "_links": {"self": where}}


def _one(call: Call) -> tuple[dict[str, Row], str]:
    held, number = _all(call), call.path["organization"]
    if number not in held:
        raise desk_error(
            HTTPStatus.NOT_FOUND, "The organization could not be found.", "sd.organization.missing"
        )
    return held, number


@routes.on("GET", "/organization")
def list_organisations(call: Call) -> Json:
    """Return the organisations of the site."""
    found = [_bean(call, number, one) for number, one in _all(call).items()]
    return page(call, list(found), "/organization")


@routes.on("POST", "/organization")
def create_organisation(call: Call) -> Json:
    """Make an organisation."""
    _agent_only(call)
    name = body_object(call).get("name")
    if not isinstance(name, str) or not name.strip():
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The organization's name is required.", "sd.organization.name"
        )
    held, number = _all(call), str(call.store.counter("organisation", 1))
    held[number] = {"name": name, "members": [], "desks": []}
    _keep(call, held)
    return Reply(status=HTTPStatus.CREATED, body=_bean(call, number, held[number]))


@routes.on("GET", "/organization/{organization}")
def get_organisation(call: Call) -> Json:
    """Return one organisation."""
    held, number = _one(call)
    return _bean(call, number, held[number])


@routes.on("DELETE", "/organization/{organization}")
def delete_organisation(call: Call) -> Json:
    """Remove an organisation."""
    _agent_only(call)
    held, number = _one(call)
    del held[number]
    _keep(call, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/organization/{organization}/user")
def members(call: Call) -> Json:
    """Return the members of an organisation."""
    held, number = _one(call)
    found = [call.people.by_id(one) for one in held[number]["members"]]
    shown = [beans.desk_user(call, one) for one in found if one is not None]
    return page(call, list(shown), f"/organization/{number}/user")


def _named(call: Call) -> list[str]:
    body = body_object(call)
    wanted = body.get("accountIds") if call.cloud else body.get("usernames")
    found: list[Account] = []
    for one in wanted if isinstance(wanted, list) else []:
        account = call.people.named(str(one))
        if account is None:
            raise desk_error(HTTPStatus.BAD_REQUEST, f"The user {one} is unknown.", "sd.user")
        found.append(account)
    return [one.id for one in found]


@routes.on("POST", "/organization/{organization}/user")
def add_members(call: Call) -> Json:
    """Put users into an organisation."""
    _agent_only(call)
    held, number = _one(call)
    known = held[number]["members"]
    held[number]["members"] = list(dict.fromkeys([*known, *_named(call)]))
    _keep(call, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/organization/{organization}/user")
def remove_members(call: Call) -> Json:
    """Take users out of an organisation."""
    _agent_only(call)
    held, number = _one(call)
    gone = _named(call)
    held[number]["members"] = [one for one in held[number]["members"] if one not in gone]
    _keep(call, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/servicedesk/{desk}/organization")
def desk_organisations(call: Call) -> Json:
    """Return the organisations of a service desk."""
    desk = call.path["desk"]
    found = [_bean(call, number, one) for number, one in _all(call).items() if desk in one["desks"]]
    return page(call, list(found), f"/servicedesk/{desk}/organization")


def _join(call: Call, *, add: bool) -> Json:
    _agent_only(call)
    held, desk = _all(call), call.path["desk"]
    number = str(body_object(call).get("organizationId"))
    if number not in held:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The organization does not exist.", "sd.organization.missing"
        )
    desks = [one for one in held[number]["desks"] if one != desk]
    held[number]["desks"] = [*desks, desk] if add else desks
    _keep(call, held)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("POST", "/servicedesk/{desk}/organization")
def add_organisation(call: Call) -> Json:
    """Let an organisation use a service desk."""
    return _join(call, add=True)


@routes.on("DELETE", "/servicedesk/{desk}/organization")
def remove_organisation(call: Call) -> Json:
    """Let an organisation use a service desk no more."""
    return _join(call, add=False)


# --- entity properties of organisations


def _properties(call: Call) -> tuple[dict[str, Row], str, Row]:
    _agent_only(call)
    held, number = _one(call)
    return held, number, held[number].setdefault("properties", {})


def _no_property(call: Call) -> ApiError:
    name = call.path["property"]
    return desk_error(
        HTTPStatus.NOT_FOUND, f"The property with key '{name}' does not exist.", "sd.property"
    )


@routes.on("GET", "/organization/{organization}/property")
def organisation_properties(call: Call) -> Json:
    """Return the keys of the properties of an organisation."""
    _, number, found = _properties(call)
    where = f"{call.site.url}/rest/servicedeskapi/organization/{number}/property"
    return {"keys": [{"self": f"{where}/{one}", "key": one} for one in sorted(found)]}


@routes.on("GET", "/organization/{organization}/property/{property}")
def organisation_property(call: Call) -> Json:
    """Return one property of an organisation."""
    _, _, found = _properties(call)
    name = call.path["property"]
    if name not in found:
        raise _no_property(call)
    return {"key": name, "value": found[name]}


@routes.on("PUT", "/organization/{organization}/property/{property}")
def put_organisation_property(call: Call) -> Json:
    """Set one property: 201 where it is new, 200 where it was there."""
    held, _, found = _properties(call)
    if call.broken or call.body is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The property value cannot be empty.", "sd.property.empty"
        )
    status = HTTPStatus.OK if call.path["property"] in found else HTTPStatus.CREATED
    found[call.path["property"]] = call.body
    _keep(call, held)
    return Reply(status=status, body={})


@routes.on("DELETE", "/organization/{organization}/property/{property}")
def delete_organisation_property(call: Call) -> Json:
    """Remove one property of an organisation."""
    held, _, found = _properties(call)
    if call.path["property"] not in found:
        raise _no_property(call)
    del found[call.path["property"]]
    _keep(call, held)
    return Reply(status=HTTPStatus.NO_CONTENT)
