"""The `systems:` entry of kind `jira`: where the site is, who we are there, and what is ours.

Defaults are those of a fresh Jira Service Management site. Status maps are added to the shipped
ones of `mapping.py`; a status that is in neither is an error, never a default.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator

from connectors.control_record import ControlWords
from connectors.desk_way import DeskWay
from connectors.durations import Duration
from engine.domain.change import ChangeState
from engine.domain.desk import DeskChannel
from engine.domain.refs import TicketKind
from engine.domain.ticket import TicketField, TicketState

_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)
FIRST_START = "first start"


def _since(value: object) -> object:
    if value == FIRST_START or isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
        if found is not None:
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise ValueError('expected "first start" or an instant such as 2026-11-20T00:00:00Z')


Since = Annotated[datetime | Literal["first start"], BeforeValidator(_since)]


class Flavour(StrEnum):
    """Which product answers; `auto` asks serverInfo once."""

    AUTO = "auto"
    CLOUD = "cloud"
    DATACENTER = "datacenter"


class JiraAuth(BaseModel, extra="forbid", frozen=True):
    """Exactly one way to log in: e-mail and API token (Cloud), name and password, or a PAT."""

    email: str = ""
    token: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    pat: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        pairs = ((self.email, self.token), (self.username, self.password))
        if any(bool(name) != (secret is not None) for name, secret in pairs):
            raise ValueError("email needs token, and username needs password")
        ways = sum(secret is not None for secret in (self.token, self.password, self.pat))
        if ways != 1:
            raise ValueError("expected exactly one of email and token, username and password, pat")
        return self


class TicketSource(BaseModel, extra="forbid", frozen=True):
    """Which issues are tickets of ours: a project or a JQL filter, some request types, since when.

    `request_types` (names or ids) keeps those requests only; empty keeps everything.
    """

    name: str = ""
    project: str = ""
    jql: str = ""
    request_types: tuple[str, ...] = ()
    since: Since = "first start"

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.project and not self.jql:
            raise ValueError("a source needs a project or a jql filter")
        if _ORDER_BY.search(self.jql):
            raise ValueError("the order belongs to the daemon: leave ORDER BY out of jql")
        return self


class FieldTarget(BaseModel, extra="forbid", frozen=True):
    """Which field of the site holds one of our triage fields.

    `field` is a name or an id. With `labels`, `prefix` marks which label is meant, and a change
    swaps that one label only; `values` are then the only ones that exist, where the site itself
    cannot say (a label holds no blank: `Service Desk` becomes `Service-Desk`).
    """

    field: str
    prefix: str = ""
    values: tuple[str, ...] = ()

    def label(self, text: str) -> str:
        """Return the label that stands for a value."""
        return self.prefix + "-".join(text.split())

    def value(self, label: str) -> str:
        """Return the value that a label stands for."""
        known = {self.label(one).casefold(): one for one in self.values}
        return known.get(label.casefold(), label.removeprefix(self.prefix))

    @model_validator(mode="after")
    def _labels_need_a_prefix(self) -> Self:
        if (self.field.casefold() == "labels") != bool(self.prefix):
            raise ValueError("a prefix belongs to labels, and labels need one")
        return self


def _target(value: object) -> object:
    return {"field": value} if isinstance(value, str) else value


class PlanField(StrEnum):
    """What of a change has a native field of its own: the plan's texts, and four facts more."""

    SHORT_DESCRIPTION = "short_description"
    DESCRIPTION = "description"
    JUSTIFICATION = "justification"
    RISK_AND_IMPACT = "risk_and_impact"
    IMPLEMENTATION = "implementation"
    TEST = "test"
    BACKOUT = "backout"
    PLANNED_START = "planned_start"
    PLANNED_END = "planned_end"
    KIND = "kind"
    CORRELATION = "correlation"


