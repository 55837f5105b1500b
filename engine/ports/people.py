"""People: the person behind an account."""

from typing import Protocol

from engine.domain.refs import Account, Person


class People(Protocol):
    """Joins accounts of all systems to persons by configured immutable keys."""

    def person(self, account: Account) -> Person:
        """Return the one person behind `account`, read afresh.

        Raises:
            PersonUnknownError: None or more than one match.
        """
        ...

    def by_name(self, text: str) -> Person:
        """Return the one person that a name, user id or address in a ticket's text means.

        Raises:
            PersonUnknownError: None or more than one match.
        """
        ...


class AccountFacts(Protocol):
    """Looks up the join value of one account in its own system, read afresh."""

    def __call__(self, account: Account, /) -> str:
        """Return the value that joins this account to a person, "" where it carries none.

        Raises:
            RecordNotFoundError: The account is gone.
        """
        ...
