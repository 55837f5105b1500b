"""ChangeControl: opened once, read whole, moved only where the chain says yes."""

import contextlib
import dataclasses
import threading
from datetime import timedelta

import pytest

from engine.domain.change import (
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
    ClaimResult,
    CloseCode,
)
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef, TicketRef
from engine.errors import (
    DoesNotFitError,
    MissingRightError,
    NotApprovedError,
    OutcomeUnknownError,
    PlanChangedError,
    TiergateError,
    TransientError,
    UnmappedValueError,
)
from engine.ports.paging import Cursor
from tests.contract.harness import Fault, Harness

KEY = "tg:contract:1-r1"
NOT_YET = frozenset({ChainState.NOT_STARTED, ChainState.PENDING})


def opened(harness: Harness, key: str = KEY) -> tuple[ChangeRef, ChangeDraft]:
    ticket = harness.seed_ticket("needs approval")
    draft = harness.draft(ticket, correlation_id=key)
    return harness.changes.open(draft), draft


def submitted(harness: Harness, key: str = KEY) -> tuple[ChangeRef, ChangeDraft]:
    ref, draft = opened(harness, key)
    harness.changes.submit(ref, draft)
    return ref, draft


def approved(harness: Harness, key: str = KEY) -> tuple[ChangeRef, ChangeDraft]:
    ref, draft = submitted(harness, key)
    harness.decide(ref, by=harness.approvers[0], approve=True)
    return ref, draft


def changed(harness: Harness, cursor: Cursor) -> tuple[set[str], Cursor]:
    found: set[str] = set()
    for _ in range(100):
        page = harness.changes.changed_since(cursor, ())
        found |= {ref.id for ref in page.items}
        cursor = page.cursor
        if page.is_last:
            return found, cursor
    raise AssertionError("the sweep does not end")


def deciding(snapshot: ChangeSnapshot) -> set[str]:
    return {row.approver.id for row in snapshot.approvals if row.state is ApprovalState.APPROVED}


# --- opening
def test_opening_twice_is_one_change(harness: Harness) -> None:
    ref, draft = opened(harness)
    assert harness.changes.open(draft) == ref
    assert harness.count_changes(KEY) == 1


def test_an_opened_change_is_new_and_nobody_was_asked(harness: Harness) -> None:
    ref, draft = opened(harness)
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.state is ChangeState.NEW
    assert snapshot.chain is ChainState.NOT_STARTED
    assert [row for row in snapshot.approvals if row.state is ApprovalState.REQUESTED] == []
    assert snapshot.correlation_id == draft.correlation_id


def test_a_change_whose_answer_was_lost_is_found_and_not_made_again(harness: Harness) -> None:
    ticket = harness.seed_ticket("needs approval")
    draft = harness.draft(ticket, correlation_id=KEY)
    # allowed: the caller looks for it, as below
    with harness.fault(Fault.LOSE_ANSWER, times=1), contextlib.suppress(OutcomeUnknownError):
        harness.changes.open(draft)
    assert harness.count_changes(KEY) == 1
    found = harness.changes.find(KEY)
    assert found is not None
    assert harness.changes.open(draft) == found
    assert harness.count_changes(KEY) == 1


def test_a_change_whose_request_was_lost_is_unknown_and_then_not_there(harness: Harness) -> None:
    ticket = harness.seed_ticket("needs approval")
    draft = harness.draft(ticket, correlation_id=KEY)
    with harness.fault(Fault.LOSE_REQUEST, times=1), pytest.raises(TransientError):
        harness.changes.open(draft)
    assert harness.changes.find(KEY) is None
    assert harness.count_changes(KEY) == 0


def test_find_compares_the_whole_key(harness: Harness) -> None:
    ref, _ = opened(harness)
    assert harness.changes.find(KEY) == ref
    assert harness.changes.find(KEY.upper()) is None
    assert harness.changes.find(KEY + "1") is None
    assert harness.changes.find(KEY[:-1]) is None


def test_approvers_read_exactly_what_was_drafted(harness: Harness) -> None:
    ref, draft = opened(harness)
    assert harness.changes.snapshot(ref).text.digest == draft.text.digest


