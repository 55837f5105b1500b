"""The caller's preferences: texts under keys of one's own, and the language."""

from http import HTTPStatus

from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, not_found

routes = Routes()
_LONGEST_KEY = 255


def _key(call: Call) -> str:
    key = call.query.get("key", "")
    if not 0 < len(key) <= _LONGEST_KEY:
        raise not_found("key is required")
    return key


def _held(call: Call) -> Row:
    name = f"preferences.{call.user.id}"
    found: Row = loads(call.store.value("SELECT value FROM site WHERE name=?", name)) or {}
    return found


def _keep(call: Call, held: Row) -> None:
    name = f"preferences.{call.user.id}"
    call.store.run("INSERT OR REPLACE INTO site VALUES (?, ?)", name, dumps(held))


@routes.on("GET", "/mypreferences")
def preference(call: Call) -> Json:
    """Return one preference as the text that it is."""
    held, key = _held(call), _key(call)
    if key not in held:
        raise not_found(f"key not found: '{key}'")
    return held[key]


@routes.on("PUT", "/mypreferences")
def put_preference(call: Call) -> Json:
    """Keep a text: whatever the body holds, JSON texts without their quotes."""
    key = _key(call)
    text = call.body if isinstance(call.body, str) else call.raw.decode("utf-8", "replace")
    _keep(call, {**_held(call), key: text})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/mypreferences")
def drop_preference(call: Call) -> Json:
    """Forget one preference."""
    held, key = _held(call), _key(call)
    if key not in held:
        raise not_found(f"key not found: '{key}'")
    _keep(call, {one: text for one, text in held.items() if one != key})
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/mypreferences/locale", flavours=CLOUD_ONLY)
def locale(call: Call) -> Json:
    """Return the language of the caller."""
    return {"locale": call.user.locale}


@routes.on("PUT", "/mypreferences/locale", flavours=CLOUD_ONLY)
def put_locale(call: Call) -> Json:
    """Set the language of the caller."""
    value = call.json().get("locale")
    if not isinstance(value, str) or len(value) not in {2, 5}:
        raise bad_request("The locale is not valid.")
    call.store.run("UPDATE account SET locale=? WHERE id=?", value, call.user.id)
    return Reply(status=HTTPStatus.NO_CONTENT)
