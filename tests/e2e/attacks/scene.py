"""One attack: a play with a ticket, a gate, an attacker, and what must stand at its end."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import pytest

from engine.domain.handling import Handling
from engine.domain.refs import TicketKind, TicketRef
from engine.domain.stage import Stage
from tests.e2e.attacks.forbidden import forbidden
from tests.e2e.attacks.offices import REFUSALS, JiraOffice, ServiceNowOffice
from tests.e2e.attacks.theatre import Company, Theatre
from tests.recording import RECORDER

O = TypeVar("O", ServiceNowOffice, JiraOffice)  # noqa: E741  the office of a play's vendor

PRIVILEGED = (
    "Add me to PROD-DB-Admins",
    "For the quarterly patching I have to be a member of the group PROD-DB-Admins.",
)
WAITS, WAITED_FOR = "Waits for approval of", "waits for identity-owners"
"""What ticket and audit say while people have not decided."""
ON_HOLD = "the change is on hold"
DONE = "done and verified at the target"
REMOTE = (
    "Remote access through vpn-staff",
    "Working from home starts next week, please add me to the group vpn-staff.",
)


@dataclass
class Play(Generic[O]):
    """A ticket on its way, with everybody who may act on it."""

    theatre: Theatre
    office: O
    company: Company
    asker: str
    words: tuple[str, str]
    ticket: str = ""
    key: str = ""
    tries: int = 1
    """Rounds until the change waits: more than one only where requests fail."""
    struck: int = 0
    """How many requests failed."""

    def ask(self) -> None:
        self.ticket, self.key = self.office.ask(self.asker, *self.words)

    def ref(self) -> TicketRef:
        office = self.office
        is_incident = office.tickets == "servicenow"
        kind = TicketKind.INCIDENT if is_incident else TicketKind.SERVICE_REQUEST
        return TicketRef(system=office.tickets, kind=kind, id=self.ticket, key=self.key)

    def handling(self) -> Handling:
        return self.company.handling(self.ref())

    def settle(self) -> None:
        self.company.settle()

    def pass_time(self, **step: float) -> None:
        self.theatre.pass_time(timedelta(**step))

    def round(self) -> None:
        self.company.round()

    def until_asked(self) -> None:
        """Until the change waits for its approvers."""
        for _ in range(self.tries):
            self.pass_time(seconds=90)
            self.round()
            if self.company.stage(self.ref()) is Stage.AWAITING:
                break
        found = self.handling()
        assert found.stage is Stage.AWAITING, f"{found.stage}: {found.reason}"
        self.pass_time(seconds=30)

    @contextmanager
    def refused(self) -> Generator[None]:
        """What the vendor itself must refuse."""
        with pytest.raises(REFUSALS):
            yield

    @contextmanager
    def stolen(self) -> Generator[None]:
        """What is done here with the daemon's own password is not the daemon's doing."""
        before = {one["id"] for one in self.office.log()}
        with RECORDER.stolen():
            yield
        self.office.stolen |= {one["id"] for one in self.office.log()} - before


@dataclass(frozen=True, kw_only=True)
class Attack(Generic[O]):
    """One row of the table.

    `before` acts before the ticket is written, `during` between ticket and daemon, `act` once the
    change waits for its approvers (it may let the daemon run). Then everything comes to rest, and
    `end`, `native` (every change of ours, oldest first), the number of `effects` at the target and
    the `reason` (on the ticket and in the audit, there in other words where `in_audit` has them)
    must be as told. `shuts` names what fails from then on: a system whose account became unsafe.
    """

    name: str
    end: Stage
    native: tuple[str, ...]
    reason: str
    effects: int = 0
    act: Callable[[Play[O]], None]
    before: Callable[[Play[O]], None] | None = None
    during: Callable[[Play[O]], None] | None = None
    words: tuple[str, str] | None = None
    tiers: Callable[[Any], None] | None = None
    is_asked: bool = True
    in_audit: str = ""
    shuts: str = ""


def perform(play: Play[O], attack: Attack[O]) -> None:
    """Play it, let everything come to rest, and compare with the row."""
    play.company.open()
    if attack.before is not None:
        attack.before(play)
        play.pass_time(hours=1)
    play.round()
    play.pass_time(seconds=5)
    play.ask()
    if attack.during is not None:
        attack.during(play)
    if attack.is_asked:
        play.until_asked()
    play.company.may_fail = frozenset(attack.shuts.split(", "))
    attack.act(play)
    play.settle()
    compare(play, attack)


def compare(play: Play[O], attack: Attack[O]) -> None:
    found = play.handling()
    reached = (found.stage, tuple(play.office.ends()), len(play.theatre.effects()))
    expected = (attack.end, attack.native, attack.effects)
    rows = play.company.audit(play.ref())
    notes = play.office.notes(play.ticket)
    said = "\n".join(str(row) for row in rows)
    why = f"{reached}, not {expected}: {found.reason}"
    assert reached == expected, f"{why}\n{play.company.steps}\n{play.theatre.effects()}"
    assert attack.reason in notes, f"not on the ticket:\n{notes}"
    assert (attack.in_audit or attack.reason) in said, f"not in the audit:\n{said}"
    assert forbidden(play.office.system, play.office.log(), play.office.stolen) == []
    assert play.company.daemon is not None
    assert play.company.daemon.opened.store.verify(None) is None
