"""Erasure and retention on both databases: nothing of a person is left in any table."""

import dataclasses
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine.domain.refs import Account, Person
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import TicketState
from engine.errors import PreconditionError
from engine.store.database import connect, snapshot
from engine.store.store import SQLStore, open_store
from engine.store.tables import METADATA

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAIN = "servicenow:sys1"
NAME = "Ada Lovelace-Byron"
WORDS = (NAME, "ada.lovelace", "ada@example.test", "My engine is lost", "Countess")


def dump(url: str) -> str:
    """Every value of every table as text: what a dump of the database would hold."""
    engine = connect(url)
    with snapshot(engine) as connection:
        rows = [
            dict(row)
            for table in METADATA.sorted_tables
            for row in connection.execute(select(table)).mappings()
        ]
    engine.dispose()
    return json.dumps(rows, default=str, ensure_ascii=False)


@pytest.fixture
def ended(store: SQLStore, make: Any) -> SQLStore:
    """A ticket whose person shows in every place that keeps texts, and another of nobody's."""
    account = Account(system="servicenow", id="u-ada", name="ada.lovelace")
    person = Person(key="4711", name=NAME, directory_id="d-ada", accounts=(account,))
    words = {"short_description": "My engine is lost", "description": "Countess, ada@example.test"}
    with store.begin() as unit:
        unit.save_broken("servicenow/incident", "sys1", f"{NAME}: no state", at=NOW)
        for name, requester in (("1", account), ("2", None)):
            texts = words if name == "1" else {}
            ticket = make.ticket(name, requester=requester, creator=requester, **texts)
            unit.save_ticket(ticket, seen_at=NOW)
            handling = unit.start(ticket.ref, at=NOW, actor="tiergate")
            assert handling is not None
            who = person if name == "1" else None
            triaged = unit.advance(handling, Stage.TRIAGED, why=f"asked by {NAME}", at=NOW)
            decided = unit.advance(
                triaged, Stage.DECIDED, why="map", at=NOW, gate=Gate.NONE, requester=who,
                subject=who,
            )  # fmt: skip
            unit.advance(decided, Stage.HANDED_OVER, why=f"{NAME} took it", at=NOW)
        unit.save_broken("servicenow/incident", "sys1", f"{NAME}: no state", at=NOW)
        unit.record(
            chain=CHAIN, event="feedback", actor="a person", at=NOW, body={},
            private={"by": "ada.lovelace"},
        )  # fmt: skip
    store.seal(NOW)
    return store


def test_no_table_holds_a_word_of_an_erased_person(ended: SQLStore, url: str) -> None:
    before = dump(url)
    assert all(word in before for word in WORDS)
    with ended.read() as unit:
        for mark in ("4711", "ADA.LOVELACE", "u-ada", "d-ada"):
            assert unit.concerning([mark]) == (CHAIN,), mark
        assert unit.concerning(["4712", ""]) == ()
    ended.erase(CHAIN, at=NOW, actor="dpo", why="request 7")
    with ended.begin() as unit:
        # The other ticket's steps name her too: it is erased as well.
        unit.erase("servicenow:sys2", at=NOW, actor="dpo", why="request 7")
    assert ended.scrub()
    after = dump(url)
    assert [word for word in WORDS if word.casefold() in after.casefold()] == []
    assert ended.verify() is None
    with ended.read() as unit:
        assert unit.concerning(["4711"]) == ()
        assert [row.event for row in unit.audit(CHAIN)][-1] == "erased"


def test_an_erased_ticket_stays_without_words_until_a_person_opens_it_again(
    ended: SQLStore, make: Any, url: str
) -> None:
    ended.erase(CHAIN, at=NOW, actor="dpo", why="request 7")

    def polled(version: str, state: TicketState) -> bool:
        later = NOW + timedelta(minutes=int(version))
        again = make.ticket(
            "1", version=version, updated_at=later, state=state, updated_by="ada.lovelace",
            short_description="My engine is lost",
        )  # fmt: skip
        with ended.begin() as unit:
            return unit.save_ticket(again, seen_at=later)

    assert not polled("2", TicketState.CLOSED)
    assert not polled("2", TicketState.CLOSED)
    assert "My engine" not in dump(url)
    with ended.read() as unit:
        kept = unit.ticket(make.ref("1"))
    assert kept is not None
    assert (kept.version, kept.state) == ("2", TicketState.CLOSED)
    assert polled("3", TicketState.IN_PROGRESS)
    assert "My engine" in dump(url)


