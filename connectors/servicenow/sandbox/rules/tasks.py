"""What all tasks do, and what incidents, problems and catalog records do beyond that."""

from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import AbortedError, Records, aborted_by

# impact, urgency -> priority, the vendor's data lookup
_PRIORITY = {
    ("1", "1"): "1", ("1", "2"): "2", ("1", "3"): "3",
    ("2", "1"): "2", ("2", "2"): "3", ("2", "3"): "4",
    ("3", "1"): "3", ("3", "2"): "4", ("3", "3"): "5",
}  # fmt: skip
_ENDED = {
    "incident": ("7", "8"),
    "problem": ("107",),
    "problem_task": ("157",),
    "change_request": ("3", "4"),
    "change_task": ("3", "4"),
    "sn_si_incident": ("3", "7"),
}
_ENDED_PLAIN = ("3", "4", "7")
_SELF_SERVICE = "self-service"
_UNANALYSED, _RESOLVED = ("101", "102"), "106"
_PROBLEM_STATES = ("Check Problem State Transition", "6c1d0ab0c303101035ae3f52c1d3ae41")


def register(records: Records) -> None:
    """Put the rules in force."""
    records.before("task", before_task)
    records.before("incident", before_incident)
    records.before("problem", before_problem)
    records.before("sysapproval_approver", before_approver)


def before_task(records: Records, writing: Writing) -> None:
    """Fill who opened and closed it and when; keep `active` and the count of reassignments."""
    new = writing.new
    if writing.old is None:
        new["opened_at"] = new["opened_at"] or records.now()
        new["opened_by"] = new["opened_by"] or writing.actor.sys_id
        new["task_effective_number"] = new["number"]
    if writing.table.name in ("incident", "problem", "sn_si_incident"):
        new["priority"] = _PRIORITY.get((new["impact"], new["urgency"]), new["priority"])
    ended = _ENDED.get(writing.table.name, _ENDED_PLAIN)
    if writing.changed("state") or writing.old is None:
        new["active"] = "false" if new["state"] in ended else "true"
        if new["state"] in ended and not new["closed_at"]:
            new["closed_at"] = records.now()
            new["closed_by"] = writing.actor.sys_id
        elif new["state"] not in ended:
            new["closed_at"] = new["closed_by"] = ""
    if writing.old is not None and writing.old["assignment_group"] and writing.changed(
        "assignment_group"
    ):  # fmt: skip
        new["reassignment_count"] = str(int(new["reassignment_count"] or 0) + 1)


def mandatory(writing: Writing, labels: dict[str, str]) -> None:
    """Refuse as a data policy does; what the system itself writes is under no policy.

    Raises:
        AbortedError: one of the columns is empty.
    """
    if writing.actor is SYSTEM:
        return
    missing = [label for name, label in labels.items() if not writing.new.get(name)]
    if missing:
        raise AbortedError(
            f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}"
        )


def before_incident(records: Records, writing: Writing) -> None:
    """Keep the two state columns together and ask for what a state needs."""
    new = writing.new
    _mirror(writing, "state", "incident_state")
    if writing.old is None and not writing.actor.has("itil", "sn_incident_write"):
        new["contact_type"] = _SELF_SERVICE
        new["caller_id"] = new["caller_id"] or writing.actor.sys_id
    if new["state"] == "3" and (writing.changed("state") or writing.changed("hold_reason")):
        mandatory(writing, {"hold_reason": "On hold reason"})
    if new["state"] != "3":
        new["hold_reason"] = ""
    if new["state"] in ("6", "7") and writing.changed("state"):
        mandatory(writing, {"close_code": "Resolution code", "close_notes": "Resolution notes"})
        new["resolved_at"] = new["resolved_at"] or records.now()
        new["resolved_by"] = new["resolved_by"] or writing.actor.sys_id
    if writing.old is not None and writing.old["state"] in ("6", "7") and new["state"] in (
        "1", "2", "3",
    ):  # fmt: skip
        new["reopen_count"] = str(int(new["reopen_count"] or 0) + 1)
        new["reopened_time"] = records.now()
        new["reopened_by"] = writing.actor.sys_id
        new["resolved_at"] = new["resolved_by"] = ""


def before_problem(_records: Records, writing: Writing) -> None:
    """Keep the two state columns together; ask for what a state needs.

    Raises:
        AbortedError: a problem is to be resolved whose cause nobody has looked for.
    """
    _mirror(writing, "state", "problem_state")
    before = writing.old["state"] if writing.old is not None else ""
    if (
        before in _UNANALYSED
        and writing.becomes("state", _RESOLVED)
        and writing.actor is not SYSTEM
    ):
        raise aborted_by("problem", *_PROBLEM_STATES)
    if writing.becomes("state", "106", "107") and writing.old is not None:
        mandatory(writing, {"resolution_code": "Resolution code"})


def _mirror(writing: Writing, first: str, second: str) -> None:
    new = writing.new
    if writing.old is None:
        default = writing.table.columns[first].default
        chosen = new[second] if new[first] == default and new[second] != default else new[first]
        new[first] = new[second] = chosen
    elif writing.changed(second) and not writing.changed(first):
        new[first] = new[second]
    else:
        new[second] = new[first]


def before_approver(_records: Records, writing: Writing) -> None:
    """Fill the record that is to be approved, whichever of the two columns named it."""
    new = writing.new
    if new["sysapproval"] and not new["document_id"]:
        new["document_id"] = new["sysapproval"]
    if new["document_id"] and not new["sysapproval"] and new["source_table"] != "":
        new["sysapproval"] = new["document_id"]
