"""What differs between directory servers, as one port that both flavours implement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connectors.ldap.entry import Entry
from connectors.ldap.settings import AttributeSettings, LDAPSettings
from engine.ports.fulfilment import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginState:
    """Whether somebody can log in; `mark` is the native value, to put back or to compare."""

    is_locked: bool
    is_disabled: bool
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordJudgement:
    """Whether the password at the directory is the temporary one and has to be changed."""

    is_as_planned: bool
    facts: Mapping[str, str]
    because: str = ""
    is_partly_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The attributes of one directory, the configured ones before the flavour's habit."""

    uid: str
    department: str
    mail: str
    manager: str
    join_on: str
    private_mail: str
    vip: str
    service: str

    @classmethod
    def of(cls, settings: LDAPSettings, *, uid: str, department: str) -> "Names":
        """Return the names of a directory whose flavour has these habits."""
        chosen: AttributeSettings = settings.attributes
        return cls(
            uid=chosen.uid or uid,
            department=chosen.department or department,
            mail=chosen.mail,
            manager=chosen.manager,
            join_on=settings.join_on,
            private_mail=settings.private_mail,
            vip=settings.vip.attribute,
            service=settings.service.attribute,
        )

    def all(self) -> tuple[str, ...]:
        """Return every name, for reading a person."""
        return (
            self.uid,
            self.department,
            self.mail,
            self.manager,
            self.join_on,
            self.private_mail,
            self.vip,
            self.service,
        )


class Dialect(Protocol):
    """One flavour of directory; every method reads or writes the server itself.

    Every method may raise TransientError, MissingRightError and RecordNotFoundError; the writing
    ones OutcomeUnknownError, and PreconditionError where the directory refuses.
    """

    names: Names
    person_filter: str
    group_filter: str
    person_attributes: tuple[str, ...]
    group_attributes: tuple[str, ...]

    def stable_id(self, entry: Entry) -> str:
        """Return the id that never changes.

        Raises:
            InvalidAnswerError: The entry shows none.
        """
        ...

    def by_id(self, stable_id: str) -> str:
        """Return the filter for an id.

        Raises:
            PreconditionError: The text is no id.
        """
        ...

    def login_state(self, person: Entry) -> LoginState:
        """Return whether the person can log in, as the entry tells it."""
        ...

    def privilege(self, entry: Entry) -> str:
        """Return why a person or group is privileged by the server's own measure, else ""."""
        ...

    def service_because(self, person: Entry) -> str:
        """Return why an entry is a service account by the server's own measure, else ""."""
        ...

    def group_dns(self, person: Entry) -> tuple[str, ...]:
        """Return the groups that a person is directly in."""
        ...

    def unlisted_groups(self, person: Entry) -> tuple[Entry, ...]:
        """Return the groups that a person is in without being listed as a member."""
        ...

    def refuses_reset(self, person: Entry) -> str:
        """Return why no temporary password can be enforced for this account, else ""."""
        ...

    def password_mark(self, person: Entry) -> str:
        """Return what moves when the password is set."""
        ...

    def set_temporary_password(self, person: Entry, secret: Secret) -> None:
        """Set the password, demand that it is changed, and lift a lock by failed logins."""
        ...

    def judge_password(self, person: Entry, secret: Secret, mark: str) -> PasswordJudgement:
        """Say whether `secret` is the password since `mark` and must be changed."""
        ...

    def unlock(self, person: Entry) -> None:
        """Lift the lock by failed logins; lifting it twice is the same."""
        ...

    def disable(self, person: Entry, state: LoginState) -> None:
        """Disable the account, if its state is still the one that was read."""
        ...

    def enable(self, person: Entry, mark: str) -> None:
        """Put back the state that `mark` was read from."""
        ...

    def members(self, group_dn: str) -> tuple[str, ...]:
        """Return all direct members' names, however many.

        Raises:
            RecordNotFoundError: No such group.
        """
        ...

    def add_member(self, group_dn: str, person_dn: str) -> None:
        """Add a member; adding twice is the same."""
        ...

    def remove_member(self, group_dn: str, person_dn: str) -> None:
        """Remove a member; removing twice is the same."""
        ...

    def changed_at(self, entry: Entry, attribute: str, since: datetime) -> datetime:
        """Return an instant that is not before the attribute's last change, as near as it gets."""
        ...

    def clock(self) -> datetime | None:
        """Return the server's own time; None where it does not tell."""
        ...

    def server_name(self) -> str:
        """Return which of several servers answers, "" where the directory has no such notion."""
        ...
