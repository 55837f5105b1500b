"""Seals: one signature over many heads, each of which proves itself alone."""

import base64
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.audit import GENESIS
from engine.errors import ConfigurationError
from engine.store.keys import SigningKey, is_signed, load_or_create
from engine.store.lock import DirectoryLock
from engine.store.seal import Head, is_proved, make_seal, proof, root, seal_misfit

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def heads(count: int) -> list[Head]:
    return [
        Head(chain=f"s:{number}", number=number + 1, hash=f"sha256:{number}")
        for number in range(count)
    ]


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return load_or_create(tmp_path)


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_every_head_proves_itself_and_no_other(count: int, data: st.DataObject) -> None:
    all_heads = heads(count)
    position = data.draw(st.integers(0, count - 1))
    steps = proof(all_heads, position)
    assert len(steps) <= count.bit_length()
    for other in range(count):
        assert is_proved(all_heads[other], steps, root(all_heads)) == (other == position)


@given(st.integers(2, 20), st.data())
def test_any_change_of_the_heads_changes_the_root(count: int, data: st.DataObject) -> None:
    all_heads = heads(count)
    position = data.draw(st.integers(0, count - 1))
    changed = [*all_heads]
    changed[position] = dataclasses.replace(all_heads[position], number=99)
    gone = all_heads[:position] + all_heads[position + 1 :]
    swapped = [*reversed(all_heads)]
    assert len({root(found) for found in (all_heads, changed, gone, swapped)}) == 4


def test_a_node_does_not_pass_for_a_leaf_nor_a_proof_of_nonsense() -> None:
    all_heads = heads(2)
    for steps in (["x:AAAA"], ["l:not base64!"], ["l:"], []):
        assert not is_proved(all_heads[0], steps, root(all_heads))


def test_a_seal_stands_and_every_edit_shows(key: SigningKey, tmp_path: Path) -> None:
    seal = make_seal(key, number=1, at=NOW, heads=heads(3), previous=GENESIS)
    assert seal_misfit(seal, key.public) is None
    for edit in ({"number": 2}, {"root": "x"}, {"size": 2}, {"previous": "x"}, {"hash": "x"}):
        assert seal_misfit(dataclasses.replace(seal, **edit), key.public) is not None
    for signature in ("", "%%", base64.b64encode(bytes(64)).decode()):
        forged = dataclasses.replace(seal, signature=signature)
        assert "signature" in str(seal_misfit(forged, key.public))
    (tmp_path / "other").mkdir()
    other = load_or_create(tmp_path / "other")
    assert "another key" in str(seal_misfit(seal, other.public))


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = load_or_create(tmp_path), load_or_create(tmp_path)
    assert first.public == second.public
    assert is_signed(first.public, b"text", second.sign(b"text"))
    assert not is_signed(first.public, b"texts", second.sign(b"text"))
    assert [path.name for path in tmp_path.iterdir()] == ["audit-key.pem"], "no half-written rest"
    assert (tmp_path / "audit-key.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(first)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    (tmp_path / "audit-key.pem").chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create(tmp_path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit-key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError):
        load_or_create(tmp_path)


def test_one_daemon_per_data_directory_and_the_next_after_it(tmp_path: Path) -> None:
    with (
        DirectoryLock(tmp_path / "data"),
        pytest.raises(ConfigurationError, match="another daemon"),
        DirectoryLock(tmp_path / "data"),
    ):
        pytest.fail("two daemons on one data directory")
    with DirectoryLock(tmp_path / "data"), DirectoryLock(tmp_path / "elsewhere"):
        pass
