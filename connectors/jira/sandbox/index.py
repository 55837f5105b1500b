"""The search index: a copy of what can be searched, which may lag behind the issues."""

from collections.abc import Iterable

from connectors.jira.sandbox import text
from connectors.jira.sandbox.definition import FieldSpec
from connectors.jira.sandbox.fields import RANK, kept, rank_of
from connectors.jira.sandbox.site import Call, Site
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Row
from connectors.sandboxkit.faults import FaultKind

_MULTIPLE = frozenset(
    {"labels", "users", "groups", "options", "components", "versions",
     "sprints"}
)  # fmt: skip
_SINGLE = frozenset({"option", "user", "number", "datetime", "date", "string", "text", "epiclink"})


def hold(call: Call, issue: Row) -> None:
    """Keep an issue as it stands before a change: what searches show while the index lags."""
    if not (call.site.lag or call.site.faults.any()):
        return
    row = {**issue, "fields": issue["fields"]}
    call.store.run(
        "INSERT OR IGNORE INTO ix_old VALUES (?, ?, ?)", issue["id"], call.site.now(), dumps(row)
    )


def seen(call: Call, numbers: list[int]) -> dict[int, Row]:
    """Return the issues that the index still shows as they were, by id.

    `as_of` is the moment up to which they are shown.
    """
    marks = ",".join("?" * len(numbers))
    rows = call.store.rows(
        f"SELECT o.* FROM ix_old o JOIN ix_due d ON d.issue=o.issue WHERE o.issue IN ({marks})",  # noqa: S608 - marks alone
        *numbers,
    )
    return {row["issue"]: {**loads(row["row"]), "as_of": row["at"]} for row in rows}


def mark(call: Call, issue_id: int) -> None:
    """Have an issue indexed, at once or when the lag that is set has passed."""
    wait = call.site.lag
    late = call.strike(FaultKind.LATE_COMMIT)
    if late is not None:
        wait = max(wait, int(late.seconds * 1000))
    for rule in call.site.faults.listing() if call.site.faults.any() else ():
        if rule["kind"] == FaultKind.STALE_INDEX:
            wait = max(wait, int(float(str(rule["seconds"])) * 1000))
    if wait <= 0:
        call.store.run("DELETE FROM ix_due WHERE issue=?", issue_id)
        refresh(call.site, issue_id)
        return
    call.store.run("INSERT OR IGNORE INTO ix_due VALUES (?, ?)", issue_id, call.site.now() + wait)


def catch_up(site: Site, at_once: Iterable[int] = ()) -> None:
    """Index what is due, and the issues that a search asked to be reconciled."""
    for row in site.store.rows("SELECT issue FROM ix_due WHERE due<=?", site.now()):
        site.store.run("DELETE FROM ix_due WHERE issue=?", row["issue"])
        refresh(site, row["issue"])
    for number in at_once:
        if site.store.changed("DELETE FROM ix_due WHERE issue=?", number):
            refresh(site, number)


def refresh(site: Site, issue_id: int) -> None:
    """Bring the index entry of one issue up to date."""
    store = site.store
    store.run("DELETE FROM ix_value WHERE issue=?", issue_id)
    store.run("DELETE FROM ix_old WHERE issue=?", issue_id)
    issue = store.row("SELECT * FROM issue WHERE id=?", issue_id)
    if issue is None:
        store.run("DELETE FROM ix WHERE id=?", issue_id)
        return
    issue["fields"] = loads(issue["fields"])
    store.insert_or_replace("ix", entry(site, issue))
    store.many(
        "INSERT INTO ix_value (issue, field, value, text) VALUES (?, ?, ?, ?)",
        [(issue_id, *one) for one in values(site, issue)],
    )


def entry(site: Site, issue: Row) -> Row:
    """Return the index row of an issue whose `fields` are decoded."""
    described = text.plain_of(issue["fields"].get("description"))
    texts = [issue["summary"], described, text.plain_of(issue["fields"].get("environment"))]
    for spec in site.definition.fields.values():
        if spec.kind in {"text", "string"} and spec.custom:
            held = issue["fields"].get(spec.id)
            texts.append(text.plain_of(held) if isinstance(held, dict) else str(held or ""))
    rows = site.store.rows("SELECT body FROM comment WHERE issue=?", issue["id"])
    texts += [text.plain_of(loads(row["body"])) for row in rows]
    due = issue["fields"].get("duedate")
    return {
        "id": issue["id"],
        "project": issue["project"],
        "number": issue["number"],
        "key": issue["key"],
        "type": issue["type"],
        "status": issue["status"],
        "category": site.definition.statuses[issue["status"]]["category"],
        "priority": issue["priority"],
        "resolution": issue["resolution"],
        "summary": issue["summary"],
        "words": text.words_of("\n".join(texts)),
        "summary_words": text.words_of(issue["summary"]),
        "reporter": issue["reporter"],
        "creator": issue["creator"],
        "assignee": issue["assignee"],
        "created": issue["created"],
        "updated": issue["updated"],
        "resolved": issue["resolved"],
        "category_changed": issue["category_changed"],
        "due": None if due is None else text_day(due),
        "request_type": issue["request_type"],
        "parent": issue["parent"],
    }


def text_day(day: str) -> int:
    """Return a day as a number that sorts like it."""
    return int(day.replace("-", ""))


def values(site: Site, issue: Row) -> list[tuple[str, object, str]]:
    """Return (field, value, words) of everything that has no column in the index."""
    found: list[tuple[str, object, str]] = []
    for spec in site.definition.fields.values():
        held = kept(issue, spec.id)
        if held in (None, [], ""):
            continue
        if spec.kind in _MULTIPLE:
            found += [(spec.id, one, "") for one in held]
        elif spec.kind in _SINGLE and (spec.custom or spec.kind == "text"):
            found.append((spec.id, *_single(spec, held)))
    found.append((RANK, rank_of(issue), ""))
    watchers = site.store.rows("SELECT account FROM watcher WHERE issue=?", issue["id"])
    found += [("watches", row["account"], "") for row in watchers]
    links = site.store.rows(
        "SELECT source AS other FROM link WHERE target=?"
        " UNION SELECT target FROM link WHERE source=?",
        issue["id"],
        issue["id"],
    )
    found += [("issuelinks", row["other"], "") for row in links]
    comments = site.store.rows("SELECT body FROM comment WHERE issue=?", issue["id"])
    found += [("comment", 1, text.words_of(text.plain_of(loads(row["body"])))) for row in comments]
    return found


def _single(spec: FieldSpec, held: object) -> tuple[object, str]:
    if spec.kind == "text" and isinstance(held, dict):
        return 1, text.words_of(text.plain_of(held))
    if spec.kind == "string":
        return str(held), text.words_of(str(held))
    if spec.kind == "date":
        return text_day(str(held)), ""
    return held, ""
