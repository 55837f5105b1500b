"""The chains: every edit behind our back shows, erasure does not, an export proves itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from engine.domain.canonical import canonical_json
from engine.domain.classification import Classification, Guess
from engine.domain.stage import Gate, Stage
from engine.errors import (
    ChainBrokenError,
    ConfigurationError,
    PreconditionError,
    RecordNotFoundError,
)
from engine.store.export import verify_export
from engine.store.keys import load_or_create
from engine.store.store import SQLStore, open_store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAIN = "servicenow:sys1"
Edit = Callable[[str], None]


@pytest.fixture
def edit(url: str) -> Edit:
    """Runs statements behind the store's back, as an intruder with the database's rights."""

    @contextmanager
    def connection() -> Iterator[Connection]:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as opened:
            yield opened
        engine.dispose()

    def run(statements: str) -> None:
        with connection() as opened:
            for statement in statements.split(";"):
                aimed = text(statement.replace(":c", f"'{CHAIN}'"))
                assert opened.execute(aimed).rowcount > 0

    return run


@pytest.fixture
def filled(store: SQLStore, make: Any) -> SQLStore:
    """Two sealed chains of five rows, one of them with a row after the seal."""
    with store.begin() as unit:
        for name in ("1", "2"):
            ready = make.moved(unit, Stage.READY, gate=Gate.NONE, name=name)
            unit.advance(ready, Stage.HANDED_OVER, why="w", at=NOW)
    assert store.seal(NOW) is not None
    with store.begin() as unit:
        unit.record(
            chain=CHAIN, event="feedback", actor="ada", at=NOW, body={}, private={"text": "wrong"}
        )
    assert store.verify() is None
    return store


@pytest.mark.parametrize(
    ("statements", "number", "why"),
    [
        ("UPDATE audit_row SET body = '{}' WHERE chain = :c AND number = 2", 2, "does not fit"),
        ("UPDATE audit_row SET actor = 'bob' WHERE chain = :c AND number = 6", 6, "does not fit"),
        ("UPDATE audit_row SET event = 'x' WHERE chain = :c AND number = 1", 1, "does not fit"),
        ("DELETE FROM audit_row WHERE chain = :c AND number = 3", 4, "does not fit"),
        ("DELETE FROM audit_row WHERE chain = :c AND number = 6", 5, "another row"),
        ("DELETE FROM audit_row WHERE chain = :c AND number > 3", 3, "tail was cut"),
        (
            (
                "DELETE FROM audit_row WHERE chain = :c AND number > 3;"
                "UPDATE audit_head SET number = 3, hash = (SELECT hash FROM audit_row"
                " WHERE chain = :c AND number = 3) WHERE chain = :c"
            ),
            3,
            "tail was cut",
        ),
        ("DELETE FROM audit_row WHERE chain = :c", 1, "no rows"),
        (
            "DELETE FROM audit_row WHERE chain = :c; DELETE FROM audit_head WHERE chain = :c",
            1,
            "no rows",
        ),
        ("DELETE FROM audit_private WHERE chain = :c AND number = 1", 1, "no erasure"),
        (
            "UPDATE audit_private SET document = '\"no\"' WHERE chain = :c AND number = 6",
            6,
            "was changed",
        ),
        (
            (
                "INSERT INTO audit_private (chain, number, name, salt, document)"
                " VALUES (:c, 2, 'x', '00', '\"y\"')"
            ),
            2,
            "does not name",
        ),
        ("UPDATE handling SET stage = 'ready' WHERE ticket_id = 'sys1'", 5, "stands at ready"),
        ("UPDATE handling SET gate = 'desk' WHERE ticket_id = 'sys1'", 5, "behind desk"),
        (
            "UPDATE handling SET id = 'servicenow:sys1:9' WHERE ticket_id = 'sys1'",
            6,
            "no audited step",
        ),
    ],
)
def test_verify_names_the_first_row_that_does_not_fit(
    filled: SQLStore, edit: Edit, statements: str, number: int, why: str
) -> None:
    edit(statements)
    for chain in (None, CHAIN):
        misfit = filled.verify(chain)
        assert misfit is not None
        assert (misfit.chain, misfit.number) == (CHAIN, number)
        assert why in misfit.why
    assert filled.verify("servicenow:sys2") is None


@pytest.mark.parametrize(
    ("statements", "number", "why"),
    [
        ("UPDATE audit_seal SET size = 9 WHERE number = 2", 2, "fit its hash"),
        ("UPDATE audit_seal SET signature = 'AAAA' WHERE number = 2", 2, "signature"),
        ("UPDATE audit_seal SET previous = hash WHERE number = 2", 2, "missing before"),
        ("DELETE FROM audit_seal_leaf WHERE seal = 1 AND position = 1", 1, "not those"),
        ("UPDATE audit_seal_leaf SET number = 4 WHERE seal = 1 AND position = 0", 1, "not those"),
        (
            "DELETE FROM audit_seal_leaf WHERE seal = 1; DELETE FROM audit_seal WHERE number = 1",
            2,
            "missing before",
        ),
        (
            "DELETE FROM audit_seal_leaf WHERE seal = 2; DELETE FROM audit_seal WHERE number = 2",
            2,
            "noted outside",
        ),
    ],
)
def test_verify_names_the_first_seal_that_does_not_fit(
    filled: SQLStore, edit: Edit, statements: str, number: int, why: str
) -> None:
    second = filled.seal(NOW)
    assert second is not None
    assert second.number == 2
    assert filled.verify() is None
    edit(statements)
    misfit = filled.verify()
    assert misfit is not None
    assert (misfit.chain, misfit.number) == ("seals", number)
    assert why in misfit.why


def test_a_seal_signed_with_another_key_does_not_stand(
    filled: SQLStore, url: str, tmp_path: Path
) -> None:
    filled.close()
    with pytest.raises(ConfigurationError, match="another key"):
        open_store(url, data_dir=tmp_path / "elsewhere")


def test_rows_are_sealed_once_and_seals_make_a_chain(filled: SQLStore, tmp_path: Path) -> None:
    second = filled.seal(NOW)
    assert second is not None
    assert (second.number, second.size) == (2, 1)
    assert filled.seal(NOW) is None
    noted = [
        json.loads(line)
        for line in (tmp_path / "data" / "audit-seals.jsonl").read_text().splitlines()
    ]
    assert [line["number"] for line in noted] == [1, 2]
    assert noted[1]["previous"] == noted[0]["hash"]


def test_a_restored_backup_lacks_the_seals_that_were_noted_outside(
    filled: SQLStore, edit: Edit
) -> None:
    filled.seal(NOW)
    edit(
        "DELETE FROM audit_seal_leaf WHERE seal = 2; DELETE FROM audit_seal WHERE number = 2;"
        "DELETE FROM audit_private WHERE chain = :c AND number = 6;"
        "DELETE FROM audit_row WHERE chain = :c AND number = 6;"
        "UPDATE audit_head SET number = 5, sealed = 5, hash = (SELECT hash FROM audit_row WHERE"
        " chain = :c AND number = 5) WHERE chain = :c"
    )
    misfit = filled.verify()
    assert misfit is not None
    assert "restored" in misfit.why


def test_a_note_cut_by_a_crash_is_no_misfit_and_a_forged_one_is_an_error(
    filled: SQLStore, tmp_path: Path
) -> None:
    witness = tmp_path / "data" / "audit-seals.jsonl"
    with witness.open("a") as file:
        file.write('{"number": 2, "ha')
    assert filled.verify() is None
    assert filled.seal(NOW) is not None
    assert filled.verify() is None
    assert witness.read_bytes().count(b"\n") == 3, "the cut line stands alone"
    with witness.open("a") as file:
        file.write("forged\n")
    with pytest.raises(ChainBrokenError):
        filled.verify()


def test_erasure_removes_every_personal_text_and_verify_stays_green(
    filled: SQLStore, url: str
) -> None:
    row = filled.erase(CHAIN, at=NOW, actor="dpo", why="request 7")
    assert row.body == {"rows": [1, 2, 3, 4, 5, 6], "why": "request 7"}
    assert filled.verify() is None
    filled.seal(NOW)
    assert filled.verify() is None
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        for table in ("audit_private", "ticket", "handling", "effect", "audit_row"):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608  a literal
            mine = [str(found) for found in rows if "sys1" in str(found)]
            assert not [found for found in mine if "Ada" in found or "password is" in found]
    engine.dispose()
    with filled.begin() as unit:
        assert unit.private(CHAIN) == {}
        assert unit.private("servicenow:sys2") != {}
    exported: dict[str, Any] = dict(filled.export(CHAIN, at=NOW))
    assert verify_export(exported, filled.public_key) is None
    first = next(row for row in exported["rows"] if row["number"] == 1)
    assert first["private"] == "erased"


def test_a_live_handling_keeps_its_texts(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        make.started(unit)
    with pytest.raises(PreconditionError):
        store.erase(CHAIN, at=NOW, actor="dpo", why="w")
    with pytest.raises(RecordNotFoundError):
        store.erase("servicenow:nobody", at=NOW, actor="dpo", why="w")
    with store.begin() as unit:
        assert unit.private(CHAIN) != {}


def test_an_erasure_does_not_excuse_a_payload_that_goes_missing_later(
    filled: SQLStore, edit: Edit
) -> None:
    filled.erase(CHAIN, at=NOW, actor="dpo", why="w")
    with filled.begin() as unit:
        unit.record(chain=CHAIN, event="x", actor="a", at=NOW, body={}, private={"text": "t"})
    edit("DELETE FROM audit_private WHERE chain = :c")
    misfit = filled.verify()
    assert misfit is not None
    assert misfit.number == 8


def test_an_export_is_whole_and_needs_only_the_public_key(filled: SQLStore, make: Any) -> None:
    with filled.begin() as unit:
        again = unit.start(make.ref(), at=NOW, actor="ops")
        assert again is not None
        unit.intend(make.effect(again), None)
    exported = json.loads(json.dumps(filled.export(CHAIN, at=NOW)))
    assert verify_export(exported, filled.public_key) is None
    assert len(exported["rows"]) == 7
    assert [handling["attempt"] for handling in exported["handlings"]] == [1, 2]
    assert exported["effects"][0]["key"] == "k1"
    assert exported["ticket"]["short_description"] == "My password is lost"
    assert exported["rows"][0]["private"]["short_description"]["text"] == "My password is lost"
    assert "sys2" not in json.dumps(exported), "no other ticket is named"
    with pytest.raises(RecordNotFoundError):
        filled.export("servicenow:nobody", at=NOW)


def test_an_export_that_was_touched_anywhere_is_refused(filled: SQLStore) -> None:
    exported = filled.export(CHAIN, at=NOW)
    for name in exported:
        touched = {**exported, name: "x"}
        with pytest.raises(ChainBrokenError):
            verify_export(touched, filled.public_key)
    for more in (1, 0.5, 2**60, "\ud800", b"x"):
        with pytest.raises(ChainBrokenError):
            verify_export({**exported, "more": more}, filled.public_key)
    with pytest.raises(ChainBrokenError):
        verify_export(exported, bytes(32))


def _row_changed(document: dict[str, Any]) -> None:
    document["rows"][2]["actor"] = "bob"


def _tail_cut(document: dict[str, Any]) -> None:
    del document["rows"][-1]


def _seal_gone(document: dict[str, Any]) -> None:
    del document["seals"][-1]


def _seal_forged(document: dict[str, Any]) -> None:
    document["seals"][0]["seal"]["root"] = "sha256:0"


def _proof_forged(document: dict[str, Any]) -> None:
    document["seals"][0]["proof"] = []


def _head_forged(document: dict[str, Any]) -> None:
    document["seals"][0]["head"]["number"] = 3


def _payload_gone(document: dict[str, Any]) -> None:
    document["rows"][0]["private"] = {}


def _payload_changed(document: dict[str, Any]) -> None:
    document["rows"][0]["private"]["short_description"]["text"] = "no"


@pytest.mark.parametrize(
    ("edit_document", "number"),
    [
        (_row_changed, 3),
        (_tail_cut, 5),
        (_seal_gone, 6),
        (_seal_forged, 5),
        (_proof_forged, 5),
        (_head_forged, 3),
        (_payload_gone, 1),
        (_payload_changed, 1),
    ],
)
def test_a_lie_in_an_export_shows_even_where_the_signer_told_it(
    filled: SQLStore,
    tmp_path: Path,
    edit_document: Callable[[dict[str, Any]], None],
    number: int,
) -> None:
    exported: dict[str, Any] = json.loads(json.dumps(filled.export(CHAIN, at=NOW)))
    edit_document(exported)
    del exported["signature"]
    key = load_or_create(tmp_path / "data")
    exported["signature"] = key.sign(canonical_json(exported))
    misfit = verify_export(exported, filled.public_key)
    assert misfit is not None
    assert (misfit.chain, misfit.number) == (CHAIN, number)
    assert f"{CHAIN} row {number}: " in str(misfit)


def test_an_export_carries_any_character_and_number(store: SQLStore, make: Any) -> None:
    ticket = make.ticket(short_description="\ud800 \0 \u202e", variables={"\ud800": "x"})
    guess = Guess(value="reset_password", confidence=0.93)
    classified = Classification(
        intent="reset_password",
        candidate="reset_password",
        confidence=0.93,
        evidence=(),
        model="m",
        parameters={"subject": guess},
    )
    with store.begin() as unit:
        unit.save_ticket(ticket, seen_at=NOW)
        handling = unit.start(ticket.ref, at=NOW, actor="tiergate")
        assert handling is not None
        unit.touch(handling, at=NOW, classification=classified)
    exported: dict[str, Any] = dict(store.export(CHAIN, at=NOW))
    assert verify_export(exported, store.public_key) is None
    assert exported["handlings"][0]["classification"]["confidence"] == "0.93"
    assert exported["rows"][0]["private"]["short_description"]["text"].startswith("\\ud800")


def test_a_row_that_is_not_what_it_says_is_refused(store: SQLStore) -> None:
    fraction: Any = {"x": 0.5}
    with store.begin() as unit:
        for event in ("started", "stage", "update", "erased"):
            with pytest.raises(ValueError, match="only the store"):
                unit.record(chain="a:b", event=event, actor="a", at=NOW, body={})
        with pytest.raises(ValueError, match="private"):
            unit.record(chain="a:b", event="e", actor="a", at=NOW, body={"private": {}})
        with pytest.raises(ValueError, match="zone"):
            unit.record(chain="a:b", event="e", actor="a", at=NOW.replace(tzinfo=None), body={})
        with pytest.raises(TypeError):
            unit.record(chain="a:b", event="e", actor="a", at=NOW, body=fraction)
        written = unit.record(chain="a:b", event="e", actor="a", at=NOW, body={"x": (1, "ü")})
        assert written.body == {"x": [1, "ü"]}
        assert unit.audit("a:b")[-1] == written
