"""Service Management: customer requests, their status, transitions, comments and participants."""

from http import HTTPStatus

from connectors.jira.sandbox import approvals, beans, issues, show, text
from connectors.jira.sandbox.definition import FieldSpec, Transition
from connectors.jira.sandbox.fields import ValueRefusedError, account_of, kept, read
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call, Routes
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import ApiError, Json, Reply, Row, desk_date, desk_error, desk_page

routes = Routes(prefix="/rest/servicedeskapi")
_MOST = 100
_NO_REQUEST = "The request could not be found, or you do not have permission to view it."
_EXPANDS = ["participant", "status", "sla", "requestType", "serviceDesk", "attachment", "action", "comment"]
_CATEGORY = {"new": "NEW", "indeterminate": "INDETERMINATE", "done": "DONE", "undefined": "UNDEFINED"}


def bounds(call: Call) -> tuple[int, int]:
    """Return `start` and `limit`.

    Raises:
        ApiError: 400 where one is no number.
    """
    found: list[int] = []
    for name, default in (("start", 0), ("limit", 50)):
        raw = call.query.get(name)
        if raw is None or raw == "":
            found.append(default)
        elif raw.isascii() and raw.isdigit() and len(raw) < 10:  # noqa: PLR2004 - fits an int
            found.append(int(raw))
        else:
            raise desk_error(HTTPStatus.BAD_REQUEST, f"'{name}' must be a non-negative number.", "sd.paging")
    return found[0], min(found[1] or 50, _MOST)


def page(call: Call, values: list[Json], path: str) -> Row:
    """Return the page of the values that the parameters ask for."""
    start, limit = bounds(call)
    return desk_page(values, start, limit, call.site.url, path)


def is_agent(call: Call, project: int) -> bool:
    """Say whether the caller works in a service desk."""
    return call.may("SERVICEDESK_AGENT", project)


def request(call: Call, ref: str) -> Row:
    """Return a request that the caller may see.

    Customers see what they reported, take part in, or decide on; an issue without a request
    type is no request.

    Raises:
        ApiError: 404.
    """
    issue = issues.find(call, ref)
    if issue is None or issue["request_type"] is None or not sees(call, issue):
        raise desk_error(HTTPStatus.NOT_FOUND, _NO_REQUEST, "sd.request.not.found")
    return issue


def sees(call: Call, issue: Row) -> bool:
    """Say whether the caller may see a request."""
    me = call.user.id
    if call.may("BROWSE_PROJECTS", issue["project"]) or issue["reporter"] == me:
        return True
    if me in (kept(issue, "customfield_10026") or []):
        return True
    found = call.store.value(
        "SELECT 1 FROM approver r JOIN approval a ON a.id=r.approval WHERE a.issue=? AND r.account=?",
        issue["id"],
        me,
    )
    return found is not None


def desk_of(call: Call, project: int) -> int:
    """Return the id of the service desk of a project."""
    return int(call.store.value("SELECT id FROM desk WHERE project=?", project))


def request_type(call: Call, number: int) -> Row:
    """Return the row of a request type that is known to exist, with its definition."""
    row = call.store.row("SELECT * FROM request_type WHERE id=?", number)
    if row is None:
        raise desk_error(HTTPStatus.NOT_FOUND, "The request type could not be found.", "sd.rt.not.found")
    return {**row, **loads(row["spec"])}


def bean(call: Call, issue: Row) -> Row:
    """Return a request as customers see it."""
    kind = request_type(call, issue["request_type"])
    desk = desk_of(call, issue["project"])
    reporter = call.people.by_id(issue["reporter"])
    base = call.site.url
    shown: Row = {
        "_expands": _EXPANDS,
        "issueId": str(issue["id"]),
        "issueKey": issue["key"],
        "summary": issue["summary"],
        "requestTypeId": str(kind["id"]),
        "serviceDeskId": str(desk),
        "createdDate": desk_date(issue["created"], call.zone),
        "requestFieldValues": _values(call, issue, kind),
        "currentStatus": status(call, issue["status"], issue["category_changed"]),
        "_links": {
            "self": f"{base}/rest/servicedeskapi/request/{issue['id']}",
            "jiraRest": f"{base}/rest/api/2/issue/{issue['id']}",
            "web": f"{base}/servicedesk/customer/portal/{desk}/{issue['key']}",
            "agent": f"{base}/browse/{issue['key']}",
        },
    }
    if not call.cloud:
        del shown["summary"]
    if reporter is not None:
        shown["reporter"] = beans.desk_user(call, reporter)
    _expanded(call, issue, shown)
    return shown


