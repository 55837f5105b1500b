"""Change models: legal moves, what a state needs, what entering it does, stages of approval."""

from collections.abc import Mapping

from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import Records, aborted_by
from connectors.servicenow.sandbox.rules import approvals
from connectors.servicenow.sandbox.rules.scripts import holds
from connectors.servicenow.sandbox.rules.tasks import mandatory
from connectors.servicenow.sandbox.store import Row

NEW, ASSESS, AUTHORIZE, SCHEDULED = "-5", "-4", "-3", "-2"
IMPLEMENT, REVIEW, CLOSED, CANCELED = "-1", "0", "3", "4"
MODELS = {
    "normal": "007c4001c343101035ae3f52c1d3aeb2",
    "standard": "e55d0bfec343101035ae3f52c1d3ae49",
    "emergency": "62c4b5e6c343101035ae3f52c1d3aeb1",
}
_FROM_SCHEDULED: Mapping[str, tuple[str, ...]] = {
    SCHEDULED: (IMPLEMENT, CANCELED),
    IMPLEMENT: (REVIEW, CANCELED),
    REVIEW: (CLOSED,),
    CLOSED: (),
    CANCELED: (),
}
MOVES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "normal": {
        NEW: (ASSESS, CANCELED),
        ASSESS: (NEW, AUTHORIZE, CANCELED),
        AUTHORIZE: (NEW, SCHEDULED, CANCELED),
        **_FROM_SCHEDULED,
    },
    "standard": {NEW: (SCHEDULED, CANCELED), **_FROM_SCHEDULED},
    "emergency": {
        NEW: (AUTHORIZE, CANCELED),
        AUTHORIZE: (NEW, SCHEDULED, CANCELED),
        **_FROM_SCHEDULED,
    },
}
_CHECK = ("Change Model: Check State Transition", "ee0a0c0ec303101035ae3f52c1d3ae9b")
_HOLD = ("Change Model: Check On Hold", "5f1ab0b2c303101035ae3f52c1d3ae27")
_STANDARD = ("Restrict fields from Standard Change", "2b30c1d1a7603300d90f3b4e9c0c1f2a")
_PLAN = (
    "short_description", "description", "justification", "implementation_plan", "backout_plan",
    "test_plan", "risk_impact_analysis", "start_date", "end_date", "cmdb_ci", "type", "risk",
)  # fmt: skip
_COPIED = (
    "description", "justification", "implementation_plan", "backout_plan", "test_plan",
    "risk_impact_analysis",
)  # fmt: skip
_STAGES = (ASSESS, AUTHORIZE)
_PENDING_TASK = ("-5", "1", "2")


def register(records: Records) -> None:
    """Put the models in force."""
    records.before("change_request", before_change)
    records.after("change_request", after_change)
    records.before("change_task", before_change_task)


def before_change(records: Records, writing: Writing) -> None:
    """Check and complete a write to a change.

    Raises:
        AbortedError: the move is not in the model, or something it needs is missing.
    """
    new = writing.new
    if writing.old is None:
        _before_insert(records, writing)
        return
    if writing.actor is SYSTEM:
        return
    if writing.changed("type") and (new["state"] != NEW or new["approval"] == "requested"):
        new["type"] = writing.old["type"]
    if writing.changed("type"):
        new["chg_model"] = MODELS.get(new["type"], new["chg_model"])
    if writing.old["type"] == "standard" and any(map(writing.changed, _COPIED)):
        raise aborted_by("change_request", *_STANDARD)
    _check_hold(writing)
    if writing.changed("state"):
        _check_move(records, writing)
    elif new["state"] == NEW and any(writing.changed(name) for name in _PLAN):
        _reset(writing)


def _before_insert(records: Records, writing: Writing) -> None:
    new = writing.new
    if writing.actor is not SYSTEM:
        new["state"] = NEW
        new["approval"] = "not requested"
    if new["std_change_producer_version"] and new["type"] == "normal":
        new["type"] = "standard"
    by_model = {number: kind for kind, number in MODELS.items()}
    if new["chg_model"] in by_model and new["type"] == "normal":
        new["type"] = by_model[new["chg_model"]]
    new["chg_model"] = new["chg_model"] or MODELS.get(new["type"], MODELS["normal"])
    new["requested_by"] = new["requested_by"] or writing.actor.sys_id
    if new["type"] == "standard":
        mandatory(writing, {"std_change_producer_version": "Standard Change Template version"})
        _copy_template(records, new)


