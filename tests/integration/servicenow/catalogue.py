"""The standard change catalogue as its owners use it: propose, approve, modify, retire."""

from collections.abc import Callable
from typing import Any

from engine.domain.decision import TemplatePin

Call = Callable[..., Any]
TABLE = "/api/now/table"
VALUE = (
    "short_description=Add a member to a directory group^description=One account becomes a member"
    " of one directory group, as the plan on the change task says.^implementation_plan=As the"
    " change task says.^backout_plan=Remove the account.^test_plan=Read the group."
    "^category=Software^risk=4^impact=3^assignment_group=b85d44954a3623120004689b2d5dd60a"
)


def propose(
    call: Call,
    *,
    value: str = VALUE,
    kind: str = "1",
    producer: str = "",
    by: str = "admin",
    approver: str = "howard.johnson",
    as_uid: str = "",
) -> TemplatePin:
    """Take a proposal to its approval and return what it published."""
    proposal = call(
        "POST",
        f"{TABLE}/std_change_proposal",
        by=by,
        json={
            "template_name": "Add a member to a directory group",
            "short_description": "Add a member to a directory group",
            "template_value": value,
            "proposal_type": kind,
            "std_change_producer": producer,
        },
    )["sys_id"]
    call("PATCH", f"{TABLE}/std_change_proposal/{proposal}", by=by, json={"state": "2"})
    user = call("GET", f"{TABLE}/sys_user", params={"sysparm_query": f"user_name={approver}"})
    query = f"sysapproval={proposal}^approver={user[0]['sys_id']}"
    (row,) = call("GET", f"{TABLE}/sysapproval_approver", params={"sysparm_query": query})
    path = f"{TABLE}/sysapproval_approver/{row['sys_id']}"
    call("PATCH", path, by=as_uid or approver, json={"state": "approved"})
    return pin_of(call, proposal)


def pin_of(call: Call, proposal: str) -> TemplatePin:
    """Return what an admin would write into the tier map for this proposal."""
    query = {"sysparm_query": f"std_change_proposal={proposal}"}
    (version,) = call("GET", f"{TABLE}/std_change_producer_version", params=query)
    return TemplatePin(
        id=version["std_change_producer"]["value"], version=version["sys_id"], proposal=proposal
    )


def template_of(call: Call, pin: TemplatePin) -> str:
    """Return the sys_id of the record that holds the template's values."""
    found: str = call("GET", f"{TABLE}/std_change_record_producer/{pin.id}")["template"]["value"]
    return found
