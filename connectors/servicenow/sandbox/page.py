"""GET /approvals: a page of our own that plays the vendor's approval list.

Whoever opens it chooses a person and acts as that person, through the same approval rows and the
same access rules as the API. It exists on the sandbox alone, on loopback, without a log-in.
"""

import functools
from collections.abc import Mapping
from html import escape
from importlib import resources
from urllib.parse import parse_qsl, quote

from connectors.servicenow.sandbox.actors import SYSTEM, Actor
from connectors.servicenow.sandbox.http import Reply
from connectors.servicenow.sandbox.instance import Instance
from connectors.servicenow.sandbox.records import AbortedError
from connectors.servicenow.sandbox.schema import Table
from connectors.servicenow.sandbox.shape import local_time
from connectors.servicenow.sandbox.store import Row

_HTML = "text/html;charset=UTF-8"
_PLAN = (
    "opened_by", "requested_for", "cmdb_ci", "risk", "description", "justification",
    "risk_impact_analysis", "implementation_plan", "test_plan",
    "backout_plan", "start_date", "end_date",
)  # fmt: skip
_TICKETS = ("incident", "sc_req_item")
_MOST = 50
_DECISIONS = {"approve": "approved", "reject": "rejected"}


class ApprovalsPage:
    """Shows tickets, changes and approvals, and takes answers."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def handle(self, method: str, query: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Answer one request for the page, or one answer given on it."""
        given = dict(parse_qsl(query, keep_blank_values=True))
        if method == "POST":
            if not _same_site(headers):
                return self._page("Refused", "<p>This form was sent from another site.</p>", 403)
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            return self._answer(form)
        if method not in ("GET", "HEAD"):
            return self._page("Refused", "<p>This page is read and answered, no more.</p>", 405)
        return self._show(given.get("person", ""), given.get("done", ""))

    # --- answering

    def _answer(self, form: dict[str, str]) -> Reply:
        person, number = form.get("person", ""), form.get("approval", "")
        actor = self._instance.accounts.by_name(person)
        row = self._instance.records.read("sysapproval_approver", number)
        decision = _DECISIONS.get(form.get("decision", ""))
        if actor is None or row is None or decision is None:
            return self._page("Not found", "<p>There is no such approval or person.</p>", 404)
        if decision == "rejected" and not form.get("comment", "").strip():
            message = "A rejection needs a comment that says why."
            return self._show(person, message, status=422)
        table = self._instance.schema.tables["sysapproval_approver"]
        if not self._instance.access.can_write(actor, table, row) or row["state"] != "requested":
            return self._show(person, "This approval is not asked of you any more.", status=409)
        values = {"state": decision, "comments": form.get("comment", "").strip()}
        try:
            self._instance.records.update("sysapproval_approver", number, values, actor)
        except AbortedError as error:
            return self._show(person, error.detail, status=409)
        done = f"{self._label(row)} {decision}."
        where = f"/approvals?person={quote(person)}&done={quote(done)}"
        return Reply(status=303, headers={"Location": where})

    def _label(self, row: Row) -> str:
        task = self._instance.records.read("task", row["sysapproval"])
        return task["number"] if task else row["sysapproval"]

    # --- showing

    def _show(self, person: str, message: str, status: int = 200) -> Reply:
        waiting = self._waiting()
        person = person or next(iter(waiting), "")
        actor = self._instance.accounts.by_name(person) if person else None
        parts = [self._chooser(person, waiting)]
        if message:
            parts.insert(0, f'<p class="message" role="status">{escape(message)}</p>')
        if person and actor is None:
            parts.append("<p>Nobody has this user name.</p>")
        if actor is not None:
            parts += [self._approvals(actor), self._changes(actor), self._tickets(actor)]
        return self._page("Approvals", "\n".join(parts), status)

    def _waiting(self) -> dict[str, int]:
        """Return how many approvals wait for whom; who waits longest comes first."""
        found = self._instance.store.rows(
            "SELECT u.user_name, COUNT(*) FROM sysapproval_approver a JOIN sys_user u"
            " ON u.sys_id = a.approver WHERE a.state = 'requested' AND u.active = 'true'"
            " GROUP BY u.user_name ORDER BY MIN(a.sys_created_on), u.user_name"
        )
        return {str(name): int(str(count)) for name, count in found}

    def _chooser(self, person: str, waiting: Mapping[str, int]) -> str:
        asked = self._instance.store.rows(
            "SELECT DISTINCT u.user_name, u.name FROM sys_user u "
            "WHERE u.active = 'true' AND u.user_password IS NOT NULL ORDER BY u.name"
        )
        options = "".join(
            f'<option value="{escape(str(name))}"{" selected" if name == person else ""}>'
            f"{escape(str(shown))} ({escape(str(name))})"
            f"{f', {waiting[name]} waiting' if name in waiting else ''}</option>"
            for name, shown in ((str(one), who) for one, who in asked)
        )
        return (
            '<form method="get" action="/approvals" class="chooser">'
            '<label for="person">Act as</label>'
            f'<select id="person" name="person">{options}</select>'
            "<button>Show</button></form>"
        )

    def _approvals(self, actor: Actor) -> str:
        stands_for = sorted(self._instance.access.stands_for(actor))
        table = self._instance.schema.tables["sysapproval_approver"]
        marks = ",".join("?" * len(stands_for))
        rows = self._instance.store.find(
            table, f"state = 'requested' AND approver IN ({marks})", stands_for
        )
        cards = "".join(self._card(actor, row) for row in rows[:_MOST])
        empty = "<p>Nothing waits for this person.</p>"
        return (
            f'<section aria-labelledby="waiting"><h2 id="waiting">Waiting for {escape(actor.name)}'
            f" ({len(rows)})</h2>{cards or empty}</section>"
        )

    def _card(self, actor: Actor, row: Row) -> str:
        task = self._instance.records.read("task", row["sysapproval"])
        if task is None:
            return ""
        own = self._instance.schema.tables[task["sys_class_name"]]
        hidden = self._instance.access.hidden_columns(actor, own)
        names = [name for name in _PLAN if task.get(name) and name in own.columns.keys() - hidden]
        shown = {own.columns[name].label: self._shown(actor, own, task, name) for name in names}
        plan = "".join(
            f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in shown.items()
        )
        number = row["sys_id"]
        return (
            f"<article><h3>{escape(task['number'])} "
            f"{escape(task['short_description'])}</h3><dl>{plan}</dl>"
            '<form method="post" action="/approvals">'
            f'<input type="hidden" name="person" value="{escape(actor.user_name)}">'
            f'<input type="hidden" name="approval" value="{escape(number)}">'
            f'<label for="c-{escape(number)}">Comment (needed to reject)</label>'
            f'<textarea id="c-{escape(number)}" name="comment" rows="2"></textarea>'
            '<div class="buttons"><button name="decision" value="approve">Approve</button>'
            '<button name="decision" value="reject" class="reject">Reject</button></div>'
            "</form></article>"
        )

    def _shown(self, actor: Actor, table: Table, row: Row, name: str) -> str:
        column = table.columns[name]
        return self._instance.displays.display(column, row[name], actor) or ""

    def _changes(self, actor: Actor) -> str:
        columns = ("number", "short_description", "state", "approval", "start_date")
        return self._list(actor, "change_request", "Changes", columns)

    def _tickets(self, actor: Actor) -> str:
        columns = ("number", "short_description", "state", "assigned_to", "opened_at")
        return "".join(
            self._list(actor, name, f"{self._instance.schema.tables[name].label}s", columns)
            for name in _TICKETS
        )

    def _list(self, actor: Actor, name: str, title: str, columns: tuple[str, ...]) -> str:
        table = self._instance.schema.tables[name]
        rule = self._instance.access.row_rule(actor, table)
        ids = self._instance.store.rows(
            f'SELECT _id FROM "{table.name}" ORDER BY sys_updated_on DESC, _id DESC LIMIT 500'  # noqa: S608 - names come from the schema
        )
        rows = self._instance.store.full_rows(table, [int(str(one[0])) for one in ids])
        seen = [row for row in rows if rule is None or rule(row)][:_MOST]
        labels = [table.columns[one].label for one in columns]
        head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{self._cell(actor, table, row, one)}</td>" for one in columns)
            + "</tr>"
            for row in seen
        )
        if not seen:
            return f"<section><h2>{escape(title)}</h2><p>None that this person sees.</p></section>"
        return (
            f'<section><h2>{escape(title)}</h2><div class="scroll" tabindex="0"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
        )

    def _cell(self, actor: Actor, table: Table, row: Row, name: str) -> str:
        return _link(row) if name == "number" else escape(self._shown(actor, table, row, name))

    def _page(self, title: str, content: str, status: int = 200) -> Reply:
        now = local_time(self._instance.records.now(), SYSTEM)
        return html_page(title, content, status, note=f"{now} UTC")


@functools.cache
def _style() -> str:
    folder = resources.files("connectors.servicenow.sandbox").joinpath("data")
    return folder.joinpath("approvals.css").read_text("utf-8")


def html_page(title: str, content: str, status: int = 200, note: str = "") -> Reply:
    """Return a page around content that is already escaped."""
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · ServiceNow sandbox</title>"
        f"<style>{_style()}</style></head>"
        f"<body><header><h1>{escape(title)}</h1><p>ServiceNow sandbox"
        f"{' · ' if note else ''}{escape(note)}</p></header><main>{content}</main></body></html>"
    )
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    }
    return Reply(status=status, body=text.encode(), content_type=_HTML, headers=headers)


def _same_site(headers: Mapping[str, str]) -> bool:
    """A form of another site must not answer in an approver's name."""
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin", "")
    own = headers.get("host", "")
    return site in ("same-origin", "none") and (not origin or origin.partition("://")[2] == own)


def _link(task: Row) -> str:
    uri = quote(f"{task['sys_class_name']}.do?sys_id={task['sys_id']}", safe="")
    return f'<a href="/nav_to.do?uri={uri}">{escape(task["number"])}</a>'
