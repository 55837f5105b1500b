"""One way of a ticket, with a daemon killed at the nth write, and what must hold after."""

import copy
import json
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.cli.demo.doors import Written
from engine.cli.demo.files import write_files
from engine.cli.demo.people import Play, World, open_world
from engine.cli.demo.seed import Joins, SeedTicket
from tests.e2e.killing_proxy import (
    KillingProxy,
    Moment,
    Trap,
    http_write,
    ldap_write,
    postgres_commit,
    smtp_write,
)
from tests.e2e.stage import Stage, address_of
from tests.postgres import Server

_ROUNDS = 12


@dataclass
class CrashStage(Stage):
    """A stage whose daemon reaches everything through proxies that may kill it."""

    trap: Trap = field(default_factory=Trap)
    proxies: list[KillingProxy] = field(default_factory=list)

    def walk(self, ticket: SeedTicket, written: Written) -> int:
        """Let the daemon and the people work until the ticket's end; return how often it died."""
        play = Play(
            world=self.world,
            written={ticket.name: (ticket, written)},
            before=self.world.directory.state(),
            mailed_before=self.world.mails.recipients(),
        )
        deaths = 0
        for _ in range(_ROUNDS):
            deaths += self._run_until_settled()
            play.act()
            if self.has_ended(written):
                return deaths
        raise AssertionError(
            f"{written.key} reached no end: {self.show(written.key)}\n{self.log()}"
        )

    def reset(self, ticket: SeedTicket) -> None:
        """Let the same person ask for the same again: take memberships back at the directory."""
        for effect in ticket.expect.directory:
            if isinstance(effect, Joins):
                self.world.directory.leave(effect.joins, effect.who)

    def close(self) -> None:
        """End every process and connection of the stage, the proxies' too."""
        super().close()
        for proxy in self.proxies:
            proxy.close()

    def has_ended(self, written: Written) -> bool:
        """Whether the daemon calls the handling ended, and nothing of it is left to do.

        A sweep ends a lag behind the server's now: a quick run does not see what was just written.
        """
        found: list[dict[str, Any]] = json.loads(self.run("tickets", "--json").stdout)
        if all(one["key"] != written.key for one in found):
            return False
        return self.show(written.key)["stage"] in {
            "fulfilled", "backed_out", "rejected", "cancelled", "handed_over", "taken_over",
        }  # fmt: skip

    def _run_until_settled(self) -> int:
        command = self.start("run", "--until-settled")
        self.trap.kill, self.trap.is_armed = command.kill, True
        try:
            code = command.wait(180)
        finally:
            self.trap.is_armed = False
        if code == -signal.SIGKILL:
            return 1 + self._run_until_settled()
        assert code == 0, self.log()
        return 0


def commit_stage(folder: Path, sandboxes: dict[str, Any], server: Server) -> CrashStage:
    """Return a stage whose store is a PostgreSQL behind a proxy that sees every commit."""
    trap = Trap()
    proxy = KillingProxy(server.socket, postgres_commit, trap)
    database = server.fresh().partition("@/")[2].partition("?")[0]
    config = write_files(folder, sandboxes)
    text = config.read_text("utf-8")
    url = f"postgresql+psycopg://tiergate@127.0.0.1:{proxy.port}/{database}"
    first = next(line for line in text.splitlines() if line.startswith("store:"))
    config.write_text(text.replace(first, f'store: {{url: "{url}"}}'), "utf-8")
    _lift_limits(folder)
    return CrashStage(
        folder=folder,
        document=sandboxes,
        world=open_world(sandboxes),
        config=config,
        trap=trap,
        proxies=[proxy],
    )


def _lift_limits(folder: Path) -> None:
    """Let the same person ask again and again, and wait no minutes for what a kill cut off."""
    tiers = folder / "tiers.yaml"
    text = tiers.read_text("utf-8")
    for bound in ("overall: 60/hour", "overall: 30/hour"):
        text = text.replace(bound, "overall: 6000/hour")
    for bound in ("per_subject: 2/day", "per_subject: 3/day", "per_subject: 5/day"):
        text = text.replace(bound, "per_subject: 2000/day")
    tiers.write_text(text, "utf-8")
    config = folder / "tiergate.yaml"
    timing = "timing: {deadline: 2s, lease: 3s, settle: 1s}\n"
    config.write_text(config.read_text("utf-8") + timing, "utf-8")


def crash_stage(folder: Path, sandboxes: dict[str, Any]) -> CrashStage:
    """Return a stage with a proxy before every system."""
    trap = Trap()
    document = copy.deepcopy(sandboxes)
    proxies: list[KillingProxy] = []

    def through(url: str, is_write: Callable[[bytes], str]) -> str:
        proxy = KillingProxy(address_of(url), is_write, trap)
        proxies.append(proxy)
        return f"{url.partition('://')[0]}://127.0.0.1:{proxy.port}"

    for system in ("servicenow", "jira"):
        document[system]["url"] = through(document[system]["url"], http_write)
    document["ldap"]["url"] = through(document["ldap"]["url"], ldap_write)
    mail = through(f"smtp://127.0.0.1:{document['smtp']['port']}", smtp_write)
    document["smtp"]["port"] = address_of(mail)[1]
    config = write_files(folder, document)
    _lift_limits(folder)
    return CrashStage(
        folder=folder,
        document=document,
        world=open_world(sandboxes),
        config=config,
        trap=trap,
        proxies=proxies,
    )


def no_note_stands_twice(world: World, written: Written) -> None:
    """Every internal note of the daemon is on the ticket once."""
    notes = Counter(world.door_of(written).notes(written))
    assert not {text[:120]: count for text, count in notes.items() if count > 1}


def the_audit_chain_is_whole(stage: Stage) -> None:
    """`audit verify` finds nothing."""
    assert stage.run("audit", "verify").returncode == 0


def moments(count: int, *, every: int) -> list[tuple[int, Moment]]:
    """Every write with both moments; or, with `every`, each so-manyth with the two in turn."""
    if not every:
        return [(at, moment) for at in range(1, count + 1) for moment in Moment]
    return [(at, list(Moment)[turn % 2]) for turn, at in enumerate(range(1, count + 1, every))]
