"""The chain's judgement over every state, roll-up and row that the notes name."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.servicenow.answers import Record, read_record
from connectors.servicenow.snapshots import (
    LARGEST,
    TEXT_FIELDS,
    ChangeMapping,
    RawChange,
    judge_chain,
)
from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
)
from engine.domain.plan import PlanText
from engine.domain.refs import Account
from engine.errors import InvalidAnswerError, MissingRightError, UnmappedValueError
from tests.unit.servicenow.conftest import OWN, record

A = ApprovalState
C = ChangeState
DAEMON = Account(system="snow", id=OWN, name="tiergate")
MAPPING = ChangeMapping("snow", "https://x.test", {})
CHANGE = "a1" * 16
USERS = {
    uid: Account(system="snow", id=f"{number:032x}", name=uid)
    for number, uid in enumerate(("tiergate", "howard.johnson", "beth.anglin", "admin"), start=1)
}
BEHIND = (C.SCHEDULED, C.IMPLEMENT, C.REVIEW, C.CLOSED)
BEFORE = (C.NEW, C.ASSESS, C.AUTHORIZE)


def rows(*states: ApprovalState) -> tuple[ApprovalRow, ...]:
    return tuple(
        ApprovalRow(
            id=str(number),
            approver=Account(system="snow", id=str(number), name="x"),
            state=state,
            set_by=None,
            created_at=None,
            decided_at=None,
        )
        for number, state in enumerate(states)
    )


@pytest.mark.parametrize(
    ("state", "rollup", "states", "expected"),
    [
        # the recorded trace of a normal change, step by step: the roll-up flips on its way
        (C.NEW, A.NOT_REQUESTED, (), ChainState.NOT_STARTED),
        (C.ASSESS, A.APPROVED, (), ChainState.PENDING),
        (C.AUTHORIZE, A.APPROVED, (), ChainState.PENDING),
        (C.AUTHORIZE, A.REQUESTED, (A.REQUESTED,) * 6, ChainState.PENDING),
        (C.AUTHORIZE, A.APPROVED, (A.APPROVED, *(A.NOT_REQUIRED,) * 5), ChainState.PENDING),
        (C.SCHEDULED, A.APPROVED, (A.APPROVED, *(A.NOT_REQUIRED,) * 5), ChainState.COMPLETE),
        # rejected: back in New, or still in Authorize
        (C.NEW, A.REJECTED, (A.REJECTED, A.NOT_REQUIRED), ChainState.REJECTED),
        (C.AUTHORIZE, A.REJECTED, (A.REJECTED, A.REQUESTED), ChainState.REJECTED),
        (C.AUTHORIZE, A.REQUESTED, (A.REJECTED, A.REQUESTED), ChainState.REJECTED),
        (C.SCHEDULED, A.APPROVED, (A.APPROVED, A.REJECTED), ChainState.REJECTED),
        # moved by hand, `approval` set by hand, one of two stages open
        (C.SCHEDULED, A.NOT_REQUESTED, (), ChainState.BYPASSED),
        (C.SCHEDULED, A.REQUESTED, (A.REQUESTED,), ChainState.BYPASSED),
        (C.SCHEDULED, A.APPROVED, (A.APPROVED, A.REQUESTED), ChainState.BYPASSED),
        (C.IMPLEMENT, A.NOT_REQUESTED, (), ChainState.BYPASSED),
        (C.NEW, A.APPROVED, (), ChainState.NOT_STARTED),
        # on hold cancels rows; a policy that skipped everybody is for the verdict to refuse
        (C.SCHEDULED, A.NOT_REQUIRED, (A.NOT_REQUIRED,), ChainState.BYPASSED),
        (C.SCHEDULED, A.APPROVED, (), ChainState.COMPLETE),
        (C.IMPLEMENT, A.APPROVED, (A.APPROVED,), ChainState.COMPLETE),
        (C.CANCELLED, A.APPROVED, (A.APPROVED,), ChainState.CANCELLED),
    ],
)
def test_the_chain_stands_where_rollup_state_and_rows_agree(
    state: ChangeState,
    rollup: ApprovalState,
    states: tuple[ApprovalState, ...],
    expected: ChainState,
) -> None:
    assert judge_chain(state, rollup, rows(*states)) is expected


def test_nothing_is_complete_without_all_three() -> None:
    """Over every combination of state, roll-up and two rows."""
    for state, rollup, one, two in itertools.product(C, A, A, A):
        chain = judge_chain(state, rollup, rows(one, two))
        if chain is ChainState.COMPLETE:
            assert state in BEHIND
            assert rollup is A.APPROVED
            assert not {one, two} & {A.REQUESTED, A.REJECTED}
        if state in BEFORE:
            assert chain not in {ChainState.COMPLETE, ChainState.BYPASSED, ChainState.CANCELLED}
        if state is C.CANCELLED:
            assert chain is ChainState.CANCELLED


def change(**values: str) -> Record:
    fields = {
        "sys_id": CHANGE,
        "number": "CHG0030001",
        "sys_mod_count": "5",
        "state": "-2",
        "approval": "approved",
        "on_hold": "false",
        "correlation_id": "tg:1",
        "start_date": "2026-11-20 18:00:00",
        "end_date": "",
        **{native: name for name, native in TEXT_FIELDS.items()},
        **values,
    }
    return read_record(record(**fields))


def row(number: int, uid: str, state: str, **values: Any) -> Record:
    fields: dict[str, Any] = {
        "sys_id": f"{number:032x}",
        "approver": (USERS[uid].id, uid),
        "state": state,
        "sysapproval": CHANGE,
        "iteration": "1",
        "sys_created_on": "2026-11-20 10:00:00",
        "sys_updated_on": "2026-11-20 11:00:00",
        "sys_updated_by": uid,
        "comments": "",
        **values,
    }
    return read_record(record(**fields))


def audit(at: str, field: str, old: str, new: str, user: str, key: str = CHANGE) -> Record:
    return read_record(
        record(
            sys_id=f"{hash((at, field, new)) & 0xFFFFFF:032x}",
            documentkey=key,
            fieldname=field,
            oldvalue=old,
            newvalue=new,
            user=user,
            sys_created_on=f"2026-11-20 {at}",
        )
    )


MOVES = (
    audit("10:00:00", "state", "-5", "-4", "tiergate"),
    audit("10:00:01", "state", "-4", "-3", "system"),
    audit("11:00:00", "state", "-3", "-2", "system"),
)


def snapshot(
    record: Record | None = None,
    rows: tuple[Record, ...] = (),
    audit: tuple[Record, ...] | None = MOVES,
    row_audit: tuple[Record, ...] | None = (),
) -> ChangeSnapshot:
    raw = RawChange(
        record=record or change(),
        rows=rows,
        audit=audit,
        row_audit=row_audit,
        users=USERS,
        taken_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )
    return MAPPING.snapshot(raw, DAEMON)


def test_a_snapshot_carries_what_approvers_read() -> None:
    found = snapshot()
    assert found.text == PlanText(**{name: name for name in TEXT_FIELDS})
    assert found.window.earliest == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert found.window.latest is None
    assert found.state is C.SCHEDULED
    assert found.moved_by is not None
    assert found.moved_by.name == "system"
    assert found.version == "5"


def test_who_set_a_decision_is_read_from_the_history_before_the_last_writer() -> None:
    decided = row(1, "howard.johnson", "approved", sys_updated_by="beth.anglin")
    entry = audit("11:00:00", "state", "requested", "approved", "admin", key=f"{1:032x}")
    (found,) = snapshot(rows=(decided,), row_audit=(entry,)).approvals
    assert found.set_by == USERS["admin"]
    (found,) = snapshot(rows=(decided,)).approvals
    assert found.set_by == USERS["beth.anglin"]
    assert found.approver == Account(
        system="snow", id=USERS["howard.johnson"].id, name="howard.johnson"
    )


def test_a_setter_that_no_account_stands_for_is_unknown() -> None:
    decided = row(1, "howard.johnson", "approved", sys_updated_by="deleted.user")
    (found,) = snapshot(rows=(decided,)).approvals
    assert found.set_by is None


def test_rows_of_an_earlier_pass_are_left_out() -> None:
    old = row(1, "beth.anglin", "approved", sys_created_on="2026-11-19 10:00:00")
    new = row(2, "howard.johnson", "approved", sys_created_on="2026-11-20 10:00:01")
    assert [one.id for one in snapshot(rows=(old, new)).approvals] == [f"{2:032x}"]
    first = row(1, "beth.anglin", "approved", iteration="1")
    second = row(2, "howard.johnson", "requested", iteration="2")
    assert [one.id for one in snapshot(rows=(first, second)).approvals] == [f"{2:032x}"]


def test_history_that_cannot_be_read_is_none_and_not_empty() -> None:
    assert snapshot(audit=None).history is None
    assert snapshot(audit=()).history is None
    assert snapshot(record=change(state="-5", approval="not requested"), audit=()).history == ()


def test_edits_are_told_in_our_words_and_in_order() -> None:
    edits = (
        audit("10:30:00", "backout_plan", "Remove it", "nothing", "beth.anglin"),
        audit("10:31:00", "backout_plan", "nothing", "Remove it", "beth.anglin"),
        audit("10:32:00", "end_date", "", "2026-12-24 00:00:00", "admin"),
        audit("10:33:00", "u_custom", "a", "b", "deleted.user"),
        *MOVES,
    )
    history = snapshot(audit=tuple(reversed(edits))).history
    assert history is not None
    assert [edit.field for edit in history] == [
        "state", "state", "backout", "backout", "window", "u_custom", "state",
    ]  # fmt: skip
    assert [edit.new for edit in history if edit.field == "state"] == [
        C.ASSESS, C.AUTHORIZE, C.SCHEDULED,
    ]  # fmt: skip
    assert history[5].by is None


@pytest.mark.parametrize(
    "values", [{"state": "1"}, {"approval": "perhaps"}, {"approval": ""}, {"on_hold": "maybe"}]
)
def test_an_unknown_value_is_no_verdict(values: dict[str, str]) -> None:
    with pytest.raises(UnmappedValueError):
        snapshot(record=change(**values))


@pytest.mark.parametrize("column", ["on_hold", "end_date", "sys_mod_count", "backout_plan"])
def test_a_hidden_column_is_no_verdict(column: str) -> None:
    seen = {name: value for name, value in change().items() if name != column}
    with pytest.raises(MissingRightError, match=column):
        snapshot(seen)


def test_an_unknown_row_is_no_verdict() -> None:
    with pytest.raises(UnmappedValueError):
        snapshot(rows=(row(1, "beth.anglin", "delegated"),))
    with pytest.raises(InvalidAnswerError):
        snapshot(rows=(row(1, "beth.anglin", "approved", approver=""),))


def test_a_rejection_keeps_its_comment() -> None:
    comment = ("", "2026-11-20 11:00:00 - Beth Anglin (Comments)\nWrong week\n\n")
    rejected = row(1, "beth.anglin", "rejected", comments=comment)
    found = snapshot(record=change(state="-5", approval="rejected"), rows=(rejected,))
    assert found.chain is ChainState.REJECTED
    assert found.reason == "Wrong week"


def test_every_text_has_a_field_and_a_limit() -> None:
    names = set(PlanText.__dataclass_fields__)
    assert set(TEXT_FIELDS) == names == set(LARGEST)
    assert len(set(TEXT_FIELDS.values())) == len(names)
