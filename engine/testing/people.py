"""MemoryPeople and MemoryMailer."""

from collections.abc import Iterable

from engine.domain.canonical import JSON
from engine.domain.refs import Account, Person
from engine.errors import PersonUnknownError
from engine.ports.findings import Finding, Severity
from engine.ports.mailer import Message


def person(key: str, name: str, *systems: str, **facts: JSON) -> Person:
    """Return a person with one account per system; the account's id is the key's lower case."""
    plain: dict[str, JSON] = {
        "kind": "person",
        "vip": False,
        "active": True,
        "department": "",
        "manager": "",
        "groups": [],
    }
    return Person(
        key=key,
        name=name,
        directory_id=f"entry-{key.lower()}",
        accounts=tuple(Account(system=system, id=key.lower(), name=name) for system in systems),
        facts={**plain, **facts},
    )


class MemoryPeople:
    """The People port over persons in memory."""

    def __init__(self, persons: Iterable[Person] = ()) -> None:
        """Know these persons."""
        self.persons: list[Person] = list(persons)

    def person(self, account: Account) -> Person:
        """Return the one person behind `account`."""
        found = [
            item
            for item in self.persons
            if any(mine.identity == account.identity for mine in item.accounts)
        ]
        return _only(found, f"account {account.name}")

    def by_name(self, text: str) -> Person:
        """Return the one person that a name, key or account means."""
        wanted = text.strip().casefold()
        found = [
            item
            for item in self.persons
            if wanted in {item.name.casefold(), item.key.casefold(), item.directory_id.casefold()}
        ]
        return _only(found, f"{text!r}")

    def replace(self, changed: Person) -> None:
        """Let a person's facts or accounts change."""
        self.persons = [changed if item.key == changed.key else item for item in self.persons]


def _only(found: list[Person], what: str) -> Person:
    if len(found) != 1:
        raise PersonUnknownError(f"{what}: {len(found)} persons match")
    return found[0]


class MemoryMailer:
    """The Mailer port; keeps what was sent, as often as it was."""

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep the message."""
        self.sent.append(message)

    def delivered(self) -> dict[str, Message]:
        """Return what arrived, a repeated message once, by its id."""
        return {message.id: message for message in self.sent}

    def check(self) -> tuple[Finding, ...]:
        """Return that all is well."""
        return (Finding(severity=Severity.OK, code="reachable", system="mail", seen="here"),)
