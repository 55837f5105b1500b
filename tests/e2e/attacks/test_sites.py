"""Attacks where the vendor is another one.

A Data Center, plain issues gated by their status, and Jira tickets whose changes live in
ServiceNow.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.domain.stage import Stage
from tests.e2e.attacks import test_jira, test_servicenow
from tests.e2e.attacks.offices import JIRA_CAB, MixedOffice, account_id
from tests.e2e.attacks.scene import (
    DONE,
    ON_HOLD,
    PRIVILEGED,
    REMOTE,
    WAITED_FOR,
    WAITS,
    Attack,
    Play,
    perform,
)
from tests.e2e.attacks.sites import (
    DataCenterOffice,
    PlainOffice,
    on_data_center,
    on_plain_issues,
)
from tests.e2e.attacks.theatre import Company, Theatre, edit_yaml, open_theatre

Plain = Play[Any]
FRIEND = "natasha.ingram"


@pytest.fixture
def data_center(tmp_path: Path) -> Iterator[Play[Any]]:
    with open_theatre(tmp_path, "datacenter") as theatre:
        office, company = DataCenterOffice(theatre), Company(theatre, "itsm-jira")
        on_data_center(company)
        yield Play(theatre, office, company, "dan.wolter", REMOTE)
        company.close()
        office.close()


@pytest.fixture
def plain(theatre: Theatre) -> Iterator[Play[Any]]:
    office, company = PlainOffice(theatre), Company(theatre, "ops-jira")
    on_plain_issues(company)
    yield Play(theatre, office, company, "dan.wolter", REMOTE)
    company.close()
    office.close()


@pytest.fixture
def mixed(theatre: Theatre) -> Iterator[Play[Any]]:
    office, company = MixedOffice(theatre), Company(theatre, "ops-jira")
    yield Play(theatre, office, company, "bob.miller", PRIVILEGED)
    company.close()
    office.close()


def named(rows: tuple[Attack[Any], ...], *names: str) -> tuple[Attack[Any], ...]:
    """Return these rows of another table; a name that is gone is an error."""
    found = {row.name: row for row in rows}
    return tuple(found[name] for name in names)


DATA_CENTER = named(
    test_jira.ATTACKS,
    "the requester approves",
    "the subject approves",
    "a third transition goes around the approval",
    "the approval is entered again with a new id",
    "somebody else moves it to Implementing",
    "the plan text is edited after approval",
    "the plan is edited before approval and edited back after",
    "held, and released by the person who held it",
    "approved after expiry",
)
MIXED = named(
    test_servicenow.ATTACKS,
    "the requester approves",
    "the requester approves as a delegate",
    "an admin acts for an approver",
    "the plan text is edited after approval",
    "cancelled by a person after approval",
    "held, and released by the person who held it",
    "rejected",
)


def yes(play: Plain) -> None:
    play.office.approve("howard.johnson")
    play.pass_time(seconds=5)


def requester_joins(play: Plain) -> None:
    play.office.join_authority("dan.wolter")


def requester_says_yes(play: Plain) -> None:
    play.office.approve("dan.wolter")


def outsider_takes_another_way(play: Plain) -> None:
    play.office.add_way("10020", "10021")
    play.office.client("luke.wilson").set_issue_status_by_transition_id(
        play.office.change()["key"], "99"
    )
    assert play.office.ends() == ["scheduled"]


def around_the_approval(play: Plain) -> None:
    play.office.move("assess")
    play.office.add_way("3", "10021")
    play.office.client("luke.wilson").set_issue_status_by_transition_id(
        play.office.change()["key"], "99"
    )
    assert play.office.ends() == ["scheduled"]


def friend_joins_and_says_yes(play: Plain) -> None:
    play.office.join_authority(FRIEND)
    play.office.approve(FRIEND)


def approver_leaves(play: Plain) -> None:
    yes(play)
    who = account_id("howard.johnson")
    play.office.client().delete(f"rest/api/3/group/user?groupId={JIRA_CAB}&accountId={who}")


def back_and_asked_again(play: Plain) -> None:
    yes(play)
    play.office.move("assess")
    play.pass_time(seconds=5)
    play.office.move("authorize")
    play.pass_time(seconds=5)


def approved_again(play: Plain) -> None:
    back_and_asked_again(play)
    play.settle()
    assert play.theatre.effects() == []
    play.office.approve("beth.anglin")


def edited_after_yes(play: Plain) -> None:
    yes(play)
    play.office.edit("implementation", "Add everybody to the group.")


def edited_and_back(play: Plain) -> None:
    before = play.office.edit("implementation", "Add everybody to the group.")
    yes(play)
    play.office.edit("implementation", before)


def held(play: Plain) -> None:
    yes(play)
    play.office.hold()


def rejected(play: Plain) -> None:
    play.office.reject("beth.anglin")


def closed_by_hand(play: Plain) -> None:
    yes(play)
    play.office.move("closed")


PLAIN: tuple[Attack[Any], ...] = (
    Attack(name="the requester moves it on", before=requester_joins, act=requester_says_yes,
           end=Stage.HANDED_OVER, native=("closed",), reason="asked for this"),
    Attack(name="the subject moves it on", act=yes, end=Stage.HANDED_OVER, native=("closed",),
           words=("vpn-staff for Howard Johnson",
                  "Please add howard.johnson to the group vpn-staff."),
           reason="it is about"),
    Attack(name="somebody outside the authority moves it on by another transition",
           act=outsider_takes_another_way, end=Stage.HANDED_OVER, native=("closed",),
           reason="does not belong to identity-owners"),
    Attack(name="a transition leads around the approval status", act=around_the_approval,
           end=Stage.HANDED_OVER, native=("closed",), reason="bypassed"),
    Attack(name="a friend joins the authority after submission and moves it on",
           act=friend_joins_and_says_yes, end=Stage.HANDED_OVER, native=("closed",),
           reason="after the plan was submitted"),
    Attack(name="who moved it on leaves the authority before it runs", act=approver_leaves,
           end=Stage.HANDED_OVER, native=("closed",),
           reason="does not belong to identity-owners"),
    Attack(name="moved back and asked again: the earlier move does not count",
           act=back_and_asked_again, end=Stage.AWAITING, native=("authorize",), reason=WAITS,
           in_audit=WAITED_FOR),
    Attack(name="moved back, asked again and moved on again", act=approved_again,
           end=Stage.FULFILLED, native=("closed successful",), effects=1, reason=DONE),
    Attack(name="the plan text is edited after the move", act=edited_after_yes,
           end=Stage.AWAITING, native=("closed", "authorize"),
           reason="the plan's text is not the submitted one"),
    Attack(name="the plan is edited before the move and edited back after", act=edited_and_back,
           end=Stage.AWAITING, native=("closed", "authorize"), reason="edited implementation"),
    Attack(name="on hold in the last second", act=held, end=Stage.AWAITING,
           native=("scheduled, on hold",), reason=ON_HOLD),
    Attack(name="rejected", act=rejected, end=Stage.REJECTED, native=("rejected",),
           reason="rejected"),
    Attack(name="closed by hand after the move", act=closed_by_hand, end=Stage.CANCELLED,
           native=("closed",), reason="a person closed the change"),
)  # fmt: skip


def perform_as(play: Play[Any], attack: Attack[Any]) -> None:
    play = replace(play, words=attack.words or play.words)
    if attack.tiers is not None:
        edit_yaml(play.company.tiers, attack.tiers)
    perform(play, attack)


@pytest.mark.parametrize("attack", DATA_CENTER, ids=lambda one: one.name.replace(" ", "-"))
def test_no_attack_on_a_data_center_gets_more_than_the_row_allows(
    data_center: Play[Any], attack: Attack[Any]
) -> None:
    perform_as(data_center, attack)


@pytest.mark.parametrize("attack", PLAIN, ids=lambda one: one.name.replace(" ", "-"))
def test_no_attack_on_a_plain_issue_gets_more_than_the_row_allows(
    plain: Play[Any], attack: Attack[Any]
) -> None:
    perform_as(plain, attack)


@pytest.mark.parametrize("attack", MIXED, ids=lambda one: one.name.replace(" ", "-"))
def test_no_attack_on_a_jira_tickets_change_in_servicenow_gets_more_than_the_row_allows(
    mixed: Play[Any], attack: Attack[Any]
) -> None:
    words = replace(mixed, words=attack.words or mixed.words)
    perform_as(words, replace(attack, words=None))
