"""What an outage at the wrong moment must not lead to: nothing late or lost, nobody untold."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.effect import EffectPhase
from engine.domain.refs import TicketRef
from engine.domain.stage import Stage
from engine.domain.ticket import NativeApproval, TicketState
from engine.errors import (
    LeaseLostError,
    MissingRightError,
    PermanentError,
    RateLimitedError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.findings import Finding
from engine.ports.mailer import Message
from engine.service import faults, pauses
from engine.service.world import chain_of
from engine.testing.interruptions import Killed, interrupted
from engine.testing.people import MemoryMailer
from engine.testing.world import DOOR, JOIN, RESET, MemoryWorld, memory_world
from tests.unit.service.scenes import Failing, approved, boxed, phases, policy_of, with_failure

HOUR = timedelta(hours=1)
FOR_EVER = 1_000_000


class Down:
    """Refuses every call that begins with a prefix, until it is up again."""

    def __init__(self, prefix: str, error: Exception) -> None:
        self.prefix = prefix
        self.error = error
        self.is_down = True

    def __call__(self, point: str) -> None:
        if self.is_down and point.startswith(f"before {self.prefix}"):
            raise self.error


# --- what was granted until a date
def granted_with(watch: Callable[[str], None]) -> tuple[MemoryWorld, TicketRef]:
    """Return a grant until two hours from now, carried out while `watch` interrupts."""
    world = memory_world()
    until = (world.clock.now() + 2 * HOUR).isoformat()
    answer = world.classifier.answers[JOIN]
    until_guess = replace(answer.parameters["group"], value=until)
    parameters = {**answer.parameters, "until": until_guess}
    world.classifier.answers[JOIN] = replace(answer, parameters=parameters)
    ref = world.ask(JOIN)
    world.run()
    world.approve(ref)
    world.services = with_failure(world.services, watch)
    world.run()
    assert "entry-req" in world.directory.groups["dba"]
    return world, ref


@pytest.mark.parametrize(
    ("point", "error"),
    [
        ("changes.close", MissingRightError("may not write close_code")),
        ("changes.close", TransientError("down")),
        ("desk.add_work_note", PermanentError("the note was refused")),
        ("desk.add_work_note", TransientError("down")),
        ("desk.add_work_note", RecordNotFoundError("the ticket is gone")),
    ],
)
def test_what_was_granted_until_a_date_ends_then_though_nobody_could_be_told(
    point: str, error: Exception
) -> None:
    world, _ = granted_with(Down(point, error))
    world.pass_time(timedelta(hours=3), stride=timedelta(minutes=15))
    assert "entry-req" not in world.directory.groups["dba"]


def test_a_removal_that_was_parked_itself_is_not_begun_again_and_again() -> None:
    world, ref = boxed()
    world.services = with_failure(
        world.services, Down("directory.back_out", PermanentError("broken schema"))
    )
    world.pass_time(timedelta(hours=6), stride=timedelta(minutes=15))
    assert world.handling(ref).stage is Stage.PARKED
    with world.store.begin() as work:
        steps = [row.body.get("to") for row in work.audit(chain_of(ref))]
    assert steps.count("ending") == 1


def test_a_removal_waits_for_its_target_however_long_that_is_away() -> None:
    world, ref = boxed()
    down = Down("directory.", TransientError("no route"))
    world.services = with_failure(world.services, down)
    world.pass_time(timedelta(days=3), stride=timedelta(minutes=15))
    assert world.handling(ref).stage is Stage.ENDING
    down.is_down = False
    world.pass_time(HOUR, stride=timedelta(minutes=15))
    assert "entry-req" not in world.directory.groups["dba"]
    assert world.handling(ref).stage is Stage.FULFILLED


# --- an intent that was never fired
def test_an_intent_that_an_outage_kept_does_nothing_for_a_ticket_that_people_closed() -> None:
    world = memory_world()
    down = Down("directory.implement", TransientError("no route"))
    world.services = with_failure(world.services, down)
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.IMPLEMENTING
    world.desk.move(ref, TicketState.CLOSED, by="AGT1")
    down.is_down = False
    world.pass_time(HOUR, stride=timedelta(minutes=1))
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.CANCELLED
    assert phases(world, ref) == [EffectPhase.FAILED]


def test_an_intent_that_an_outage_kept_for_days_does_not_run_unattended_any_more() -> None:
    world = memory_world()
    ref = world.ask(RESET)

    def die(point: str) -> None:
        if point == "before directory.implement":
            raise Killed

    alive = world.services
    world.services = with_failure(world.services, die)
    with pytest.raises(Killed):
        world.run()
    world.services = alive
    world.clock.advance(timedelta(days=3))
    world.run()
    world.pass_time(HOUR, stride=timedelta(minutes=1))
    assert world.directory.calls == []
    assert world.handling(ref).stage is Stage.HANDED_OVER
    assert "waited too long" in world.handling(ref).reason


def test_a_look_that_takes_longer_than_the_lease_keeps_no_interrupted_intent_waiting() -> None:
    is_slow = [False]

    def watch(point: str) -> None:
        if point == "before directory.implement" and not is_slow[0]:
            is_slow[0] = True
            raise TransientError("no route")
        if point == "after desk.read" and is_slow[0]:
            world.clock.advance(timedelta(minutes=3))

    world, ref = approved(JOIN, watch)
    world.pass_time(HOUR, stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED


@pytest.mark.parametrize("text", [RESET, JOIN])
def test_an_outage_that_never_ends_after_the_intent_is_a_persons(text: str) -> None:
    down = Down("directory.implement", TransientError("no route"))
    if text == JOIN:
        world, ref = approved(text, down)
    else:
        world = memory_world()
        world.services = with_failure(world.services, down)
        ref = world.ask(text)
    world.pass_time(12 * HOUR, stride=timedelta(minutes=1))
    handling = world.handling(ref)
    assert handling.stage is Stage.PARKED
    assert "failures in a row" in handling.reason
    assert any("failures in a row" in note.text for note in world.ticket(ref).notes)


def test_a_backout_that_never_gets_through_is_a_persons() -> None:
    world, ref = approved(JOIN, Down("directory.back_out", TransientError("no route")))
    world.directory.fails_verification.add("entry-req")
    world.pass_time(12 * HOUR, stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.PARKED
    assert world.handling(ref).parked_from is Stage.BACKING_OUT


def test_a_call_whose_deadline_had_passed_did_nothing_and_is_made_later() -> None:
    late = Failing("before directory.implement", LeaseLostError("the deadline had passed"))
    world, ref = approved(DOOR, late)
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


# --- patience
def test_a_busy_system_that_asks_for_short_pauses_parks_no_ticket() -> None:
    world = memory_world()
    busy = RateLimitedError("busy", retry_after=timedelta(seconds=1))
    world.services = with_failure(world.services, Failing("before desk.read", busy, FOR_EVER))
    ref = world.ask(JOIN)
    world.pass_time(HOUR, stride=timedelta(seconds=1))
    assert world.handling(ref).stage is Stage.INGESTED


def test_what_was_done_is_told_however_long_the_desk_was_away() -> None:
    world = memory_world()
    away = Failing("before desk.resolve", TransientError("down"), times=200)
    world.services = with_failure(world.services, away)
    ref = world.ask(RESET)
    world.pass_time(24 * HOUR, stride=timedelta(minutes=5))
    assert world.handling(ref).stage is Stage.REPORTING
    away.times = 0
    world.pass_time(HOUR, stride=timedelta(minutes=5))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


def test_a_fulfilled_request_ends_though_its_ticket_was_deleted_meanwhile() -> None:
    gone = Down("desk.add_work_note", RecordNotFoundError("the ticket is gone"))
    world = memory_world()
    world.services = with_failure(world.services, gone)
    ref = world.ask(RESET)
    world.run()
    assert world.handling(ref).stage is Stage.FULFILLED


def test_a_store_that_fails_right_after_the_last_step_leaves_nothing_due_for_ever() -> None:
    world = memory_world()
    ref = world.ask(RESET)
    is_locked = [False]

    def lock(point: str) -> None:
        if point == "before store.begin" and not is_locked[0]:
            is_locked[0] = world.handling(ref).stage is Stage.FULFILLED
            if is_locked[0]:
                raise TransientError("store: locked")

    store = interrupted(world.store, "store", lock)
    world.services = replace(world.services, store=store)
    world.run()
    assert is_locked[0]
    assert world.handling(ref).stage is Stage.FULFILLED
    assert world.handling(ref).wake_at is None


def test_a_lease_that_ends_before_the_call_leaves_an_action_that_was_never_made() -> None:
    seen: list[str] = []

    def slow(point: str) -> None:
        seen.append(point)
        is_before_the_call = seen.count("after directory.baseline") == 2
        if point == "after directory.baseline" and is_before_the_call:
            world.clock.advance(timedelta(minutes=2))

    world, ref = approved(DOOR, slow)
    world.pass_time(timedelta(minutes=10), stride=timedelta(minutes=1))
    assert world.handling(ref).stage is Stage.FULFILLED
    assert len(world.directory.calls) == 1


# --- what many tickets that wait ask of the desk
@pytest.mark.parametrize("waits_for", ["their own approval", "a pause"])
def test_many_tickets_that_wait_ask_the_desk_no_more_than_one_after_another(
    waits_for: str,
) -> None:
    world = memory_world()
    reads: list[str] = []
    world.services = with_failure(world.services, reads.append)
    if waits_for == "a pause":
        pauses.pause(world.services, by="operator", action=None, system=None)
    pending = NativeApproval.PENDING if waits_for != "a pause" else NativeApproval.NONE
    for _ in range(60):
        world.ask(RESET, native_approval=pending)
    world.pass_time(HOUR, stride=timedelta(minutes=1))
    reads.clear()
    world.pass_time(HOUR, stride=timedelta(minutes=1))
    terms = world.services.settings
    spacing = terms.pause_spacing if waits_for == "a pause" else terms.look_spacing
    assert reads.count("before desk.read") <= HOUR / spacing + 60


# --- people who are told
def test_a_mail_address_that_is_refused_stops_no_change_that_waits() -> None:
    world = memory_world()
    policy = replace(policy_of(world), tell_after=HOUR, tell_whom="left@example.test")
    rule = world.policy.rules["add_group_member"]
    world.policy.rules["add_group_member"] = replace(rule, policy=policy)
    refused = Down("mailer.send", PermanentError("mail: the recipient was refused (550)"))
    world.services = with_failure(world.services, refused)
    ref = world.ask(JOIN)
    world.run()
    world.pass_time(2 * HOUR, stride=timedelta(minutes=10))
    assert world.handling(ref).stage is Stage.AWAITING
    with world.store.begin() as work:
        told = [row.body for row in work.audit(chain_of(ref)) if row.event == "told"]
    assert told == [
        {
            "handling": world.handling(ref).id,
            "mail": "left@example.test",
            "mail_refused": "mail: the recipient was refused (550)",
        }
    ]


def test_a_fault_is_mailed_to_everybody_though_the_first_address_is_refused() -> None:
    world = memory_world()
    both = ("left@example.test", "ops@example.test")
    world.services = replace(
        world.services,
        settings=replace(world.services.settings, fault_mail=both),
        mailer=Refusing(world.mailer, "left@example.test"),
    )
    with pytest.raises(PermanentError):
        faults.tell(world.services, "poll desk", "down")
    faults.tell(world.services, "poll desk", "still down")
    assert [message.to for message in world.mailer.sent] == ["ops@example.test"]


def test_an_incident_that_could_not_be_closed_is_closed_later() -> None:
    world = memory_world()
    faults.tell(world.services, "poll desk", "down")
    down = Failing("before desk.close_fault", TransientError("not quite up yet"))
    world.services = with_failure(world.services, down)
    with pytest.raises(TransientError):
        faults.mend(world.services, "poll desk")
    assert faults.standing(world.services, "poll desk")
    faults.mend(world.services, "poll desk")
    assert world.desk.faults == {}


class Refusing:
    """A mail server that knows one address no more."""

    def __init__(self, mailer: MemoryMailer, address: str) -> None:
        self.mailer = mailer
        self.address = address

    def send(self, message: Message) -> None:
        if message.to == self.address:
            raise PermanentError("mail: the recipient was refused (550)")
        self.mailer.send(message)

    def check(self) -> tuple[Finding, ...]:
        return self.mailer.check()
