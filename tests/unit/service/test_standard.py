"""Standard changes over the shipped fakes: on the template's approval, and only while it stands."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from engine.domain.change import ApprovalRow, ApprovalState, ChangeState, Preapproval
from engine.domain.decision import ChangeKind, GatePolicy, TemplatePin
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.errors import MissingRightError
from engine.ports.changes import ChangeControl
from engine.ports.findings import Severity
from engine.service.templates import check_templates
from engine.testing.world import JOIN, MemoryWorld, memory_world

PIN = TemplatePin(id="t1", version="v3", proposal="p7")
ACTION = "add_group_member"


def standard_world(*, has_templates: bool = True) -> MemoryWorld:
    """A world whose map makes privileged access a standard change, approved by its owner."""
    world = memory_world()
    pin_in_map(world, PIN)
    if has_templates:
        approved_at = world.clock.now() - timedelta(days=1)
        owner = world.account("OWN1")
        row = ApprovalRow(
            id="r1",
            approver=owner,
            state=ApprovalState.APPROVED,
            set_by=owner,
            created_at=approved_at,
            decided_at=approved_at,
        )
        world.changes.preapproval = Preapproval(
            template=PIN.id,
            version=PIN.version,
            current=PIN.version,
            proposal=PIN.proposal,
            is_approved=True,
            is_retired=False,
            is_as_proposed=True,
            is_moved_by_engine=False,
            settled_at=approved_at,
            approvals=(row,),
            edits=(),
        )
    return world


def pin_in_map(world: MemoryWorld, pin: TemplatePin) -> None:
    policy = world.policy.rules[ACTION].policy
    assert policy is not None
    world.policy.change(
        ACTION,
        policy=replace(
            policy,
            change=ChangeKind.STANDARD,
            template=pin.id,
            template_version=pin.version,
            template_proposal=pin.proposal,
        ),
    )


def plan_pin(world: MemoryWorld, ref: TicketRef) -> TemplatePin | None:
    plan = world.handling(ref).plan
    assert plan is not None
    return plan.template


def test_a_standard_change_runs_on_its_templates_approval() -> None:
    world = standard_world()
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED, world.handling(ref).reason
    assert plan_pin(world, ref) == PIN
    assert world.change(ref).state is ChangeState.CLOSED
    assert world.change(ref).draft.kind is ChangeKind.STANDARD
    assert (world.change(ref).draft.template, world.change(ref).draft.template_version) == (
        PIN.id,
        PIN.version,
    )
    assert len(world.directory.calls) == 1


def test_a_system_without_templates_asks_people_for_the_same_action() -> None:
    world = standard_world(has_templates=False)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.AWAITING
    assert plan_pin(world, ref) is None
    assert world.change(ref).draft.kind is ChangeKind.NORMAL
    assert world.directory.calls == []


def test_a_retired_template_hands_the_ticket_over() -> None:
    world = standard_world()
    assert world.changes.preapproval is not None
    world.changes.preapproval = replace(world.changes.preapproval, is_retired=True)
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert "retired" in world.handling(ref).reason
    assert world.change(ref).state is ChangeState.CANCELLED
    assert world.directory.calls == []


def test_another_pin_in_the_map_withdraws_what_was_planned_on_the_old_one() -> None:
    world = standard_world()
    policy = world.policy.rules[ACTION].policy
    assert policy is not None
    world.policy.change(ACTION, policy=replace(policy, lead=timedelta(hours=2)))
    ref = world.ask(JOIN)
    world.run()
    assert world.handling(ref).stage is Stage.APPROVED
    pin_in_map(world, replace(PIN, version="v4"))
    world.pass_time(timedelta(hours=5))
    found = world.handling(ref)
    assert found.stage is Stage.HANDED_OVER
    assert found.plan is not None
    assert found.plan.revision == 2
    assert world.directory.calls == []


@dataclass
class Refusing:
    """A change control that may not read its catalogue."""

    system: str = "servicenow"

    def check_template(self, pin: TemplatePin) -> None:
        raise MissingRightError(f"std_change_proposal {pin.proposal}")


def test_every_pinned_template_is_checked_once_and_a_failure_is_a_finding() -> None:
    world = standard_world()
    policy = world.policy.rules[ACTION].policy
    assert policy is not None
    policies: list[GatePolicy] = [policy, policy, replace(policy, change=ChangeKind.NORMAL)]
    good = check_templates({"one": world.changes}, policies)
    assert [(one.severity, one.code) for one in good] == [(Severity.OK, "template:t1")]
    refusing = {"servicenow": cast("ChangeControl", Refusing())}
    (bad,) = check_templates(refusing, policies)
    assert bad.severity is Severity.FAULT
    assert "cannot be read" in bad.seen
