"""What an auditor asks of a ticket, in the order of the flow, taken from one signed export.

A step that was taken is told from the chain, which proves it; texts and names come from the
records beside it, for which the export's own signature stands.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.domain.plan import Plan
from engine.store import codec
from engine.store.tickets import ERASED

WHOLE_PLAN = "Whole plan"
SEEN = "On the change: "
"""What begins the name of a text that approvers read."""

Document = Mapping[str, Any]
Lines = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One table of names and texts; `folded` holds long ones that are opened one by one."""

    title: str
    lines: Lines
    folded: Lines = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One question and its answers; `nothing` says what it means that there is none."""

    title: str
    blocks: Sequence[Block]
    nothing: str


def sections(document: Document) -> tuple[Section, ...]:
    """Return the sections from the signal to the feedback."""
    per_handling: tuple[tuple[str, Callable[[Document, Document], Lines], str], ...] = (
        ("Classification", _classification, "It was never classified."),
        ("Rule and decision", _decision, "Nothing was decided."),
        ("Plan", _plan, "No plan was drafted."),
        ("Approval", _approval, "Nothing was submitted for approval, and nothing approved."),
        ("Effect", _effects, "No effect was intended: nothing was changed by us."),
        ("Verification", _verification, "There was no effect to verify."),
        ("Result", _result, "It has not ended."),
    )
    found = [Section(title="Signal", blocks=_signal(document), nothing="The ticket is not known.")]
    found += [
        Section(title=title, blocks=_blocks(document, tell), nothing=nothing)
        for title, tell, nothing in per_handling
    ]
    feedback = [
        Block(title=f"{moment(row['at'])} by {row['actor']}", lines=_lines(row["body"]))
        for row in _rows(document, "feedback")
    ]
    found.append(Section(title="Feedback", blocks=feedback, nothing="Nobody gave feedback so far."))
    erased = [
        Block(
            title=moment(row["at"]), lines=[("Erased by", row["actor"]), ("Why", _text(row, "why"))]
        )
        for row in _rows(document, ERASED)
    ]
    if erased:
        found.append(Section(title="Erasure", blocks=erased, nothing=""))
    return tuple(found)


def _blocks(document: Document, tell: Callable[[Document, Document], Lines]) -> list[Block]:
    handlings = document["handlings"]
    told = [(one, tell(document, one)) for one in handlings]
    return [
        Block(
            title=f"Attempt {one['attempt']}" if len(handlings) > 1 else "",
            lines=[line for line in lines if not _is_long(line[0])],
            folded=[line for line in lines if _is_long(line[0])],
        )
        for one, lines in told
        if lines
    ]


def _is_long(name: str) -> bool:
    return name == WHOLE_PLAN or name.startswith(SEEN)


def summary(document: Document) -> Lines:
    """Return the story in a few lines: who asked, what ran, who approved, how it ended."""
    found = list[tuple[str, str]]()
    ticket = document["ticket"]
    if ticket:
        is_erased = ticket["short_description"] == ERASED
        who = _account(ticket["requester"], is_erased=is_erased)
        words = ticket["short_description"]
        found.append(("Asked", f"{moment(ticket['created_at'])} by {who}: {words}"))
    handlings = document["handlings"]
    for handling in handlings:
        which = f" (attempt {handling['attempt']})" if len(handlings) > 1 else ""
        found += [(f"{name}{which}", text) for name, text in _summed_up(document, handling)]
    return found


def _summed_up(document: Document, handling: Document) -> Lines:
    found = list[tuple[str, str]]()
    decided = _step(document, handling, "decided")
    if decided is not None:
        body = decided["body"]
        reasons = "; ".join(one["because"] for one in body.get("reasons") or ())
        found.append(
            ("Decided", f"{body.get('action') or 'no action'}, tier {body.get('tier')}: {reasons}")
        )
    if handling["plan"] is not None:
        bound = handling["plan"]["bound"]
        targets = ", ".join(one["name"] for one in bound["targets"].values())
        touched = f"{bound['subject']['name']}{f' → {targets}' if targets else ''}"
        found.append(("Plan", f"{bound['action']} for {touched} at {bound['system']}"))
    approved = _step(document, handling, "approved")
    if approved is not None:
        change = handling["change"]
        number = f" on {change['number']}" if change else ""
        found.append(("Approved", f"{moment(approved['at'])} {_why(approved)}{number}"))
    for one in _of(document, handling):
        fired = one["evidence"].get("_firing_at")
        state = "verified at the target" if one["verified"] else one["phase"]
        when = moment(fired) if fired else "never fired" if one["evidence"] else ERASED
        found.append((f"Effect ({one['kind']})", f"{when}, {state}"))
    ended = _result(document, handling)
    found += [("Result", "; ".join(text for _, text in ended))] if ended else []
    return found


def _signal(document: Document) -> list[Block]:
    ticket = document["ticket"]
    if not ticket:
        return []
    is_erased = ticket["short_description"] == ERASED
    lines = [
        ("Ticket", f"{ticket['ref']['key']} ({ticket['ref']['system']}, {ticket['ref']['kind']})"),
        ("Record id", ticket["ref"]["id"]),
        ("Created", moment(ticket["created_at"])),
        ("Requested by", _account(ticket["requester"], is_erased=is_erased)),
        ("Entered by", _account(ticket["creator"], is_erased=is_erased)),
        ("Channel", ticket["channel"]),
        ("Short description", ticket["short_description"]),
        ("Description", ERASED if is_erased else ticket["description"]),
    ]
    return [Block(title="", lines=lines)]


def _classification(document: Document, handling: Document) -> Lines:
    row = _step(document, handling, "triaged")
    if row is None:
        return []
    found, body = handling["classification"], row["body"]
    if found is None:
        words = ERASED if _is_erased(handling) else "none"
    else:
        words = " / ".join(found["evidence"]) or "none"
    lines = [
        ("When", moment(row["at"])),
        ("Understood as", _text(row, "intent") or f"nothing (best: {body.get('candidate')})"),
        ("Confidence", str(body.get("confidence", ""))),
        ("From the words", words),
        ("Model", str(body.get("model", ""))),
        ("Said", _why(row)),
    ]
    guesses = found["parameters"] if found else {}
    return [*lines, *((f"Parameter {name}", one["value"]) for name, one in guesses.items())]


def _decision(document: Document, handling: Document) -> Lines:
    row = _step(document, handling, "decided")
    if row is None:
        return []
    body = row["body"]
    reasons = body.get("reasons") or ()
    return [
        ("When", moment(row["at"])),
        ("Action", str(body.get("action", ""))),
        ("Tier", str(body.get("tier", ""))),
        ("Gate", str(body.get("gate", ""))),
        ("Rules", "\n".join(f"{one['rule']}: {one['because']}" for one in reasons)),
        ("Requester proved", "yes" if body.get("authenticated") else "no"),
        ("Phase", str(body.get("phase", ""))),
        ("Tier map", str(body.get("tier_map_digest", ""))),
    ]


def _plan(document: Document, handling: Document) -> Lines:
    pinned = [
        (row["at"], row["body"]["plan_digest"])
        for row in document["rows"]
        if row["body"].get("handling") == handling["id"]
        and row["body"].get("to") == "drafted"
        and "plan_digest" in row["body"]
    ] or _ready(document, handling)
    if not pinned:
        return []
    lines = [(f"Drafted {moment(at)}", digest) for at, digest in pinned]
    if handling["plan"] is None:
        return [*lines, ("Content", ERASED if _is_erased(handling) else "none")]
    plan = codec.loads(Plan, json.dumps(handling["plan"]))
    fits = "yes" if plan.digest == pinned[-1][1] else "NO: the record is not what the chain names"
    content = json.dumps(plan.document(), ensure_ascii=False, indent=1, sort_keys=True)
    return [
        *lines,
        ("Content has this digest", fits),
        ("Action", f"{plan.bound.action} at {plan.bound.system}"),
        ("Subject", f"{plan.bound.subject.name} ({plan.bound.subject.id})"),
        *(
            (name.capitalize(), f"{target.name} ({target.id})")
            for name, target in plan.bound.targets.items()
        ),
        ("Asked for by", f"{plan.requester_name} ({plan.requester_key})"),
        (WHOLE_PLAN, content),
        *((f"{SEEN}{name}", text) for name, text in _seen_by_approvers(handling)),
    ]


def _seen_by_approvers(handling: Document) -> Lines:
    """Return the change's texts as they were read back when it was submitted."""
    submission = handling["submission"] or {}
    text = submission.get("text") or handling["text"] or {}
    return [
        (name.replace("_", " "), value)
        for name, value in text.items()
        if isinstance(value, str) and value
    ]


