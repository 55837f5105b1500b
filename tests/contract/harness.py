"""What the contract suite may ask of a harness, beside the two ports themselves.

A harness owns one system (a connector against its sandbox over sockets, or a shipped fake) and
plays everybody else in it: requesters, agents, approvers, administrators, the server's clock and
its failures. The suite sees only the ports and this protocol, so every adapter passes the same
tests.

People are named by their uid in `connectors/sandboxkit/organisation.yaml` (fakes use the same
names). Texts that a harness returns are read from the system itself by another account than the
daemon's, never from the adapter under test.

A harness module has one function `harness() -> AbstractContextManager[Harness]`; `conftest.py`
lists the modules. A fresh harness is made per test: starting it must be cheap (a server may be
shared for the whole session as long as records of one test do not reach another).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from engine.domain.change import ChangeState
from engine.domain.plan import ChangeDraft
from engine.domain.refs import ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.ports.changes import ChangeControl
from engine.ports.desk import TicketDesk


class Fault(StrEnum):
    """What a harness can make the other side do to the daemon's next requests."""

    LOSE_ANSWER = "lose_answer"
    """The next write takes effect and its answer is lost."""
    LOSE_REQUEST = "lose_request"
    """The next write is lost before it has any effect."""
    TRUNCATE = "truncate"
    """Lists are cut off in the middle, as this vendor does it."""
    ANONYMOUS = "anonymous"
    """Reads are answered as to an anonymous session, as this vendor does it."""
    NOT_JSON = "not_json"
    """Answers are HTML pages with status 200."""
    SERVER_ERROR = "server_error"
    """Every request is refused with a server error."""
    RATE_LIMITED = "rate_limited"
    """Every request is refused with a 429."""
    IGNORE_STATE = "ignore_state"
    """Writes of a state are answered with success and ignored."""


