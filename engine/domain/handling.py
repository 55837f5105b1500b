"""One run of our handling of one ticket: the row that `advance` moves."""

from dataclasses import dataclass
from datetime import datetime

from engine.domain.classification import Classification
from engine.domain.decision import Decision
from engine.domain.plan import Plan, PlanText
from engine.domain.refs import ChangeRef, Person, TicketRef
from engine.domain.stage import Gate, Stage
from engine.domain.ticket import TicketState

FLOW_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What we submitted for approval, as read back afterwards.

    The yardstick for every later edit.
    """

    text: PlanText
    submitted_at: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the handling is going to end, decided before it is told: `end` is an end stage."""

    end: Stage
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """One attempt at one ticket; at most one is live per ticket. A retry is a new handling.

    Attributes:
        id: Ours, `<system>:<record id>:<attempt>`; stable, also the audit chain's suffix.
        version: Compare-and-set counter; every write names the version it saw.
        wake_at: When `advance` has something to do; None: only an event or a person.
        parked_from: The stage to resume at, while parked.
        reason: Why it stands where it stands: what it waits for, why it ends or was parked.
        attempts: Consecutive transient failures, for the back-off.
        trouble: What the newest of them said; empty when there are none.
        reminded_at, told_at: When approvers were reminded / somebody was told.
        held_from: The ticket's own state before we put it on hold for the change.
    """

    id: str
    ticket: TicketRef
    attempt: int
    stage: Stage
    gate: Gate
    version: int
    created_at: datetime
    updated_at: datetime
    wake_at: datetime | None
    flow_version: int = FLOW_VERSION
    parked_from: Stage | None = None
    reason: str = ""
    attempts: int = 0
    trouble: str = ""
    classification: Classification | None = None
    requester: Person | None = None
    subject: Person | None = None
    decision: Decision | None = None
    plan: Plan | None = None
    text: PlanText | None = None
    change: ChangeRef | None = None
    submission: Submission | None = None
    outcome: Outcome | None = None
    held_from: TicketState | None = None
    reminded_at: datetime | None = None
    told_at: datetime | None = None
    opening_since: datetime | None = None

    @property
    def correlation_suffix(self) -> str:
        """`<attempt>-r<revision>`: what tells one revision's change from another's."""
        return f"{self.attempt}-r{self.plan.revision if self.plan else 0}"
