"""Erasure: personal payloads go, the chain stays verifiable and says that they went."""

import dataclasses
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, or_, select, update

from engine.domain.audit import AuditRow
from engine.domain.effect import Effect
from engine.domain.handling import Handling
from engine.domain.ticket import Ticket
from engine.errors import PreconditionError, RecordNotFoundError
from engine.store import codec
from engine.store.audit import AuditRows
from engine.store.tables import BROKEN, EFFECT, HANDLING, HEAD, PRIVATE, SETTING, TICKET
from engine.store.tickets import ERASED, without_words

SCRUB_SETTING = "audit.scrub"
"""Set while erased texts may still stand in the database's own files; see `SQLStore.scrub`."""


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
        self._blank_ticket(system, record, at)
        mine = PRIVATE.c.chain == chain
        numbers = sorted(set(self._connection.scalars(select(PRIVATE.c.number).where(mine))))
        self._connection.execute(delete(PRIVATE).where(mine))
        broken = BROKEN.c.source.startswith(f"{system}/", autoescape=True)
        self._connection.execute(delete(BROKEN).where(BROKEN.c.id == record, broken))
        self._save(SETTING, {"name": SCRUB_SETTING, "value": "due"})
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

    def _blank_ticket(self, system: str, record: str, at: datetime) -> None:
        this = (TICKET.c.system == system) & (TICKET.c.id == record)
        document = self._connection.scalar(select(TICKET.c.document).where(this))
        if document is None:
            return
        blank = codec.dumps(without_words(codec.loads(Ticket, document)))
        self._connection.execute(update(TICKET).where(this).values(document=blank, erased_at=at))

    def due_for_erasure(self, before: datetime, *, limit: int) -> tuple[str, ...]:
        """Return chains of tickets that nothing of ours happened on since `before`, oldest first.

        A ticket with a live handling is never among them, nor one that was erased.
        """
        mine = (HANDLING.c.system == TICKET.c.system) & (HANDLING.c.ticket_id == TICKET.c.id)
        recent = select(HANDLING.c.id).where(
            mine, or_(HANDLING.c.is_live, HANDLING.c.stage_at >= before)
        )
        query = (
            select(TICKET.c.system, TICKET.c.id)
            .join(HEAD, HEAD.c.chain == TICKET.c.system + ":" + TICKET.c.id)
            .where(TICKET.c.erased_at.is_(None), TICKET.c.seen_at < before, ~recent.exists())
            .order_by(TICKET.c.seen_at)
            .limit(limit)
        )
        return tuple(f"{row.system}:{row.id}" for row in self._connection.execute(query))

    def forget_unhandled(self, before: datetime, *, limit: int) -> int:
        """Erase tickets that were seen and never handled; return of how many.

        There is no chain that could tell of it.
        """
        query = (
            select(TICKET.c.system, TICKET.c.id)
            .outerjoin(HEAD, HEAD.c.chain == TICKET.c.system + ":" + TICKET.c.id)
            .where(HEAD.c.chain.is_(None), TICKET.c.erased_at.is_(None), TICKET.c.seen_at < before)
            .limit(limit)
        )
        found = self._connection.execute(query).all()
        for row in found:
            self._blank_ticket(row.system, row.id, before)
        if found:
            self._save(SETTING, {"name": SCRUB_SETTING, "value": "due"})
        return len(found)

    def concerning(self, marks: Iterable[str]) -> tuple[str, ...]:
        """Return the chains of tickets that a person asked for or that are about them.

        A mark is the value of the join key (an employee number), an account's id, or its name.
        Every ticket that still holds texts is read: it takes a while on a large store.
        """
        wanted = {mark.casefold() for mark in marks}
        found = dict[str, None]()
        tickets = select(TICKET.c.document).where(TICKET.c.erased_at.is_(None))
        for document in self._connection.scalars(tickets):
            ticket = codec.loads(Ticket, document)
            accounts = (ticket.requester, ticket.creator, ticket.subject)
            names = {part for one in accounts if one for part in (one.id, one.name)}
            if wanted & {name.casefold() for name in names}:
                found[f"{ticket.ref.system}:{ticket.ref.id}"] = None
        for document in self._connection.scalars(select(HANDLING.c.document)):
            handling = codec.loads(Handling, document)
            persons = [one for one in (handling.requester, handling.subject) if one is not None]
            names = {part for one in persons for part in (one.key, one.directory_id, one.name)}
            if wanted & {name.casefold() for name in names}:
                found[f"{handling.ticket.system}:{handling.ticket.id}"] = None
        return tuple(found)
