"""Requests and plain issues as tickets: forms, approvals, moves, edits, plain holds."""

from datetime import timedelta

import pytest

from engine.domain.refs import ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import NativeApproval, TicketField, TicketState
from engine.errors import AuthenticationError, RecordNotFoundError
from engine.ports.findings import Severity
from tests.contract.harness import Fault
from tests.integration.jira.conftest import World


def request(world: World, name: str, **fields: str) -> TicketRef:
    return world._request(name, {"summary": "Need it", **fields}, TicketKind.SERVICE_REQUEST)


def test_the_answers_of_a_form_are_the_tickets_variables(world: World) -> None:
    ref = request(
        world, "Request access", customfield_10046="bob.miller", customfield_10047="git-users"
    )
    ticket = world.desk.read(ref)
    assert ticket.variables == {"Account": "bob.miller", "Group": "git-users"}
    assert (ticket.catalog_item_name, ticket.channel) == ("Request access", "portal")
    assert ticket.requester is not None
    assert ticket.creator == ticket.requester


def test_who_raises_a_request_for_somebody_is_its_creator_and_not_its_requester(
    world: World,
) -> None:
    types = world.call("GET", "servicedeskapi/servicedesk/1/requesttype")["values"]
    (chosen,) = [one["id"] for one in types if one["name"] == "Reset password"]
    who = world._user("bob.miller") if world.flavour == "cloud" else "bob.miller"
    made = world.call(
        "POST",
        "servicedeskapi/request",
        by=world.agent,
        json={
            "serviceDeskId": "1",
            "requestTypeId": chosen,
            "raiseOnBehalfOf": who,
            "requestFieldValues": {"summary": "reset bob"},
        },
    )
    ref = TicketRef(
        system=world.name,
        kind=TicketKind.SERVICE_REQUEST,
        id=made["issueId"],
        key=made["issueKey"],
    )
    ticket = world.desk.read(ref)
    assert ticket.requester is not None
    assert ticket.creator is not None
    assert (ticket.requester.name, ticket.creator.name) == ("Bob Miller", "Luke Wilson")


def test_a_requests_own_approval_is_seen_while_it_waits_and_when_it_is_decided(
    world: World,
) -> None:
    ref = request(world, "Request hardware")
    assert world.desk.read(ref).native_approval is NativeApproval.PENDING
    change = ChangeRef(system=world.name, id=ref.id, number=ref.key, url="")
    world.decide(change, by=world.approvers[0], approve=True)
    assert world.desk.read(ref).native_approval is NativeApproval.APPROVED


def test_a_request_that_its_approvers_declined_is_over(world: World) -> None:
    ref = request(world, "Request hardware")
    change = ChangeRef(system=world.name, id=ref.id, number=ref.key, url="")
    world.decide(change, by=world.approvers[0], approve=False)
    ticket = world.desk.read(ref)
    assert (ticket.native_approval, ticket.state) == (
        NativeApproval.REJECTED,
        TicketState.CANCELLED,
    )


def test_our_own_changes_and_incidents_are_no_tickets(world: World) -> None:
    cursor = world.desk.first_cursor(world.source)
    ticket = world.seed_ticket("a real one")
    world.changes.open(world.draft(ticket, correlation_id="k"))
    world.desk.open_fault("Polling fails", "text", marker="poll")
    world.settle()
    page = world.desk.changed_since(world.source, cursor)
    assert [one.ref.id for one in page.items] == [ticket.id]
    assert page.broken == ()


def test_only_the_configured_request_types_are_ours(world: World) -> None:
    desk = world.again(tickets=[{"project": "ITH", "request_types": ["Reset password"]}]).desk
    cursor = desk.first_cursor("ITH")
    ours = request(world, "Reset password")
    request(world, "Get IT help")
    world.settle()
    assert [one.ref.id for one in desk.changed_since("ITH", cursor).items] == [ours.id]


def test_a_moved_ticket_is_read_by_its_id_under_its_new_key(world: World) -> None:
    ref = world.seed_ticket("moves")
    store = world.sandbox.site.store
    with store.transaction():
        store.run("INSERT INTO moved (old, issue) VALUES (?, ?)", ref.key, int(ref.id))
        store.run("UPDATE issue SET key='ITH-900' WHERE id=?", int(ref.id))
    ticket = world.desk.read(ref)
    assert (ticket.ref.id, ticket.ref.key) == (ref.id, "ITH-900")


