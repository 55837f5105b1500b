"""The `systems:` entry of kind servicenow."""

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator, model_validator

from connectors.control_record import ControlWords
from connectors.desk_way import DeskWay
from connectors.durations import Duration
from connectors.servicenow.mapping import TICKET_STATES
from connectors.servicenow.query import require_base_filter
from engine.domain.change import ChangeState, CloseCode
from engine.domain.decision import ChangeKind
from engine.domain.desk import DeskChannel
from engine.domain.ticket import TicketState

FIRST_START = "first start"


class AuthSettings(BaseModel, extra="forbid", frozen=True):
    """One way to prove who we are: OAuth (preferred), an API key, or user and password."""

    oauth: Literal["client_credentials", "password"] | None = None
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    user: SecretStr | None = None
    password: SecretStr | None = None
    api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        given = {name for name, value in self if value is not None} - {"oauth"}
        client = {"client_id", "client_secret"}
        login = {"user", "password"}
        wanted = {
            "client_credentials": [client],
            "password": [client | login],
            None: [login, {"api_key"}],
        }[self.oauth]
        if given not in wanted:
            forms = " or ".join(" and ".join(sorted(form)) for form in wanted)
            raise ValueError(
                f"auth{f' with oauth: {self.oauth}' if self.oauth else ''} needs exactly {forms}"
            )
        return self


def _since(value: object) -> object:
    if value == FIRST_START:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


class ControlSettings(ControlWords, extra="forbid", frozen=True):
    """The control record of an instance: a field of one record, read before every effect.

    Attributes:
        table, record: Table and sys_id of a record that nobody but the group needs to write.
        field: The field that is switched.
    """

    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    record: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    field: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "state"


class SourceSettings(BaseModel, extra="forbid", frozen=True):
    """One source of tickets: a table, what of it is ours, and since when.

    `since` None stands for "first start": nothing created earlier is ours.
    """

    table: Literal["incident", "sc_req_item"]
    filter: str = ""
    since: Annotated[datetime | None, BeforeValidator(_since)] = None
    name: str = ""

    @field_validator("filter")
    @classmethod
    def _filter_can_be_extended(cls, value: str) -> str:
        return require_base_filter(value)

    @property
    def label(self) -> str:
        """The source's own name; by default its table."""
        return self.name or self.table


class ResolveSettings(BaseModel, extra="forbid", frozen=True):
    """How a solved incident is marked."""

    close_code: str = "Solution provided"


class ChangeSettings(BaseModel, extra="forbid", frozen=True):
    """How changes are opened here.

    Attributes:
        assignment_group: sys_id or name; without one New -> Assess is refused by ServiceNow. An
            action's `native` mapping goes before.
        models: Change model sys_id per kind; empty where the instance runs on types alone.
        states: Further native state values, on top of the documented ones.
        close_codes: Native close codes.
        adopt: Whether a change that a person opened and that the ticket names (an incident's `rfc`,
            the parent of a requested item's change) is adopted while it is New and unasked,
            instead of opening one.
    """

    assignment_group: str = ""
    models: Mapping[ChangeKind, str] = Field(default_factory=dict[ChangeKind, str])
    states: Mapping[str, ChangeState] = Field(default_factory=dict[str, ChangeState])
    close_codes: Mapping[CloseCode, str] = Field(
        default_factory=lambda: {code: str(code) for code in CloseCode}
    )
    adopt: bool = False


class ScheduleSettings(BaseModel, extra="forbid", frozen=True):
    """What of the instance's own calendar counts; what it does not have is switched off here.

    Attributes:
        blackouts: Nothing runs in a blackout schedule that is about the change or its item.
        maintenance: What has a maintenance schedule is changed inside of it only.
        conflicts: What a conflict with another change does: it is told to approvers, or holds the
            change until the conflict is gone.
    """

    blackouts: bool = True
    maintenance: bool = True
    conflicts: Literal["tell", "hold", "off"] = "tell"


class ServiceNowSettings(BaseModel, extra="forbid", frozen=True):
    """One ServiceNow instance.

    Attributes:
        unset: Field to values that count as set by nobody (portal defaults).
        lag: How far behind the server's now a sweep ends, so that late commits are inside the next.
        overlap: How far a sweep reaches back behind the end of the one before.
        attempts, patience: Where the retry of one call ends: tries, and time over all of them.
        desk: How agents answer at the desk gate: by a work note, the state, or a field.
        control: A record by which people stop new effects without a shell.
        hold_reason: The choice value of "Awaiting Change".
        states: Further native state values per table, on top of the documented ones.
        faults_group: Queue (sys_id or name) of the incident for faults of the daemon itself.
        channels: `contact_type` values whose creator is the requester in person; for a catalog
            item, which carries none, the word is `catalog`.
        security_categories: Incident categories that mark a security matter.
    """

    kind: Literal["servicenow"] = "servicenow"
    url: str
    auth: AuthSettings
    tickets: tuple[SourceSettings, ...] = ()
    changes: ChangeSettings = ChangeSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    poll: Duration = timedelta(seconds=30)
    unset: Mapping[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    lag: Duration = timedelta(seconds=3)
    overlap: Duration = timedelta(seconds=120)
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    concurrency: Annotated[int, Field(ge=1, le=16)] = 4
    attempts: Annotated[int, Field(ge=1, le=10)] = 4
    patience: Duration = timedelta(seconds=60)
    resolve: ResolveSettings = ResolveSettings()
    desk: DeskWay = DeskWay()
    control: ControlSettings | None = None
    hold_reason: str = "5"
    states: Mapping[Literal["incident", "sc_req_item"], Mapping[str, TicketState]] = Field(
        default_factory=dict[Literal["incident", "sc_req_item"], Mapping[str, TicketState]]
    )
    channels: tuple[str, ...] = ("self-service", "virtual_agent", "catalog")
    security_categories: tuple[str, ...] = ("security",)
    faults_group: str = ""
    ca_file: str = ""

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("url needs the form https://instance.service-now.com")
        if parts.path.strip("/") or parts.query or parts.username:
            raise ValueError("url holds scheme, host and port only")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("url must use https (http is for loopback only)")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _desk_way_exists(self) -> Self:
        if self.desk.by is DeskChannel.APPROVAL:
            raise ValueError("desk: by approval is a way of Jira; here it is note, state or field")
        if self.desk.by is DeskChannel.STATE:
            for source in self.tickets:
                table = source.table
                known = {**TICKET_STATES[table], **self.states.get(table, {})}
                found = known.get(self.desk.accept)
                if found is None or not found.is_open or found is TicketState.ON_HOLD:
                    raise ValueError(
                        f"desk: accept {self.desk.accept!r} is no state in which a ticket of"
                        f" {table} is being worked on"
                    )
        return self

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        labels = [source.label for source in self.tickets]
        if len(set(labels)) != len(labels):
            raise ValueError("two ticket sources have one name; give each a `name`")
        if any(not re.fullmatch(r"[\w .-]+", label) for label in labels):
            raise ValueError("a source's name holds letters, digits, blanks, dots and dashes")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
