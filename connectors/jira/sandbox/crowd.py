"""Who watches an issue, and who votes for it."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, index, issues
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    bad_request,
    forbidden,
    not_found,
    platform_error,
)

routes = Routes()


@routes.on("GET", "/issue/{key}/watchers", anonymous=True)
def list_watchers(call: Call) -> Json:
    """Return the watchers."""
    issue = issues.visible(call, call.path["key"])
    rows = call.store.rows("SELECT account FROM watcher WHERE issue=? ORDER BY rowid", issue["id"])
    me = "" if call.caller is None else call.caller.id
    return {
        "self": f"{call.api}/issue/{issue['key']}/watchers",
        "isWatching": any(row["account"] == me for row in rows),
        "watchCount": len(rows),
        "watchers": [beans.user_of(call, row["account"]) for row in rows],
    }


def _watcher(call: Call, issue: Row, name: Json) -> Account:
    if name is None or name == "":
        return call.user
    found = call.people.by_id(str(name)) if call.cloud else call.people.named(str(name))
    if found is None:
        raise not_found(f"The user '{name}' does not exist.")
    if found.id != call.user.id and not call.may("MANAGE_WATCHERS", issue["project"]):
        raise _may_not_manage(call, issue)
    return found


def _may_not_manage(call: Call, issue: Row) -> ApiError:
    """Return the refusal; Data Center answers 401 (the vendor's Java client waits for it)."""
    if call.cloud:
        return forbidden("You do not have permission to manage the watcher list.")
    verb = "add watchers to" if call.method == "POST" else "remove watchers from"
    return platform_error(
        HTTPStatus.UNAUTHORIZED,
        f"User '{call.user.name}' is not allowed to {verb} issue '{issue['key']}'",
    )


@routes.on("POST", "/issue/{key}/watchers")
def add_watcher(call: Call) -> Json:
    """Add a watcher: the body is a bare JSON string, or nothing for the caller."""
    issue = issues.visible(call, call.path["key"])
    if call.broken or not isinstance(call.body, str | None):
        raise bad_request(
            "Invalid request payload. Refer to the REST API documentation and try again."
        )
    account = _watcher(call, issue, call.body)
    if not call.cloud and not call.people.may(account, "BROWSE_PROJECTS", issue["project"]):
        raise platform_error(
            HTTPStatus.UNAUTHORIZED,
            f'The user "{account.name}" does not have permission to view this issue.'
            " This user will not be added to the watch list.",
        )
    call.store.run("INSERT OR IGNORE INTO watcher VALUES (?, ?)", issue["id"], account.id)
    index.mark(call, issue["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/issue/{key}/watchers")
def remove_watcher(call: Call) -> Json:
    """Take a watcher away."""
    issue = issues.visible(call, call.path["key"])
    name = call.query.get("accountId") if call.cloud else call.query.get("username")
    account = _watcher(call, issue, name)
    call.store.run("DELETE FROM watcher WHERE issue=? AND account=?", issue["id"], account.id)
    index.mark(call, issue["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("GET", "/issue/{key}/votes", anonymous=True)
def list_votes(call: Call) -> Json:
    """Return the votes."""
    issue = issues.visible(call, call.path["key"])
    rows = call.store.rows("SELECT account FROM vote WHERE issue=? ORDER BY rowid", issue["id"])
    me = "" if call.caller is None else call.caller.id
    return {
        "self": f"{call.api}/issue/{issue['key']}/votes",
        "votes": len(rows),
        "hasVoted": any(row["account"] == me for row in rows),
        "voters": [beans.user_of(call, row["account"]) for row in rows],
    }


@routes.on("POST", "/issue/{key}/votes")
def add_vote(call: Call) -> Json:
    """Vote for an issue; Data Center refuses the reporter, Cloud does not."""
    issue = issues.visible(call, call.path["key"])
    if issue["reporter"] == call.user.id and not call.cloud:
        raise not_found("You cannot vote for an issue you have reported.")
    call.store.run("INSERT OR IGNORE INTO vote VALUES (?, ?)", issue["id"], call.user.id)
    return Reply(status=HTTPStatus.NO_CONTENT)


@routes.on("DELETE", "/issue/{key}/votes")
def remove_vote(call: Call) -> Json:
    """Take one's vote back."""
    issue = issues.visible(call, call.path["key"])
    call.store.run("DELETE FROM vote WHERE issue=? AND account=?", issue["id"], call.user.id)
    return Reply(status=HTTPStatus.NO_CONTENT)