def test_a_field_that_a_person_edited_and_edited_back_is_still_his(world: World) -> None:
    ref = world.seed_ticket("mine")
    for value in ("Low", "Medium"):
        world.edit_field(ref, TicketField.PRIORITY, value, by=world.agent)
    ticket = world.desk.read(ref)
    assert ticket.edited == {TicketField.PRIORITY}
    assert world.desk.write_fields(ticket, {TicketField.PRIORITY: "High"}) == {}
    assert world.field(ref, TicketField.PRIORITY) == ""


def test_a_long_history_is_read_to_its_end(world: World) -> None:
    ref = world.seed_ticket("busy")
    world.edit_field(ref, TicketField.PRIORITY, "Low", by=world.agent)
    for number in range(105):
        # A site takes 20 writes to one issue in 2 s, and 100 in 30 s.
        world.advance(timedelta(seconds=1))
        world.edit_text(ref, f"text {number}", by=world.agent)
    ticket = world.desk.read(ref)
    assert TicketField.PRIORITY in ticket.edited
    history = world.desk.history(ref)
    assert history is not None
    assert len(history) == 106
    assert history[0].field == "priority"


def plain(world: World) -> TicketRef:
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "plain"}
    made = world.call("POST", "api/2/issue", by=world.requester, json={"fields": fields})
    return TicketRef(
        system=world.name, kind=TicketKind.SERVICE_REQUEST, id=made["id"], key=made["key"]
    )


def test_a_plain_issue_waits_by_label_where_no_waiting_status_can_be_reached(world: World) -> None:
    ref = plain(world)
    desk = world.again(tickets=[{"project": "OPS"}]).desk
    ticket = desk.read(ref)
    assert (ticket.channel, ticket.catalog_item) == ("jira", "")
    change = ChangeRef(
        system="servicenow", id="c1", number="CHG1", url="https://sn.example.test/CHG1"
    )
    for _ in range(2):
        desk.put_on_hold(ticket, change)
    assert world._labels(ref) == ["tiergate-waiting"]
    links = world.call("GET", f"api/2/issue/{ref.id}/remotelink")
    assert [one["object"]["url"] for one in links] == [change.url]
    desk.take_off_hold(ref, TicketState.IN_PROGRESS)
    assert world._labels(ref) == []
    desk.resolve(ref, "done")
    assert desk.read(ref).state is TicketState.RESOLVED


def test_a_note_on_a_plain_issue_is_written_once(world: World) -> None:
    ref = plain(world)
    for _ in range(2):
        world.desk.add_work_note(ref, "once", marker="m")
    comments = world.call("GET", f"api/2/issue/{ref.id}/comment")["comments"]
    assert [one["body"] for one in comments] == ["once"]


def test_a_label_of_a_person_holds_a_ticket(world: World) -> None:
    ref = world.seed_ticket("careful")
    body = {"update": {"labels": [{"add": "tiergate-hold"}]}}
    world.call("PUT", f"api/2/issue/{ref.id}", by=world.agent, json=body)
    assert world.desk.read(ref).is_held


def test_a_record_that_the_index_shows_late_is_met_by_a_later_sweep(cloud: World) -> None:
    cursor = cloud.desk.first_cursor(cloud.source)
    cloud.sandbox.site.lag = 120_000
    late = cloud.seed_ticket("late")
    page = cloud.desk.changed_since(cloud.source, cursor)
    assert (page.items, page.is_last) == ((), True)
    cloud.advance(timedelta(minutes=3))
    page = cloud.desk.changed_since(cloud.source, page.cursor)
    assert [one.ref.id for one in page.items] == [late.id]


def test_an_expired_token_is_an_error_at_the_first_sweep_and_in_check(world: World) -> None:
    cursor = world.desk.first_cursor(world.source)
    with world.fault(Fault.ANONYMOUS):
        with pytest.raises(AuthenticationError):
            world.desk.changed_since(world.source, cursor)
        codes = {one.code: one.severity for one in world.desk.check()}
    assert codes == {"credentials": Severity.FAULT}


def test_a_clock_that_is_off_is_found(world: World) -> None:
    world.advance(timedelta(minutes=2))
    assert "clock" in [one.code for one in world.desk.check()]


def test_a_hidden_ticket_is_not_there(world: World) -> None:
    ref = TicketRef(system=world.name, kind=TicketKind.INCIDENT, id="4711", key="ITH-4711")
    with pytest.raises(RecordNotFoundError):
        world.desk.read(ref)