def _copy_template(records: Records, new: Row) -> None:
    version = records.read("std_change_producer_version", new["std_change_producer_version"])
    producer = records.read(
        "std_change_record_producer", (version or {}).get("std_change_producer", "")
    )
    template = records.read("std_change_template", producer["template"]) if producer else None
    if template is None:
        return
    for part in template["template"].split("^"):
        name, separator, value = part.partition("=")
        if separator and name in new and (name in _COPIED or not _given(new, name)):
            new[name] = value


def _given(new: Row, name: str) -> bool:
    """A template fills what nobody chose, and overwrites the plan."""
    return new[name] not in ("", "Other", "3")


def _check_hold(writing: Writing) -> None:
    new, old = writing.new, writing.old or {}
    if new["on_hold"] == "true" and writing.changed("on_hold"):
        if new["state"] in (REVIEW, CLOSED, CANCELED):
            raise aborted_by("change_request", *_HOLD)
        mandatory(writing, {"on_hold_reason": "On hold reason"})
    if new["on_hold"] != "true":
        new["on_hold_reason"] = ""
    held = old.get("on_hold") == "true" and new["on_hold"] == "true"
    if held and writing.changed("state") and new["state"] != CANCELED:
        raise aborted_by("change_request", *_HOLD)


def _check_move(records: Records, writing: Writing) -> None:
    old, new = writing.old or {}, writing.new
    moves = MOVES.get(old["type"], MOVES["normal"]).get(old["state"], ())
    if new["state"] not in moves or unmet(records, old | new, old["state"], new["state"]):
        raise aborted_by("change_request", *_CHECK)
    if new["state"] == CLOSED:
        mandatory(writing, {"close_code": "Close code", "close_notes": "Close notes"})
    if new["state"] == IMPLEMENT:
        new["work_start"] = new["work_start"] or records.now()
    if new["state"] == REVIEW:
        new["work_end"] = new["work_end"] or records.now()
    if new["state"] == CANCELED:
        new["on_hold"], new["on_hold_reason"] = "false", ""


def unmet(records: Records, row: Row, start: str, end: str) -> list[str]:
    """Return the names of the conditions of a move that do not hold for a change."""
    found: list[str] = []
    if start == NEW and end in (ASSESS, AUTHORIZE) and not row["assignment_group"]:
        found.append("Assignment group is set")
    if end in (AUTHORIZE, SCHEDULED) and start in _STAGES and row["approval"] != "approved":
        found.append("Approval is approved")
    if end == CLOSED and any(
        task["state"] in _PENDING_TASK
        for task in records.find("change_task", change_request=row["sys_id"])
    ):
        found.append("All change tasks are closed")
    return found


def _reset(writing: Writing) -> None:
    """Editing the plan in New takes back what was decided about the plan before."""
    if writing.new["approval"] != "not requested":
        writing.new["approval"] = "not requested"


def after_change(records: Records, writing: Writing) -> None:
    """Do what entering a state, a hold or its end does."""
    row, number = writing.new, writing.new["sys_id"]
    if writing.old is None:
        return
    if writing.becomes("approval", "not requested"):
        approvals.close_pending(records, number, approvals.CANCELLED)
    if writing.changed("on_hold"):
        _hold_or_release(records, row)
    if writing.changed("state"):
        _entered(records, row)


def _entered(records: Records, row: Row) -> None:
    number = row["sys_id"]
    if row["state"] in _STAGES:
        start_stage(records, row, after="")
    elif row["state"] == NEW:
        _back_to_new(records, row)
    elif row["state"] == SCHEDULED and row["type"] == "standard":
        approvals.set_approval(records, number, approvals.APPROVED)
    elif row["state"] == IMPLEMENT:
        _make_tasks(records, row)
    elif row["state"] in (REVIEW, CANCELED):
        _cancel_tasks(records, row)
    if row["state"] == CANCELED:
        approvals.close_pending(records, number, approvals.CANCELLED)


def _hold_or_release(records: Records, row: Row) -> None:
    number = row["sys_id"]
    if row["on_hold"] == "true":
        approvals.hold(records, number)
        return
    approvals.release(records, number)
    waiting = records.find("sysapproval_approver", sysapproval=number, state=approvals.REQUESTED)
    # An answer that came in during the hold takes effect now.
    if row["state"] in _STAGES and not waiting:
        records.later("change_request:approved", number)


def _back_to_new(records: Records, row: Row) -> None:
    approvals.close_pending(records, row["sys_id"], approvals.CANCELLED)
    if row["approval"] != approvals.REJECTED:
        records.update("change_request", row["sys_id"], {"approval": "not requested"})


