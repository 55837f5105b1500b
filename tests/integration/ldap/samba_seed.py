"""Example Corp in a Samba domain: people, groups, a service, and the fulfilment account."""

from collections.abc import Mapping
from typing import Any

import ldap3

from connectors.sandboxkit.organisation import Person, load_organisation

BASE = "DC=corp,DC=example,DC=test"
PEOPLE = f"OU=people,{BASE}"
GROUPS = f"OU=groups,{BASE}"
SERVICES = f"OU=services,{BASE}"
FULFILMENT = f"CN=tiergate,{SERVICES}"
_NORMAL = "512"

Attributes = Mapping[str, object]


def password_of(uid: str) -> str:
    """Return the password an account starts with: the domain refuses the sandbox's short ones."""
    return f"Start!Kennwort-{len(uid)}7"


def person_dn(person: Person) -> str:
    """Return the name of a person's entry."""
    return f"CN={person.name},{PEOPLE}"


def plant(admin: Any) -> None:
    """Add everybody and every group, as the domain's administrator."""
    organisation = load_organisation()
    for dn in (PEOPLE, GROUPS, SERVICES):
        _add(admin, dn, "organizationalUnit", {})
    _account(admin, FULFILMENT, "tiergate", {"description": "Tiergate Integration"})
    _account(admin, f"CN=Backup Service,{PEOPLE}", "svc-backup", {"employeeType": "service"})
    by_uid = {person.uid: person for person in organisation.people}
    for person in organisation.people:
        attributes: dict[str, object] = {
            "displayName": person.name,
            "mail": person.mail,
            "employeeNumber": person.employee_number,
            "employeeType": "vip" if person.vip else "person",
            "department": person.department,
            "userPrincipalName": f"{person.uid}@corp.example.test",
        }
        if person.private_mail:
            attributes["otherMailbox"] = person.private_mail
        _account(admin, person_dn(person), person.uid, attributes)
    for person in organisation.people:
        if person.manager:
            _modify(admin, person_dn(person), {"manager": person_dn(by_uid[person.manager])})
    for group in organisation.directory_groups:
        members = [person_dn(by_uid[uid]) for uid in group.members]
        attributes = {"sAMAccountName": group.name, "description": group.description}
        _add(admin, f"CN={group.name},{GROUPS}", "group", {**attributes, "member": members})


def _account(admin: Any, dn: str, uid: str, attributes: Attributes) -> None:
    _add(admin, dn, "user", {"sAMAccountName": uid, **attributes})
    quoted = f'"{password_of(uid)}"'.encode("utf-16-le")
    _modify(admin, dn, {"unicodePwd": quoted})
    _modify(admin, dn, {"userAccountControl": _NORMAL})


def _add(admin: Any, dn: str, kind: str, attributes: Attributes) -> None:
    added = admin.add(dn, kind, dict(attributes))
    assert added, f"{dn}: {admin.result}"


def _modify(admin: Any, dn: str, values: Attributes) -> None:
    changes = {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in values.items()}
    modified = admin.modify(dn, changes)
    assert modified, f"{dn}: {admin.result}"
