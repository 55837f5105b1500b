"""The approval engine: group approvals, who may still answer, what an answer does to the task.

Rows are written as a real instance writes them: `sysapproval_group` per group, one
`sysapproval_approver` per member, the others set to not_required once the group has decided.
"""

from connectors.servicenow.sandbox.actors import SYSTEM, Actor
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.store import Row

APPROVED = "approved"
CANCELLED = "cancelled"
NOT_REQUIRED = "not_required"
REJECTED = "rejected"
REQUESTED = "requested"
HELD = "held"
_DECIDED = (APPROVED, REJECTED)


def register(records: Records) -> None:
    """Put the engine in force."""
    records.after("sysapproval_approver", after_approver)


def history(records: Records, task: str, text: str) -> None:
    """Add a line to a task's approval history."""
    row = records.read("task", task)
    if row is not None:
        records.journal(row["sys_class_name"], task, "approval_history", text, SYSTEM)


def set_approval(records: Records, task: str, value: str) -> None:
    """Write the task's own approval column."""
    records.update("task", task, {"approval": value, "approval_set": records.now()})


def members(records: Records, group: str) -> list[str]:
    """Return the active users of a group."""
    users = [row["user"] for row in records.find("sys_user_grmember", group=group)]
    return [
        user
        for user in users
        if (found := records.read("sys_user", user)) and found["active"] == "true"
    ]


def request_group(
    records: Records, task: Row, group: str, *, wait_for: str, percent: str = "", order: str = ""
) -> bool:
    """Ask every member of a group; return False where it has none and nothing was asked."""
    asked = members(records, group)
    if not asked:
        return False
    found = records.read("sys_user_group", group)
    name = found["name"] if found else group
    row = records.insert(
        "sysapproval_group",
        {
            "parent": task["sys_id"],
            "assignment_group": group,
            "approval": REQUESTED,
            "wait_for": wait_for,
            "wait_for_percent": percent,
            "order": order,
            "short_description": f"{name} approval of {task['number']}",
        },
    )
    history(records, task["sys_id"], f"Group approval for {name} is requested")
    for user in asked:
        request_user(records, task, user, group_row=row["sys_id"], order=order)
    return True


def request_user(
    records: Records, task: Row, user: str, *, group_row: str = "", order: str = ""
) -> None:
    """Ask one user."""
    records.insert(
        "sysapproval_approver",
        {
            "approver": user,
            "state": REQUESTED,
            "sysapproval": task["sys_id"],
            "document_id": task["sys_id"],
            "source_table": task["sys_class_name"],
            "group": group_row,
            "order": order,
        },
    )


def close_pending(records: Records, task: str, state: str) -> None:
    """Set every answer that is still awaited, and the groups behind them, to `state`."""
    for row in records.find("sysapproval_approver", sysapproval=task, state=REQUESTED):
        records.update("sysapproval_approver", row["sys_id"], {"state": state})
    for row in records.find("sysapproval_group", parent=task, approval=REQUESTED):
        records.update("sysapproval_group", row["sys_id"], {"approval": state})


def hold(records: Records, task: str) -> None:
    """Withdraw what is awaited while the task is on hold, and remember it."""
    for row in records.find("sysapproval_approver", sysapproval=task, state=REQUESTED):
        values = {"state": NOT_REQUIRED, "wf_activity": HELD}
        records.update("sysapproval_approver", row["sys_id"], values)


def release(records: Records, task: str) -> None:
    """Ask again what was awaited before the hold."""
    for row in records.find("sysapproval_approver", sysapproval=task, wf_activity=HELD):
        values = {"state": REQUESTED, "wf_activity": ""}
        records.update("sysapproval_approver", row["sys_id"], values)


def after_approver(records: Records, writing: Writing) -> None:
    """Roll an answer up into its group and its task."""
    if writing.old is None or not writing.becomes("state", *_DECIDED):
        return
    row, task = writing.new, writing.new["sysapproval"]
    found = records.read("task", task)
    if found is None:
        return
    _note(records, writing, found)
    if row["group"]:
        decision = _group_decision(records, row["group"])
        if decision == "":
            return
        _close_group(records, row["group"], decision)
        if decision == REJECTED:
            _decide(records, found, REJECTED)
            return
    elif row["state"] == REJECTED:
        _decide(records, found, REJECTED)
        return
    if not records.find("sysapproval_approver", sysapproval=task, state=REQUESTED):
        _decide(records, found, APPROVED)


def _note(records: Records, writing: Writing, task: Row) -> None:
    row = writing.new
    approver = records.read("sys_user", row["approver"])
    name = approver["name"] if approver else row["approver"]
    group = records.read("sysapproval_group", row["group"])
    who = f"{name} {row['state']} the task."
    if group is not None:
        found = records.read("sys_user_group", group["assignment_group"])
        label = found["name"] if found else ""
        who = f"Group approval for {label} {row['state']} by user {name}"
    history(records, task["sys_id"], who + _stood_in(writing.actor, row))


def _stood_in(actor: Actor, row: Row) -> str:
    if actor.sys_id == row["approver"]:
        return ""
    reason = "permission granted by role" if actor.is_admin else "as delegate"
    return f" ({actor.name}, {reason})"


def _group_decision(records: Records, group: str) -> str:
    """Return what the answers so far make of a group: approved, rejected, or "" for not yet."""
    found = records.read("sysapproval_group", group)
    rows = records.find("sysapproval_approver", group=group)
    states = [row["state"] for row in rows]
    yes, no = states.count(APPROVED), states.count(REJECTED)
    wait_for = found["wait_for"] if found else "any"
    if no:
        return REJECTED
    if wait_for == "all":
        needed = len(rows)
    elif wait_for == "percent":
        share = int((found or {}).get("wait_for_percent") or 100)
        # Half a person counts as one: 50 % of five are three.
        needed = max(1, int(len(rows) * share / 100 + 0.5))
    else:
        needed = 1
    return APPROVED if yes >= needed else ""


def _close_group(records: Records, group: str, decision: str) -> None:
    for row in records.find("sysapproval_approver", group=group, state=REQUESTED):
        records.update("sysapproval_approver", row["sys_id"], {"state": NOT_REQUIRED})
    values = {"approval": decision, "state": "3"}
    records.update("sysapproval_group", group, values)


def _decide(records: Records, task: Row, decision: str) -> None:
    if decision == REJECTED:
        close_pending(records, task["sys_id"], CANCELLED)
        set_approval(records, task["sys_id"], REJECTED)
    records.later(f"{task['sys_class_name']}:{decision}", task["sys_id"])
