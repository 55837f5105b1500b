"""The life of an issue: found, made, changed, moved along its workflow, with its changelog."""

from collections.abc import Mapping

from connectors.jira.sandbox import approvals, index
from connectors.jira.sandbox.caps import leave_room
from connectors.jira.sandbox.definition import Transition, Workflow
from connectors.jira.sandbox.fields import COLUMNS, kept, named
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Json, Row, not_found
from connectors.sandboxkit.faults import FaultKind

_DIGITS = 18
"""The longest number that SQLite keeps."""


def find(call: Call, ref: str) -> Row | None:
    """Return the issue with this id or key (a key it had before a move counts too)."""
    store = call.store
    if ref.isdigit():
        row = store.row("SELECT * FROM issue WHERE id=?", int(ref) if len(ref) <= _DIGITS else -1)
    else:
        row = store.row("SELECT * FROM issue WHERE key=?", ref.upper())
        if row is None:
            row = store.row(
                "SELECT i.* FROM issue i JOIN moved m ON m.issue=i.id WHERE m.old=?", ref.upper()
            )
    if row is not None:
        row["fields"] = loads(row["fields"])
    return row


def visible(call: Call, ref: str) -> Row:
    """Return an issue that the caller may browse.

    Raises:
        ApiError: 404, it is not there or not for the caller's eyes (the vendor does not say which).
    """
    row = find(call, ref)
    if row is None or not call.may("BROWSE_PROJECTS", row["project"]):
        raise not_found(_missing(call))
    return row


def _missing(call: Call) -> str:
    if call.cloud:
        return "Issue does not exist or you do not have permission to see it."
    if call.caller is None:
        return "You do not have the permission to see the specified issue."
    return "Issue Does Not Exist"


def reload(call: Call, issue: Row) -> Row:
    """Return the issue as it stands now."""
    found = find(call, str(issue["id"]))
    if found is None:
        raise not_found()
    return found


def project_row(call: Call, number: int) -> Row:
    """Return the row of a project that is known to exist."""
    row = call.store.row("SELECT * FROM project WHERE id=?", number)
    if row is None:
        raise not_found()
    return row


def workflow(call: Call, issue: Row) -> Workflow:
    """Return the workflow that an issue follows."""
    template = project_row(call, issue["project"])["template"]
    return call.definition.workflow(template, issue["type"])


def create(
    call: Call,
    project: Row,
    values: Mapping[str, Json],
    *,
    request_type: int | None = None,
    channel: str = "jira",
) -> Row:
    """Make an issue from kept values and put it into the first status of its workflow."""
    now = call.stamp()
    kind = values.get("customfield_10010") if request_type is None else request_type
    values = {**values, **_automated(call, kind, values)}
    flow = call.definition.workflow(project["template"], values["issuetype"])
    number = project["counter"] + 1
    call.store.run("UPDATE project SET counter=? WHERE id=?", number, project["id"])
    columns = {COLUMNS[one]: held for one, held in values.items() if one in COLUMNS}
    others = {one: held for one, held in values.items() if one not in COLUMNS}
    row: Row = {
        "priority": "3",
        "reporter": call.user.id,
        "assignee": project["lead"] if project["assignee_type"] == "PROJECT_LEAD" else None,
        **columns,
        "id": call.store.counter("issue", 10000),
        "project": project["id"],
        "number": number,
        "key": f"{project['key']}-{number}",
        "status": flow.initial,
        "resolution": None,
        "creator": call.user.id,
        "created": now,
        "updated": now,
        "resolved": None,
        "category_changed": now,
        "channel": channel,
        "fields": dumps({one: held for one, held in others.items() if held not in (None, [])}),
    }
    row["request_type"] = kind
    call.store.insert("issue", row)
    call.store.run("INSERT INTO watcher VALUES (?, ?)", row["id"], call.user.id)
    issue = reload(call, row)
    _entered(call, issue, flow)
    index.mark(call, issue["id"])
    call.events.append(("jira:issue_created", {"issue": issue, "user": call.user}))
    return issue


