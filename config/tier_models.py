"""The tier map as it is written (pydantic); what it means is decided in `config.policy`."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, WithJsonSchema

from config.units import Confidence, Duration, Name, PerDay, PerHour, Sentence, Text, parse_zone
from config.validation import Strict
from engine.domain.decision import ChangeKind, Phase

Score = Annotated[StrictInt, Field(ge=0, le=3)]
TierNumber = Annotated[StrictInt, Field(ge=1, le=3)]
Phrase = Annotated[StrictStr, Field(min_length=3, max_length=300)]


def _zone(value: object) -> object:
    if isinstance(value, str):
        parse_zone(value)
    return value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


Zone = Annotated[StrictStr, BeforeValidator(_zone)]
Texts = Annotated[
    tuple[StrictStr, ...],
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _record_id(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9a-f]{32}", value):
        raise ValueError("expected a sys_id of ServiceNow, 32 digits 0-9 and a-f")
    return value


RecordId = Annotated[
    StrictStr,
    BeforeValidator(_record_id),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
]


class WindowSection(Strict):
    """When an approved plan may run, counted from its submission.

    `lead` and `board` say when it opens at the earliest; `length` counts from there, `within` from
    the submission. None of them: as soon as it is approved.
    """

    lead: Duration = timedelta(0)
    length: Duration | None = None
    within: Duration | None = None
    board: Name | None = None


class TellWhomSection(Strict):
    """Whom to tell when nobody decides; telling changes no approver.

    `whom` gets a mail; `watch` names, per system, who is put onto the change's watch list.
    """

    after: Duration
    whom: StrictStr = ""
    watch: dict[Name, tuple[Text, ...]] = Field(default_factory=dict[Name, tuple[Text, ...]])


class TemplateSection(Strict):
    """A standard change's template: pinned by version, with the proposal that approved it.

    All three are sys_ids of ServiceNow: of the template, of its version, of the proposal.
    """

    id: RecordId
    version: RecordId
    proposal: RecordId


class GateSection(Strict):
    """The terms of the gate; an action names only what differs from the default."""

    kind: Literal["change", "desk", "person"] | None = None
    authority: Name | None = None
    desk: Name | None = None
    approvers: Annotated[StrictInt, Field(ge=1, le=20)] | None = None
    change: ChangeKind | None = None
    window: WindowSection | None = None
    expires: Duration | None = None
    calendar: Name | None = None
    remind: Duration | None = None
    tell: TellWhomSection | None = None


class CalendarSection(Strict):
    """Office hours in one time zone; `holidays` is an iCalendar file beside the map."""

    timezone: Zone
    hours: Texts
    holidays: StrictStr | None = None


class BoardSection(Strict):
    """A board that meets before a change may run; `lead` before a meeting its agenda closes.

    On holidays of `calendar` it does not meet.
    """

    meets: Texts
    timezone: Zone
    lead: Duration = timedelta(0)
    calendar: Name | None = None


class FreezeSection(Strict):
    """A stretch in which changes of these tiers do not run; a bare `to` date is frozen too."""

    name: Sentence
    from_: StrictStr = Field(alias="from")
    to: StrictStr
    tiers: Annotated[tuple[TierNumber, ...], Field(min_length=1)]
    timezone: Zone = "UTC"


class RiskSection(Strict):
    """The three scores; never below what code says an action risks at least."""

    blast_radius: Score
    irreversibility: Score
    regulatory: Score


class DeliverSection(Strict):
    """Where a secret goes, out of band."""

    attribute: StrictStr
    otherwise: Literal["manager"] | None = None


class LimitsSection(Strict):
    """How often the action may run unattended; above, it is handed over."""

    per_subject: PerDay | None = None
    overall: PerHour | None = None


class NativeSection(Strict):
    """The native change: its kind, and values for fields that decide who approves natively."""

    kind: ChangeKind | None = None
    template: TemplateSection | None = None
    native: dict[StrictStr, Text] = Field(default_factory=dict[StrictStr, Text])


class CatalogItemSection(Strict):
    """A catalog item or request type that means this action; variables name its parameters.

    `subject` is the variable that names whose account it is; none: the requester's.
    """

    id: Text
    variables: dict[StrictStr, StrictStr] = Field(default_factory=dict[StrictStr, StrictStr])
    subject: StrictStr = ""


class RouteSection(Strict):
    """Triage fields, by the ITSM's own names."""

    category: Text | None = None
    assignment_group: Text | None = None
    priority: Text | None = None


