"""A change is opened exactly once: lost answers, crashes, a lagging index, decoys."""

from datetime import timedelta

import pytest

from connectors.jira.changes import JiraChangeControl
from connectors.jira.own_changes import label_of
from engine.domain.change import ChainState, ChangeState
from engine.domain.refs import TicketKind
from engine.errors import InvalidAnswerError, OutcomeUnknownError
from tests.integration.jira.conftest import World

KEY = "tiergate:demo:1:r1"


def changes_of(world: World, **changes: object) -> JiraChangeControl:
    made = world.again(changes={"project": "ITH", **changes}).changes
    assert made is not None
    return made


def lose(world: World, kind: str, path: str) -> None:
    rule = {"kind": kind, "method": "POST", "path": path, "user": "tiergate", "next_n": 1}
    world.sandbox.faults.add(rule)


def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    lose(world, "drop_after", "servicedeskapi/request$")
    ref = world.changes.open(draft)
    assert world.count_changes(KEY) == 1
    assert world.sent("POST", "/servicedeskapi/request") == 1
    assert world.changes.find(KEY) == ref
    assert world.changes.snapshot(ref).correlation_id == KEY


def test_a_create_that_never_arrived_is_made_once_the_index_can_say_so(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    lose(world, "drop_before", "servicedeskapi/request$")
    with pytest.raises(OutcomeUnknownError):
        world.changes.open(draft)
    assert world.changes.find(KEY) is None
    with pytest.raises(OutcomeUnknownError, match="index"):
        changes_of(world, index_lag="5m").open(draft)
    assert world.sent("POST", "/servicedeskapi/request") == 1
    world.advance(timedelta(minutes=5, seconds=1))
    changes_of(world, index_lag="5m").open(draft)
    assert world.count_changes(KEY) == 1


def test_a_daemon_that_died_after_the_create_opens_no_second_one_while_the_index_lags(
    cloud: World,
) -> None:
    draft = cloud.draft(cloud.seed_ticket("please"), correlation_id=KEY)
    cloud.sandbox.site.lag = 60_000
    ref = cloud.changes.open(draft)
    survivor = changes_of(cloud, index_lag="5m")
    assert survivor.find(KEY) is None
    with pytest.raises(OutcomeUnknownError):
        survivor.open(draft)
    cloud.advance(timedelta(minutes=2))
    assert survivor.open(draft) == ref
    cloud.sandbox.site.lag = 0
    assert cloud.count_changes(KEY) == 1


def test_what_a_crash_left_undone_is_completed(world: World) -> None:
    ticket = world.seed_ticket("please")
    draft = world.draft(ticket, correlation_id=KEY)
    # The daemon dies after the create and before property and link.
    rule = {"kind": "5xx", "method": "PUT", "path": "tiergate.change$", "user": "tiergate"}
    blocked = world.sandbox.faults.add(rule)
    with pytest.raises(OutcomeUnknownError):
        world.changes.open(draft)
    world.sandbox.faults.remove(blocked.id)
    assert world.linked_changes(ticket) == ()
    ref = changes_of(world).open(draft)
    assert world.linked_changes(ticket) == (ref.id,)
    assert world.changes.snapshot(ref).correlation_id == KEY
    assert world.count_changes(KEY) == 1


def test_what_find_returns_after_a_crash_is_completed_without_opening_anything(
    world: World,
) -> None:
    ticket = world.seed_ticket("please")
    draft = world.draft(ticket, correlation_id=KEY)
    rule = {"kind": "5xx", "method": "PUT", "path": "tiergate.change$", "user": "tiergate"}
    blocked = world.sandbox.faults.add(rule)
    with pytest.raises(OutcomeUnknownError):
        world.changes.open(draft)
    world.sandbox.faults.remove(blocked.id)
    survivor = changes_of(world)
    ref = survivor.find(KEY)
    assert ref is not None
    assert survivor.snapshot(ref).correlation_id == ""
    for _ in range(2):
        survivor.complete(ref, draft)
    assert survivor.snapshot(ref).correlation_id == KEY
    assert world.linked_changes(ticket) == (ref.id,)
    assert world.count_changes(KEY) == 1


def test_a_decoy_with_our_label_is_passed_over(world: World) -> None:
    decoy = world.seed_ticket("decoy")
    labels = {"update": {"labels": [{"add": label_of(KEY)}]}}
    world.call("PUT", f"api/2/issue/{decoy.id}", by=world.agent, json=labels)
    assert world.changes.find(KEY) is None
    ref = world.changes.open(world.draft(world.seed_ticket("please"), correlation_id=KEY))
    assert ref.id != decoy.id
    assert world.changes.find(KEY) == ref


def test_our_own_change_of_another_revision_does_not_pass_for_this_one(world: World) -> None:
    other = world.changes.open(world.draft(world.seed_ticket("a"), correlation_id=KEY + "r2"))
    labels = {"update": {"labels": [{"add": label_of(KEY)}]}}
    world.call("PUT", f"api/2/issue/{other.id}", by=world.agent, json=labels)
    assert world.changes.find(KEY) is None


def test_two_changes_with_one_correlation_id_are_an_error(world: World) -> None:
    draft = world.draft(world.seed_ticket("please"), correlation_id=KEY)
    first = world.changes.open(draft)
    second = world.changes.open(world.draft(world.seed_ticket("b"), correlation_id=KEY + "x"))
    value = world.call("GET", f"api/2/issue/{first.id}/properties/tiergate.change")["value"]
    path = f"api/2/issue/{second.id}/properties/tiergate.change"
    world.call("PUT", path, by=world.agent, json=value)
    labels = {"update": {"labels": [{"add": label_of(KEY)}]}}
    world.call("PUT", f"api/2/issue/{second.id}", by=world.agent, json=labels)
    with pytest.raises(InvalidAnswerError, match="2 changes"):
        world.changes.find(KEY)


def test_the_authority_can_be_set_as_approver_once_when_the_change_is_opened(world: World) -> None:
    """A request type without automation: the authority's group is named before anybody is asked."""
    _strip_defaults(world)
    ticket = world.seed_ticket("please", kind=TicketKind.SERVICE_REQUEST)
    draft = world.draft(ticket, correlation_id=KEY)
    control = changes_of(world, approvers="authority")
    ref = control.open(draft)
    control.submit(ref, draft)
    snapshot = control.snapshot(ref)
    assert (snapshot.state, snapshot.chain) == (ChangeState.AUTHORIZE, ChainState.PENDING)
    members = control.members(world.authority_group)
    assert members is not None
    assert {row.approver.id for row in snapshot.approvals} == {one.account.id for one in members}


def writes(world: World) -> list[str]:
    """The daemon's writes, oldest first, but for the trace that it leaves on the ticket."""
    sent = world.sandbox.log.entries(user="tiergate")
    return [
        f"{one.method} {one.target.partition('/rest/')[2]}"
        for one in sent
        if one.method != "GET" and "/properties/tiergate.change." not in one.target
    ]


def test_a_site_that_permits_it_gets_the_whole_change_in_one_call(cloud: World) -> None:
    ticket = cloud.seed_ticket("please", kind=TicketKind.SERVICE_REQUEST)
    draft = cloud.draft(ticket, correlation_id=KEY)
    control = changes_of(cloud, create="issue")
    ref = control.open(draft)
    assert writes(cloud) == ["POST api/2/issue"]
    assert cloud.linked_changes(ticket) == (ref.id,)
    control.submit(ref, draft)
    snapshot = control.snapshot(ref)
    assert (snapshot.state, snapshot.chain) == (ChangeState.AUTHORIZE, ChainState.PENDING)
    assert snapshot.correlation_id == KEY
    assert {one.approver.id for one in snapshot.approvals}


def test_the_one_call_whose_answer_was_lost_is_found_and_not_repeated(cloud: World) -> None:
    draft = cloud.draft(cloud.seed_ticket("please"), correlation_id=KEY)
    lose(cloud, "drop_after", "api/2/issue$")
    ref = changes_of(cloud, create="issue").open(draft)
    assert cloud.sent("POST", "/api/2/issue") == 1
    assert cloud.count_changes(KEY) == 1
    assert changes_of(cloud).find(KEY) == ref


def test_the_one_call_names_the_approvers_as_well_where_that_is_ours(cloud: World) -> None:
    _strip_defaults(cloud)
    ticket = cloud.seed_ticket("please", kind=TicketKind.SERVICE_REQUEST)
    draft = cloud.draft(ticket, correlation_id=KEY)
    control = changes_of(cloud, create="issue", approvers="authority")
    ref = control.open(draft)
    assert writes(cloud) == ["POST api/2/issue"]
    control.submit(ref, draft)
    members = control.members(cloud.authority_group)
    assert members is not None
    asked = {row.approver.id for row in control.snapshot(ref).approvals}
    assert asked == {one.account.id for one in members}


def _strip_defaults(world: World) -> None:
    store = world.sandbox.site.store
    with store.transaction():
        store.run("UPDATE request_type SET spec=json_remove(spec, '$.defaults')")
