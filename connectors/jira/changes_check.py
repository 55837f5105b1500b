"""What `tiergate check` finds about Jira as change control: could we approve, first of all."""

from collections.abc import Iterator, Sequence

from connectors.jira.chain import BEHIND
from connectors.jira.client import JiraClient
from connectors.jira.desk_check import finding, is_down, permissions, reach
from connectors.jira.groups import group_members
from connectors.jira.moves import Moves
from connectors.jira.opening import Opening
from connectors.jira.plan_form import TEXTS, PlanForm
from connectors.jira.settings import ChangeSettings, CreateBy, GateMode
from connectors.jira.site import FieldUnknownError, NativeField, Site
from connectors.jira.snapshots import Snapshots
from connectors.jira.transport import RefusedError
from connectors.jira.values import Payload, listing, mapping, quoted, text_of
from engine.domain.change import ChangeState
from engine.errors import (
    ConfigurationError,
    InvalidAnswerError,
    MissingRightError,
    RecordNotFoundError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_RIGHTS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "LINK_ISSUES",
    "ADD_COMMENTS", "CREATE_ATTACHMENTS",
)  # fmt: skip
_MIGHTY = ("ADMINISTER", "SYSTEM_ADMIN")
_SAMPLES = 5


def check_changes(
    *,
    client: JiraClient,
    site: Site,
    opening: Opening,
    form: PlanForm,
    snapshots: Snapshots,
    settings: ChangeSettings,
    clock: Clock,
) -> tuple[Finding, ...]:
    """Return every finding of change control."""
    found = list(reach(client, clock))
    if is_down(found):
        return tuple(found)
    site.forget()
    found.extend(_mightiness(client, settings))
    found.extend(_rights(client, settings))
    found.extend(_form(client, site, opening, form, settings))
    found.extend(_samples(client, snapshots, settings))
    found.extend(_pending(client, settings))
    found.extend(_groups(client))
    return tuple(found)


def _mightiness(client: JiraClient, settings: ChangeSettings) -> Iterator[Finding]:
    held = permissions(client, _MIGHTY) | permissions(
        client, ("ADMINISTER_PROJECTS",), project=settings.project
    )
    for right in sorted(held):
        yield finding(
            client,
            Severity.UNSAFE,
            "could_approve",
            f"the account holds {right} and could make itself an approver",
            "use an account without administration rights",
        )


def _rights(client: JiraClient, settings: ChangeSettings) -> Iterator[Finding]:
    held = permissions(client, _RIGHTS, project=settings.project)
    lacking = [right for right in _RIGHTS if right not in held]
    if lacking:
        yield finding(
            client,
            Severity.FAULT,
            "right_missing",
            f"project {settings.project}: the account lacks {', '.join(lacking)}",
            "add the account to the project's agent role",
        )


def _form(
    client: JiraClient,
    site: Site,
    opening: Opening,
    form: PlanForm,
    settings: ChangeSettings,
) -> Iterator[Finding]:
    try:
        natives = {part: form.native(part) for part in TEXTS}
    except FieldUnknownError as error:
        remedy = "name the field by its id in `changes.fields`, or create it"
        yield finding(client, Severity.UNSAFE, "plan_field_unknown", str(error), remedy)
        return
    if settings.mode is GateMode.STATUS:
        return
    try:
        kind = site.request_type(settings.project, settings.request_type)
    except (RecordNotFoundError, InvalidAnswerError, MissingRightError) as error:
        remedy = "name the change request type by its id in `changes.request_type`"
        yield finding(client, Severity.FAULT, "request_type", str(error), remedy)
        return
    absent = [str(part) for part, one in natives.items() if one and one.id not in kind.form]
    if absent:
        yield finding(
            client,
            Severity.UNSAFE,
            "plan_field_hidden",
            f"the form of {kind.name!r} does not show {', '.join(absent)}: approvers would decide"
            " on less than the plan",
            "add these fields to the request type's form",
        )
    is_found_again = settings.create is CreateBy.ISSUE or "labels" in kind.form
    if not is_found_again:
        yield finding(
            client,
            Severity.UNSAFE,
            "not_found_again",
            f"the form of {kind.name!r} lacks Labels: a change whose creation got no answer could"
            " not be found again",
            "add Labels to the form (hidden, if you like)",
        )
    if settings.create is CreateBy.ISSUE:
        yield from _create_screen(client, site, opening, settings, [*natives.values()])
    if not absent and is_found_again:
        yield finding(client, Severity.OK, "form", f"{kind.name!r} shows every part of the plan")


def _create_screen(
    client: JiraClient,
    site: Site,
    opening: Opening,
    settings: ChangeSettings,
    plan: Sequence[NativeField | None],
) -> Iterator[Finding]:
    """Whether one call can make the whole change: everything it sets is on the create screen."""
    remedy = "add the fields to the create screen, or set `changes.create: form`"
    try:
        kind = opening.request_kind()
        screen = site.create_screen(settings.project, str(kind["issuetype"]["id"]))
    except (ConfigurationError, RecordNotFoundError, MissingRightError) as error:
        yield finding(client, Severity.FAULT, "create_screen", str(error), remedy)
        return
    wanted = {"labels", *kind, *(one.id for one in plan if one is not None)}
    if absent := sorted(wanted - screen):
        told = f"the create screen of changes lacks {', '.join(absent)}"
        yield finding(client, Severity.FAULT, "create_screen", told, remedy)


