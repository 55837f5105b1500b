"""The columns that a user sees in the navigator."""

from http import HTTPStatus

from connectors.jira.sandbox.api_filters import columns_bean, columns_read
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Reply, forbidden, not_found

routes = Routes()
_DEFAULT = ("issuetype", "summary", "assignee", "reporter", "priority", "status", "resolution")


def _whose(call: Call) -> Account:
    """Return the user that a request is about: the caller, or anybody for an administrator."""
    ref = call.query.get("accountId") if call.cloud else call.query.get("username")
    if not ref:
        return call.user
    found = call.people.by_id(ref) if call.cloud else call.people.by_name(ref)
    if found is None:
        raise not_found("The user does not exist.")
    if found.id != call.user.id and not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to see the columns of this user.")
    return found


@routes.on("GET", "/user/columns")
def get_columns(call: Call) -> Json:
    """Return the columns of a user: the site's where there are none of the user's own."""
    name = f"columns.{_whose(call).id}"
    held = loads(call.store.value("SELECT value FROM site WHERE name=?", name))
    return columns_bean(call, list(_DEFAULT) if held is None else held)


@routes.on("PUT", "/user/columns")
def put_columns(call: Call) -> Json:
    """Set the columns of a user; a request without any takes them all away."""
    name = f"columns.{_whose(call).id}"
    asked = columns_read(call)
    call.store.run("INSERT OR REPLACE INTO site VALUES (?, ?)", name, dumps(asked))
    return Reply()


@routes.on("DELETE", "/user/columns")
def drop_columns(call: Call) -> Json:
    """Give a user the site's columns again."""
    call.store.run("DELETE FROM site WHERE name=?", f"columns.{_whose(call).id}")
    return Reply(status=HTTPStatus.NO_CONTENT)
