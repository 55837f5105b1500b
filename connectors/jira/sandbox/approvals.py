"""Native approvals: one object per entry of an approval status, decided by its approvers alone.

Facts: entering the status opens a new approval with the approvers that the fields name at that
moment; an approver answers once, as himself; when the condition is met Jira Service Management
itself runs the Approve or the Decline transition (reference: JSM REST, approval resources).
"""

from http import HTTPStatus

from connectors.jira.sandbox import beans
from connectors.jira.sandbox.definition import ApprovalStep
from connectors.jira.sandbox.fields import kept
from connectors.jira.sandbox.site import Call
from connectors.jira.sandbox.storage import dumps, loads
from connectors.jira.sandbox.wire import Row, desk_date, desk_error

_WHOLE = 100


def listing(call: Call, issue: Row) -> list[Row]:
    """Return the approvals of an issue, oldest first."""
    return call.store.rows("SELECT * FROM approval WHERE issue=? ORDER BY id", issue["id"])


def rows_of(call: Call, approval: Row) -> list[Row]:
    """Return the approver rows of an approval."""
    return call.store.rows("SELECT * FROM approver WHERE approval=? ORDER BY rowid", approval["id"])


def pending(call: Call, issue: Row) -> Row | None:
    """Return the approval that blocks an issue now, or None."""
    return call.store.row(
        "SELECT * FROM approval WHERE issue=? AND status=? AND final='pending'"
        " ORDER BY id DESC LIMIT 1",
        issue["id"],
        issue["status"],
    )


def may_answer(call: Call, approval: Row) -> bool:
    """Say whether the caller is an approver who has not decided yet."""
    if call.caller is None or approval["final"] != "pending":
        return False
    found = call.store.row(
        "SELECT decision FROM approver WHERE approval=? AND account=?",
        approval["id"],
        call.caller.id,
    )
    return found is not None and found["decision"] == "pending"


def bean(call: Call, approval: Row) -> Row:
    """Return an approval as the Service Management API shows it to the caller."""
    key = call.store.value("SELECT key FROM issue WHERE id=?", approval["issue"])
    shown: Row = {
        "id": str(approval["id"]),
        "name": approval["name"],
        "finalDecision": approval["final"],
        "canAnswerApproval": may_answer(call, approval),
        "approvers": [],
        "createdDate": desk_date(approval["created"], call.zone),
    }
    for row in rows_of(call, approval):
        account = call.people.by_id(row["account"])
        if account is not None:
            shown["approvers"].append(
                {"approver": beans.desk_user(call, account), "approverDecision": row["decision"]}
            )
    if approval["completed"] is not None:
        shown["completedDate"] = desk_date(approval["completed"], call.zone)
    if not call.cloud:
        condition = loads(approval["spec"])["condition"]
        shown["condition"] = {"type": condition["type"], "value": str(condition["value"])}
    where = f"{call.site.url}/rest/servicedeskapi/request/{key}/approval"
    shown["_links"] = {"self": f"{where}/{approval['id']}"}
    return shown


def open_for(call: Call, issue: Row, step: ApprovalStep) -> None:
    """Open a new approval for an issue that has just entered an approval status."""
    approvers = _approvers(call, issue, step)
    number = call.store.insert(
        "approval",
        {
            "id": call.store.counter("approval", 1),
            "issue": issue["id"],
            "status": step.status,
            "name": step.name,
            "created": issue["updated"],
            "final": "pending",
            "spec": dumps(
                {"condition": step.condition, "approve": step.approve, "decline": step.decline}
            ),
        },
    )
    for account, group in approvers.items():
        call.store.run(
            "INSERT INTO approver (approval, account, decision, grp) VALUES (?, ?, 'pending', ?)",
            number,
            account,
            group,
        )


def _approvers(call: Call, issue: Row, step: ApprovalStep) -> dict[str, str]:
    """Return the approvers of this moment with the field member that named each."""
    found: dict[str, str] = {}
    for field_id in step.fields:
        spec = call.definition.fields[field_id]
        for one in kept(issue, field_id) or []:
            if spec.kind == "groups":
                for member in call.people.members(one):
                    found.setdefault(member.id, one)
            else:
                found.setdefault(one, one)
    for role in step.exclude:
        found.pop(issue[role] or "", None)
    return {key: group for key, group in found.items() if _is_active(call, key)}


def _is_active(call: Call, key: str) -> bool:
    account = call.people.by_id(key)
    return account is not None and account.active


def decide(call: Call, issue: Row, approval: Row, *, approve: bool) -> str | None:
    """Record the caller's decision; return the transition that it completes, or None.

    Raises:
        ApiError: 403 for somebody who is no approver, 409 where the caller or the approval has
            already been decided, or the issue has left the approval's status.
    """
    row = call.store.row(
        "SELECT * FROM approver WHERE approval=? AND account=?", approval["id"], call.user.id
    )
    if row is None:
        raise desk_error(
            HTTPStatus.FORBIDDEN,
            "You do not have permission to answer this approval.",
            "sd.approval.error.permission",
        )
    if approval["final"] != "pending" or row["decision"] != "pending":
        raise desk_error(
            HTTPStatus.CONFLICT,
            "You have already answered this approval or it has already been completed.",
            "sd.approval.error.already.answered",
        )
    if issue["status"] != approval["status"] or pending(call, issue) != approval:
        raise desk_error(
            HTTPStatus.CONFLICT,
            "This approval is no longer active.",
            "sd.approval.error.not.active",
        )
    now = call.stamp()
    call.store.run(
        "UPDATE approver SET decision=?, decided=? WHERE approval=? AND account=?",
        "approved" if approve else "declined",
        now,
        approval["id"],
        call.user.id,
    )
    final = _outcome(call, approval, approve=approve)
    if final is None:
        return None
    call.store.run(
        "UPDATE approval SET final=?, completed=? WHERE id=?", final, now, approval["id"]
    )
    spec = loads(approval["spec"])
    chosen: str = spec["approve"] if final == "approved" else spec["decline"]
    return chosen


def _outcome(call: Call, approval: Row, *, approve: bool) -> str | None:
    if not approve:
        return "declined"
    rows = rows_of(call, approval)
    condition = loads(approval["spec"])["condition"]
    given = sum(row["decision"] == "approved" for row in rows)
    match condition["type"]:
        case "percent":
            met = given * _WHOLE >= condition["value"] * len(rows)
        case "numberPerPrincipal":
            principals = {row["grp"] for row in rows}
            met = all(
                sum(row["grp"] == one and row["decision"] == "approved" for row in rows)
                >= condition["value"]
                for one in principals
            )
        case _:
            met = given >= min(int(condition["value"]), len(rows))
    return "approved" if met else None
