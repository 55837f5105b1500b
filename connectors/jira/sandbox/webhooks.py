"""Webhooks: registered by OAuth applications on Cloud, by administrators on both; and delivered.

A webhook is a hint: delivery is tried a few times and then given up, as the vendor does.
"""

import json
import queue
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus

from connectors.jira.sandbox import beans, show, talk
from connectors.jira.sandbox.api_changelog import item_bean
from connectors.jira.sandbox.jql.compiling import compile_query
from connectors.jira.sandbox.jql.syntax import JqlError
from connectors.jira.sandbox.site import CLOUD_ONLY, Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import (
    ApiError,
    Json,
    Reply,
    Row,
    as_int,
    bad_payload,
    bad_request,
    forbidden,
    not_found,
    page_bean,
    sliced,
)

routes = Routes()
old_routes = Routes(prefix="/rest/webhooks/1.0")
_MONTH = 30 * 86_400_000
_TRIES = 3
_PAUSE = 1.0
_EVENTS = frozenset(
    {"jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created",
     "comment_updated", "comment_deleted", "issue_property_set", "issue_property_deleted"}
)  # fmt: skip


# --- of applications (Cloud)


def _application(call: Call) -> str:
    if not call.headers.get("authorization", "").lower().startswith("bearer "):
        raise forbidden("Only Connect and OAuth 2.0 apps can use this operation.")
    return call.user.id


@routes.on("POST", "/webhook", flavours=CLOUD_ONLY)
def register(call: Call) -> Json:
    """Register webhooks of an application; each has its own outcome."""
    owner = _application(call)
    body = call.json()
    url, wanted = body.get("url"), body.get("webhooks")
    if not isinstance(url, str) or not isinstance(wanted, list) or not wanted:
        raise bad_payload()
    return {"webhookRegistrationResult": [_registered(call, owner, url, one) for one in wanted]}


def _registered(call: Call, owner: str, url: str, one: Json) -> Row:
    events = one.get("events") if isinstance(one, dict) else None
    if not isinstance(events, list) or not events or not set(events) <= _EVENTS:
        return {"errors": ["The events are not valid."]}
    jql = one.get("jqlFilter")
    try:
        compile_query(call, str(jql or ""))
    except JqlError as error:
        return {"errors": error.messages}
    number = call.store.insert(
        "webhook",
        {
            "id": call.store.counter("webhook", 10000),
            "kind": "application",
            "owner": owner,
            "body": dumps({"url": url, "jql": str(jql or ""), "events": events}),
            "expires": call.site.now() + _MONTH,
        },
    )
    return {"createdWebhookId": number}


@routes.on("GET", "/webhook", flavours=CLOUD_ONLY)
def registered(call: Call) -> Json:
    """Return the webhooks of an application."""
    rows = call.store.rows(
        "SELECT * FROM webhook WHERE kind='application' AND owner=? ORDER BY id", _application(call)
    )
    found = [
        {
            "id": row["id"],
            "jqlFilter": loads(row["body"])["jql"],
            "events": loads(row["body"])["events"],
            "expirationDate": row["expires"],
        }
        for row in rows
    ]
    start = as_int(call.query.get("startAt"), 0, name="startAt")
    limit = as_int(call.query.get("maxResults"), 100, name="maxResults")
    return page_bean(sliced(found, start, limit), start, limit, len(found), f"{call.api}/webhook")


def _ids(call: Call) -> list[int]:
    wanted = call.json().get("webhookIds")
    if not isinstance(wanted, list) or not all(isinstance(one, int) for one in wanted):
        raise bad_payload()
    return list(wanted)


@routes.on("DELETE", "/webhook", flavours=CLOUD_ONLY)
def withdraw(call: Call) -> Json:
    """Remove webhooks of an application."""
    owner = _application(call)
    for one in _ids(call):
        call.store.run("DELETE FROM webhook WHERE id=? AND owner=?", one, owner)
    return Reply(status=HTTPStatus.ACCEPTED)


@routes.on("PUT", "/webhook/refresh", flavours=CLOUD_ONLY)
def refresh(call: Call) -> Json:
    """Let webhooks of an application live for another month."""
    owner = _application(call)
    end = call.site.now() + _MONTH
    for one in _ids(call):
        call.store.run("UPDATE webhook SET expires=? WHERE id=? AND owner=?", end, one, owner)
    return {"expirationDate": end}


# --- of administrators


def _admin(call: Call) -> None:
    if not call.people.is_admin(call.user):
        raise forbidden("You do not have permission to administer webhooks.")


def _bean(call: Call, row: Row) -> Row:
    held = loads(row["body"])
    return {
        "name": held["name"],
        "url": held["url"],
        "excludeBody": False,
        "filters": {"issue-related-events-section": held["jql"]},
        "events": held["events"],
        "enabled": held["enabled"],
        "self": f"{call.site.url}/rest/webhooks/1.0/webhook/{row['id']}",
        "lastUpdatedUser": call.user.name,
        "lastUpdatedDisplayName": call.user.display,
    }


