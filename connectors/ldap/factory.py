"""Puts one directory's adapters together; nothing here talks to the server."""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.ldap.active_directory import ActiveDirectoryDialect
from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory
from connectors.ldap.fulfiller import LDAPFulfiller
from connectors.ldap.openldap import OpenLDAPDialect
from connectors.ldap.people import LDAPPeople
from connectors.ldap.settings import Flavour, LDAPSettings
from connectors.ldap.transport import Transport
from engine.ports.clock import Clock
from engine.ports.people import AccountFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LDAPAdapters:
    """The two adapters of one directory, over one connection; `close` ends it."""

    fulfiller: LDAPFulfiller
    people: LDAPPeople
    transport: Transport

    def close(self) -> None:
        """Close the connection; a later call would open another."""
        self.transport.close()


def build(
    name: str,
    settings: LDAPSettings,
    *,
    installation_key: bytes,
    clock: Clock,
    account_facts: Mapping[str, AccountFacts] | None = None,
) -> LDAPAdapters:
    """Return the adapters of the directory that the configuration calls `name`.

    `account_facts` says for each ticket system how the join value of one of its accounts is read.

    Raises:
        ConfigurationError: The installation key is too short.
    """
    transport = Transport(name, settings)
    directory = Directory(settings, transport)
    dialect = _dialect(settings, directory)
    return LDAPAdapters(
        fulfiller=LDAPFulfiller(
            name, settings, directory, dialect, installation_key=installation_key, clock=clock
        ),
        people=LDAPPeople(name, settings, directory, dialect, facts=account_facts or {}),
        transport=transport,
    )


def _dialect(settings: LDAPSettings, directory: Directory) -> Dialect:
    match settings.flavour:
        case Flavour.OPENLDAP:
            return OpenLDAPDialect(settings, directory)
        case Flavour.ACTIVE_DIRECTORY:
            return ActiveDirectoryDialect(settings, directory)
