"""What each vendor's own history tells of our account's writes, over sockets."""

import importlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from connectors.jira import factory as jira
from connectors.servicenow import factory as servicenow
from engine.domain.audit import SignedHead, heads_in
from engine.ports.trail import AccountTrail, WriteKind
from engine.runtime.clock import SystemClock
from tests.contract.harness import Harness

KEY = "tiergate-trail-0123456789abcdef-1-r1"
MINUTE = timedelta(minutes=1)


def quiet(_line: str) -> None:
    """Tell nobody how far it is."""


@pytest.fixture(params=["servicenow", "jira", "jira_datacenter"])
def harness(request: pytest.FixtureRequest) -> Generator[Harness]:
    """A fresh system with everybody in it."""
    module = importlib.import_module(f"tests.contract.harness_{request.param}")
    with module.harness() as made:
        yield made


@pytest.fixture
def trail(harness: Any) -> AccountTrail:
    """The trail of the account that the harness's daemon uses."""
    factory: Any = servicenow if "ServiceNow" in type(harness).__name__ else jira
    found: AccountTrail = factory.build(harness.name, harness._settings, SystemClock()).trail
    return found


def test_a_change_that_we_opened_and_told_of_is_told_with_its_author_and_kinds(
    harness: Harness, trail: AccountTrail
) -> None:
    ticket = harness.seed_ticket("I need access", description="please")
    since = harness.now() - MINUTE
    draft = harness.draft(ticket, correlation_id=KEY)
    change = harness.changes.open(draft)
    harness.changes.submit(change, draft)
    harness.changes.add_work_note(change, "hello", marker="m1")
    harness.settle()
    found = trail.writes(since, told=quiet)
    assert found.unread == ()
    mine = [one for one in found.writes if change.id in one.owners]
    kinds = {one.kind for one in mine}
    assert {WriteKind.CREATE, WriteKind.MOVE, WriteKind.NOTE} <= kinds
    assert WriteKind.APPROVAL not in kinds
    assert {one.record for one in mine if one.kind is WriteKind.CREATE} == {change.number}
    assert list(found.writes) == sorted(found.writes, key=lambda one: one.at)
    # Somebody else wrote the ticket: all that is ours on it is the link to the change.
    there = {one.kind for one in found.writes if one.owners[0] == ticket.id}
    assert there <= {WriteKind.LINK}
    assert trail.writes(harness.now() + timedelta(hours=1), told=quiet).writes == ()


def test_a_head_on_a_change_is_read_back_as_it_was_signed(
    harness: Harness, trail: AccountTrail
) -> None:
    ticket = harness.seed_ticket("I need access", description="please")
    since = harness.now() - MINUTE
    change = harness.changes.open(harness.draft(ticket, correlation_id=KEY))
    head = SignedHead(
        chain=f"itsm-a:{ticket.id}",
        number=12,
        hash="sha256:" + "ab" * 32,
        at=harness.now(),
        key="sha256:" + "cd" * 32,
        signature="ef" * 64,
    )
    harness.changes.add_work_note(change, f"Audit.\n{head.line}", marker="head")
    harness.changes.add_work_note(change, "no head here", marker="other")
    harness.settle()
    notes = trail.head_notes(since, told=quiet)
    (note,) = [one for one in notes if heads_in(one.text)]
    assert note.record == change.number
    assert heads_in(note.text) == (head,)
    assert trail.head_notes(harness.now() + timedelta(hours=1), told=quiet) == ()


def test_the_incident_of_a_fault_carries_the_key_that_explains_it(
    harness: Harness, trail: AccountTrail
) -> None:
    since = harness.now() - MINUTE
    marker = "tiergate-fault-abc-0123"
    harness.desk.open_fault("Tiergate: poll fails", "why", marker=marker)
    harness.settle()
    found = trail.writes(since, told=quiet)
    assert found.writes
    assert trail.fault_key(marker) in {one.key for one in found.writes}
    assert trail.fault_key("another") not in {one.key for one in found.writes}


def test_two_systems_at_one_site_are_told_by_address_and_account(trail: AccountTrail) -> None:
    assert trail.site.startswith("http")
    assert trail.site.split()[1]
