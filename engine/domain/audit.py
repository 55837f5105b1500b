"""The audit chain: one row per step, each bound to the one before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.domain.canonical import JSON, canonical_json, digest

GENESIS = "sha256:" + "0" * 64
_STAMP = "%Y%m%dT%H%M%S%fZ"
_HEAD = re.compile(
    r"tiergate-head\s+1\s+(?P<chain>\S+)\s+(?P<number>\d{1,15})\s+(?P<hash>sha256:[0-9a-f]{64})"
    r"\s+(?P<at>\d{8}T\d{12}Z)\s+(?P<key>sha256:[0-9a-f]{64})\s+(?P<signature>[0-9a-f]{128})"
)
_SEAL = re.compile(
    r"tiergate-seal\s+1\s+(?P<number>\d{1,15})\s+(?P<hash>sha256:[0-9a-f]{64})"
    r"\s+(?P<at>\d{8}T\d{12}Z)\s+(?P<key>sha256:[0-9a-f]{64})\s+(?P<signature>[0-9a-f]{128})"
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """The last row of one chain at one instant, signed: whoever holds it sees a cut tail.

    `signature` is over `message`, in hex: it passes every journal and markup unchanged.
    """

    chain: str
    number: int
    hash: str
    at: datetime
    key: str
    signature: str = ""

    @property
    def message(self) -> bytes:
        """What is signed."""
        return canonical_json(
            {
                "type": "tiergate-head-1",
                "chain": self.chain,
                "number": self.number,
                "hash": self.hash,
                "at": _stamp(self.at),
                "key": self.key,
            }
        )

    @property
    def line(self) -> str:
        """The head as one line, for a log, a file or a note."""
        parts = (self.chain, self.number, self.hash, _stamp(self.at), self.key, self.signature)
        return "tiergate-head 1 " + " ".join(str(part) for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedSeal:
    """What a line outside says of a seal; `signature` (hex) is over the seal's hash."""

    number: int
    hash: str
    at: datetime
    key: str
    signature: str

    @property
    def line(self) -> str:
        """The seal as one line, for a log or a file."""
        parts = (self.number, self.hash, _stamp(self.at), self.key, self.signature)
        return "tiergate-seal 1 " + " ".join(str(part) for part in parts)


def heads_in(text: str) -> tuple[SignedHead, ...]:
    """Return every head that a text holds, whatever stands around it; nothing is checked yet.

    A backslash that a system put before a dash is no part of it.
    """
    return tuple(
        SignedHead(
            chain=found["chain"],
            number=int(found["number"]),
            hash=found["hash"],
            at=_instant(found["at"]),
            key=found["key"],
            signature=found["signature"],
        )
        for found in _HEAD.finditer(text.replace("\\", ""))
    )


def seals_in(text: str) -> tuple[NotedSeal, ...]:
    """Return every seal that a text holds; nothing is checked yet."""
    return tuple(
        NotedSeal(
            number=int(found["number"]),
            hash=found["hash"],
            at=_instant(found["at"]),
            key=found["key"],
            signature=found["signature"],
        )
        for found in _SEAL.finditer(text)
    )


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_STAMP)


def _instant(text: str) -> datetime:
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        # Digits that are no date: nobody signed that, and the signature will say so.
        return datetime.min.replace(tzinfo=UTC)
