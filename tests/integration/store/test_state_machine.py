"""The store against a model of itself: any order of steps, rollbacks, seals, erasures, restarts."""

import dataclasses
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.stage import TRANSITIONS, Gate, Stage
from engine.errors import (
    AlreadyConsumedError,
    IllegalTransitionError,
    LeaseLostError,
    NotApprovedError,
)
from engine.store.store import SQLStore, open_store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = st.sampled_from(["1", "2"])


class Abandoned(Exception):  # noqa: N818  what a crash looks like to a transaction
    """The transaction ends without a commit."""


def keep_or_abandon(*, is_kept: bool) -> None:
    if not is_kept:
        raise Abandoned


def ref(name: str) -> TicketRef:
    return TicketRef(system="sn", kind=TicketKind.INCIDENT, id=name, key=f"INC{name}")


class StoreMachine(RuleBasedStateMachine):
    """Every rule runs in the store and in a few dictionaries; they must agree after each step."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="tiergate-store-")
        self.path = Path(self.folder.name)
        self.store = self.opened()
        self.live: dict[str, Handling] = {}
        self.stale: dict[str, Handling] = {}
        self.rows: dict[str, int] = {}
        self.attempts: dict[str, int] = {}
        self.keys: dict[str, EffectPhase] = {}
        self.used = set[tuple[str, int]]()

    def opened(self) -> SQLStore:
        return open_store(f"sqlite:///{self.path}/t.db", data_dir=self.path)

    @rule(name=NAMES, is_kept=st.booleans())
    def start(self, name: str, *, is_kept: bool) -> None:
        try:
            with self.store.begin() as unit:
                handling = unit.start(ref(name), at=NOW, actor="w")
                keep_or_abandon(is_kept=is_kept)
        except Abandoned:
            return
        assert (handling is None) == (name in self.live)
        if handling is not None:
            self.attempts[name] = self.attempts.get(name, 0) + 1
            assert handling.attempt == self.attempts[name]
            self.live[name] = handling
            self.note(name)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), is_kept=st.booleans())
    def advance(self, data: st.DataObject, *, is_kept: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        handling = self.live[name]
        likely = sorted(TRANSITIONS[handling.gate][handling.stage]) or list(Stage)
        to = data.draw(st.sampled_from(likely) | st.sampled_from(Stage))
        gates = [gate for gate in Gate if gate is not Gate.UNDECIDED]
        changes: dict[str, Any] = {}
        if to is Stage.DECIDED:
            changes["gate"] = data.draw(st.sampled_from(gates))
        try:
            with self.store.begin() as unit:
                after = unit.advance(handling, to, why="w", at=NOW, **changes)
                keep_or_abandon(is_kept=is_kept)
        except (IllegalTransitionError, Abandoned):
            return
        assert to is handling.stage or to in TRANSITIONS[handling.gate][handling.stage]
        self.stale[name] = handling
        self.note(name)
        if to.is_end:
            del self.live[name], self.stale[name]
        else:
            self.live[name] = after

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def a_stale_worker_writes_nothing(self, data: st.DataObject) -> None:
        stale = self.stale[data.draw(st.sampled_from(sorted(self.stale)))]
        try:
            with self.store.begin() as unit:
                unit.touch(stale, at=NOW, attempts=99)
        except LeaseLostError:
            return
        raise AssertionError("a stale version was accepted")

    @precondition(lambda self: self.live)
    @rule(data=st.data(), key=st.sampled_from("abc"), revision=st.integers(1, 2) | st.none())
    def intend(self, data: st.DataObject, key: str, revision: int | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        handling = self.live[name]
        used = revision and Consumption(
            system="sn", change_id=name, revision=revision, plan_digest="sha256:1"
        )
        try:
            with self.store.begin() as unit:
                unit.intend(effect(handling, key), used or None)
        except AlreadyConsumedError:
            assert key in self.keys or (name, revision) in self.used
            return
        except NotApprovedError:
            assert handling.gate.needs_approval
            assert revision is None
            return
        assert key not in self.keys
        self.keys[key] = EffectPhase.INTENT
        if revision is not None:
            assert (name, revision) not in self.used
            self.used.add((name, revision))

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), phase=st.sampled_from(EffectPhase))
    def settle(self, data: st.DataObject, phase: EffectPhase) -> None:
        key = data.draw(st.sampled_from(sorted(self.keys)))
        with self.store.begin() as unit:
            before = unit.effect(key)
        assert before is not None
        try:
            with self.store.begin() as unit:
                unit.settle(dataclasses.replace(before, phase=phase))
        except AlreadyConsumedError:
            # What may have been fired is never withheld, and what ended is never fired again.
            may_have_run = self.keys[key] is EffectPhase.UNKNOWN and phase is EffectPhase.WITHHELD
            assert may_have_run or self.keys[key] not in {EffectPhase.INTENT, EffectPhase.UNKNOWN}
            return
        if phase is EffectPhase.WITHHELD:
            assert self.keys[key] in {EffectPhase.INTENT, EffectPhase.WITHHELD}
        self.keys[key] = phase

    @rule()
    def seal(self) -> None:
        self.store.seal(NOW)

    @precondition(lambda self: len(self.attempts) > len(self.live))
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.attempts) - set(self.live))))
        self.store.erase(f"sn:{name}", at=NOW, actor="dpo", why="w")
        self.note(name)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = self.opened()

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        with self.store.read() as unit:
            for name, handling in self.live.items():
                assert unit.handling(handling.id) == handling
                assert unit.latest(ref(name)) == handling
            for name, rows in self.rows.items():
                assert len(unit.audit(f"sn:{name}")) == rows
            for key, phase in self.keys.items():
                found = unit.effect(key)
                assert found is not None
                assert found.phase is phase
            due = set(unit.due(NOW + timedelta(days=1), limit=10))
            assert due <= {handling.id for handling in self.live.values()}

    @invariant()
    def the_chains_fit(self) -> None:
        assert self.store.verify() is None

    def note(self, name: str) -> None:
        self.rows[name] = self.rows.get(name, 0) + 1

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


def effect(handling: Handling, key: str) -> Effect:
    return Effect(
        key=key,
        handling=handling.id,
        kind=EffectKind.IMPLEMENT,
        action="reset_password",
        phase=EffectPhase.INTENT,
        owner="w",
        lease_until=NOW,
        fence=1,
        started_at=NOW,
    )


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
