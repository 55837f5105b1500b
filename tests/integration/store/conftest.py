"""A real SQLite file and a real PostgreSQL server, and builders of small domain objects."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.domain.action import BoundAction, BoundTarget, ParameterKind, Tier
from engine.domain.decision import Window
from engine.domain.effect import Consumption, Effect, EffectKind, EffectPhase
from engine.domain.handling import Handling
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import Ticket, TicketState
from engine.ports.store import Store, UnitOfWork
from engine.store.store import SQLStore, open_store
from engine.testing.store import MemoryStore
from tests.postgres import Server, running_server

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(lacking: Callable[[str], NoReturn]) -> Iterator[Server]:
    """The PostgreSQL of this machine, started under a directory of its own."""
    with running_server(lacking) as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes the URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/tiergate-{next(_numbers)}.db"
    made: Callable[[], str] = request.getfixturevalue("server").fresh
    return made


@pytest.fixture
def url(fresh_url: Callable[[], str]) -> str:
    return fresh_url()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[SQLStore]:
    opened = open_store(url, data_dir=tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store that the code may meet, the shipped fake among them."""
    match request.param:
        case "memory":
            yield MemoryStore()
        case "sqlite":
            opened = open_store(f"sqlite:///{tmp_path}/t.db", data_dir=tmp_path / "data")
            yield opened
            opened.close()
        case _:
            url = request.getfixturevalue("server").fresh()
            opened = open_store(url, data_dir=tmp_path / "data")
            yield opened
            opened.close()


class Make:
    """Builders of small domain objects."""

    now = NOW

    def ref(self, name: str = "1", system: str = "servicenow") -> TicketRef:
        return TicketRef(
            system=system, kind=TicketKind.INCIDENT, id=f"sys{name}", key=f"INC000{name}"
        )

    def ticket(self, name: str = "1", system: str = "servicenow", **changes: Any) -> Ticket:
        asker = Account(system=system, id="u1", name="Ada")
        ticket = Ticket(
            ref=self.ref(name, system),
            url="https://example.org/1",
            version="1",
            created_at=NOW,
            updated_at=NOW,
            state=TicketState.NEW,
            short_description="My password is lost",
            description="Please help",
            requester=asker,
            creator=asker,
        )
        return dataclasses.replace(ticket, **changes)

    def change(self, name: str = "1") -> ChangeRef:
        return ChangeRef(system="servicenow", id=f"chg{name}", number=f"CHG000{name}", url="u")

    def plan(self, ref: TicketRef, revision: int = 1, subject: str = "uuid-1") -> Plan:
        person = BoundTarget(kind=ParameterKind.PERSON, id=subject, name="Ada")
        return Plan(
            revision=revision,
            ticket=ref,
            bound=BoundAction(action="reset_password", version=1, system="ldap", subject=person),
            requester_key="1",
            requester_name="Ada",
            subject_key="1",
            subject_name="Ada",
            tier=Tier.THREE,
            reasons=("floor",),
            authority="cab",
            authority_group="g1",
            least_approvers=1,
            window=Window(),
            expires_at=NOW + timedelta(days=10),
        )

    def effect(self, handling: Handling, key: str = "k1", **changes: Any) -> Effect:
        effect = Effect(
            key=key,
            handling=handling.id,
            kind=EffectKind.IMPLEMENT,
            action="reset_password",
            phase=EffectPhase.INTENT,
            owner="worker-1",
            lease_until=NOW + timedelta(minutes=1),
            fence=1,
            started_at=NOW,
            baseline={"pwdChangedTime": "never"},
        )
        return dataclasses.replace(effect, **changes)

    def consumption(self, revision: int = 1, digest: str = "sha256:1") -> Consumption:
        return Consumption(
            system="servicenow", change_id="chg1", revision=revision, plan_digest=digest
        )

    def started(self, unit: UnitOfWork, name: str = "1") -> Handling:
        unit.save_ticket(self.ticket(name), seen_at=NOW)
        handling = unit.start(self.ref(name), at=NOW, actor="tiergate")
        assert handling is not None
        return handling

    def moved(self, unit: UnitOfWork, *stages: Stage, gate: Gate, name: str = "1") -> Handling:
        """Start a handling and move it through TRIAGED and DECIDED to these stages."""
        handling = self.started(unit, name)
        handling = unit.advance(handling, Stage.TRIAGED, why="understood", at=NOW)
        plan = self.plan(handling.ticket)
        handling = unit.advance(
            handling, Stage.DECIDED, why="map", at=NOW, gate=gate, plan=plan, wake_at=NOW
        )
        for stage in stages:
            handling = unit.advance(handling, stage, why="next", at=NOW)
        return handling


@pytest.fixture
def make() -> Make:
    return Make()
