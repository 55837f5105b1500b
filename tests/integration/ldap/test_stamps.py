"""What a domain says of the newest change of each entry: when, and never who."""

from datetime import timedelta

import pytest

from engine.errors import PreconditionError
from tests.integration.audit.test_trail import carry_out
from tests.integration.ldap.worlds import World

MINUTE = timedelta(minutes=1)


@pytest.mark.samba
def test_active_directory_tells_when_an_entry_changed_and_never_who(domain: World) -> None:
    adapters = domain.adapters()
    someone = domain.someone()
    group = domain.group(domain.someone())
    since = domain.clock.now() - domain.clock.shift - MINUTE
    joined = carry_out(domain, adapters, "add_group_member", someone, group=group)
    assert adapters.fulfiller.changes_by_us(since) is None
    found = [one for one in adapters.fulfiller.newest_changes(since) if one.target_id == joined]
    assert found
    assert not any(one.is_ours for one in found)
    assert all(one.is_newest for one in found)
    assert all("add_group_member" in one.actions for one in found)
    later = domain.clock.now() - domain.clock.shift + timedelta(days=1)
    assert adapters.fulfiller.newest_changes(later) == ()


def test_more_entries_than_are_read_in_one_go_ask_for_a_later_beginning(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.ldap.stamps.MOST", 0)
    adapters = world.adapters()
    world.change(world.someone().dn, "telephoneNumber", "1")
    since = world.clock.now() - world.clock.shift - MINUTE
    with pytest.raises(PreconditionError, match="later --since"):
        adapters.fulfiller.newest_changes(since)
