"""The shipped fakes: what tests of the engine rely on passes the same suite."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from engine.domain.change import ChainState, ChangeState, Membership
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import Account, ChangeRef, TicketKind, TicketRef
from engine.domain.ticket import TicketField, TicketState
from engine.errors import OutcomeUnknownError, RateLimitedError, TransientError
from engine.ports.changes import ChangeControl
from engine.ports.desk import TicketDesk
from engine.testing.adopting import AdoptingChangeControl
from engine.testing.clocks import ManualClock
from engine.testing.desk import SOURCE, MemoryTicketDesk
from engine.testing.interruptions import interrupted
from tests.contract.harness import Fault, Harness

_WRITES = frozenset(
    {
        "add_work_note",
        "add_comment",
        "write_fields",
        "put_on_hold",
        "take_off_hold",
        "resolve",
        "open",
        "submit",
        "claim",
        "begin",
        "close",
        "cancel",
        "attach",
        "link",
    }
)


def _refused() -> Exception:
    return TransientError("503")


def _limited() -> Exception:
    return RateLimitedError("429", retry_after=timedelta(seconds=1))


def _unanswered() -> Exception:
    return OutcomeUnknownError("no answer")


_FAULTS: Mapping[Fault, tuple[str, bool, Callable[[], Exception]]] = {
    Fault.LOSE_ANSWER: ("after", True, _unanswered),
    Fault.LOSE_REQUEST: ("before", True, _unanswered),
    Fault.SERVER_ERROR: ("before", False, _refused),
    Fault.RATE_LIMITED: ("before", False, _limited),
}
"""Fault to when it strikes, whether only writes, and what the daemon sees."""


class MemoryHarness:
    """One desk and its changes in memory."""

    name = "memory"
    source = SOURCE
    requester = "abel.tuter"
    agent = "luke.wilson"
    approvers = ("howard.johnson", "beth.anglin")
    authority_group = "cab"
    faults = frozenset(_FAULTS)
    hides = True
    page_size = 3
    overlap = timedelta(seconds=60)
    priority = "2"
    group = "Network"

    def __init__(self) -> None:
        self._clock = ManualClock()
        self._desk = MemoryTicketDesk(self.name, clock=self._clock, page_size=self.page_size)
        self._desk.group_names = frozenset({self.group, "Service Desk"})
        self._changes = AdoptingChangeControl(self.name, clock=self._clock)
        approvers = [self.account(uid) for uid in self.approvers]
        since = self._clock.now() - timedelta(days=30)
        self._changes.set_members(
            self.authority_group, [Membership(account=one, since=since) for one in approvers]
        )
        self._desk.groups[self.authority_group] = approvers
        self._struck: tuple[str, bool, Callable[[], Exception]] | None = None
        self._times: int | None = None
        self.desk: TicketDesk = interrupted(self._desk, "desk", self._watch)
        self.changes: ChangeControl = interrupted(self._changes, "changes", self._watch)

    def account(self, uid: str) -> Account:
        """Return a person's account."""
        return Account(system=self.name, id=uid, name=uid)

    def _watch(self, point: str) -> None:
        if self._struck is None or self._times == 0:
            return
        when, only_writes, error = self._struck
        struck_when, _, call = point.partition(" ")
        if struck_when != when or (only_writes and call.partition(".")[2] not in _WRITES):
            return
        if self._times is not None:
            self._times -= 1
        raise error()

    # --- time
    def now(self) -> datetime:
        return self._clock.now()

    def settle(self) -> None:
        self.advance(timedelta(seconds=10))

    def advance(self, step: timedelta) -> None:
        self._clock.advance(step)

    # --- tickets
    def seed_ticket(
        self,
        short_description: str,
        *,
        description: str = "",
        kind: TicketKind = TicketKind.INCIDENT,
    ) -> TicketRef:
        requester = self.account(self.requester)
        return self._desk.seed(
            short_description, requester=requester, description=description, kind=kind
        )

    def seed_at(self, short_description: str, at: datetime) -> TicketRef:
        return self._desk.seed(short_description, requester=self.account(self.requester), at=at)

    def seed_broken(self) -> TicketRef:
        ref = self.seed_ticket("broken")
        self._desk.records[ref.id].broken = "state: value '99' is in no mapping table"
        return ref

    def hide(self, ref: TicketRef) -> None:
        self._desk.records[ref.id].is_hidden = True

    def delete(self, ref: TicketRef) -> None:
        self._desk.delete(ref)

    def edit_field(self, ref: TicketRef, field: TicketField, value: str, *, by: str) -> None:
        self._desk.edit_field(ref, field, value, by=self.account(by))

    def edit_text(self, ref: TicketRef, text: str, *, by: str) -> None:
        self._desk.change_ticket(ref, by=by, description=text)

    def write_note(self, ref: TicketRef, text: str, *, by: str) -> None:
        self._desk.write_note(ref, text, by=self.account(by))

    def take(self, ref: TicketRef, *, by: str) -> None:
        self._desk.change_ticket(ref, by=by, assignee=self.account(by))

    def move_ticket(self, ref: TicketRef, to: TicketState, *, by: str) -> None:
        self._desk.move(ref, to, by=by)

    def ticket_state(self, ref: TicketRef) -> TicketState:
        return self._desk.records[ref.id].ticket.state

    def field(self, ref: TicketRef, field: TicketField) -> str:
        return self._desk.records[ref.id].ticket.fields.get(field, "")

    def notes(self, ref: TicketRef) -> tuple[str, ...]:
        return tuple(item.text for item in self._desk.records[ref.id].notes)

    def comments(self, ref: TicketRef) -> tuple[str, ...]:
        return tuple(item.text for item in self._desk.records[ref.id].comments)

    def linked_changes(self, ref: TicketRef) -> tuple[str, ...]:
        linked = [item.ref.id for item in self._changes.records.values() if ref in item.links]
        return tuple(dict.fromkeys((*self._desk.records[ref.id].links, *linked)))

    def faults_open(self) -> int:
        return len(self._desk.faults)

    def desk_by(self, way: Mapping[str, str]) -> TicketDesk | None:
        return self.desk if way.get("by") == "note" else None

    def answer_field(self) -> str:
        return ""

    def set_answer(self, ref: TicketRef, text: str, *, by: str) -> None:
        raise AssertionError(f"the fake has no such field: {ref}, {text}, {by}")

    # --- changes
    def draft(self, ticket: TicketRef, *, correlation_id: str) -> ChangeDraft:
        return ChangeDraft(
            correlation_id=correlation_id,
            plan_digest="sha256:" + "5b" * 32,
            text=PlanText(
                short_description="Add bob.miller to PROD-DB-Admins",
                description="What was asked, and by whom.",
                justification="Requested in a ticket.",
                risk_and_impact="One account.",
                implementation="1. Add the account.",
                test="Read back.",
                backout="Remove the membership.",
            ),
            kind=ChangeKind.NORMAL,
            window=Window(),
            ticket=ticket,
            requested_by=self.account(self.requester),
            authority_group=self.authority_group,
        )

    def adopting(self) -> ChangeControl:
        return interrupted(self._changes.twin(), "changes", self._watch)

    def change_by_hand(self, ticket: TicketRef, *, by: str, words: str = "The usual.") -> ChangeRef:
        draft = self.draft(ticket, correlation_id="theirs")
        text = replace(draft.text, description=words)
        return self._changes.open_by_hand(replace(draft, text=text), ticket, by=self.account(by))

    def move_change(self, change: ChangeRef, *, by: str) -> None:
        self._changes.move_by(change, ChangeState.AUTHORIZE, by=self.account(by))
        self._changes.records[change.id].chain = ChainState.PENDING

    def decide(self, change: ChangeRef, *, by: str, approve: bool) -> None:
        self._changes.decide(change, by=self.account(by), approve=approve)

    def edit_change(self, change: ChangeRef, field: str, text: str, *, by: str) -> None:
        self._changes.edit(change, field, text, by=self.account(by))

    def cancel_change(self, change: ChangeRef, *, by: str) -> None:
        self._changes.cancel_by(change, by=self.account(by))

    def hold_change(self, change: ChangeRef, *, is_held: bool, by: str) -> None:
        self._changes.hold(change, is_held=is_held, by=self.account(by))

    def break_change(self, change: ChangeRef) -> None:
        self._changes.records[change.id].unmapped = "perhaps"

    def change_state(self, change: ChangeRef) -> ChangeState:
        return self._changes.records[change.id].state

    def count_changes(self, correlation_id: str) -> int:
        found = self._changes.records.values()
        return sum(item.correlation_id == correlation_id for item in found)

    def change_notes(self, change: ChangeRef) -> tuple[str, ...]:
        return tuple(item.text for item in self._changes.records[change.id].notes)

    def watcher(self, uid: str) -> str:
        return uid

    def watchers(self, change: ChangeRef) -> tuple[str, ...]:
        return tuple(self._changes.records[change.id].watchers)

    def attachments(self, change: ChangeRef) -> tuple[str, ...]:
        return tuple(self._changes.records[change.id].attachments)

    # --- failures
    @contextlib.contextmanager
    def fault(self, fault: Fault, *, times: int | None = None) -> Generator[None]:
        self._struck, self._times = _FAULTS[fault], times
        try:
            yield
        finally:
            self._struck, self._times = None, None


@contextlib.contextmanager
def harness() -> Iterator[Harness]:
    """Fresh fakes."""
    yield MemoryHarness()