def _expanded(call: Call, issue: Row, shown: Row) -> None:
    path = f"/request/{issue['id']}"
    wanted = call.words("expand")
    if "participant" in wanted:
        shown["participants"] = desk_page(_participants(call, issue), 0, 50, call.site.url, f"{path}/participant")
    if "status" in wanted:
        shown["status"] = desk_page(_statuses(call, issue), 0, 50, call.site.url, f"{path}/status")
    if "comment" in wanted:
        found = [comment(call, one) for one in _comments(call, issue)]
        shown["comments"] = desk_page(found, 0, 50, call.site.url, f"{path}/comment")


def _values(call: Call, issue: Row, kind: Row) -> list[Row]:
    found: list[Row] = []
    for one in kind["fields"]:
        spec = call.definition.fields[one["id"]]
        held = kept(issue, spec.id)
        value: Row = {"fieldId": spec.id, "label": one["label"]}
        if spec.kind == "text":
            value["value"] = text.wiki_of(held) if held is not None else None
            value["renderedValue"] = {"html": text.html_of(held)}
        else:
            value["value"] = show.value(call, spec, issue)
        if value["value"] is not None:
            found.append(value)
    return found


def status(call: Call, number: str, at: int) -> Row:
    """Return a status as customers see it."""
    row = call.definition.statuses[number]
    return {
        "status": row["name"],
        "statusCategory": _CATEGORY[row["category"]],
        "statusDate": desk_date(at, call.zone),
    }


# --- creating


@routes.on("POST", "/request")
def create(call: Call) -> Json:
    """Create a request through the portal, for oneself or on behalf of a customer."""
    body = _object(call)
    desk = call.store.row("SELECT * FROM desk WHERE id=?", _number(body.get("serviceDeskId")))
    if desk is None:
        raise desk_error(HTTPStatus.NOT_FOUND, "The Service Desk could not be found.", "sd.desk.not.found")
    row = call.store.row(
        "SELECT * FROM request_type WHERE id=? AND project=?",
        _number(body.get("requestTypeId")),
        desk["project"],
    )
    if row is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "The request type you are trying to access does not exist.",
            "sd.validation.requesttype.not.found",
        )
    if not call.people.roles_in(call.user, desk["project"]):
        raise desk_error(HTTPStatus.FORBIDDEN, "You cannot create requests in this service desk.", "sd.no.create")
    kind = {**row, **loads(row["spec"])}
    project = issues.project_row(call, desk["project"])
    values = _form_values(call, body, kind, project)
    reporter = _on_behalf(call, body, project)
    values["reporter"] = reporter.id
    people = body.get("requestParticipants") or []
    if people:
        values["customfield_10026"] = [one.id for one in _named(call, people)]
    found = call.definition.find(call.definition.types, kind["issue_type"])
    values["issuetype"] = found["id"] if found else ""
    _defaults(call, kind, values)
    channel = str(body.get("channel") or "portal")
    issue = issues.create(call, project, values, request_type=row["id"], channel=channel)
    origin: Row = {"_type": "sd.request.origin", "channel": channel}
    call.store.run("INSERT INTO property VALUES (?, ?, ?)", issue["id"], "request.channel.type", dumps(origin))
    return Reply(status=HTTPStatus.CREATED, body=bean(call, issues.reload(call, issue)))


def _object(call: Call) -> Row:
    if call.broken or not isinstance(call.body, dict):
        raise desk_error(HTTPStatus.BAD_REQUEST, "Could not parse JSON request body.", "sd.bad.json")
    found: Row = call.body
    return found


def _number(value: Json) -> int:
    text_ = str(value)
    return int(text_) if text_.isascii() and text_.isdigit() and len(text_) < 10 else -1  # noqa: PLR2004 - fits an int


