"""Signed heads over real sockets and into a real file, and what they tell of a cut store."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.domain.audit import SignedHead, heads_in, seals_in
from engine.domain.refs import TicketKind, TicketRef
from engine.errors import ConfigurationError, TransientError
from engine.ports.heads import Facility
from engine.runtime.clock import SystemClock
from engine.runtime.heads import (
    CODES,
    FileSink,
    SyslogAddress,
    SyslogSink,
    check_sinks,
    sinks,
)
from engine.store.store import SQLStore, open_store
from tests.e2e.attacks.receiver import receiver

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLStore]:
    with closing(open_store(f"sqlite:///{tmp_path}/t.db", data_dir=tmp_path / "data")) as opened:
        yield opened


def write(store: SQLStore, chain: str, rows: int = 1) -> None:
    with store.begin() as unit:
        for number in range(rows):
            unit.record(chain=chain, event="told", actor="x", at=NOW, body={"number": number})


def syslog(address: str, facility: Facility = Facility.AUDIT) -> SyslogSink:
    parsed = SyslogAddress.parse(address)
    return SyslogSink(address=parsed, clock=SystemClock(), facility=facility)


@pytest.mark.parametrize("kind", ["tcp", "udp", "unix"])
def test_every_seal_and_the_heads_under_it_reach_syslog_once(
    store: SQLStore, tmp_path: Path, kind: str
) -> None:
    with receiver(kind, tmp_path) as received:
        sink = syslog(received.address, Facility.LOCAL3)
        write(store, "sn:1", 3)
        write(store, "sn:2")
        store.seal(NOW)
        assert store.announce(sink.name, sink.send) == 3
        assert store.announce(sink.name, sink.send) == 0
        write(store, "sn:1")
        store.seal(NOW)
        assert store.announce(sink.name, sink.send) == 2
        lines = received.lines(least=5)
        assert received.wrong == []
        assert received.priorities == {19 * 8 + 6}
    heads = [head for line in lines for head in heads_in(line)]
    assert [(head.chain, head.number) for head in heads] == [("sn:1", 3), ("sn:2", 1), ("sn:1", 4)]
    assert [seal.number for line in lines for seal in seals_in(line)] == [1, 2]
    assert all(store.is_ours(head) for head in heads)


def test_what_nobody_took_is_told_when_somebody_listens_again(
    store: SQLStore, tmp_path: Path
) -> None:
    with receiver("tcp", tmp_path) as gone:
        sink = syslog(gone.address)
    write(store, "sn:1")
    store.seal(NOW)
    with pytest.raises(TransientError, match="syslog tcp://"):
        store.announce(sink.name, sink.send)
    kept: list[str] = []
    assert store.announce(sink.name, kept.extend) == 2
    assert len(kept) == 2


def test_a_file_goes_on_behind_a_line_that_a_crash_cut(store: SQLStore, tmp_path: Path) -> None:
    path = tmp_path / "heads.log"
    sink = FileSink(path)
    for number in (1, 2):
        write(store, f"sn:{number}")
        store.seal(NOW)
        store.announce(sink.name, sink.send)
        path.write_bytes(path.read_bytes()[:-40] if number == 1 else path.read_bytes())
    text = path.read_text("utf-8")
    assert [head.chain for head in heads_in(text)] == ["sn:1", "sn:2"]
    assert [seal.number for seal in seals_in(text)] == [2]
    broken = FileSink(tmp_path / "no-folder" / "x")
    with pytest.raises(TransientError, match="No such file"):
        broken.send(["x"])


def cut(store: SQLStore, tmp_path: Path, statements: Sequence[str]) -> None:
    with closing(sqlite3.connect(tmp_path / "t.db")) as database:
        for statement in statements:
            assert database.execute(statement).rowcount > 0, statement
        database.commit()
    (tmp_path / "data" / "audit-seals.jsonl").unlink()
    assert store.verify() is None, "only what is outside shows it"


def test_a_tail_that_was_cut_without_a_trace_shows_by_the_heads_outside(
    store: SQLStore, tmp_path: Path
) -> None:
    kept: list[str] = []
    write(store, "sn:1", 2)
    store.seal(NOW)
    write(store, "sn:1", 3)
    write(store, "sn:2", 1)
    store.seal(NOW)
    store.announce("kept", kept.extend)
    text = "\n".join(kept)
    assert store.compare(heads_in(text), seals_in(text)) == ()
    cut(
        store,
        tmp_path,
        (
            "DELETE FROM audit_row WHERE chain = 'sn:1' AND number > 2",
            "DELETE FROM audit_row WHERE chain = 'sn:2'",
            "DELETE FROM audit_head WHERE chain = 'sn:2'",
            (
                "UPDATE audit_head SET number = 2, sealed = 2, hash = (SELECT hash FROM audit_row"
                " WHERE number = 2 AND chain = 'sn:1') WHERE chain = 'sn:1'"
            ),
            "DELETE FROM audit_seal_leaf WHERE seal = 2",
            "DELETE FROM audit_seal WHERE number = 2",
        ),
    )
    told = [str(one) for one in store.compare(heads_in(text), seals_in(text))]
    assert told[0].startswith("seals row 2: seal 2 was noted outside")
    assert "sn:1 row 3: a head outside" in told[1]
    assert "rows 3 to 5 cut from the tail" in told[1]
    assert "sn:2 row 1:" in told[2]
    assert "row 1 cut from the tail" in told[2]


def test_a_chain_that_was_written_anew_with_the_stolen_key_shows_too(
    store: SQLStore, tmp_path: Path
) -> None:
    write(store, "sn:1", 3)
    head = store.signed_head("sn:1", at=NOW)
    other = open_store(f"sqlite:///{tmp_path}/other.db", data_dir=tmp_path / "data")
    with closing(other):
        with other.begin() as unit:
            for number in range(4):
                unit.record(
                    chain="sn:1", event="told", actor="a thief", at=NOW, body={"number": number}
                )
        (found,) = other.compare([head], [])
    assert found.number == 3
    assert "rewritten" in found.why


def test_a_head_that_somebody_else_signed_says_nothing(store: SQLStore, tmp_path: Path) -> None:
    write(store, "sn:1")
    head = store.signed_head("sn:1", at=NOW)
    forged = SignedHead(
        chain=head.chain, number=9, hash=head.hash, at=head.at, key=head.key,
        signature=head.signature,
    )  # fmt: skip
    assert not store.is_ours(forged)
    assert store.compare([forged], []) == ()
    stranger = open_store(f"sqlite:///{tmp_path}/s.db", data_dir=tmp_path / "stranger")
    with closing(stranger):
        write(stranger, "sn:1", 7)
        assert store.compare([stranger.signed_head("sn:1", at=NOW)], []) == ()


def test_a_head_survives_quotes_wraps_and_backslashes_around_it(store: SQLStore) -> None:
    ref = TicketRef(system="itsm-jira", kind=TicketKind.INCIDENT, id="10023", key="ITH-1")
    write(store, f"{ref.system}:{ref.id}")
    head = store.signed_head(f"{ref.system}:{ref.id}", at=NOW)
    mangled = f"> said *{head.line.replace('-', chr(92) + '-')}*\n\n(tg-0123)"
    assert heads_in(mangled) == (head,)
    assert heads_in(head.line.replace(" ", "\n  ")) == (head,)


def test_every_facility_has_its_number() -> None:
    assert set(CODES) == set(Facility)


@pytest.mark.parametrize(
    "text", ["", "localhost:514", "http://x", "unix://", "udp://", "tcp://h:x"]
)
def test_a_wrong_address_is_a_mistake_in_the_configuration(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected unix:///PATH"):
        SyslogAddress.parse(text)
    both = sinks(
        file=tmp_path / "f", syslog="udp://h", facility=Facility.AUDIT, clock=SystemClock()
    )
    assert [one.name.split()[0] for one in both] == ["file", "syslog"]
    assert both[1].name == "syslog udp://h:514"


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_place_is_probed_without_a_line(tmp_path: Path, kind: str) -> None:
    with receiver(kind, tmp_path) as received:
        sink = syslog(received.address)
        if kind == "unix":
            sink.send(())
            assert received.lines() == []
    (tmp_path / "log").unlink(missing_ok=True)
    with pytest.raises(TransientError, match="audit heads: syslog"):
        sink.send(())
    path = tmp_path / "heads.log"
    FileSink(path).send(())
    assert path.read_bytes() == b""
    found = [one.code for one in check_sinks([sink, FileSink(path)])]
    assert found == ["heads-unreachable", "heads"]
    assert [one.code for one in check_sinks([])] == ["heads-nowhere"]
