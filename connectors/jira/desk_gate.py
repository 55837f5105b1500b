"""The desk gate on one site: asked by an internal note, answered as the configuration says.

Who answered is never what a text says: it is a comment's author where nobody else changed it, the
author of the changelog entry that set a status or field, or the approver of an approval object, who
alone can answer it (Service Management REST API, "Answer approval").
"""

import re
from collections.abc import Iterator
from datetime import datetime

from connectors.desk_way import WORDS
from connectors.jira.claims import Claims
from connectors.jira.client import JiraClient
from connectors.jira.history import STATUS, last_edit
from connectors.jira.links import Links
from connectors.jira.mapping import Approval
from connectors.jira.moves import Moves, Status, status_of
from connectors.jira.notes import Notes
from connectors.jira.records import Found, Records, field_text
from connectors.jira.settings import Approvers, FieldTarget, JiraDeskWay
from connectors.jira.site import Site, native_value
from engine.domain.change import ApprovalState, ClaimResult
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import TicketRef
from engine.domain.ticket import NativeApproval
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    PreconditionError,
    RecordNotFoundError,
)

_SAID = re.compile(
    r"^\s*tiergate:\s*(accept|wrong action|wrong person|do it myself)\b[ \t]*([0-9a-f]{8})?",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = {words: word for word, words in WORDS.items()}
_DECLINED = "do_it_myself"
"""A declined approval names no reason: it says no more than that a person has the ticket."""


class DeskGate:
    """Asks the desk on issues of one site, reads its answers, and claims one of them."""

    def __init__(
        self,
        client: JiraClient,
        site: Site,
        records: Records,
        notes: Notes,
        moves: Moves,
        way: JiraDeskWay,
    ) -> None:
        """Keep what is needed; no I/O."""
        self._client = client
        self._site = site
        self._records = records
        self._notes = notes
        self._moves = moves
        self._way = way
        self._claims = Claims(Links(client))

    # --- asking

    def ask(self, ref: TicketRef, plan: Plan, request: str, *, marker: str) -> None:
        """Write the request once, and open the native approval where that is the way.

        Raises:
            PreconditionError: No transition of ours leads into the approval status, or the
                approval that is open there was opened for something else.
        """
        how = self._way.how_to(plan.code, approval=self._way.status)
        self._notes.add(ref.id, f"{request.rstrip()}\n\n{how}", marker=marker, is_public=False)
        if self._way.by is DeskChannel.APPROVAL:
            self._open_approval(ref, plan, marker)

    def _open_approval(self, ref: TicketRef, plan: Plan, marker: str) -> None:
        asked = self._notes.find(ref.id, marker)
        if asked is None:
            raise PreconditionError(f"{ref}: the request was taken away before it was asked")
        if any(one.created_at >= asked.at for one in self._records.approvals(ref.id)):
            return
        here = self._moves.status(ref.id)
        if self._is_approval(here):
            raise PreconditionError(
                f"{ref}: it stands in {here.name!r} for another approval than this plan's"
            )
        if self._way.approvers is Approvers.AUTHORITY:
            # Before the status is entered nobody has been asked; nothing is written afterwards.
            native = self._site.field(self._way.approver_groups_field)
            value = native_value(native, plan.authority_group, is_cloud=self._client.is_cloud)
            body = {"fields": {native.id: value}}
            self._client.write("PUT", f"issue/{ref.id}", body, is_repeatable=True)
        self._moves.walk(ref.id, goal=self._is_approval, through=lambda _status: False)

    def _is_approval(self, status: Status) -> bool:
        wanted = self._way.status
        return wanted == status.id or wanted.casefold() == status.name.casefold()

    # --- reading

    def snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request and its answers as they stand now.

        Raises:
            RecordNotFoundError: The ticket is gone, or hidden from us.
        """
        one = self._records.issue(ref.id)
        asked = self._notes.find(ref.id, marker)
        answers: tuple[DeskAnswer, ...] | None
        unreadable = ""
        try:
            found = (*self._said(ref), *self._done(one, since))
            answers = tuple(
                sorted((said for said in found if said.at >= since), key=lambda said: said.at)
            )
        except (MissingRightError, InvalidAnswerError) as error:
            answers, unreadable = None, str(error)
        return DeskSnapshot(
            taken_at=self._client.server_now(),
            request=None if asked is None or asked.written_by is None else asked.body,
            requested_at=None if asked is None else asked.at,
            answers=answers,
            daemon=self._client.me(),
            unreadable=unreadable,
        )

    def _said(self, ref: TicketRef) -> Iterator[DeskAnswer]:
        """Yield the answers in internal notes; a yes only where that is the way."""
        for note, said in self._notes.spoken(ref.id, _SAID):
            word = _WORD[said[1].lower()]
            if word == "accept" and self._way.by is not DeskChannel.NOTE:
                continue
            yield DeskAnswer(
                id=f"comment-{note.id}",
                by=note.written_by,
                answer=word,
                code=(said[2] or "").lower(),
                at=note.at,
            )

    def _done(self, one: Found, since: datetime) -> Iterator[DeskAnswer]:
        match self._way.by:
            case DeskChannel.NOTE:
                return
            case DeskChannel.STATE:
                status = status_of(one.fields.get("status"))
                yield from self._set(one, (STATUS,), status.id, (status.name, status.id))
            case DeskChannel.FIELD:
                target = FieldTarget(field=self._way.field)
                native = self._records.native(target)
                one = self._records.issue(one.id, more=(native.id,))
                if native.id not in one.fields:
                    raise MissingRightError(f"issue {one.key}: the field {native.name}")
                held = field_text(one.fields, native, target)
                yield from self._set(one, (native.id, native.name), held, (held,))
            case DeskChannel.APPROVAL:
                yield from self._votes(one, since)

    def _set(
        self, one: Found, names: tuple[str, ...], now: str, natives: tuple[str, ...]
    ) -> Iterator[DeskAnswer]:
        """Yield the answer that status or field gives now, by whoever set it so last."""
        said = self._way.answer(*natives)
        if said is None:
            return
        last = last_edit(self._records.history(one), names)
        if last is None or now not in {last.new, last.new_id}:
            raise MissingRightError(f"issue {one.key}: who set {names[-1]} (its changelog)")
        word, code = said
        yield DeskAnswer(
            id=f"history-{last.id}-{last.field}",
            by=last.by,
            answer=word,
            code=code,
            at=last.at,
            channel=self._way.by,
        )

    def _votes(self, one: Found, since: datetime) -> Iterator[DeskAnswer]:
        try:
            approvals = self._records.approvals(one.id)
        except RecordNotFoundError:
            raise MissingRightError(f"issue {one.key}: its approvals") from None
        for found in approvals:
            if found.created_at >= since:
                yield from _answers_of(found)

    # --- claiming

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim one answer by an entity property that only one writer creates."""
        del plan_digest  # two daemons draft two plans; the acceptance is what both would use
        return self._claims.claim(ref.id, plan_digest=f"desk:{answer}", owner=owner)


def _answers_of(found: Approval) -> Iterator[DeskAnswer]:
    """Yield what each approver said, once the approval as a whole says the same."""
    words = {ApprovalState.APPROVED: "accept", ApprovalState.REJECTED: _DECLINED}
    ends = {NativeApproval.APPROVED: "accept", NativeApproval.REJECTED: _DECLINED}
    for vote in found.votes:
        word = words.get(vote.state)
        if word is None or ends.get(found.final) != word:
            continue
        yield DeskAnswer(
            id=f"approval-{found.id}-{vote.approver.id}",
            by=vote.approver,
            answer=word,
            code="",
            at=found.completed_at or found.created_at,
            channel=DeskChannel.APPROVAL,
            is_final=True,
        )
