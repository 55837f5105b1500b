"""Typed names for remote records, accounts and persons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.domain.canonical import JSON


class TicketKind(StrEnum):
    """The ITIL kind of a ticket; never interchangeable."""

    INCIDENT = "incident"
    SERVICE_REQUEST = "service_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """One ticket: `id` is the system's immutable id, `key` the name people use (it may change)."""

    system: str
    kind: TicketKind
    id: str
    key: str

    @property
    def identity(self) -> tuple[str, str]:
        """The pair that never changes, whatever happens to kind and key."""
        return (self.system, self.id)

    def __str__(self) -> str:
        return f"{self.system}:{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRef:
    """One native change record: `id` immutable, `number` as people name it."""

    system: str
    id: str
    number: str
    url: str

    def __str__(self) -> str:
        return f"{self.system}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account in one system; `id` is the system's immutable id, `name` is for people only."""

    system: str
    id: str
    name: str

    @property
    def identity(self) -> tuple[str, str]:
        """The pair by which accounts are compared."""
        return (self.system, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person behind accounts in several systems, joined by the configured immutable key.

    `key` is the value of that join key (an employee number, say); persons are compared by it alone.
    `directory_id` is the stable id (entryUUID, objectGUID) of the person's directory entry.
    `facts` are what rules may ask: vip, kind (person|service), department, manager, active, groups.
    """

    key: str
    name: str
    directory_id: str
    accounts: tuple[Account, ...]
    facts: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    def account_in(self, system: str) -> Account | None:
        """Return this person's account in `system`, if one is known."""
        return next((account for account in self.accounts if account.system == system), None)