DEFAULT_PLAN_FIELDS: Mapping[PlanField, tuple[str, ...]] = {
    PlanField.SHORT_DESCRIPTION: ("summary",),
    PlanField.DESCRIPTION: ("description",),
    PlanField.JUSTIFICATION: ("Justification",),
    PlanField.RISK_AND_IMPACT: ("Risk assessment",),
    PlanField.IMPLEMENTATION: ("Implementation plan",),
    PlanField.TEST: ("Test plan",),
    PlanField.BACKOUT: ("Backout plan",),
    # Sites made before the ITSM template was renamed have the second name.
    PlanField.PLANNED_START: ("Planned start", "Change start date"),
    PlanField.PLANNED_END: ("Planned end", "Change completion date"),
    PlanField.KIND: ("Change type",),
    PlanField.CORRELATION: ("Correlation id",),
}


class GateMode(StrEnum):
    """What says yes: the approvals of Jira Service Management, or the status of a plain issue."""

    APPROVALS = "approvals"
    STATUS = "status"


class Approvers(StrEnum):
    """Who fills the approvers: the site's own automation, or we once, when the change is opened."""

    AUTOMATION = "automation"
    AUTHORITY = "authority"


class CreateBy(StrEnum):
    """By which interface a change request is made."""

    FORM = "form"
    ISSUE = "issue"


class ChangeSettings(BaseModel, extra="forbid", frozen=True):
    """Where changes live and in whose words.

    Attributes:
        project: The project's key.
        request_type: Name or id of the change request type (mode `approvals`).
        issue_type: Name or id of the issue type (mode `status`).
        create: `form`: the request type's form takes label and plan, what it lacks, property and
            link follow; `issue` (Cloud): request type, label, plan, property and link in one call,
            where the create screen shows all of them.
        fields: Native field of each part of the plan, by name or id, where the defaults are wrong.
        statuses: Native status name or id to our state, beside the shipped ones.
        steps: Statuses whose approvals must all be passed; empty: those that the change met.
        index_lag: How late the search index may show a new change; by default five minutes on
            Cloud and five seconds on Data Center.
        votes: Waiting changes read directly per sweep, since no index shows votes.
        successful, unsuccessful: Closing statuses by name, best first.
        resolutions: Resolution by close code, where the closing screen asks for one.
        adopt: Whether a change that a person opened and linked to the ticket (by a link of
            `link_type`) is adopted while it is new and unasked, instead of opening one.
    """

    project: str
    request_type: str = "Request a change"
    issue_type: str = "Task"
    mode: GateMode = GateMode.APPROVALS
    create: CreateBy = CreateBy.FORM
    approvers: Approvers = Approvers.AUTOMATION
    approver_groups_field: str = "Approver groups"
    approvers_field: str = "Approvers"
    fields: Mapping[PlanField, str] = {}
    kinds: Mapping[str, str] = {
        "normal": "Normal",
        "standard": "Standard",
        "emergency": "Emergency",
    }
    statuses: Mapping[str, ChangeState] = {}
    steps: tuple[str, ...] = ()
    link_type: str = "Relates"
    adopt: bool = False
    index_lag: Duration | None = None
    votes: Annotated[int, Field(ge=0, le=500)] = 20
    successful: tuple[str, ...] = ("Completed", "Done", "Resolved", "Closed")
    unsuccessful: tuple[str, ...] = ("Failed", "Closed", "Done")
    resolutions: Mapping[str, str] = {"successful": "Done", "unsuccessful": "Failed"}

    def native(self, part: PlanField) -> tuple[str, ...]:
        """Return names or ids of the field that holds this part of the plan, best first."""
        configured = self.fields.get(part)
        return DEFAULT_PLAN_FIELDS[part] if configured is None else (configured,)


class JiraDeskWay(DeskWay, extra="forbid", frozen=True):
    """The native way of a Jira site: those of every system, and a native approval.

    Attributes:
        status: With `by: approval`, the status that opens the approval (name or id).
        approvers: Who fills the approvers: the site's own automation, or we once before the status
            is entered, with the group of the plan's authority.
    """

    status: str = ""
    approvers: Approvers = Approvers.AUTHORITY
    approver_groups_field: str = "Approver groups"

    @model_validator(mode="after")
    def _approval_has_a_status(self) -> Self:
        if (self.by is DeskChannel.APPROVAL) is not bool(self.status):
            raise ValueError("by: approval needs the `status` that opens it; no other way has one")
        return self


