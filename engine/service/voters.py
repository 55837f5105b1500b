"""Reads who could say yes: the persons behind accounts, and who was asked."""

from collections.abc import Iterable

from engine.domain.handling import Handling
from engine.domain.refs import Account, Person
from engine.errors import PersonUnknownError
from engine.service import moves
from engine.service.electorate import Identity
from engine.service.world import Services


def persons_of(
    services: Services, accounts: Iterable[Account | None]
) -> dict[Identity, Person | None]:
    """Return the one person behind each account, None when there is none or more than one."""
    known = {one.identity: one for one in accounts if one is not None}
    return {identity: _person(services, account) for identity, account in known.items()}


def _person(services: Services, account: Account) -> Person | None:
    try:
        return services.people.person(account)
    except PersonUnknownError:
        return None


def members_then(services: Services, handling: Handling, plan_digest: str) -> frozenset[str]:
    """Return who belonged to the group when it was asked, from the chain's own row of it."""
    row = moves.find_recorded(services, handling, "submitted", plan_digest=plan_digest)
    found = row.get("members") if row else None
    return frozenset(map(str, found)) if isinstance(found, list | tuple) else frozenset()
