"""The daemon killed before a write is forwarded and after its answer, for every external write.

A second set kills it at its commits. The short version takes some writes with the two moments in
turn; TIERGATE_CRASH=all takes every write and every commit with both, TIERGATE_CRASH_PART=2/4 the
second of four parts of them.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from engine.cli.demo.doors import Written
from engine.cli.demo.people import write
from engine.cli.demo.seed import SeedTicket, load_seed
from tests.e2e.crashing import (
    CrashStage,
    commit_stage,
    crash_stage,
    moments,
    no_note_stands_twice,
    the_audit_chain_is_whole,
)
from tests.postgres import Server, running_server

ALL = os.environ.get("TIERGATE_CRASH") == "all"
PART, PARTS = map(int, os.environ.get("TIERGATE_CRASH_PART", "1/1").split("/"))


def seed(name: str) -> SeedTicket:
    return next(ticket for ticket in load_seed().tickets if ticket.name == name)


def once(stage: CrashStage, ticket: SeedTicket, written: Written) -> None:
    """One effect, one change at most, and the end that the seed expects, read from outside."""
    shown = stage.show(written.key)
    effects = [one for one in shown["effects"] if one["kind"] == "implement"]
    assert len(effects) == 1, shown
    assert effects[0]["phase"] == "done", shown
    assert effects[0]["verified"], shown
    assert stage.world.door_of(written).ticket_state(written) == ticket.expect.ticket
    changes = [n for door in stage.world.doors for n in door.changes_for(written)]
    assert len(changes) == (0 if ticket.expect.change == "none" else 1), changes
    assert stage.world.change_end(written) == ticket.expect.change


@pytest.mark.slow
@pytest.mark.timeout(6000)
@pytest.mark.parametrize(
    ("name", "every"),
    [("forgotten-password", 3), ("privileged-approved", 9), ("vpn-approved-in-jira", 13)],
)
def test_killed_at_any_external_write_it_still_ends_once(
    name: str, every: int, tmp_path: Path, sandboxes: dict[str, Any]
) -> None:
    with contextlib.closing(crash_stage(tmp_path, sandboxes)) as stage:
        _walk_and_kill(stage, seed(name), every=0 if ALL else every)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(6000)
@pytest.mark.parametrize(
    ("name", "every"), [("forgotten-password", 20), ("privileged-approved", 70)]
)
def test_killed_at_any_commit_it_still_ends_once(
    name: str, every: int, tmp_path: Path, sandboxes: dict[str, Any], postgres: Server
) -> None:
    with contextlib.closing(commit_stage(tmp_path, sandboxes, postgres)) as stage:
        _walk_and_kill(stage, seed(name), every=0 if ALL else every)


@pytest.fixture(scope="module")
def postgres(lacking: Callable[[str], NoReturn]) -> Iterator[Server]:
    with running_server(lacking) as running:
        yield running


def _walk_and_kill(stage: CrashStage, ticket: SeedTicket, *, every: int) -> None:
    stage.settle()
    stage.trap.clear()
    written = write(stage.world, ticket)
    stage.walk(ticket, written)
    writes = list(stage.trap.seen)
    assert writes
    once(stage, ticket, written)
    stage.reset(ticket)
    for at, moment in moments(len(writes), every=every)[PART - 1 :: PARTS]:
        stage.trap.set(at, moment, lambda: None)
        written = write(stage.world, ticket)
        deaths = stage.walk(ticket, written)
        assert deaths <= 1, f"{at} of {writes}"
        assert deaths == 1 or len(stage.trap.seen) < at, f"{at} of {writes}: never sprung"
        once(stage, ticket, written)
        no_note_stands_twice(stage.world, written)
        stage.reset(ticket)
    the_audit_chain_is_whole(stage)
