"""The desk gate on one instance: asked by a work note, answered as the configuration says.

Who answered is never what a text says: a journal entry has an author that its writer cannot choose,
and who set a state or a field stands in `sys_audit` (ServiceNow docs, "History sets and audit").
"""

from collections.abc import Mapping
from datetime import datetime

from connectors.desk_way import DeskWay
from connectors.servicenow.accounts import Accounts
from connectors.servicenow.answers import text
from connectors.servicenow.claims import Place, claim_id, claim_record
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.evidence import last_edit
from connectors.servicenow.journals import Journals
from connectors.servicenow.mapping import ANSWERS, TABLES, required_instant
from connectors.servicenow.surroundings import ENGINE, Around
from engine.domain.change import ClaimResult
from engine.domain.desk import DeskAnswer, DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import Account, TicketKind, TicketRef
from engine.errors import MissingRightError

CLAIM_TABLES: Mapping[TicketKind, tuple[str, str]] = {
    TicketKind.INCIDENT: ("incident_task", "incident"),
    TicketKind.SERVICE_REQUEST: ("sc_task", "request_item"),
}
"""Where an acceptance is claimed, and the field that names the ticket: a task of the ticket's own
kind, which the role that works on such tickets may create (`itil`, `sn_incident_write`)."""
_CLOSED_COMPLETE = "3"


class DeskGate:
    """Asks the desk on tickets of one instance, reads its answers, and claims one of them."""

    def __init__(
        self,
        client: ServiceNowClient,
        way: DeskWay,
        accounts: Accounts,
        journals: Journals,
        around: Around,
    ) -> None:
        self._client = client
        self._way = way
        self._accounts = accounts
        self._journals = journals
        self._around = around

    def ask(self, ref: TicketRef, plan: Plan, request: str, *, marker: str) -> None:
        """Write the request once, as a work note, with how to answer it."""
        whole = f"{request.rstrip()}\n\n{self._way.how_to(plan.code)}"
        self._journals.add_once(TABLES[ref.kind], ref.id, "work_notes", whole, marker)

    def snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request and its answers as they stand now.

        Raises:
            RecordNotFoundError: The ticket is gone, or hidden from us.
        """
        taken_at = self._client.server_now()
        own = self._client.account()
        try:
            entry = self._journals.entry(ref.id, "work_notes", marker)
            answers = (*self._notes(ref), *self._set(ref))
        except MissingRightError as missing:
            return DeskSnapshot(
                taken_at=taken_at,
                request=None,
                requested_at=None,
                answers=None,
                daemon=own,
                unreadable=str(missing),
            )
        return DeskSnapshot(
            taken_at=taken_at,
            request=None if entry is None else entry[0],
            requested_at=None if entry is None else entry[1],
            answers=tuple(
                sorted(
                    (said for said in answers if said.at >= since),
                    key=lambda said: (said.at, said.id),
                )
            ),
            daemon=own,
        )

    def _notes(self, ref: TicketRef) -> tuple[DeskAnswer, ...]:
        """Return the answers in internal notes; a yes only where that is the way."""
        ids = [ref.id]
        if ref.kind is TicketKind.SERVICE_REQUEST:
            ids += [text(task, "sys_id") for task in self._around.tasks(ids)]
        told, hidden = self._journals.told(ids)
        if hidden:
            raise MissingRightError(f"{hidden} work notes (sys_journal_field)")
        said = [
            command
            for command in told
            if command.word in ANSWERS and command.by != ENGINE and self._may(command.word)
        ]
        users = self._accounts.by_user_name(command.by for command in said)
        return tuple(
            DeskAnswer(
                id=command.id,
                by=users.get(command.by),
                answer=ANSWERS[command.word],
                code=command.code,
                at=command.at,
            )
            for command in said
        )

    def _may(self, word: str) -> bool:
        return self._way.by is DeskChannel.NOTE or word != "accept"

    def _set(self, ref: TicketRef) -> tuple[DeskAnswer, ...]:
        """Return the answer that the state or field gives now, by whoever set it so last."""
        if self._way.by is DeskChannel.NOTE:
            return ()
        name = "state" if self._way.by is DeskChannel.STATE else self._way.field
        table = TABLES[ref.kind]
        record = self._client.read(table, ref.id, fields=("sys_id", name))
        if name not in record:
            raise MissingRightError(f"{table}.{name}")
        now = record[name]
        said = self._way.answer(now.value, now.display)
        if said is None:
            return ()
        last = last_edit(self._client, table, ref.id, name)
        if last is None or text(last, "newvalue") != now.value:
            # It stands there and no history says who put it there.
            raise MissingRightError(f"who set {table}.{name} (sys_audit)")
        users: Mapping[str, Account] = self._accounts.by_user_name([text(last, "user")])
        word, code = said
        return (
            DeskAnswer(
                id=text(last, "sys_id"),
                by=users.get(text(last, "user")),
                answer=word,
                code=code,
                at=required_instant(last, "sys_created_on"),
                channel=self._way.by,
            ),
        )

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim one answer by a closed task of the ticket whose sys_id follows from both.

        Raises:
            TransientError: Nothing can be said yet; call again.
            InvalidAnswerError: The instance did not keep the sys_id that we chose.
        """
        table, parent = CLAIM_TABLES[ref.kind]
        values = {
            "short_description": f"Accepted plan {plan_digest.removeprefix('sha256:')[:8]}",
            "description": (
                f"The acceptance {answer} was used for plan {plan_digest}; carried out once, by"
                " Tiergate."
            ),
            "state": _CLOSED_COMPLETE,
        }
        place = Place(table=table, parent=parent, parent_id=ref.id)
        return claim_record(
            self._client, place, claim_id(ref.id, f"desk:{answer}"), values, owner=owner
        )
