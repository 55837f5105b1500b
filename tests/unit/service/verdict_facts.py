"""Facts for the verdict's table: a plan approved by Olga, and every way to change that."""

from dataclasses import replace
from datetime import datetime, timedelta

from engine.domain.action import BoundAction, BoundTarget, ParameterKind, Tier
from engine.domain.change import (
    ApprovalRow,
    ApprovalState,
    ChainState,
    ChangeSnapshot,
    ChangeState,
    FieldEdit,
    Membership,
)
from engine.domain.decision import Freeze, Window
from engine.domain.handling import Submission
from engine.domain.plan import Plan, PlanText
from engine.domain.refs import Account, ChangeRef, Person, TicketKind, TicketRef
from engine.domain.schedule import NativeSchedule, Obstacle, ObstacleKind
from engine.service.verdict_rules import Facts
from engine.testing.clocks import START

HOUR = timedelta(hours=1)
SUBMITTED = START
NOW = START + HOUR


def account(name: str) -> Account:
    return Account(system="sn", id=name, name=name)


OLGA, OTTO, RITA, SAM, OLAF = (account(name) for name in ("olga", "otto", "rita", "sam", "olaf"))
DAEMON, RITAS_SECOND, ROBOT, DAEMON_TOO = (
    account(name) for name in ("tiergate", "rita-admin", "robot", "tiergate-web")
)
PERSONS = {
    OLGA: "P-OLGA",
    OTTO: "P-OTTO",
    RITA: "P-RITA",
    RITAS_SECOND: "P-RITA",
    SAM: "P-SAM",
    OLAF: "P-OLAF",
    DAEMON: "P-DAEMON",
    DAEMON_TOO: "P-DAEMON",
}


def plan_with(**changes: object) -> Plan:
    plan = Plan(
        revision=1,
        ticket=TicketRef(system="sn", kind=TicketKind.INCIDENT, id="t1", key="INC1"),
        bound=BoundAction(
            action="add_group_member",
            version=1,
            system="directory",
            subject=BoundTarget(kind=ParameterKind.PERSON, id="e1", name="sam"),
        ),
        requester_key="P-RITA",
        requester_name="Rita",
        subject_key="P-SAM",
        subject_name="Sam",
        tier=Tier.THREE,
        reasons=("floor",),
        authority="owners",
        authority_group="g1",
        least_approvers=1,
        window=Window(),
        expires_at=START + timedelta(days=10),
    )
    return replace(plan, **changes)  # type: ignore[arg-type]  # fields of Plan by name


def _text(plan: Plan) -> PlanText:
    return PlanText(
        short_description="Add sam",
        description="Add sam to a group",
        justification="asked",
        risk_and_impact="low",
        implementation=f"1. Add. Digest {plan.digest}",
        test="read",
        backout="remove",
    )


def row(
    approver: Account = OLGA,
    state: ApprovalState = ApprovalState.APPROVED,
    set_by: Account | None = OLGA,
) -> ApprovalRow:
    return ApprovalRow(
        id=approver.id,
        approver=approver,
        state=state,
        set_by=set_by,
        created_at=SUBMITTED,
        decided_at=NOW,
    )


def edit(name: str, at: datetime, by: Account | None = OLAF, old: str = "a") -> FieldEdit:
    return FieldEdit(field=name, old=old, new="b", by=by, at=at)


def approved(plan: Plan | None = None) -> Facts:
    """Facts of a plan approved by Olga, one hour after it was submitted."""
    plan = plan or plan_with()
    text = _text(plan)
    long_ago = START - timedelta(days=100)
    snapshot = ChangeSnapshot(
        ref=ChangeRef(system="sn", id="c1", number="CHG1", url=""),
        taken_at=NOW,
        state=ChangeState.SCHEDULED,
        native_state="-2",
        chain=ChainState.COMPLETE,
        rollup=ApprovalState.APPROVED,
        is_on_hold=False,
        on_hold_reason="",
        correlation_id="tg-1",
        text=text,
        window=plan.window,
        approvals=(row(),),
        history=(edit("state", NOW, OLGA),),
        moved_by=OLGA,
        daemon=DAEMON,
        version="5",
    )
    persons: dict[tuple[str, str], Person | None] = {
        known.identity: Person(key=key, name=known.name, directory_id=key, accounts=(known,))
        for known, key in PERSONS.items()
    }
    members = tuple(
        Membership(account=item, since=long_ago)
        for item in (OLGA, OTTO, RITA, RITAS_SECOND, SAM, DAEMON, DAEMON_TOO, ROBOT)
    )
    return Facts(
        snapshot=snapshot,
        plan=plan,
        submission=Submission(text=text, submitted_at=SUBMITTED, version="3"),
        correlation_id="tg-1",
        members=members,
        members_then=frozenset(item.account.id for item in members),
        persons=persons,
    )


def with_snapshot(**changes: object) -> Facts:
    facts = approved()
    return replace(facts, snapshot=replace(facts.snapshot, **changes))  # type: ignore[arg-type]  # fields by name


def with_rows(*rows: ApprovalRow) -> Facts:
    return with_snapshot(approvals=rows)


def with_history(*edits: FieldEdit) -> Facts:
    return with_snapshot(history=edits)


def with_plan(**changes: object) -> Facts:
    return approved(plan_with(**changes))


def with_members(*members: Membership) -> Facts:
    return replace(approved(), members=members)


def edited(**texts: str) -> Facts:
    facts = approved()
    return with_snapshot(text=replace(facts.snapshot.text, **texts))


def blackout(begins_at: datetime, ends_at: datetime | None, *, is_binding: bool = True) -> Facts:
    obstacle = Obstacle(
        kind=ObstacleKind.BLACKOUT,
        name="year end",
        begins_at=begins_at,
        ends_at=ends_at,
        is_binding=is_binding,
    )
    return with_snapshot(schedule=NativeSchedule(obstacles=(obstacle,)))


def frozen(begins_at: datetime, ends_at: datetime) -> Facts:
    freeze = Freeze(name="year end", begins_at=begins_at, ends_at=ends_at)
    return replace(approved(), freezes=(freeze,))
