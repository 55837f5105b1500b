"""A change that a person opened: adopted while it is new and unasked, and in no other case."""

import pytest

from engine.domain.change import ChainState, ChangeState
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef
from engine.errors import OutcomeUnknownError, PlanChangedError, PreconditionError, TransientError
from engine.ports.changes import ChangeControl
from tests.contract.harness import Fault, Harness

KEY = "tg:adopted:1-r1"


class Case:
    """A ticket that names a change which an agent opened."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        ticket = harness.seed_ticket("needs approval")
        self.theirs: ChangeRef = harness.change_by_hand(ticket, by=harness.agent)
        self.draft: ChangeDraft = harness.draft(ticket, correlation_id=KEY)
        self.changes: ChangeControl = harness.adopting()

    def refused(self) -> str:
        """Try to adopt, and return why that is refused; the change must be left as it was."""
        before = self.harness.changes.snapshot(self.theirs)
        with pytest.raises(PreconditionError) as caught:
            self.changes.open(self.draft)
        after = self.harness.changes.snapshot(self.theirs)
        assert (after.text, after.state, after.correlation_id) == (before.text, before.state, "")
        self.harness.settle()
        assert self.harness.count_changes(KEY) == 0
        return str(caught.value)


@pytest.fixture
def case(harness: Harness) -> Case:
    return Case(harness)


def test_a_linked_new_change_is_adopted_and_submitted_as_ours(case: Case) -> None:
    ref = case.changes.open(case.draft)
    assert ref.id == case.theirs.id
    seen = case.changes.snapshot(ref)
    assert (seen.state, seen.chain) == (ChangeState.NEW, ChainState.NOT_STARTED)
    assert (seen.text.digest, seen.correlation_id) == (case.draft.text.digest, KEY)
    case.changes.submit(ref, case.draft)
    case.changes.submit(ref, case.draft)
    assert case.changes.snapshot(ref).chain is ChainState.PENDING
    case.harness.decide(ref, by=case.harness.approvers[0], approve=True)
    assert case.changes.snapshot(ref).chain is ChainState.COMPLETE


def test_an_adopted_change_is_found_again_and_not_opened_twice(case: Case) -> None:
    ref = case.changes.open(case.draft)
    case.harness.settle()
    assert case.changes.open(case.draft) == ref
    found = case.changes.find(KEY)
    assert found is not None
    assert found.id == ref.id
    assert case.harness.count_changes(KEY) == 1


def test_what_happens_to_an_adopted_change_is_swept(case: Case) -> None:
    ref = case.changes.open(case.draft)
    case.changes.submit(ref, case.draft)
    case.harness.settle()
    cursor = case.changes.first_cursor()
    case.harness.settle()
    case.harness.cancel_change(ref, by=case.harness.agent)
    case.harness.settle()
    found: set[str] = set()
    is_last = False
    while not is_last:
        page = case.changes.changed_since(cursor, ())
        found |= {one.id for one in page.items}
        cursor, is_last = page.cursor, page.is_last
    assert ref.id in found


def test_without_the_setting_a_new_change_is_opened(case: Case) -> None:
    ref = case.harness.changes.open(case.draft)
    assert ref.id != case.theirs.id
    assert case.harness.changes.snapshot(case.theirs).correlation_id == ""


def test_a_change_that_was_moved_on_is_not_adopted(case: Case) -> None:
    case.harness.move_change(case.theirs, by=case.harness.agent)
    assert "opened by somebody else" in case.refused()


def test_a_cancelled_change_is_not_adopted(case: Case) -> None:
    case.harness.cancel_change(case.theirs, by=case.harness.agent)
    assert "opened by somebody else" in case.refused()


def test_a_change_on_hold_is_not_adopted(case: Case) -> None:
    case.harness.hold_change(case.theirs, is_held=True, by=case.harness.agent)
    assert "opened by somebody else" in case.refused()


def test_whoever_asks_on_an_adopted_change_beside_us_takes_it_from_us(case: Case) -> None:
    ref = case.changes.open(case.draft)
    case.harness.move_change(ref, by=case.harness.agent)
    if case.changes.snapshot(ref).chain is ChainState.NOT_STARTED:
        # A status before the approval: nobody has been asked yet, and asking is still ours.
        case.changes.submit(ref, case.draft)
        assert case.changes.snapshot(ref).chain is ChainState.PENDING
        return
    with pytest.raises(PreconditionError):
        case.changes.submit(ref, case.draft)


def test_an_adopted_change_that_is_edited_before_its_submission_is_not_submitted(
    case: Case,
) -> None:
    ref = case.changes.open(case.draft)
    case.harness.edit_change(ref, "backout", "Nothing.", by=case.harness.agent)
    with pytest.raises(PlanChangedError):
        case.changes.submit(ref, case.draft)
    assert case.changes.snapshot(ref).chain is ChainState.NOT_STARTED


def test_the_next_revision_is_a_change_of_our_own(case: Case) -> None:
    first = case.changes.open(case.draft)
    case.changes.cancel(first, reason="the plan changed")
    case.harness.settle()
    again = case.harness.draft(case.draft.ticket, correlation_id="tg:adopted:1-r2")
    second = case.changes.open(again)
    assert second.id != first.id
    assert case.changes.snapshot(first).state is ChangeState.CANCELLED


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST])
def test_an_adoption_that_was_cut_off_is_completed(case: Case, fault: Fault) -> None:
    assert fault in case.harness.faults
    with case.harness.fault(fault, times=1):
        try:
            case.changes.open(case.draft)
        except (OutcomeUnknownError, TransientError):
            case.harness.settle()
    ref = case.changes.open(case.draft)
    assert ref.id == case.theirs.id
    assert case.changes.snapshot(ref).text.digest == case.draft.text.digest
    case.changes.submit(ref, case.draft)
    case.harness.settle()
    assert case.harness.count_changes(KEY) == 1
