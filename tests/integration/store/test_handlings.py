"""Handlings: one writer of the stage, compare-and-set, one audit row per step."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from engine.domain.stage import Gate, Stage
from engine.errors import (
    AlreadyConsumedError,
    IllegalTransitionError,
    InvalidAnswerError,
    LeaseLostError,
    RecordNotFoundError,
)
from engine.ports.store import Store, UnitOfWork
from engine.store.store import SQLStore

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_handling_starts_once_and_again_only_after_it_ended(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        first = make.started(unit)
        assert (first.id, first.stage, first.wake_at) == ("servicenow:sys1:1", "ingested", NOW)
        assert unit.start(make.ref(), at=NOW, actor="tiergate") is None
        ended = unit.advance(first, Stage.HANDED_OVER, why="nothing fits", at=NOW)
        assert ended.wake_at is None
        second = unit.start(make.ref(), at=NOW, actor="operator")
    assert second is not None
    assert (second.attempt, second.id) == (2, "servicenow:sys1:2")
    with any_store.begin() as unit:
        assert unit.latest(make.ref()) == second
        assert unit.handling(first.id) == ended
        assert unit.latest(make.ref("2")) is None
        assert unit.handlings(stages=[Stage.HANDED_OVER]) == (ended,)
        assert {found.id for found in unit.handlings()} == {first.id, second.id}


def test_every_step_stands_in_the_ticket_s_chain_with_from_to_why_and_gate(
    any_store: Store, make: Any
) -> None:
    with any_store.begin() as unit:
        make.moved(unit, Stage.READY, gate=Gate.NONE)
        rows = unit.audit("servicenow:sys1")
        beside = unit.private("servicenow:sys1")
    assert [row.event for row in rows] == ["started", "stage", "stage", "stage"]
    body = dict(rows[2].body)
    private = body.pop("private")
    assert isinstance(private, Mapping)
    assert set(private) == {"why"}
    assert body == {
        "handling": "servicenow:sys1:1",
        "from": "triaged",
        "to": "decided",
        "gate": "none",
    }
    assert beside[1] == {"short_description": "My password is lost"}
    assert beside[3] == {"why": "map"}
    assert "password" not in str(rows[0].body)


def test_a_step_that_the_table_lacks_leaves_no_trace(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        handling = make.started(unit)
    with pytest.raises(IllegalTransitionError), any_store.begin() as unit:
        unit.advance(handling, Stage.IMPLEMENTING, why="hurry", at=NOW)
    with any_store.begin() as unit:
        assert unit.handling(handling.id) == handling
        assert len(unit.audit("servicenow:sys1")) == 1


def test_a_replaced_version_loses_its_lease_whatever_it_writes(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        old = make.started(unit)
        unit.touch(old, at=NOW, attempts=1)
    attempts: tuple[Callable[[UnitOfWork], object], ...] = (
        lambda unit: unit.advance(old, Stage.TRIAGED, why="late", at=NOW),
        lambda unit: unit.touch(old, at=NOW, attempts=2),
        lambda unit: unit.advance(
            dataclasses.replace(old, version=2, stage=Stage.TRIAGED),
            Stage.DECIDED,
            why="forged stage",
            at=NOW,
            gate=Gate.NONE,
        ),
    )
    for attempt in attempts:
        with pytest.raises(LeaseLostError), any_store.begin() as unit:
            attempt(unit)
    with any_store.begin() as unit:
        assert unit.handling(old.id).attempts == 1
        assert len(unit.audit("servicenow:sys1")) == 1


def test_the_gate_is_fixed_once_when_triaged_is_left(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        triaged = unit.advance(make.started(unit), Stage.TRIAGED, why="w", at=NOW)
    forbidden: list[tuple[Stage, dict[str, Any]]] = [
        (Stage.DECIDED, {}),
        (Stage.TRIAGED, {"gate": Gate.NONE}),
        (Stage.PARKED, {"gate": Gate.NONE}),
    ]
    for to, changes in forbidden:
        with pytest.raises(IllegalTransitionError), any_store.begin() as unit:
            unit.advance(triaged, to, why="w", at=NOW, **changes)
    with pytest.raises(IllegalTransitionError), any_store.begin() as unit:
        unit.touch(triaged, at=NOW, gate=Gate.NONE)
    with any_store.begin() as unit:
        decided = unit.advance(triaged, Stage.DECIDED, why="w", at=NOW, gate=Gate.CHANGE)
    with pytest.raises(IllegalTransitionError), any_store.begin() as unit:
        unit.advance(decided, Stage.READY, why="past the gate", at=NOW, gate=Gate.NONE)


def test_parking_keeps_where_to_resume_and_resuming_forgets_it(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        opened = make.moved(unit, Stage.DRAFTED, Stage.OPENED, gate=Gate.CHANGE)
        parked = unit.advance(opened, Stage.PARKED, why="unknown state", at=NOW)
        assert parked.parked_from is Stage.OPENED
        with pytest.raises(IllegalTransitionError):
            unit.advance(parked, Stage.APPROVED, why="shortcut", at=NOW)
        resumed = unit.advance(parked, Stage.OPENED, why="operator", at=NOW, actor="ops")
        assert resumed.parked_from is None
        assert unit.audit("servicenow:sys1")[-1].actor == "ops"


def test_an_update_without_a_move_is_audited_as_one(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        handling = make.started(unit)
        after = unit.advance(
            handling,
            Stage.INGESTED,
            why="asked again",
            at=NOW,
            evidence={"note": "n1"},
            reminded_at=NOW,
        )
        last = unit.audit("servicenow:sys1")[-1]
    assert (after.stage, after.reminded_at) == (Stage.INGESTED, NOW)
    assert (last.event, last.body["from"], last.body["to"], last.body["note"]) == (
        "update",
        "ingested",
        "ingested",
        "n1",
    )


def test_only_the_store_writes_what_identifies_a_handling(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        handling = make.started(unit)
        for name in ("id", "stage", "version", "attempt", "parked_from", "created_at"):
            with pytest.raises(TypeError):
                unit.touch(handling, at=NOW, **{name: "x"})
        with pytest.raises(TypeError):
            unit.touch(handling, at=NOW, no_such_field=1)
        with pytest.raises(ValueError, match="never changes its ticket"):
            unit.touch(handling, at=NOW, ticket=make.ref("2"))
        with pytest.raises(ValueError, match="evidence"):
            unit.advance(handling, Stage.TRIAGED, why="w", at=NOW, evidence={"why": "no"})
        with pytest.raises(RecordNotFoundError):
            unit.handling("servicenow:nobody:1")


def test_what_is_due_comes_oldest_first_and_never_after_its_end(
    any_store: Store, make: Any
) -> None:
    with any_store.begin() as unit:
        ids = list[str]()
        for number in range(3):
            handling = make.started(unit, str(number))
            wake_at = NOW + timedelta(minutes=10 - number)
            ids.append(unit.touch(handling, at=NOW, wake_at=wake_at).id)
        assert unit.due(NOW, limit=10) == ()
        assert unit.due(NOW + timedelta(hours=1), limit=2) == (ids[2], ids[1])
        assert unit.due(NOW + timedelta(minutes=8), limit=10) == (ids[2],)
        assert unit.next_wake([Stage.INGESTED]) == NOW + timedelta(minutes=8)
        assert unit.next_wake([Stage.AWAITING]) is None
        unit.advance(unit.handling(ids[2]), Stage.HANDED_OVER, why="w", at=NOW, wake_at=NOW)
        assert unit.due(NOW + timedelta(hours=1), limit=10) == (ids[1], ids[0])


def test_counts_by_stage_name_the_oldest_arrival(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        make.started(unit, "1")
        late = make.started(unit, "2")
        later = NOW + timedelta(hours=1)
        moved = unit.advance(late, Stage.TRIAGED, why="w", at=later)
        unit.touch(moved, at=NOW + timedelta(hours=2), attempts=3)
        counts = {found.stage: (found.count, found.oldest_at) for found in unit.stage_counts()}
    assert counts == {Stage.INGESTED: (1, NOW), Stage.TRIAGED: (1, later)}


def test_a_change_is_found_while_its_handling_lives(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        drafted = make.moved(unit, Stage.DRAFTED, gate=Gate.CHANGE)
        opened = unit.advance(drafted, Stage.OPENED, why="w", at=NOW, change=make.change())
        assert unit.find_by_change("servicenow", "chg1") == opened
        assert not unit.waiting("servicenow")
        waiting = unit.advance(opened, Stage.AWAITING, why="w", at=NOW)
        assert unit.waiting("servicenow") == {waiting.id: make.change()}
        renamed = dataclasses.replace(make.change(), number="CHG9")
        waiting = unit.touch(waiting, at=NOW, change=renamed)
        assert unit.waiting("servicenow") == {waiting.id: renamed}
        assert not unit.waiting("jira")
        withdrawing = unit.advance(waiting, Stage.WITHDRAWING, why="w", at=NOW)
        unit.advance(withdrawing, Stage.CANCELLED, why="w", at=NOW)
        assert unit.find_by_change("servicenow", "chg1") is None
        assert unit.find_by_change("servicenow", "chg2") is None


def test_a_change_has_one_owner_and_a_revision_one_change(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        drafted = make.moved(unit, Stage.DRAFTED, gate=Gate.CHANGE)
        opened = unit.advance(drafted, Stage.OPENED, why="w", at=NOW, change=make.change())
        other = make.moved(unit, Stage.DRAFTED, gate=Gate.CHANGE, name="2")
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.advance(other, Stage.OPENED, why="somebody else's", at=NOW, change=make.change())
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.touch(opened, at=NOW, change=make.change("2"))
    with any_store.begin() as unit:
        revised = unit.touch(opened, at=NOW, change=None, plan=make.plan(opened.ticket, 2))
        assert unit.find_by_change("servicenow", "chg1") is None
        unit.touch(revised, at=NOW, change=make.change("2"))
        assert unit.find_by_change("servicenow", "chg2") is not None


def test_a_row_edited_by_hand_is_refused(store: SQLStore, make: Any, url: str) -> None:
    with store.begin() as unit:
        handling = make.started(unit)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE handling SET stage = 'approved'"))
    engine.dispose()
    with pytest.raises(InvalidAnswerError, match="edited the database"), store.begin() as unit:
        unit.handling(handling.id)
    misfit = store.verify()
    assert misfit is not None
    assert "approved" in misfit.why


def test_handlings_about_one_target_are_found_behind_any_number_of_others(
    any_store: Store, make: Any
) -> None:
    with any_store.begin() as unit:
        for name, subject in (("1", "uuid-\u00fc%"), ("2", "uuid-2"), ("3", "uuid-\u00fcx")):
            handling = make.moved(unit, Stage.READY, gate=Gate.NONE, name=name)
            plan = make.plan(make.ref(name), subject=subject)
            unit.touch(handling, at=NOW, plan=plan)
        found = unit.handlings(touching={"uuid-\u00fc%", "nobody"}, limit=1)
        assert [one.ticket for one in found] == [make.ref("1")]
        assert unit.handlings(stages=[Stage.PARKED], touching={"uuid-2"}) == ()
        assert unit.handlings(touching=()) == ()