def _form_values(call: Call, body: Row, kind: Row, project: Row) -> dict[str, Json]:
    given = body.get("requestFieldValues")
    if not isinstance(given, dict):
        given = {}
    form = {one["id"]: one for one in kind["fields"]}
    for name in given:
        if name not in form:
            raise desk_error(
                HTTPStatus.BAD_REQUEST,
                f"The fields, {name}, are not valid for this request type.",
                "sd.validation.field.invalid",
            )
    values: dict[str, Json] = {}
    for name, one in form.items():
        if one.get("required") and given.get(name) in (None, "", []):
            raise desk_error(
                HTTPStatus.BAD_REQUEST,
                f"Your request could not be created. Please check the fields have been correctly"
                f" filled in. {one['label']}: This field is required.",
                "sd.validation.field.required",
            )
    for name, value in given.items():
        values[name] = _form_value(call, call.definition.fields[name], value, project, body)
    return values


def _form_value(call: Call, spec: FieldSpec, value: Json, project: Row, body: Row) -> Json:
    try:
        if spec.kind == "text":
            return text.read(value, document=call.cloud and body.get("isAdfRequest") is True)
        if spec.kind == "option" and isinstance(value, str):
            value = {"value": value}
        return read(call, spec, value, project)
    except (ValueRefusedError, text.TextRefusedError) as error:
        raise desk_error(
            HTTPStatus.BAD_REQUEST,
            "Your request could not be created. Please check the fields have been correctly filled"
            f" in. {spec.name}: {error.reason}",
            "sd.validation.field.invalid",
        ) from error


def _defaults(call: Call, kind: Row, values: dict[str, Json]) -> None:
    """Fill what the request type's automation fills: group names become their members."""
    for name, wanted in (kind.get("defaults") or {}).items():
        if values.get(name):
            continue
        found: list[str] = []
        for one in wanted:
            group = call.people.group(one.removeprefix("group:"))
            members = call.people.members(group["id"]) if group is not None else []
            found += [member.id for member in members if member.id not in found]
        values[name] = found


def _on_behalf(call: Call, body: Row, project: Row) -> Account:
    name = body.get("raiseOnBehalfOf")
    if name is None:
        return call.user
    if not is_agent(call, project["id"]):
        raise desk_error(
            HTTPStatus.FORBIDDEN,
            "You do not have permission to raise a request on behalf of other users.",
            "sd.request.onbehalf.permission",
        )
    found = call.people.named(str(name))
    if found is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, f"The user {name} does not exist.", "sd.request.onbehalf.unknown"
        )
    return found


def _named(call: Call, people: Json) -> list[Account]:
    found: list[Account] = []
    for one in people if isinstance(people, list) else []:
        account = call.people.named(str(one))
        if account is None:
            raise desk_error(HTTPStatus.BAD_REQUEST, f"The user {one} does not exist.", "sd.user.unknown")
        found.append(account)
    return found


# --- reading


@routes.on("GET", "/request/{key}")
def get(call: Call) -> Json:
    """Return one request."""
    return bean(call, request(call, call.path["key"]))


@routes.on("GET", "/request")
def list_requests(call: Call) -> Json:
    """Return the requests of the caller, by ownership, status, approval and text."""
    rows = call.store.rows("SELECT * FROM issue WHERE request_type IS NOT NULL ORDER BY id DESC")
    wanted = [one.upper() for one in call.words("requestOwnership")] or ["OWNED_REQUESTS", "PARTICIPATED_REQUESTS"]
    found: list[Row] = []
    for row in rows:
        row["fields"] = loads(row["fields"])
        if any(_owned(call, row, one) for one in wanted) and _passes(call, row):
            found.append(row)
    start, limit = bounds(call)
    shown = desk_page(found, start, limit, call.site.url, "/request")
    shown["values"] = [bean(call, one) for one in shown["values"]]
    return shown


def _owned(call: Call, issue: Row, ownership: str) -> bool:
    me = call.user.id
    match ownership:
        case "OWNED_REQUESTS":
            return issue["reporter"] == me
        case "PARTICIPATED_REQUESTS":
            return me in (kept(issue, "customfield_10026") or [])
        case "ALL_REQUESTS" | "ALL_ORGANIZATIONS" | "ORGANIZATION":
            return issue["reporter"] == me or me in (kept(issue, "customfield_10026") or [])
        case "APPROVER":
            return _decides(call, issue)
        case _:
            raise desk_error(
                HTTPStatus.BAD_REQUEST, f"'{ownership}' is not a request ownership.", "sd.ownership"
            )


