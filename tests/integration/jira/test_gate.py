"""Every way around a native approval of Jira, played by people over sockets."""

import pytest

from connectors.jira.changes import JiraChangeControl
from engine.domain.change import (
    ApprovalState,
    ChainState,
    ChangeState,
    CloseCode,
)
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef, TicketRef
from engine.errors import NotApprovedError, PlanChangedError, PreconditionError, TransientError
from engine.ports.findings import Severity
from tests.integration.jira.conftest import World

KEY = "tiergate:demo:1:r1"
AUTHORIZE, AWAITING, IMPLEMENTING = "10013", "10014", "10015"


def submitted(world: World) -> tuple[ChangeRef, ChangeDraft]:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    ref = world.changes.open(draft)
    world.changes.submit(ref, draft)
    return ref, draft


def move(world: World, ref: ChangeRef, name: str, *, by: str = "luke.wilson") -> None:
    world._move(ref.id, {name}, by=by)


def test_a_third_transition_around_the_approval_is_seen_as_a_bypass(world: World) -> None:
    ref, _ = submitted(world)
    world.add_way("change", source=AUTHORIZE, target=AWAITING)
    move(world, ref, "Awaiting Implementation")
    snapshot = world.changes.snapshot(ref)
    assert (snapshot.state, snapshot.chain) == (ChangeState.SCHEDULED, ChainState.BYPASSED)
    assert snapshot.rollup is not ApprovalState.APPROVED
    assert snapshot.moved_by is not None
    assert snapshot.moved_by.name == "Luke Wilson"


