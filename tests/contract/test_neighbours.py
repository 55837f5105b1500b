"""What approvers are told of others: open changes in the window that name what ours touches."""

from datetime import timedelta

import pytest

from engine.domain.decision import Window
from tests.contract.harness import Harness

TARGET = "PROD-DB-Admins"


@pytest.fixture
def window(harness: Harness) -> Window:
    if harness.name == "memory":
        pytest.skip("nobody else opens changes in memory")
    now = harness.now()
    return Window(earliest=now + timedelta(hours=1), latest=now + timedelta(hours=4))


def test_a_change_that_names_the_target_is_told_with_its_number_and_words(
    harness: Harness, window: Window
) -> None:
    ticket = harness.seed_ticket("t")
    words = f"Patching, in which {TARGET} is emptied."
    theirs = harness.change_by_hand(ticket, by=harness.agent, words=words)
    harness.change_by_hand(ticket, by=harness.agent, words="Something else entirely.")
    harness.settle()
    (line,) = harness.changes.naming(("bob.miller", TARGET), window)
    assert line.startswith(f"{theirs.number} (")
    assert "Somebody gets somewhere" in line


def test_an_ended_change_and_one_of_ours_are_not_told(harness: Harness, window: Window) -> None:
    ticket = harness.seed_ticket("t")
    ended = harness.change_by_hand(ticket, by=harness.agent, words=f"About {TARGET}.")
    harness.cancel_change(ended, by=harness.agent)
    harness.changes.open(harness.draft(ticket, correlation_id="tg:ours:1-r1"))
    harness.settle()
    assert harness.changes.naming((TARGET,), window) == ()


def test_many_are_counted_and_not_left_out_silently(harness: Harness, window: Window) -> None:
    ticket = harness.seed_ticket("t")
    for _ in range(12):
        harness.change_by_hand(ticket, by=harness.agent, words=f"About {TARGET}.")
    harness.settle()
    lines = harness.changes.naming((TARGET,), window)
    assert len(lines) == 11
    assert lines[-1] == "and 2 more changes that name it"


def test_a_name_cannot_end_the_query_it_is_searched_with(harness: Harness, window: Window) -> None:
    ticket = harness.seed_ticket("t")
    harness.change_by_hand(ticket, by=harness.agent, words="About somebody else.")
    harness.settle()
    hostile = ('x" OR summary ~ "Somebody', "x^ORshort_descriptionLIKESomebody", "@x")
    lines = harness.changes.naming(hostile, window)
    assert not [line for line in lines if "Somebody gets" in line]
