"""What an auditor can do after one approved change went its way over sockets, on each vendor."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import requests
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
        office: Any = ServiceNowOffice(theatre) if is_now else JiraOffice(theatre)
        company = Company(theatre, "servicenow" if is_now else "itsm-jira")
        asker, words = ("bob.miller", PRIVILEGED) if is_now else ("dan.wolter", REMOTE)
        play: Play[Any] = Play(theatre, office, company, asker, words)

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


def compared(proof: Proof) -> tuple[Result, dict[str, Any]]:
    since = (proof.play.theatre.clock.now() - timedelta(days=3)).isoformat()
    done = proof.run("audit", "reconcile", "--since", since, "--json")
    document = json.loads(done.stdout)
    # The directory's log begins with the play, and two of the demo's systems are one site.
    may = ("later --since", "the same site and account")
    assert [one for one in document["unread"] if not any(word in one for word in may)] == []
    # The directory's clock is not moved by the play, so what it logged is of another time.
    found = [one for one in document["differences"] if one["system"] != "corporate-directory"]
    return done, {**document, "differences": found}


def test_what_our_account_wrote_in_the_itsm_is_what_is_on_record_and_nothing_else(
    proof: Proof,
) -> None:
    done, document = compared(proof)
    assert document["differences"] == [], done.stdout
    assert document["compared"][f"{proof.play.office.system} writes"] >= 10


def test_what_a_thief_writes_with_our_account_is_listed(proof: Proof) -> None:
    """A note on the closed change, and a move and a note on a ticket that nobody gave us."""
    play = proof.play
    # Farther from the end than clocks may differ, and told by the systems' own clocks.
    play.pass_time(minutes=10)
    change, stranger = steal(proof)
    play.pass_time(seconds=5)
    done, document = compared(proof)
    assert done.exit_code == 1
    told = [one["what"] for one in document["differences"]]
    assert {one["side"] for one in document["differences"]} == {"unrecorded"}
    assert any(change in line and "stood where we do not write" in line for line in told), told
    mine = [line for line in told if stranger in line]
    assert mine, told
    assert all("no handling of ours concerns this record" in line for line in mine), told
    assert any("state" in line or "summary" in line for line in mine), told


def steal(proof: Proof) -> tuple[str, str]:
    """Write with the daemon's own password; return the change's number and the other record's."""
    office = proof.play.office
    change = office.change()
    other, key = office.ask("abel.tuter", "The coffee machine", "It is leaking again.")
    system = "servicenow" if isinstance(office, ServiceNowOffice) else "jira"
    place = proof.play.theatre.document[system]
    account = place["accounts"]["integration"]
    with requests.Session() as thief:
        thief.auth = (account["username"], account["password"])
        if system == "servicenow":
            base = f"{place['url']}/api/now/table"
            calls: list[tuple[str, str, dict[str, Any]]] = [
                ("PATCH", f"{base}/change_request/{change['sys_id']}", {"work_notes": "hello"}),
                ("PATCH", f"{base}/incident/{other}", {"state": "2", "work_notes": "mine"}),
            ]
            number = change["number"]
        else:
            base = f"{place['url']}/rest/api/2/issue"
            calls = [
                ("POST", f"{base}/{change['key']}/comment", {"body": "hello"}),
                ("PUT", f"{base}/{other}", {"fields": {"summary": "The tea machine"}}),
            ]
            number = change["key"]
        for method, url, body in calls:
            answer = thief.request(method, url, json=body, timeout=10)
            assert answer.ok, answer.text
    return number, key


def words_of(proof: Proof) -> dict[str, str]:
    """Everything in which a person shows: of who asked, whom it is about, and who approved."""
    asker = proof.play.asker
    first, _, last = asker.partition(".")
    return {
        "uid": asker,
        "full name": f"{first.title()} {last.title()}",
        "mail address": f"{asker}@example.com",
        "subject line": proof.play.words[0],
        "text": proof.play.words[1],
        "part of the text": proof.play.words[1][10:40],
        "approver": "Howard Johnson",
        "approver's uid": "howard.johnson",
    }


