"""The transition table: no way around an approval, a way to a person from everywhere, ends."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.domain.stage import ENDS, TRANSITIONS, Gate, Stage, require_transition
from engine.errors import IllegalTransitionError

State = tuple[Gate, Stage, Stage | None]
PERSONS = {Stage.HANDED_OVER, Stage.TAKEN_OVER}
GATED = [gate for gate in Gate if gate.needs_approval]


def is_legal(state: State, to: Stage) -> bool:
    gate, stage, parked_from = state
    try:
        require_transition(gate, stage, to, parked_from=parked_from)
    except IllegalTransitionError:
        return False
    return True


def moves(state: State) -> Iterator[State]:
    """Every legal move, with the gate fixed when TRIAGED is left for DECIDED."""
    gate, stage, _ = state
    for to in Stage:
        if not is_legal(state, to):
            continue
        parked_from = stage if to is Stage.PARKED else None
        fixed = [gate] if to is not Stage.DECIDED else [g for g in Gate if g is not Gate.UNDECIDED]
        for after in fixed:
            yield after, to, parked_from


def reachable(start: State, *, without: frozenset[Stage] = frozenset()) -> set[State]:
    found, open_ends = {start}, [start]
    while open_ends:
        for state in moves(open_ends.pop()):
            if state not in found and state[1] not in without:
                found.add(state)
                open_ends.append(state)
    return found


START: State = (Gate.UNDECIDED, Stage.INGESTED, None)
REACHABLE = sorted(reachable(START), key=str)


def test_the_table_is_total_over_both_enums() -> None:
    assert set(TRANSITIONS) == set(Gate)
    for gate in Gate:
        assert set(TRANSITIONS[gate]) == set(Stage)
        assert all(set(targets) <= set(Stage) for targets in TRANSITIONS[gate].values())


def test_the_table_cannot_be_changed_at_run_time() -> None:
    for table in (TRANSITIONS, TRANSITIONS[Gate.NONE]):
        with pytest.raises(TypeError):
            table[Gate.NONE] = {}  # type: ignore[index]  # that it is refused is what is tried
    with pytest.raises(AttributeError):
        TRANSITIONS[Gate.NONE][Stage.DECIDED].add(Stage.IMPLEMENTING)  # type: ignore[attr-defined]  # likewise


def test_every_stage_is_reached_behind_some_gate() -> None:
    assert {stage for _, stage, _ in REACHABLE} == set(Stage)


@pytest.mark.parametrize("gate", GATED)
def test_without_approved_nothing_gated_is_ever_implemented(gate: Gate) -> None:
    decided: State = (gate, Stage.DECIDED, None)
    past = reachable(decided, without=frozenset({Stage.APPROVED}))
    effects = {
        Stage.IMPLEMENTING,
        Stage.BACKING_OUT,
        Stage.TIMEBOXED,
        Stage.ENDING,
        Stage.REPORTING,
        Stage.FULFILLED,
        Stage.BACKED_OUT,
    }
    assert not effects & {stage for _, stage, _ in past}
    assert effects <= {stage for _, stage, _ in reachable(decided)}


@pytest.mark.parametrize("gate", [Gate.UNDECIDED, Gate.PERSON])
def test_nothing_is_implemented_undecided_or_where_a_person_decides(gate: Gate) -> None:
    for stage in Stage:
        assert Stage.IMPLEMENTING not in TRANSITIONS[gate][stage]
    if gate is Gate.PERSON:
        reached = {stage for _, stage, _ in reachable((gate, Stage.DECIDED, None))}
        assert Stage.IMPLEMENTING not in reached


@pytest.mark.parametrize("gate", GATED)
def test_only_approved_leads_to_implementing_besides_resuming_there(gate: Gate) -> None:
    before = {stage for stage in Stage if Stage.IMPLEMENTING in TRANSITIONS[gate][stage]}
    assert before == {Stage.APPROVED, Stage.PARKED}
    for parked_from in Stage:
        resumes = is_legal((gate, Stage.PARKED, parked_from), Stage.IMPLEMENTING)
        assert resumes == (parked_from is Stage.IMPLEMENTING)


def test_after_an_intent_only_what_never_fired_goes_back_and_only_to_where_it_waits() -> None:
    before = {Stage.READY, Stage.DRAFTED, Stage.OPENED, Stage.AWAITING, Stage.APPROVED}
    after = {Stage.BACKING_OUT, Stage.TIMEBOXED, Stage.ENDING, Stage.REPORTING}
    waits = {Gate.NONE: Stage.READY, Gate.DESK: Stage.AWAITING, Gate.CHANGE: Stage.AWAITING}
    for gate in Gate:
        back = TRANSITIONS[gate][Stage.IMPLEMENTING] & before
        assert back == ({waits[gate]} if gate in waits else set())
        assert not any(TRANSITIONS[gate][stage] & before for stage in after)


@pytest.mark.parametrize("gate", GATED)
def test_what_went_back_needs_a_fresh_look_at_its_approval_before_it_runs(gate: Gate) -> None:
    again = reachable((gate, Stage.AWAITING, None), without=frozenset({Stage.APPROVED}))
    assert Stage.IMPLEMENTING not in {stage for _, stage, _ in again}


def test_a_parked_handling_resumes_where_it_was_parked_is_withdrawn_or_ends() -> None:
    before_intent = {Stage.DRAFTED, Stage.OPENED, Stage.AWAITING, Stage.APPROVED}
    for state in REACHABLE:
        if state[1] is not Stage.PARKED:
            continue
        for _, to, _ in moves(state):
            assert (
                to is state[2]
                or to.is_end
                or (to is Stage.WITHDRAWING and state[2] in before_intent)
            )


@pytest.mark.parametrize("state", REACHABLE, ids=str)
def test_every_reachable_stage_ends_or_has_a_way_to_a_person(state: State) -> None:
    if state[1].is_end:
        assert not list(moves(state)), "an end is an end"
        return
    assert PERSONS & {stage for _, stage, _ in reachable(state)}
    near = {to for _, to, _ in moves(state)}
    in_sight = near | {further for move in moves(state) for _, further, _ in moves(move)}
    assert {Stage.PARKED} | PERSONS & in_sight or state[1] is Stage.PARKED
    assert state[1] is Stage.PARKED or Stage.PARKED in near or PERSONS & near


@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("stage", list(Stage))
def test_ends_are_ends_and_only_they_say_so(gate: Gate, stage: Stage) -> None:
    assert stage.is_end == (stage in ENDS)
    if stage.is_end:
        assert stage.is_settled
        assert not TRANSITIONS[gate][stage]


def test_from_every_reachable_stage_some_end_is_reached() -> None:
    for state in REACHABLE:
        assert ENDS & {stage for _, stage, _ in reachable(state)}


@pytest.mark.parametrize("gate", GATED)
def test_a_change_that_was_opened_is_withdrawn_before_the_handling_ends(gate: Gate) -> None:
    for stage in (Stage.OPENED, Stage.AWAITING, Stage.APPROVED):
        if gate is Gate.DESK and stage is Stage.OPENED:
            continue
        assert not ENDS & TRANSITIONS[gate][stage]


@given(st.sampled_from(Gate), st.sampled_from(Stage), st.sampled_from(Stage), st.data())
def test_a_move_is_refused_exactly_where_the_table_lacks_it(
    gate: Gate, stage: Stage, to: Stage, data: st.DataObject
) -> None:
    if stage is not Stage.PARKED:
        parked_from = data.draw(st.none() | st.sampled_from(Stage))
        assert is_legal((gate, stage, parked_from), to) == (to in TRANSITIONS[gate][stage])
    elif to not in TRANSITIONS[gate][stage]:
        assert not is_legal((gate, stage, data.draw(st.sampled_from(Stage))), to)


class Wanderer(RuleBasedStateMachine):
    """One handling that takes any legal move, for as long as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = START
        self.is_approved = False
        self.gates = {Gate.UNDECIDED}

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        possible = sorted(moves(self.state), key=str)
        if not possible:
            return
        self.state = data.draw(st.sampled_from(possible))
        self.is_approved = self.is_approved or self.state[1] is Stage.APPROVED
        if self.state[1] in {Stage.AWAITING, Stage.WITHDRAWING, Stage.DRAFTED}:
            self.is_approved = False
        self.gates.add(self.state[0])

    @invariant()
    def nothing_gated_runs_unapproved(self) -> None:
        gate, stage, _ = self.state
        if stage is Stage.IMPLEMENTING and gate.needs_approval:
            assert self.is_approved

    @invariant()
    def the_gate_is_fixed_once(self) -> None:
        assert len(self.gates) <= 2


TestWanderer = Wanderer.TestCase
TestWanderer.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
