"""The directory and the mail sink as the demo's people see them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ldap3
import requests
from ldap3.core.exceptions import LDAPException

from engine.cli.demo.seed import Effect, Joins, Password, Unlocked
from engine.errors import AuthenticationError, TransientError

_WRONG = "certainly-not-the-password"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryState:
    """What the daemon could have changed: passwords that must be changed, locks, memberships."""

    must_change: frozenset[str]
    locked: frozenset[str]
    members: frozenset[tuple[str, str]]

    def difference(self, later: "DirectoryState") -> tuple[list[Effect], list[str]]:
        """Return the effects between the two states, and whatever no seed could have meant."""
        effects: list[Effect] = [
            Password(password=uid) for uid in sorted(later.must_change - self.must_change)
        ]
        effects += [Unlocked(unlocked=uid) for uid in sorted(self.locked - later.locked)]
        effects += [
            Joins(joins=group, who=uid) for group, uid in sorted(later.members - self.members)
        ]
        strange = [f"{uid} left {group}" for group, uid in sorted(self.members - later.members)]
        strange += [f"{uid} got locked" for uid in sorted(later.locked - self.locked)]
        return effects, strange


class Directory:
    """The corporate directory, read with an administrator's account of its own."""

    def __init__(self, url: str, username: str, password: str) -> None:
        """Take where it is and who reads it."""
        self._url = url
        self._login = (username, password)

    def state(self) -> DirectoryState:
        """Return passwords, locks and memberships as they are now."""
        people = self._search("(uid=*)")
        groups = self._search("(objectClass=groupOfNames)")
        uid_of = {dn.lower(): _first(entry, "uid") for dn, entry in people.items()}
        return DirectoryState(
            must_change=frozenset(
                _first(entry, "uid")
                for entry in people.values()
                if _first(entry, "pwdReset").upper() == "TRUE"
            ),
            locked=frozenset(
                _first(entry, "uid")
                for entry in people.values()
                if _first(entry, "pwdAccountLockedTime")
            ),
            members=frozenset(
                (_first(entry, "cn"), uid_of.get(member.lower(), member))
                for entry in groups.values()
                for member in entry.get("member", [])
            ),
        )

    def lock(self, uid: str) -> None:
        """Lock a person's account the way people do: by wrong passwords."""
        dn = next(
            dn for dn, entry in self._search("(uid=*)").items() if _first(entry, "uid") == uid
        )
        for _ in range(10):
            if uid in self.state().locked:
                return
            connection = ldap3.Connection(ldap3.Server(self._url), dn, _WRONG)
            if connection.bind():
                raise AuthenticationError(f"a wrong password opened {uid}")
            connection.unbind()
        raise TransientError(f"{uid} is not locked after ten wrong passwords")

    def leave(self, group: str, uid: str) -> None:
        """Take a person out of a group, as an administrator would."""
        people, groups = self._search("(uid=*)"), self._search("(objectClass=groupOfNames)")
        member = next(dn for dn, entry in people.items() if _first(entry, "uid") == uid)
        target = next(dn for dn, entry in groups.items() if _first(entry, "cn") == group)
        try:
            with self._bound(ldap3.Server(self._url)) as connection:
                untyped: Any = connection
                untyped.modify(target, {"member": [(ldap3.MODIFY_DELETE, [member])]})
        except LDAPException as error:
            raise TransientError(f"the directory at {self._url}: {type(error).__name__}") from error

    def intrude(self, admin_url: str, group: str) -> None:
        """Break the directory on purpose: whoever joins `group` brings another member along."""
        try:
            answer = requests.post(
                f"{admin_url.rstrip('/')}/seed",
                json={"companion": {group: "svc-backup"}},
                timeout=10,
            )
            answer.raise_for_status()
        except requests.RequestException as error:
            raise TransientError(f"the directory's seed: {type(error).__name__}") from error

    @contextmanager
    def _bound(self, server: ldap3.Server) -> Generator[ldap3.Connection]:
        # ldap3's own context manager leaves a connection open that was bound before.
        connection = ldap3.Connection(server, *self._login, raise_exceptions=True)
        try:
            connection.bind()
            yield connection
        finally:
            connection.unbind()

    def _search(self, query: str) -> dict[str, Mapping[str, list[str]]]:
        try:
            server = ldap3.Server(self._url, get_info=ldap3.DSA)
            with self._bound(server) as connection:
                base = server.info.naming_contexts[0]
                connection.search(base, query, attributes=["*", "+"])
                return {
                    found["dn"]: {
                        name: [_text(value) for value in values]
                        for name, values in found["raw_attributes"].items()
                    }
                    for found in connection.response or []
                    if found["type"] == "searchResEntry"
                }
        except LDAPException as error:
            raise TransientError(f"the directory at {self._url}: {type(error).__name__}") from error


def _first(entry: Mapping[str, list[str]], name: str) -> str:
    return next(iter(entry.get(name, [])), "")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


class Mails:
    """The mail sink: whatever was sent, to whomever."""

    def __init__(self, url: str) -> None:
        """Take the sink's own API."""
        self._url = url.rstrip("/")

    def recipients(self) -> tuple[str, ...]:
        """Return the addresses that got mail, one a message."""
        try:
            answer = requests.get(f"{self._url}/messages", timeout=10)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise TransientError(f"the mail sink: {type(error).__name__}") from error
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return tuple(str(to) for message in messages for to in message["recipients"])
