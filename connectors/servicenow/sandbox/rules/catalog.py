"""Catalog requests: approval of a requested item, its catalog task, and how the three close."""

from connectors.servicenow.sandbox.history import Writing
from connectors.servicenow.sandbox.records import Records
from connectors.servicenow.sandbox.rules import approvals

_CLOSED = ("3", "4", "7")


def register(records: Records) -> None:
    """Put the flow in force."""
    records.before("sc_cat_item", before_offer)
    records.before("sc_request", before_request)
    records.before("sc_req_item", before_item)
    records.after("sc_task", after_task)
    records.after("sc_req_item", after_item)


def before_offer(_records: Records, writing: Writing) -> None:
    """Keep the name by which the platform's own lists know an item."""
    writing.new["sys_name"] = writing.new["name"]


def before_request(_records: Records, writing: Writing) -> None:
    """Take a submitted request into process, as its flow does."""
    if writing.old is not None and writing.becomes("request_state", "submitted"):
        writing.new["request_state"] = "in_process"


def before_item(records: Records, writing: Writing) -> None:
    """Take over who it is for, and keep the stage in step with the state."""
    new = writing.new
    if writing.old is None:
        request = records.read("sc_request", new["request"])
        if request is not None and not new["requested_for"]:
            new["requested_for"] = request["requested_for"]
        return
    if writing.becomes("state", "3"):
        new["stage"] = "complete"
    elif writing.becomes("state", "4", "7"):
        new["stage"] = "Request Cancelled"


def start(records: Records, sys_id: str) -> None:
    """Begin the flow of a requested item: ask its approvers, or fulfil."""
    row = records.read("sc_req_item", sys_id)
    if row is None:
        return
    item = records.read("sc_cat_item", row["cat_item"])
    group = item["approval_group"] if item else ""
    if group and approvals.request_group(records, row, group, wait_for="any"):
        approvals.set_approval(records, sys_id, approvals.REQUESTED)
        return
    fulfil(records, sys_id)


def fulfil(records: Records, sys_id: str) -> None:
    """Approve a requested item and give its task to the fulfilment group."""
    approvals.set_approval(records, sys_id, approvals.APPROVED)
    row = records.update("sc_req_item", sys_id, {"stage": "fulfillment", "state": "2"})
    item = records.read("sc_cat_item", row["cat_item"])
    if item is None or item["workflow"] == "no task":
        return
    records.insert(
        "sc_task",
        {
            "request": row["request"],
            "request_item": sys_id,
            "parent": sys_id,
            "short_description": row["short_description"] or item["name"],
            "assignment_group": item["group"],
            "opened_by": row["opened_by"],
            "correlation_id": "",
        },
    )


def reject(records: Records, sys_id: str) -> None:
    """End a requested item that was rejected."""
    records.update("sc_req_item", sys_id, {"state": "4", "stage": "Request Cancelled"})


def after_task(records: Records, writing: Writing) -> None:
    """Close the item when its last task is closed."""
    if writing.old is None or not writing.becomes("state", *_CLOSED):
        return
    item = writing.new["request_item"]
    if not item:
        return
    tasks = records.find("sc_task", request_item=item)
    if all(task["state"] in _CLOSED for task in tasks):
        complete = any(task["state"] == "3" for task in tasks)
        row = records.read("sc_req_item", item)
        if row is not None and row["state"] not in _CLOSED:
            records.update("sc_req_item", item, {"state": "3" if complete else "4"})


def after_item(records: Records, writing: Writing) -> None:
    """Close the open tasks with the item, and the request with its last item."""
    if writing.old is None or not writing.becomes("state", *_CLOSED):
        return
    for task in records.find("sc_task", request_item=writing.new["sys_id"]):
        if task["state"] not in _CLOSED:
            records.update("sc_task", task["sys_id"], {"state": writing.new["state"]})
    request = writing.new["request"]
    items = records.find("sc_req_item", request=request) if request else []
    if items and all(item["state"] in _CLOSED for item in items):
        complete = any(item["state"] == "3" for item in items)
        values = {"state": "3" if complete else "4",
                  "request_state": "closed_complete" if complete else "closed_incomplete",
                  "stage": "closed_complete" if complete else "closed_incomplete"}  # fmt: skip
        records.update("sc_request", request, values)
