"""What no action touches, at every directory, whatever a map says."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from connectors.ldap.factory import LDAPAdapters
from engine.domain.refs import Person
from engine.errors import PreconditionError, ProtectedSubjectError
from tests.integration.ldap.worlds import Someone, World

ACTIONS = ("reset_password", "unlock_account", "disable_account")


def bind(
    world: World,
    adapters: LDAPAdapters,
    subject: Someone,
    action: str = "disable_account",
    parameters: Mapping[str, str] | None = None,
) -> None:
    person = world.person(adapters, subject)
    adapters.fulfiller.bind(action, subject=person, parameters=parameters or {})


@pytest.mark.parametrize("action", ACTIONS)
def test_a_configured_account_is_refused_by_login_name_and_by_id(world: World, action: str) -> None:
    someone = world.someone()
    stable_id = world.person(world.adapters(), someone).directory_id
    for name in (someone.uid.upper(), someone.dn, stable_id):
        adapters = world.adapters(protected=[name])
        with pytest.raises(ProtectedSubjectError, match="configuration"):
            bind(world, adapters, someone, action)


def test_a_service_account_is_refused(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone(employeeType="service")
    with pytest.raises(ProtectedSubjectError, match="service"):
        bind(world, adapters, someone)
    assert world.person(adapters, someone).facts["kind"] == "service"


def test_a_nested_member_of_a_protected_group_is_refused(world: World) -> None:
    someone, other = world.someone(), world.someone()
    inner = world.group(someone)
    outer = world.group(other, also=(world.group_dn(inner),))
    adapters = world.adapters(protected_groups=[outer])
    with pytest.raises(ProtectedSubjectError, match="protected group"):
        bind(world, adapters, someone)
    bind(world, world.adapters(), someone)


def test_a_protected_group_gets_no_members_not_even_through_a_nested_one(world: World) -> None:
    other, someone = world.someone(), world.someone()
    inner = world.group(other)
    outer = world.group(other, also=(world.group_dn(inner),))
    adapters = world.adapters(protected_groups=[outer])
    for name in (inner, outer):
        with pytest.raises(ProtectedSubjectError):
            bind(world, adapters, someone, "add_group_member", {"group": name})


def test_a_group_that_grants_our_own_rights_gets_no_members(
    world: World, adapters: LDAPAdapters
) -> None:
    group = world.group(world.someone(), also=(world.own_dn,))
    with pytest.raises(ProtectedSubjectError, match="our own"):
        bind(world, adapters, world.someone(), "add_group_member", {"group": group})


def test_protection_that_begins_after_the_plan_stops_the_effect(world: World) -> None:
    someone = world.someone()
    group = world.group(world.someone())
    adapters = world.adapters(protected_groups=[group])
    person = world.person(adapters, someone)
    bound = adapters.fulfiller.bind("disable_account", subject=person, parameters={})
    baseline = adapters.fulfiller.baseline(bound)
    world.change(world.group_dn(group), "member", someone.dn)
    with pytest.raises(ProtectedSubjectError):
        adapters.fulfiller.implement(
            bound, key="k", baseline=baseline, deadline=world.clock.now() + timedelta(minutes=1)
        )
    assert world.person(adapters, someone).facts["active"]


def test_an_ordinary_group_is_listed_and_not_nested(world: World) -> None:
    someone = world.someone()
    listed, nested = world.group(world.someone()), world.group(world.someone())
    world.group(world.someone(), also=(world.group_dn(nested),))
    adapters = world.adapters(ordinary=[listed, nested])
    person = world.person(adapters, someone)
    for name, ordinary in ((listed, "true"), (nested, "false")):
        bound = adapters.fulfiller.bind(
            "add_group_member", subject=person, parameters={"group": name}
        )
        facts = bound.targets["group"].facts
        assert facts["ordinary"] == ordinary
        assert facts["nested"] == ("true" if name == nested else "false")


def test_an_entry_that_changed_hands_is_refused(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    person = world.person(adapters, someone)
    world.change(someone.dn, "employeeNumber", f"9{someone.number}")
    with pytest.raises(PreconditionError, match="another person"):
        adapters.fulfiller.bind("disable_account", subject=person, parameters={})


def test_our_own_account_is_no_subject(adapters: LDAPAdapters) -> None:
    own = Person(key="1", name="us", directory_id="not-a-uuid", accounts=())
    with pytest.raises(PreconditionError):
        adapters.fulfiller.bind("disable_account", subject=own, parameters={})


def test_an_account_of_ours_among_the_people_is_refused(world: World) -> None:
    someone = world.someone()
    adapters = world.adapters(bind={"dn": someone.dn, "password": someone.password})
    with pytest.raises(ProtectedSubjectError, match="our own"):
        bind(world, adapters, someone)


@pytest.mark.samba
def test_administrators_of_a_domain_are_refused_before_admincount_is_set(domain: World) -> None:
    adapters = domain.adapters()
    someone = domain.someone()
    bind(domain, adapters, someone)
    inner = domain.group(someone)
    admins = f"CN=Account Operators,CN=Builtin,{domain.people.partition(',')[2]}"
    domain.change(admins, "member", domain.group_dn(inner))
    try:
        with pytest.raises(ProtectedSubjectError, match="administrators or operators"):
            bind(domain, adapters, someone)
        with pytest.raises(ProtectedSubjectError, match="administrators or operators"):
            bind(domain, adapters, domain.someone(), "add_group_member", {"group": inner})
    finally:
        domain.change(admins, "member")


@pytest.mark.samba
def test_a_primary_group_protects_though_it_lists_no_members(domain: World) -> None:
    someone = domain.someone()
    inner = domain.group(someone)
    outer = domain.group(also=(domain.group_dn(inner),))
    rid = int.from_bytes(domain.read(domain.group_dn(inner), "objectSid")[0][-4:], "little")
    domain.change(someone.dn, "primaryGroupID", str(rid))
    assert domain.members(inner) == set()
    for name in (inner, outer):
        with pytest.raises(ProtectedSubjectError, match="protected group"):
            bind(domain, domain.adapters(protected_groups=[name]), someone)


@pytest.mark.samba
def test_an_account_with_admincount_is_refused(domain: World) -> None:
    adapters = domain.adapters()
    someone = domain.someone(adminCount="1")
    with pytest.raises(ProtectedSubjectError, match="adminCount"):
        bind(domain, adapters, someone)


@pytest.mark.samba
@pytest.mark.parametrize(("flags", "why"), [("66048", "never expires"), ("262656", "smart card")])
def test_a_password_that_would_not_have_to_be_changed_is_not_set(
    domain: World, flags: str, why: str
) -> None:
    adapters = domain.adapters()
    someone = domain.someone()
    domain.change(someone.dn, "userAccountControl", flags)
    with pytest.raises(PreconditionError, match=why):
        bind(domain, adapters, someone, "reset_password")