def _read(call: Call, before: Row) -> Row:
    body = {**before, **call.json()}
    filters = body.get("filters")
    jql = body.get("jql", "")
    if isinstance(filters, dict):
        jql = filters.get("issue-related-events-section", "")
    events = body.get("events") or []
    if not isinstance(body.get("url"), str) or not isinstance(body.get("name"), str):
        raise bad_request("A webhook needs a name and a URL.")
    if not isinstance(events, list) or not set(map(str, events)) <= _EVENTS:
        raise bad_request("The events are not valid.")
    return {
        "name": body["name"],
        "url": body["url"],
        "jql": str(jql or ""),
        "events": events,
        "enabled": body.get("enabled", True) is True,
    }


@old_routes.on("GET", "/webhook")
def list_hooks(call: Call) -> Json:
    """Return the webhooks of the site."""
    _admin(call)
    return [_bean(call, row) for row in call.store.rows("SELECT * FROM webhook WHERE kind='site'")]


@old_routes.on("POST", "/webhook")
def post_hook(call: Call) -> Json:
    """Make a webhook of the site."""
    _admin(call)
    held = _read(call, {})
    number = call.store.insert(
        "webhook",
        {"id": call.store.counter("webhook", 10000), "kind": "site", "body": dumps(held)},
    )
    body = _bean(call, {"id": number, "body": dumps(held)})
    return Reply(status=HTTPStatus.CREATED, body=body)


def _hook(call: Call) -> Row:
    _admin(call)
    row = call.store.row("SELECT * FROM webhook WHERE kind='site' AND id=?", call.path["id"])
    if row is None:
        raise not_found("The webhook does not exist.")
    return row


@old_routes.on("GET", "/webhook/{id}")
def get_hook(call: Call) -> Json:
    """Return one webhook of the site."""
    return _bean(call, _hook(call))


@old_routes.on("PUT", "/webhook/{id}")
def put_hook(call: Call) -> Json:
    """Change one webhook of the site."""
    row = _hook(call)
    held = dumps(_read(call, loads(row["body"])))
    call.store.update("webhook", row["id"], {"body": held})
    return _bean(call, {**row, "body": held})


@old_routes.on("DELETE", "/webhook/{id}")
def delete_hook(call: Call) -> Json:
    """Remove one webhook of the site."""
    call.store.run("DELETE FROM webhook WHERE id=?", _hook(call)["id"])
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- delivery


@dataclass(slots=True)
class Courier:
    """Delivers events from a thread of its own, a few tries each."""

    _posts: queue.Queue[tuple[str, bytes] | None] = field(default_factory=queue.Queue)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def send(self, url: str, body: Row) -> None:
        """Queue one delivery."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="jira-webhooks", daemon=True)
            self._thread.start()
        self._posts.put((url, json.dumps(body).encode()))

    def stop(self) -> None:
        """End the thread; what is queued is dropped."""
        self._ended.set()
        self._posts.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            post = self._posts.get()
            if post is None:
                return
            for number in range(_TRIES):
                if _posted(*post, retry=number):
                    break
                self._ended.wait(_PAUSE * 2**number)


def _posted(url: str, body: bytes, *, retry: int) -> bool:
    if not url.startswith(("http://", "https://")):
        return True
    headers = {"Content-Type": "application/json"}
    if retry:
        headers["X-Atlassian-Webhook-Retry"] = str(retry)
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - checked above
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return (
            error.code not in {408, 409, 425, 429} and error.code < HTTPStatus.INTERNAL_SERVER_ERROR
        )
    except OSError:
        return False


def tell(call: Call, courier: Courier) -> None:
    """Send the events of a request that was committed to the webhooks that asked for them."""
    events, call.events = call.events, []
    hooks = call.store.rows("SELECT * FROM webhook")
    for name, held in events if hooks else ():
        body = _event(call, name, held)
        for row in hooks:
            hook = loads(row["body"])
            expired = row["expires"] is not None and row["expires"] <= call.site.now()
            off = expired or hook.get("enabled") is False or name not in hook["events"]
            if not off and _meets(call, hook["jql"], held["issue"]["id"]):
                courier.send(hook["url"], {**body, "matchedWebhookIds": [row["id"]]})


def _meets(call: Call, jql: str, number: int) -> bool:
    if not jql.strip():
        return True
    try:
        query = compile_query(call, jql)
    except (JqlError, ApiError):
        return False
    sql = f"SELECT 1 FROM ix WHERE ix.id=? AND ({query.where.text})"  # noqa: S608 - values are marks
    return call.store.row(sql, number, *query.where.values) is not None


def _event(call: Call, name: str, held: Row) -> Row:
    issue = held["issue"]
    body: Row = {
        "timestamp": call.site.now(),
        "webhookEvent": name,
        "user": beans.user(call, held["user"]),
        "issue": show.issue(call, issue, show.chosen(call, [], "*navigable")),
    }
    if "items" in held:
        items = [item_bean(call, one) for one in held["items"]]
        body["changelog"] = {"id": str(held["history"]), "items": items}
        body["issue_event_type_name"] = "issue_updated"
    if "comment" in held:
        body["comment"] = talk.comment(call, held["comment"])
    return body
