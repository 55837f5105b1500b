"""Where a temporary password goes: out of band, never to a mailbox that the account opens."""

import re
from datetime import datetime

from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory
from connectors.ldap.entry import Entry, dn_key
from connectors.ldap.settings import MAILBOX_ATTRIBUTES, LDAPSettings
from engine.errors import PreconditionError

_ADDRESS = re.compile(r"[^@\s<>(),;:\"\\\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


class Delivery:
    """Finds the address, and refuses one that is not surely somebody's own."""

    def __init__(self, settings: LDAPSettings, directory: Directory, dialect: Dialect) -> None:
        self._settings = settings
        self._directory = directory
        self._dialect = dialect

    def address(self, person: Entry, *, attribute: str, or_manager: bool, at: datetime) -> str:
        """Return the private address on file, otherwise (if asked) the manager's mailbox.

        Raises:
            PreconditionError: There is none, it is a mailbox that the account itself opens, or it,
                or who the manager is, may have changed within the configured days before `at`.
        """
        if attribute.lower() != self._settings.private_mail.lower():
            # Its write protection is what `check` proves; of another one nothing is known.
            raise PreconditionError(
                f"{attribute} is not the `private_mail` attribute of this directory's settings"
            )
        own = self._own_addresses(person)
        addresses = person.texts(attribute)
        if addresses:
            address = _only(addresses, f"{attribute} of {person.dn}")
            if _domain(address) in self._own_domains(own):
                raise PreconditionError(
                    f"{attribute} of {person.dn} is an address of the organisation itself"
                )
            self._require_settled(person, attribute, at)
            return address
        if not or_manager:
            raise PreconditionError(f"{person.dn} has no {attribute}")
        return self._manager_address(person, own, at)

    def _manager_address(self, person: Entry, own: frozenset[str], at: datetime) -> str:
        names = self._dialect.names
        managers = person.texts(names.manager)
        if len(managers) != 1 or dn_key(managers[0]) == dn_key(person.dn):
            raise PreconditionError(f"{person.dn} has neither a private address nor a manager")
        manager = self._directory.read(managers[0], self._dialect.person_attributes)
        if manager is None or self._dialect.login_state(manager).is_disabled:
            raise PreconditionError(f"the manager of {person.dn} is gone or disabled")
        address = _only(manager.texts(names.mail), f"{names.mail} of {manager.dn}")
        if address.casefold() in own:
            raise PreconditionError(f"the manager's mailbox is one that {person.dn} opens")
        self._require_settled(person, names.manager, at)
        self._require_settled(manager, names.mail, at)
        return address

    def _require_settled(self, entry: Entry, attribute: str, at: datetime) -> None:
        since = at - self._settings.lookback
        if self._dialect.changed_at(entry, attribute, since) >= since:
            days = self._settings.lookback.days
            raise PreconditionError(
                f"{attribute} of {entry.dn} changed within the last {days} days, or may have"
            )

    def _own_addresses(self, person: Entry) -> frozenset[str]:
        found = [
            text
            for name in (*MAILBOX_ATTRIBUTES, self._dialect.names.mail)
            for text in person.texts(name)
        ]
        # proxyAddresses carry their kind: `SMTP:` the main one, `smtp:` the others.
        return frozenset(re.sub(r"^[A-Za-z0-9]+:", "", text).casefold() for text in found)

    def _own_domains(self, own: frozenset[str]) -> frozenset[str]:
        configured = {domain.casefold() for domain in self._settings.mail_domains}
        return frozenset(configured | {_domain(address) for address in own})


def _only(addresses: tuple[str, ...], what: str) -> str:
    if len(addresses) != 1:
        raise PreconditionError(f"{what}: {len(addresses)} addresses, one is needed")
    address = addresses[0].strip()
    if not _ADDRESS.fullmatch(address):
        raise PreconditionError(f"{what} is no mail address")
    return address


def _domain(address: str) -> str:
    return address.rpartition("@")[2].casefold()
