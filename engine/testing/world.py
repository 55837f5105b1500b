"""A whole installation in memory: one desk, its changes, a directory, people, and a fixed map."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine.domain.action import Tier
from engine.domain.change import Membership
from engine.domain.classification import Classification
from engine.domain.decision import Authority, DeliveryPolicy, Phase
from engine.domain.handling import Handling
from engine.domain.refs import Account, ChangeRef, Person, TicketRef
from engine.domain.stage import Gate
from engine.service import advance, gate, intake
from engine.service.world import Services, Settings
from engine.testing.brains import (
    FixedClassifier,
    FixedRule,
    FixedTierPolicy,
    PlainRenderer,
    gate_policy,
    understood,
)
from engine.testing.change_record import ChangeRecord
from engine.testing.changes import MemoryChangeControl
from engine.testing.clocks import START, ManualClock, RecordingWaker
from engine.testing.desk import SOURCE, MemoryTicketDesk, TicketRecord
from engine.testing.fulfiller import MemoryFulfiller
from engine.testing.people import MemoryMailer, MemoryPeople, person
from engine.testing.store import MemoryStore

SYSTEM = "desk"
DIRECTORY = "directory"
GROUP = "grp-owners"
AGENTS = "grp-agents"

RESET = "I forgot my password"
JOIN = "I need access to the database"
LEAVE = "take me out of the group"
DOOR = "please open the door"
VIP = "an executive needs a new password"
VAGUE = "what is for lunch"

ANSWERS: dict[str, Classification] = {
    RESET: understood("reset_password", fields={"category": "access"}),
    JOIN: understood("add_group_member", parameters={"group": "dba"}),
    LEAVE: understood("remove_group_member", parameters={"group": "dba"}),
    DOOR: understood("open_door"),
}


def people() -> dict[str, Person]:
    """Return who works here: two approvers, two agents, a requester and a stranger."""
    everybody = (
        person("REQ", "Rita Requester", SYSTEM, DIRECTORY),
        person("SUB", "Sam Subject", SYSTEM, DIRECTORY),
        person("OWN1", "Olga Owner", SYSTEM),
        person("OWN2", "Otto Owner", SYSTEM),
        person("AGT1", "Anna Agent", SYSTEM),
        person("AGT2", "Axel Agent", SYSTEM),
        person("OUT", "Olaf Outsider", SYSTEM),
    )
    return {item.key: item for item in everybody}


def rules() -> dict[str, FixedRule]:
    """Return one action behind each gate."""
    change = gate_policy({SYSTEM: GROUP})
    desk = replace(change, desk_group=Authority(name="agents", groups={SYSTEM: AGENTS}))
    delivery = DeliveryPolicy(attribute="privateMail", or_manager=True)
    return {
        "reset_password": FixedRule(
            tier=Tier.ONE,
            gate=Gate.NONE,
            target=DIRECTORY,
            subject="requester",
            delivery=delivery,
        ),
        "add_group_member": FixedRule(
            tier=Tier.THREE, gate=Gate.CHANGE, target=DIRECTORY, policy=change
        ),
        "remove_group_member": FixedRule(
            tier=Tier.TWO, gate=Gate.DESK, target=DIRECTORY, policy=desk
        ),
        "open_door": FixedRule(tier=Tier.THREE, gate=Gate.CHANGE, target=DIRECTORY, policy=change),
    }


@dataclass(slots=True)
class MemoryWorld:
    """Everything in memory, and what a test does with it."""

    services: Services
    clock: ManualClock
    desk: MemoryTicketDesk
    changes: MemoryChangeControl
    directory: MemoryFulfiller
    people: MemoryPeople
    mailer: MemoryMailer
    store: MemoryStore
    policy: FixedTierPolicy
    classifier: FixedClassifier
    waker: RecordingWaker

    def account(self, key: str) -> Account:
        """Return a person's account at the desk."""
        found = next(item for item in self.people.persons if item.key == key)
        account = found.account_in(SYSTEM)
        if account is None:
            raise LookupError(f"{key} has no account at the desk")
        return account

    def ask(self, text: str, *, by: str = "REQ", **facts: object) -> TicketRef:
        """Let somebody ask, one second from now, and poll."""
        self.clock.advance(timedelta(seconds=1))
        ref = self.desk.seed(text, requester=self.account(by), **facts)  # type: ignore[arg-type]  # facts of Ticket by name
        self.poll()
        return ref

    def poll(self) -> None:
        """Poll tickets and changes to their ends."""
        while intake.poll(self.services, SYSTEM, SOURCE):
            pass
        while gate.sync(self.services, SYSTEM):
            pass

    def run(self, *, rounds: int = 100) -> None:
        """Poll and advance until nothing is due at this instant."""
        for _ in range(rounds):
            self.poll()
            with self.store.begin() as work:
                due = work.due(self.clock.now(), limit=100)
            found = tuple(dict.fromkeys((*self.waker.take(), *due)))
            if not [item for item in found if advance.advance(self.services, item)]:
                return
        raise AssertionError("the handlings never settle")

    def pass_time(self, step: timedelta, *, stride: timedelta | None = None) -> None:
        """Let time pass in strides, running at each."""
        until = self.clock.now() + step
        while self.clock.now() < until:
            self.clock.advance(min(stride or step, until - self.clock.now()))
            self.run()

    def handling(self, ref: TicketRef) -> Handling:
        """Return the newest handling of a ticket."""
        with self.store.begin() as work:
            found = work.latest(ref)
        if found is None:
            raise LookupError(f"{ref} was never handled")
        return found

    def ticket(self, ref: TicketRef) -> TicketRecord:
        """Return what stands on a ticket."""
        return self.desk.records[ref.id]

    def change(self, ref: TicketRef) -> ChangeRecord:
        """Return the change of a ticket's newest handling."""
        return self.changes.records[self.change_ref(ref).id]

    def change_ref(self, ref: TicketRef) -> ChangeRef:
        """Return its reference."""
        found = self.handling(ref).change
        if found is None:
            raise LookupError(f"{ref} has no change")
        return found

    def approve(self, ref: TicketRef, *, by: str = "OWN1", set_by: str = "") -> None:
        """Let an approver say yes, one second from now."""
        self.clock.advance(timedelta(seconds=1))
        self.changes.decide(
            self.change_ref(ref),
            by=self.account(by),
            approve=True,
            set_by=self.account(set_by) if set_by else None,
        )

    def with_services(self, change: Callable[[Services], Services]) -> None:
        """Restart with other services: another process on the same rows."""
        self.services = change(self.services)


