"""What an auditor can do after one approved change went its way over sockets, on each vendor."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli.main import app
from engine.domain.audit import heads_in
from engine.domain.stage import Stage
from tests.e2e.attacks.offices import JiraOffice, ServiceNowOffice
from tests.e2e.attacks.receiver import Received, receiver
from tests.e2e.attacks.scene import PRIVILEGED, REMOTE, Play
from tests.e2e.attacks.theatre import Company, edit_yaml, open_theatre

CUT = (
    "DELETE FROM audit_private",
    "DELETE FROM audit_seal_leaf",
    "DELETE FROM audit_seal",
    "DELETE FROM audit_row",
    "DELETE FROM audit_head",
    "DELETE FROM consumption",
    "DELETE FROM effect",
    "DELETE FROM change_record",
    "DELETE FROM handling",
)


@dataclass
class Proof:
    """A play that was played to its end, and what syslog and a file kept of it."""

    play: Play[Any]
    syslog: Received
    folder: Path

    def run(self, *arguments: str, config: Path | None = None) -> Result:
        """Run a command with the daemon's own configuration."""
        environment = {"TIERGATE_CONFIG": str(config or self.play.company.config)}
        return CliRunner().invoke(app, [*arguments], env=environment)

    @contextmanager
    def copied(self, name: str) -> Iterator[tuple[Path, Path]]:
        """A copy of the installation, whose database may be changed: configuration and database."""
        folder = self.folder / name
        shutil.copytree(self.play.company.folder, folder)
        config = folder / self.play.company.config.name
        text = config.read_text("utf-8").replace(str(self.play.company.folder), str(folder))
        config.write_text(text, "utf-8")
        yield config, folder / "data" / "tiergate.db"
        shutil.rmtree(folder)


@pytest.fixture(scope="module", params=["servicenow", "jira"])
def proof(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proof]:
    """Asked, approved by its owner, carried out, closed; the heads went outside meanwhile."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with open_theatre(folder) as theatre, receiver("tcp", folder) as syslog:
        is_now = request.param == "servicenow"
        office = ServiceNowOffice(theatre) if is_now else JiraOffice(theatre)
        company = Company(theatre, "servicenow" if is_now else "itsm-jira")
        asker, words = ("bob.miller", PRIVILEGED) if is_now else ("dan.wolter", REMOTE)
        play = Play(theatre, office, company, asker, words)

        def keep_heads(document: Any) -> None:
            document["audit"] = {"heads": {"file": "heads.log", "syslog": syslog.address}}

        edit_yaml(company.config, keep_heads)
        company.open()
        play.round()
        play.pass_time(seconds=5)
        play.ask()
        play.until_asked()
        office.approve("howard.johnson")
        play.pass_time(seconds=30)
        play.settle()
        play.round()
        assert play.handling().stage is Stage.FULFILLED
        company.close()
        try:
            yield Proof(play, syslog, folder)
        finally:
            office.close()


def heads_file(proof: Proof) -> Path:
    return proof.play.company.folder / "heads.log"


def test_the_heads_outside_and_on_the_change_fit_what_is_stored(proof: Proof) -> None:
    chain = f"{proof.play.ref().system}:{proof.play.ref().id}"
    told = proof.syslog.lines()
    assert proof.syslog.wrong == []
    assert heads_file(proof).read_text("utf-8").splitlines() == told
    assert chain in {head.chain for line in told for head in heads_in(line)}
    done = proof.run("audit", "verify", "--heads", str(heads_file(proof)), "--native", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["forged"] == []
    assert document["unread"] == []
    # One on the change beside those in the file.
    assert document["heads"] == len([line for line in told if heads_in(line)]) + 1


def test_a_handling_that_was_cut_out_of_everything_here_is_named_by_what_is_outside(
    proof: Proof,
) -> None:
    chain = f"{proof.play.ref().system}:{proof.play.ref().id}"
    with proof.copied("cut") as (config, database):
        with closing(sqlite3.connect(database)) as opened:
            for statement in CUT:
                assert opened.execute(statement).rowcount > 0, statement
            opened.commit()
        (config.parent / "data" / "audit-seals.jsonl").unlink()
        alone = proof.run("audit", "verify", config=config)
        assert alone.exit_code == 0, "nothing that is left here tells of it"
        by_file = proof.run("audit", "verify", "--heads", str(heads_file(proof)), config=config)
        assert by_file.exit_code == 1
        assert f"{chain} row 1: a head outside" in by_file.stderr
        assert "seals row 1: seal" in by_file.stderr
        native = proof.run("audit", "verify", "--native", config=config)
        assert native.exit_code == 1
        assert f"{chain} row 1: a head outside" in native.stderr
        assert "cut from the tail" in native.stderr


def test_an_export_is_held_against_the_heads_on_a_machine_without_anything(
    proof: Proof, tmp_path: Path
) -> None:
    export = tmp_path / "export.json"
    key = json.loads(proof.run("audit", "key", "--json").stdout)["public_key"]
    done = proof.run("audit", "export", "--ticket", proof.play.key, "--to", str(export))
    assert done.exit_code == 0, done.output
    heads = tmp_path / "syslog.txt"
    lines = [f"Nov 20 12:00:00 host tiergate[7]: {line}" for line in proof.syslog.lines()]
    heads.write_text("\n".join(lines), "utf-8")
    command = ("audit", "verify", "--file", str(export), "--public-key", key, "--heads", str(heads))
    whole = proof.run(*command, config=tmp_path / "no-configuration")
    assert whole.exit_code == 0, whole.output
