"""A catalog request is one ticket: item, variables and catalog tasks together."""

from collections.abc import Callable
from typing import Any

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.ticket import Ticket, TicketField, TicketState
from engine.ports.paging import Cursor
from tests.integration.servicenow.conftest import Call, Connect

PASSWORD_RESET = "29a39e830a0a0b27007d1e200ad52253"
ABEL = "62826bf03710200044e0bfc8bcbe5df1"
BOB = "06826bf03710200044e0bfc8bcbe5d02"
LUKE = "07826bf03710200044e0bfc8bcbe5d01"
TABLE = "/api/now/table"


def order(call: Call, *, by: str = "abel.tuter", requested_for: str = ABEL) -> TicketRef:
    """Order a password reset through the catalog, as the portal does."""
    made = call(
        "POST",
        f"/api/sn_sc/servicecatalog/items/{PASSWORD_RESET}/order_now",
        by=by,
        json={
            "sysparm_quantity": 1,
            "sysparm_requested_for": requested_for,
            "variables": {"caller_id": requested_for},
        },
    )
    query = {"sysparm_query": f"request={made['sys_id']}"}
    (item,) = call("GET", f"{TABLE}/sc_req_item", params=query)
    return TicketRef(
        system="snow", kind=TicketKind.SERVICE_REQUEST, id=item["sys_id"], key=item["number"]
    )


def tasks(call: Call, ref: TicketRef) -> list[dict[str, Any]]:
    query = {
        "sysparm_query": f"request_item={ref.id}",
        "sysparm_exclude_reference_link": "true",
    }
    found: list[dict[str, Any]] = call("GET", f"{TABLE}/sc_task", params=query)
    return found


def add_task(call: Call, ref: TicketRef) -> str:
    """Return the id of the item's catalog task, made by hand where the flow made none."""
    found = tasks(call, ref)
    if found:
        return str(found[0]["sys_id"])
    made = call("POST", f"{TABLE}/sc_task", json={"request_item": ref.id, "state": "1"})
    return str(made["sys_id"])


def sweep(snow: ServiceNowAdapters, cursor: Cursor) -> tuple[list[Ticket], Cursor]:
    found: list[Ticket] = []
    while True:
        page = snow.desk.changed_since("sc_req_item", cursor)
        assert page.broken == ()
        found += page.items
        cursor = page.cursor
        if page.is_last:
            return found, cursor


def draft_for(ref: TicketRef) -> ChangeDraft:
    words = PlanText(
        short_description="Reset",
        description="d",
        justification="j",
        risk_and_impact="r",
        implementation="i",
        test="t",
        backout="b",
    )
    return ChangeDraft(
        correlation_id=f"tg:{ref.key}:1-r1",
        plan_digest="sha256:" + "5b" * 32,
        text=words,
        kind=ChangeKind.NORMAL,
        window=Window(),
        ticket=ref,
        requested_by=None,
        authority_group="b85d44954a3623120004689b2d5dd60a",
    )


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect()


def test_an_order_is_one_ticket_with_its_answers(call: Call, snow: ServiceNowAdapters) -> None:
    ref = order(call)
    ticket = snow.desk.read(ref)
    assert ticket.ref == ref
    assert ticket.catalog_item == PASSWORD_RESET
    assert ticket.catalog_item_name == "Password Reset"
    assert ticket.variables == {"caller_id": "abel.tuter"}
    assert ticket.requester is not None
    assert ticket.creator is not None
    assert ticket.subject is not None
    assert {ticket.requester.id, ticket.creator.id, ticket.subject.id} == {ABEL}


def test_a_requested_for_variable_names_its_user(call: Call, snow: ServiceNowAdapters) -> None:
    query = {"sysparm_query": f"cat_item={PASSWORD_RESET}^name=caller_id"}
    (question,) = call("GET", f"{TABLE}/item_option_new", params=query)
    body = {"type": "31", "reference": ""}
    call("PATCH", f"{TABLE}/item_option_new/{question['sys_id']}", json=body)
    assert snow.desk.read(order(call)).variables["caller_id"] == "abel.tuter"


