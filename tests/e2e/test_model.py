"""Approvers, agents, admins, the clock and faults act at random on both sandboxes, over sockets.

After every step the invariants hold: one decision, one effect (I1); nothing gated without a yes
that counts (I2); no forbidden write (I3); nothing new while paused (I11). I9 and I10 are played in
the attacks, not checked here. `TIERGATE_MODEL_RUNS` and `TIERGATE_MODEL_STEPS` ask for more than a
build's share of time allows.
"""

import os
import sys
import tempfile
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.domain.change import ChainState, Verdict, VerdictKind
from engine.domain.effect import EffectKind
from engine.domain.stage import Stage
from engine.service import judge, pauses
from engine.service.verdict_rules import Facts
from tests.e2e.attacks.directory import memberships
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import REFUSALS, JiraOffice, ServiceNowOffice
from tests.e2e.attacks.theatre import Company, open_theatre

ASKERS = ("bob.miller", "grete.olsen", "natasha.ingram", "hugo.lindt")
OWNERS = ("howard.johnson", "beth.anglin", "bow.ruggeri")
TEXT = ("Finance-Reports for me", "Please add me to the directory group Finance-Reports.")
FAULTS = ("5xx", "drop_before", "drop_after", "truncated", "html")
RUNS = int(os.environ.get("TIERGATE_MODEL_RUNS", "12"))
STEPS = int(os.environ.get("TIERGATE_MODEL_STEPS", "40"))
_NATIVE = (*REFUSALS, AssertionError, KeyError, StopIteration, IndexError, requests.HTTPError)
"""What a person meets who tries what the vendor does not allow, or what is not there."""

# cel-python raises the limit when it is first used; in the middle of a run Hypothesis objects.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 2500))


