"""Heads that leave the database: signed lines for outside, and what they say about a cut tail."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, func, select, tuple_

from engine.domain.audit import NotedSeal, SignedHead
from engine.errors import RecordNotFoundError
from engine.store.keys import SigningKey, fingerprint, is_signed
from engine.store.seal import Head, Seal
from engine.store.sealing import last_seal, leaves, seals
from engine.store.tables import AUDIT, HEAD, SEAL, utc
from engine.store.verification import SEALS, Misfit

T = TypeVar("T")
_BATCH = 400  # two values a head, and SQLite binds 999 by its oldest default


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is told outside of some seals, in order, and the newest seal among them."""

    lines: tuple[str, ...]
    newest: int


def signed_head(connection: Connection, key: SigningKey, chain: str, *, at: datetime) -> SignedHead:
    """Return the signed head of one chain as it stands now.

    Raises:
        RecordNotFoundError: No such chain.
    """
    row = connection.execute(select(HEAD).where(HEAD.c.chain == chain)).one_or_none()
    if row is None or row.number == 0:
        raise RecordNotFoundError(f"no audit chain {chain!r}")
    return _sign(key, Head(chain=chain, number=row.number, hash=row.hash), at)


def _sign(key: SigningKey, head: Head, at: datetime) -> SignedHead:
    bare = SignedHead(
        chain=head.chain, number=head.number, hash=head.hash, at=utc(at), key=key.fingerprint
    )
    return SignedHead(
        chain=bare.chain,
        number=bare.number,
        hash=bare.hash,
        at=bare.at,
        key=bare.key,
        signature=_hex(key.sign(bare.message)),
    )


def announcement(
    connection: Connection, key: SigningKey, *, after: int | None, most: int
) -> Announcement | None:
    """Return the lines of the seals behind `after` with the heads under them; None without any.

    Without `after` the newest seal is the first to be told: it binds all that were before it.
    """
    last = last_seal(connection)
    if last is None or (after is not None and last.number <= after):
        return None
    first = last.number if after is None else after + 1
    numbers = list(range(first, min(last.number, first + most - 1) + 1))
    lines = [line for seal in seals(connection, numbers) for line in _lines(connection, key, seal)]
    return Announcement(lines=tuple(lines), newest=numbers[-1])


def _lines(connection: Connection, key: SigningKey, seal: Seal) -> Iterator[str]:
    for head in leaves(connection, seal.number):
        yield _sign(key, head, seal.at).line
    yield NotedSeal(
        number=seal.number,
        hash=seal.hash,
        at=seal.at,
        key=seal.key,
        signature=_hex(seal.signature),
    ).line


def _hex(signature: str) -> str:
    return base64.b64decode(signature).hex()


def is_genuine(public: bytes, one: SignedHead | NotedSeal) -> bool:
    """Whether the owner of this key signed the line."""
    message = one.message if isinstance(one, SignedHead) else one.hash.encode()
    signature = base64.b64encode(bytes.fromhex(one.signature)).decode()
    return one.key == fingerprint(public) and is_signed(public, message, signature)


def head_misfits(connection: Connection, heads: Iterable[SignedHead]) -> tuple[Misfit, ...]:
    """Return what the chains in the store lack of genuine heads: one misfit a chain.

    A rewritten row is named before a cut tail, and of a tail the last row that is known.
    """
    lost: dict[str, list[SignedHead]] = {}
    for batch in _batches(dict.fromkeys(heads)):
        pairs = [(head.chain, head.number) for head in batch]
        rows = connection.execute(
            select(AUDIT.c.chain, AUDIT.c.number, AUDIT.c.hash).where(
                tuple_(AUDIT.c.chain, AUDIT.c.number).in_(pairs)
            )
        )
        here = {(row.chain, row.number): row.hash for row in rows}
        for head in batch:
            if here.get((head.chain, head.number)) != head.hash:
                lost.setdefault(head.chain, []).append(head)
    ends = _ends(connection, lost)
    return tuple(_worst(lost[chain], ends.get(chain, 0)) for chain in sorted(lost))


def _worst(heads: Sequence[SignedHead], end: int) -> Misfit:
    rewritten = [head for head in heads if head.number <= end]
    if rewritten:
        return misfit_of(min(rewritten, key=lambda head: head.number), end)
    return misfit_of(max(heads, key=lambda head: head.number), end)


def misfit_of(head: SignedHead, end: int) -> Misfit:
    """Return what a genuine head says of a chain that has not its row; `end` is its last row."""
    when = head.at.isoformat(timespec="seconds")
    if head.number <= end:
        why = f"the row is not the one whose head was signed at {when}: it was rewritten"
        return Misfit(chain=head.chain, number=head.number, why=why)
    cut = f"rows {end + 1} to {head.number}" if head.number > end + 1 else f"row {head.number}"
    why = f"a head outside, signed at {when}, names row {head.number}: {cut} cut from the tail"
    return Misfit(chain=head.chain, number=end + 1, why=why)


def seal_misfits(connection: Connection, noted: Sequence[NotedSeal]) -> tuple[Misfit, ...]:
    """Return what the store's seals lack of genuine ones that were noted outside."""
    here: dict[int, str] = {}
    for batch in _batches({one.number for one in noted}):
        query = select(SEAL.c.number, SEAL.c.hash).where(SEAL.c.number.in_(batch))
        here |= {row.number: row.hash for row in connection.execute(query)}
    wrong = sorted({one.number for one in noted if here.get(one.number) not in {None, one.hash}})
    lost = sorted({one.number for one in noted if one.number not in here})
    found = [
        Misfit(chain=SEALS, number=number, why="another seal was noted outside")
        for number in wrong[:1]
    ]
    if lost:
        count = f"{len(lost)} of them" if len(lost) > 1 else "it"
        why = f"seal {lost[-1]} was noted outside; {count} cut from the tail or lost by a restore"
        found.append(Misfit(chain=SEALS, number=lost[0], why=why))
    return tuple(found)


def _ends(connection: Connection, chains: Iterable[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for batch in _batches(chains):
        query = select(AUDIT.c.chain, func.max(AUDIT.c.number).label("last"))
        rows = query.where(AUDIT.c.chain.in_(batch)).group_by(AUDIT.c.chain)
        found |= {row.chain: row.last for row in connection.execute(rows)}
    return found


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, _BATCH)):
        yield batch
