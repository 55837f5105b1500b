"""Erasure: personal payloads go, the chain stays verifiable and says that they went."""

import dataclasses
from datetime import datetime

from sqlalchemy import delete, select, update

from engine.domain.audit import AuditRow
from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.domain.ticket import Ticket
from engine.errors import PreconditionError, RecordNotFoundError
from engine.store import codec
from engine.store.audit import ERASED, AuditRows
from engine.store.tables import EFFECT, HANDLING, HEAD, PRIVATE, TICKET


class ErasureRows(AuditRows):
    """The part of the unit of work that retention and erasure use."""

    def erase(self, chain: str, *, at: datetime, actor: str, why: str) -> AuditRow:
        """Remove every personal text of one chain: payloads, ticket text, what handlings quote.

        What stays: the chain with its salted hashes, stages, digests, ids of records. An `erased`
        row, in the same transaction, says who removed what and why.

        Raises:
            RecordNotFoundError: No such chain.
            PreconditionError: A handling of the ticket is still live and needs its texts.
        """
        if self._connection.scalar(select(HEAD.c.chain).where(HEAD.c.chain == chain)) is None:
            raise RecordNotFoundError(f"no audit chain {chain!r}")
        system, _, record = chain.partition(":")
        self._blank_handlings(system, record)
        self._blank_ticket(system, record)
        mine = PRIVATE.c.chain == chain
        numbers = sorted(set(self._connection.scalars(select(PRIVATE.c.number).where(mine))))
        self._connection.execute(delete(PRIVATE).where(mine))
        return self._append(
            chain=chain, event=ERASED, actor=actor, at=at, body={"rows": numbers, "why": why}
        )

    def _blank_handlings(self, system: str, record: str) -> None:
        mine = (HANDLING.c.system == system) & (HANDLING.c.ticket_id == record)
        query = select(HANDLING.c.document).where(mine).with_for_update()
        for document in self._connection.scalars(query).all():
            handling = codec.loads(Handling, document)
            if not handling.stage.is_end:
                raise PreconditionError(f"handling {handling.id} is live: end it before erasing")
            blank = dataclasses.replace(
                handling,
                version=handling.version + 1,
                reason=ERASED,
                classification=None,
                requester=None,
                subject=None,
                decision=None,
                plan=None,
                text=None,
                submission=None,
                outcome=None,
            )
            this = HANDLING.c.id == handling.id
            written = {"version": blank.version, "document": codec.dumps(blank)}
            self._connection.execute(update(HANDLING).where(this).values(**written))
            self._blank_effects(handling.id)

    def _blank_effects(self, handling: str) -> None:
        mine = EFFECT.c.handling == handling
        for document in self._connection.scalars(select(EFFECT.c.document).where(mine)).all():
            effect = codec.loads(Effect, document)
            blank = codec.dumps(dataclasses.replace(effect, baseline={}, evidence={}))
            this = EFFECT.c.key == effect.key
            self._connection.execute(update(EFFECT).where(this).values(subject="", document=blank))

    def _blank_ticket(self, system: str, record: str) -> None:
        this = (TICKET.c.system == system) & (TICKET.c.id == record)
        document = self._connection.scalar(select(TICKET.c.document).where(this))
        if document is None:
            return
        blank = dataclasses.replace(
            codec.loads(Ticket, document),
            short_description=ERASED,
            description="",
            requester=None,
            creator=None,
            subject=None,
            assignee=None,
            variables={},
            updated_by="",
        )
        self._connection.execute(update(TICKET).where(this).values(document=codec.dumps(blank)))
