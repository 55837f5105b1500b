"""Where a temporary password goes, and when it goes nowhere."""

from datetime import timedelta

import pytest

from connectors.ldap.factory import LDAPAdapters
from engine.errors import PreconditionError
from tests.integration.ldap.worlds import Someone, World

MINUTE = timedelta(minutes=1)


def address(
    world: World, adapters: LDAPAdapters, someone: Someone, *, or_manager: bool = False
) -> str:
    return adapters.fulfiller.delivery_address(
        world.person(adapters, someone),
        attribute=world.private_mail,
        or_manager=or_manager,
        at=world.clock.now(),
    )


def test_the_private_address_is_used(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    assert address(world, adapters, someone) == f"{someone.uid}@private.test"


def test_an_address_that_came_a_moment_ago_is_refused(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    world.clock.shift = timedelta(0)
    with pytest.raises(PreconditionError, match="7 days"):
        address(world, adapters, someone)
    world.clock.shift = timedelta(days=6, hours=23)
    with pytest.raises(PreconditionError, match="7 days"):
        address(world, adapters, someone)


def test_our_own_reset_does_not_make_the_address_new(world: World, adapters: LDAPAdapters) -> None:
    someone = world.someone()
    before = address(world, adapters, someone)
    fulfiller = adapters.fulfiller
    person = world.person(adapters, someone)
    bound = fulfiller.bind("reset_password", subject=person, parameters={})
    fulfiller.implement(
        bound, key="k", baseline=fulfiller.baseline(bound), deadline=world.clock.now() + MINUTE
    )
    assert address(world, adapters, someone) == before


@pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.COM", "mail.example.org"])
def test_an_address_of_the_organisation_is_refused(world: World, domain: str) -> None:
    adapters = world.adapters(mail_domains=["mail.example.org"])
    someone = world.someone(**{world.private_mail: f"private.alias@{domain}"})
    with pytest.raises(PreconditionError, match="organisation"):
        address(world, adapters, someone, or_manager=True)


def test_two_addresses_or_no_address_at_all_are_refused(
    world: World, adapters: LDAPAdapters
) -> None:
    for wrong in (["a@private.test", "b@private.test"], "no address", "a@b@private.test"):
        someone = world.someone(**{world.private_mail: wrong})
        with pytest.raises(PreconditionError):
            address(world, adapters, someone)


def test_without_an_address_it_goes_nowhere_unless_the_manager_may(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone(**{world.private_mail: None})
    for or_manager in (False, True):
        with pytest.raises(PreconditionError):
            address(world, adapters, someone, or_manager=or_manager)


def test_the_manager_s_mailbox_stands_in(world: World, adapters: LDAPAdapters) -> None:
    boss = world.someone()
    someone = world.someone(**{world.private_mail: None, "manager": boss.dn})
    if world.is_windows:
        # Samba tells of no attribute when it changed, and of links not even roughly.
        with pytest.raises(PreconditionError, match="does not tell"):
            address(world, adapters, someone, or_manager=True)
        return
    assert address(world, adapters, someone, or_manager=True) == f"{boss.uid}@example.com"
    with pytest.raises(PreconditionError):
        address(world, adapters, someone, or_manager=False)
    world.clock.shift = timedelta(days=1)
    with pytest.raises(PreconditionError, match="7 days"):
        address(world, adapters, someone, or_manager=True)


def test_a_manager_who_is_oneself_or_disabled_does_not_stand_in(
    world: World, adapters: LDAPAdapters
) -> None:
    alone = world.someone(**{world.private_mail: None})
    world.change(alone.dn, "manager", alone.dn)
    boss = world.someone()
    someone = world.someone(**{world.private_mail: None, "manager": boss.dn})
    fulfiller = adapters.fulfiller
    bound = fulfiller.bind("disable_account", subject=world.person(adapters, boss), parameters={})
    fulfiller.implement(
        bound, key="k", baseline=fulfiller.baseline(bound), deadline=world.clock.now() + MINUTE
    )
    for subject in (alone, someone):
        with pytest.raises(PreconditionError, match="manager"):
            address(world, adapters, subject, or_manager=True)


def test_a_manager_who_shares_the_mailbox_does_not_stand_in(
    world: World, adapters: LDAPAdapters
) -> None:
    boss = world.someone()
    shared = f"{boss.uid}@example.com"
    someone = world.someone(**{world.private_mail: None, "manager": boss.dn, "mail": shared})
    with pytest.raises(PreconditionError, match="mailbox"):
        address(world, adapters, someone, or_manager=True)


def test_only_the_attribute_of_the_settings_is_trusted(
    world: World, adapters: LDAPAdapters
) -> None:
    someone = world.someone()
    for attribute in ("mail", "description", "proxyAddresses"):
        with pytest.raises(PreconditionError, match="private_mail"):
            adapters.fulfiller.delivery_address(
                world.person(adapters, someone),
                attribute=attribute,
                or_manager=True,
                at=world.clock.now(),
            )


def test_an_access_log_tells_the_address_s_own_change_from_another_one(unix: World) -> None:
    unix.clock.shift = timedelta(0)
    uid = {"sandbox": "carla.humble", "slapd": "dan.wolter"}[unix.name]
    dn = f"uid={uid},{unix.people}"
    seeing, blind = unix.adapters(), unix.adapters(changes_log="")

    def of(adapters: LDAPAdapters) -> str:
        return adapters.fulfiller.delivery_address(
            adapters.people.by_name(uid),
            attribute="privateMail",
            or_manager=False,
            at=unix.clock.now(),
        )

    assert of(blind) == f"{uid}@private.test"
    unix.change(dn, "telephoneNumber", "1")
    assert of(seeing) == f"{uid}@private.test"
    with pytest.raises(PreconditionError, match="7 days"):
        of(blind)
    unix.change(dn, "privateMail", "thief@private.test")
    unix.change(dn, "telephoneNumber", "2")
    with pytest.raises(PreconditionError, match="7 days"):
        of(seeing)
