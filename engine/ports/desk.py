"""TicketDesk: the tickets of one ITSM system."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from engine.domain.change import ClaimResult, FieldEdit, Membership
from engine.domain.desk import DeskChannel, DeskSnapshot
from engine.domain.plan import Plan
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.ticket import Ticket, TicketField, TicketState
from engine.ports.findings import Finding
from engine.ports.paging import Cursor, Page


class TicketDesk(Protocol):
    """The tickets that are ours in one system.

    Writes are found again by our key: a note's `marker` is written with it, and a note whose marker
    is already on the ticket is not written twice, also after an answer that never came.
    """

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        ...

    def sources(self) -> Sequence[str]:
        """Return the names of the configured ticket sources, each with a cursor of its own."""
        ...

    def first_cursor(self, source: str) -> Cursor:
        """Return where a source starts: the configured `since`, by default the server's now."""
        ...

    def changed_since(self, source: str, cursor: Cursor) -> Page[Ticket]:
        """Return the next page of tickets changed after `cursor`.

        In order of (time, id), server time.

        Nothing is lost at equal timestamps, late commits within the overlap, hidden rows or
        shifted pages;
        a ticket may come again (the caller knows versions). An answer that is truncated,
        anonymous, not
        JSON or short of the announced count without explanation is an error, never an empty page.
        """
        ...

    def read(self, ref: TicketRef) -> Ticket:
        """Return the ticket as it is now, read directly (no search index).

        Raises:
            RecordNotFoundError: Deleted or hidden.
        """
        ...

    def write_fields(
        self, ticket: Ticket, values: Mapping[TicketField, str]
    ) -> Mapping[TicketField, str]:
        """Write those `values` whose field no person has set.

        Return what was written (names by id or name).

        A field in `ticket.edited`, or that differs now from `ticket.fields` and is not configured
        as
        `unset`, is left alone.
        """
        ...

    def add_work_note(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add an internal note once; customers never see it."""
        ...

    def add_comment(self, ref: TicketRef, text: str, *, marker: str) -> None:
        """Add a requester-visible comment once.

        Only texts from configured templates may come here.
        """
        ...

    def put_on_hold(self, ticket: Ticket, change: ChangeRef) -> None:
        """Show natively that the ticket waits for `change` (On Hold "Awaiting Change" with `rfc`.

        A JSM waiting status) and link the two. Idempotent; read back.
        """
        ...

    def take_off_hold(self, ref: TicketRef, to: TicketState) -> None:
        """Restore the ticket from our own hold to `to`.

        Leaves it alone if a person moved it meanwhile.
        """
        ...

    def resolve(self, ref: TicketRef, text: str) -> None:
        """Resolve the ticket with an internal-safe text.

        Complete its native task where the flow made one.

        A ticket that a person closed already is left alone.
        """
        ...

    @property
    def desk_channel(self) -> DeskChannel:
        """By what agents answer at the desk gate here."""
        ...

    def ask_desk(self, ref: TicketRef, plan: Plan, text: str, *, marker: str) -> None:
        """Ask the desk natively, once, to accept `plan`: an internal note that says how to answer.

        Where the configured way is a native approval, it is opened as well, for the group of the
        plan's authority; nobody is added to it afterwards.

        Raises:
            PreconditionError: The native approval cannot be opened on this ticket.
        """
        ...

    def desk_snapshot(self, ref: TicketRef, *, marker: str, since: datetime) -> DeskSnapshot:
        """Return the request with this marker and every answer since then, read afresh.

        Answers come from native records whose authors cannot be forged: internal notes, the field
        history, approval objects. Without a way to read who gave them there are none.

        Raises:
            RecordNotFoundError: The ticket is gone, or hidden from us.
        """
        ...

    def desk_members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members by the group's own id, read afresh; None when unreadable."""
        ...

    def claim(self, ref: TicketRef, *, answer: str, plan_digest: str, owner: str) -> ClaimResult:
        """Claim one native answer in the system of record: exactly one store in the world wins.

        OURS: an earlier claim by the same `owner`, found again. LOST: somebody else's.

        Raises:
            TransientError: Nothing can be said yet; call again.
            InvalidAnswerError: The system does not keep the record that makes a claim unique.
        """
        ...

    def history(self, ref: TicketRef) -> tuple[FieldEdit, ...] | None:
        """Return the ticket's native field history, oldest first; None when it cannot be read."""
        ...

    def account(self) -> Account:
        """Return our own account, as the system names it."""
        ...

    def members(self, group_id: str) -> tuple[Account, ...]:
        """Return the accounts in a group of this system, read afresh."""
        ...

    def open_fault(self, title: str, text: str, *, marker: str) -> None:
        """Open.

        Or update, the one incident for a fault of the daemon itself, in the configured queue.
        """
        ...

    def close_fault(self, text: str, *, marker: str) -> None:
        """Close that incident if it is open and no person has taken it."""
        ...

    def check(self) -> tuple[Finding, ...]:
        """Return every finding: reachability, credentials, rights per source, clock, state map."""
        ...
