"""Accounts become people by an immutable key; none or two matches are nobody."""

import pytest

from connectors.ldap.factory import LDAPAdapters
from engine.domain.refs import Account
from engine.errors import PersonUnknownError
from tests.integration.ldap.worlds import World


def test_an_account_is_joined_by_its_key_and_told_with_its_facts(
    world: World, adapters: LDAPAdapters
) -> None:
    boss = world.someone()
    someone = world.someone(manager=boss.dn, employeeType="vip")
    group = world.group(someone)
    person = world.person(adapters, someone)
    assert person.key == someone.number
    assert person.name == f"Test Person {someone.number}"
    assert person.account_in("servicenow") is not None
    own = person.account_in("corporate-directory")
    assert own is not None
    assert own.id == person.directory_id
    assert person.facts == {
        "uid": someone.uid,
        "vip": True,
        "kind": "person",
        "department": "Engineering",
        "manager": boss.uid,
        "active": True,
        "locked": False,
        "groups": [group],
    }
    assert adapters.people.person(own) == type(person)(
        key=person.key,
        name=person.name,
        directory_id=person.directory_id,
        accounts=(own,),
        facts=person.facts,
    )


def test_a_person_is_found_by_user_id_address_and_whole_name(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    names = (
        someone.uid,
        someone.uid.upper(),
        f"  {someone.uid}@example.com ",
        f"test person {someone.number}",
    )
    assert {adapters.people.by_name(name).key for name in names} == {someone.number}


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "test.person.*",
        "Test Person",
        "",
        " ",
        "nobody.at.all",
        "x)(objectClass=*",
        "*)(uid=*))(|(uid=*",
        "\\2a",
        "a\x00b",
        "a" * 5000,
        "﷐\u202e",
    ],
)
def test_a_text_that_is_nobody_s_name_means_nobody(
    world: World, adapters: LDAPAdapters, text: str
) -> None:
    world.someone()
    with pytest.raises(PersonUnknownError):
        adapters.people.by_name(text)


def test_two_people_of_one_name_are_nobody(world: World, adapters: LDAPAdapters) -> None:
    one, other = world.someone(), world.someone()
    for someone in (one, other):
        world.change(someone.dn, "displayName", f"Twin {one.number}")
    with pytest.raises(PersonUnknownError, match="2 people"):
        adapters.people.by_name(f"Twin {one.number}")


def test_two_entries_with_one_key_are_nobody(world: World, adapters: LDAPAdapters) -> None:
    one, other = world.someone(), world.someone()
    world.change(other.dn, "employeeNumber", one.number)
    with pytest.raises(PersonUnknownError):
        world.person(adapters, one)
    with pytest.raises(PersonUnknownError):
        adapters.people.by_name(other.uid)


def test_an_entry_without_a_key_is_nobody(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone(employeeNumber=None)
    with pytest.raises(PersonUnknownError, match="employeeNumber"):
        adapters.people.by_name(someone.uid)


def test_an_account_that_nothing_joins_is_nobody(world: World, adapters: LDAPAdapters) -> None:
    world.someone()
    for system in ("nowhere", "unheard-of", "corporate-directory", "deleted"):
        with pytest.raises(PersonUnknownError):
            adapters.people.person(Account(system=system, id="1001", name="x"))


def test_a_system_may_join_by_another_attribute(world: World) -> None:
    someone = world.someone()
    adapters = world.adapters(accounts={"servicenow": "mail"})
    account = Account(system="servicenow", id=f"{someone.uid}@example.com", name="x")
    assert adapters.people.person(account).key == someone.number


def test_somebody_outside_the_people_is_nobody(adapters: LDAPAdapters) -> None:
    with pytest.raises(PersonUnknownError):
        adapters.people.by_name("tiergate")
