"""AdoptingChangeControl: the memory system where people open changes and tickets name them."""

import copy

from engine.domain.change import ChangeState
from engine.domain.plan import ChangeDraft
from engine.domain.refs import Account, ChangeRef, TicketRef
from engine.errors import PreconditionError
from engine.testing.changes import MemoryChangeControl


class AdoptingChangeControl(MemoryChangeControl):
    """Adopts the change that a ticket names, while it is New, unasked and not on hold.

    `twin` is another adapter of the same system, which adopts; this one does not.
    """

    adopts = False

    def twin(self) -> "AdoptingChangeControl":
        """Return an adapter over the same records that adopts."""
        other = copy.copy(self)
        other.adopts = True
        return other

    def open(self, draft: ChangeDraft) -> ChangeRef:
        """Find by correlation id, else adopt what the ticket names, else create."""
        found = self.find(draft.correlation_id)
        theirs = self.theirs.get(draft.ticket.id) if found is None and self.adopts else None
        if theirs is None or self.records[theirs].correlation_id:
            return super().open(draft)
        record = self.records[theirs]
        has_moved = any(edit.field == "state" for edit in record.history)
        if record.state is not ChangeState.NEW or record.rows or has_moved or record.is_on_hold:
            raise PreconditionError(
                f"{record.ref} was opened by somebody else and is {record.state}"
            )
        record.draft, record.text, record.window = draft, draft.text, draft.window
        record.correlation_id = draft.correlation_id
        return record.ref

    def submit(self, ref: ChangeRef, draft: ChangeDraft) -> None:
        """Ask the members of the authority, unless somebody else asked on an adopted change."""
        record = self._record(ref)
        asked_by = [edit.by for edit in record.history if edit.field == "state"]
        if ref.id in self.theirs.values() and any(by != self.account() for by in asked_by):
            raise PreconditionError(f"{ref} was opened by somebody else, who asked its approvers")
        super().submit(ref, draft)

    def open_by_hand(self, draft: ChangeDraft, ticket: TicketRef, *, by: Account) -> ChangeRef:
        """Let a person open a change and name it on a ticket."""
        ref = super().open(draft)
        record = self._record(ref)
        record.correlation_id, record.moved_by = "", by
        self.theirs[ticket.id] = ref.id
        return ref