def memory_world(
    *, at: datetime = START, store: MemoryStore | None = None, owner: str = "process-1"
) -> MemoryWorld:
    """Return a fresh installation; nothing has been polled but the first cursors."""
    clock = ManualClock(at)
    desk = MemoryTicketDesk(SYSTEM, clock=clock)
    changes = MemoryChangeControl(SYSTEM, clock=clock)
    everybody = people()
    known = MemoryPeople(everybody.values())
    owners = [everybody["OWN1"].accounts[0], everybody["OWN2"].accounts[0]]
    long_ago = at - timedelta(days=400)
    changes.set_members(GROUP, [Membership(account=item, since=long_ago) for item in owners])
    desk.groups[AGENTS] = [everybody["AGT1"].accounts[0], everybody["AGT2"].accounts[0]]
    directory = MemoryFulfiller(DIRECTORY, clock)
    directory.groups["dba"] = {"entry-own1"}
    directory.addresses["entry-req"] = "rita@private.example.test"
    mailer, waker = MemoryMailer(), RecordingWaker()
    policy = FixedTierPolicy(rules())
    classifier = FixedClassifier(ANSWERS)
    rows = store or MemoryStore()
    services = Services(
        desks={SYSTEM: desk},
        changes={SYSTEM: changes},
        fulfillers={DIRECTORY: directory},
        people=known,
        classifier=classifier,
        policy=policy,
        renderer=PlainRenderer(),
        mailer=mailer,
        store=rows,
        clock=clock,
        waker=waker,
        settings=Settings(
            installation="memory",
            owner=owner,
            allowed_channels={SYSTEM: frozenset({"portal"})},
            phase_without_action=Phase.AUTOMATIC,
            fault_system=SYSTEM,
            fault_mail=("ops@example.test",),
        ),
    )
    world = MemoryWorld(
        services=services,
        clock=clock,
        desk=desk,
        changes=changes,
        directory=directory,
        people=known,
        mailer=mailer,
        store=rows,
        policy=policy,
        classifier=classifier,
        waker=waker,
    )
    world.poll()
    return world
