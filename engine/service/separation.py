"""Separation of duties as it stands: our own account in none of the authorities' groups."""

from collections.abc import Iterable, Mapping

from engine.domain.decision import Authority
from engine.errors import TiergateError
from engine.ports.changes import ChangeControl
from engine.ports.findings import Finding, Severity


def check_authorities(
    changes: Mapping[str, ChangeControl], authorities: Iterable[Authority]
) -> tuple[Finding, ...]:
    """Return a finding for every authority that our account belongs to, or that cannot be read."""
    return tuple(
        _finding(control, authority, authority.groups[system])
        for authority in authorities
        for system, control in changes.items()
        if system in authority.groups
    )


def _finding(control: ChangeControl, authority: Authority, group: str) -> Finding:
    try:
        own, members = control.account(), control.members(group)
    except TiergateError as error:
        return Finding(
            severity=Severity.FAULT,
            code="authority-unread",
            system=control.system,
            seen=f"authority {authority.name}: {type(error).__name__}",
            remedy=f"let the account read group {group} and its members",
        )
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
    return Finding(
        severity=Severity.OK,
        code="authority",
        system=control.system,
        seen=f"authority {authority.name}: {len(members)} members, our account is none of them",
    )
