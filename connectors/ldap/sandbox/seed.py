"""Example Corp as a directory: people, groups, services, the fulfilment account."""

import uuid
from datetime import datetime, timedelta

from connectors.ldap.sandbox.passwords import hashed
from connectors.ldap.sandbox.tree import Tree, stamp
from connectors.sandboxkit.organisation import Organisation, Person, load_organisation

SUFFIX = "dc=example,dc=com"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
SERVICES = f"ou=services,{SUFFIX}"
ROOT = f"cn=admin,{SUFFIX}"
FULFILMENT = f"cn=tiergate,{SERVICES}"
ACCESS_LOG = "cn=accesslog"
MONITOR = "cn=Monitor"
_AGE = timedelta(days=90)
_NAMESPACE = uuid.UUID("5b0a4cf0-3f0e-5d3e-9f5c-6b1b7f6d2a10")


def person_dn(uid: str) -> str:
    """Return the name of a person's entry."""
    return f"uid={uid},{PEOPLE}"


def group_dn(name: str) -> str:
    """Return the name of a group's entry."""
    return f"cn={name},{GROUPS}"


def stable_id(kind: str, name: str) -> str:
    """Return the entryUUID that an entry has in every sandbox."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))


def plant(tree: Tree, now: datetime, *, seed: str) -> None:
    """Fill an empty tree; `empty` stops after the containers and the accounts of the server.

    Everything is 90 days old, as in a directory that has been running for a while.

    Raises:
        ValueError: An unknown seed.
    """
    if seed not in {"demo", "empty"}:
        raise ValueError(f"unknown seed {seed!r}; known: demo, empty")
    organisation = load_organisation()
    old = now - _AGE
    _containers(tree, old)
    _accounts(tree, old, organisation)
    if seed == "demo":
        for person in organisation.people:
            _person(tree, old, organisation, person)
        _services(tree, old, organisation)
        for group in organisation.directory_groups:
            tree.create(
                group_dn(group.name),
                old,
                ROOT,
                {
                    "objectClass": ["groupOfNames"],
                    "cn": [group.name],
                    "description": [group.description],
                    "member": [person_dn(uid) for uid in group.members],
                    "entryUUID": [stable_id("group", group.name)],
                },
            )


def _containers(tree: Tree, old: datetime) -> None:
    tree.create(
        SUFFIX,
        old,
        ROOT,
        {"objectClass": ["organization", "dcObject"], "dc": ["example"], "o": ["Example Corp"]},
    )
    for dn in (PEOPLE, GROUPS, SERVICES):
        name = dn.partition(",")[0].partition("=")[2]
        tree.create(dn, old, ROOT, {"objectClass": ["organizationalUnit"], "ou": [name]})
    tree.create(ACCESS_LOG, old, ROOT, {"objectClass": ["auditContainer"], "cn": ["accesslog"]})
    tree.create(
        f"reqStart={stamp(old)},{ACCESS_LOG}",
        old,
        ROOT,
        {
            "objectClass": ["auditAdd", "auditWriteObject", "auditObject"],
            "reqStart": [stamp(old)],
            "reqType": ["add"],
            "reqSession": ["1"],
            "reqMod": ["o:+ Example Corp"],
            "reqDN": [SUFFIX],
            "reqResult": ["0"],
        },
    )


def _accounts(tree: Tree, old: datetime, organisation: Organisation) -> None:
    for dn, kind in ((ROOT, "admin"), (FULFILMENT, "integration")):
        account = organisation.account(kind)
        tree.create(
            dn,
            old,
            ROOT,
            {
                "objectClass": ["organizationalRole", "simpleSecurityObject"],
                "cn": [dn.partition(",")[0].partition("=")[2]],
                "description": [account.name],
                "userPassword": [hashed(account.password)],
            },
        )


def _person(tree: Tree, old: datetime, organisation: Organisation, person: Person) -> None:
    first, _, last = person.name.partition(" ")
    tree.create(
        person_dn(person.uid),
        old,
        ROOT,
        {
            "objectClass": ["inetOrgPerson", "tiergatePerson"],
            "uid": [person.uid],
            "cn": [person.name],
            "displayName": [person.name],
            "givenName": [first],
            "sn": [last or first],
            "mail": [person.mail],
            "privateMail": [person.private_mail] if person.private_mail else [],
            "employeeNumber": [person.employee_number],
            "employeeType": ["person", "vip"] if person.vip else ["person"],
            "departmentNumber": [person.department],
            "manager": [person_dn(organisation.person(person.manager).uid)]
            if person.manager
            else [],
            "userPassword": [hashed(person.password)],
            "pwdChangedTime": [stamp(old)],
            "entryUUID": [stable_id("person", person.uid)],
        },
    )


def _services(tree: Tree, old: datetime, organisation: Organisation) -> None:
    for account in organisation.accounts:
        if account.kind == "service":
            tree.create(
                person_dn(account.uid),
                old,
                ROOT,
                {
                    "objectClass": ["inetOrgPerson"],
                    "uid": [account.uid],
                    "cn": [account.name],
                    "sn": [account.name],
                    "employeeType": ["service"],
                    "userPassword": [hashed(account.password)],
                    "entryUUID": [stable_id("service", account.uid)],
                },
            )
