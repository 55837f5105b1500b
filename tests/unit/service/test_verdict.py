"""The verdict, a row a combination: what approvers, setters, edits, clocks and states make."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import (
    ApprovalState,
    ChainState,
    ChangeState,
    InvalidReason,
    Membership,
    VerdictKind,
)
from engine.domain.decision import Window
from engine.domain.schedule import NativeSchedule
from engine.service.verdict import INVALID_FOLLOWS, verdict
from engine.service.verdict_rules import NATIVE_ENDS, Facts
from engine.testing.clocks import START
from tests.unit.service.verdict_facts import (
    DAEMON,
    DAEMON_TOO,
    HOUR,
    NOW,
    OLAF,
    OLGA,
    OTTO,
    RITA,
    RITAS_SECOND,
    ROBOT,
    SAM,
    SUBMITTED,
    approved,
    blackout,
    edit,
    edited,
    frozen,
    plan_with,
    row,
    with_history,
    with_members,
    with_plan,
    with_rows,
    with_snapshot,
)

K, R, A, C, S = VerdictKind, InvalidReason, ApprovalState, ChainState, ChangeState
LATE = SUBMITTED + timedelta(minutes=1)
OF_STANDARD_CHANGES = {R.TEMPLATE_CHANGED, R.PREAPPROVAL_WITHDRAWN, R.PREAPPROVAL_UNREADABLE}
"""`test_verdict_standard` has them."""
Row = tuple[str, Callable[[], Facts], VerdictKind, InvalidReason | None]

TABLE: tuple[Row, ...] = (
    # --- yes
    ("one member said yes", approved, K.APPROVED, None),
    (
        "yes beside rows that are not required",
        lambda: with_rows(row(), row(OTTO, A.NOT_REQUIRED)),
        K.APPROVED,
        None,
    ),
    (
        "a member set another member's yes",
        lambda: with_rows(row(OLGA, set_by=OTTO)),
        K.APPROVED,
        None,
    ),
    (
        "we began it ourselves",
        lambda: with_snapshot(state=S.IMPLEMENT, moved_by=DAEMON),
        K.APPROVED,
        None,
    ),
    ("vendors fold line ends", lambda: edited(test="read  \r\n"), K.APPROVED, None),
    (
        "our own write at submission",
        lambda: with_history(edit("test", SUBMITTED, DAEMON)),
        K.APPROVED,
        None,
    ),
    (
        "an edit before submission",
        lambda: with_history(edit("test", SUBMITTED - HOUR)),
        K.APPROVED,
        None,
    ),
    (
        "an edit that changes nothing",
        lambda: with_history(edit("test", LATE, old="b")),
        K.APPROVED,
        None,
    ),
    (
        "an edit of a field that is no plan",
        lambda: with_history(edit("assigned_to", LATE)),
        K.APPROVED,
        None,
    ),
    (
        "the window moved where the plan has none",
        lambda: with_history(edit("window", LATE)),
        K.APPROVED,
        None,
    ),
    (
        "unknown since, member at submission",
        lambda: with_members(Membership(account=OLGA, since=None)),
        K.APPROVED,
        None,
    ),
    ("a freeze that is over", lambda: frozen(NOW - 2 * HOUR, NOW), K.APPROVED, None),
    # --- not yet
    (
        "nobody decided",
        lambda: with_snapshot(
            chain=C.PENDING,
            state=S.AUTHORIZE,
            rollup=A.REQUESTED,
            approvals=(row(state=A.REQUESTED, set_by=None),),
        ),
        K.PENDING,
        None,
    ),
    (
        "never asked",
        lambda: with_snapshot(
            chain=C.NOT_STARTED, state=S.NEW, rollup=A.NOT_REQUESTED, approvals=()
        ),
        K.PENDING,
        None,
    ),
    (
        "one of two stages approved",
        lambda: with_snapshot(chain=C.PENDING, state=S.AUTHORIZE, rollup=A.REQUESTED),
        K.PENDING,
        None,
    ),
    (
        "the roll-up flips while it cascades",
        lambda: with_snapshot(rollup=A.REQUESTED),
        K.PENDING,
        None,
    ),
    ("complete and yet in authorize", lambda: with_snapshot(state=S.AUTHORIZE), K.PENDING, None),
    (
        "a row is still requested",
        lambda: with_rows(row(), row(OTTO, A.REQUESTED, None)),
        K.PENDING,
        None,
    ),
    (
        "on hold",
        lambda: with_snapshot(is_on_hold=True, on_hold_reason="not today"),
        K.ON_HOLD,
        None,
    ),
    (
        "on hold while pending",
        lambda: with_snapshot(is_on_hold=True, chain=C.PENDING, state=S.AUTHORIZE),
        K.ON_HOLD,
        None,
    ),
    (
        "before its window",
        lambda: with_plan(window=Window(earliest=NOW + HOUR, latest=NOW + 2 * HOUR)),
        K.WAITING_FOR_WINDOW,
        None,
    ),
    (
        "before the board's own window",
        lambda: with_snapshot(window=Window(earliest=NOW + HOUR)),
        K.WAITING_FOR_WINDOW,
        None,
    ),
    # --- no
    ("a row is rejected", lambda: with_rows(row(), row(OTTO, A.REJECTED, OTTO)), K.REJECTED, None),
    (
        "the chain is rejected",
        lambda: with_snapshot(chain=C.REJECTED, state=S.NEW),
        K.REJECTED,
        None,
    ),
    ("the roll-up is rejected", lambda: with_snapshot(rollup=A.REJECTED), K.REJECTED, None),
    ("the record is rejected", lambda: with_snapshot(state=S.REJECTED), K.REJECTED, None),
    ("the record is cancelled", lambda: with_snapshot(state=S.CANCELLED), K.CANCELLED, None),
    ("the record is closed", lambda: with_snapshot(state=S.CLOSED), K.CANCELLED, None),
    (
        "the approval was called off",
        lambda: with_snapshot(chain=C.CANCELLED, state=S.NEW),
        K.CANCELLED,
        None,
    ),
    (
        "cancelled and edited",
        lambda: with_snapshot(state=S.CANCELLED, history=None),
        K.CANCELLED,
        None,
    ),
    ("expired", lambda: with_plan(expires_at=NOW), K.EXPIRED, None),
    (
        "expired, and the change system's clock was set back",
        lambda: replace(approved(), seen_at=START + timedelta(days=10)),
        K.EXPIRED,
        None,
    ),
    (
        "expired while pending",
        lambda: replace(
            with_snapshot(chain=C.PENDING, state=S.AUTHORIZE, taken_at=START + timedelta(days=10))
        ),
        K.EXPIRED,
        None,
    ),
    # --- whose record, which plan
    (
        "another correlation id",
        lambda: with_snapshot(correlation_id="tg-2"),
        K.INVALID,
        R.WRONG_RECORD,
    ),
    (
        "another plan's digest",
        lambda: replace(approved(), plan=plan_with(revision=2)),
        K.INVALID,
        R.WRONG_RECORD,
    ),
    (
        "the implementation was edited",
        lambda: edited(implementation="1. Add everybody."),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    ("the backout was edited", lambda: edited(backout="none"), K.INVALID, R.PLAN_EDITED),
    ("edited and edited back", lambda: with_history(edit("test", LATE)), K.INVALID, R.PLAN_EDITED),
    (
        "edited by nobody one can tell",
        lambda: with_history(edit("test", LATE, None)),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    (
        "edited with our own account later",
        lambda: with_history(edit("test", LATE, DAEMON)),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    (
        "edited while approvers decide",
        lambda: with_snapshot(chain=C.PENDING, state=S.AUTHORIZE, history=(edit("test", LATE),)),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    (
        "the window was moved",
        lambda: replace(
            with_plan(window=Window(latest=NOW + HOUR)),
            snapshot=replace(
                with_plan(window=Window(latest=NOW + HOUR)).snapshot,
                history=(edit("window", LATE),),
            ),
        ),
        K.INVALID,
        R.WINDOW_CHANGED,
    ),
    (
        "the window reads differently",
        lambda: replace(
            with_plan(window=Window(latest=NOW + HOUR)),
            snapshot=replace(
                with_plan(window=Window(latest=NOW + HOUR)).snapshot,
                window=Window(latest=NOW + 9 * HOUR),
            ),
        ),
        K.INVALID,
        R.WINDOW_CHANGED,
    ),
    (
        "the window has passed",
        lambda: with_plan(window=Window(latest=NOW), expires_at=NOW),
        K.INVALID,
        R.WINDOW_PASSED,
    ),
    (
        "the record's own window has passed",
        lambda: with_snapshot(window=Window(latest=NOW)),
        K.INVALID,
        R.WINDOW_PASSED,
    ),
    (
        "the history cannot be read",
        lambda: with_snapshot(history=None),
        K.INVALID,
        R.HISTORY_UNREADABLE,
    ),
    ("in a freeze", lambda: frozen(NOW - HOUR, NOW + HOUR), K.INVALID, R.FROZEN),
    (
        "in a blackout of the change system",
        lambda: blackout(NOW - HOUR, NOW + HOUR),
        K.INVALID,
        R.FROZEN,
    ),
    ("a blackout that is over", lambda: blackout(NOW - HOUR, NOW), K.APPROVED, None),
    (
        "a conflict that approvers were told of",
        lambda: blackout(NOW - HOUR, None, is_binding=False),
        K.APPROVED,
        None,
    ),
    (
        "a schedule of the change system that nobody can read",
        lambda: with_snapshot(schedule=NativeSchedule(unreadable="403")),
        K.INVALID,
        R.SCHEDULE_UNREADABLE,
    ),
    # --- around the chain
    ("moved on without the chain", lambda: with_snapshot(chain=C.BYPASSED), K.INVALID, R.BYPASSED),
    (
        "scheduled, nobody was asked",
        lambda: with_snapshot(chain=C.NOT_STARTED),
        K.INVALID,
        R.BYPASSED,
    ),
    (
        "somebody else moved it to implement",
        lambda: with_snapshot(state=S.IMPLEMENT, moved_by=OLGA),
        K.INVALID,
        R.MOVED_BY_OTHER,
    ),
    (
        "nobody can tell who moved it to implement",
        lambda: with_snapshot(state=S.IMPLEMENT, moved_by=None),
        K.INVALID,
        R.MOVED_BY_OTHER,
    ),
    ("in review", lambda: with_snapshot(state=S.REVIEW), K.INVALID, R.MOVED_BY_OTHER),
    # --- who approved
    ("the policy skipped everybody", with_rows, K.INVALID, R.NOBODY_APPROVED),
    (
        "every row is not required",
        lambda: with_rows(row(state=A.NOT_REQUIRED), row(OTTO, A.SKIPPED)),
        K.INVALID,
        R.NOBODY_APPROVED,
    ),
    ("one of two asked for", lambda: with_plan(least_approvers=2), K.INVALID, R.TOO_FEW_APPROVERS),
    (
        "zero asked for is one",
        lambda: replace(
            with_plan(least_approvers=0),
            snapshot=replace(with_plan(least_approvers=0).snapshot, approvals=()),
        ),
        K.INVALID,
        R.NOBODY_APPROVED,
    ),
    (
        "outside the authority",
        lambda: with_rows(row(OLAF, set_by=OLAF)),
        K.INVALID,
        R.OUTSIDE_AUTHORITY,
    ),
    (
        "one inside, one outside",
        lambda: with_rows(row(), row(OLAF, set_by=OLAF)),
        K.INVALID,
        R.OUTSIDE_AUTHORITY,
    ),
    (
        "an admin set a member's yes",
        lambda: with_rows(row(OLGA, set_by=OLAF)),
        K.INVALID,
        R.OUTSIDE_AUTHORITY,
    ),
    ("the requester", lambda: with_rows(row(RITA, set_by=RITA)), K.INVALID, R.SELF_APPROVED),
    (
        "the requester as a delegate",
        lambda: with_rows(row(OLGA, set_by=RITA)),
        K.INVALID,
        R.SELF_APPROVED,
    ),
    (
        "the requester's second account",
        lambda: with_rows(row(RITAS_SECOND, set_by=RITAS_SECOND)),
        K.INVALID,
        R.SELF_APPROVED,
    ),
    ("the subject", lambda: with_rows(row(SAM, set_by=SAM)), K.INVALID, R.SELF_APPROVED),
    ("the daemon", lambda: with_rows(row(DAEMON, set_by=DAEMON)), K.INVALID, R.DAEMON_APPROVED),
    (
        "the daemon for a member",
        lambda: with_rows(row(OLGA, set_by=DAEMON)),
        K.INVALID,
        R.DAEMON_APPROVED,
    ),
    (
        "the daemon's second account",
        lambda: with_rows(row(DAEMON_TOO, set_by=DAEMON_TOO)),
        K.INVALID,
        R.DAEMON_APPROVED,
    ),
    (
        "a bot that is no person",
        lambda: with_rows(row(ROBOT, set_by=ROBOT)),
        K.INVALID,
        R.PERSON_UNKNOWN,
    ),
    (
        "nobody can tell who set it",
        lambda: with_rows(row(OLGA, set_by=None)),
        K.INVALID,
        R.SETTER_UNKNOWN,
    ),
    (
        "joined after submission",
        lambda: with_members(Membership(account=OLGA, since=LATE)),
        K.INVALID,
        R.MEMBER_TOO_LATE,
    ),
    (
        "joined with the submission",
        lambda: with_members(Membership(account=OLGA, since=SUBMITTED)),
        K.INVALID,
        R.MEMBER_TOO_LATE,
    ),
    (
        "unknown since, no member at submission",
        lambda: replace(
            with_members(Membership(account=OLGA, since=None)), members_then=frozenset()
        ),
        K.INVALID,
        R.MEMBER_TOO_LATE,
    ),
    (
        "left the authority since",
        lambda: with_members(Membership(account=OTTO, since=None)),
        K.INVALID,
        R.OUTSIDE_AUTHORITY,
    ),
    (
        "the members cannot be read",
        lambda: replace(approved(), members=None),
        K.INVALID,
        R.MEMBERSHIP_UNREADABLE,
    ),
)


@pytest.mark.parametrize(
    ("facts", "kind", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_verdict_is_what_the_table_says(
    facts: Callable[[], Facts], kind: VerdictKind, reason: InvalidReason | None
) -> None:
    found = verdict(facts())
    assert (found.kind, found.reason) == (kind, reason)
    assert found.because


def test_the_table_has_every_kind_and_every_reason() -> None:
    assert {kind for _, _, kind, _ in TABLE} == set(VerdictKind)
    told = {reason for _, _, _, reason in TABLE if reason}
    assert told == set(InvalidReason) - OF_STANDARD_CHANGES


def test_the_tables_are_total() -> None:
    assert set(INVALID_FOLLOWS) == set(InvalidReason)
    assert set(NATIVE_ENDS) == set(ChangeState)


def test_an_approval_names_who_gave_it() -> None:
    facts = with_rows(row(), row(OTTO, set_by=OTTO))
    assert verdict(facts).approvers == (OLGA, OTTO)


def test_two_accounts_of_one_person_are_one_approver() -> None:
    facts = with_plan(least_approvers=2)
    persons = dict(facts.persons)
    persons[OTTO.identity] = persons[OLGA.identity]
    rows = (row(), row(OTTO, set_by=OTTO))
    facts = replace(facts, persons=persons, snapshot=replace(facts.snapshot, approvals=rows))
    assert verdict(facts).reason is InvalidReason.TOO_FEW_APPROVERS


def test_a_window_says_when_it_opens() -> None:
    opens = NOW + HOUR
    assert verdict(with_plan(window=Window(earliest=opens))).not_before == opens
