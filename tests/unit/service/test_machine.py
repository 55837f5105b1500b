"""Approvers, agents, admins, the clock and faults act at random; the invariants hold throughout."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.domain.audit import first_misfit
from engine.domain.change import ChainState, ChangeState, Membership, Verdict, VerdictKind
from engine.domain.effect import EffectKind, EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.schedule import NativeSchedule, Obstacle, ObstacleKind
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import TicketField, TicketState
from engine.errors import OutcomeUnknownError, TransientError
from engine.service import advance, gate, intake, judge, pauses
from engine.service.effects import FIRING
from engine.service.verdict_rules import Facts
from engine.service.world import Services
from engine.testing.interruptions import Killed, interrupted
from engine.testing.world import (
    DIRECTORY,
    DOOR,
    GROUP,
    JOIN,
    LEAVE,
    RESET,
    SYSTEM,
    memory_world,
)

EVERYBODY = ("REQ", "SUB", "OWN1", "OWN2", "AGT1", "AGT2", "OUT")
OWNERS = frozenset({"own1", "own2"})
AGENTS = frozenset({"agt1", "agt2"})
WRITES = (
    "changes.open",
    "changes.submit",
    "changes.claim",
    "changes.begin",
    "changes.close",
    "changes.cancel",
    "desk.add_work_note",
    "desk.put_on_hold",
    "directory.implement",
    "directory.verify",
    "mailer.send",
)


class Firing(RuleBasedStateMachine):
    """One installation, some tickets, and everybody who can touch them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = memory_world()
        self.refs: list[TicketRef] = []
        self.process = 1
        self.running = ""
        self.next_fault: tuple[str, str] | None = None
        self.next_stop = ""
        self.stop = ""
        self.plain = self.world.services
        self.world.services = self._watched("process-1")

    # --- the process and its faults
    def _watched(self, owner: str) -> Services:
        services = replace(self.plain, settings=replace(self.plain.settings, owner=owner))
        return replace(
            services,
            desks={SYSTEM: interrupted(self.world.desk, "desk", self._watch)},
            changes={SYSTEM: interrupted(self.world.changes, "changes", self._watch)},
            fulfillers={DIRECTORY: interrupted(self.world.directory, "directory", self._watch)},
            mailer=interrupted(self.world.mailer, "mailer", self._watch),
        )

    def _watch(self, point: str) -> None:
        if point == "before directory.implement":
            self._require_approval()
        if point == self.next_stop and self.stop:
            self.next_stop = ""
            self._stop_everything()
        if self.next_fault is None or self.next_fault[0] != point:
            return
        kind, self.next_fault = self.next_fault[1], None
        if kind == "killed":
            raise Killed(point)
        raise OutcomeUnknownError(point) if kind == "unknown" else TransientError(point)

    def _stop_everything(self) -> None:
        """Somebody acts between two moments of one run."""
        if self.stop == "pause":
            pauses.pause(self.plain, by="operator", action=None, system=None)
        elif self.stop == "hold":
            owner = self.world.account("OWN1")
            for change in self.world.changes.records.values():
                if change.state is ChangeState.SCHEDULED:
                    self.world.changes.hold(change.ref, is_held=True, by=owner)
        else:
            self.the_calendar_changes("blackout")

    @rule(
        point=st.sampled_from(["after changes.claim", "before directory.baseline"]),
        stop=st.sampled_from(["pause", "hold", "blackout"]),
        seconds=st.sampled_from([31, 121]),
    )
    def a_day_that_is_stopped_in_the_last_moment(self, point: str, stop: str, seconds: int) -> None:
        """Then it passes, and what was withheld runs once.

        The target is read for the last time behind the second look at the change: what people do
        there after it is found after the effect. A pause is read later still.
        """
        self.next_stop = point
        self.stop = stop if point == "after changes.claim" else "pause"
        self.a_good_day(seconds)
        self.time_passes(seconds)
        self.next_stop = self.stop = ""
        pauses.resume(self.plain, by="operator", action=None, system=None)
        owner = self.world.account("OWN1")
        for change in self.world.changes.records.values():
            if change.is_on_hold:
                self.world.changes.hold(change.ref, is_held=False, by=owner)
        self.the_calendar_changes("none")
        self.time_passes(seconds)

    def _require_approval(self) -> None:
        """I2, I3, I11: judged by the records themselves at the moment of the call."""
        with self.world.store.begin() as work:
            assert work.pauses() == (), "fired while paused"
            (handling,) = [
                item
                for item in work.handlings(stages=[Stage.IMPLEMENTING])
                if item.id == self.running
            ]
        ticket = self.world.desk.records.get(handling.ticket.id)
        schedule = self.world.changes.schedule
        if handling.gate is Gate.CHANGE:
            assert schedule.binding([self.world.clock.now()]) is None, "fired in a blackout"
            assert not schedule.unreadable, "fired blindly"
            assert handling.change is not None
            change = self.world.changes.records[handling.change.id]
            assert change.state is ChangeState.IMPLEMENT
            assert change.moved_by == self.world.changes.account()
            assert not change.is_on_hold
            assert change.text == handling.text
            yes = [row for row in change.rows if row.state == "approved"]
            assert yes
            for row in yes:
                assert row.approver.id in OWNERS
                assert row.set_by is not None
                assert row.set_by.id in OWNERS
        if handling.gate is Gate.DESK:
            assert ticket is not None
            by = [(item.answer, item.by.id if item.by else "") for item in ticket.answers]
            assert by[-1][1] in AGENTS | {"req", "sub", "out", "own1", "own2"}
            assert any(answer == "accept" and who in AGENTS for answer, who in by)

    def _run(self) -> None:
        world = self.world
        for _ in range(30):
            while intake.poll(world.services, SYSTEM, "tickets"):
                pass
            while gate.sync(world.services, SYSTEM):
                pass
            with world.store.begin() as work:
                due = work.due(world.clock.now(), limit=100)
            moved = False
            for handling_id in dict.fromkeys((*world.waker.take(), *due)):
                self.running = handling_id
                moved = advance.advance(world.services, handling_id) or moved
            if not moved:
                return

    @rule(seconds=st.sampled_from([1, 31, 121, 700, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))
        try:
            self._run()
        except Killed:
            self.process += 1
            self.world.waker.take()
            self.world.services = self._watched(f"process-{self.process}")
        except (TransientError, OutcomeUnknownError):
            pass  # a poll that fails is tried again; nothing was stored but the health

    @rule(
        point=st.sampled_from(WRITES),
        when=st.sampled_from(["before", "after"]),
        kind=st.sampled_from(["killed", "transient", "unknown"]),
    )
    def a_fault_waits(self, point: str, when: str, kind: str) -> None:
        # A port promises that after a plain TransientError nothing was done.
        if when == "after" and kind == "transient":
            kind = "unknown"
        if kind == "unknown" and point.endswith((".verify", ".send")):
            kind = "transient"
        self.next_fault = (f"{when} {point}", kind)

    @rule(kind=st.sampled_from(["none", "none", "blackout", "conflict", "unreadable"]))
    def the_calendar_changes(self, kind: str) -> None:
        now = self.world.clock.now()
        obstacle = Obstacle(
            kind=ObstacleKind.BLACKOUT if kind == "blackout" else ObstacleKind.CONFLICT,
            name="audit",
            begins_at=now,
            ends_at=now + timedelta(hours=8),
            is_binding=kind == "blackout",
        )
        self.world.changes.schedule = NativeSchedule(
            obstacles=(obstacle,) if kind in {"blackout", "conflict"} else (),
            unreadable="no right" if kind == "unreadable" else "",
        )

    # --- people
    @precondition(lambda self: len(self.refs) < 4)
    @rule(text=st.sampled_from([RESET, JOIN, LEAVE, DOOR]))
    def somebody_asks(self, text: str) -> None:
        self.world.clock.advance(timedelta(seconds=1))
        self.refs.append(self.world.desk.seed(text, requester=self.world.account("REQ")))

    @rule(
        number=st.integers(0, 9),
        by=st.sampled_from(EVERYBODY),
        set_by=st.sampled_from(EVERYBODY),
        approve=st.booleans(),
    )
    def somebody_decides(self, number: int, by: str, set_by: str, approve: bool) -> None:  # noqa: FBT001  drawn
        live = [
            item
            for item in self.world.changes.records.values()
            if item.state in {ChangeState.AUTHORIZE, ChangeState.SCHEDULED}
        ]
        if not live:
            return
        self.world.changes.decide(
            live[number % len(live)].ref,
            by=self.world.account(by),
            approve=approve,
            set_by=self.world.account(set_by),
        )

    @rule(number=st.integers(0, 9))
    def an_owner_approves(self, number: int) -> None:
        self.somebody_decides(number, "OWN1", "OWN1", approve=True)

    @rule(seconds=st.sampled_from([1, 31, 121]))
    def a_good_day(self, seconds: int) -> None:
        self.time_passes(seconds)
        for change in list(self.world.changes.records.values()):
            if change.state is ChangeState.AUTHORIZE:
                owner = self.world.account("OWN1")
                self.world.changes.decide(change.ref, by=owner, approve=True)
        for ref in self.refs:
            agent = self.world.account("AGT2")
            self.world.desk.answer(ref, by=agent, answer="accept")
        self.time_passes(seconds)

    @rule(
        number=st.integers(0, 9),
        how=st.sampled_from(["edit", "hold", "release", "cancel", "schedule", "implement"]),
    )
    def somebody_touches_a_change(self, number: int, how: str) -> None:
        changes = list(self.world.changes.records.values())
        if not changes:
            return
        found, by = changes[number % len(changes)], self.world.account("OUT")
        control = self.world.changes
        if found.state in {ChangeState.CLOSED, ChangeState.CANCELLED}:
            return
        match how:
            case "edit":
                control.edit(found.ref, "backout", f"edited {number}", by=by)
            case "hold" | "release":
                control.hold(found.ref, is_held=how == "hold", by=by)
            case "cancel":
                control.cancel_by(found.ref, by=by)
            case "schedule":
                control.move_by(found.ref, ChangeState.SCHEDULED, by=by)
            case _:
                control.move_by(found.ref, ChangeState.IMPLEMENT, by=by)

    @precondition(lambda self: self.refs)
    @rule(
        number=st.integers(0, 9),
        by=st.sampled_from(EVERYBODY),
        answer=st.sampled_from(["accept", "wrong_action", "do_it_myself"]),
    )
    def somebody_answers_at_the_desk(self, number: int, by: str, answer: str) -> None:
        ref = self.refs[number % len(self.refs)]
        self.world.desk.answer(ref, by=self.world.account(by), answer=answer)

    @precondition(lambda self: self.refs)
    @rule(number=st.integers(0, 9), how=st.sampled_from(["take", "hold", "close", "field"]))
    def an_agent_touches_a_ticket(self, number: int, how: str) -> None:
        ref, agent = self.refs[number % len(self.refs)], self.world.account("AGT1")
        desk = self.world.desk
        match how:
            case "take":
                desk.change_ticket(ref, by="agt1", assignee=agent)
            case "hold":
                desk.write_note(ref, "tiergate: hold", by=agent)
            case "close":
                desk.move(ref, TicketState.CLOSED, by="agt1")
            case _:
                desk.edit_field(ref, TicketField.CATEGORY, "by a person", by=agent)

    @rule(is_added=st.booleans())
    def an_admin_adds_a_friend(self, is_added: bool) -> None:  # noqa: FBT001  drawn
        members = self.world.changes.groups[GROUP] or ()
        # Later than any plan of this run: an older member would rightly count for later plans.
        late = self.world.clock.now() + timedelta(days=3650)
        friend = Membership(account=self.world.account("OUT"), since=late)
        self.world.changes.set_members(GROUP, [*members[:2], *([friend] if is_added else [])])

    @rule(paused=st.booleans())
    def an_operator_pauses_or_resumes(self, paused: bool) -> None:  # noqa: FBT001  drawn
        if paused:
            pauses.pause(self.plain, by="operator", action=None, system=None)
        else:
            pauses.resume(self.plain, by="operator", action=None, system=None)

    def _fired(self) -> list[str]:
        return [call.key for call in self.world.directory.calls if not call.is_backout]

    # --- what must never happen
    @invariant()
    def no_action_runs_twice(self) -> None:
        """I1: one effect key is fired at most once, but where the target said it had not been."""
        keys = self._fired()
        assert len(keys) == len(set(keys))
        with self.world.store.begin() as work:
            known = {
                effect.key
                for handling in work.handlings()
                for effect in work.effects(handling.id)
                if effect.kind is EffectKind.IMPLEMENT
            }
        assert set(keys) <= known

    @invariant()
    def what_is_withheld_never_fired_and_waits(self) -> None:
        waits = {Stage.READY, Stage.AWAITING, Stage.APPROVED, Stage.PARKED}
        with self.world.store.begin() as work:
            for handling in work.handlings():
                for effect in work.effects(handling.id):
                    if effect.phase is EffectPhase.WITHHELD:
                        assert FIRING not in effect.evidence
                        assert handling.stage in waits
                        assert effect.key not in self._fired()

    @invariant()
    def one_change_carries_each_key(self) -> None:
        keys = [item.correlation_id for item in self.world.changes.records.values()]
        assert len(keys) == len(set(keys))

    @invariant()
    def the_daemon_decided_nothing(self) -> None:
        """I3."""
        daemon = self.world.changes.account()
        for change in self.world.changes.records.values():
            assert all(row.set_by != daemon for row in change.rows)

    @invariant()
    def the_persons_field_stands(self) -> None:
        """I9."""
        for record in self.world.desk.records.values():
            if TicketField.CATEGORY in record.ticket.edited:
                assert record.ticket.fields[TicketField.CATEGORY] == "by a person"

    @invariant()
    def every_note_stands_once_and_every_chain_fits(self) -> None:
        for record in self.world.desk.records.values():
            markers = [note.marker for note in record.notes if note.marker]
            assert len(markers) == len(set(markers))
        with self.world.store.begin() as work:
            for chain in work.chains():
                assert first_misfit(work.audit(chain)) is None

    @invariant()
    def what_ended_well_was_verified(self) -> None:
        with self.world.store.begin() as work:
            for handling in work.handlings(stages=[Stage.FULFILLED]):
                (effect,) = work.effects(handling.id)
                assert effect.phase is EffectPhase.DONE
                assert effect.verified

    def teardown(self) -> None:
        """Whatever happened, left alone everything settles."""
        self.next_fault = None
        self.world.changes.schedule = NativeSchedule()
        pauses.resume(self.plain, by="operator", action=None, system=None)
        for change in self.world.changes.records.values():
            change.is_on_hold = False
        for _ in range(40):
            self.world.clock.advance(timedelta(hours=12))
            self._run()
        with self.world.store.begin() as work:
            for handling in work.handlings():
                assert handling.stage.is_end or handling.stage is Stage.PARKED, handling


TestFiring = Firing.TestCase
TestFiring.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def _naive(facts: Facts) -> Verdict:
    """What a gate that trusts the record's own summary would say."""
    complete = facts.snapshot.chain is ChainState.COMPLETE
    kind = VerdictKind.APPROVED if complete else VerdictKind.PENDING
    return Verdict(kind=kind, because="the record says so")


def test_the_machine_finds_a_gate_that_trusts_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "verdict", _naive)
    quick = settings(TestFiring.settings, max_examples=200, phases=[Phase.generate])
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(Firing, settings=quick)


def test_the_machine_finds_a_pause_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "standing", lambda *_: "")
    monkeypatch.setattr(pauses, "standing_in", lambda *_: "")
    quick = settings(TestFiring.settings, max_examples=200, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Firing, settings=quick)
