"""The person behind an account: joined by an immutable key of the directory, or not at all."""

from collections.abc import Mapping

from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import Entry, first_name
from connectors.ldap.settings import LDAPSettings
from engine.domain.canonical import JSON
from engine.domain.refs import Account, Person
from engine.errors import PersonUnknownError, PreconditionError, RecordNotFoundError
from engine.ports.people import AccountFacts


class LDAPPeople:
    """Implements `People` over one directory."""

    def __init__(
        self,
        system: str,
        settings: LDAPSettings,
        directory: Directory,
        dialect: Dialect,
        *,
        facts: Mapping[str, AccountFacts],
    ) -> None:
        """Take, per ticket system, what looks up the join value of one of its accounts."""
        self._system = system
        self._settings = settings
        self._directory = directory
        self._dialect = dialect
        self._facts = facts

    def person(self, account: Account) -> Person:
        """Return the one person behind an account, read afresh.

        Raises:
            PersonUnknownError: The account carries no join value, or none or several people do.
        """
        if account.system == self._system:
            return self._person(_only(self._by_id(account.id), f"{account.system}:{account.name}"))
        value = self._join_value(account)
        attribute = self._settings.accounts.get(account.system, self._settings.join_on)
        found = self._directory.any_of(
            self._directory.people,
            self._dialect.person_filter,
            (attribute,),
            value,
            self._dialect.person_attributes,
        )
        return self._person(_only(found, f"{account.system}:{account.name}"), account)

    def _by_id(self, stable_id: str) -> tuple[Entry, ...]:
        try:
            wanted = self._dialect.by_id(stable_id)
        except PreconditionError as error:
            raise PersonUnknownError(str(error)) from error
        return self._directory.transport.search(
            self._directory.people,
            f"(&{self._dialect.person_filter}{wanted})",
            self._dialect.person_attributes,
        )

    def _join_value(self, account: Account) -> str:
        lookup = self._facts.get(account.system)
        if lookup is None:
            raise PersonUnknownError(f"nothing joins accounts of {account.system} to people")
        try:
            value = lookup(account).strip()
        except RecordNotFoundError as error:
            raise PersonUnknownError(f"{account.system}:{account.name} is gone") from error
        if not value:
            raise PersonUnknownError(f"{account.system}:{account.name} carries no join key")
        return value

    def by_name(self, text: str) -> Person:
        """Return the one person whose user id, address or whole name a text is.

        Raises:
            PersonUnknownError: None, or several; two people of one name are nobody.
        """
        names = self._dialect.names
        attributes = (names.uid, names.mail, "cn", "displayName", "userPrincipalName")
        known = tuple(name for name in attributes if name in self._searchable())
        found = self._directory.any_of(
            self._directory.people,
            self._dialect.person_filter,
            known,
            text,
            self._dialect.person_attributes,
        )
        return self._person(_only(found, "the name in the ticket"))

    def _searchable(self) -> frozenset[str]:
        return frozenset(self._dialect.person_attributes)

    def _person(self, entry: Entry, *others: Account) -> Person:
        join_on = self._settings.join_on
        keys = entry.texts(join_on)
        if len(keys) != 1 or not keys[0].strip():
            raise PersonUnknownError(f"{entry.dn} carries no single {join_on}")
        same = self._directory.transport.search(
            self._directory.base, equals(join_on, keys[0]), [join_on]
        )
        if len(same) != 1:
            raise PersonUnknownError(f"{join_on} of {entry.dn} stands on {len(same)} entries")
        stable_id = self._dialect.stable_id(entry)
        login = entry.text(self._dialect.names.uid)
        own = Account(system=self._system, id=stable_id, name=login)
        return Person(
            key=keys[0],
            name=entry.text("displayName") or entry.text("cn") or login,
            directory_id=stable_id,
            accounts=(own, *others),
            facts=self._facts_of(entry, login),
        )

    def _facts_of(self, entry: Entry, login: str) -> Mapping[str, JSON]:
        names, vip, service = self._dialect.names, self._settings.vip, self._settings.service
        is_service = entry.has(service.attribute, service.values) or bool(
            self._dialect.service_because(entry)
        )
        state = self._dialect.login_state(entry)
        return {
            "uid": login,
            "vip": entry.has(vip.attribute, vip.values),
            "kind": "service" if is_service else "person",
            "department": entry.text(names.department),
            "manager": self._manager(entry),
            "active": not state.is_disabled,
            "locked": state.is_locked,
            "groups": sorted(first_name(dn) for dn in self._dialect.group_dns(entry)),
        }

    def _manager(self, entry: Entry) -> str:
        dn = entry.text(self._dialect.names.manager)
        if not dn:
            return ""
        manager = self._directory.read(dn, [self._dialect.names.uid])
        return manager.text(self._dialect.names.uid) if manager else ""


def _only(found: tuple[Entry, ...], what: str) -> Entry:
    if len(found) != 1:
        raise PersonUnknownError(f"{what} means {len(found)} people in the directory")
    return found[0]
