"""The desk gate natively: who answered what, from records that nobody writes for another."""

import threading
from collections.abc import Mapping
from datetime import timedelta

import pytest

from engine.domain.change import ClaimResult
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.refs import TicketRef
from engine.domain.ticket import TicketState
from engine.ports.desk import TicketDesk
from tests.contract.harness import Harness
from tests.contract.test_desk import plan_for

SECOND = timedelta(seconds=2)
OWNERS = 6


class Asked:
    """A ticket on which the desk was asked by one way."""

    def __init__(self, harness: Harness, way: Mapping[str, str]) -> None:
        found = harness.desk_by(way)
        if found is None:
            pytest.skip(f"{harness.name} has no such way")
        self.harness = harness
        self.desk: TicketDesk = found
        self.ref: TicketRef = harness.seed_ticket("ask the desk")
        self.plan = plan_for(harness, self.ref)
        self.since = harness.now() - SECOND

    def ask(self) -> None:
        text = f"May I reset it?\n{self.plan.digest}"
        self.desk.ask_desk(self.ref, self.plan, text, marker="ask:1")
        self.harness.advance(SECOND)

    def snapshot(self) -> DeskSnapshot:
        return self.desk.desk_snapshot(self.ref, marker="ask:1", since=self.since)

    def answers(self) -> tuple[DeskAnswer, ...]:
        found = self.snapshot()
        assert found.answers is not None, found.unreadable
        return found.answers

    def only(self) -> DeskAnswer:
        (answer,) = self.answers()
        return answer


def field_way(harness: Harness, **more: str) -> dict[str, str]:
    return {"by": "field", "field": harness.answer_field() or "none", "accept": "accept", **more}


def state_way(harness: Harness) -> dict[str, str]:
    return {"by": "state", "accept": "2" if "servicenow" in harness.name else "In Progress"}