class Model(RuleBasedStateMachine):
    """One company, one vendor, some tickets, and everybody who can touch them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.yes: set[str] = set()
        self.started_while_paused: set[str] = set()
        self.is_paused = False
        self.effects_at_pause: set[str] = set()
        self.asked: dict[str, tuple[str, str]] = {}
        self.taken: dict[str, str] = {}

    @initialize(vendor=st.sampled_from(["servicenow", "itsm-jira"]))
    def opens(self, vendor: str) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.theatre = self.stack.enter_context(open_theatre(folder))
        is_servicenow = vendor == "servicenow"
        self.office: Any = (
            ServiceNowOffice(self.theatre) if is_servicenow else JiraOffice(self.theatre)
        )
        self.stack.callback(self.office.close)
        self.company = Company(self.theatre, vendor)
        self.stack.callback(self.company.close)
        self.company.open()
        self.before = memberships(self.theatre)
        self.company.round()
        self.theatre.pass_time(timedelta(seconds=5))

    def teardown(self) -> None:
        if hasattr(self, "company"):
            with suppress(AssertionError), self.company.services.store.begin() as work:
                for handling in work.handlings(stages=tuple(Stage), limit=100):
                    event(f"a handling stood at {handling.stage}")
            event(f"{len(self.theatre.effects())} writes at the target")
        self.stack.close()

    def change_of(self, uid: str) -> dict[str, str] | None:
        """The change on which the people are acting now: the newest one, if it is this asker's."""
        found = self.office.changes()
        return found[-1] if found and uid in str(found[-1]) else None

    # --- people
    @precondition(lambda self: len(self.asked) < len(ASKERS))
    @rule()
    def somebody_asks(self) -> None:
        uid = ASKERS[len(self.asked)]
        self.asked[uid] = self.office.ask(uid, *TEXT)

    @rule(uid=st.sampled_from((*OWNERS, *ASKERS, "luke.wilson")), is_yes=st.booleans())
    def somebody_answers(self, uid: str, is_yes: bool) -> None:  # noqa: FBT001  drawn
        if not self.office.changes():
            return
        with suppress(*_NATIVE):
            (self.office.approve if is_yes else self.office.reject)(uid)
            if is_yes and uid in OWNERS:
                # The newest change is about one asker; whoever it names may get the effect.
                self.yes |= {one for one in ASKERS if self.change_of(one)}

    @rule(field=st.sampled_from(["implementation", "test", "summary"]))
    def an_agent_edits_the_plan(self, field: str) -> None:
        with suppress(*_NATIVE):
            self.office.edit(field, "Add everybody to every group.")

    @rule(state=st.sampled_from(["implement", "scheduled", "cancelled", "assess", "authorize"]),
          uid=st.sampled_from(["luke.wilson", "admin"]))  # fmt: skip
    def somebody_moves_the_change(self, state: str, uid: str) -> None:
        with suppress(*_NATIVE):
            self.office.move(state, uid)

    @rule(is_held=st.booleans())
    def an_agent_holds_or_releases(self, is_held: bool) -> None:  # noqa: FBT001  drawn
        with suppress(*_NATIVE):
            (self.office.hold if is_held else self.office.release)()

    @rule(uid=st.sampled_from(ASKERS))
    def an_admin_adds_an_approver(self, uid: str) -> None:
        with suppress(*_NATIVE):
            self.office.join_authority(uid)

    @rule()
    def an_admin_forges_the_approval(self) -> None:
        if isinstance(self.office, ServiceNowOffice) and self.office.changes():
            key = self.office.change()["sys_id"]
            with suppress(*_NATIVE):
                self.office.write("change_request", key, {"approval": "approved"})

    @precondition(lambda self: bool(self.asked))
    @rule(data=st.data())
    def an_agent_changes_the_requester(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.asked)))
        ticket, key = self.asked[uid]
        with suppress(*_NATIVE):
            name = ticket if isinstance(self.office, ServiceNowOffice) else key
            self.office.change_requester(name, "abel.tuter")

    # --- the world
    @rule(minutes=st.sampled_from([1, 10, 70, 250]))
    def time_passes(self, minutes: int) -> None:
        self.theatre.pass_time(timedelta(minutes=minutes))

    @rule(kind=st.sampled_from(FAULTS), count=st.integers(1, 4))
    def something_breaks(self, kind: str, count: int) -> None:
        name = isinstance(self.office, ServiceNowOffice)
        url = self.theatre.servicenow.admin_url if name else self.theatre.jira.admin_url
        found = requests.post(f"{url}/faults", json={"kind": kind, "next_n": count}, timeout=10)
        found.raise_for_status()
        self._work()
        requests.delete(f"{url}/faults", timeout=10).raise_for_status()

    @rule()
    def an_operator_pauses(self) -> None:
        pauses.pause(self.company.services, by="operator", action=None, system=None)
        self.effects_at_pause = self._fired()
        self.is_paused = True

    @rule()
    def an_operator_resumes(self) -> None:
        pauses.resume(self.company.services, by="operator", action=None, system=None)
        self.is_paused = False

    @rule()
    def the_daemon_works(self) -> None:
        self._work()

    @rule()
    def the_daemon_works_on(self) -> None:
        self._work()

    @precondition(lambda self: bool(self.asked))
    @rule(uid=st.sampled_from(OWNERS))
    def all_goes_well(self, uid: str) -> None:
        """What happens on a plain day; else few runs would come as far as an effect."""
        self._work()
        self.somebody_answers(uid, is_yes=True)
        self._work()

    @rule()
    def the_daemon_is_restarted(self) -> None:
        self.company.open()

    def _work(self) -> None:
        self.theatre.pass_time(timedelta(seconds=30))
        self.company.round(may_fail=True)

    # --- what always holds
    def _fired(self) -> set[str]:
        return {f"{group}/{uid}" for group, uid in memberships(self.theatre)}

    @invariant()
    def one_decision_has_one_effect(self) -> None:
        if not hasattr(self, "company"):
            return
        with self.company.services.store.begin() as work:
            for handling in work.handlings(stages=tuple(Stage), limit=100):
                kinds = [effect.kind for effect in work.effects(handling.id)]
                assert kinds.count(EffectKind.IMPLEMENT) <= 1
        modified = [one for one in self.theatre.effects() if "Finance-Reports" in one]
        # An approval that was taken back in the last moment is backed out: two writes an asker.
        assert len(modified) <= 2 * len(self.asked)
        assert len(modified) == len(self.theatre.effects()), "something else was written"

    @invariant()
    def nothing_gated_runs_without_a_yes_that_counts(self) -> None:
        if not hasattr(self, "company"):
            return
        joined = memberships(self.theatre) - self.before
        assert {group for group, _ in joined} <= {"Finance-Reports"}
        assert {uid for _, uid in joined} <= self.yes, "an effect without a yes that counts"

    @invariant()
    def no_write_is_forbidden(self) -> None:
        if hasattr(self, "company"):
            assert forbidden(self.office.system, self.office.log()) == []

    @invariant()
    def nothing_starts_while_paused(self) -> None:
        if hasattr(self, "company") and self.is_paused:
            assert self._fired() <= self.effects_at_pause

    @invariant()
    def the_chains_verify(self) -> None:
        if hasattr(self, "company") and self.company.daemon is not None:
            assert self.company.daemon.opened.store.verify(None) is None


TestModel = pytest.mark.slow(Model.TestCase)
TestModel.settings = settings(
    max_examples=RUNS,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _naive(facts: Facts) -> Verdict:
    """What a gate that trusts the record's own summary would say."""
    is_complete = facts.snapshot.chain is ChainState.COMPLETE or facts.snapshot.rollup == "approved"
    kind = VerdictKind.APPROVED if is_complete else VerdictKind.PENDING
    return Verdict(kind=kind, because="the record says so")


class Talked(Model):
    """The same world, in which an admin forges an approval as soon as there is a change."""

    @rule()
    def the_story(self) -> None:
        self.somebody_asks() if len(self.asked) < len(ASKERS) else None
        self._work()
        self.an_admin_forges_the_approval()
        for state in ("scheduled", "implement"):
            self.somebody_moves_the_change(state, "admin")
        self._work()


@pytest.mark.slow
def test_the_model_finds_a_gate_that_trusts_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "verdict", _naive)
    few = settings(TestModel.settings, max_examples=8)
    with pytest.raises(AssertionError, match="without a yes that counts"):
        run_state_machine_as_test(Talked, settings=few)