class ControlSettings(ControlWords, extra="forbid", frozen=True):
    """The control record of a site: one issue, read before every effect.

    Attributes:
        issue: Its key, in a project that nobody but the group needs to edit.
        field: The field that is switched, by name or id; empty: the status.
    """

    issue: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]+-[0-9]+$")]
    field: str = ""


class WaitingSettings(BaseModel, extra="forbid", frozen=True):
    """How a ticket shows that it waits for a change: a status, else a label where no way leads."""

    status: str = "Pending"
    label: str = "tiergate-waiting"


class FaultSettings(BaseModel, extra="forbid", frozen=True):
    """Where faults of the daemon itself become one incident."""

    project: str
    issue_type: str = "[System] Incident"
    request_type: str = ""
    labels: tuple[str, ...] = ("tiergate-fault",)


class PeopleBy(StrEnum):
    """What joins a Jira account to a person."""

    EMAIL = "email"
    PROPERTY = "property"


class PeopleSettings(BaseModel, extra="forbid", frozen=True):
    """The key that an account carries: its e-mail address, or a property of the user."""

    by: PeopleBy = PeopleBy.EMAIL
    property: str = "employeeNumber"


class JiraSettings(BaseModel, extra="forbid", frozen=True):
    """One Jira site.

    Attributes:
        url: Base address, `https://api.atlassian.com/ex/jira/{cloudId}` included.
        web: Address that people open, where it differs from `url`.
        unset: Values of triage fields that nobody chose, by field.
        channels: How a ticket must have come for its reporter to count as its author. A plain
            issue comes by `jira`, which is safe only where no mail handler makes issues.
        statuses, kinds: Native status and issue type names (or ids) beside the shipped ones.
        ignored: Issue types that are no tickets.
        desk: How agents answer at the desk gate: by an internal note, the status, a field, or a
            native approval.
        control: An issue by which people stop new effects without a shell.
        overlap: How far a sweep reaches back behind the newest record of the one before: the lag
            of the search index.
        page_size: Records on one page.
    """

    kind: Literal["jira"] = "jira"
    url: str
    web: str = ""
    flavour: Flavour = Flavour.AUTO
    auth: JiraAuth
    ca_file: str = ""
    tickets: tuple[TicketSource, ...] = ()
    changes: ChangeSettings | None = None
    poll: Duration = timedelta(seconds=30)
    overlap: Duration = timedelta(minutes=5)
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    fields: Mapping[TicketField, Annotated[FieldTarget, BeforeValidator(_target)]] = {
        TicketField.PRIORITY: FieldTarget(field="priority")
    }
    unset: Mapping[TicketField, tuple[str, ...]] = {}
    channels: tuple[str, ...] = ("portal",)
    statuses: Mapping[str, TicketState] = {}
    kinds: Mapping[str, TicketKind] = {}
    ignored: tuple[str, ...] = (
        "[System] Change",
        "[System] Major change",
        "Change",
        "[System] Problem",
        "Problem",
        "Epic",
        "Sub-task",
        "Subtask",
    )
    subject_field: str = ""
    hold_label: str = "tiergate-hold"
    major_labels: tuple[str, ...] = ("major-incident",)
    security_labels: tuple[str, ...] = ("security",)
    waiting: WaitingSettings = WaitingSettings()
    resolution: str = "Done"
    desk: JiraDeskWay = JiraDeskWay()
    control: ControlSettings | None = None
    faults: FaultSettings | None = None
    people: PeopleSettings = PeopleSettings()
    timeout: Duration = timedelta(seconds=30)
    attempts: Annotated[int, Field(ge=1, le=8)] = 4
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("url needs the form https://example.atlassian.net")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("url holds scheme, host, port and a path only")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("url must use https (http is for loopback only)")
        return value.rstrip("/")

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.url.rstrip("/")

    @property
    def browse(self) -> str:
        """The address that people open, without a slash at its end."""
        return (self.web or self.url).rstrip("/")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [source_name(source) for source in self.tickets]
        if len(set(names)) != len(names):
            raise ValueError("two ticket sources have the same name: give them `name:`")
        return self


def source_name(source: TicketSource) -> str:
    """Return the name under which a source's cursor is stored."""
    if source.name or source.project:
        return source.name or source.project
    return f"jql-{hashlib.sha256(source.jql.encode()).hexdigest()[:8]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
