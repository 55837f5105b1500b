"""The standard change catalogue: proposals, their approval, templates and the versions of them.

A proposal goes from New to In Progress when its approval is asked for (of the CAB); approved it is
published as a template with a new version and closed, rejected it is back in New.
"""

from collections.abc import Callable, Mapping

from connectors.servicenow.sandbox.actors import SYSTEM
from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.rules import approvals
from connectors.servicenow.sandbox.store import Row

NEW, IN_PROGRESS, CLOSED, CANCELLED = "1", "2", "3", "4"
_CAB = "b85d44954a3623120004689b2d5dd60a"
_CHANGE_CLOSED = "3"
_UNSUCCESSFUL = "unsuccessful"


def register(records: Records) -> None:
    """Put the catalogue's rules in force."""
    records.before("std_change_proposal", before_proposal)
    records.after("std_change_proposal", after_proposal)
    records.before("std_change_producer_version", before_version)
    records.after("change_request", after_change)


def before_proposal(_records: Records, writing: Writing) -> None:
    """A new proposal is in New, whatever was sent."""
    new = writing.new
    if writing.old is None and writing.actor is not SYSTEM:
        new["state"], new["approval"] = NEW, "not requested"
    new["short_description"] = new["short_description"] or new["template_name"]


def after_proposal(records: Records, writing: Writing) -> None:
    """Ask for the approval of a proposal that goes into progress; withdraw it when cancelled."""
    row = writing.new
    if writing.old is None or not writing.changed("state"):
        return
    if row["state"] == IN_PROGRESS:
        approvals.request_group(records, row, _CAB, wait_for="any")
        approvals.set_approval(records, row["sys_id"], approvals.REQUESTED)
    elif row["state"] == CANCELLED:
        approvals.close_pending(records, row["sys_id"], approvals.CANCELLED)


def rejected(records: Records, sys_id: str) -> None:
    """Take a rejected proposal back to New, where it can be changed and sent again."""
    row = records.read("std_change_proposal", sys_id)
    if row is not None and row["state"] == IN_PROGRESS:
        records.update("std_change_proposal", sys_id, {"state": NEW})


def approved(records: Records, sys_id: str) -> None:
    """Publish an approved proposal and close it."""
    row = records.read("std_change_proposal", sys_id)
    if row is None or row["state"] != IN_PROGRESS:
        return
    approvals.set_approval(records, sys_id, approvals.APPROVED)
    version = _PUBLISH.get(row["proposal_type"], _publish_new)(records, row)
    values = {"std_change_producer_version": version, "state": CLOSED}
    records.update("std_change_proposal", sys_id, values)


def _publish_new(records: Records, proposal: Row) -> str:
    template = records.insert(
        "std_change_template",
        {
            "name": proposal["template_name"],
            "short_description": proposal["short_description"],
            "template": proposal["template_value"],
        },
    )
    producer = records.insert(
        "std_change_record_producer",
        {**_shown(proposal), "template": template["sys_id"], "table_name": "change_request"},
    )
    return _version(records, producer["sys_id"], proposal)


def _shown(proposal: Row) -> dict[str, str]:
    return {
        "name": proposal["template_name"],
        "sys_name": proposal["template_name"],
        "short_description": proposal["short_description"],
        "category": proposal["category"],
        "sc_catalogs": proposal["catalog"],
    }


def _modify(records: Records, proposal: Row) -> str:
    producer = records.read("std_change_record_producer", proposal["std_change_producer"])
    if producer is None or producer["retired"] == "true":
        return ""
    values = {
        "name": proposal["template_name"],
        "template": proposal["template_value"],
        "short_description": proposal["short_description"],
    }
    records.update("std_change_template", producer["template"], values)
    records.update("std_change_record_producer", producer["sys_id"], _shown(proposal))
    return _version(records, producer["sys_id"], proposal)


def _retire(records: Records, proposal: Row) -> str:
    producer = records.read("std_change_record_producer", proposal["std_change_producer"])
    if producer is None or producer["retired"] == "true":
        return ""
    version = _version(records, producer["sys_id"], proposal)
    values = {"retired": "true", "active": "false"}
    records.update("std_change_record_producer", producer["sys_id"], values)
    records.update("std_change_template", producer["template"], {"active": "false"})
    return version


_PUBLISH: Mapping[str, Callable[[Records, Row], str]] = {
    "1": _publish_new,
    "2": _modify,
    "3": _retire,
}


def _version(records: Records, producer: str, proposal: Row) -> str:
    row = records.insert(
        "std_change_producer_version",
        {"std_change_producer": producer, "std_change_proposal": proposal["sys_id"]},
    )
    values = {"current_version": row["sys_id"]}
    records.update("std_change_record_producer", producer, values)
    return row["sys_id"]


def before_version(records: Records, writing: Writing) -> None:
    """Number a new version behind those of its template, and name it after both."""
    new = writing.new
    if writing.old is not None or new["version"]:
        return
    number = new["std_change_producer"]
    earlier = records.find("std_change_producer_version", std_change_producer=number)
    last = max((int(one["version"] or 0) for one in earlier), default=0)
    producer = records.read("std_change_record_producer", number)
    new["version"] = str(last + 1)
    new["name"] = f"{producer['name'] if producer else number} - {last + 1}"


def after_change(records: Records, writing: Writing) -> None:
    """Count a closed standard change for the version that it was made from."""
    row = writing.new
    version = row["std_change_producer_version"]
    if writing.old is None or not writing.becomes("state", _CHANGE_CLOSED) or not version:
        return
    found = records.read("std_change_producer_version", version)
    if found is None:
        return
    closed = int(found["closed_changes"] or 0) + 1
    bad = int(found["unsuccessful_changes"] or 0) + int(row["close_code"] == _UNSUCCESSFUL)
    values = {
        "closed_changes": str(closed),
        "unsuccessful_changes": str(bad),
        "percent_successful": f"{100 * (closed - bad) / closed:g}",
    }
    records.update("std_change_producer_version", version, values)
