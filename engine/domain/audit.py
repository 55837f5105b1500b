"""The audit chain: one row per step, each bound to the one before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.domain.canonical import JSON, digest

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One row of a ticket's chain.

    `body` holds no personal text: such payloads stand beside the chain, salted hashes of them in
    it, so that erasure leaves it verifiable.
    """

    chain: str
    number: int
    at: datetime
    event: str
    actor: str
    body: Mapping[str, JSON]
    previous: str
    hash: str


def row_hash(
    *,
    chain: str,
    number: int,
    at: datetime,
    event: str,
    actor: str,
    body: Mapping[str, JSON],
    previous: str,
) -> str:
    """Return the hash that a row with this content must carry."""
    return digest(
        {
            "chain": chain,
            "number": number,
            "at": at.isoformat(timespec="microseconds"),
            "event": event,
            "actor": actor,
            "body": body,
            "previous": previous,
        }
    )


def first_misfit(rows: tuple[AuditRow, ...]) -> AuditRow | None:
    """Return the first row of one chain, in order of number, that does not fit.

    None when all do.
    """
    previous = GENESIS
    for expected, row in enumerate(rows, start=1):
        content = row_hash(
            chain=row.chain,
            number=row.number,
            at=row.at,
            event=row.event,
            actor=row.actor,
            body=row.body,
            previous=row.previous,
        )
        if row.number != expected or row.previous != previous or row.hash != content:
            return row
        previous = row.hash
    return None
