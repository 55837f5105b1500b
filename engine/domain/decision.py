"""Facts in, decision out: what the tier map is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from engine.domain.action import BoundAction, RiskScores, Tier
from engine.domain.calendar import Board, Calendar
from engine.domain.canonical import JSON
from engine.domain.stage import Gate


class Phase(StrEnum):
    """How far an action is trusted on this installation; a new one starts in `observe`.

    observe: nothing is written anywhere. gated: floors 1 and 2 wait behind the desk gate as well.
    automatic: the tier alone decides.
    """

    OBSERVE = "observe"
    GATED = "gated"
    AUTOMATIC = "automatic"


class ChangeKind(StrEnum):
    """The ITIL kinds of change."""

    NORMAL = "normal"
    STANDARD = "standard"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """Everything a decision may rest on; frozen and stored with it.

    `ticket`, `requester`, `subject` and `params` are plain documents that rules name
    (`subject.vip`, `params.group.ordinary`, `ticket.major_incident`).

    Attributes:
        action: The catalogue action; empty when nothing fits.
        is_authenticated: Creator equals requester, as persons, through an allowed channel.
        subject_is_requester: Compared as persons.
        uses: Earlier uses of this action: `subject_day` for this subject in 24 h, `overall_hour`.
        at: The instant of the decision, for freezes and calendars.
    """

    action: str
    confidence: float
    is_authenticated: bool
    subject_is_requester: bool
    ticket: Mapping[str, JSON]
    requester: Mapping[str, JSON]
    subject: Mapping[str, JSON]
    params: Mapping[str, JSON]
    uses: Mapping[str, int]
    ticket_created_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a decision: which rule (or `floor`, `phase`, `limit`) and its sentence."""

    rule: str
    because: str
    tier: Tier | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who may approve: a name in the tier map and the group's own id in each system."""

    name: str
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an approved plan may run; either end may be open."""

    earliest: datetime | None = None
    latest: datetime | None = None

    def contains(self, instant: datetime) -> bool:
        """Whether `instant` lies inside; the latest instant itself is outside."""
        if self.earliest is not None and instant < self.earliest:
            return False
        return self.latest is None or instant < self.latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A stretch of time in which changes of the named tiers may not run."""

    name: str
    begins_at: datetime
    ends_at: datetime

    def covers(self, instant: datetime) -> bool:
        """Whether `instant` is frozen."""
        return self.begins_at <= instant < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplatePin:
    """The one version of a standard change's template that may run, by the change system's own ids.

    `proposal` is the record whose approval made that version a standard change.
    """

    id: str
    version: str
    proposal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """The terms of one gate, resolved for one action.

    `lead` is the least time between submission and window, `length` the window's, `within` its end
    counted from the submission; `board` has to meet before it opens. `calendar`: lead, within,
    expiry, reminder and telling count its business time (see `Calendar.after`). `tell_watch` are
    the ids, per system, of who is put onto the change's watch list when it waits too long.
    `native` maps native change fields to values (risk, impact, cmdb_ci, assignment_group,
    category, ...); `SYSTEM.field` is for that one change system alone.
    """

    authority: Authority
    least_approvers: int = 1
    change: ChangeKind = ChangeKind.NORMAL
    lead: timedelta = timedelta(0)
    length: timedelta | None = None
    expires: timedelta = timedelta(days=10)
    remind: timedelta | None = None
    tell_after: timedelta | None = None
    tell_whom: str = ""
    native: Mapping[str, str] = field(default_factory=dict[str, str])
    template: str = ""
    template_version: str = ""
    freezes: tuple[Freeze, ...] = ()
    desk_group: Authority | None = None
    template_proposal: str = ""
    tell_watch: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    within: timedelta | None = None
    calendar: Calendar | None = None
    board: Board | None = None

    def after(self, start: datetime, span: timedelta) -> datetime:
        """Return when `span` has gone by since `start`, in business time where that is counted."""
        return start + span if self.calendar is None else self.calendar.after(start, span)

    @property
    def pin(self) -> TemplatePin | None:
        """The pinned template of a standard change; None for every other kind."""
        if self.change is not ChangeKind.STANDARD or not self.template:
            return None
        return TemplatePin(
            id=self.template, version=self.template_version, proposal=self.template_proposal
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """Where a secret goes: a directory attribute, otherwise (if set) the manager."""

    attribute: str
    or_manager: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the tier map says of one ticket; every reason is kept, the highest tier won.

    `hand_over` holds the sentence why no automation applies (gate is then PERSON), else "".
    `comments` are the requester-visible templates that the configuration switches on, by occasion.
    `risk` are the action's scores as the map has them, never below the code's.
    """

    tier: Tier
    gate: Gate
    action: str
    reasons: tuple[Reason, ...]
    phase: Phase
    tier_map_digest: str
    policy: GatePolicy | None
    hand_over: str = ""
    delivery: DeliveryPolicy | None = None
    risk: RiskScores | None = None
    facts: DecisionFacts | None = None
    bound: BoundAction | None = None