def _samples(
    client: JiraClient, snapshots: Snapshots, settings: ChangeSettings
) -> Iterator[Finding]:
    """Judge some real changes: who approves them, and which ways lead around the approval."""
    jql = f"project = {quoted(settings.project)} AND status in ({{}}) ORDER BY created DESC"
    try:
        kinds = listing(client.get(f"project/{settings.project}/statuses"), "statuses")
    except (RecordNotFoundError, MissingRightError) as error:
        yield finding(client, Severity.WARNING, "states_unread", str(error))
        return
    statuses = {
        text_of(status.get("name")): snapshots.states.get(
            text_of(status.get("id")), text_of(status.get("name"))
        )
        for kind in kinds
        for status in listing(kind.get("statuses") or [], "statuses")
    }
    gates = [quoted(name) for name, state in statuses.items() if state is ChangeState.AUTHORIZE]
    if not gates:
        yield finding(
            client,
            Severity.UNSAFE,
            "no_approval_status",
            f"project {settings.project}: no status is known as the one where approvers decide",
            "name it in `changes.statuses` as authorize",
        )
        return
    beans = client.search(
        {"jql": jql.format(", ".join(gates)), "fields": "status", "maxResults": _SAMPLES}
    )
    samples = listing(beans.get("issues"), "search.issues")
    if not samples:
        yield finding(
            client,
            Severity.WARNING,
            "unproved:approvers",
            "no change waits for approval now: who approves, and which ways lead around the"
            " approval, could not be seen",
            "open a change by hand as far as its approval and check again",
        )
    for bean in samples:
        yield from _sample(client, snapshots, settings, bean)


def _sample(
    client: JiraClient, snapshots: Snapshots, settings: ChangeSettings, bean: Payload
) -> Iterator[Finding]:
    issue_id, key = text_of(bean.get("id")), text_of(bean.get("key"))
    for way in Moves(client).ways(issue_id):
        state = snapshots.states.get(way.to.id, way.to.name)
        if state not in BEHIND:
            continue
        if settings.mode is GateMode.STATUS:
            if state is not ChangeState.SCHEDULED:
                # Only the move to "approved" approves; any other one is seen as going around it.
                continue
            yield finding(
                client,
                Severity.UNSAFE,
                "could_approve",
                f"{key}: our own account may run {way.name!r} to {way.to.name!r}",
                "give the transition a condition that our account does not meet",
            )
        else:
            yield finding(
                client,
                Severity.WARNING,
                "way_around",
                f"{key}: {way.name!r} leads to {way.to.name!r} without the approval",
                "take the transition out of the workflow; a change that took it never counts",
            )
    if settings.mode is GateMode.APPROVALS:
        yield from _approvers(client, snapshots, issue_id, key)


def _approvers(
    client: JiraClient, snapshots: Snapshots, issue_id: str, key: str
) -> Iterator[Finding]:
    me = client.me()
    try:
        approvals = snapshots.approvals(issue_id) or ()
    except (RecordNotFoundError, MissingRightError) as error:
        seen = f"{key}: approvals cannot be read ({error})"
        remedy = "give the account the agent role (Service Desk Team) in the project"
        yield finding(client, Severity.FAULT, "approvals_unread", seen, remedy)
        return
    for one in approvals:
        is_named = any(vote.approver.identity == me.identity for vote in one.votes)
        if one.may_answer or is_named:
            yield finding(
                client,
                Severity.UNSAFE,
                "could_approve",
                f"{key}: our own account is an approver of {one.name!r}",
                "take the account out of the approvers, their groups and the automation",
            )
        if not one.votes:
            yield finding(
                client,
                Severity.WARNING,
                "no_approvers",
                f"{key}: {one.name!r} asks nobody and waits for ever",
                "fill Approvers by the request type's automation, or set `approvers: authority`",
            )


def _pending(client: JiraClient, settings: ChangeSettings) -> Iterator[Finding]:
    if settings.mode is GateMode.STATUS:
        return
    params = {"requestOwnership": "APPROVER", "approvalStatus": "MY_PENDING_APPROVAL"}
    try:
        waiting = [text_of(one.get("issueKey")) for one in client.desk_pages("request", params)]
    except (RefusedError, RecordNotFoundError, MissingRightError) as error:
        yield finding(client, Severity.WARNING, "unproved:own_approvals", f"own approvals: {error}")
        return
    if waiting:
        yield finding(
            client,
            Severity.UNSAFE,
            "could_approve",
            f"approvals of {', '.join(waiting[:5])} wait for our own account",
            "take the account out of the approvers and their groups",
        )
    else:
        yield finding(client, Severity.OK, "could_not_approve", "no approval waits for us")


def _groups(client: JiraClient) -> Iterator[Finding]:
    """Say whether members of groups can be read, by the one group that is known: one of ours."""
    by = "accountId" if client.is_cloud else "key"
    bean = mapping(client.get("user", {by: client.me().id, "expand": "groups"}), "user")
    held = mapping(bean.get("groups") or {}, "user.groups")
    ours = listing(held.get("items") or [], "user.groups.items")
    known = [text_of(one.get("groupId") if client.is_cloud else one.get("name")) for one in ours]
    if not any(known):
        return
    try:
        group_members(client, next(name for name in known if name))
    except (MissingRightError, RecordNotFoundError, RefusedError) as error:
        yield finding(
            client,
            Severity.WARNING,
            "membership_unread",
            f"who belongs to a group cannot be read ({error})",
            "grant Browse users and groups; without it no approval counts and the gate stays shut",
        )