def test_a_text_that_does_not_fit_opens_nothing(harness: Harness) -> None:
    ticket = harness.seed_ticket("needs approval")
    draft = harness.draft(ticket, correlation_id=KEY)
    text = dataclasses.replace(draft.text, implementation="x" * 40_000)
    with pytest.raises(DoesNotFitError):
        harness.changes.open(dataclasses.replace(draft, text=text))
    assert harness.count_changes(KEY) == 0


# --- submitting and waiting
def test_submitting_asks_the_authority_once(harness: Harness) -> None:
    ref, draft = submitted(harness)
    harness.changes.submit(ref, draft)
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.chain is ChainState.PENDING
    asked = [row.approver.id for row in snapshot.approvals]
    assert len(asked) == len(set(asked))
    assert snapshot.daemon.id not in asked


def test_a_change_edited_before_submission_is_not_submitted(harness: Harness) -> None:
    ref, draft = opened(harness)
    harness.edit_change(ref, "implementation", "something else", by=harness.agent)
    with pytest.raises(PlanChangedError):
        harness.changes.submit(ref, draft)
    assert harness.changes.snapshot(ref).chain is ChainState.NOT_STARTED


def test_a_pending_change_is_not_approved(harness: Harness) -> None:
    ref, _ = submitted(harness)
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.chain in NOT_YET
    assert snapshot.rollup is not ApprovalState.APPROVED
    assert deciding(snapshot) == set()


def test_a_native_yes_completes_the_chain_and_names_who_gave_it(harness: Harness) -> None:
    ref, _ = approved(harness)
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.chain is ChainState.COMPLETE
    assert snapshot.rollup is ApprovalState.APPROVED
    (row,) = [row for row in snapshot.approvals if row.state is ApprovalState.APPROVED]
    assert row.set_by is not None
    assert row.set_by.identity == row.approver.identity
    assert row.approver.identity != snapshot.daemon.identity
    assert row.decided_at is not None
    members = harness.changes.members(harness.authority_group)
    assert members is not None
    assert row.approver.id in {member.account.id for member in members}


def test_a_native_no_is_a_rejection(harness: Harness) -> None:
    ref, _ = submitted(harness)
    harness.decide(ref, by=harness.approvers[0], approve=False)
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.chain is ChainState.REJECTED


def test_a_cancelled_change_is_cancelled(harness: Harness) -> None:
    ref, _ = submitted(harness)
    harness.cancel_change(ref, by=harness.agent)
    assert harness.changes.snapshot(ref).chain is ChainState.CANCELLED


def test_a_value_that_no_table_knows_is_an_error_and_no_verdict(harness: Harness) -> None:
    ref, _ = submitted(harness)
    harness.break_change(ref)
    with pytest.raises(UnmappedValueError):
        harness.changes.snapshot(ref)


def test_a_change_on_hold_says_so(harness: Harness) -> None:
    ref, _ = approved(harness)
    assert not harness.changes.snapshot(ref).is_on_hold
    harness.hold_change(ref, is_held=True, by=harness.agent)
    assert harness.changes.snapshot(ref).is_on_hold


def test_an_edit_back_and_forth_stays_in_the_history(harness: Harness) -> None:
    ref, draft = submitted(harness)
    before = harness.changes.snapshot(ref)
    harness.advance(timedelta(seconds=2))
    harness.edit_change(ref, "backout", "nothing", by=harness.agent)
    assert harness.changes.snapshot(ref).text.digest != draft.text.digest
    harness.edit_change(ref, "backout", draft.text.backout, by=harness.agent)
    after = harness.changes.snapshot(ref)
    assert after.text.digest == draft.text.digest
    assert before.history is not None
    assert after.history is not None
    edits = [edit for edit in after.history if edit.field == "backout"]
    assert len(edits) == len([e for e in before.history if e.field == "backout"]) + 2
    assert all(
        edit.by is not None and edit.by.identity != after.daemon.identity for edit in edits[-2:]
    )


def test_members_tell_since_when(harness: Harness) -> None:
    members = harness.changes.members(harness.authority_group)
    assert members is not None
    assert all(member.since is None or member.since <= harness.now() for member in members)


def test_a_group_that_is_not_there_has_no_readable_members(harness: Harness) -> None:
    assert harness.changes.members("00000000000000000000000000000000") is None


