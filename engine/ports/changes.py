"""ChangeControl: native change records and their approvals.

It can ask and read; it cannot approve.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.domain.change import ChangeSnapshot, ChangeState, ClaimResult, CloseCode, Membership
from engine.domain.decision import TemplatePin, Window
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.domain.schedule import NativeSchedule
from engine.ports.findings import Finding
from engine.ports.paging import Cursor, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedChange:
    """A change that our account opened; `correlation_id` is empty where it carries none."""

    ref: ChangeRef
    correlation_id: str
    opened_at: datetime


class ChangeControl(Protocol):
    """The change records of one system.

    No method writes an approval row, a decision, the approval field, or approvers after submission.
    """

    @property
    def system(self) -> str:
        """The name that the configuration gave this system."""
        ...

    @property
    def has_templates(self) -> bool:
        """Whether standard changes are made from templates here; elsewhere they are normal ones."""
        ...

    def check_template(self, pin: TemplatePin) -> tuple[Finding, ...]:
        """Return every reason why a standard change of this template could not run, or an OK."""
        ...

    def find(self, correlation_id: str) -> ChangeRef | None:
        """Return the change that carries this correlation id, compared on what was read back.

        Raises:
            InvalidAnswerError: More than one carries it.
        """
        ...

    def complete(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Finish what an opening that was cut off left undone on a change that `find` returned.

        It can be repeated, and never creates a change.

        Raises:
            PreconditionError: Somebody else opened it, and it cannot be adopted.
        """
        ...

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find by correlation id first; else create, in state New, with nobody asked yet.

        Where the configuration says so, a change that a person opened and linked to the ticket is
        adopted instead of creating one: only while it is New and nobody has been asked.

        Raises:
            PreconditionError: A person's change is linked or found, and cannot be adopted; or the
                pinned template of a standard change is not in force. Nothing was created.
            OutcomeUnknownError: The create got no answer; look by `find` for some minutes, never
            re-create.
            DoesNotFitError: A text is longer than its native field.
        """
        ...

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Take the change to the state where the native chain asks its approvers.

        Idempotent, read back.

        Raises:
            PlanChangedError: The fields read back are not the draft's.
        """
        ...

    def snapshot(self, ref: ChangeRef) -> ChangeSnapshot:
        """Return record, approval rows and history, read afresh in one go.

        Raises:
            RecordNotFoundError: The record is gone.
        """
        ...

    def ahead(self, window: Window, native: Mapping[str, str]) -> NativeSchedule:
        """Return what the system's own calendar holds against a change that is not opened yet.

        `native` are the values that its record will have; a system without a calendar of its own
        answers that nothing stands there. What cannot be read is said in the answer.
        """
        ...

    def naming(self, names: tuple[str, ...], window: Window) -> tuple[str, ...]:
        """Return other people's open changes of the window that name one of these, a line each.

        What is hidden or left out is said in a line of its own.
        """
        ...

    def first_cursor(self) -> Cursor:
        """Return the server's now."""
        ...

    def changed_since(self, cursor: Cursor, waiting: tuple[ChangeRef, ...]) -> Page[ChangeRef]:
        """Return which of our changes, or their approval rows, changed.

        Cost does not grow with `waiting`.

        `waiting` lets a system whose index hides votes read a fixed, rotating few of them directly.
        """
        ...

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return the group's members by the group's own id, read afresh; None when unreadable."""
        ...

    def claim(self, ref: ChangeRef, *, plan_digest: str, owner: str) -> ClaimResult:
        """Claim this plan's implementation in the system of record.

        Exactly one store in the world wins.

        OURS: an earlier claim by the same `owner`, found again. LOST: somebody else's.
        """
        ...

    def begin(self, ref: ChangeRef, *, at: datetime) -> None:
        """Move the change to Implement with the actual start; read back.

        Raises:
            NotApprovedError: The system refused or ignored the move.
        """
        ...

    def close(self, ref: ChangeRef, *, code: CloseCode, notes: str, at: datetime) -> None:
        """Complete native tasks, move through Review to Closed with code, notes and actual end.

        Read back.
        """
        ...

    def cancel(self, ref: ChangeRef, *, reason: str) -> ChangeState:
        """Cancel our own change; a change that a person ended already is left as it is.

        Returns where it stands then.
        """
        ...

    def add_work_note(self, ref: ChangeRef, text: str, *, marker: str) -> None:
        """Add an internal note once."""
        ...

    def watch(self, ref: ChangeRef, who: Sequence[str]) -> None:
        """Have these told natively of what happens to the change, once; they decide nothing.

        Raises:
            PermanentError: The account may not add them, or there is no such user.
        """
        ...

    def attach(self, ref: ChangeRef, *, name: str, content: bytes, content_type: str) -> None:
        """Attach evidence once, by name."""
        ...

    def link(self, ref: ChangeRef, ticket: TicketRef, *, url: str) -> None:
        """Link the change to its ticket, also one of another system; idempotent."""
        ...

    def opened_by_us(self, since: datetime) -> tuple[OpenedChange, ...] | None:
        """Return the changes that our account opened since then; None when some are hidden."""
        ...

    def account(self) -> Account:
        """Return our own account, as the system names it."""
        ...

    def check(self) -> tuple[Finding, ...]:
        """Return every finding, first of all.

        Could this account approve, alone or by delegation?
        """
        ...
