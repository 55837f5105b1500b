"""Who and what no action touches, whatever a map says: judged afresh, closed in doubt."""

from collections.abc import Callable, Iterable, Sequence

from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import Entry, dn_key
from connectors.ldap.settings import LDAPSettings
from engine.errors import ProtectedSubjectError


class Protection:
    """Refuses privileged, own, service and configured accounts, and groups that lead to power."""

    def __init__(self, settings: LDAPSettings, directory: Directory, dialect: Dialect) -> None:
        self._settings = settings
        self._directory = directory
        self._dialect = dialect
        self._own_dn = ""

    def require_person(self, person: Entry) -> None:
        """Return if the account may be touched.

        Raises:
            ProtectedSubjectError: It may not; the message says why.
        """
        because = self.person_because(person)
        if because:
            raise ProtectedSubjectError(f"{person.dn} is protected: {because}")

    def require_group(self, group: Entry) -> None:
        """Return if the group's members may be changed.

        Raises:
            ProtectedSubjectError: They may not; the message says why.
        """
        because = self.group_because(group)
        if because:
            raise ProtectedSubjectError(f"{group.dn} is protected: {because}")

    def person_because(self, person: Entry) -> str:
        """Return why an account is protected, "" when it is not."""
        if dn_key(person.dn) == dn_key(self.own_dn()):
            return "it is our own account"
        if self._is_named(person, self._settings.protected):
            return "the configuration names it"
        service = self._settings.service
        if person.has(service.attribute, service.values):
            return "it is marked as a service account"
        because = self._dialect.service_because(person) or self._dialect.privilege(person)
        return because or self._by_membership(person, self._dialect.unlisted_groups)

    def group_because(self, group: Entry) -> str:
        """Return why a group is protected, "" when it is not."""
        if self._is_named(group, (*self._settings.protected, *self._settings.protected_groups)):
            return "the configuration names it"
        because = self._dialect.privilege(group) or self._by_membership(group)
        if because:
            return because
        above_us = self._above(self.own_dn())
        if any(dn_key(one.dn) == dn_key(group.dn) for one in above_us):
            return "our own account is in it, so it may grant our own rights"
        return ""

    def is_ordinary(self, group: Entry) -> bool:
        """Whether a group is listed as ordinary, is in no other group, and is not privileged."""
        return (
            self._is_named(group, self._settings.ordinary)
            and not self._dialect.privilege(group)
            and not self.is_nested(group)
        )

    def is_nested(self, group: Entry) -> bool:
        """Whether a group is in another one, so that its members get more than its name says."""
        return bool(self._above(group.dn))

    def own_dn(self) -> str:
        """Return our own account's distinguished name.

        The bind name may be another form of it in Active Directory (user principal name, or
        domain and account name).

        Raises:
            ProtectedSubjectError: It cannot be found, so that nobody can be told from ourselves.
        """
        if not self._own_dn:
            name = self._settings.bind.dn
            if "=" in name:
                self._own_dn = name
            else:
                account = name.rpartition("\\")[2].partition("@")[0]
                found = self._directory.transport.search(
                    self._directory.base,
                    f"(|{equals('userPrincipalName', name)}{equals('sAMAccountName', account)})",
                    ["objectClass"],
                )
                if len(found) != 1:
                    raise ProtectedSubjectError("our own account cannot be found in the directory")
                self._own_dn = found[0].dn
        return self._own_dn

    def protected_group_dns(self) -> dict[str, Sequence[str]]:
        """Return for every configured protected group the entries that its name means."""
        names = ("cn", self._dialect.names.uid)
        found: dict[str, Sequence[str]] = {}
        for text in self._settings.protected_groups:
            if "=" in text:
                entry = self._directory.read(text, ["cn"])
                found[text] = [entry.dn] if entry else []
            else:
                matching = self._directory.any_of(
                    self._directory.base, self._dialect.group_filter, names, text, ["cn"]
                )
                found[text] = [entry.dn for entry in matching]
        return found

    def _by_membership(
        self, entry: Entry, unlisted: Callable[[Entry], Sequence[Entry]] = lambda _: ()
    ) -> str:
        if not self._settings.protected_groups:
            return ""
        groups = self._above(entry.dn)
        for one in unlisted(entry):
            groups += [one, *self._above(one.dn)]
        for group in groups:
            if self._is_named(group, self._settings.protected_groups):
                return f"it is in the protected group {group.text('cn')}"
        return ""

    def _above(self, dn: str) -> list[Entry]:
        return self._directory.groups_above(
            dn, self._dialect.group_filter, self._dialect.group_attributes
        )

    def _is_named(self, entry: Entry, names: Iterable[str]) -> bool:
        own = {
            self._dialect.stable_id(entry).casefold(),
            dn_key(entry.dn),
            *(text.casefold() for text in entry.texts("cn")),
            *(text.casefold() for text in entry.texts(self._dialect.names.uid)),
            *(text.casefold() for text in entry.texts("userPrincipalName")),
        }
        return any((dn_key(name) if "=" in name else name.casefold()) in own for name in names)