class ActionSection(Strict):
    """One action of the catalogue on this installation."""

    does: Sentence
    risk: RiskSection
    target: Name
    subject: Literal["requester", "named"] = "requester"
    requester: Literal["authenticated", "any"] = "authenticated"
    deliver: DeliverSection | None = None
    confidence: Confidence = 0.97
    max_age: Duration | None = None
    limits: LimitsSection = LimitsSection()
    phase: Phase = Phase.OBSERVE
    gate: GateSection = GateSection()
    change: NativeSection = NativeSection()
    ordinary: tuple[StrictStr, ...] | None = None
    catalog_items: tuple[CatalogItemSection, ...] = ()
    route: RouteSection = RouteSection()
    examples: tuple[Phrase, ...] = ()


class RoleSection(Strict):
    """A role template: whoever it describes may have these groups without asking a person."""

    department: StrictStr | None = None
    kind: StrictStr = "person"
    groups: Annotated[tuple[StrictStr, ...], Field(min_length=1)]
    actions: tuple[StrictStr, ...] = ("add_group_member",)


class RuleSection(Strict):
    """One rule: when its expression holds, its tier and gate count with all the others."""

    when: Annotated[StrictStr, Field(min_length=1, max_length=2000)]
    tier: TierNumber | None = None
    gate: Literal["desk", "change", "person"] | None = None
    authority: Name | None = None
    because: Sentence


class RoutingSection(Strict):
    """Example texts that no action covers, and where they belong."""

    route: RouteSection
    examples: Annotated[tuple[Phrase, ...], Field(min_length=1)]


class CaseTicketSection(Strict):
    """The ticket of a test: its texts, and the facts that differ from an ordinary one."""

    short_description: StrictStr = ""
    description: StrictStr = ""
    action: StrictStr | None = None
    confidence: Confidence = 1.0
    authenticated: StrictBool = True
    age: Duration | None = None
    at: StrictStr | None = None
    facts: dict[StrictStr, object] = Field(default_factory=dict[StrictStr, object])
    requester: dict[StrictStr, object] = Field(default_factory=dict[StrictStr, object])
    subject: dict[StrictStr, object] | None = None
    params: dict[StrictStr, object] = Field(default_factory=dict[StrictStr, object])


class ExpectSection(Strict):
    """What a test expects; only what it names is compared."""

    action: StrictStr | None = None
    tier: TierNumber | None = None
    gate: Literal["none", "desk", "change", "person"] | None = None
    reason: StrictStr | None = None


class CaseSection(Strict):
    """One test of the map, run by `tiers check`."""

    name: StrictStr = ""
    ticket: CaseTicketSection
    expect: ExpectSection


class TierMapFile(Strict):
    """The whole file."""

    version: Literal[1]
    authorities: dict[Name, Annotated[dict[Name, Text], Field(min_length=1)]]
    gate: GateSection
    calendars: dict[Name, CalendarSection] = Field(default_factory=dict[Name, CalendarSection])
    boards: dict[Name, BoardSection] = Field(default_factory=dict[Name, BoardSection])
    freezes: tuple[FreezeSection, ...] = ()
    actions: Annotated[dict[Name, ActionSection], Field(min_length=1)]
    roles: dict[Name, RoleSection] = Field(default_factory=dict[Name, RoleSection])
    rules: tuple[RuleSection, ...] = ()
    routing: tuple[RoutingSection, ...] = ()
    tests: tuple[CaseSection, ...] = ()
