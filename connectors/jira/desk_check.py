"""What `tiergate check` finds about a Jira site as a ticket desk."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from connectors.jira.client import JiraClient
from connectors.jira.records import Records
from connectors.jira.settings import Approvers, JiraDeskWay
from connectors.jira.site import FieldUnknownError, Site
from connectors.jira.transport import RefusedError
from connectors.jira.values import listing, mapping, text_of
from engine.domain.desk import DeskChannel
from engine.domain.refs import Account
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    PermanentError,
    RecordNotFoundError,
    TransientError,
)
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

SKEW_MOST = timedelta(seconds=30)
_RIGHTS = (
    "BROWSE_PROJECTS", "ADD_COMMENTS", "EDIT_ISSUES", "TRANSITION_ISSUES", "LINK_ISSUES",
)  # fmt: skip
_TOO_MIGHTY = ("ADMINISTER", "SYSTEM_ADMIN")


def finding(
    client: JiraClient, severity: Severity, code: str, seen: str, remedy: str = ""
) -> Finding:
    """Return one finding about this site."""
    return Finding(severity=severity, code=code, system=client.name, seen=seen, remedy=remedy)


def reach(client: JiraClient, clock: Clock) -> Iterator[Finding]:
    """Yield whether the site answers, to us, with a clock like ours; see `is_down`."""
    try:
        me = client.verify_session()
    except AuthenticationError as error:
        remedy = "renew the API token or password; Atlassian's tokens end after at most a year"
        yield finding(client, Severity.FAULT, "credentials", str(error), remedy)
        return
    except (TransientError, PermanentError) as error:
        yield finding(client, Severity.FAULT, "unreachable", str(error), "check url and network")
        return
    flavour = "Cloud" if client.is_cloud else "Data Center"
    yield finding(client, Severity.OK, "reachable", f"{flavour}, as {me.name} ({me.id})")
    skew = abs(client.server_now() - clock.now())
    if skew > SKEW_MOST:
        seen = f"the site's clock and ours differ by {skew.total_seconds():.0f} s"
        yield finding(client, Severity.FAULT, "clock", seen, "synchronise this host's clock (NTP)")


def is_down(findings: list[Finding]) -> bool:
    """Whether the site cannot be asked anything more."""
    return any(one.code in {"credentials", "unreachable"} for one in findings)


def check_desk(
    client: JiraClient,
    site: Site,
    records: Records,
    queries: Mapping[str, str],
    clock: Clock,
    *,
    way: JiraDeskWay,
) -> tuple[Finding, ...]:
    """Return every finding of the ticket desk; `way` is how agents answer at the desk gate."""
    found = list(reach(client, clock))
    if is_down(found):
        return tuple(found)
    site.forget()
    found.extend(_mightiness(client, client.me()))
    found.extend(_fields(client, records))
    found.extend(_desk_gate(client, site, way))
    for name, jql in queries.items():
        found.extend(_source(client, records, name, jql))
    return tuple(found)


def _mightiness(client: JiraClient, me: Account) -> Iterator[Finding]:
    held = permissions(client, _TOO_MIGHTY)
    for right in sorted(held):
        yield finding(
            client,
            Severity.WARNING,
            "over_mighty",
            f"{me.name} holds the global permission {right}",
            "use an account without administration rights: it could grant itself an approval",
        )


def permissions(
    client: JiraClient, wanted: tuple[str, ...], *, project: str = ""
) -> frozenset[str]:
    """Return those of the wanted permissions that we hold, globally or in one project."""
    params = {"permissions": ",".join(wanted)}
    if project:
        params["projectKey"] = project
    bean = mapping(client.get("mypermissions", params), "mypermissions")
    held = mapping(bean.get("permissions"), "mypermissions.permissions")
    return frozenset(
        right
        for right in wanted
        if right in held and mapping(held[right], right).get("havePermission") is True
    )


def _fields(client: JiraClient, records: Records) -> Iterator[Finding]:
    try:
        records.field_ids()
    except FieldUnknownError as error:
        remedy = "name the field by its id (customfield_…) in the system's `fields`"
        yield finding(client, Severity.FAULT, "field_unknown", str(error), remedy)


def _desk_gate(client: JiraClient, site: Site, way: JiraDeskWay) -> Iterator[Finding]:
    """Yield what of the desk's configured way the site does not have: the gate would stay shut."""
    names = [way.field] if way.field else []
    if way.by is DeskChannel.APPROVAL and way.approvers is Approvers.AUTHORITY:
        names.append(way.approver_groups_field)
    for name in names:
        try:
            site.field(name)
        except FieldUnknownError as error:
            remedy = "name the field by its id (customfield_…) in the system's `desk`"
            yield finding(client, Severity.FAULT, "desk_field_unknown", str(error), remedy)
    wanted = [way.status] if way.by is DeskChannel.APPROVAL else []
    if way.by is DeskChannel.STATE:
        wanted += [value for value in way.values().values() if value]
    if not wanted:
        return
    statuses = [mapping(one, "status") for one in listing(client.get("status"), "status")]
    known = {text_of(one.get("id")) for one in statuses}
    known |= {text_of(one.get("name")).casefold() for one in statuses}
    for name in wanted:
        if name not in known and name.casefold() not in known:
            seen = f"desk: no status of the site is called {name!r}"
            remedy = "correct the status in the system's `desk`"
            yield finding(client, Severity.FAULT, "desk_status_unknown", seen, remedy)


