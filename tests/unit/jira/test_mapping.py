"""Jira's words in ours: total tables, and an error for everything else."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.jira.mapping import (
    CHANGE_STATES,
    TICKET_STATES,
    Approval,
    NameMap,
    Vote,
    approval,
    native_approval,
)
from engine.domain.change import ApprovalState, ChangeState
from engine.domain.refs import Account
from engine.domain.ticket import NativeApproval, TicketState
from engine.errors import InvalidAnswerError, UnmappedValueError

BOB = Account(system="jira", id="bob", name="Bob")
T0 = datetime(2026, 11, 20, 10, tzinfo=UTC)


def approval_of(number: int, final: str, vote: str = "approved") -> Approval:
    states = {"approved": ApprovalState.APPROVED, "pending": ApprovalState.REQUESTED}
    return Approval(
        id=str(number),
        name="Waiting for approval",
        final=NativeApproval(final),
        votes=(Vote(approver=BOB, state=states[vote]),),
        created_at=T0 + timedelta(minutes=number),
        completed_at=None,
        may_answer=False,
    )


def test_an_unknown_status_is_an_error_that_names_it() -> None:
    states = NameMap("ticket.status", TICKET_STATES, {})
    with pytest.raises(UnmappedValueError, match="Limbo") as raised:
        states("19999", "Limbo")
    assert (raised.value.field, raised.value.value) == ("ticket.status", "Limbo")
    assert states.get("19999", "Limbo") is None


def test_names_count_however_written_and_configured_ids_come_first() -> None:
    states = NameMap("s", TICKET_STATES, {"10002": TicketState.ON_HOLD, "Wartet": TicketState.NEW})
    assert states("1", " IN PROGRESS ") is TicketState.IN_PROGRESS
    assert states("10002", "In Progress") is TicketState.ON_HOLD
    assert states("7", "wartet") is TicketState.NEW


def test_every_state_of_ours_has_a_shipped_status() -> None:
    assert set(TICKET_STATES.values()) == set(TicketState)
    assert set(CHANGE_STATES.values()) == set(ChangeState)
    assert all(name == name.casefold() for name in {**TICKET_STATES, **CHANGE_STATES})


@pytest.mark.shared
def test_recorded_approvals_are_read(shared: Path) -> None:
    path = shared / "fixtures/jira/go-atlassian/jira_sm_mocks_get-approvals.json"
    beans = json.loads(path.read_text())["values"]
    found = [approval("jira", one, is_cloud=True) for one in beans]
    assert [one.final for one in found] == [
        NativeApproval.APPROVED,
        NativeApproval.REJECTED,
    ]
    assert all(one.completed_at is not None for one in found)
    assert all(one.votes[0].approver.id.startswith("qm:") for one in found)


@pytest.mark.shared
def test_a_recorded_approval_alone_is_read(shared: Path) -> None:
    path = shared / "fixtures/jira/go-atlassian/jira_sm_mocks_get-approval.json"
    assert approval("jira", json.loads(path.read_text()), is_cloud=True).id


def bean(**changes: Any) -> dict[str, Any]:
    held: dict[str, Any] = {
        "id": "7",
        "name": "Authorize",
        "finalDecision": "pending",
        "canAnswerApproval": False,
        "approvers": [
            {"approver": {"accountId": "bob", "displayName": "Bob"}, "approverDecision": "pending"}
        ],
        "createdDate": {"epochMillis": 1000},
    }
    return {**held, **changes}


@pytest.mark.parametrize("said", [None, "", "pending"])
def test_an_open_approval_without_a_decision_is_pending_and_never_approved(said: object) -> None:
    found = approval("jira", bean(finalDecision=said), is_cloud=True)
    assert found.final is NativeApproval.PENDING
    assert not found.is_approved


@pytest.mark.parametrize("said", ["Approved", "APPROVED", "accepted", "yes"])
def test_a_decision_that_is_not_exactly_known_is_an_error(said: str) -> None:
    with pytest.raises(UnmappedValueError):
        approval("jira", bean(finalDecision=said), is_cloud=True)
    vote = {"approver": {"accountId": "bob"}, "approverDecision": said}
    with pytest.raises(UnmappedValueError):
        approval("jira", bean(approvers=[vote]), is_cloud=True)


def test_an_approver_without_an_id_is_an_error_and_not_left_out() -> None:
    vote = {"approver": {"displayName": "Somebody"}, "approverDecision": "approved"}
    with pytest.raises(InvalidAnswerError):
        approval("jira", bean(approvers=[vote]), is_cloud=True)


def test_an_approval_that_nobody_gave_is_not_approved() -> None:
    found = approval("jira", bean(finalDecision="approved", approvers=[]), is_cloud=True)
    assert found.final is NativeApproval.APPROVED
    assert not found.is_approved
    assert native_approval([found]) is NativeApproval.PENDING


@pytest.mark.parametrize(
    ("finals", "said"),
    [
        ([], "none"),
        (["approved"], "approved"),
        (["rejected"], "rejected"),
        (["pending"], "pending"),
        (["approved", "pending"], "pending"),
        (["rejected", "approved"], "approved"),
        (["approved", "rejected"], "rejected"),
        (["pending", "approved"], "pending"),
    ],
)
def test_a_tickets_own_approvals_say_one_thing(finals: list[str], said: str) -> None:
    ordered = [approval_of(number, final) for number, final in enumerate(finals)]
    assert native_approval(ordered) == said
    assert native_approval(reversed(ordered)) == said
