"""Many issues at once, written to the tables directly."""

from collections.abc import Iterator
from itertools import islice

from connectors.jira.sandbox import text
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.wire import Json, Row

_BATCH = 20_000
_STEP = 1_000
"""Milliseconds between two issues, so that times differ and rise with the number."""


def load(call: Call, asked: Row) -> Json:
    """Write `count` issues of one type and return the first and the last key.

    Raises:
        ValueError: the project, the type or the status is unknown.
    """
    project = call.store.row("SELECT * FROM project WHERE key=?", asked["project"])
    kind = call.definition.find(call.definition.types, asked["type"])
    if project is None or kind is None:
        raise ValueError("unknown project or type")
    flow = call.definition.workflow(project["template"], kind["id"])
    status = flow.initial
    if "status" in asked:
        found = call.definition.find(call.definition.statuses, asked["status"])
        if found is None or found["id"] not in flow.statuses:
            raise ValueError(f"no status {asked['status']!r} in this workflow")
        status = found["id"]
    count = int(asked["count"])
    first = call.store.counter("issue", 10000)
    call.store.run("UPDATE site SET value=? WHERE name='seq.issue'", str(first + count))
    request = call.store.row(
        "SELECT id FROM request_type WHERE project=? AND spec LIKE ? ORDER BY id LIMIT 1",
        project["id"],
        f'%"issue_type":"{kind["name"]}"%',
    )
    columns: Row = {
        "project": project,
        "kind": kind["id"],
        "status": status,
        "summary": str(asked.get("summary", "Issue number")),
        "person": call.user.id,
        "start": call.site.now() - count * _STEP,
        "category": call.definition.statuses[status]["category"],
        "request": None if request is None else request["id"],
    }
    rows = _rows(columns, first, count)
    while batch := list(islice(rows, _BATCH)):
        call.store.many(
            "INSERT INTO issue (id, project, number, key, type, status, priority, summary,"
            " reporter, creator, created, updated, category_changed, request_type)"
            " VALUES (?, ?, ?, ?, ?, ?, '3', ?, ?, ?, ?, ?, ?, ?)",
            [one[0] for one in batch],
        )
        call.store.many(
            "INSERT INTO ix (id, project, number, key, type, status, category, priority, summary,"
            " words, summary_words, reporter, creator, created, updated, category_changed,"
            " request_type) VALUES (?, ?, ?, ?, ?, ?, ?, '3', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [one[1] for one in batch],
        )
    last = project["counter"] + count
    call.store.run("UPDATE project SET counter=? WHERE id=?", last, project["id"])
    return [f"{project['key']}-{project['counter'] + 1}", f"{project['key']}-{last}"]


def _rows(held: Row, first: int, count: int) -> Iterator[tuple[tuple[Json, ...], tuple[Json, ...]]]:
    project, person = held["project"], held["person"]
    words = text.words_of(held["summary"]).rstrip()
    for offset in range(count):
        number = project["counter"] + 1 + offset
        key = f"{project['key']}-{number}"
        summary = f"{held['summary']} {number}"
        at = held["start"] + offset * _STEP
        head = (first + offset, project["id"], number, key, held["kind"], held["status"])
        tail = (person, person, at, at, at, held["request"])
        known = f"{words} {number} "
        yield (*head, summary, *tail), (*head, held["category"], summary, known, known, *tail)