def test_retention_takes_what_ended_before_and_leaves_live_and_younger_ones(
    store: SQLStore, make: Any
) -> None:
    day = timedelta(days=1)
    with store.begin() as unit:
        for name, age, ends in (("1", 40, True), ("2", 20, True), ("3", 40, False)):
            at = NOW - age * day
            unit.save_ticket(make.ticket(name), seen_at=at)
            handling = unit.start(make.ref(name), at=at, actor="tiergate")
            assert handling is not None
            if ends:
                unit.advance(handling, Stage.HANDED_OVER, why="w", at=at)
        unit.save_ticket(make.ticket("4"), seen_at=NOW - 40 * day)
        unit.save_ticket(make.ticket("5"), seen_at=NOW)
    assert store.keep_until(NOW - 30 * day, at=NOW) == 2
    assert store.keep_until(NOW - 30 * day, at=NOW) == 0
    with store.read() as unit:
        words = {
            name: getattr(unit.ticket(make.ref(name)), "short_description", "") for name in "12345"
        }
    assert {name for name, text in words.items() if text == "erased"} == {"1", "4"}
    assert store.verify() is None
    with pytest.raises(PreconditionError, match="is live"):
        store.erase("servicenow:sys3", at=NOW, actor="dpo", why="no")


def test_free_pages_and_the_log_of_an_older_file_are_emptied_too(
    tmp_path: Path, make: Any, fresh_url: Callable[[], str]
) -> None:
    url = fresh_url()
    if not url.startswith("sqlite"):
        with closing(open_store(url, data_dir=tmp_path / "pg")) as other:
            assert other.scrub()
        return
    path = Path(url.removeprefix("sqlite:///"))
    with closing(open_store(url, data_dir=tmp_path / "data")) as store:
        engine = connect(url)
        with engine.connect() as opened:
            driver: Any = opened.connection.driver_connection
            # As a version of ours without secure_delete left it.
            driver.execute("PRAGMA secure_delete=OFF")
            driver.execute("CREATE TABLE old (text TEXT)")
            driver.executemany("INSERT INTO old VALUES (?)", [(NAME * 50,)] * 200)
            driver.execute("DELETE FROM old")
            driver.execute("DROP TABLE old")
        engine.dispose()
        with store.begin() as unit:
            ticket = dataclasses.replace(make.ticket("1"), short_description=NAME)
            unit.save_ticket(ticket, seen_at=NOW)
            handling = unit.start(ticket.ref, at=NOW, actor="tiergate")
            assert handling is not None
            unit.advance(handling, Stage.HANDED_OVER, why=NAME, at=NOW)
        files = [path, path.with_name(f"{path.name}-wal")]
        assert any(NAME.encode() in one.read_bytes() for one in files)
        store.erase(CHAIN, at=NOW, actor="dpo", why="request 7")
        assert store.scrub()
        assert not [one.name for one in files if one.exists() and NAME.encode() in one.read_bytes()]
        assert store.verify() is None


def test_a_reader_that_stays_keeps_the_log_full_and_that_is_said(tmp_path: Path, make: Any) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    with closing(open_store(url, data_dir=tmp_path / "data")) as store:
        with store.begin() as unit:
            unit.save_ticket(make.ticket("1"), seen_at=NOW)
            handling = unit.start(make.ref("1"), at=NOW, actor="tiergate")
            assert handling is not None
            unit.advance(handling, Stage.HANDED_OVER, why=NAME, at=NOW)
        store.erase(CHAIN, at=NOW, actor="dpo", why="request 7")
        engine = connect(url)
        with snapshot(engine) as connection:
            connection.exec_driver_sql("SELECT * FROM ticket").fetchall()
            with store.begin() as unit:
                unit.save_setting("x", "y")
            assert not store.scrub()
        engine.dispose()
        assert store.scrub()
