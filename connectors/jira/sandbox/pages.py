"""The pages for people: the approval list with its buttons, and one issue to read.

They are the sandbox's own, for somebody who tries things out by hand: no login, a person is
chosen from a list. What they decide goes through the same approval rows as the REST API.
"""

from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader, select_autoescape

from connectors.jira.sandbox import approvals, issues, text
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.people import Account
from connectors.jira.sandbox.show import value
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import loads
from connectors.jira.sandbox.wire import ApiError, Json, Reply, Row, stamp

_TEMPLATES = Environment(
    loader=PackageLoader("connectors.jira.sandbox", "."),
    autoescape=select_autoescape(default_for_string=True, default=True),
)
_SHOWN = 200
_CHANGES = ("[System] Change", "[System] Major change")
_HIDDEN = frozenset({"text", "string", "option", "datetime", "date", "number"})
_HTML = "text/html;charset=UTF-8"


def answer(call: Call, path: str) -> Reply | None:
    """Return a page, or None where the path is none of them."""
    if path == "/approvals":
        if call.method == "POST":
            return _decide(call)
        return _page(call, call.query.get("person", ""), said=call.query.get("said", ""))
    if path.startswith(("/browse/", "/servicedesk/customer/portal/")) and call.method == "GET":
        return _page(call, "", issue=issues.find(call, path.rsplit("/", 1)[1]))
    if path == "" and call.method == "GET":
        return Reply(status=HTTPStatus.SEE_OTHER, headers={"Location": "/approvals"})
    return None


def _decide(call: Call) -> Reply:
    form = {name: held[0] for name, held in parse_qs(call.raw.decode("utf-8", "replace")).items()}
    account = call.people.by_name(form.get("person", ""))
    issue = issues.find(call, form.get("issue", ""))
    if account is None or issue is None or form.get("decision") not in {"approve", "decline"}:
        return _page(call, "", said="That decision could not be read.", bad=True)
    acting = call.as_account(account)
    found = [
        one for one in approvals.listing(acting, issue) if str(one["id"]) == form.get("approval")
    ]
    if not found:
        return _page(call, account.name, said="That approval is not there any more.", bad=True)
    approve = form["decision"] == "approve"
    try:
        issues.answer(acting, issue, found[0], approve=approve)
    except ApiError as error:
        return _page(call, account.name, said=str(error.reply.body["errorMessage"]), bad=True)
    if form.get("comment", "").strip():
        body = {"w": form["comment"].replace("\r\n", "\n")[: text.LONGEST]}
        issues.add_comment(acting, issues.reload(acting, issue), body, internal=True)
    said = f"{'Approved' if approve else 'Declined'}: {issue['key']}"
    where = f"/approvals?person={quote(account.name)}&said={quote(said)}"
    return Reply(status=HTTPStatus.SEE_OTHER, headers={"Location": where})


def _page(
    call: Call, person: str, *, said: str = "", bad: bool = False, issue: Row | None = None
) -> Reply:
    account = call.people.by_name(person) if person else None
    page = _TEMPLATES.get_template("approvals.html").render(
        title="Approvals" if issue is None else str(issue["key"]),
        people=[one for one in call.people.all() if one.active],
        person=account.name if account else "",
        display=account.display if account else "",
        said=said,
        bad=bad,
        issue=None if issue is None else _whole(call, issue),
        pending=[] if account is None else _pending(call, account),
        lists=[] if issue is not None else _lists(call),
    )
    return Reply(body=page, media=_HTML, headers={"Content-Security-Policy": _POLICY})


_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
)


def _name(call: Call, key: str | None) -> str:
    found = call.people.by_id(key)
    return found.display if found is not None else "nobody"


def _at(call: Call, millis: int) -> str:
    return str(stamp(millis, call.zone)).replace("T", " ")[:16]


def _facts(call: Call, issue: Row) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for spec in call.definition.fields.values():
        held = kept(issue, spec.id)
        if held in (None, "", []) or spec.kind not in _HIDDEN:
            continue
        if not spec.custom and spec.id not in {"description", "duedate"}:
            continue
        found.append((spec.name, _fact(call, issue, spec.id, held)))
    return found


def _fact(call: Call, issue: Row, field_id: str, held: Json) -> str:
    spec = call.definition.fields[field_id]
    if spec.kind == "text":
        return text.wiki_of(held)
    shown = value(call, spec, issue)
    if isinstance(shown, dict):
        return str(cast("Row", shown)["value"])
    return str(shown)


def _brief(call: Call, row: Row) -> Row:
    if isinstance(row["fields"], str):
        row["fields"] = loads(row["fields"])
    return {
        "key": row["key"],
        "summary": row["summary"],
        "status": call.definition.statuses[row["status"]]["name"],
        "type": call.definition.types[row["type"]]["name"],
        "reporter": _name(call, row["reporter"]),
        "at": _at(call, row["updated"]),
        "facts": _facts(call, row),
    }


def _whole(call: Call, issue: Row) -> Row:
    rows = call.store.rows("SELECT * FROM comment WHERE issue=? ORDER BY id", issue["id"])
    comments = [
        {
            "author": _name(call, row["author"]),
            "internal": row["internal"],
            "at": _at(call, row["created"]),
            "text": text.wiki_of(loads(row["body"])),
        }
        for row in rows
    ]
    return {**_brief(call, issue), "comments": comments}


def _pending(call: Call, account: Account) -> list[Row]:
    rows = call.store.rows(
        "SELECT a.* FROM approval a JOIN approver r ON r.approval=a.id JOIN issue i ON i.id=a.issue"
        " WHERE r.account=? AND r.decision='pending' AND a.final='pending' AND i.status=a.status"
        " ORDER BY a.id",
        account.id,
    )
    found: list[Row] = []
    for row in rows:
        issue = issues.find(call, str(row["issue"]))
        if issue is not None and (approvals.pending(call, issue) or {}).get("id") == row["id"]:
            found.append(
                {
                    "id": row["id"],
                    "name": row["name"],
                    "at": _at(call, row["created"]),
                    "change": _brief(call, issue),
                }
            )
    return found


def _lists(call: Call) -> list[tuple[str, str, list[Row]]]:
    rows = call.store.rows("SELECT * FROM issue ORDER BY updated DESC, id DESC LIMIT ?", _SHOWN)
    changes = [one for one in rows if call.definition.types[one["type"]]["name"] in _CHANGES]
    tickets = [one for one in rows if one not in changes]
    return [
        ("changes", "Changes", [_brief(call, one) for one in changes]),
        ("tickets", "Tickets", [_brief(call, one) for one in tickets]),
    ]