# --- syncing
def test_a_sweep_names_the_changes_that_people_decided(harness: Harness) -> None:
    decided, _ = submitted(harness, KEY)
    waiting, _ = submitted(harness, KEY + "-waiting")
    harness.settle()
    cursor = harness.changes.first_cursor()
    harness.advance(harness.overlap * 2)
    _, cursor = changed(harness, cursor)
    harness.advance(harness.overlap * 2)
    harness.decide(decided, by=harness.approvers[0], approve=True)
    harness.settle()
    found, _ = changed(harness, cursor)
    assert decided.id in found
    assert waiting.id not in found


def test_a_sweep_names_a_change_whose_plan_a_person_edited(harness: Harness) -> None:
    edited, _ = submitted(harness)
    harness.settle()
    cursor = harness.changes.first_cursor()
    harness.advance(harness.overlap * 2)
    _, cursor = changed(harness, cursor)
    harness.advance(harness.overlap * 2)
    harness.edit_change(edited, "implementation", "something else", by=harness.agent)
    harness.settle()
    found, _ = changed(harness, cursor)
    assert found == {edited.id}


# --- claiming
def test_a_claim_is_won_once_and_recognised_again(harness: Harness) -> None:
    ref, draft = approved(harness)
    claim = harness.changes.claim
    assert claim(ref, plan_digest=draft.plan_digest, owner="one") is ClaimResult.WON
    assert claim(ref, plan_digest=draft.plan_digest, owner="one") is ClaimResult.OURS
    assert claim(ref, plan_digest=draft.plan_digest, owner="two") is ClaimResult.LOST