def _make_tasks(records: Records, row: Row) -> None:
    for kind, text in (("implementation", "Implement"), ("testing", "Post implementation testing")):
        records.insert(
            "change_task",
            {
                "change_request": row["sys_id"],
                "parent": row["sys_id"],
                "change_task_type": kind,
                "short_description": text,
                "assignment_group": row["assignment_group"],
                "assigned_to": row["assigned_to"],
                "planned_start_date": row["start_date"],
                "planned_end_date": row["end_date"],
                "created_from": "workflow",
            },
        )


def _cancel_tasks(records: Records, row: Row) -> None:
    for task in records.find("change_task", change_request=row["sys_id"]):
        by_workflow = task["created_from"] == "workflow" or row["state"] == CANCELED
        if by_workflow and task["state"] in _PENDING_TASK:
            records.update("change_task", task["sys_id"], {"state": "4"})


def before_change_task(records: Records, writing: Writing) -> None:
    """Tie a task to its change, and keep it inside the window.

    Raises:
        AbortedError: its dates lie outside the window of the change.
    """
    new = writing.new
    new["parent"] = new["parent"] or new["change_request"]
    change = records.read("change_request", new["change_request"])
    if change is None or writing.actor is SYSTEM:
        return
    early = change["start_date"] and new["planned_start_date"] and (
        new["planned_start_date"] < change["start_date"]
    )  # fmt: skip
    late = change["end_date"] and new["planned_end_date"] and (
        new["planned_end_date"] > change["end_date"]
    )  # fmt: skip
    if early or late:
        raise aborted_by(
            "change_task", "Validate planned dates", "b1d2c3f4a7103300d90f3b4e9c0c1f2b"
        )


def _matching(records: Records, row: Row) -> list[Row]:
    """Return the approval definitions for a change in its state, in their order."""
    found = records.find(
        "change_approval_definition", change_type=row["type"], state=row["state"], active="true"
    )
    matching = [
        one for one in found if holds(records, "change_request", one["condition"], row["sys_id"])
    ]
    return sorted(matching, key=lambda one: int(one["order"] or 0))


def start_stage(records: Records, row: Row, *, after: str) -> None:
    """Ask the first approvers behind `after`; where nobody is asked the state is passed through."""
    definitions = _matching(records, row)
    orders = sorted({int(one["order"] or 0) for one in definitions})
    for order in (one for one in orders if after == "" or one > int(after)):
        asked = [_ask(records, row, one) for one in definitions if int(one["order"] or 0) == order]
        if any(asked):
            approvals.set_approval(records, row["sys_id"], approvals.REQUESTED)
            return
    if after == "":
        state = "Technical approvals" if row["state"] == ASSESS else "Risk approvals"
        approvals.history(
            records,
            row["sys_id"],
            "No approvals were generated from matched Decisions. "
            f"{row['type'].capitalize()} Change Policy has been skipped ({state}).",
        )
    approvals.set_approval(records, row["sys_id"], approvals.APPROVED)
    records.later("change_request:advance", row["sys_id"])


def _ask(records: Records, row: Row, definition: Row) -> bool:
    if definition["approval_user"]:
        approvals.request_user(records, row, definition["approval_user"], order=definition["order"])
        return True
    return approvals.request_group(
        records,
        row,
        definition["approval_group"],
        wait_for=definition["wait_for"],
        percent=definition["wait_for_percent"],
        order=definition["order"],
    )


def approved(records: Records, sys_id: str) -> None:
    """Go on after a stage was approved: to the next approvers, or to the next state."""
    row = records.read("change_request", sys_id)
    if row is None or row["state"] not in _STAGES or row["on_hold"] == "true":
        return
    answers = records.find("sysapproval_approver", sysapproval=sys_id)
    given = [one for one in answers if one["state"] == approvals.APPROVED]
    last = max((int(one["order"] or 0) for one in given), default=0)
    policy = "Technical approvals" if row["state"] == ASSESS else "Risk approvals"
    approvals.history(
        records,
        sys_id,
        f"Change Request has been approved by {row['type'].capitalize()} Change Policy ({policy})",
    )
    start_stage(records, row, after=str(last))


def advance(records: Records, sys_id: str) -> None:
    """Take the automatic move of an approved change."""
    row = records.read("change_request", sys_id)
    if row is None or row["approval"] != approvals.APPROVED or row["state"] not in _STAGES:
        return
    following = AUTHORIZE if row["state"] == ASSESS else SCHEDULED
    records.update("change_request", sys_id, {"state": following})


def rejected(records: Records, sys_id: str) -> None:
    """Take a rejected change back to New."""
    row = records.read("change_request", sys_id)
    if row is not None and row["state"] in _STAGES:
        records.update("change_request", sys_id, {"state": NEW})