def _source(client: JiraClient, records: Records, name: str, jql: str) -> Iterator[Finding]:
    try:
        hits = client.search(
            {
                "jql": f"{jql} ORDER BY updated DESC",
                "maxResults": 50,
                "fields": "project,status,issuetype",
            }
        )
    except RefusedError as error:
        yield finding(client, Severity.FAULT, "filter", f"source {name}: {error}", "mend its jql")
        return
    beans = listing(hits.get("issues"), "search.issues")
    projects = sorted(
        {
            text_of(mapping(mapping(bean.get("fields"), "fields").get("project"), "p").get("key"))
            for bean in beans
        }
    )
    if not projects:
        yield finding(
            client,
            Severity.WARNING,
            "source_empty",
            f"source {name}: the filter finds nothing that we may see",
            "check the filter, and that the account may browse the project",
        )
    for project in projects:
        yield from _rights(client, project)
    yield from _unmapped(client, records, projects)


def _rights(client: JiraClient, project: str) -> Iterator[Finding]:
    held = permissions(client, _RIGHTS, project=project)
    lacking = [right for right in _RIGHTS if right not in held]
    if lacking:
        yield finding(
            client,
            Severity.FAULT,
            "right_missing",
            f"project {project}: the account lacks {', '.join(lacking)}",
            "add the account to the project's agent role",
        )
    else:
        yield finding(client, Severity.OK, "rights", f"project {project}: every right needed")


def _unmapped(client: JiraClient, records: Records, projects: list[str]) -> Iterator[Finding]:
    for project in projects:
        try:
            kinds = listing(client.get(f"project/{project}/statuses"), "statuses")
        except (RecordNotFoundError, MissingRightError, InvalidAnswerError) as error:
            yield finding(client, Severity.WARNING, "states_unread", f"{project}: {error}")
            continue
        names = {
            text_of(status.get("name"))
            for kind in kinds
            for status in listing(kind.get("statuses") or [], "statuses")
            if records.is_ticket_type(text_of(kind.get("id")), text_of(kind.get("name")))
            and records.states.get(text_of(status.get("id")), text_of(status.get("name"))) is None
        }
        if names:
            yield finding(
                client,
                Severity.WARNING,
                "states_unmapped",
                f"project {project}: no meaning is configured for {', '.join(sorted(names))}",
                "add them to the system's `statuses`; until then their tickets are parked",
            )