def test_a_move_past_the_approval_from_planning_is_seen_as_a_bypass(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    ref = world.changes.open(draft)
    world.add_way("change", source="10010", target=IMPLEMENTING)
    move(world, ref, "Implementing")
    assert world.changes.snapshot(ref).chain is ChainState.BYPASSED


def test_an_approval_of_an_earlier_pass_does_not_open_a_later_one(world: World) -> None:
    ref, _ = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    first = world.changes.snapshot(ref)
    assert first.chain is ChainState.COMPLETE
    move(world, ref, "Planning")
    assert world.changes.snapshot(ref).chain is ChainState.NOT_STARTED
    move(world, ref, "Authorize")
    again = world.changes.snapshot(ref)
    assert again.chain is ChainState.PENDING
    assert {row.pass_id for row in again.approvals}.isdisjoint(
        {row.pass_id for row in first.approvals}
    )
    world.add_way("change", source=AUTHORIZE, target=AWAITING)
    move(world, ref, "Awaiting Implementation")
    assert world.changes.snapshot(ref).chain is ChainState.BYPASSED


def test_moved_back_and_on_by_hand_after_an_approval_is_a_bypass(world: World) -> None:
    ref, _ = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    move(world, ref, "Planning")
    world.add_way("change", source="10011", target=AWAITING)
    move(world, ref, "Awaiting Implementation")
    assert world.changes.snapshot(ref).chain is ChainState.BYPASSED


def test_both_steps_of_a_major_change_are_needed(world: World) -> None:
    control = world.again(
        changes={"project": "ITH", "request_type": "Request a major change"}
    ).changes
    assert control is not None
    draft = world.draft(world.seed_ticket("big"), correlation_id=KEY)
    ref = control.open(draft)
    control.submit(ref, draft)
    assert control.snapshot(ref).native_state == "Peer review"
    for agent in ("luke.wilson", "ada.tuter"):
        world.decide(ref, by=agent, approve=True)
    one_step = control.snapshot(ref)
    assert (one_step.native_state, one_step.chain) == ("Authorize", ChainState.PENDING)
    world.decide(ref, by="howard.johnson", approve=True)
    assert control.snapshot(ref).chain is ChainState.PENDING
    world.decide(ref, by="beth.anglin", approve=True)
    done = control.snapshot(ref)
    assert (done.state, done.chain) == (ChangeState.SCHEDULED, ChainState.COMPLETE)
    approved = [row for row in done.approvals if row.state is ApprovalState.APPROVED]
    assert len({row.pass_id for row in approved}) == 2
    assert len(approved) == 4


def test_a_text_edited_before_submission_is_not_submitted(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    ref = world.changes.open(draft)
    world.edit_change(ref, "backout", "there is none", by=world.agent)
    with pytest.raises(PlanChangedError, match="backout"):
        world.changes.submit(ref, draft)
    assert world.change_state(ref) is ChangeState.NEW


def test_nobody_is_asked_without_approvers(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    ref = world.changes.open(draft)
    body: dict[str, dict[str, list[str]]] = {"fields": {"customfield_10003": []}}
    world.call("PUT", f"api/2/issue/{ref.id}", by=world.agent, json=body)
    with pytest.raises(TransientError, match="approvers"):
        world.changes.submit(ref, draft)
    assert world.change_state(ref) is ChangeState.NEW


def test_a_change_that_is_not_approved_cannot_be_begun(world: World) -> None:
    ref, _ = submitted(world)
    with pytest.raises(NotApprovedError):
        world.changes.begin(ref, at=world.now())
    assert world.change_state(ref) is ChangeState.AUTHORIZE


@pytest.mark.parametrize("status", [409, 503])
def test_a_move_that_cannot_be_asked_for_now_is_no_refusal(world: World, status: int) -> None:
    ref, _ = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    path = {409: r"/transitions$", 503: r"/transitions\?"}[status]
    world.sandbox.faults.add(
        {"kind": "5xx", "status": status, "path": path, "user": "tiergate", "next_n": 2}
    )
    with pytest.raises(TransientError):
        world.changes.begin(ref, at=world.now())
    assert world.change_state(ref) is ChangeState.SCHEDULED
    world.sandbox.faults.remove()
    world.changes.begin(ref, at=world.now())
    assert world.change_state(ref) is ChangeState.IMPLEMENT


def test_a_failed_change_is_closed_as_failed(world: World) -> None:
    ref, _ = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    world.changes.begin(ref, at=world.now())
    world.changes.close(
        ref, code=CloseCode.UNSUCCESSFUL, notes="verification failed", at=world.now()
    )
    fields = world._fields(ref.id, "status,resolution")
    assert (fields["status"]["name"], fields["resolution"]["name"]) == ("Failed", "Failed")


def test_the_daemon_answers_no_approval_and_names_no_approver_on_the_way(world: World) -> None:
    ref, draft = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    world.changes.claim(ref, plan_digest=draft.plan_digest, owner="one")
    world.changes.begin(ref, at=world.now())
    world.changes.close(ref, code=CloseCode.SUCCESSFUL, notes="done", at=world.now())
    writes = [one for one in world.sandbox.log.entries(user="tiergate") if one.method != "GET"]
    assert writes
    assert not [one.target for one in writes if "/approval" in one.target]
    approvers = ("customfield_10003", "customfield_10038")
    assert not [one.target for one in writes if any(name in one.body for name in approvers)]


def test_a_history_that_was_cut_off_leaves_the_gate_shut(world: World) -> None:
    ref, _ = submitted(world)
    world.decide(ref, by=world.approvers[0], approve=True)
    store = world.sandbox.site.store
    with store.transaction():
        store.run("DELETE FROM history_item WHERE issue=? AND new=?", int(ref.id), AUTHORIZE)
    snapshot = world.changes.snapshot(ref)
    assert snapshot.history is None
    assert snapshot.chain is ChainState.BYPASSED


def test_check_finds_our_own_account_among_the_approvers(world: World) -> None:
    ref, _ = submitted(world)
    assert not _unsafe(world.changes)
    move(world, ref, "Canceled")
    other = world.draft(world.seed_ticket("again"), correlation_id=KEY + "2")
    second = world.changes.open(other)
    who = world._user("tiergate")
    body = {"accountId": who} if world.flavour == "cloud" else {"name": "tiergate"}
    # The reporter is left out of the approvers here, so an agent made the change his own.
    agent = world._user(world.agent)
    reporter = {"accountId": agent} if world.flavour == "cloud" else {"name": world.agent}
    fields = {"customfield_10003": [body], "reporter": reporter}
    world.call("PUT", f"api/2/issue/{second.id}", by="admin", json={"fields": fields})
    move(world, second, "Planning")
    move(world, second, "Authorize")
    assert "could_approve" in _unsafe(world.changes)


def _unsafe(control: object) -> list[str]:
    assert isinstance(control, JiraChangeControl)
    return [one.code for one in control.check() if one.severity is Severity.UNSAFE]


def test_check_finds_a_way_around_the_approval_and_a_form_without_the_plan(world: World) -> None:
    submitted(world)
    world.add_way("change", source=AUTHORIZE, target=AWAITING)
    assert "way_around" in [one.code for one in world.changes.check()]
    store = world.sandbox.site.store
    with store.transaction():
        store.run(
            "UPDATE request_type SET spec=replace(spec, 'customfield_10041', 'customfield_10046')"
        )
    assert "plan_field_hidden" in [one.code for one in world.changes.check()]


def test_votes_are_read_within_a_fixed_budget_however_many_wait(world: World) -> None:
    control = world.again(
        changes={"project": "ITH", "votes": 2, "request_type": "Request a major change"}
    ).changes
    assert control is not None
    refs: list[ChangeRef] = []
    ticket = world.seed_ticket("many")
    for number in range(5):
        draft = world.draft(ticket, correlation_id=f"{KEY}-{number}")
        ref = control.open(draft)
        control.submit(ref, draft)
        refs.append(ref)
    world.settle()
    cursor = control.first_cursor()
    world.advance(world.overlap * 3)
    waiting = tuple(refs)
    seen: set[str] = set()
    for _ in range(3):
        before = world.sent("GET", "/approval")
        page = control.changed_since(cursor, waiting)
        assert world.sent("GET", "/approval") - before == 2
        cursor, seen = page.cursor, seen | {ref.id for ref in page.items}
    assert seen == {ref.id for ref in refs}
    world.advance(world.overlap * 3)
    for _ in range(3):
        page = control.changed_since(cursor, waiting)
        cursor = page.cursor
    assert page.items == ()


# --- plain Jira: the status is the gate
PLAIN = {
    "project": "OPS",
    "mode": "status",
    "fields": {"correlation": "Correlation id", "kind": "customfield_99999"},
}


def plain(world: World) -> tuple[JiraChangeControl, ChangeRef, ChangeDraft]:
    control = world.again(changes=PLAIN).changes
    assert control is not None
    made = world.call(
        "POST",
        "api/2/issue",
        by="bob.miller",
        json={"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "x"}},
    )
    ticket = world.seed_ticket("please")
    ticket = TicketRef(system=world.name, kind=ticket.kind, id=made["id"], key=made["key"])
    draft = world.draft(ticket, correlation_id=KEY)
    ref = control.open(draft)
    assert control.open(draft) == ref
    control.submit(ref, draft)
    return control, ref, draft


def test_a_plain_issue_is_approved_by_whoever_moves_it_out_of_the_status(world: World) -> None:
    control, ref, draft = plain(world)
    waiting = control.snapshot(ref)
    assert (waiting.state, waiting.chain) == (ChangeState.AUTHORIZE, ChainState.PENDING)
    assert waiting.text.digest == draft.text.digest
    world._move(ref.id, {"Approved"}, by="howard.johnson")
    done = control.snapshot(ref)
    assert (done.state, done.chain) == (ChangeState.SCHEDULED, ChainState.COMPLETE)
    assert [(row.approver.name, row.state) for row in done.approvals] == [
        ("Howard Johnson", ApprovalState.APPROVED)
    ]
    control.begin(ref, at=world.now())
    control.close(ref, code=CloseCode.SUCCESSFUL, notes="done", at=world.now())
    assert control.snapshot(ref).state is ChangeState.CLOSED


def test_a_plain_change_comes_with_label_property_and_link_in_one_call(world: World) -> None:
    control, ref, draft = plain(world)
    assert world.sent("POST", "/issueLink") == 0
    assert world.sent("PUT", f"/issue/{ref.id}/properties") == 0
    bean = world.call("GET", f"api/2/issue/{ref.id}")
    linked = {
        link[side]["id"]
        for link in bean["fields"]["issuelinks"]
        for side in ("inwardIssue", "outwardIssue")
        if side in link
    }
    assert linked == {draft.ticket.id}
    assert control.snapshot(ref).correlation_id == draft.correlation_id
    control.link(ref, draft.ticket, url="")
    assert world.sent("POST", "/issueLink") == 0


def test_a_plain_issue_moved_by_a_way_around_is_a_bypass(world: World) -> None:
    control, ref, _ = plain(world)
    world.add_way("plain", source="3", target="10021")
    world._move(ref.id, {"In Progress"}, by=world.agent)
    world._move(ref.id, {"Approved"}, by=world.agent)
    assert control.snapshot(ref).chain is ChainState.BYPASSED


def test_a_plain_change_of_ours_is_withdrawn_by_closing_it(world: World) -> None:
    control, ref, _ = plain(world)
    control.cancel(ref, reason="the plan is stale")
    assert control.snapshot(ref).native_state == "Closed"
    with pytest.raises(PreconditionError):
        control.submit(ref, world.draft(world.seed_ticket("x"), correlation_id=KEY))


def test_a_rejected_plain_issue_is_rejected(world: World) -> None:
    control, ref, _ = plain(world)
    world._move(ref.id, {"Rejected"}, by="beth.anglin")
    snapshot = control.snapshot(ref)
    assert (snapshot.state, snapshot.chain) == (ChangeState.REJECTED, ChainState.REJECTED)
    assert snapshot.approvals[0].state is ApprovalState.REJECTED