def held_in(folder: Path, words: dict[str, str]) -> set[str]:
    """Which of these stand anywhere in the files of a database, free pages and logs included."""
    files = [path for path in folder.rglob("*") if path.is_file() and "tiergate.db" in path.name]
    assert files
    found = set[str]()
    for path in files:
        content = path.read_bytes().lower()
        for name, word in words.items():
            escaped = json.dumps(word)[1:-1]
            spelt = {word, escaped, word.replace("@", "\\u0040")}
            if any(one.lower().encode() in content for one in spelt):
                found.add(name)
    return found


def test_an_erased_person_stands_nowhere_in_the_database_and_every_chain_still_fits(
    proof: Proof,
) -> None:
    words = words_of(proof)
    ref = proof.play.ref()
    with proof.copied("erased") as (config, database):
        before = held_in(database.parent, words)
        assert {"full name", "subject line", "text", "approver"} <= before, before
        with closing(sqlite3.connect(database)) as opened:
            (key,) = opened.execute(
                "SELECT json_extract(document, '$.requester.key') FROM handling"
                " WHERE ticket_id = ?",
                (ref.id,),
            ).fetchone()
        done = proof.run("audit", "erase", "--person", key, "--why", "request 7", config=config)
        assert done.exit_code == 0, done.output
        assert held_in(database.parent, words) == set()
        checked = proof.run(
            "audit", "verify", "--heads", str(heads_file(proof)), "--native", config=config
        )
        assert checked.exit_code == 0, checked.output
        export = config.parent / "export.json"
        proof.run("audit", "export", "--ticket", ref.key, "--to", str(export), config=config)
        text = export.read_text("utf-8")
        assert [name for name, word in words.items() if word.lower() in text.lower()] == []
        document = json.loads(text)
        assert document["rows"][-1]["event"] == "erased"
        assert {row["private"] for row in document["rows"] if "private" in row["body"]} == {
            "erased"
        }
        offline = proof.run("audit", "verify", "--file", str(export), config=config.parent / "no")
        assert offline.exit_code == 0, offline.output


def test_what_was_erased_does_not_come_back_with_the_next_poll_of_the_closed_ticket(
    proof: Proof,
) -> None:
    ref, words = proof.play.ref(), words_of(proof)
    with proof.copied("polled") as (config, database):
        done = proof.run("audit", "erase", "--ticket", ref.key, "--why", "request 8", config=config)
        assert done.exit_code == 0, done.output
        again = Company(proof.play.theatre, proof.play.company.system, config=config)
        again.open()
        try:
            again.round()
            proof.play.pass_time(minutes=2)
            again.round()
        finally:
            again.close()
        left = held_in(database.parent, {"text": words["text"], "subject": words["subject line"]})
        assert left == set()


def test_the_retention_time_erases_what_ended_long_ago_and_nothing_younger(proof: Proof) -> None:
    ref, words = proof.play.ref(), words_of(proof)
    with proof.copied("kept") as (config, database):
        edit_yaml(config, lambda document: document["audit"].update(keep="30d"))
        again = Company(proof.play.theatre, proof.play.company.system, config=config)
        again.open()
        try:
            daemon = again.daemon
            assert daemon is not None
            daemon.keep_house()
            assert "text" in held_in(database.parent, words), "it ended today"
            with mock.patch.object(
                proof.play.theatre.clock, "offset",
                proof.play.theatre.clock.offset + timedelta(days=31),
            ):  # fmt: skip
                daemon.keep_house()
            assert daemon.opened.store.verify() is None
            with daemon.opened.store.read() as unit:
                rows = unit.audit(f"{ref.system}:{ref.id}")
        finally:
            again.close()
        assert (rows[-1].event, rows[-1].body["why"]) == ("erased", "the retention time is over")
        assert held_in(database.parent, words) == set()