class Harness(Protocol):
    """One system with everybody in it."""

    name: str
    desk: TicketDesk
    changes: ChangeControl
    source: str
    """The desk's source that seeded tickets belong to."""
    requester: str
    """uid of a person who asks."""
    agent: str
    """uid of an agent of the service desk, no approver."""
    approvers: tuple[str, str]
    """uids of two members of the authority; one of them is enough to complete the chain."""
    authority_group: str
    """Id of the authority's group, in this system."""
    faults: frozenset[Fault]
    """The faults that this harness can play; tests of the others are left out for it."""
    hides: bool
    """Whether single records can be hidden here as the vendor hides them (`hide`)."""
    page_size: int
    """Tickets on one page of `changed_since`."""
    overlap: timedelta
    """How far a new sweep reaches back behind the horizon of the one before."""
    priority: str
    """A priority that is no default here, for `TicketField.PRIORITY`."""
    group: str
    """A group's name that tickets can be routed to."""

    # --- time
    def now(self) -> datetime:
        """Return the server's clock."""
        ...

    def settle(self) -> None:
        """Let everything written so far lie before the next sweep's horizon."""
        ...

    def advance(self, step: timedelta) -> None:
        """Move the server's clock on."""
        ...

    # --- tickets, as people see and change them
    def seed_ticket(
        self,
        short_description: str,
        *,
        description: str = "",
        kind: TicketKind = TicketKind.INCIDENT,
    ) -> TicketRef:
        """Let the requester make a ticket through the portal."""
        ...

    def seed_at(self, short_description: str, at: datetime) -> TicketRef:
        """Make a ticket visible now whose creation and update carry `at` (ties, late commits)."""
        ...

    def seed_broken(self) -> TicketRef:
        """Make a ticket that carries a state no mapping table knows."""
        ...

    def hide(self, ref: TicketRef) -> None:
        """Let the vendor's access rules hide the ticket from the daemon, but not from its count."""
        ...

    def delete(self, ref: TicketRef) -> None:
        """Delete the ticket."""
        ...

    def edit_field(self, ref: TicketRef, field: TicketField, value: str, *, by: str) -> None:
        """Let a person set a triage field."""
        ...

    def edit_text(self, ref: TicketRef, text: str, *, by: str) -> None:
        """Let a person change the ticket's description."""
        ...

    def write_note(self, ref: TicketRef, text: str, *, by: str) -> None:
        """Let a person add an internal note."""
        ...

    def take(self, ref: TicketRef, *, by: str) -> None:
        """Let a person assign the ticket to himself."""
        ...

    def move_ticket(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        """Let a person move the ticket."""
        ...

    def ticket_state(self, ref: TicketRef) -> TicketState:
        """Read the ticket's state."""
        ...

    def field(self, ref: TicketRef, field: TicketField) -> str:
        """Read a triage field (a group by its name); "" where unset."""
        ...

    def notes(self, ref: TicketRef) -> tuple[str, ...]:
        """Read the internal notes on a ticket, oldest first."""
        ...

    def comments(self, ref: TicketRef) -> tuple[str, ...]:
        """Read the requester-visible comments on a ticket, oldest first."""
        ...

    def linked_changes(self, ref: TicketRef) -> tuple[str, ...]:
        """Read the ids of the changes that the ticket is linked to natively."""
        ...

    def faults_open(self) -> int:
        """Count the open incidents for faults of the daemon itself."""
        ...

    def desk_by(self, way: Mapping[str, str]) -> TicketDesk | None:
        """Return another daemon's desk here, configured with this way; None: none but the note."""
        ...

    def answer_field(self) -> str:
        """Return the name of a text field that agents can write on a ticket."""
        ...

    def set_answer(self, ref: TicketRef, text: str, *, by: str) -> None:
        """Let a person write that field."""
        ...

    # --- changes, as people see and change them
    def draft(self, ticket: TicketRef, *, correlation_id: str) -> ChangeDraft:
        """Return a valid draft of a normal change whose approvers are the authority."""
        ...

    def adopting(self) -> ChangeControl:
        """Return an adapter that adopts the changes which people opened, on the same system."""
        ...

    def change_by_hand(self, ticket: TicketRef, *, by: str, words: str = "The usual.") -> ChangeRef:
        """Let a person open a change and name it on the ticket, as this vendor does it."""
        ...

    def move_change(self, change: ChangeRef, *, by: str) -> None:
        """Let a person move a new change on, towards its approval."""
        ...

    def decide(self, change: ChangeRef, *, by: str, approve: bool) -> None:
        """Let an approver decide natively."""
        ...

    def edit_change(self, change: ChangeRef, field: str, text: str, *, by: str) -> None:
        """Let a person write a plan field (`PlanText` name) of the change."""
        ...

    def cancel_change(self, change: ChangeRef, *, by: str) -> None:
        """Let a person cancel the change."""
        ...

    def hold_change(self, change: ChangeRef, *, is_held: bool, by: str) -> None:
        """Let a person put the change on hold, or release it."""
        ...

    def break_change(self, change: ChangeRef) -> None:
        """Give the change a state or approval that no mapping table knows."""
        ...

    def change_state(self, change: ChangeRef) -> ChangeState:
        """Read the change's state."""
        ...

    def count_changes(self, correlation_id: str) -> int:
        """Count the changes that carry this correlation id."""
        ...

    def change_notes(self, change: ChangeRef) -> tuple[str, ...]:
        """Read the internal notes on a change, oldest first."""
        ...

    def attachments(self, change: ChangeRef) -> tuple[str, ...]:
        """Read the names of the files attached to a change."""
        ...

    def watcher(self, uid: str) -> str:
        """Return how a watch list here names a person."""
        ...

    def watchers(self, change: ChangeRef) -> tuple[str, ...]:
        """Read who watches a change."""
        ...

    # --- failures
    def fault(self, fault: Fault, *, times: int | None = None) -> AbstractContextManager[None]:
        """Strike the daemon's requests inside the context, `times` of them or all."""
        ...
