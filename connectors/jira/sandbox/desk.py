"""What the Service Management resources share: requests, who sees them, how they look."""

from http import HTTPStatus

from connectors.jira.sandbox import beans, issues, show, text
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import Json, Row, desk_date, desk_error, desk_page

_MOST = 100
_NO_REQUEST = "The request could not be found, or you do not have permission to view it."
_EXPANDS = [
    "participant",
    "status",
    "sla",
    "requestType",
    "serviceDesk",
    "attachment",
    "action",
    "comment",
]
_CATEGORY = {
    "new": "NEW",
    "indeterminate": "INDETERMINATE",
    "done": "DONE",
    "undefined": "UNDEFINED",
}


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
            raise desk_error(
                HTTPStatus.BAD_REQUEST, f"'{name}' must be a non-negative number.", "sd.paging"
            )
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
        "SELECT 1 FROM approver r JOIN approval a ON a.id=r.approval"
        " WHERE a.issue=? AND r.account=?",
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
        raise desk_error(
            HTTPStatus.NOT_FOUND, "The request type could not be found.", "sd.rt.not.found"
        )
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
        shown["participants"] = desk_page(
            participants_of(call, issue), 0, 50, call.site.url, f"{path}/participant"
        )
    if "status" in wanted:
        shown["status"] = desk_page(
            passed_statuses(call, issue), 0, 50, call.site.url, f"{path}/status"
        )
    if "comment" in wanted:
        found = [comment(call, one) for one in readable_comments(call, issue)]
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


def body_object(call: Call) -> Row:
    """Return the body, which must be a JSON object, or answer 400 in this API's envelope."""
    if call.broken or not isinstance(call.body, dict):
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "Could not parse JSON request body.", "sd.bad.json"
        )
    found: Row = call.body
    return found


def number_of(value: Json) -> int:
    """Return an id from a JSON number or string; -1 where it is none."""
    text_ = str(value)
    return int(text_) if text_.isascii() and text_.isdigit() and len(text_) < 10 else -1  # noqa: PLR2004 - fits an int


def named_people(call: Call, people: Json) -> list[Account]:
    """Return the accounts of a list of names, or answer 400 where one is unknown."""
    found: list[Account] = []
    for one in people if isinstance(people, list) else []:
        account = call.people.named(str(one))
        if account is None:
            raise desk_error(
                HTTPStatus.BAD_REQUEST, f"The user {one} does not exist.", "sd.user.unknown"
            )
        found.append(account)
    return found


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
        "_links": {
            "self": f"{call.site.url}/rest/servicedeskapi/request/{key}/comment/{row['id']}"
        },
    }
    if "renderedBody" in call.words("expand"):
        shown["renderedBody"] = {"html": text.html_of(kept_body)}
    if author is not None:
        shown["author"] = beans.desk_user(call, author)
    return shown


def readable_comments(call: Call, issue: Row) -> list[Row]:
    """Return the comments that the caller may read and asked for."""
    rows = call.store.rows("SELECT * FROM comment WHERE issue=? ORDER BY id", issue["id"])
    agent = call.may("BROWSE_PROJECTS", issue["project"])
    public, internal = call.flag("public", default=True), call.flag("internal", default=True)
    return [row for row in rows if (internal and agent if row["internal"] else public)]


def comment_text(body: Row) -> Row:
    """Return what is kept of a comment's body, or answer 400."""
    value = body.get("body")
    if not isinstance(value, str) or not value.strip():
        raise desk_error(
            HTTPStatus.BAD_REQUEST, "Comment body can not be empty!", "sd.comment.empty"
        )
    try:
        return text.read(value, document=False) or {}
    except text.TextRefusedError as error:
        raise desk_error(HTTPStatus.BAD_REQUEST, error.reason, "sd.comment.invalid") from error


def participants_of(call: Call, issue: Row) -> list[Json]:
    """Return the participants of a request."""
    found = [call.people.by_id(one) for one in kept(issue, "customfield_10026") or []]
    return [beans.desk_user(call, one) for one in found if one is not None]


def passed_statuses(call: Call, issue: Row) -> list[Row]:
    """Return the statuses that a request went through, newest first."""
    rows = call.store.rows(
        "SELECT i.new, h.created FROM history_item i JOIN history h ON h.id=i.history"
        " WHERE i.issue=? AND i.field_id='status' ORDER BY h.id DESC",
        issue["id"],
    )
    found = [status(call, row["new"], row["created"]) for row in rows]
    return [*found, status(call, issues.workflow(call, issue).initial, issue["created"])]