def test_an_order_for_somebody_else_says_so(call: Call, snow: ServiceNowAdapters) -> None:
    ticket = snow.desk.read(order(call, requested_for=BOB))
    assert ticket.requester is not None
    assert ticket.subject is not None
    assert (ticket.requester.id, ticket.subject.id) == (ABEL, BOB)


def test_a_catalog_task_that_a_person_takes_is_a_ticket_taken(
    call: Call, snow: ServiceNowAdapters
) -> None:
    ref = order(call)
    task = add_task(call, ref)
    assert snow.desk.read(ref).assignee is None
    call("PATCH", f"{TABLE}/sc_task/{task}", by="luke.wilson", json={"assigned_to": LUKE})
    assignee = snow.desk.read(ref).assignee
    assert assignee is not None
    assert assignee.id == LUKE


def test_a_change_of_the_task_alone_brings_its_item(
    call: Call, snow: ServiceNowAdapters, settle: Callable[[], None]
) -> None:
    cursor = snow.desk.first_cursor("sc_req_item")
    settle()
    ref = order(call)
    task = add_task(call, ref)
    settle()
    first, cursor = sweep(snow, cursor)
    assert {ticket.ref.id for ticket in first} == {ref.id}
    for _ in range(30):
        settle()
    _, cursor = sweep(snow, cursor)
    call("PATCH", f"{TABLE}/sc_task/{task}", by="luke.wilson", json={"assigned_to": LUKE})
    settle()
    again, _ = sweep(snow, cursor)
    assert [ticket.ref.id for ticket in again] == [ref.id]
    assert again[0].assignee is not None


def test_a_hold_on_the_task_holds_the_ticket(call: Call, snow: ServiceNowAdapters) -> None:
    ref = order(call)
    task = add_task(call, ref)
    note = {"work_notes": "tiergate: hold"}
    call("PATCH", f"{TABLE}/sc_task/{task}", by="luke.wilson", json=note)
    assert snow.desk.read(ref).is_held


def test_resolving_completes_tasks_and_item(call: Call, snow: ServiceNowAdapters) -> None:
    ref = order(call)
    add_task(call, ref)
    snow.desk.resolve(ref, "Password reset and verified.")
    snow.desk.resolve(ref, "Password reset and verified.")
    assert snow.desk.read(ref).state is TicketState.CLOSED
    assert {task["state"] for task in tasks(call, ref)} == {"3"}


def test_a_task_that_a_person_works_on_is_not_completed_for_him(
    call: Call, snow: ServiceNowAdapters
) -> None:
    ref = order(call)
    free = add_task(call, ref)
    taken = call("POST", f"{TABLE}/sc_task", json={"request_item": ref.id, "state": "2"})["sys_id"]
    call("PATCH", f"{TABLE}/sc_task/{taken}", by="luke.wilson", json={"assigned_to": LUKE})
    snow.desk.resolve(ref, "Password reset and verified.")
    assert {task["sys_id"]: task["state"] for task in tasks(call, ref)} == {free: "3", taken: "2"}
    assert snow.desk.read(ref).state is not TicketState.CLOSED
    call("PATCH", f"{TABLE}/sc_task/{taken}", by="luke.wilson", json={"state": "3"})
    snow.desk.resolve(ref, "Password reset and verified.")
    assert snow.desk.read(ref).state is TicketState.CLOSED


def test_an_item_waits_for_its_change_and_is_restored(call: Call, snow: ServiceNowAdapters) -> None:
    ref = order(call)
    before = snow.desk.read(ref)
    change = snow.changes.open(draft_for(ref))
    snow.changes.link(change, ref, url=before.url)
    snow.desk.put_on_hold(before, change)
    assert snow.desk.read(ref).state is TicketState.ON_HOLD
    snow.desk.take_off_hold(ref, before.state)
    assert snow.desk.read(ref).state is before.state


def test_triage_routes_an_item(call: Call, snow: ServiceNowAdapters) -> None:
    ref = order(call)
    ticket = snow.desk.read(ref)
    wanted = {TicketField.ASSIGNMENT_GROUP: "Network", TicketField.CATEGORY: "software"}
    if ticket.group:
        assert snow.desk.write_fields(ticket, wanted) == {}
        return
    assert snow.desk.write_fields(ticket, wanted) == {TicketField.ASSIGNMENT_GROUP: "Network"}
    assert snow.desk.read(ref).group == "Network"
