"""The desk gate by a native approval on the ticket, on Cloud and Data Center."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.desk import DeskAnswer, DeskChannel
from engine.domain.plan import Plan
from engine.domain.refs import TicketKind, TicketRef
from engine.errors import PreconditionError
from engine.ports.desk import TicketDesk
from tests.contract.test_desk import plan_for
from tests.integration.jira.conftest import World

WAY = {"by": "approval", "status": "Waiting for approval"}
SECOND = timedelta(seconds=2)


class Request:
    """A request of the kind that its approvers decide first; they did."""

    def __init__(self, world: World, *, decided: bool = True) -> None:
        self.world = world
        types = world.call("GET", "servicedeskapi/servicedesk/1/requesttype")["values"]
        kind = next(one["id"] for one in types if one["name"] == "Request hardware")
        body = {
            "serviceDeskId": "1",
            "requestTypeId": kind,
            "requestFieldValues": {"summary": "ask the desk"},
        }
        made = world.call("POST", "servicedeskapi/request", by=world.requester, json=body)
        self.ref = TicketRef(
            system=world.name,
            kind=TicketKind.SERVICE_REQUEST,
            id=str(made["issueId"]),
            key=str(made["issueKey"]),
        )
        if decided:
            self.answer(world.approvers[0], "approve")
        world.advance(SECOND)
        self.since = world.now() - SECOND

    def approvals(self) -> list[dict[str, Any]]:
        path = f"servicedeskapi/request/{self.ref.id}/approval"
        found: list[dict[str, Any]] = self.world.call("GET", path)["values"]
        return found

    def answer(self, uid: str, word: str) -> None:
        newest = max(self.approvals(), key=lambda one: int(one["id"]))
        path = f"servicedeskapi/request/{self.ref.id}/approval/{newest['id']}"
        self.world.call("POST", path, by=uid, json={"decision": word})

    def plan(self) -> Plan:
        groups = self.world._organisation.itsm_groups
        desk = next(one for one in groups if one.name == "Service Desk")
        group = desk.jira if self.world.flavour == "cloud" else desk.name
        return replace(plan_for(self.world, self.ref), authority_group=group)

    def ask(self, desk: TicketDesk) -> None:
        desk.ask_desk(self.ref, self.plan(), f"May I? {self.plan().digest}", marker="ask:1")
        self.world.advance(SECOND)

    def answers(self, desk: TicketDesk) -> tuple[DeskAnswer, ...]:
        found = desk.desk_snapshot(self.ref, marker="ask:1", since=self.since).answers
        assert found is not None
        return found


def desk_of(world: World, **changes: str) -> TicketDesk:
    return world.again(desk={**WAY, **changes}).desk


def test_an_agent_of_the_authority_is_asked_once_and_approves(world: World) -> None:
    request, desk = Request(world), desk_of(world)
    before = len(request.approvals())
    request.ask(desk)
    request.ask(desk)
    assert len(request.approvals()) == before + 1
    assert request.answers(desk) == ()
    request.answer(world.agent, "approve")
    (answer,) = request.answers(desk)
    assert (answer.answer, answer.channel) == ("accept", DeskChannel.APPROVAL)
    assert answer.is_final
    assert answer.by is not None
    assert answer.by.name == "Luke Wilson"


def test_a_declined_approval_is_a_no(world: World) -> None:
    request, desk = Request(world), desk_of(world)
    request.ask(desk)
    request.answer(world.agent, "decline")
    (answer,) = request.answers(desk)
    assert answer.answer == "do_it_myself"


def test_the_tickets_own_earlier_approval_is_no_answer(world: World) -> None:
    request, desk = Request(world), desk_of(world)
    request.ask(desk)
    assert len(request.approvals()) == 2
    assert request.answers(desk) == ()


def test_an_approval_that_is_open_for_something_else_is_not_used(world: World) -> None:
    request, desk = Request(world, decided=False), desk_of(world)
    with pytest.raises(PreconditionError, match="another approval"):
        request.ask(desk)


def test_a_ticket_without_such_a_status_is_refused(world: World) -> None:
    desk = desk_of(world)
    ref = world.seed_ticket("no approval here")
    plan = replace(plan_for(world, ref), authority_group=Request(world).plan().authority_group)
    with pytest.raises(PreconditionError, match="no transition"):
        desk.ask_desk(ref, plan, f"May I? {plan.digest}", marker="ask:1")


def test_an_approval_in_words_of_a_note_is_not_enough(world: World) -> None:
    request, desk = Request(world), desk_of(world)
    request.ask(desk)
    world.write_note(request.ref, f"tiergate: accept {request.plan().code}", by=world.agent)
    assert request.answers(desk) == ()
    world.write_note(request.ref, "tiergate: wrong action", by=world.agent)
    assert [one.answer for one in request.answers(desk)] == ["wrong_action"]


def test_with_automation_the_approvers_are_left_to_the_site(world: World) -> None:
    request, desk = Request(world), desk_of(world, approvers="automation")
    request.ask(desk)
    newest = max(request.approvals(), key=lambda one: int(one["id"]))
    asked = {one["approver"]["displayName"] for one in newest["approvers"]}
    assert "Luke Wilson" not in asked
