"""Seals: the heads of all chains that grew, bound by one signature; pure functions.

A seal signs the root of a Merkle tree over the heads, so one ticket's export can prove its own head
without naming other tickets. Each seal names the one before.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.domain.canonical import JSON, canonical_json, digest
from engine.store.keys import SigningKey, fingerprint, is_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last row of one chain at the time of a seal."""

    chain: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One signed set of heads; `hash` is over everything but the signature."""

    number: int
    at: datetime
    root: str
    size: int
    previous: str
    key: str
    hash: str
    signature: str

    def document(self) -> dict[str, JSON]:
        """Return the seal for a log line or an export."""
        return {**_content(self), "hash": self.hash, "signature": self.signature}


def make_seal(
    key: SigningKey, *, number: int, at: datetime, heads: Sequence[Head], previous: str
) -> Seal:
    """Return the signed seal over these heads."""
    bare = Seal(
        number=number,
        at=at,
        root=root(heads),
        size=len(heads),
        previous=previous,
        key=key.fingerprint,
        hash="",
        signature="",
    )
    own = digest(_content(bare))
    return Seal(
        number=number,
        at=at,
        root=bare.root,
        size=bare.size,
        previous=previous,
        key=bare.key,
        hash=own,
        signature=key.sign(own.encode()),
    )


def seal_misfit(seal: Seal, public: bytes) -> str | None:
    """Return why the seal does not stand on its own, None when it does."""
    if seal.hash != digest(_content(seal)):
        return "the seal's content does not fit its hash"
    if seal.key != fingerprint(public):
        return f"the seal was made with another key ({seal.key})"
    if not is_signed(public, seal.hash.encode(), seal.signature):
        return "the seal's signature does not fit"
    return None


def _content(seal: Seal) -> dict[str, JSON]:
    return {
        "number": seal.number,
        "at": seal.at.isoformat(timespec="microseconds"),
        "root": seal.root,
        "size": seal.size,
        "previous": seal.previous,
        "key": seal.key,
    }


def _leaf(head: Head) -> bytes:
    # The prefixes keep a leaf from passing for a node (RFC 6962, 2.1).
    return hashlib.sha256(b"\0" + canonical_json([head.chain, head.number, head.hash])).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _above(level: list[bytes]) -> list[bytes]:
    pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(pairs) * 2 :]


def root(heads: Sequence[Head]) -> str:
    """Return the Merkle root over the heads in their order."""
    level = [_leaf(head) for head in heads]
    while len(level) > 1:
        level = _above(level)
    return "sha256:" + (level[0] if level else hashlib.sha256(b"").digest()).hex()


def proof(heads: Sequence[Head], position: int) -> list[str]:
    """Return the siblings on the way from one head to the root, `l:` or `r:` and base64."""
    level, steps = [_leaf(head) for head in heads], list[str]()
    while len(level) > 1:
        sibling = position ^ 1
        if sibling < len(level):
            side = "l" if sibling < position else "r"
            steps.append(f"{side}:{base64.b64encode(level[sibling]).decode()}")
        level, position = _above(level), position // 2
    return steps


def is_proved(head: Head, steps: Sequence[str], expected: str) -> bool:
    """Whether the siblings lead from this head to that root."""
    value = _leaf(head)
    for step in steps:
        side, _, text = step.partition(":")
        try:
            sibling = base64.b64decode(text, validate=True)
        except ValueError:
            return False
        if side not in {"l", "r"}:
            return False
        value = _node(sibling, value) if side == "l" else _node(value, sibling)
    return "sha256:" + value.hex() == expected
