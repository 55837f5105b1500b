"""The one organisation behind all sandboxes, read from organisation.yaml."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from ruamel.yaml import YAML


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody of the organisation, with the ids of the accounts in each system."""

    employee_number: str
    uid: str
    name: str
    department: str
    manager: str
    """The manager's uid, or "" at the top."""
    servicenow: str
    jira: str
    private_mail: str
    groups: tuple[str, ...]
    """Names of the directory groups."""
    vip: bool = False
    agent: bool = False
    approver: bool = False

    @property
    def mail(self) -> str:
        """Return the address at the organisation."""
        return f"{self.uid}@example.com"

    @property
    def password(self) -> str:
        """Return the password that the person's account has in every sandbox."""
        return f"{self.uid}-pw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that is nobody: `kind` is integration, admin or service."""

    uid: str
    name: str
    kind: str
    servicenow: str
    jira: str

    @property
    def mail(self) -> str:
        """Return the address at the organisation."""
        return f"{self.uid}@example.com"

    @property
    def password(self) -> str:
        """Return the password that the account has in every sandbox."""
        return f"{self.uid}-pw"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItsmGroup:
    """A group inside the ITSM tools; members are uids."""

    name: str
    servicenow: str
    jira: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryGroup:
    """A group of the corporate directory; members are uids."""

    name: str
    description: str
    members: tuple[str, ...]
    privileged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Everybody and every group, in the order of the file."""

    people: tuple[Person, ...]
    accounts: tuple[Account, ...]
    itsm_groups: tuple[ItsmGroup, ...]
    directory_groups: tuple[DirectoryGroup, ...]
    _by_uid: dict[str, Person] = field(default_factory=dict, repr=False, compare=False)

    def person(self, uid: str) -> Person:
        """Return the person with this uid.

        Raises:
            KeyError: nobody has it.
        """
        if not self._by_uid:
            self._by_uid.update({person.uid: person for person in self.people})
        return self._by_uid[uid]

    def account(self, kind: str) -> Account:
        """Return the first account of a kind.

        Raises:
            KeyError: there is none.
        """
        for account in self.accounts:
            if account.kind == kind:
                return account
        raise KeyError(kind)


@functools.cache
def load_organisation() -> Organisation:
    """Read the organisation that is shipped with the sandboxes.

    Raises:
        TypeError: the file has a key that the dataclasses do not know, or lacks one.
    """
    text = resources.files("connectors.sandboxkit").joinpath("organisation.yaml").read_text("utf-8")
    raw = YAML(typ="safe", pure=True).load(text)
    return Organisation(
        people=tuple(Person(**_record(one, "groups")) for one in raw["people"]),
        accounts=tuple(Account(**_record(one)) for one in raw["accounts"]),
        itsm_groups=tuple(ItsmGroup(**_record(one, "members")) for one in raw["itsm_groups"]),
        directory_groups=tuple(
            DirectoryGroup(**_record(one, "members")) for one in raw["directory_groups"]
        ),
    )


def _record(raw: Mapping[str, Any], listed: str | None = None) -> dict[str, Any]:
    record = dict(raw)
    if listed is not None:
        record[listed] = tuple(record.get(listed, ()))
    return record
