"""A ticket as polled: one incident or service request of one system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from engine.domain.refs import Account, TicketRef


class TicketState(StrEnum):
    """The remote record's own state, in ITIL words; connectors map theirs onto it, totally."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether anybody still works on the ticket."""
        return self in {TicketState.NEW, TicketState.IN_PROGRESS, TicketState.ON_HOLD}


class NativeApproval(StrEnum):
    """The ticket's own approval (a catalog item's, a JSM request's)."""

    NONE = "none"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class TicketField(StrEnum):
    """The fields that triage may write."""

    CATEGORY = "category"
    ASSIGNMENT_GROUP = "assignment_group"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNow:
    """A person's internal note that asks to run the plan now, as an emergency change.

    `id` is the native note's own, `by` its author; None when nobody can tell.
    """

    id: str
    by: Account | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket at one version.

    Attributes:
        version: The connector's token of this very version (ServiceNow sys_mod_count, Jira
            `updated`).
        requester: Who asks. `creator`: whose session made the record. Equal accounts through an
            allowed
            channel are what "authenticated" means.
        subject: The account the record itself says it is for (requested_for), else None.
        channel: The vendor's own word for how it came (`self-service`, `portal`, `email`, `phone`).
        catalog_item: Catalog item or request type, by its stable id; "" where there is none.
        variables: Answers to catalog item variables or request form fields, name to text.
        fields: The triage fields as they stand, vendor values; empty text where unset.
        edited: The triage fields that a person set or changed after creation.
        is_held: A person told us to stop here (note `tiergate: hold`, label `tiergate-hold`).
        run_now: The newest internal note `tiergate: run now`.
        group, assignee: Who works on it; an assignee means a person took it.
        approvals_by: Ids of accounts that decided the ticket's own approval.
    """

    ref: TicketRef
    url: str
    version: str
    created_at: datetime
    updated_at: datetime
    state: TicketState
    short_description: str
    description: str
    requester: Account | None
    creator: Account | None
    subject: Account | None = None
    assignee: Account | None = None
    group: str = ""
    channel: str = ""
    catalog_item: str = ""
    catalog_item_name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    fields: Mapping[TicketField, str] = field(default_factory=dict[TicketField, str])
    edited: frozenset[TicketField] = frozenset()
    native_approval: NativeApproval = NativeApproval.NONE
    is_held: bool = False
    is_major_incident: bool = False
    is_security: bool = False
    updated_by: str = ""
    run_now: RunNow | None = None

    @property
    def text(self) -> str:
        """What the requester wrote: untrusted text, for the classifier only."""
        return f"{self.short_description}\n{self.description}".strip()
