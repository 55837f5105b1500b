"""Ten attacks again while both vendors fail: the ends stay the same.

A share of the daemon's requests is answered with 429 or 5xx, carried out and never answered, cut
off with status 200, or answered from a stale index, from the moment the ticket is written until the
play has come to its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.e2e.attacks import test_jira, test_moments, test_servicenow
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.scene import Attack, Play, compare
from tests.e2e.attacks.test_sites import named

STORM: tuple[dict[str, Any], ...] = (
    {"kind": "429", "share": 0.02},
    {"kind": "5xx", "share": 0.02},
    {"kind": "drop_after", "share": 0.02},
    {"kind": "truncated", "share": 0.02},
)
STALE: dict[str, Any] = {"kind": "stale_index", "share": 0.3, "seconds": 30}
"""Only Jira reads from an index; people read from it too, so it is fresh while they act."""
_MOST_ROUNDS = 40
SERVICENOW = named(
    test_servicenow.ATTACKS,
    "the requester approves as a delegate",
    "a friend is added to the authority after submission",
    "the plan text is edited after approval",
    "held, and released by the person who held it",
    "rejected",
)
MOMENTS = named(
    test_moments.ATTACKS,
    "the target group is re-created under the same name after approval",
)
JIRA = named(
    test_jira.ATTACKS,
    "the requester approves",
    "a third transition goes around the approval",
    "the approval is entered again and given again",
    "the ticket's requester is changed after approval",
)


@contextmanager
def storm(play: Play[Any], *more: dict[str, Any]) -> Iterator[None]:
    """Let a share of the daemon's own requests fail; the people's go through."""
    office, theatre = play.office, play.theatre
    is_servicenow = office.system == "servicenow"
    url = theatre.servicenow.admin_url if is_servicenow else theatre.jira.admin_url
    account = next(one["user"] for one in office.log() if one["user"])
    for rule in (*STORM, *more):
        body = {**rule, "user": account}
        requests.post(f"{url}/faults", json=body, timeout=10).raise_for_status()
    yield
    faults = requests.get(f"{url}/faults", timeout=10).json()["faults"]
    requests.delete(f"{url}/faults", timeout=10).raise_for_status()
    play.struck += sum(one["struck"] for one in faults)


def perform_in_a_storm(play: Play[Any], attack: Attack[Any]) -> None:
    """As `perform`, with patience: what fails is tried again."""
    play = replace(play, words=attack.words or play.words, tries=_MOST_ROUNDS)
    play.company.open()
    if attack.before is not None:
        attack.before(play)
        play.pass_time(hours=1)
    play.round()
    play.pass_time(seconds=5)
    play.ask()
    play.company.is_stormy = True
    stale = () if play.office.system == "servicenow" else (STALE,)
    with storm(play, *stale):
        play.until_asked()
    with storm(play):
        attack.act(play)
    with storm(play, *stale):
        play.settle()
    assert play.struck > 0, "the storm passed us by"
    for _ in range(_MOST_ROUNDS):
        if play.handling().stage is attack.end:
            break
        play.pass_time(minutes=2)
        play.round()
    play.settle()
    compare(play, attack)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [*SERVICENOW, *MOMENTS], ids=lambda a: a.name.replace(" ", "-"))
def test_an_attack_on_servicenow_ends_the_same_in_a_storm(
    servicenow: Play[ServiceNowOffice], attack: Attack[Any]
) -> None:
    perform_in_a_storm(servicenow, attack)


@pytest.mark.slow
@pytest.mark.parametrize("attack", JIRA, ids=lambda a: a.name.replace(" ", "-"))
def test_an_attack_on_jira_ends_the_same_in_a_storm(
    jira: Play[JiraOffice], attack: Attack[Any]
) -> None:
    perform_in_a_storm(jira, attack)
