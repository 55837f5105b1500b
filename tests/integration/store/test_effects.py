"""Effects: one intent per key, one use per approval, fences that never go back."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.domain.effect import Effect, EffectKind, EffectPhase
from engine.domain.stage import Gate, Stage
from engine.errors import (
    AlreadyConsumedError,
    LeaseLostError,
    NotApprovedError,
    RecordNotFoundError,
)
from engine.ports.store import Store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def intended(any_store: Store, make: Any) -> Effect:
    with any_store.begin() as unit:
        handling = make.moved(unit, Stage.READY, gate=Gate.NONE)
        effect: Effect = make.effect(handling)
        unit.intend(effect, None)
    return effect


def test_intent_and_consumption_are_stored_together(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        handling = make.moved(unit, gate=Gate.CHANGE)
        effect = make.effect(handling)
        unit.intend(effect, make.consumption())
    with any_store.begin() as unit:
        assert unit.effect("k1") == effect
        assert unit.effects(handling.id) == (effect,)
        assert unit.effect("k2") is None


def test_an_effect_key_is_used_once_for_ever(any_store: Store, intended: Effect) -> None:
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.intend(intended, None)
    with any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, phase=EffectPhase.FAILED))
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.intend(intended, None)


def test_an_approval_is_used_once_and_a_caught_error_leaves_no_intent(
    any_store: Store, make: Any
) -> None:
    with any_store.begin() as unit:
        handling = make.moved(unit, gate=Gate.CHANGE)
        unit.intend(make.effect(handling), make.consumption())
    with any_store.begin() as unit:
        with pytest.raises(AlreadyConsumedError, match="approval"):
            unit.intend(make.effect(handling, "k2"), make.consumption())
        assert unit.effect("k2") is None
        unit.intend(make.effect(handling, "k3"), make.consumption(revision=2))
        unit.intend(make.effect(handling, "k4"), make.consumption(digest="sha256:2"))


@pytest.mark.parametrize("gate", [Gate.CHANGE, Gate.DESK])
def test_behind_a_gate_nothing_is_intended_without_an_approval(
    any_store: Store, make: Any, gate: Gate
) -> None:
    with any_store.begin() as unit:
        handling = make.moved(unit, gate=gate)
    with pytest.raises(NotApprovedError), any_store.begin() as unit:
        unit.intend(make.effect(handling), None)
    with any_store.begin() as unit:
        unit.intend(make.effect(handling, kind=EffectKind.BACK_OUT), None)
        nobody = dataclasses.replace(handling, id="servicenow:nobody:1")
        with pytest.raises(RecordNotFoundError):
            unit.intend(make.effect(nobody, "k2"), None)


def test_a_newer_fence_takes_over_and_the_old_owner_is_out(
    any_store: Store, intended: Effect
) -> None:
    taken = dataclasses.replace(intended, owner="worker-2", fence=2)
    with any_store.begin() as unit:
        unit.settle(taken)
    late = (
        dataclasses.replace(intended, phase=EffectPhase.DONE),
        dataclasses.replace(intended, phase=EffectPhase.DONE, owner="worker-3", fence=2),
    )
    for effect in late:
        with pytest.raises(LeaseLostError), any_store.begin() as unit:
            unit.settle(effect)
    done = dataclasses.replace(
        taken,
        phase=EffectPhase.DONE,
        finished_at=NOW + timedelta(seconds=1),
        verified=True,
        evidence={"dn": "uid=ada"},
    )
    with any_store.begin() as unit:
        unit.settle(done)
        assert unit.effect("k1") == done


@pytest.mark.parametrize("ended", [EffectPhase.DONE, EffectPhase.FAILED, EffectPhase.BACKED_OUT])
def test_an_ended_effect_never_stands_at_intent_again(
    any_store: Store, intended: Effect, ended: EffectPhase
) -> None:
    with any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, phase=ended))
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, fence=9))


def test_a_withheld_effect_is_resumed_or_ends_and_nothing_else(
    any_store: Store, intended: Effect
) -> None:
    withheld = dataclasses.replace(intended, phase=EffectPhase.WITHHELD)
    with any_store.begin() as unit:
        unit.settle(withheld)
        assert unit.effect("k1") == withheld
    for phase in (EffectPhase.DONE, EffectPhase.UNKNOWN, EffectPhase.BACKED_OUT):
        with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
            unit.settle(dataclasses.replace(withheld, phase=phase))
    resumed = dataclasses.replace(intended, owner="worker-2", fence=2)
    with any_store.begin() as unit:
        unit.settle(resumed)
    with pytest.raises(LeaseLostError), any_store.begin() as unit:
        unit.settle(withheld)
    with any_store.begin() as unit:
        unit.settle(dataclasses.replace(resumed, phase=EffectPhase.DONE))


@pytest.mark.parametrize(
    "ended",
    [EffectPhase.DONE, EffectPhase.FAILED, EffectPhase.BACKED_OUT, EffectPhase.UNKNOWN],
)
def test_what_may_have_been_fired_is_never_withheld(
    any_store: Store, intended: Effect, ended: EffectPhase
) -> None:
    with any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, phase=ended))
    with pytest.raises(AlreadyConsumedError), any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, phase=EffectPhase.WITHHELD))


def test_a_withheld_effect_is_no_use_until_it_is_resumed(
    any_store: Store, intended: Effect
) -> None:
    since = NOW - timedelta(days=1)
    with any_store.begin() as unit:
        unit.settle(dataclasses.replace(intended, phase=EffectPhase.WITHHELD))
        assert unit.count_effects(action=intended.action, since=since) == 0
        unit.settle(dataclasses.replace(intended, fence=2))
        assert unit.count_effects(action=intended.action, since=since) == 1


def test_effects_are_counted_by_phase(any_store: Store, intended: Effect) -> None:
    with any_store.begin() as unit:
        assert unit.effect_phases() == {EffectPhase.INTENT: 1}
        unit.settle(dataclasses.replace(intended, phase=EffectPhase.UNKNOWN))
        assert unit.effect_phases() == {EffectPhase.UNKNOWN: 1}


def test_only_known_effects_are_settled_and_what_they_are_never_changes(
    any_store: Store, intended: Effect
) -> None:
    with any_store.begin() as unit:
        with pytest.raises(RecordNotFoundError):
            unit.settle(dataclasses.replace(intended, key="k2"))
        with pytest.raises(ValueError, match="action"):
            unit.settle(dataclasses.replace(intended, action="disable_account"))


def test_uses_are_counted_by_action_subject_and_time(any_store: Store, make: Any) -> None:
    with any_store.begin() as unit:
        one = make.moved(unit, gate=Gate.NONE)
        two = make.moved(unit, gate=Gate.NONE, name="2")
        two = unit.touch(two, at=NOW, plan=make.plan(two.ticket, subject="uuid-2"))
        unit.intend(make.effect(one, "k1"), None)
        unit.intend(make.effect(two, "k2", started_at=NOW - timedelta(hours=2)), None)
        unit.intend(make.effect(two, "k3", kind=EffectKind.END), None)
        unit.intend(make.effect(two, "k4", action="disable_account"), None)
        day, hour = NOW - timedelta(days=1), NOW - timedelta(hours=1)
        count = unit.count_effects
        assert count(action="reset_password", since=day) == 2
        assert count(action="reset_password", since=hour) == 1
        assert count(action="reset_password", since=day, subject="uuid-2") == 1
        assert count(action="reset_password", since=day, subject="uuid-3") == 0
