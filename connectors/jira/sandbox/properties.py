"""Entity properties of issues."""

import re
from http import HTTPStatus

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, Row, bad_request, forbidden, not_found

routes = Routes()
_LONGEST = 32768
_LONGEST_KEY = 255
_KEY = re.compile(r"^[\x21-\x7e]+$")


def write_property(call: Call, issue: Row, key: str, value: Json) -> bool:
    """Set a property; return whether it is new.

    Raises:
        ApiError: 400 for an empty (`null` on Cloud) or too long value, or a bad key.
    """
    if value is None and call.cloud:
        raise bad_request("The property value cannot be empty.")
    text = dumps(value)
    if len(text) > _LONGEST:
        raise bad_request(f"The property value is too long. Maximum length: {_LONGEST}.")
    if len(key) > _LONGEST_KEY or not _KEY.match(key):
        raise bad_request("The property key is not valid.")
    found = call.store.value("SELECT 1 FROM property WHERE issue=? AND key=?", issue["id"], key)
    call.store.run("INSERT OR REPLACE INTO property VALUES (?, ?, ?)", issue["id"], key, text)
    return found is None


@routes.on("GET", "/issue/{key}/properties", anonymous=True)
def list_properties(call: Call) -> Json:
    """Return the keys of the properties."""
    issue = issues.visible(call, call.path["key"])
    rows = call.store.rows("SELECT key FROM property WHERE issue=? ORDER BY key", issue["id"])
    where = f"{call.api}/issue/{issue['id']}/properties"
    return {"keys": [{"self": f"{where}/{row['key']}", "key": row["key"]} for row in rows]}


@routes.on("GET", "/issue/{key}/properties/{property}", anonymous=True)
def get_property(call: Call) -> Json:
    """Return one property."""
    issue = issues.visible(call, call.path["key"])
    name = call.path["property"]
    row = call.store.row("SELECT * FROM property WHERE issue=? AND key=?", issue["id"], name)
    if row is None:
        raise not_found(f"The property with key '{name}' does not exist.")
    return {"key": row["key"], "value": loads(row["value"])}


@routes.on("PUT", "/issue/{key}/properties/{property}")
def put_property(call: Call) -> Json:
    """Set one property: 201 where it is new, 200 where it was there."""
    issue = issues.visible(call, call.path["key"])
    _may_edit(call, issue)
    if call.broken or not call.raw.strip():
        raise bad_request("The value you provided is not a valid JSON.")
    new = write_property(call, issue, call.path["property"], call.body)
    return Reply(
        status=HTTPStatus.CREATED if new else HTTPStatus.OK, body={} if call.cloud else None
    )


@routes.on("DELETE", "/issue/{key}/properties/{property}")
def delete_property(call: Call) -> Json:
    """Remove one property."""
    issue = issues.visible(call, call.path["key"])
    _may_edit(call, issue)
    name = call.path["property"]
    gone = call.store.changed("DELETE FROM property WHERE issue=? AND key=?", issue["id"], name)
    if not gone:
        raise not_found(f"The property with key '{name}' does not exist.")
    return Reply(status=HTTPStatus.NO_CONTENT)


def _may_edit(call: Call, issue: Row) -> None:
    if not call.may("EDIT_ISSUES", issue["project"]):
        raise forbidden("You do not have permission to edit issues in this project.")