def _automated(call: Call, kind: Json, values: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the request type's automation fills: group names become their members."""
    spec = call.store.value("SELECT spec FROM request_type WHERE id=?", kind) if kind else None
    filled: dict[str, Json] = {}
    for name, wanted in (loads(spec).get("defaults") or {}).items() if spec else ():
        if values.get(name):
            continue
        groups = (call.people.group(one.removeprefix("group:")) for one in wanted)
        members = (one.id for g in groups if g is not None for one in call.people.members(g["id"]))
        filled[name] = list(dict.fromkeys(members))
    return filled


def change(
    call: Call, issue: Row, values: Mapping[str, Json], *, touch: bool = False
) -> list[tuple[str, Json, Json]]:
    """Write kept values; return (field, before, after) of those that differ.

    The time of update moves where something differs, or `touch` asks for it.
    """
    differing = [
        (one, kept(issue, one), held)
        for one, held in values.items()
        if (kept(issue, one) or None) != (held or None)
    ]
    if not differing and not touch:
        return []
    index.hold(call, issue)
    now = call.stamp()
    row: Row = {COLUMNS[one]: held for one, _, held in differing if one in COLUMNS}
    for one, _, held in differing:
        if one not in COLUMNS:
            issue["fields"][one] = held
            if held in (None, []):
                del issue["fields"][one]
    row["fields"] = dumps(issue["fields"])
    if not call.strike(FaultKind.FROZEN_TIMESTAMP):
        row["updated"] = now
    call.store.update("issue", issue["id"], row)
    issue.update({name: held for name, held in row.items() if name != "fields"})
    if differing:
        _record(call, issue, differing, now)
    index.mark(call, issue["id"])
    return differing


def _record(call: Call, issue: Row, differing: list[tuple[str, Json, Json]], now: int) -> None:
    history = call.store.insert(
        "history",
        {
            "id": call.store.counter("history", 10000),
            "issue": issue["id"],
            "author": call.user.id,
            "created": now,
        },
    )
    items: list[Row] = []
    for field_id, before, after in differing:
        spec = call.definition.fields[field_id]
        old, old_text = named(call, spec, before)
        new, new_text = named(call, spec, after)
        items.append(
            {
                "history": history,
                "issue": issue["id"],
                "field": spec.name if spec.custom else spec.id,
                "field_type": "custom" if spec.custom else "jira",
                "field_id": spec.id,
                "old": old,
                "old_text": old_text,
                "new": new,
                "new_text": new_text,
            }
        )
    for item in items:
        call.store.insert("history_item", item)
    call.events.append(
        (
            "jira:issue_updated",
            {"issue": issue, "user": call.user, "history": history, "items": items},
        )
    )


def note(call: Call, issue: Row, item: Row) -> None:
    """Write a changelog entry for something that is no field: a link, a worklog."""
    history = call.store.insert(
        "history",
        {
            "id": call.store.counter("history", 10000),
            "issue": issue["id"],
            "author": call.user.id,
            "created": call.stamp(),
        },
    )
    call.store.insert(
        "history_item",
        {"history": history, "issue": issue["id"], "field_type": "jira", **item},
    )
    touch(call, issue)


def touch(call: Call, issue: Row) -> None:
    """Move the time of update and index the issue again."""
    change(call, issue, {}, touch=True)


def available(call: Call, issue: Row) -> list[Transition]:
    """Return the transitions that the caller may run now.

    Approve and Decline of an approval step are Jira Service Management's own and never listed.
    """
    if not call.may("TRANSITION_ISSUES", issue["project"]):
        return [
            one
            for one in workflow(call, issue).leaving(issue["status"])
            if one.needs and _meets(call, one) and call.may("BROWSE_PROJECTS", issue["project"])
        ]
    return [
        one
        for one in workflow(call, issue).leaving(issue["status"])
        if not one.internal and _meets(call, one)
    ]


def unavailable(call: Call, issue: Row) -> list[Transition]:
    """Return the transitions from here whose conditions the caller does not meet."""
    open_to = available(call, issue)
    leaving = workflow(call, issue).leaving(issue["status"])
    return [one for one in leaving if one not in open_to and not one.internal]


def _meets(call: Call, transition: Transition) -> bool:
    if not transition.needs:
        return True
    return call.caller is not None and call.people.is_in(call.caller, transition.needs)


def move(call: Call, issue: Row, transition: Transition, values: Mapping[str, Json]) -> None:
    """Run a transition: its fields, its post functions, and what the new status brings."""
    target = transition.target
    if call.strike(FaultKind.IGNORED_STATE):
        return
    definition = call.definition
    wanted: dict[str, Json] = dict(values)
    wanted["status"] = target
    if "resolution" not in wanted and transition.resolution is not None:
        found = definition.find(definition.resolutions, transition.resolution)
        wanted["resolution"] = found["id"] if found else None
    if definition.statuses[target]["category"] != "done":
        wanted["resolution"] = None
    before = issue["status"]
    change(call, issue, wanted, touch=True)
    after: Row = {}
    if definition.category_of(before)["key"] != definition.category_of(target)["key"]:
        after["category_changed"] = issue["updated"]
    if wanted.get("resolution") and issue["resolved"] is None:
        after["resolved"] = issue["updated"]
    elif not issue["resolution"] and issue["resolved"] is not None:
        after["resolved"] = None
    if after:
        call.store.update("issue", issue["id"], after)
        issue.update(after)
        index.mark(call, issue["id"])
    _entered(call, issue, workflow(call, issue))


def _entered(call: Call, issue: Row, flow: Workflow) -> None:
    step = flow.approvals.get(issue["status"])
    if step is not None and issue["request_type"] is not None:
        approvals.open_for(call, issue, step)


def answer(call: Call, issue: Row, approval: Row, *, approve: bool) -> Row:
    """Record the caller's decision on an approval and run the transition it completes."""
    done = approvals.decide(call, issue, approval, approve=approve)
    if done is not None:
        step = workflow(call, issue).transition(done)
        if step is not None:
            move(call, issue, step, {})
    else:
        touch(call, issue)
    found = call.store.row("SELECT * FROM approval WHERE id=?", approval["id"])
    if found is None:
        raise not_found()
    return found


def delete(call: Call, issue: Row) -> None:
    """Remove an issue and everything that hangs on it."""
    number = issue["id"]
    index.hold(call, issue)
    for table, column, parts in (
        ("worklog_limit", "worklog", "worklog"),
        ("file_talk", "attachment", "attachment"),
    ):
        call.store.run(
            f"DELETE FROM {table} WHERE {column} IN"  # noqa: S608 - words of ours
            f" (SELECT id FROM {parts} WHERE issue=?)",
            number,
        )
    for table in (
        "comment", "worklog", "property", "remote_link", "watcher", "vote", "attachment",
        "history", "history_item", "moved", "feedback", "subscription",
    ):  # fmt: skip
        call.store.run(
            f"DELETE FROM {table} WHERE issue=?",  # noqa: S608 - words of ours
            number,
        )
    call.store.run(
        "DELETE FROM approver WHERE approval IN (SELECT id FROM approval WHERE issue=?)", number
    )
    call.store.run("DELETE FROM approval WHERE issue=?", number)
    call.store.run("DELETE FROM link WHERE source=? OR target=?", number, number)
    call.store.run("DELETE FROM issue WHERE id=?", number)
    index.mark(call, number)
    call.events.append(("jira:issue_deleted", {"issue": issue, "user": call.user}))


def add_comment(
    call: Call,
    issue: Row,
    body: Row,
    *,
    internal: bool,
    properties: Json = None,
    visibility: Json = None,
) -> Row:
    """Add a comment and return its row."""
    leave_room(call, "comment", issue)
    index.hold(call, issue)
    now = call.stamp()
    number = call.store.insert(
        "comment",
        {
            "id": call.store.counter("comment", 10000),
            "issue": issue["id"],
            "author": call.user.id,
            "editor": call.user.id,
            "body": dumps(body),
            "created": now,
            "updated": now,
            "internal": int(internal),
            "visibility": None if visibility is None else dumps(visibility),
            "properties": dumps(properties or {}),
        },
    )
    touch(call, issue)
    row = call.store.row("SELECT * FROM comment WHERE id=?", number)
    call.events.append(("comment_created", {"issue": issue, "user": call.user, "comment": row}))
    return row or {}
