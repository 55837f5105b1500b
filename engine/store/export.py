"""One ticket's whole chain as a signed document, and its verification offline.

The document needs nothing but the installation's public key to be checked. JSON without fractions
(RFC 8785 as we hash it): a fraction, such as a confidence, stands as text.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from engine.domain.audit import AuditRow
from engine.domain.canonical import JSON, canonical_json
from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.domain.ticket import Ticket
from engine.errors import ChainBrokenError, RecordNotFoundError
from engine.store import codec
from engine.store.audit import audit_row
from engine.store.keys import SigningKey, is_signed
from engine.store.seal import Head, Seal, is_proved, proof, seal_misfit
from engine.store.sealing import leaves, sealed_heads, seals
from engine.store.tables import AUDIT, CONSUMPTION, EFFECT, HANDLING, TICKET, utc
from engine.store.tickets import ERASED
from engine.store.verification import Misfit, chain_misfit, head_misfit, payloads, private_misfit

FORMAT = "tiergate-audit-export-1"


def export(connection: Connection, key: SigningKey, chain: str, *, at: datetime) -> dict[str, JSON]:
    """Return the signed document of one chain; its head must be sealed by now.

    Raises:
        RecordNotFoundError: No such chain.
    """
    query = select(AUDIT).where(AUDIT.c.chain == chain).order_by(AUDIT.c.number)
    rows = [audit_row(row) for row in connection.execute(query)]
    if not rows:
        raise RecordNotFoundError(f"no audit chain {chain!r}")
    beside = payloads(connection, chain)
    last = max((row.number for row in rows if row.event == ERASED), default=0)
    document: dict[str, JSON] = {
        "format": FORMAT,
        "chain": chain,
        "exported_at": utc(at).isoformat(timespec="microseconds"),
        "key": key.fingerprint,
        "public_key": key.public.hex(),
        "rows": [_row(row, beside.get(row.number, {}), last) for row in rows],
        "seals": _seals(connection, chain),
        **_records(connection, chain),
    }
    document["signature"] = key.sign(canonical_json(document))
    return document


def verify_export(document: Mapping[str, Any], public: bytes) -> Misfit | None:
    """Return the first misfit of an export, checked with nothing but the public key.

    Raises:
        ChainBrokenError: It is no export at all, or its own signature does not fit.
    """
    content = {name: value for name, value in document.items() if name != "signature"}
    if document.get("format") != FORMAT or not isinstance(document.get("signature"), str):
        raise ChainBrokenError("this is no audit export of a known format")
    try:
        signed = canonical_json(content)
    except (TypeError, ValueError) as exc:
        raise ChainBrokenError("the export holds what no export holds") from exc
    if not is_signed(public, signed, document["signature"]):
        raise ChainBrokenError("the export was changed, or signed with another key")
    chain = str(document["chain"])
    rows = tuple(_read_row(chain, row) for row in document["rows"])
    beside = {
        row["number"]: {name: (p["salt"], p["text"]) for name, p in row["private"].items()}
        for row in document["rows"]
        if isinstance(row["private"], Mapping)
    }
    heads = list[Head]()
    for sealed in document["seals"]:
        seal, head = _read_seal(sealed["seal"]), Head(chain=chain, **sealed["head"])
        why = seal_misfit(seal, public)
        if why is None and not is_proved(head, sealed["proof"], seal.root):
            why = "the chain's head is not under the seal"
        if why is not None:
            return Misfit(chain=chain, number=head.number, why=why)
        heads.append(head)
    if max((head.number for head in heads), default=0) != len(rows):
        return Misfit(chain=chain, number=len(rows), why="the last row is not sealed")
    return chain_misfit(rows) or head_misfit(rows, heads) or private_misfit(rows, beside)


def _row(row: AuditRow, beside: Mapping[str, tuple[str, str]], erased: int) -> JSON:
    private: JSON = {name: {"salt": salt, "text": text} for name, (salt, text) in beside.items()}
    if "private" in row.body and not beside and row.number < erased:
        private = ERASED
    return {
        "number": row.number,
        "at": row.at.isoformat(timespec="microseconds"),
        "event": row.event,
        "actor": row.actor,
        "body": row.body,
        "previous": row.previous,
        "hash": row.hash,
        "private": _escaped(private),
    }


def _read_row(chain: str, row: Mapping[str, Any]) -> AuditRow:
    return AuditRow(
        chain=chain,
        number=row["number"],
        at=datetime.fromisoformat(row["at"]),
        event=row["event"],
        actor=row["actor"],
        body=row["body"],
        previous=row["previous"],
        hash=row["hash"],
    )


def _read_seal(document: Mapping[str, Any]) -> Seal:
    content: dict[str, Any] = {**document, "at": datetime.fromisoformat(document["at"])}
    return Seal(**content)


def _seals(connection: Connection, chain: str) -> Sequence[JSON]:
    sealed = dict(sealed_heads(connection, chain))
    found = list[JSON]()
    for seal in seals(connection, list(sealed)):
        heads, mine = leaves(connection, seal.number), sealed[seal.number]
        found.append(
            {
                "seal": seal.document(),
                "head": {"number": mine.number, "hash": mine.hash},
                "proof": proof(heads, heads.index(mine)),
            }
        )
    return found


def _records(connection: Connection, chain: str) -> dict[str, JSON]:
    """Return the rows beside the chain: ticket, handlings, effects, used approvals."""
    system, _, record = chain.partition(":")
    mine = (HANDLING.c.system == system) & (HANDLING.c.ticket_id == record)
    ticket = connection.scalar(
        select(TICKET.c.document).where(TICKET.c.system == system, TICKET.c.id == record)
    )
    handlings = connection.scalars(
        select(HANDLING.c.document).where(mine).order_by(HANDLING.c.attempt)
    ).all()
    owned = select(EFFECT).join(HANDLING, EFFECT.c.handling == HANDLING.c.id).where(mine)
    effects = connection.execute(owned.order_by(EFFECT.c.started_at, EFFECT.c.key)).all()
    keys = [effect.key for effect in effects]
    used = connection.execute(select(CONSUMPTION).where(CONSUMPTION.c.effect.in_(keys)))
    return {
        "ticket": ticket and _escaped(codec.encode(codec.loads(Ticket, ticket))),
        "handlings": [_escaped(codec.encode(codec.loads(Handling, row))) for row in handlings],
        "effects": [_escaped(codec.encode(codec.loads(Effect, row.document))) for row in effects],
        "consumptions": [_escaped(dict(row)) for row in used.mappings()],
    }


def _escaped(value: Any) -> JSON:  # noqa: ANN401  what the codec wrote: JSON with fractions
    """Return JSON that can be signed: fractions as text, lone surrogates visibly escaped."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {str(_escaped(key)): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    return value  # type: ignore[no-any-return]  # None, bool, int: JSON already
