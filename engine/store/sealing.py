"""Sealing the chains' heads, and reading the seals back."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from engine.domain.audit import GENESIS
from engine.store.keys import SigningKey
from engine.store.seal import Head, Seal, make_seal
from engine.store.tables import HEAD, SEAL, SEAL_LEAF, utc

# One seal's tree stays small enough that an export's proof is made from one read.
MOST_HEADS = 10_000
_LOCK = 0x7469657267617465  # "tiergate": on PostgreSQL one daemon of a cluster seals at a time


def seal_heads(
    connection: Connection, key: SigningKey, *, at: datetime, most: int = MOST_HEADS
) -> Seal | None:
    """Seal the heads that grew since they were last sealed; None when none did."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    grown = (
        select(HEAD.c.chain, HEAD.c.number, HEAD.c.hash)
        .where(HEAD.c.number > HEAD.c.sealed)
        .order_by(HEAD.c.chain)
        .limit(most)
    )
    heads = [
        Head(chain=row.chain, number=row.number, hash=row.hash) for row in connection.execute(grown)
    ]
    if not heads:
        return None
    last = last_seal(connection)
    seal = make_seal(
        key,
        number=last.number + 1 if last else 1,
        at=utc(at),
        heads=heads,
        previous=last.hash if last else GENESIS,
    )
    written = {**seal.document(), "at": seal.at}
    connection.execute(insert(SEAL).values(**written))
    connection.execute(
        insert(SEAL_LEAF),
        [
            {
                "seal": seal.number,
                "position": position,
                "chain": head.chain,
                "number": head.number,
                "hash": head.hash,
            }
            for position, head in enumerate(heads)
        ],
    )
    for head in heads:
        this = update(HEAD).where(HEAD.c.chain == head.chain)
        connection.execute(this.values(sealed=head.number))
    return seal


def last_seal(connection: Connection) -> Seal | None:
    """Return the newest seal."""
    row = connection.execute(select(SEAL).order_by(SEAL.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else read_seal(row)


def seals(
    connection: Connection, numbers: Sequence[int] | None = None
) -> Generator[Seal, None, None]:
    """Yield these seals, or all, in order; streamed, because years of them fit into no memory."""
    query = select(SEAL).order_by(SEAL.c.number)
    if numbers is not None:
        query = query.where(SEAL.c.number.in_(numbers))
    with connection.execute(query, execution_options={"yield_per": 1000}) as streamed:
        for row in streamed:
            yield read_seal(row)


def leaves(connection: Connection, seal: int) -> list[Head]:
    """Return the heads under one seal, in their order."""
    query = select(SEAL_LEAF).where(SEAL_LEAF.c.seal == seal).order_by(SEAL_LEAF.c.position)
    return [
        Head(chain=row.chain, number=row.number, hash=row.hash) for row in connection.execute(query)
    ]


def sealed_heads(connection: Connection, chain: str) -> list[tuple[int, Head]]:
    """Return what was sealed of one chain as (seal, head), in order."""
    query = select(SEAL_LEAF).where(SEAL_LEAF.c.chain == chain).order_by(SEAL_LEAF.c.seal)
    return [
        (row.seal, Head(chain=row.chain, number=row.number, hash=row.hash))
        for row in connection.execute(query)
    ]


def read_seal(row: Row[*tuple[Any, ...]]) -> Seal:
    """Return the seal as it stands in the database, without any check."""
    return Seal(
        number=row.number,
        at=row.at,
        root=row.root,
        size=row.size,
        previous=row.previous,
        key=row.key,
        hash=row.hash,
        signature=row.signature,
    )
