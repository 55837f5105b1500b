"""The verdict over a standard change: what template, version, proposal and its approvers make."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeState,
    InvalidReason,
    Membership,
    Preapproval,
    VerdictKind,
)
from engine.domain.decision import TemplatePin, Window
from engine.domain.refs import Account
from engine.service.verdict import STANDARD_RULES, verdict
from engine.service.verdict_rules import Facts
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
    approved,
    edit,
    frozen,
    plan_with,
    row,
)

K, R, A, C, S = VerdictKind, InvalidReason, ApprovalState, ChainState, ChangeState
PIN = TemplatePin(id="t1", version="v3", proposal="p7")
LAST_YEAR = START - timedelta(days=50)  # members joined a hundred days before START
SETTLED = LAST_YEAR + HOUR
Row = tuple[str, Callable[[], Facts], VerdictKind, InvalidReason | None]


def said_yes(by: Account = OLGA, set_by: Account | None = OLGA) -> ApprovalRow:
    return replace(row(by, set_by=set_by), created_at=LAST_YEAR, decided_at=LAST_YEAR)


FOUND = Preapproval(
    template="t1",
    version="v3",
    current="v3",
    proposal="p7",
    is_approved=True,
    is_retired=False,
    is_as_proposed=True,
    is_moved_by_engine=False,
    settled_at=SETTLED,
    approvals=(said_yes(), row(OTTO, A.NOT_REQUIRED, None)),
    edits=(),
)


def standard(**changes: object) -> Facts:
    """Facts of a standard change whose template Olga approved long ago; `changes` of those."""
    facts = approved(plan_with(template=PIN))
    snapshot = replace(
        facts.snapshot,
        approvals=(),
        moved_by=DAEMON,
        history=(edit("state", NOW, DAEMON),),
        preapproval=replace(FOUND, **changes),  # type: ignore[arg-type]  # fields by name
    )
    return replace(facts, snapshot=snapshot)


def record(**changes: object) -> Facts:
    facts = standard()
    return replace(facts, snapshot=replace(facts.snapshot, **changes))  # type: ignore[arg-type]  # fields by name


def planned(**changes: object) -> Facts:
    facts, plan = standard(), plan_with(template=PIN, **changes)
    ours = approved(plan)
    snapshot = replace(facts.snapshot, text=ours.snapshot.text, window=plan.window)
    return replace(ours, snapshot=snapshot)


def members(*found: Membership) -> Facts:
    return replace(standard(), members=found)


def by(approver: Account, set_by: Account | None = None, *, more: Account | None = None) -> Facts:
    rows = [said_yes(approver, set_by or approver)]
    if more is not None:
        rows.append(said_yes(more, more))
    return standard(approvals=tuple(rows))


def moved_by_flow() -> Facts:
    facts = standard(is_moved_by_engine=True)
    engine = Account(system="sn", id="system", name="system")
    return replace(facts, snapshot=replace(facts.snapshot, moved_by=engine))


TABLE: tuple[Row, ...] = (
    # --- yes
    ("the pinned version, approved by a member", standard, K.APPROVED, None),
    ("the flow scheduled it", moved_by_flow, K.APPROVED, None),
    ("being implemented by us", lambda: record(state=S.IMPLEMENT), K.APPROVED, None),
    (
        "the template was written while its proposal was carried out",
        lambda: standard(edits=(edit("template", SETTLED, OLAF),)),
        K.APPROVED,
        None,
    ),
    (
        "the proposal was written before its approval",
        lambda: standard(edits=(edit("proposal", LAST_YEAR - HOUR, OLAF),)),
        K.APPROVED,
        None,
    ),
    (
        "the yes is older than its own membership list, and not than the membership",
        lambda: members(Membership(account=OLGA, since=LAST_YEAR - HOUR)),
        K.APPROVED,
        None,
    ),
    # --- another kind of record
    ("a normal record", lambda: record(preapproval=None), K.INVALID, R.WRONG_RECORD),
    (
        "a normal plan on a record that became standard",
        lambda: replace(standard(), plan=plan_with(), submission=approved().submission),
        K.INVALID,
        R.WRONG_RECORD,
    ),
    # --- the template
    ("made from another version", lambda: standard(version="v2"), K.INVALID, R.TEMPLATE_CHANGED),
    ("made from another template", lambda: standard(template="t2"), K.INVALID, R.TEMPLATE_CHANGED),
    ("a newer version", lambda: standard(current="v4"), K.INVALID, R.TEMPLATE_CHANGED),
    ("another proposal", lambda: standard(proposal="p8"), K.INVALID, R.TEMPLATE_CHANGED),
    ("no proposal", lambda: standard(proposal=""), K.INVALID, R.TEMPLATE_CHANGED),
    ("not as proposed", lambda: standard(is_as_proposed=False), K.INVALID, R.TEMPLATE_CHANGED),
    ("retired", lambda: standard(is_retired=True), K.INVALID, R.PREAPPROVAL_WITHDRAWN),
    (
        "the proposal is open again",
        lambda: standard(is_approved=False),
        K.INVALID,
        R.PREAPPROVAL_WITHDRAWN,
    ),
    (
        "the template's history is hidden",
        lambda: standard(edits=None),
        K.INVALID,
        R.PREAPPROVAL_UNREADABLE,
    ),
    (
        "the template was edited after it settled",
        lambda: standard(edits=(edit("template", SETTLED + HOUR, OLAF),)),
        K.INVALID,
        R.TEMPLATE_CHANGED,
    ),
    (
        "the version was pointed elsewhere after it settled",
        lambda: standard(edits=(edit("version", SETTLED + HOUR, None),)),
        K.INVALID,
        R.TEMPLATE_CHANGED,
    ),
    (
        "the proposal was edited between approval and settling",
        lambda: standard(edits=(edit("proposal", LAST_YEAR + HOUR / 2, OLAF),)),
        K.INVALID,
        R.TEMPLATE_CHANGED,
    ),
    (
        "the template was edited after the approval and never settled",
        lambda: standard(settled_at=None, edits=(edit("template", SETTLED, OLAF),)),
        K.INVALID,
        R.TEMPLATE_CHANGED,
    ),
    # --- who approved it
    ("nobody did", lambda: standard(approvals=()), K.INVALID, R.NOBODY_APPROVED),
    (
        "everybody was skipped",
        lambda: standard(approvals=(row(OLGA, A.SKIPPED, None),)),
        K.INVALID,
        R.NOBODY_APPROVED,
    ),
    (
        "nobody can tell who set it",
        lambda: standard(approvals=(said_yes(set_by=None),)),
        K.INVALID,
        R.SETTER_UNKNOWN,
    ),
    (
        "nobody can tell when",
        lambda: standard(approvals=(replace(said_yes(), decided_at=None),)),
        K.INVALID,
        R.SETTER_UNKNOWN,
    ),
    ("the daemon", lambda: by(DAEMON), K.INVALID, R.DAEMON_APPROVED),
    ("the daemon's second account", lambda: by(DAEMON_TOO), K.INVALID, R.DAEMON_APPROVED),
    ("the daemon for a member", lambda: by(OLGA, DAEMON), K.INVALID, R.DAEMON_APPROVED),
    ("the requester", lambda: by(RITA), K.INVALID, R.SELF_APPROVED),
    ("the requester's second account", lambda: by(RITAS_SECOND), K.INVALID, R.SELF_APPROVED),
    ("the subject", lambda: by(SAM), K.INVALID, R.SELF_APPROVED),
    ("a bot", lambda: by(ROBOT), K.INVALID, R.PERSON_UNKNOWN),
    ("an outsider", lambda: by(OLAF), K.INVALID, R.OUTSIDE_AUTHORITY),
    ("an outsider beside a member", lambda: by(OLGA, more=OLAF), K.INVALID, R.OUTSIDE_AUTHORITY),
    (
        "a member who left since",
        lambda: members(Membership(account=OTTO, since=LAST_YEAR - HOUR)),
        K.INVALID,
        R.OUTSIDE_AUTHORITY,
    ),
    (
        "a member who joined after saying yes",
        lambda: members(Membership(account=OLGA, since=LAST_YEAR + HOUR)),
        K.INVALID,
        R.MEMBER_TOO_LATE,
    ),
    (
        "a group that keeps no dates",
        lambda: members(Membership(account=OLGA, since=None)),
        K.INVALID,
        R.MEMBER_TOO_LATE,
    ),
    (
        "members that cannot be read",
        lambda: replace(standard(), members=None),
        K.INVALID,
        R.MEMBERSHIP_UNREADABLE,
    ),
    ("one of two", lambda: planned(least_approvers=2), K.INVALID, R.TOO_FEW_APPROVERS),
    # --- the record itself
    ("not scheduled yet", lambda: record(state=S.NEW, chain=C.NOT_STARTED), K.PENDING, None),
    (
        "scheduled, and not approved by its own roll-up",
        lambda: record(chain=C.BYPASSED, rollup=A.NOT_REQUESTED),
        K.INVALID,
        R.BYPASSED,
    ),
    ("scheduled by somebody", lambda: record(moved_by=OLAF), K.INVALID, R.MOVED_BY_OTHER),
    ("scheduled by nobody knows whom", lambda: record(moved_by=None), K.INVALID, R.MOVED_BY_OTHER),
    (
        "moved to Implement by somebody",
        lambda: record(state=S.IMPLEMENT, moved_by=OLAF),
        K.INVALID,
        R.MOVED_BY_OTHER,
    ),
    ("on hold", lambda: record(is_on_hold=True), K.ON_HOLD, None),
    ("cancelled", lambda: record(state=S.CANCELLED), K.CANCELLED, None),
    (
        "somebody says no on the change itself",
        lambda: record(approvals=(row(OTTO, A.REJECTED, OTTO),)),
        K.REJECTED,
        None,
    ),
    (
        "the task's text reads otherwise",
        lambda: record(text=replace(standard().snapshot.text, backout="none")),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    (
        "the task was edited and edited back",
        lambda: record(history=(edit("implementation", NOW),)),
        K.INVALID,
        R.PLAN_EDITED,
    ),
    ("the history is hidden", lambda: record(history=None), K.INVALID, R.HISTORY_UNREADABLE),
    ("another key", lambda: record(correlation_id="tg-2"), K.INVALID, R.WRONG_RECORD),
    ("expired", lambda: planned(expires_at=NOW), K.EXPIRED, None),
    (
        "before its window",
        lambda: planned(window=Window(earliest=NOW + HOUR)),
        K.WAITING_FOR_WINDOW,
        None,
    ),
    (
        "in a freeze",
        lambda: replace(standard(), freezes=frozen(NOW - HOUR, NOW + HOUR).freezes),
        K.INVALID,
        R.FROZEN,
    ),
)


@pytest.mark.parametrize(
    ("facts", "kind", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_a_standard_change_is_judged_by_its_template(
    facts: Callable[[], Facts], kind: VerdictKind, reason: InvalidReason | None
) -> None:
    found = verdict(facts())
    assert (found.kind, found.reason) == (kind, reason), found.because
    assert found.because


def test_a_preapproval_names_who_gave_it() -> None:
    found = verdict(standard())
    assert found.approvers == (OLGA,)
    assert found.because == "pre-approved by olga"


def test_every_rule_of_a_standard_change_objects_somewhere_in_the_table() -> None:
    """A rule that no row needs could be taken out unseen."""
    objecting = {
        next((rule for rule in STANDARD_RULES if rule(facts()) is not None), None)
        for _, facts, _, _ in TABLE
        if facts().plan.template is not None
    }
    assert set(STANDARD_RULES) <= objecting


def test_every_reason_of_a_template_is_in_the_table() -> None:
    reasons = {reason for _, _, _, reason in TABLE}
    assert {R.TEMPLATE_CHANGED, R.PREAPPROVAL_WITHDRAWN, R.PREAPPROVAL_UNREADABLE} <= reasons
