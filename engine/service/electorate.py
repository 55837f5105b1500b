"""Whose word counts: the one judgement of an account, behind a change and before the desk; pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.domain.change import InvalidReason, Membership, Verdict, VerdictKind
from engine.domain.decision import Freeze
from engine.domain.plan import Plan
from engine.domain.refs import Account, Person

Identity = tuple[str, str]
Doubt = tuple[InvalidReason, str]
"""Why somebody's word does not count, for machines and for people."""
OldEnough = Callable[[Membership], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who may not speak for a plan, whatever group they belong to.

    Attributes:
        persons: Account to person, for whoever is judged and the daemon; None: nobody, or several.
    """

    plan: Plan
    daemon: Account
    persons: Mapping[Identity, Person | None]

    def key(self, account: Account) -> str | None:
        """Return the person behind an account; None where it is not exactly one known person."""
        person = self.persons.get(account.identity)
        return None if person is None else person.key

    def is_daemon(self, account: Account | None) -> bool:
        """Whether this is our own account."""
        return account is not None and account.identity == self.daemon.identity

    def doubt(self, account: Account) -> Doubt | None:
        """Return why this account is a party to the plan, or nobody knows whose it is."""
        name = account.name
        if self.is_daemon(account):
            return InvalidReason.DAEMON_APPROVED, f"{name} is the daemon's own account"
        if (key := self.key(account)) is None:
            return InvalidReason.PERSON_UNKNOWN, f"{name} is not exactly one known person"
        if key == self.key(self.daemon):
            return InvalidReason.DAEMON_APPROVED, f"{name} is the daemon under another name"
        if key in {self.plan.requester_key, self.plan.subject_key}:
            return InvalidReason.SELF_APPROVED, f"{name} asked for this, or it is about {name}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Electorate:
    """Who belonged to the group that decides when it was asked, and still does.

    Attributes:
        members: The group's members now; None when they could not be read.
        members_then: Ids of its members when it was asked, for groups that keep no dates.
        asked_at: A member of that very instant is too late.
        asked: What happened then, for people: "the plan was submitted".
    """

    authority: str
    members: tuple[Membership, ...] | None
    members_then: frozenset[str]
    asked_at: datetime
    asked: str

    def doubt(self, account: Account, is_old_enough: OldEnough | None = None) -> Doubt | None:
        """Return why this account does not belong to the group that was asked."""
        name = account.name
        if self.members is None:
            because = f"the members of {self.authority} cannot be read"
            return InvalidReason.MEMBERSHIP_UNREADABLE, because
        found = [one for one in self.members if one.account.identity == account.identity]
        if not found:
            return InvalidReason.OUTSIDE_AUTHORITY, f"{name} does not belong to {self.authority}"
        if any(map(is_old_enough or self._had_joined, found)):
            return None
        because = f"{name} joined {self.authority} after {self.asked}"
        return InvalidReason.MEMBER_TOO_LATE, because

    def _had_joined(self, member: Membership) -> bool:
        if member.since is None:
            return member.account.id in self.members_then
        return member.since < self.asked_at


def frozen(freezes: Collection[Freeze], clocks: Collection[datetime]) -> Verdict | None:
    """Return the change freeze in which one of the clocks stands."""
    for freeze in freezes:
        if any(map(freeze.covers, clocks)):
            return Verdict(
                kind=VerdictKind.INVALID,
                reason=InvalidReason.FROZEN,
                because=f"change freeze {freeze.name}",
                not_before=freeze.ends_at,
            )
    return None