def _decides(call: Call, issue: Row) -> bool:
    rows = call.store.rows(
        "SELECT a.final, r.decision FROM approval a JOIN approver r ON r.approval=a.id"
        " WHERE a.issue=? AND r.account=?",
        issue["id"],
        call.user.id,
    )
    waiting = any(row["final"] == "pending" and row["decision"] == "pending" for row in rows)
    match call.query.get("approvalStatus"):
        case "MY_PENDING_APPROVAL":
            return waiting and approvals.pending(call, issue) is not None
        case "MY_HISTORY_APPROVAL":
            return bool(rows) and not waiting
        case _:
            return bool(rows)


def _passes(call: Call, issue: Row) -> bool:
    state = call.query.get("requestStatus", "ALL_REQUESTS")
    closed = call.definition.statuses[issue["status"]]["category"] == "done"
    if state in {"OPEN_REQUESTS", "CLOSED_REQUESTS"} and closed is (state == "OPEN_REQUESTS"):
        return False
    desk, kind = call.query.get("serviceDeskId"), call.query.get("requestTypeId")
    if desk and str(desk_of(call, issue["project"])) != desk:
        return False
    if kind and str(issue["request_type"]) != kind:
        return False
    term = call.query.get("searchTerm", "").casefold()
    return term in issue["summary"].casefold()


# --- status and transitions


def _statuses(call: Call, issue: Row) -> list[Row]:
    rows = call.store.rows(
        "SELECT i.new, h.created FROM history_item i JOIN history h ON h.id=i.history"
        " WHERE i.issue=? AND i.field_id='status' ORDER BY h.id DESC",
        issue["id"],
    )
    found = [status(call, row["new"], row["created"]) for row in rows]
    return [*found, status(call, issues.workflow(call, issue).initial, issue["created"])]


@routes.on("GET", "/request/{key}/status")
def statuses(call: Call) -> Json:
    """Return the statuses that a request went through, newest first."""
    issue = request(call, call.path["key"])
    return page(call, list(_statuses(call, issue)), f"/request/{call.path['key']}/status")


def _transitions(call: Call, issue: Row) -> list[Transition]:
    if is_agent(call, issue["project"]):
        return issues.available(call, issue)
    leaving = issues.workflow(call, issue).leaving(issue["status"])
    return [one for one in leaving if one.customer and not one.internal]


@routes.on("GET", "/request/{key}/transition")
def transitions(call: Call) -> Json:
    """Return the transitions that the caller may run on a request."""
    issue = request(call, call.path["key"])
    found = [{"id": one.id, "name": one.name} for one in _transitions(call, issue)]
    return page(call, list(found), f"/request/{call.path['key']}/transition")


@routes.on("POST", "/request/{key}/transition")
def transition(call: Call) -> Json:
    """Run a transition on a request, with an additional comment."""
    issue = request(call, call.path["key"])
    body = _object(call)
    chosen = next((one for one in _transitions(call, issue) if one.id == str(body.get("id"))), None)
    if chosen is None:
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "The transition is not valid for this request.", "sd.transition.invalid"
        )
    issues.move(call, issue, chosen, {})
    extra = body.get("additionalComment")
    if isinstance(extra, dict) and extra.get("body"):
        issues.add_comment(call, issue, _comment_body(call, extra), internal=False)
    return Reply(status=HTTPStatus.NO_CONTENT)


# --- comments


def comment(call: Call, row: Row) -> Row:
    """Return a comment as the Service Management API shows it."""
    kept_body = loads(row["body"])
    author = call.people.by_id(row["author"])
    key = row["issue"]
    shown: Row = {
        "_expands": ["attachment", "renderedBody"],
        "id": str(row["id"]),
        "body": text.wiki_of(kept_body),
        "public": not row["internal"],
        "created": desk_date(row["created"], call.zone),
        "_links": {"self": f"{call.site.url}/rest/servicedeskapi/request/{key}/comment/{row['id']}"},
    }
    if "renderedBody" in call.words("expand"):
        shown["renderedBody"] = {"html": text.html_of(kept_body)}
    if author is not None:
        shown["author"] = beans.desk_user(call, author)
    return shown


