"""Name in the configuration -> adapter. Other distributions add theirs by entry points.

The entry-point group is `tiergate.connectors`; an entry point loads a `Connector`, and its name is
the `kind` that the configuration uses.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata
from typing import Protocol

from pydantic import BaseModel

from connectors.jira import factory as jira
from connectors.jira.settings import JiraSettings
from connectors.ldap import factory as ldap
from connectors.ldap.settings import LDAPSettings
from connectors.servicenow import factory as servicenow
from connectors.servicenow.settings import ServiceNowSettings
from connectors.smtp import factory as smtp
from connectors.smtp.settings import SMTPSettings
from engine.errors import ConfigurationError
from engine.ports.changes import ChangeControl
from engine.ports.clock import Clock
from engine.ports.control import PauseControl
from engine.ports.desk import TicketDesk
from engine.ports.findings import Finding
from engine.ports.fulfilment import Fulfiller
from engine.ports.mailer import Mailer
from engine.ports.people import AccountFacts, People
from engine.ports.trail import AccountTrail

GROUP = "tiergate.connectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Itsm:
    """One ITSM system's adapters; `changes` is None where it keeps no changes."""

    desk: TicketDesk
    changes: ChangeControl | None
    account_key: AccountFacts
    poll: timedelta
    channels: frozenset[str]
    """The vendor's words of channels whose requester counts as authenticated."""
    trail: AccountTrail | None = None
    """What the system says that our account wrote; None where a connector cannot tell."""

    control: PauseControl | None = None
    """The record by which people stop new effects natively; None where none is configured."""

    lag: timedelta = timedelta(0)
    """How far behind the system's now a sweep ends: what was just written is met by the next."""

    def check(self) -> tuple[Finding, ...]:
        """Return the findings of all adapters, each once."""
        found = dict.fromkeys(self.desk.check())
        if self.changes is not None:
            found |= dict.fromkeys(self.changes.check())
        if self.control is not None:
            found |= dict.fromkeys(self.control.check())
        return tuple(found)


class Directory(Protocol):
    """One directory's adapters."""

    @property
    def fulfiller(self) -> Fulfiller:
        """Carries out actions there."""
        ...

    @property
    def people(self) -> People:
        """Joins accounts to the persons it knows."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class Connector(Protocol):
    """What an entry point of the group `tiergate.connectors` loads."""

    settings: type[BaseModel]

    def build(self, name: str, settings: BaseModel, clock: Clock) -> Itsm:
        """Return the adapters of the system that the configuration calls `name`; no I/O."""
        ...


class _ServiceNow:
    settings: type[BaseModel] = ServiceNowSettings

    def build(self, name: str, settings: BaseModel, clock: Clock) -> Itsm:
        own = ServiceNowSettings.model_validate(settings)
        adapters = servicenow.build(name, own, clock)
        return Itsm(
            desk=adapters.desk,
            changes=adapters.changes,
            account_key=adapters.accounts.account_key,
            poll=own.poll,
            lag=own.lag,
            channels=frozenset(own.channels),
            trail=adapters.trail,
            control=adapters.control,
        )


class _Jira:
    settings: type[BaseModel] = JiraSettings

    def build(self, name: str, settings: BaseModel, clock: Clock) -> Itsm:
        own = JiraSettings.model_validate(settings)
        adapters = jira.build(name, own, clock)
        return Itsm(
            desk=adapters.desk,
            changes=adapters.changes,
            account_key=adapters.accounts.account_key,
            poll=own.poll,
            channels=frozenset(own.channels),
            trail=adapters.trail,
            control=adapters.control,
        )


@functools.cache
def _connectors() -> Mapping[str, Connector]:
    found: dict[str, Connector] = {"servicenow": _ServiceNow(), "jira": _Jira()}
    for entry in metadata.entry_points(group=GROUP):
        if entry.name in found:
            raise ConfigurationError(f"two connectors call themselves {entry.name!r}")
        found[entry.name] = entry.load()
    return found


def models() -> Mapping[str, type[BaseModel]]:
    """Return the settings models of every known kind, directories and mail included."""
    itsm = {kind: connector.settings for kind, connector in _connectors().items()}
    return {**itsm, "ldap": LDAPSettings, "smtp": SMTPSettings}


def build_itsm(kind: str, name: str, settings: BaseModel, clock: Clock) -> Itsm:
    """Return the adapters of one ITSM system.

    Raises:
        ConfigurationError: The kind is no ITSM system.
    """
    connector = _connectors().get(kind)
    if connector is None:
        raise ConfigurationError(f"{name}: {kind!r} holds no tickets")
    return connector.build(name, settings, clock)


def build_directory(
    kind: str,
    name: str,
    settings: BaseModel,
    *,
    installation_key: bytes,
    clock: Clock,
    account_facts: Mapping[str, AccountFacts],
) -> Directory:
    """Return the adapters of one directory.

    Raises:
        ConfigurationError: The kind is no directory.
    """
    if not isinstance(settings, LDAPSettings):
        raise ConfigurationError(f"{name}: {kind!r} is no directory")
    return ldap.build(
        name,
        settings,
        installation_key=installation_key,
        clock=clock,
        account_facts=account_facts,
    )


def build_mailer(settings: BaseModel | None, clock: Clock) -> Mailer:
    """Return the mailer.

    Raises:
        ConfigurationError: The configuration has no `mail`.
    """
    if not isinstance(settings, SMTPSettings):
        raise ConfigurationError("mail: expected host and from; secrets are delivered by mail")
    return smtp.build(settings, clock)
