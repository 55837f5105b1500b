"""What `audit verify` checks; each check names the first row that does not fit."""

import contextlib
import itertools
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from engine.domain.audit import GENESIS, AuditRow, first_misfit
from engine.domain.canonical import JSON
from engine.store.audit import audit_row, private_hash
from engine.store.erasure import ERASED
from engine.store.seal import Head, root, seal_misfit
from engine.store.sealing import leaves, sealed_heads, seals
from engine.store.tables import AUDIT, HANDLING, HEAD, PRIVATE, SEAL_LEAF

SEALS = "seals"
"""The name under which a misfit of the seals themselves is reported."""

Payloads = Mapping[int, Mapping[str, tuple[str, str]]]
"""Row number to name to (salt, text)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """The first thing that does not fit: which chain, which row, and why."""

    chain: str
    number: int
    why: str

    def __str__(self) -> str:
        return f"{self.chain} row {self.number}: {self.why}"


def verify(
    connection: Connection, public: bytes, *, chain: str | None = None, witness: Head | None = None
) -> Misfit | None:
    """Return the first misfit of one chain or of everything, None when all fits.

    `witness` is the newest seal (chain "seals") that was noted outside the database: a database
    that does not have it lost its tail, or is a restored backup.
    """
    found = _verify_seals(connection, public, chain=chain, witness=witness)
    if found is not None:
        return found
    names = [chain] if chain is not None else None
    seen = set[str]()
    with contextlib.closing(_chains(connection, names)) as chains:
        for name, rows in chains:
            seen.add(name)
            if (found := _verify_chain(connection, name, rows)) is not None:
                return found
    known = select(HEAD.c.chain).union(select(SEAL_LEAF.c.chain)).order_by("chain")
    expected = names if names is not None else connection.scalars(known)
    lost = next((name for name in expected if name not in seen), None)
    return None if lost is None else Misfit(chain=lost, number=1, why="the chain has no rows")


def _verify_seals(
    connection: Connection, public: bytes, *, chain: str | None, witness: Head | None
) -> Misfit | None:
    previous, expected = GENESIS, 1
    touching = None
    if chain is not None:
        touching = {number for number, _ in sealed_heads(connection, chain)}
    for seal in seals(connection):
        why = seal_misfit(seal, public)
        if seal.number != expected or seal.previous != previous:
            why = "a seal is missing before it, or was exchanged"
        elif why is None and (touching is None or seal.number in touching):
            heads = leaves(connection, seal.number)
            if len(heads) != seal.size or root(heads) != seal.root:
                why = "the heads under the seal are not those that were signed"
        if why is None and witness is not None and seal.number == witness.number:
            why = None if seal.hash == witness.hash else "another seal was noted outside"
        if why is not None:
            return Misfit(chain=SEALS, number=seal.number, why=why)
        previous, expected = seal.hash, expected + 1
    if witness is not None and witness.number >= expected:
        why = f"seal {witness.number} was noted outside the database; the tail was cut or restored"
        return Misfit(chain=SEALS, number=expected, why=why)
    return None


def _chains(
    connection: Connection, names: Sequence[str] | None
) -> Generator[tuple[str, tuple[AuditRow, ...]]]:
    query = select(AUDIT).order_by(AUDIT.c.chain, AUDIT.c.number)
    if names is not None:
        query = query.where(AUDIT.c.chain.in_(names))
    # Streamed: a chain is short, all of them together may not fit into memory.
    with connection.execute(query, execution_options={"yield_per": 1000}) as streamed:
        for name, group in itertools.groupby(streamed, key=lambda row: row.chain):
            yield name, tuple(audit_row(row) for row in group)


def _verify_chain(connection: Connection, chain: str, rows: tuple[AuditRow, ...]) -> Misfit | None:
    head = connection.execute(select(HEAD).where(HEAD.c.chain == chain)).one_or_none()
    noted = None if head is None else Head(chain=chain, number=head.number, hash=head.hash)
    found = (
        chain_misfit(rows)
        or head_misfit(rows, [head for _, head in sealed_heads(connection, chain)])
        or _noted_misfit(rows, noted)
        or private_misfit(rows, payloads(connection, chain))
    )
    return found or _stage_misfit(connection, chain, rows)


def chain_misfit(rows: tuple[AuditRow, ...]) -> Misfit | None:
    """Return the first row whose number, link or hash does not fit."""
    row = first_misfit(rows)
    if row is None:
        return None
    return Misfit(
        chain=row.chain, number=row.number, why="number, link or hash does not fit the row before"
    )


def head_misfit(rows: Sequence[AuditRow], heads: Sequence[Head]) -> Misfit | None:
    """Return the first sealed head that the chain does not have: a cut or rewritten tail."""
    for head in heads:
        if head.number > len(rows):
            why = f"the chain was sealed with {head.number} rows and ends here: its tail was cut"
            return Misfit(chain=head.chain, number=len(rows), why=why)
        if rows[head.number - 1].hash != head.hash:
            return Misfit(
                chain=head.chain, number=head.number, why="the row is not the one that was sealed"
            )
    return None


def _noted_misfit(rows: Sequence[AuditRow], noted: Head | None) -> Misfit | None:
    last = rows[-1]
    if noted is not None and (noted.number, noted.hash) == (last.number, last.hash):
        return None
    return Misfit(chain=last.chain, number=last.number, why="the chain's head is another row")


def private_misfit(rows: Sequence[AuditRow], beside: Payloads) -> Misfit | None:
    """Return the first row whose personal payload was changed, or is gone without an erasure."""
    erased_up_to = max((row.number for row in rows if row.event == ERASED), default=0)
    for row in rows:
        hashes = row.body.get("private")
        hashes = hashes if isinstance(hashes, Mapping) else {}
        here = beside.get(row.number, {})
        if set(here) - set(hashes):
            why = "a personal payload stands beside the row that the row does not name"
            return Misfit(chain=row.chain, number=row.number, why=why)
        wrong = _payload_misfit(hashes, here, is_erased=row.number < erased_up_to)
        if wrong is not None:
            return Misfit(chain=row.chain, number=row.number, why=wrong)
    return None


def _payload_misfit(
    hashes: Mapping[str, JSON], here: Mapping[str, tuple[str, str]], *, is_erased: bool
) -> str | None:
    for name, expected in hashes.items():
        if name not in here:
            if not is_erased:
                return f"the personal payload {name!r} is gone, and no erasure was recorded"
        elif private_hash(*here[name]) != expected:
            return f"the personal payload {name!r} was changed"
    return None


def payloads(connection: Connection, chain: str) -> Payloads:
    """Return what stands beside one chain, with the salts."""
    found: dict[int, dict[str, tuple[str, str]]] = {}
    for row in connection.execute(select(PRIVATE).where(PRIVATE.c.chain == chain)):
        found.setdefault(row.number, {})[row.name] = (row.salt, json.loads(row.document))
    return found


def _stage_misfit(connection: Connection, chain: str, rows: Sequence[AuditRow]) -> Misfit | None:
    """Return the first handling that does not stand where its last audited step put it."""
    audited = {row.body["handling"]: row for row in rows if {"handling", "to"} <= set(row.body)}
    system, colon, record = chain.partition(":")
    if not colon:
        return None
    mine = (HANDLING.c.system == system) & (HANDLING.c.ticket_id == record)
    query = select(HANDLING.c.id, HANDLING.c.stage, HANDLING.c.gate).where(mine)
    for handling in connection.execute(query.order_by(HANDLING.c.attempt)):
        step = audited.get(handling.id)
        if step is None:
            why = f"handling {handling.id} has no audited step"
            return Misfit(chain=chain, number=len(rows), why=why)
        if (step.body["to"], step.body["gate"]) != (handling.stage, handling.gate):
            why = (
                f"handling {handling.id} stands at {handling.stage} behind {handling.gate}; its"
                f" last audited step led to {step.body['to']} behind {step.body['gate']}"
            )
            return Misfit(chain=chain, number=step.number, why=why)
    return None
