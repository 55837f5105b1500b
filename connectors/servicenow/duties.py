"""Ways to an approval that go through groups: inherited roles, parents, and who manages whom.

A group's roles belong to its members, and a child group has those of its parents (ServiceNow docs,
"Group hierarchy"); `sys_user_has_role` shows inherited ones only where the instance maintains them,
so the groups are asked themselves. A group whose `include_members` is set asks its children's
members as well. Managers of groups and of people are what "manager approval" policies name.
"""

from collections.abc import Iterable, Mapping

from connectors.servicenow import query as q
from connectors.servicenow.answers import shown, text
from connectors.servicenow.probe import COULD_APPROVE, Probe
from engine.errors import PermanentError
from engine.ports.findings import Finding, Severity

_DEEPEST = 10


def duties(probe: Probe) -> Iterable[Finding]:
    """Yield every finding about our account's groups, their parents, and what it manages."""
    own, names = _groups(probe)
    above = _parents(probe, own, names)
    yield from _group_roles(probe, own | above, names)
    yield from _asked_parents(probe, above, names)
    yield from _managed(probe)


def _groups(probe: Probe) -> tuple[frozenset[str], dict[str, str]]:
    account = probe.client.account().id
    rows, _ = probe.client.all_rows(
        "sys_user_grmember", q.equals("user", account), fields=("user", "group")
    )
    names = {text(row, "group"): shown(row, "group") for row in rows}
    return frozenset(names), names


def _parents(probe: Probe, own: frozenset[str], names: dict[str, str]) -> frozenset[str]:
    """Return the groups above ours; a circle of groups ends by itself."""
    seen, level = set(own), set(own)
    for _ in range(_DEEPEST):
        if not level:
            break
        rows, _hidden = probe.client.rows_of(
            "sys_user_group", "sys_id", level, fields=("name", "parent")
        )
        names |= {text(row, "parent"): shown(row, "parent") for row in rows if text(row, "parent")}
        level = {text(row, "parent") for row in rows} - seen - {""}
        seen |= level
    return frozenset(seen - own)


def _group_roles(
    probe: Probe, groups: frozenset[str], names: Mapping[str, str]
) -> Iterable[Finding]:
    if not groups:
        return
    try:
        rows, hidden = probe.client.rows_of(
            "sys_group_has_role", "group", groups, fields=("group", "role")
        )
    except PermanentError as error:
        yield _unproved(probe, "group_roles", f"roles of our groups cannot be read ({error})")
        return
    if hidden:
        yield _unproved(probe, "group_roles", f"{hidden} roles of our groups are hidden")
    for row in rows:
        role = shown(row, "role")
        if role in COULD_APPROVE:
            group = names.get(text(row, "group"), shown(row, "group"))
            yield probe.finding(
                Severity.UNSAFE,
                f"may_approve:group_role:{role}",
                f"the account has the role {role} by the group {group}",
                "Take the account out of the group, or the role from it and from its parents.",
            )


def _asked_parents(
    probe: Probe, above: frozenset[str], names: Mapping[str, str]
) -> Iterable[Finding]:
    if not above:
        return
    rows, _ = probe.client.rows_of("sys_user_group", "sys_id", above, fields=("include_members",))
    including = {text(row, "sys_id") for row in rows if text(row, "include_members") == "true"}
    if not including:
        return
    asked, hidden = probe.client.rows_of(
        "sysapproval_group", "assignment_group", including, fields=("assignment_group",)
    )
    if hidden:
        yield _unproved(probe, "group_approvals", "approvals of the groups above ours are hidden")
    for group in sorted({text(row, "assignment_group") for row in asked}):
        yield probe.finding(
            Severity.UNSAFE,
            f"may_approve:parent_group:{names.get(group, group)}",
            f"a group of ours belongs to {names.get(group, group)}, which is asked to approve with"
            " all its members",
            "Take the account out of the group, or the group out of its parent.",
        )


def _managed(probe: Probe) -> Iterable[Finding]:
    account = probe.client.account().id
    groups, hidden = probe.client.all_rows(
        "sys_user_group", q.equals("manager", account), fields=("name", "manager")
    )
    people, unseen = probe.client.all_rows(
        "sys_user", q.equals("manager", account), fields=("user_name", "manager")
    )
    for row in groups:
        if text(row, "manager") == account:
            yield probe.finding(
                Severity.WARNING,
                f"manager:{text(row, 'name')}",
                f"the account manages the group {text(row, 'name')}; a policy may ask managers",
                "Give the group another manager.",
            )
    reports = [text(row, "user_name") for row in people if text(row, "manager") == account]
    if reports:
        yield probe.finding(
            Severity.WARNING,
            "manager_of_people",
            f"the account is the manager of {len(reports)} people; a policy may ask managers",
            "Give them another manager: a daemon manages nobody.",
        )
    if hidden or unseen:
        yield _unproved(probe, "managed", "some of what our account may manage is hidden")


def _unproved(probe: Probe, code: str, seen: str) -> Finding:
    return probe.finding(
        Severity.WARNING,
        f"unproved:{code}",
        seen,
        "Grant the read right, or accept this by name in the configuration.",
    )