# --- the request
def test_what_the_desk_was_asked_is_read_back_word_for_word(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    assert asked.snapshot().request is None
    asked.ask()
    first = asked.snapshot()
    assert first.request is not None
    assert asked.plan.digest in first.request
    assert first.requested_at is not None
    asked.ask()
    assert asked.snapshot().request == first.request
    assert len([one for one in harness.notes(asked.ref) if asked.plan.digest in one]) == 1
    assert first.answers == ()


# --- by note
def test_an_agents_acceptance_carries_author_and_code(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    asked.ask()
    harness.write_note(asked.ref, f"tiergate: accept {asked.plan.code}", by=harness.agent)
    answer = asked.only()
    assert (answer.answer, answer.code) == ("accept", asked.plan.code)
    assert answer.channel is DeskChannel.NOTE
    assert answer.by is not None
    assert answer.by.identity != asked.desk.account().identity
    assert answer.id


def test_the_desks_other_answers_are_told_apart(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    for words in ("wrong action", "wrong person", "do it myself"):
        harness.write_note(asked.ref, f"tiergate: {words}", by=harness.agent)
        harness.advance(SECOND)
    found = asked.answers()
    assert [one.answer for one in found] == ["wrong_action", "wrong_person", "do_it_myself"]
    assert len({one.id for one in found}) == len(found)


def test_an_answer_from_before_does_not_count(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    harness.write_note(asked.ref, "tiergate: accept 00000000", by=harness.agent)
    harness.advance(timedelta(seconds=5))
    asked.since = harness.now()
    assert asked.answers() == ()


def test_our_own_words_and_the_requesters_comments_accept_nothing(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    asked.ask()
    words = f"tiergate: accept {asked.plan.code}"
    asked.desk.add_work_note(asked.ref, words, marker="own")
    asked.desk.add_comment(asked.ref, words, marker="public")
    assert asked.answers() == ()


# --- by state
def test_the_state_is_an_answer_of_whoever_set_it(harness: Harness) -> None:
    asked = Asked(harness, state_way(harness))
    asked.ask()
    assert asked.answers() == ()
    harness.move_ticket(asked.ref, TicketState.IN_PROGRESS, by=harness.agent)
    answer = asked.only()
    assert (answer.answer, answer.code) == ("accept", "")
    assert answer.channel is DeskChannel.STATE
    members = asked.desk.desk_members(harness.authority_group)
    assert members is not None
    assert answer.by is not None
    assert answer.by.identity not in {one.account.identity for one in members}


def test_a_state_that_was_left_again_is_no_answer(harness: Harness) -> None:
    asked = Asked(harness, state_way(harness))
    asked.ask()
    harness.move_ticket(asked.ref, TicketState.IN_PROGRESS, by=harness.agent)
    first = asked.only()
    harness.move_ticket(asked.ref, TicketState.ON_HOLD, by=harness.agent)
    assert asked.answers() == ()
    harness.advance(SECOND)
    harness.move_ticket(asked.ref, TicketState.IN_PROGRESS, by=harness.agent)
    assert asked.only().id != first.id


def test_where_a_state_accepts_a_note_only_stops(harness: Harness) -> None:
    asked = Asked(harness, state_way(harness))
    asked.ask()
    harness.write_note(asked.ref, f"tiergate: accept {asked.plan.code}", by=harness.agent)
    assert asked.answers() == ()
    harness.write_note(asked.ref, "tiergate: wrong person", by=harness.agent)
    assert asked.only().answer == "wrong_person"


# --- by field
def test_a_field_carries_answer_and_code_of_whoever_set_it(harness: Harness) -> None:
    way = field_way(harness, accept="accept {code}", wrong_action="wrong")
    asked = Asked(harness, way)
    asked.ask()
    note = next(one for one in harness.notes(asked.ref) if asked.plan.digest in one)
    assert f"accept {asked.plan.code}" in note
    harness.set_answer(asked.ref, f"accept {asked.plan.code}", by=harness.agent)
    answer = asked.only()
    assert (answer.answer, answer.code) == ("accept", asked.plan.code)
    assert answer.channel is DeskChannel.FIELD
    assert answer.by is not None
    assert answer.by.identity != asked.desk.account().identity
    harness.set_answer(asked.ref, "wrong", by=harness.agent)
    assert asked.only().answer == "wrong_action"


def test_a_field_that_says_something_else_is_no_answer(harness: Harness) -> None:
    asked = Asked(harness, field_way(harness))
    asked.ask()
    harness.set_answer(asked.ref, "accepted, I think", by=harness.agent)
    assert asked.answers() == ()


def test_two_people_who_set_the_field_are_told_apart_by_the_last(harness: Harness) -> None:
    asked = Asked(harness, field_way(harness))
    asked.ask()
    harness.set_answer(asked.ref, "accept", by=harness.agent)
    first = asked.only()
    harness.set_answer(asked.ref, "", by=harness.agent)
    harness.advance(SECOND)
    harness.set_answer(asked.ref, "accept", by="admin")
    second = asked.only()
    assert (first.by, first.id) != (second.by, second.id)
    assert first.by != second.by


# --- who belongs to the desk
def test_the_desks_members_are_those_of_the_authority(harness: Harness) -> None:
    members = harness.desk.desk_members(harness.authority_group)
    assert members is not None
    assert {one.account for one in members} == set(harness.desk.members(harness.authority_group))


def test_a_group_that_cannot_be_read_has_no_members_to_count(harness: Harness) -> None:
    assert harness.desk.desk_members("00000000000000000000000000000000") is None


# --- run it now
def test_an_agents_note_asks_to_run_it_now(harness: Harness) -> None:
    ref = harness.seed_ticket("in a hurry", description="tiergate: run now")
    assert harness.desk.read(ref).run_now is None
    harness.desk.add_work_note(ref, "To hurry:\ntiergate: run now", marker="own")
    assert harness.desk.read(ref).run_now is None
    harness.write_note(ref, "tiergate: run now", by=harness.agent)
    first = harness.desk.read(ref).run_now
    assert first is not None
    assert first.by is not None
    assert first.by.identity != harness.desk.account().identity
    harness.advance(SECOND)
    harness.write_note(ref, "tiergate: run now", by="admin")
    second = harness.desk.read(ref).run_now
    assert second is not None
    assert (second.id, second.by) != (first.id, first.by)


# --- used once
def test_one_acceptance_is_claimed_by_one_owner_for_ever(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    other = harness.desk_by({"by": "note"})
    assert other is not None

    def claim(desk: TicketDesk, answer: str, owner: str) -> ClaimResult:
        return desk.claim(asked.ref, answer=answer, plan_digest=asked.plan.digest, owner=owner)

    before = asked.desk.read(asked.ref)
    assert claim(asked.desk, "a1", "one") is ClaimResult.WON
    after = asked.desk.read(asked.ref)
    assert (after.state, after.assignee) == (before.state, before.assignee)
    assert claim(other, "a1", "two") is ClaimResult.LOST
    assert claim(asked.desk, "a1", "one") is ClaimResult.OURS
    assert claim(other, "a2", "two") is ClaimResult.WON
    assert claim(asked.desk, "a2", "one") is ClaimResult.LOST


def test_a_race_for_one_acceptance_has_one_winner(harness: Harness) -> None:
    asked = Asked(harness, {"by": "note"})
    desks = [harness.desk_by({"by": "note"}) for _ in range(OWNERS)]
    start = threading.Barrier(OWNERS)
    won: list[ClaimResult] = []

    def race(number: int, desk: TicketDesk) -> None:
        start.wait(timeout=30)
        digest = f"sha256:{number:064x}"  # each daemon drafted a plan of its own
        won.append(desk.claim(asked.ref, answer="a1", plan_digest=digest, owner=f"owner {number}"))

    threads = [
        threading.Thread(target=race, args=(number, desk))
        for number, desk in enumerate(desks)
        if desk is not None
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(won) == sorted([ClaimResult.WON] + [ClaimResult.LOST] * (OWNERS - 1))
