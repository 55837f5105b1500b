"""What a ticket, an approver or a remote system writes never drives the operator's terminal."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import cast

import pytest
import structlog
from typer.testing import CliRunner

from engine.cli import console
from engine.cli.main import app
from engine.cli.story import Story
from engine.domain.handling import Handling
from engine.domain.refs import TicketRef
from engine.errors import PermanentError
from engine.runtime.logs import configure_logs
from engine.service import advance
from engine.testing.world import JOIN
from tests.unit.cli.chains import Chains

CLEAR = "\x1b[2J\x1b]0;pwned\x07\x9b31m"
FORGED = "fine\r\n10:00:00  INC1  done  all is well"
HOSTILE = f"{JOIN} {CLEAR}{FORGED}\u202egnp.exe"


def harmless(printed: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in printed)


def run(kept: Chains, *arguments: str) -> str:
    environment = {"TIERGATE_TEST_PASSWORD": "a-password", "TIERGATE_CONFIG": str(kept.config)}
    done = CliRunner().invoke(app, list(arguments), env=environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def refs(kept: Chains) -> list[TicketRef]:
    return [one.ticket.ref for one in kept.world.desk.records.values()]


def told_by(kept: Chains) -> Story:
    return Story(
        kept.store,
        kept.world.clock,
        has_colour=False,
        page=lambda _: "http://127.0.0.1/",
        approvers=lambda _: (f"Olga {CLEAR}Owner",),
    )


@pytest.fixture
def rejected(kept: Chains) -> Chains:
    world = kept.world
    ref = world.ask(JOIN)
    world.ask(HOSTILE)
    world.run()
    world.changes.decide(
        world.change_ref(ref), by=world.account("OWN1"), approve=False, comment=CLEAR + FORGED
    )
    world.run()
    return kept


@pytest.mark.parametrize("command", ["tickets", "show", "status"])
def test_what_people_wrote_is_shown_and_not_obeyed(rejected: Chains, command: str) -> None:
    keys = [[one.key] for one in refs(rejected)] if command == "show" else [[]]
    printed = "".join(run(rejected, command, *key) for key in keys)
    assert harmless(printed), repr(printed)
    assert not any(line.startswith("10:00:00") for line in printed.splitlines())
    if command != "status":
        assert "[U+001B]" in printed


def test_the_story_shows_hostile_text_on_one_line(
    kept: Chains, capsys: pytest.CaptureFixture[str]
) -> None:
    world = kept.world
    ref = world.ask(HOSTILE)
    story = told_by(kept)
    steps = 0
    while True:
        before = world.handling(ref)
        advance.advance(world.services, before.id)
        after = world.handling(ref)
        if after == before:
            break
        story.step(before, after)
        steps += 1
    printed = capsys.readouterr().out
    assert steps
    assert harmless(printed), repr(printed)
    assert all(f"  {ref.key} " in line for line in printed.splitlines())


def test_an_error_that_quotes_a_remote_text_is_shown_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), console.errors_end_the_command():
        raise PermanentError(f"unknown state {CLEAR}{FORGED}")
    printed = capsys.readouterr().err
    assert harmless(printed)
    assert printed.count("\n") == 1


@pytest.fixture
def console_logs() -> Iterator[io.StringIO]:
    root, old = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    yield cast("io.StringIO", sys.stderr)
    root.handlers, root.level = old, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("console_logs")
def test_a_log_line_for_a_person_s_eyes_holds_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(as_json=False)
    structlog.stdlib.get_logger("tiergate.test").warning("failing", why=f"{CLEAR}x", key=FORGED)
    printed = capsys.readouterr().err
    assert "[U+001B]" in printed
    assert harmless(printed), repr(printed)
    assert printed.count("\n") == 1


def test_a_document_for_scripts_keeps_every_character(rejected: Chains) -> None:
    documents = [json.loads(run(rejected, "show", one.key, "--json")) for one in refs(rejected)]
    assert HOSTILE in {one["ticket"]["short_description"] for one in documents}


def test_the_story_names_who_approved(kept: Chains, capsys: pytest.CaptureFixture[str]) -> None:
    world = kept.world
    ref = world.ask(JOIN)
    story = told_by(kept)

    def play(handling: Handling) -> None:
        before = handling
        while True:
            world.poll()
            advance.advance(world.services, before.id)
            after = world.handling(ref)
            if after.stage is before.stage:
                return
            story.step(before, after)
            before = after

    play(world.handling(ref))
    world.approve(ref)
    play(world.handling(ref))
    printed = capsys.readouterr().out
    assert "approved by Olga Owner" in printed
    assert harmless(printed), repr(printed)


def test_show_tells_the_change_and_who_approved_it(kept: Chains) -> None:
    ref = kept.approved()
    document = json.loads(run(kept, "show", ref.key, "--json"))
    (approver,) = document["change"]["approvers"]
    assert approver["id"] == kept.world.account("OWN1").id
    printed = run(kept, "show", ref.key)
    assert "approved by Olga Owner" in printed
    assert "{" not in printed.split("Audit")[0], "a person reads sentences, not literals"


@pytest.mark.parametrize("command", ["tickets", "show"])
def test_half_a_character_in_a_ticket_stops_no_command(kept: Chains, command: str) -> None:
    ref = kept.world.ask("broken \ud83d text \x00")
    kept.world.run()
    key = [ref.key] if command == "show" else []
    assert json.loads(run(kept, command, *key, "--json"))
    assert "[U+D83D]" in run(kept, "show", ref.key)


def test_an_export_of_a_ticket_with_half_a_character_in_it_is_verified(kept: Chains) -> None:
    ref = kept.world.ask("broken \ud83d text \x00")
    kept.world.run()
    for form in ("json", "html"):
        run(kept, "audit", "export", "--ticket", ref.key, "--format", form)
    path = kept.config.parent / "export.json"
    run(kept, "audit", "export", "--ticket", ref.key, "--to", str(path))
    run(kept, "audit", "verify", "--file", str(path))
    run(kept, "audit", "verify")
