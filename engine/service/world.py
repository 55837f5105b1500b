"""Everything the use cases need from outside, in one frozen bundle, and the terms they keep to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from engine.domain.decision import Phase
from engine.domain.refs import TicketRef
from engine.errors import ConfigurationError
from engine.ports.brains import Classifier, PlanRenderer, TierPolicy
from engine.ports.changes import ChangeControl
from engine.ports.clock import Clock, Waker
from engine.ports.control import PauseControl
from engine.ports.desk import TicketDesk
from engine.ports.fulfilment import Fulfiller
from engine.ports.mailer import Mailer
from engine.ports.people import People
from engine.ports.store import Store
from engine.service.accounts import Accounts

T = TypeVar("T")


class Template(StrEnum):
    """The named texts that an admin may change; every one has a shipped default.

    Facts of every ticket text (see `engine.service.telling.facts`): `ticket` {system, key, kind},
    `action`, `tier`, `gate`, `phase`, `confidence`, `intent`, `candidate`, `evidence` [texts],
    `model`, `abstained_because`, `reasons` [{rule, because}], `tier_map_digest`, `routed` {field:
    value}, `kept` [fields left to a person], `requester`, `subject`, `hand_over`, `stage` (the end,
    once it is known), `reason`, `did` [texts], `related` [texts], `change` {system, number, url} or
    null, `plan` {digest, code, revision, window, expires_at, ends_at} or null.
    """

    TRIAGE_NOTE = "triage_note"
    """Internal, once, before anybody has to wait: what was understood, why this tier, what now."""
    OUTCOME_NOTE = "outcome_note"
    """Internal, once, at the end: what was done, or why a person has to."""
    PARKED_NOTE = "parked_note"
    """Internal: why nothing moves until a person looks."""
    DESK_REQUEST = "desk_request"
    """Internal: the plan that an agent accepts, with its short code and the four answers."""
    DESK_REFUSED = "desk_refused"
    """Internal: why an answer at the desk gate does not count (`reason`)."""
    CHANGE_NOTE = "change_note"
    """Internal, on the change: why it was withdrawn or how it ended."""
    WAIT_NOTE = "wait_note"
    """Internal: why an approved change does not run yet (on hold, frozen, before its window)."""
    CONFLICT_NOTE = "conflict_note"
    """Internal, on the change: what its own calendar says since the plan was written."""
    REMINDER_NOTE = "reminder_note"
    """Internal, on the change: it still waits."""
    TELL_MAIL = "tell_mail"
    """Mail to whom the map names, when a change waits too long; first line is the subject."""
    DELIVERY_MAIL = "secret_mail"
    """Mail with the temporary secret (`secret`, `person`); first line is the subject."""
    FAULT_INCIDENT = "fault_incident"
    """The daemon's own incident (`name`, `why`)."""
    FAULT_MAIL = "fault_mail"
    """The one mail of a fault; first line is the subject."""
    FAULT_MENDED = "fault_mended"
    """The text with which that incident is closed."""
    CLOSE_NOTES = "close_notes"
    """Close notes of the change; readable by approvers."""
    RESOLVE_TEXT = "resolve_text"
    """The ticket's resolution, internal-safe."""


