"""The corporate directory as its administrators change it, with a client of their own."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import ldap3

from connectors.ldap.sandbox.seed import GROUPS, group_dn, person_dn
from tests.e2e.attacks.theatre import Theatre


@contextmanager
def administrator(theatre: Theatre) -> Generator[Any]:
    """A bound connection; the package has no types."""
    account = theatre.document["ldap"]["accounts"]["admin"]
    server = ldap3.Server(theatre.directory.url)
    connection: Any = ldap3.Connection(
        server, account["username"], account["password"], auto_bind=True, raise_exceptions=True
    )
    try:
        yield connection
    finally:
        connection.unbind()  # leaving a `with` of ldap3 keeps open what was bound before it


def memberships(theatre: Theatre) -> set[tuple[str, str]]:
    """Who is in which group, as (group, uid)."""
    with administrator(theatre) as connection:
        connection.search(GROUPS, "(objectClass=groupOfNames)", attributes=["cn", "member"])
        return {
            (str(entry.cn), member.split(",")[0].partition("=")[2])
            for entry in connection.entries
            for member in entry.member
        }


def recreate_group(theatre: Theatre, name: str) -> None:
    """Delete a group and make another one of the same name: nobody but its id tells them apart."""
    with administrator(theatre) as connection:
        connection.delete(group_dn(name))
        members = [person_dn("howard.johnson")]
        connection.add(group_dn(name), "groupOfNames", {"cn": name, "member": members})


def rename_group(theatre: Theatre, name: str, new: str) -> None:
    with administrator(theatre) as connection:
        connection.modify_dn(group_dn(name), f"cn={new}")


def nest_group(theatre: Theatre, inner: str, outer: str) -> None:
    with administrator(theatre) as connection:
        add = (ldap3.MODIFY_ADD, [group_dn(inner)])
        connection.modify(group_dn(outer), {"member": [add]})