def _ready(document: Document, handling: Document) -> list[tuple[str, str]]:
    """Return the digest of a plan that needed no gate: the step to `ready` names it."""
    row = _step(document, handling, "ready")
    return [(row["at"], row["body"]["plan_digest"])] if row and "plan_digest" in row["body"] else []


def _approval(document: Document, handling: Document) -> Lines:
    lines = list[tuple[str, str]]()
    change = handling["change"]
    if change:
        lines.append(("Change", f"{change['system']}:{change['number']} ({change['id']})"))
    for row in document["rows"]:
        body = row["body"]
        if body.get("handling") != handling["id"]:
            continue
        if row["event"] == "submitted":
            members = "\n".join(f"  {one}" for one in body.get("members") or ())
            asked = f"{body['authority']} (group {body['group']})\nmembers then:\n{members}"
            lines.append(
                (f"Submitted {moment(row['at'])}", f"{asked}\nplan: {body['plan_digest']}")
            )
        elif body.get("to") == "approved":
            lines.append((f"Approved {moment(row['at'])}", _why(row)))
            lines += [("Approver's account", _approver(one)) for one in body.get("approvers") or ()]
            lines.append(("Approved plan", _text(row, "plan_digest")))
    used = [one for one in document["consumptions"] if one["effect"] in _keys(document, handling)]
    lines += [
        ("Used once", f"{one['system']} {one['change_id']} revision {one['revision']}")
        for one in used
    ]
    if not lines and handling["gate"] == "none" and _keys(document, handling):
        return [("Approval", "not needed: the decision put no gate before this action")]
    return lines


