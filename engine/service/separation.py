"""Separation of duties as it stands: nobody behind our own account in any authority's group."""

from collections.abc import Callable, Iterable, Mapping

from engine.domain.change import Membership
from engine.domain.decision import Authority
from engine.domain.refs import Account, Person
from engine.errors import AuthenticationError, TiergateError, TransientError
from engine.ports.changes import ChangeControl
from engine.ports.findings import Finding, Severity

Persons = Callable[[Account], Person | None]
"""Who is behind an account; None where nobody or more than one is known."""


def _nobody(account: Account) -> None:
    """Know nobody."""
    del account


def check_authorities(
    changes: Mapping[str, ChangeControl],
    authorities: Iterable[Authority],
    persons: Persons = _nobody,
) -> tuple[Finding, ...]:
    """Return a finding for every authority that we belong to, that is empty, or unreadable.

    We: our account, and every other account of the person that it is joined to, if any.
    """
    return tuple(
        _finding(control, authority, authority.groups[system], persons)
        for authority in authorities
        for system, control in changes.items()
        if system in authority.groups
    )


def _unread(
    control: ChangeControl, authority: Authority, group: str, error: TiergateError
) -> Finding:
    match error:
        case TransientError():
            remedy = "see that the system can be reached, and check again"
        case AuthenticationError():
            remedy = "mend the account's credentials, and check again"
        case _:
            remedy = f"let the account read group {group} and its members"
    return Finding(
        severity=Severity.FAULT,
        code="authority-unread",
        system=control.system,
        seen=f"authority {authority.name}: {error}",
        remedy=remedy,
    )


def _finding(control: ChangeControl, authority: Authority, group: str, persons: Persons) -> Finding:
    try:
        own, members = control.account(), control.members(group)
    except TiergateError as error:
        return _unread(control, authority, group, error)
    if members is None:
        return Finding(
            severity=Severity.FAULT,
            code="authority-unread",
            system=control.system,
            seen=f"authority {authority.name}: the members of group {group} cannot be read",
            remedy="let the account read the group's members; the gate stays shut until then",
        )
    if any(member.account.identity == own.identity for member in members):
        return Finding(
            severity=Severity.UNSAFE,
            code="could-approve",
            system=control.system,
            seen=f"our account {own.name} belongs to the authority {authority.name}",
            remedy=f"take {own.name} out of group {group}",
        )
    if twin := _twin(own, members, persons):
        return Finding(
            severity=Severity.UNSAFE,
            code="could-approve",
            system=control.system,
            seen=(
                f"{twin.name} belongs to the authority {authority.name} and is the person behind"
                f" our account {own.name}"
            ),
            remedy=f"give {own.name} no employee number of a person, or take {twin.name} out",
        )
    if not members:
        return Finding(
            severity=Severity.FAULT,
            code="authority-empty",
            system=control.system,
            seen=f"authority {authority.name}: group {group} has no member, so nobody may approve",
            remedy=f"put the approvers into group {group}, or name another one in the tier map",
        )
    return Finding(
        severity=Severity.OK,
        code="authority",
        system=control.system,
        seen=f"authority {authority.name}: {len(members)} members, our account is none of them",
    )


def _twin(own: Account, members: tuple[Membership, ...], persons: Persons) -> Account | None:
    """Return a member who is the person behind our own account.

    A service account that nobody is behind, as it should be, costs no further question.
    """
    ourselves = persons(own)
    if ourselves is None:
        return None
    for member in members:
        other = persons(member.account)
        if other is not None and other.key == ourselves.key:
            return member.account
    return None
