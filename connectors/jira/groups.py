"""Groups: who is in them now."""

from connectors.jira.client import JiraClient
from connectors.jira.transport import RefusedError
from engine.domain.change import Membership
from engine.domain.refs import Account
from engine.errors import InvalidAnswerError, MissingRightError, RecordNotFoundError


def group_members(client: JiraClient, group_id: str) -> tuple[Account, ...]:
    """Return the active members of a group, read afresh.

    Raises:
        MissingRightError: We may not read groups.
        RecordNotFoundError: There is no such group.
        InvalidAnswerError: A member without an id.
    """
    by = "groupId" if client.is_cloud else "groupname"
    params = {by: group_id, "includeInactiveUsers": "false", "maxResults": 50}
    found: list[Account] = []
    for bean in client.pages("group/member", "values", params):
        account = client.account(bean)
        if account is None:
            raise InvalidAnswerError(f"{client.name} group {group_id}: a member without an id")
        found.append(account)
    return tuple(found)


def memberships(client: JiraClient, group_id: str) -> tuple[Membership, ...] | None:
    """Return the group's members, without a date: Jira keeps none; None where they are unreadable.

    Who belonged to it when the plan was submitted is for the caller to keep.
    """
    try:
        found = group_members(client, group_id)
    except (MissingRightError, RecordNotFoundError, RefusedError):
        return None
    return tuple(Membership(account=account, since=None) for account in found)