def _approver(one: Document) -> str:
    text = f"{one['system']}:{one['id']}"
    if one.get("decided_at"):
        text += f" at {moment(one['decided_at'])}"
    if one.get("set_by") and one["set_by"] != one["id"]:
        text += f", entered by {one['set_by']}"
    return text


def _effects(document: Document, handling: Document) -> Lines:
    lines = list[tuple[str, str]]()
    for one in _of(document, handling):
        fired = one["evidence"].get("_firing_at")
        is_blank = _is_erased(handling) and not one["evidence"]
        when = ERASED if is_blank else moment(fired or "never: nothing was called")
        lines += [
            ("Effect", f"{one['kind']} of {one['action']}: {one['phase']}"),
            ("Key", one["key"]),
            ("Intent stored", moment(one["started_at"])),
            ("Fired", when),
            ("Before", ERASED if is_blank else _listed(one["baseline"])),
        ]
    return lines


def _verification(document: Document, handling: Document) -> Lines:
    lines = list[tuple[str, str]]()
    for one in _of(document, handling):
        seen = {k: v for k, v in one["evidence"].items() if not k.startswith("_")}
        is_blank = _is_erased(handling) and not one["evidence"]
        lines += [
            ("Effect", f"{one['kind']} of {one['action']}"),
            ("Verified at the target", "yes" if one["verified"] else "no"),
            ("Finished", moment(one["finished_at"] or "not finished")),
            ("Seen", ERASED if is_blank else _listed(seen)),
        ]
    for row in document["rows"]:
        if row["body"].get("handling") == handling["id"] and "verified" in row["body"]:
            lines.append((f"Row {row['number']}", f"{_why(row)} ({moment(row['at'])})"))
    return lines


def _result(document: Document, handling: Document) -> Lines:
    steps = [row for row in document["rows"] if row["body"].get("handling") == handling["id"]]
    last = next((row for row in reversed(steps) if "to" in row["body"]), None)
    if last is None:
        return []
    return [
        ("Stands at", f"{last['body']['to']} since {moment(last['at'])}"),
        ("Because", _why(last)),
    ]


def _rows(document: Document, event: str) -> list[Document]:
    return [row for row in document["rows"] if row["event"] == event]


def _step(document: Document, handling: Document, to: str) -> Document | None:
    """Return the newest step of a handling to a stage."""
    for row in reversed(document["rows"]):
        body = row["body"]
        if body.get("handling") == handling["id"] and body.get("to") == to and "from" in body:
            return dict(row)
    return None


def _of(document: Document, handling: Document) -> list[Document]:
    return [one for one in document["effects"] if one["handling"] == handling["id"]]


def _keys(document: Document, handling: Document) -> frozenset[str]:
    return frozenset(one["key"] for one in _of(document, handling))


def _is_erased(handling: Document) -> bool:
    return bool(handling["reason"] == ERASED and handling["plan"] is None)


def _account(account: Document | None, *, is_erased: bool) -> str:
    if account is None:
        return ERASED if is_erased else "nobody"
    return f"{account['name']} ({account['id']})"


def _text(row: Document, name: str) -> str:
    return str(row["body"].get(name) or "")


def _why(row: Document) -> str:
    """Return the reason of a step; it stands beside the chain, and an erasure takes it."""
    beside = row["private"]
    if isinstance(beside, Mapping) and "why" in beside:
        return str(beside["why"]["text"])
    return _text(row, "why") or (ERASED if beside == ERASED else "")


def moment(text: object) -> str:
    """Return an instant of an export as people read it; what is none stays as it is."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return f"{at.astimezone(UTC):%d %b %Y %H:%M:%S.%f}"[:-3] + " UTC" if at.tzinfo else str(text)


def _listed(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items()) or "nothing"


def _lines(body: Mapping[str, Any]) -> Lines:
    return [
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in body.items()
        if name != "private"
    ]
