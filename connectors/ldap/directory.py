"""What is looked up in a directory: entries by stable id, groups, who we are ourselves."""

import string
from collections.abc import Iterable, Sequence

from connectors.ldap.entry import Entry, dn_key
from connectors.ldap.settings import LDAPSettings
from connectors.ldap.transport import Transport
from engine.errors import InvalidAnswerError, RecordNotFoundError

_PLAIN = frozenset((string.ascii_letters + string.digits + "-_.@").encode())
_LONGEST_TEXT = 256
_DEEPEST = 32


def equals(attribute: str, value: str | bytes) -> str:
    """Return the filter that an attribute equals a value; the value cannot break out of it.

    All bytes but plain letters, digits and `-_.@` are escaped (RFC 4515, 3): the library's own
    escaping leaves outer blanks, which its parser then cuts, also out of an objectGUID.
    """
    raw = value.encode() if isinstance(value, str) else value
    escaped = "".join(chr(byte) if byte in _PLAIN else f"\\{byte:02x}" for byte in raw)
    return f"({attribute}={escaped})"


class Directory:
    """Looks entries up; every read is fresh, every filter is escaped."""

    def __init__(self, settings: LDAPSettings, transport: Transport) -> None:
        self._settings = settings
        self.transport = transport
        self._base = settings.base

    @property
    def base(self) -> str:
        """The configured base, else the one that the server names.

        Raises:
            InvalidAnswerError: The server names none or several.
        """
        if not self._base:
            root = self.root()
            # Access log, monitor and configuration are contexts too, and nobody's.
            contexts = [dn for dn in root.texts("namingContexts") if not _is_the_servers(dn)]
            named = root.texts("defaultNamingContext") or contexts
            if len(named) != 1:
                raise InvalidAnswerError(f"the server names {len(named)} bases: configure `base`")
            self._base = named[0]
        return self._base

    @property
    def people(self) -> str:
        """The base below which people are looked for."""
        return self._settings.people or self.base

    @property
    def groups(self) -> str:
        """The base below which groups are looked for."""
        return self._settings.groups or self.base

    def root(self) -> Entry:
        """Return the server's own entry (RFC 4512, 5.1).

        Raises:
            InvalidAnswerError: There is none.
        """
        found = self.transport.search("", "(objectClass=*)", ["*", "+"], scope="BASE")
        if len(found) != 1:
            raise InvalidAnswerError("the server shows no entry of its own")
        return found[0]

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """Return one entry by its present name; None where there is none that we see."""
        found = self.transport.search(dn, "(objectClass=*)", attributes, scope="BASE")
        return next(iter(found), None)

    def one(self, base: str, filter_text: str, attributes: Sequence[str], what: str) -> Entry:
        """Return the only entry that matches.

        Raises:
            RecordNotFoundError: None matches.
            InvalidAnswerError: More than one matches.
        """
        found = self.transport.search(base, filter_text, attributes)
        for entry in found[:1]:
            if len(found) == 1:
                return entry
            raise InvalidAnswerError(f"{what} is in the directory {len(found)} times")
        raise RecordNotFoundError(f"{what} is not in the directory, or hidden from our account")

    def any_of(
        self, base: str, kind: str, names: Iterable[str], text: str, attributes: Sequence[str]
    ) -> tuple[Entry, ...]:
        """Return the entries of a kind that carry exactly this text in one of the attributes."""
        text = text.strip()
        if not text or len(text) > _LONGEST_TEXT or not text.isprintable():
            return ()
        alternatives = "".join(equals(name, text) for name in names)
        return self.transport.search(base, f"(&{kind}(|{alternatives}))", attributes)

    def groups_above(self, dn: str, group_filter: str, attributes: Sequence[str]) -> list[Entry]:
        """Return every group that `dn` is in, also through other groups.

        Raises:
            InvalidAnswerError: Groups are nested deeper than anybody would nest them.
        """
        found: dict[str, Entry] = {}
        layer = [dn]
        for _depth in range(_DEEPEST):
            above = [
                group
                for member in layer
                for group in self.transport.search(
                    self.base, f"(&{group_filter}{equals('member', member)})", attributes
                )
            ]
            layer = [group.dn for group in above if dn_key(group.dn) not in found]
            found.update({dn_key(group.dn): group for group in above})
            if not layer:
                return list(found.values())
        raise InvalidAnswerError(f"groups above {dn} are nested deeper than {_DEEPEST}")


def _is_the_servers(dn: str) -> bool:
    return dn_key(dn).startswith("cn=")
