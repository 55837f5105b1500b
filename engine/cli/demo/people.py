"""The demo's people, in a process of their own: they write tickets, approve, and look how it ended.

Run as `python -m engine.cli.demo.people WORLD.json [--only-write]`. WORLD.json is what `tiergate
sandbox`
prints. They see the vendors' APIs, the directory and the mail sink; never the daemon's store.
"""

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from connectors.sandboxkit.organisation import Organisation, load_organisation
from engine.cli.console import complain, say
from engine.cli.demo.doors import Asked, Door, ServiceNowDoor, Written
from engine.cli.demo.jira_door import JiraDoor
from engine.cli.demo.outside import Directory, DirectoryState, Mails
from engine.cli.demo.seed import Act, Effect, Seed, SeedTicket, load_seed
from engine.cli.demo.table import Row, draw
from engine.errors import TiergateError

_PATIENCE = 110.0
_PAUSE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside the daemon that people can reach."""

    servicenow: ServiceNowDoor
    jira: JiraDoor
    directory: Directory
    mails: Mails
    organisation: Organisation
    intrude: Callable[[str], None]

    @property
    def doors(self) -> tuple[Door, ...]:
        """Both ITSM systems."""
        return (self.servicenow, self.jira)

    def close(self) -> None:
        """Close every connection."""
        for door in self.doors:
            door.close()

    def door_of(self, ticket: Written) -> Door:
        """Return the system that a ticket lives in."""
        return self.servicenow if ticket.system == "servicenow" else self.jira

    def change_end(self, ticket: Written) -> str:
        """Return how the change for a ticket ended, wherever it lives."""
        ends = [door.change_end(ticket) for door in self.doors]
        return next((end for end in ends if end != "none"), "none")


def open_world(document: Mapping[str, Any]) -> World:
    """Return the world that `tiergate sandbox` described."""
    organisation = load_organisation()
    reader = document["ldap"]["accounts"]["admin"]
    directory = Directory(document["ldap"]["url"], reader["username"], reader["password"])
    return World(
        servicenow=ServiceNowDoor(
            document["servicenow"]["url"], organisation, reader="admin", daemon="tiergate"
        ),
        jira=JiraDoor(document["jira"]["url"], organisation, reader="admin", daemon="tiergate"),
        directory=directory,
        mails=Mails(document["smtp"]["admin_url"]),
        organisation=organisation,
        intrude=lambda group: directory.intrude(document["ldap"]["admin_url"], group),
    )


def write(world: World, ticket: SeedTicket) -> Written:
    """Write one ticket through its door, as the person who asks."""
    match ticket.door:
        case "incident" | "phone":
            return world.servicenow.incident(
                ticket.by,
                short_description=ticket.short_description,
                description=ticket.description,
                caller=ticket.subject,
            )
        case "catalog":
            return world.servicenow.order(ticket.by)
        case "portal":
            return world.jira.request(
                ticket.by,
                request_type=ticket.request_type,
                summary=ticket.short_description,
                description=ticket.description,
            )
        case "issue":
            return world.jira.issue(
                ticket.by, summary=ticket.short_description, description=ticket.description
            )


@dataclass
class Play:
    """The tickets that were written, and what is still to be done on them."""

    world: World
    written: dict[str, tuple[SeedTicket, Written]]
    before: DirectoryState
    mailed_before: tuple[str, ...]

    def act(self) -> None:
        """Do every act whose moment has come, once each."""
        waiting: dict[str, Sequence[tuple[Door, Asked]]] = {}
        for name, act in list(self._open_acts()):
            _ticket, written = self.written[name]
            if act.does == "close ticket":
                if act.on == "ticket" or self.world.change_end(written) != "none":
                    self.world.door_of(written).close_ticket(act.who, written, act.comment)
                    self._done.add((name, act))
                continue
            if act.who not in waiting:
                waiting[act.who] = [
                    (door, asked) for door in self.world.doors for asked in door.approvals(act.who)
                ]
            for door, asked in waiting[act.who]:
                if asked.names(written.key):
                    door.decide(act.who, asked, is_yes=act.does == "approve", comment=act.comment)
                    self._done.add((name, act))
                    break

    def __post_init__(self) -> None:
        self._done: set[tuple[str, Act]] = set()

    def _open_acts(self) -> list[tuple[str, Act]]:
        return [
            (name, act)
            for name, (ticket, _written) in self.written.items()
            for act in ticket.acts
            if (name, act) not in self._done
        ]

    def rows(self) -> list[Row]:
        """Return expected and reached end of every ticket, as outside systems tell them now."""
        effects, strange = self.before.difference(self.world.directory.state())
        mailed = list(self.world.mails.recipients())
        for address in self.mailed_before:
            mailed.remove(address)
        private = {person.private_mail: person.uid for person in self.world.organisation.people}
        got_mail = {private.get(address, address) for address in mailed}
        expected_mail = {t.expect.mail for t, _ in self.written.values() if t.expect.mail}
        rows = [
            self._row(ticket, written, effects, got_mail)
            for ticket, written in self.written.values()
        ]
        meant = [
            effect for ticket, _ in self.written.values() for effect in ticket.expect.directory
        ]
        strange += [_words(effect) for effect in effects if effect not in meant]
        rows.append(
            Row(
                name="directory",
                key="",
                expected="nothing else",
                reached=", ".join(strange) or "nothing else",
            )
        )
        others = sorted(uid for uid in got_mail - expected_mail if uid in private.values())
        rows.append(
            Row(
                name="mail sink",
                key="",
                expected="nobody else",
                reached=", ".join(others) or "nobody else",
            )
        )
        return rows

    def _row(
        self, ticket: SeedTicket, written: Written, effects: Sequence[Effect], got_mail: set[str]
    ) -> Row:
        expect = ticket.expect
        door = self.world.door_of(written)
        reached = [door.ticket_state(written), f"change {self.world.change_end(written)}"]
        expected = [expect.ticket, f"change {expect.change}"]
        expected += [_words(effect) for effect in expect.directory]
        reached += [_words(effect) for effect in expect.directory if effect in effects]
        if expect.mail:
            expected.append(f"mail to {expect.mail}")
            reached += [f"mail to {expect.mail}"] if expect.mail in got_mail else []
        if expect.note:
            expected.append(f'note "{expect.note}"')
            notes = "\n".join(door.notes(written)).lower()
            reached += [f'note "{expect.note}"'] if expect.note in notes else []
        return Row(
            name=ticket.name,
            key=written.key,
            expected=", ".join(expected),
            reached=", ".join(reached),
        )


def _words(effect: Effect) -> str:
    return " ".join(f"{name} {value}" for name, value in effect.model_dump().items())


def write_all(world: World, seed: Seed) -> Play:
    """Prepare the directory and write every ticket."""
    for ticket in seed.tickets:
        if ticket.prepare.lock:
            world.directory.lock(ticket.prepare.lock)
        if ticket.prepare.intruder:
            world.intrude(ticket.prepare.intruder)
    before, mailed = world.directory.state(), world.mails.recipients()
    written = {ticket.name: (ticket, write(world, ticket)) for ticket in seed.tickets}
    return Play(world=world, written=written, before=before, mailed_before=mailed)


def play_to_the_end(play: Play, *, patience: float = _PATIENCE) -> list[Row]:
    """Act until every end is reached, or patience is at its end; return how it stands then."""
    pause = threading.Event()
    started = monotonic()
    while True:
        play.act()
        rows = play.rows()
        if all(row.is_reached for row in rows) or monotonic() - started > patience:
            return rows
        pause.wait(_PAUSE)


def main(arguments: list[str]) -> int:
    """Write the tickets; unless `--only-write`, act and return 0 when every end was reached."""
    document = json.loads(Path(arguments[0]).read_text("utf-8"))
    world = open_world(document)
    try:
        play = write_all(world, load_seed())
        if "--only-write" in arguments:
            return 0
        started = monotonic()
        rows = play_to_the_end(play)
    except TiergateError as error:
        complain(f"{type(error).__name__}: {error}")
        return 1
    finally:
        world.close()
    say(draw(rows))
    reached = sum(row.is_reached for row in rows)
    say(f"{reached} of {len(rows)} ends reached in {monotonic() - started:.0f} s")
    return 0 if reached == len(rows) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