class Occasion(StrEnum):
    """When a requester-visible comment may be written, if the configuration names a template."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The terms of this installation and this process.

    Attributes:
        installation: Names the installation in correlation ids and effect keys, for ever.
        owner: Names this process in effects and claims; another after every restart.
        lease: How long an intent belongs to the process that stored it.
        deadline: How long one call to a target may take; shorter than the lease.
        opening_lookup: How long an unanswered create is looked for before a person decides.
        opening_settle: How long a create that a crash cut off may still arrive; longer than the
            vendor lets a request run (ServiceNow: 60 s), before it is looked for and made.
        allowed_channels: System to the vendor's words of channels that authenticate a requester.
        since: `system/source` to the instant before whose creation tickets are not ours; a source
            without one uses the instant of its first poll.
        field_confidence: The least confidence with which triage writes a field.
        phase_without_action: The phase of tickets for which no action fits.
        comments: Occasion to template, where requester-visible comments are switched on.
        resolve_tickets: Whether a fulfilled ticket is resolved.
        fault_system: The system in which faults of the daemon open an incident; "" for none.
        fault_mail: Who gets the one mail of a fault.
        waiting_interval: How often a waiting handling is looked at whole, though nothing woke it.
        look_spacing: The least time between two such looks over all that wait: with 10,000 of them
            each has its turn in three and a half days, and the cost stays the same. So it is with
            tickets whose own approval is pending, which `approval_interval` looks at.
        pause_spacing: The same for what a pause holds, which is looked at every `pause_interval`.
        max_revisions: After how many revisions of a plan a person decides.
        patience: After how many failures in a row a handling that has work to do is parked.
    """

    installation: str
    owner: str
    lease: timedelta = timedelta(minutes=2)
    deadline: timedelta = timedelta(seconds=60)
    opening_lookup: timedelta = timedelta(minutes=10)
    opening_settle: timedelta = timedelta(seconds=60)
    opening_interval: timedelta = timedelta(seconds=20)
    approval_interval: timedelta = timedelta(minutes=2)
    pause_interval: timedelta = timedelta(seconds=30)
    waiting_interval: timedelta = timedelta(hours=1)
    look_spacing: timedelta = timedelta(seconds=30)
    pause_spacing: timedelta = timedelta(seconds=2)
    backoff_first: timedelta = timedelta(seconds=2)
    backoff_longest: timedelta = timedelta(minutes=15)
    patience: int = 40
    max_revisions: int = 5
    allowed_channels: Mapping[str, frozenset[str]] = field(
        default_factory=dict[str, frozenset[str]]
    )
    since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    field_confidence: float = 0.8
    phase_without_action: Phase = Phase.OBSERVE
    comments: Mapping[Occasion, str] = field(default_factory=dict[Occasion, str])
    resolve_tickets: bool = True
    fault_system: str = ""
    fault_mail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.installation or not self.owner:
            raise ConfigurationError("an installation and a process have names")
        if self.deadline >= self.lease:
            raise ConfigurationError("an effect's deadline must be shorter than its lease")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The ports, and how they belong together.

    `change_systems` maps a ticket's system to the one that holds its changes, by default its own.
    `accounts` shuts systems in which our own account is unsafe; without it none is looked at.
    """

    desks: Mapping[str, TicketDesk]
    changes: Mapping[str, ChangeControl]
    fulfillers: Mapping[str, Fulfiller]
    people: People
    classifier: Classifier
    policy: TierPolicy
    renderer: PlanRenderer
    mailer: Mailer
    store: Store
    clock: Clock
    waker: Waker
    settings: Settings
    change_systems: Mapping[str, str] = field(default_factory=dict[str, str])
    controls: tuple[PauseControl, ...] = ()
    accounts: Accounts | None = None

    def now(self) -> datetime:
        """Return the daemon's own clock; remote facts are judged by the remote one."""
        return self.clock.now()

    def desk(self, ticket: TicketRef) -> TicketDesk:
        """Return the desk of a ticket's system.

        Raises:
            ConfigurationError: The configuration no longer names that system.
            UnsafeAccountError: The system is shut.
        """
        return self._safe(ticket.system, _named(self.desks, ticket.system, "ticket system"))

    def change_system_for(self, ticket_system: str) -> str:
        """Return the system in which changes for tickets of `ticket_system` live."""
        return self.change_systems.get(ticket_system, ticket_system)

    def change_control(self, system: str) -> ChangeControl:
        """Return the change control of `system`.

        Raises:
            ConfigurationError: The configuration no longer names that system.
            UnsafeAccountError: The system is shut.
        """
        return self._safe(system, _named(self.changes, system, "change system"))

    def fulfiller(self, system: str) -> Fulfiller:
        """Return the fulfilment target `system`.

        Raises:
            ConfigurationError: The configuration no longer names that target.
            UnsafeAccountError: The target is shut.
        """
        return self._safe(system, _named(self.fulfillers, system, "fulfilment target"))

    def is_shut(self, system: str) -> bool:
        """Whether nothing may be done with `system`, because our account there is unsafe."""
        return self.accounts is not None and self.accounts.is_shut(system)

    def _safe(self, system: str, found: T) -> T:
        if self.accounts is not None:
            self.accounts.require_safe(system)
        return found


def _named(found: Mapping[str, T], name: str, what: str) -> T:
    try:
        return found[name]
    except KeyError:
        raise ConfigurationError(f"the configuration names no {what} {name!r}") from None


def chain_of(ticket: TicketRef) -> str:
    """Return the name of a ticket's audit chain; it survives every change of kind and key."""
    return f"{ticket.system}:{ticket.id}"
