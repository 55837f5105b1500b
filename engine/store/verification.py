"""What `audit verify` checks; each check names the first row that does not fit."""

import contextlib
import itertools
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_

from engine.domain.audit import GENESIS, AuditRow, first_misfit
from engine.domain.canonical import JSON
from engine.store.audit import STEPS, audit_row, private_hash
from engine.store.seal import Head, Seal, root, seal_misfit
from engine.store.sealing import last_seal, leaves, sealed_heads, seals
from engine.store.tables import AUDIT, HANDLING, HEAD, PRIVATE, SEAL_LEAF
from engine.store.tickets import ERASED

SEALS = "seals"
"""The name under which a misfit of the seals themselves is reported."""

BATCH = 200
"""How many chains are compared with what stands beside them at a time."""

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

    Of one chain, what can be told from its own rows and seals; that no seal is missing, only a look
    at everything tells.

    `witness` is the newest seal (chain "seals") that was noted outside the database: a database
    that does not have it lost its tail, or is a restored backup.
    """
    found = _verify_seals(connection, public, chain=chain, witness=witness)
    if found is not None:
        return found
    names = [chain] if chain is not None else None
    seen = set[str]()
    with contextlib.closing(_chains(connection, names)) as chains:
        while batch := dict(itertools.islice(chains, BATCH)):
            seen.update(batch)
            if (found := _verify_batch(connection, batch)) is not None:
                return found
    known = select(HEAD.c.chain).union(select(SEAL_LEAF.c.chain)).order_by("chain")
    expected = names if names is not None else connection.scalars(known)
    lost = next((name for name in expected if name not in seen), None)
    return None if lost is None else Misfit(chain=lost, number=1, why="the chain has no rows")


def _verify_seals(
    connection: Connection, public: bytes, *, chain: str | None, witness: Head | None
) -> Misfit | None:
    """Check the seals of one chain, or all of them and their own chain."""
    previous, expected = GENESIS, 1
    touching = None
    if chain is not None:
        touching = [number for number, _ in sealed_heads(connection, chain)]
    with contextlib.closing(seals(connection, touching)) as found:
        for seal in found:
            why = _seal_misfit(connection, seal, public)
            if touching is None and (seal.number != expected or seal.previous != previous):
                why = "a seal is missing before it, or was exchanged"
            if why is not None:
                return Misfit(chain=SEALS, number=seal.number, why=why)
            previous, expected = seal.hash, expected + 1
    return None if witness is None else _witness_misfit(connection, witness)


def _seal_misfit(connection: Connection, seal: Seal, public: bytes) -> str | None:
    heads = leaves(connection, seal.number)
    if len(heads) != seal.size or root(heads) != seal.root:
        why = "the heads under the seal are not those that were signed"
        return seal_misfit(seal, public) or why
    return seal_misfit(seal, public)


def _witness_misfit(connection: Connection, witness: Head) -> Misfit | None:
    noted = list(seals(connection, [witness.number]))
    if noted:
        why = "another seal was noted outside"
        is_same = noted[0].hash == witness.hash
        return None if is_same else Misfit(chain=SEALS, number=witness.number, why=why)
    last = last_seal(connection)
    why = f"seal {witness.number} was noted outside the database; the tail was cut or restored"
    return Misfit(chain=SEALS, number=last.number + 1 if last else 1, why=why)


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


def _verify_batch(
    connection: Connection, batch: Mapping[str, tuple[AuditRow, ...]]
) -> Misfit | None:
    """Check some chains against what stands beside them, read in one query per table."""
    beside = _Beside.of(connection, list(batch))
    for chain, rows in batch.items():
        found = (
            chain_misfit(rows)
            or head_misfit(rows, beside.sealed.get(chain, []))
            or _noted_misfit(rows, beside.noted.get(chain))
            or private_misfit(rows, beside.payloads.get(chain, {}))
            or _stage_misfit(rows, beside.handlings.get(chain, []))
        )
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class _Beside:
    """What stands beside the rows of some chains, by chain."""

    noted: Mapping[str, Head]
    sealed: Mapping[str, list[Head]]
    payloads: Mapping[str, Payloads]
    handlings: Mapping[str, list[tuple[str, str, str]]]

    @classmethod
    def of(cls, connection: Connection, names: Sequence[str]) -> "_Beside":
        heads = connection.execute(select(HEAD).where(HEAD.c.chain.in_(names)))
        noted = {
            row.chain: Head(chain=row.chain, number=row.number, hash=row.hash) for row in heads
        }
        sealed: dict[str, list[Head]] = {}
        leaf = select(SEAL_LEAF).where(SEAL_LEAF.c.chain.in_(names)).order_by(SEAL_LEAF.c.seal)
        for row in connection.execute(leaf):
            head = Head(chain=row.chain, number=row.number, hash=row.hash)
            sealed.setdefault(row.chain, []).append(head)
        return cls(noted, sealed, _payloads(connection, names), _handlings(connection, names))


def _handlings(
    connection: Connection, names: Sequence[str]
) -> Mapping[str, list[tuple[str, str, str]]]:
    pairs = [name.split(":", 1) for name in names if ":" in name]
    mine = tuple_(HANDLING.c.system, HANDLING.c.ticket_id).in_(pairs)
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in connection.execute(select(HANDLING).where(mine).order_by(HANDLING.c.attempt)):
        found.setdefault(f"{row.system}:{row.ticket_id}", []).append((row.id, row.stage, row.gate))
    return found


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
    return _payloads(connection, [chain]).get(chain, {})


def _payloads(connection: Connection, names: Sequence[str]) -> Mapping[str, Payloads]:
    found: dict[str, dict[int, dict[str, tuple[str, str]]]] = {}
    for row in connection.execute(select(PRIVATE).where(PRIVATE.c.chain.in_(names))):
        beside = found.setdefault(row.chain, {}).setdefault(row.number, {})
        beside[row.name] = (row.salt, json.loads(row.document))
    return found


def _stage_misfit(
    rows: Sequence[AuditRow], handlings: Sequence[tuple[str, str, str]]
) -> Misfit | None:
    """Return the first handling that does not stand where its last audited step put it."""
    steps = {row.body["handling"]: row for row in rows if row.event in STEPS}
    chain = rows[-1].chain
    for handling, stage, gate in handlings:
        step = steps.get(handling)
        if step is None:
            why = f"handling {handling} has no audited step"
            return Misfit(chain=chain, number=len(rows), why=why)
        if (step.body["to"], step.body["gate"]) != (stage, gate):
            why = (
                f"handling {handling} stands at {stage} behind {gate}; its last audited step"
                f" led to {step.body['to']} behind {step.body['gate']}"
            )
            return Misfit(chain=chain, number=step.number, why=why)
    return None
