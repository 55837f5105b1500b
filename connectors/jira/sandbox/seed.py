"""What stands in a sandbox when it starts: the accounts of Example Corp, two projects, tickets."""

from collections.abc import Mapping
from datetime import timedelta

from connectors.jira.sandbox import issues
from connectors.jira.sandbox.desk_create import raise_request
from connectors.jira.sandbox.people import ADMINISTRATORS, Flavour
from connectors.jira.sandbox.projects import AGENTS, USERS, create_project
from connectors.jira.sandbox.site import Site, desk_call
from connectors.jira.sandbox.storage import dumps
from connectors.jira.sandbox.wire import Row
from connectors.sandboxkit.organisation import ItsmGroup, Organisation, Person, load_organisation

_AGE = timedelta(days=1)
_STEP = timedelta(minutes=7)
_ROLES = {
    "agent": "luke.wilson",
    "requester": "bob.miller",
    "approver1": "howard.johnson",
    "approver2": "beth.anglin",
}


def token_of(uid: str) -> str:
    """Return the personal access token of an account on Data Center."""
    return f"{uid}-pat"


def account_id(flavour: Flavour, jira: str) -> str:
    """Return the id of an account: the organisation's on Cloud, a user key on Data Center."""
    return jira if flavour is Flavour.CLOUD else f"JIRAUSER1{jira[-4:]}"


def group_id(group: ItsmGroup) -> str:
    """Return the id of a group."""
    return group.jira


def accounts(flavour: Flavour, organisation: Organisation) -> dict[str, dict[str, str]]:
    """Return username and password of each role; on Cloud the password is the API token."""

    def credentials(uid: str) -> dict[str, str]:
        name = f"{uid}@example.com" if flavour is Flavour.CLOUD else uid
        found = {"username": name, "password": f"{uid}-pw"}
        if flavour is Flavour.DATA_CENTER:
            found["token"] = token_of(uid)
        return found

    kinds = {kind: organisation.account(kind).uid for kind in ("admin", "integration")}
    return {role: credentials(uid) for role, uid in {**kinds, **_ROLES}.items()}


def plant(site: Site, seed: str) -> None:
    """Fill an empty store: people always, projects and tickets for the demo.

    Raises:
        ValueError: `seed` is neither demo nor empty.
    """
    if seed not in {"demo", "empty"}:
        raise ValueError(f"unknown seed {seed!r}; known: demo, empty")
    if site.store.value("SELECT count(*) FROM account"):
        return
    organisation = load_organisation()
    _people(site, organisation)
    _groups(site, organisation)
    lead = {row["name"]: row["id"] for row in site.store.rows("SELECT name, id FROM account")}
    for one in site.definition.raw["projects"]:
        create_project(
            site.store,
            site.definition,
            key=one["key"],
            name=one["name"],
            template=one["template"],
            lead=lead[one["lead"]],
            more={},
        )
    if seed == "demo":
        _tickets(site)


def _tickets(site: Site) -> None:
    """Raise yesterday's tickets, so that a daemon that starts today finds them old."""
    site.clock.set_offset(-_AGE)
    for number, one in enumerate(site.definition.raw["demo"]):
        site.clock.set_offset(_STEP * number - _AGE)
        row = site.store.row("SELECT * FROM request_type WHERE name=?", one["type"])
        desk = site.store.row("SELECT id FROM desk")
        reporter, agent = (site.people.by_name(uid) for uid in (one["reporter"], _ROLES["agent"]))
        if row is None or desk is None or reporter is None or agent is None:
            raise ValueError(f"site.yaml: the ticket of {one['reporter']} names what is not there")
        body: Row = {
            "serviceDeskId": str(desk["id"]),
            "requestTypeId": str(row["id"]),
            "requestFieldValues": one["fields"],
        }
        issue = raise_request(desk_call(site, reporter), body)
        for name in one["moves"]:
            call = desk_call(site, agent)
            open_to = issues.available(call, issue)
            issues.move(call, issue, next(step for step in open_to if step.name == name), {})
    site.clock.set_offset(timedelta(0))


def _people(site: Site, organisation: Organisation) -> None:
    zones: Mapping[str, str] = site.definition.raw["time_zones"]
    for person in organisation.people:
        _account(site, _person_row(site, person, zones))
    for account in organisation.accounts:
        if account.jira:
            row = {
                "id": account_id(site.flavour, account.jira),
                "name": account.uid,
                "email": f"{account.uid}@example.com",
                "display": account.name,
                "kind": account.kind,
                "password": account.password,
                "zone": zones.get(account.uid, zones["default"]),
                "properties": "{}",
            }
            _account(site, row)


def _person_row(site: Site, person: Person, zones: Mapping[str, str]) -> Row:
    return {
        "id": account_id(site.flavour, person.jira),
        "name": person.uid,
        "email": person.mail,
        "display": person.name,
        "kind": "person",
        "password": person.password,
        "zone": zones.get(person.uid, zones["default"]),
        "properties": dumps({"employeeNumber": person.employee_number}),
    }


def _account(site: Site, row: Row) -> None:
    site.store.insert("account", {**row, "active": 1})
    site.store.run(
        "INSERT INTO token VALUES (?, ?, 'seed', NULL)", token_of(row["name"]), row["id"]
    )


def _groups(site: Site, organisation: Organisation) -> None:
    ids = {row["name"]: row["id"] for row in site.store.rows("SELECT name, id FROM account")}
    for group in organisation.itsm_groups:
        site.store.run("INSERT INTO cluster VALUES (?, ?)", group_id(group), group.name)
        for uid in group.members:
            site.store.run("INSERT INTO membership VALUES (?, ?)", group_id(group), ids[uid])
    agents = [one.uid for one in organisation.people if one.agent]
    everybody = [one.uid for one in organisation.people]
    ours = {kind: organisation.account(kind).uid for kind in ("admin", "integration")}
    for name, members in (
        (ADMINISTRATORS, [ours["admin"]]),
        (AGENTS, [*agents, *ours.values()]),
        (USERS, [*everybody, *ours.values()]),
    ):
        _group(site, name, [ids[uid] for uid in members])
    if site.flavour is Flavour.CLOUD:
        # What every Cloud site has besides: the group of the organisation's administrators.
        _group(site, "administrators", [ids[ours["admin"]]])


def _group(site: Site, name: str, members: list[str]) -> None:
    number = f"5b10ac8d-{name}"
    site.store.run("INSERT INTO cluster VALUES (?, ?)", number, name)
    for account in members:
        site.store.run("INSERT INTO membership VALUES (?, ?)", number, account)