def _comments(call: Call, issue: Row) -> list[Row]:
    rows = call.store.rows("SELECT * FROM comment WHERE issue=? ORDER BY id", issue["id"])
    agent = call.may("BROWSE_PROJECTS", issue["project"])
    public, internal = call.flag("public", default=True), call.flag("internal", default=True)
    return [
        row
        for row in rows
        if (internal and agent if row["internal"] else public)
    ]


def _comment_body(call: Call, body: Row) -> Row:
    value = body.get("body")
    if not isinstance(value, str) or not value.strip():
        raise desk_error(HTTPStatus.BAD_REQUEST, "Comment body can not be empty!", "sd.comment.empty")
    try:
        return text.read(value, document=False) or {}
    except text.TextRefusedError as error:
        raise desk_error(HTTPStatus.BAD_REQUEST, error.reason, "sd.comment.invalid") from error


@routes.on("GET", "/request/{key}/comment")
def comments(call: Call) -> Json:
    """Return the comments of a request that the caller may read."""
    issue = request(call, call.path["key"])
    found = [comment(call, row) for row in _comments(call, issue)]
    return page(call, list(found), f"/request/{call.path['key']}/comment")


@routes.on("POST", "/request/{key}/comment")
def add_comment(call: Call) -> Json:
    """Comment on a request: agents choose who reads it, customers write to everybody."""
    issue = request(call, call.path["key"])
    body = _object(call)
    public = body.get("public", True)
    if not isinstance(public, bool):
        raise desk_error(HTTPStatus.BAD_REQUEST, "'public' must be true or false.", "sd.comment.public")
    if not public and not call.may("ADD_COMMENTS", issue["project"]):
        raise desk_error(HTTPStatus.FORBIDDEN, "You cannot add internal comments.", "sd.comment.internal")
    row = issues.add_comment(call, issue, _comment_body(call, body), internal=not public)
    return Reply(status=HTTPStatus.CREATED, body=comment(call, row))


@routes.on("GET", "/request/{key}/comment/{id}")
def get_comment(call: Call) -> Json:
    """Return one comment of a request."""
    issue = request(call, call.path["key"])
    for row in _comments(call, issue):
        if str(row["id"]) == call.path["id"]:
            return comment(call, row)
    raise desk_error(HTTPStatus.NOT_FOUND, "The comment could not be found.", "sd.comment.not.found")


# --- participants


def _participants(call: Call, issue: Row) -> list[Json]:
    found = [call.people.by_id(one) for one in kept(issue, "customfield_10026") or []]
    return [beans.desk_user(call, one) for one in found if one is not None]


@routes.on("GET", "/request/{key}/participant")
def participants(call: Call) -> Json:
    """Return the participants of a request."""
    issue = request(call, call.path["key"])
    return page(call, _participants(call, issue), f"/request/{call.path['key']}/participant")


def _change_participants(call: Call, *, add: bool) -> Json:
    issue = request(call, call.path["key"])
    if not is_agent(call, issue["project"]) and issue["reporter"] != call.user.id:
        raise desk_error(HTTPStatus.FORBIDDEN, "You cannot change the participants.", "sd.participant.permission")
    body = _object(call)
    named = [
        *_named(call, body.get("accountIds") or body.get("usernames") or []),
        *(_account(call, one) for one in body.get("users") or []),
    ]
    chosen = [one.id for one in named]
    held: list[str] = kept(issue, "customfield_10026") or []
    if add:
        held = [*held, *(one for one in dict.fromkeys(chosen) if one not in held)]
    else:
        held = [one for one in held if one not in chosen]
    issues.change(call, issue, {"customfield_10026": held})
    return page(call, _participants(call, issue), f"/request/{call.path['key']}/participant")


def _account(call: Call, value: Json) -> Account:
    try:
        return account_of(call, value)
    except ValueRefusedError as error:
        raise desk_error(HTTPStatus.BAD_REQUEST, error.reason, "sd.user.unknown") from error


@routes.on("POST", "/request/{key}/participant")
def add_participants(call: Call) -> Json:
    """Add participants."""
    return _change_participants(call, add=True)


@routes.on("DELETE", "/request/{key}/participant")
def remove_participants(call: Call) -> Json:
    """Take participants away."""
    return _change_participants(call, add=False)


__all__ = ["ApiError", "bean", "routes"]
