"""Approvers, agents, admins, operators, clocks and faults act at random on both sandboxes.

Over sockets, and after every step the invariants hold: one decision, one effect (I1); nothing
gated without a yes that counts (I2); no forbidden write (I3); the person wins (I9); an unknown
value parks (I10); nothing new while paused (I11). `TIERGATE_MODEL_RUNS` asks for more runs than a
build's share of time allows, `TIERGATE_MODEL_STEPS` for longer ones.
"""

import itertools
import os

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from engine.domain.change import ChainState, Verdict, VerdictKind
from engine.domain.stage import Stage
from engine.service import judge
from engine.service.verdict_rules import Facts
from tests.e2e.model.machine import COUNTED, VENDORS, Model, model_of

RUNS = int(os.environ.get("TIERGATE_MODEL_RUNS", "40"))
IS_FIXED = "TIERGATE_MODEL_RUNS" not in os.environ
"""A build plays the same dice each time; whoever asks for more runs gets new ones."""
STEPS = int(os.environ.get("TIERGATE_MODEL_STEPS", "50"))
_ENOUGH = 2000
"""From this many steps on, that hardly anything happened is a fault of the machine itself."""
_EACH = -(-RUNS // len(VENDORS))
_ALL = settings(
    # The first run that Hypothesis makes is the shortest one, of no step at all.
    max_examples=_EACH + 1,
    stateful_step_count=STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.timeout(300 + 40 * RUNS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_whatever_people_do_the_invariants_hold_after_every_step(vendor: str) -> None:
    steps, effects = COUNTED.steps, COUNTED.effects
    dice = itertools.count(1)
    run_state_machine_as_test(_thrown(vendor, next(dice)), settings=_ALL)
    # Hypothesis ends some runs early; what was promised are so many steps, each of them checked.
    while (missing := _EACH * STEPS - (COUNTED.steps - steps)) > 0:
        more = settings(_ALL, max_examples=1 - (-missing // STEPS))
        run_state_machine_as_test(_thrown(vendor, next(dice)), settings=more)
    if RUNS * STEPS >= _ENOUGH:
        assert COUNTED.effects - effects >= _EACH // 4, "hardly a run came as far as an effect"
        assert Stage.FULFILLED in COUNTED.ends
        assert len(COUNTED.ends) > 2, COUNTED.ends


def _thrown(vendor: str, dice: int) -> type[Model]:
    machine = model_of(vendor)
    return seed(dice)(machine) if IS_FIXED else machine


def _naive(facts: Facts) -> Verdict:
    """What a gate that trusts the record's own summary would say."""
    is_complete = facts.snapshot.chain is ChainState.COMPLETE or facts.snapshot.rollup == "approved"
    kind = VerdictKind.APPROVED if is_complete else VerdictKind.PENDING
    return Verdict(kind=kind, because="the record says so")


class Talked(Model):
    """The same world, in which an admin forges an approval as soon as there is a change."""

    @rule()
    def the_story(self) -> None:
        self.somebody_asks()
        self.the_daemon_works()
        if self.has_change():
            self.an_admin_forges_the_approval()
            for state in ("scheduled", "implement"):
                self.somebody_moves_the_change(state, "admin")
        self.the_daemon_works()


@pytest.mark.slow
def test_the_model_finds_a_gate_that_trusts_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "verdict", _naive)
    few = settings(_ALL, max_examples=8)
    with pytest.raises(AssertionError, match="without a yes that counts"):
        run_state_machine_as_test(Talked, settings=few)
