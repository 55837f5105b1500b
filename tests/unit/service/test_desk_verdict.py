"""The desk's verdict, one row for every combination that its snapshot can show."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.domain.action import BoundAction, BoundTarget, ParameterKind, Tier
from engine.domain.change import InvalidReason, Membership, VerdictKind
from engine.domain.decision import Freeze, Window
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.handling import Submission
from engine.domain.plan import Plan, PlanText
from engine.domain.refs import Account, Person, TicketKind, TicketRef
from engine.errors import UnmappedValueError
from engine.service.desk_verdict import DeskFacts, DeskVerdict, desk_verdict

ASKED = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LATER = ASKED + timedelta(minutes=5)
HOUR = timedelta(hours=1)


def account(uid: str) -> Account:
    return Account(system="desk", id=uid, name=uid)


def person(key: str, *uids: str) -> Person:
    return Person(key=key, name=key, directory_id=key, accounts=tuple(account(uid) for uid in uids))


PERSONS = {
    account(uid).identity: person(key, uid)
    for uid, key in {
        "luke": "1010", "anna": "1011", "requester": "1001", "requester.admin": "1001",
        "subject": "1002", "tiergate": "0", "tiergate.second": "0", "outsider": "1012",
    }.items()
}  # fmt: skip
PLAN = Plan(
    revision=1,
    ticket=TicketRef(system="desk", kind=TicketKind.INCIDENT, id="t1", key="INC1"),
    bound=BoundAction(
        action="reset_password",
        version=1,
        system="directory",
        subject=BoundTarget(kind=ParameterKind.PERSON, id="6f1c", name="bob"),
    ),
    requester_key="1001",
    requester_name="Requester",
    subject_key="1002",
    subject_name="Subject",
    tier=Tier.TWO,
    reasons=("floor",),
    authority="agents",
    authority_group="grp",
    least_approvers=1,
    window=Window(),
    expires_at=ASKED + 10 * HOUR,
)
REQUEST = f"Tiergate asks the desk\nPlan digest {PLAN.digest}"
TEXT = PlanText(
    short_description="",
    description=REQUEST,
    justification="",
    risk_and_impact="",
    implementation="",
    test="",
    backout="",
)
AGENTS = ("luke", "anna", "requester", "requester.admin", "subject", "tiergate", "tiergate.second")


def said(
    by: str | None = "luke",
    answer: str = "accept",
    *,
    at: datetime = LATER,
    code: str = PLAN.code,
    channel: DeskChannel = DeskChannel.NOTE,
    is_final: bool = False,
) -> DeskAnswer:
    return DeskAnswer(
        id=f"{by}-{answer}-{at:%H%M%S}",
        by=None if by is None else account(by),
        answer=answer,
        code=code,
        at=at,
        channel=channel,
        is_final=is_final,
    )


def facts(*answers: DeskAnswer, **changes: Any) -> DeskFacts:
    shot = DeskSnapshot(
        taken_at=LATER + SECOND,
        request=REQUEST,
        requested_at=ASKED,
        answers=answers,
        daemon=account("tiergate"),
    )
    members = tuple(Membership(account=account(uid), since=ASKED - HOUR) for uid in AGENTS)
    built = DeskFacts(
        snapshot=shot,
        plan=PLAN,
        submission=Submission(text=TEXT, submitted_at=ASKED, version="1"),
        members=members,
        members_then=frozenset(),
        persons=PERSONS,
        own_now=LATER + SECOND,
    )
    own = {name: changes.pop(name) for name in list(changes) if hasattr(built, name)}
    return replace(built, **{"snapshot": replace(shot, **changes), **own})


def judge(*answers: DeskAnswer, **changes: Any) -> DeskVerdict:
    return desk_verdict(facts(*answers, **changes))


SET: Mapping[str, Any] = {"code": "", "channel": DeskChannel.STATE}


@dataclass(frozen=True, kw_only=True)
class Row:
    """Answers and what else differs, and the verdict over them."""

    answers: tuple[DeskAnswer, ...]
    kind: VerdictKind
    reason: InvalidReason | None = None
    refused: tuple[InvalidReason, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])


ROWS: Mapping[str, Row] = {
    "nobody answered": Row(answers=(), kind=VerdictKind.PENDING),
    "an agent accepts by note": Row(answers=(said(),), kind=VerdictKind.APPROVED),
    "an agent accepts by state": Row(answers=(said(**SET),), kind=VerdictKind.APPROVED),
    "two agents accept": Row(
        answers=(said(), said("anna", at=LATER + SECOND)), kind=VerdictKind.APPROVED
    ),
    "a note without the code": Row(
        answers=(said(code=""),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.WRONG_RECORD,),
    ),
    "the code of another plan": Row(
        answers=(said(code="deadbeef"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.WRONG_RECORD,),
    ),
    "a field with the code of another plan": Row(
        answers=(said(code="deadbeef", channel=DeskChannel.FIELD),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.WRONG_RECORD,),
    ),
    "the requester accepts": Row(
        answers=(said("requester"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.SELF_APPROVED,),
    ),
    "the requester's second account accepts": Row(
        answers=(said("requester.admin"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.SELF_APPROVED,),
    ),
    "the subject accepts": Row(
        answers=(said("subject"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.SELF_APPROVED,),
    ),
    "the daemon accepts": Row(
        answers=(said("tiergate"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.DAEMON_APPROVED,),
    ),
    "the daemon's other account accepts": Row(
        answers=(said("tiergate.second"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.DAEMON_APPROVED,),
    ),
    "an agent of another group accepts": Row(
        answers=(said("outsider"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.OUTSIDE_AUTHORITY,),
    ),
    "nobody knows who that is": Row(
        answers=(said("stranger"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.PERSON_UNKNOWN,),
    ),
    "nobody can tell who set it": Row(
        answers=(said(None, **SET),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.SETTER_UNKNOWN,),
    ),
    "after somebody who may not, an agent accepts": Row(
        answers=(said("outsider"), said(at=LATER + SECOND)),
        kind=VerdictKind.APPROVED,
        refused=(InvalidReason.OUTSIDE_AUTHORITY,),
    ),
    "a friend joined after the desk was asked": Row(
        answers=(said(),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.MEMBER_TOO_LATE,),
        changes={"members": (Membership(account=account("luke"), since=ASKED + SECOND),)},
    ),
    "a member of a group without dates, there when asked": Row(
        answers=(said(),),
        kind=VerdictKind.APPROVED,
        changes={
            "members": (Membership(account=account("luke"), since=None),),
            "members_then": frozenset({"luke"}),
        },
    ),
    "a member of a group without dates, not there when asked": Row(
        answers=(said(),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.MEMBER_TOO_LATE,),
        changes={"members": (Membership(account=account("luke"), since=None),)},
    ),
    "the group cannot be read": Row(
        answers=(said(),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.MEMBERSHIP_UNREADABLE,
        refused=(InvalidReason.MEMBERSHIP_UNREADABLE,),
        changes={"members": None},
    ),
    "the history cannot be read": Row(
        answers=(),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.HISTORY_UNREADABLE,
        changes={"answers": None},
    ),
    "the history cannot be read and time is over": Row(
        answers=(),
        kind=VerdictKind.EXPIRED,
        changes={"answers": None, "own_now": PLAN.expires_at},
    ),
    "the note with the plan is gone": Row(
        answers=(said(),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.PLAN_EDITED,
        changes={"request": None},
    ),
    "the note with the plan was edited": Row(
        answers=(said(),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.PLAN_EDITED,
        changes={"request": REQUEST.replace("asks", "thanks")},
    ),
    "the vendor folded line ends": Row(
        answers=(said(),),
        kind=VerdictKind.APPROVED,
        changes={"request": REQUEST.replace("\n", "\r\n") + "\n"},
    ),
    "another plan was put before the desk": Row(
        answers=(said(),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.WRONG_RECORD,
        changes={
            "submission": Submission(
                text=replace(TEXT, description="x"), submitted_at=ASKED, version="1"
            )
        },
    ),
    "wrong action": Row(answers=(said(answer="wrong_action"),), kind=VerdictKind.REJECTED),
    "wrong person": Row(answers=(said(answer="wrong_person"),), kind=VerdictKind.REJECTED),
    "do it myself": Row(answers=(said(answer="do_it_myself"),), kind=VerdictKind.REJECTED),
    "a no needs no code": Row(
        answers=(said(answer="wrong_action", code=""),), kind=VerdictKind.REJECTED
    ),
    "a no outweighs another's yes, before": Row(
        answers=(said("anna", "wrong_person"), said(at=LATER + SECOND)),
        kind=VerdictKind.REJECTED,
    ),
    "a no outweighs another's yes, after": Row(
        answers=(said(), said("anna", "wrong_person", at=LATER + SECOND)),
        kind=VerdictKind.REJECTED,
    ),
    "an agent takes his own no back": Row(
        answers=(said(answer="wrong_person"), said(at=LATER + SECOND)),
        kind=VerdictKind.APPROVED,
    ),
    "an agent takes his own yes back": Row(
        answers=(said(), said(answer="do_it_myself", at=LATER + SECOND)),
        kind=VerdictKind.REJECTED,
    ),
    "a stranger's no stops nothing": Row(
        answers=(said("outsider", "wrong_action"),),
        kind=VerdictKind.PENDING,
        refused=(InvalidReason.OUTSIDE_AUTHORITY,),
    ),
    "accepted in the very second we asked, with the code": Row(
        answers=(said(at=ASKED),), kind=VerdictKind.APPROVED
    ),
    "a state of the very second we asked may be an older one": Row(
        answers=(said(at=ASKED, **SET),), kind=VerdictKind.PENDING
    ),
    "an answer from before": Row(answers=(said(at=ASKED - SECOND),), kind=VerdictKind.PENDING),
    "accepted, the ticket system says it is too late": Row(
        answers=(said(),), kind=VerdictKind.EXPIRED, changes={"taken_at": PLAN.expires_at}
    ),
    "accepted, our clock says it is too late": Row(
        answers=(said(),), kind=VerdictKind.EXPIRED, changes={"own_now": PLAN.expires_at}
    ),
    "accepted in a freeze": Row(
        answers=(said(),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.FROZEN,
        changes={"freezes": (Freeze(name="Year end", begins_at=ASKED, ends_at=ASKED + 2 * HOUR),)},
    ),
    "accepted before the window": Row(
        answers=(said(),),
        kind=VerdictKind.WAITING_FOR_WINDOW,
        changes={"plan": replace(PLAN, window=Window(earliest=LATER + HOUR))},
    ),
    "an approval that only the requester gave cannot be given again": Row(
        answers=(said("requester", code="", channel=DeskChannel.APPROVAL, is_final=True),),
        kind=VerdictKind.INVALID,
        reason=InvalidReason.SELF_APPROVED,
        refused=(InvalidReason.SELF_APPROVED,),
    ),
    "the claimed acceptance stands": Row(
        answers=(said(),), kind=VerdictKind.APPROVED, changes={"claimed": said().id}
    ),
    "the claimed acceptance was replaced by another": Row(
        answers=(said("anna"),), kind=VerdictKind.PENDING, changes={"claimed": said().id}
    ),
    "with the intent stored, nothing was claimed": Row(
        answers=(said(),), kind=VerdictKind.PENDING, changes={"claimed": ""}
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_desk_says(name: str) -> None:
    row = ROWS[name]
    changes = dict(row.changes)
    if "plan" in changes:
        text = replace(TEXT, description=f"{REQUEST} {changes['plan'].digest}")
        changes["submission"] = Submission(text=text, submitted_at=ASKED, version="1")
        changes["request"] = text.description
        answers = tuple(replace(one, code=changes["plan"].code) for one in row.answers)
    else:
        answers = row.answers
    found = judge(*answers, **changes)
    reached = (found.verdict.kind, found.verdict.reason)
    assert reached == (row.kind, row.reason), found.verdict.because
    assert tuple(one.reason for one in found.refused) == row.refused
    assert found.verdict.because
    if row.kind is VerdictKind.APPROVED:
        assert found.basis is not None
        assert found.verdict.approvers == (found.basis.by,)


def test_of_two_acceptances_the_first_is_used_whoever_looks() -> None:
    second = said("anna", at=LATER + SECOND)
    assert judge(second, said()).basis == said()


def test_why_nobody_counts_is_part_of_what_people_read() -> None:
    assert "outsider does not belong to agents" in judge(said("outsider")).verdict.because


def test_an_answer_that_no_table_knows_is_an_error() -> None:
    with pytest.raises(UnmappedValueError):
        judge(said(answer="perhaps"))
