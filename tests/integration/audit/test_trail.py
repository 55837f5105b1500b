from datetime import timedelta

import pytest

from connectors.ldap.factory import LDAPAdapters
from engine.errors import PreconditionError
from tests.integration.ldap.worlds import Someone, World

MINUTE = timedelta(minutes=1)


def carry_out(world: World, adapters: LDAPAdapters, action: str, one: Someone, **given: str) -> str:
    """Let the connector carry an action out; return the subject's stable id."""
    fulfiller = adapters.fulfiller
    bound = fulfiller.bind(action, subject=world.person(adapters, one), parameters=given)
    baseline = fulfiller.baseline(bound)
    fulfiller.implement(
        bound, key=f"key of {one.uid}", baseline=baseline, deadline=world.clock.now() + MINUTE
    )
    return bound.targets["group"].id if "group" in bound.targets else bound.subject.id


def test_what_our_account_wrote_is_listed_with_target_and_action(directory: World) -> None:
    adapters = directory.adapters()
    someone = directory.someone()
    group = directory.group(directory.someone())
    since = directory.clock.now() - directory.clock.shift - MINUTE
    reset = carry_out(directory, adapters, "reset_password", someone)
    joined = carry_out(directory, adapters, "add_group_member", someone, group=group)
    changes = adapters.fulfiller.changes_by_us(since)
    assert changes is not None
    mine = [one for one in changes if one.target_id in {reset, joined}]
    assert [(one.target_id, one.what) for one in mine if one.target_id == joined] == [
        (joined, ("member",))
    ]
    written = {name for one in mine if one.target_id == reset for name in one.what}
    assert {"userPassword", "pwdReset"} <= written
    assert all("reset_password" in one.actions for one in mine if one.target_id == reset)
    assert all(
        one.actions == {"add_group_member", "remove_group_member"}
        for one in mine
        if one.target_id == joined
    )


def test_what_others_wrote_is_not_ours(directory: World) -> None:
    adapters = directory.adapters()
    since = directory.clock.now() - directory.clock.shift - MINUTE
    someone = directory.someone()
    directory.change(someone.dn, "telephoneNumber", "1")
    changes = adapters.fulfiller.changes_by_us(since)
    assert changes is not None
    assert someone.dn.lower() not in {one.target_name.lower() for one in changes}


def test_no_log_is_no_answer_rather_than_nothing(directory: World) -> None:
    since = directory.clock.now() - directory.clock.shift - MINUTE
    for log in ("", "cn=no-such-log"):
        adapters = directory.adapters(changes_log=log)
        assert adapters.fulfiller.changes_by_us(since) is None


def test_a_log_that_begins_later_is_no_answer_either(directory: World) -> None:
    adapters = directory.adapters()
    with pytest.raises(PreconditionError, match="later --since"):
        adapters.fulfiller.changes_by_us(directory.clock.now() - timedelta(days=9000))


def test_no_value_that_was_written_leaves_the_log(directory: World) -> None:
    adapters = directory.adapters()
    someone = directory.someone()
    since = directory.clock.now() - directory.clock.shift - MINUTE
    carry_out(directory, adapters, "reset_password", someone)
    said = repr(adapters.fulfiller.changes_by_us(since))
    assert someone.uid in said
    assert "SSHA" not in said
    assert "pw-" not in said


def test_without_a_log_the_entries_themselves_tell_who_changed_them_last(
    directory: World,
) -> None:
    adapters = directory.adapters(changes_log="")
    someone, other = directory.someone(), directory.someone()
    group = directory.group(directory.someone())
    since = directory.clock.now() - directory.clock.shift - MINUTE
    joined = carry_out(directory, adapters, "add_group_member", someone, group=group)
    directory.change(other.dn, "telephoneNumber", "1")
    found = {one.target_id: one for one in adapters.fulfiller.newest_changes(since)}
    assert found[joined].is_ours
    assert found[joined].is_newest
    assert "add_group_member" in found[joined].actions
    strangers = [one for one in found.values() if one.target_name.lower() == other.dn.lower()]
    assert [one.is_ours for one in strangers] == [False]