def test_of_many_daemons_that_claim_at_once_one_wins(harness: Harness) -> None:
    ref, draft = approved(harness)
    start = threading.Barrier(6)
    results: list[ClaimResult] = []

    def one(owner: str) -> None:
        start.wait()
        results.append(harness.changes.claim(ref, plan_digest=draft.plan_digest, owner=owner))

    threads = [threading.Thread(target=one, args=(f"daemon {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [ClaimResult.LOST] * 5 + [ClaimResult.WON]


def test_a_claim_whose_answer_was_lost_is_ours(harness: Harness) -> None:
    ref, draft = approved(harness)
    # allowed: the caller claims again, as below
    with harness.fault(Fault.LOSE_ANSWER, times=1), contextlib.suppress(TransientError):
        harness.changes.claim(ref, plan_digest=draft.plan_digest, owner="one")
    claim = harness.changes.claim
    assert claim(ref, plan_digest=draft.plan_digest, owner="one") is ClaimResult.OURS
    assert claim(ref, plan_digest=draft.plan_digest, owner="two") is ClaimResult.LOST


# --- implementing
def test_an_approved_change_is_begun_and_closed(harness: Harness) -> None:
    ref, draft = approved(harness)
    harness.changes.claim(ref, plan_digest=draft.plan_digest, owner="one")
    harness.changes.begin(ref, at=harness.now())
    assert harness.change_state(ref) is ChangeState.IMPLEMENT
    harness.changes.begin(ref, at=harness.now())
    snapshot = harness.changes.snapshot(ref)
    assert snapshot.moved_by is not None
    assert snapshot.moved_by.identity == snapshot.daemon.identity
    harness.changes.close(
        ref, code=CloseCode.SUCCESSFUL, notes="Verified at the target.", at=harness.now()
    )
    assert harness.change_state(ref) is ChangeState.CLOSED
    harness.changes.close(
        ref, code=CloseCode.SUCCESSFUL, notes="Verified at the target.", at=harness.now()
    )


def test_a_failed_change_is_closed_as_unsuccessful(harness: Harness) -> None:
    ref, _ = approved(harness)
    harness.changes.begin(ref, at=harness.now())
    harness.changes.close(ref, code=CloseCode.UNSUCCESSFUL, notes="Backed out.", at=harness.now())
    assert harness.change_state(ref) is ChangeState.CLOSED


def test_a_change_that_nobody_approved_cannot_be_begun(harness: Harness) -> None:
    ref, _ = submitted(harness)
    with pytest.raises(NotApprovedError):
        harness.changes.begin(ref, at=harness.now())
    assert harness.change_state(ref) not in {ChangeState.IMPLEMENT, ChangeState.CLOSED}


def test_a_beginning_that_is_accepted_and_ignored_is_no_beginning(harness: Harness) -> None:
    if Fault.IGNORE_STATE not in harness.faults:
        pytest.skip(f"{harness.name} cannot ignore a state")
    ref, _ = approved(harness)
    with harness.fault(Fault.IGNORE_STATE), pytest.raises(TiergateError):
        harness.changes.begin(ref, at=harness.now())


def test_our_change_can_be_withdrawn(harness: Harness) -> None:
    ref, _ = submitted(harness)
    for _ in range(2):
        stands = harness.changes.cancel(ref, reason="The window passed.")
        assert stands is harness.change_state(ref) is ChangeState.CANCELLED
    assert harness.changes.snapshot(ref).chain is ChainState.CANCELLED


def test_withdrawing_does_not_move_a_closed_change(harness: Harness) -> None:
    ref, _ = approved(harness)
    harness.changes.begin(ref, at=harness.now())
    harness.changes.close(ref, code=CloseCode.SUCCESSFUL, notes="Done.", at=harness.now())
    stands = harness.changes.cancel(ref, reason="too late")
    assert stands is harness.change_state(ref) is ChangeState.CLOSED


def test_completing_what_is_whole_changes_nothing(harness: Harness) -> None:
    ref, draft = opened(harness)
    before = harness.changes.snapshot(ref)
    harness.changes.complete(ref, draft)
    after = harness.changes.snapshot(ref)
    assert (after.text, after.state, after.correlation_id, after.window) == (
        before.text, before.state, before.correlation_id, before.window,
    )  # fmt: skip


# --- telling
def test_a_note_and_a_file_stand_once_on_the_change(harness: Harness) -> None:
    ref, _ = opened(harness)
    for _ in range(2):
        harness.changes.add_work_note(ref, "Implemented and verified.", marker="evidence")
        harness.changes.attach(
            ref, name="evidence.json", content=b"{}", content_type="application/json"
        )
    assert len([note for note in harness.change_notes(ref) if "verified" in note]) == 1
    assert harness.attachments(ref) == ("evidence.json",)


def test_who_is_told_watches_once_and_decides_nothing(harness: Harness) -> None:
    ref, draft = opened(harness)
    harness.changes.submit(ref, draft)
    harness.settle()
    before = harness.changes.snapshot(ref)
    first, second = (harness.watcher(uid) for uid in (harness.agent, harness.approvers[0]))
    harness.changes.watch(ref, [first])
    harness.changes.watch(ref, [first, second])
    found = harness.watchers(ref)
    assert found.count(first) == found.count(second) == 1
    after = harness.changes.snapshot(ref)
    assert {row.approver for row in after.approvals} == {row.approver for row in before.approvals}
    assert (after.text, after.state, after.chain) == (before.text, before.state, before.chain)


def test_nobody_is_taken_off_a_watch_list(harness: Harness) -> None:
    ref, _ = opened(harness)
    harness.changes.watch(ref, [harness.watcher(harness.agent)])
    before = harness.watchers(ref)
    harness.changes.watch(ref, [harness.watcher(harness.approvers[0])])
    assert set(before) < set(harness.watchers(ref))


def test_a_watcher_who_may_not_see_the_change_is_no_refusal_of_our_account(
    harness: Harness,
) -> None:
    if harness.name != "jira-datacenter":
        pytest.skip(f"{harness.name} lets anybody watch")
    ref, _ = opened(harness)
    with pytest.raises(MissingRightError, match="watchers"):
        harness.changes.watch(ref, [harness.watcher(harness.requester)])
    assert harness.changes.snapshot(ref).state is ChangeState.NEW


def test_a_change_is_linked_to_its_ticket_also_of_another_system(harness: Harness) -> None:
    ticket = harness.seed_ticket("needs approval")
    ref = harness.changes.open(harness.draft(ticket, correlation_id=KEY))
    harness.changes.link(ref, ticket, url="https://itsm.test/ticket")
    harness.changes.link(ref, ticket, url="https://itsm.test/ticket")
    assert harness.linked_changes(ticket) == (ref.id,)
    foreign = TicketRef(system="elsewhere", kind=ticket.kind, id="10017", key="ITH-17")
    harness.changes.link(ref, foreign, url="https://other.test/ITH-17")
    harness.changes.link(ref, foreign, url="https://other.test/ITH-17")
