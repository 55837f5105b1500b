import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.cli.reconciling import LOOKBACK, instant, reconciled
from engine.cli.reconciling_systems import Reconciliation
from engine.errors import ConfigurationError
from engine.ports.fulfilment import ForeignChange
from engine.testing.clocks import START
from engine.testing.world import JOIN
from tests.unit.cli.chains import Chains

SINCE = START - timedelta(days=1)
MEMBER = frozenset({"add_group_member", "remove_group_member"})


def found(kept: Chains) -> Reconciliation:
    return reconciled(kept.world.services, kept.store, SINCE)


def logged(kept: Chains, *, group: str = "dba") -> None:
    """Let the directory's log show a membership that our account wrote just now."""
    kept.world.directory.log = [
        *(kept.world.directory.log or ()),
        ForeignChange(
            at=kept.world.clock.now(),
            target_id=group,
            target_name=f"cn={group}",
            what=("member",),
            actions=MEMBER,
        ),
    ]


def sides(result: Reconciliation) -> list[tuple[str, str]]:
    return [(one.side, one.system) for one in result.differences]


def test_a_log_that_tells_what_we_did_shows_no_difference(kept: Chains) -> None:
    kept.approved()
    logged(kept)
    result = found(kept)
    assert result.differences == []
    assert result.unread == []
    assert result.compared == {"directory": 1, "desk": 1}


def test_a_write_of_our_account_without_an_effect_is_told(kept: Chains) -> None:
    kept.approved()
    logged(kept)
    logged(kept, group="domain-admins")
    result = found(kept)
    assert sides(result) == [("unrecorded", "directory")]
    assert "cn=domain-admins" in result.differences[0].what


def test_an_effect_that_the_log_does_not_know_is_told(kept: Chains) -> None:
    ref = kept.approved()
    kept.world.directory.log = []
    result = found(kept)
    assert sides(result) == [("untraced", "directory")]
    assert ref.key in result.differences[0].what


def test_a_directory_without_a_log_is_named_and_is_no_difference(kept: Chains) -> None:
    kept.approved()
    result = found(kept)
    assert result.differences == []
    assert [one for one in result.unread if one.startswith("directory: keeps no log")]


def test_a_change_of_our_account_that_no_handling_knows_is_told(kept: Chains) -> None:
    ref = kept.approved()
    logged(kept)
    control = kept.world.changes
    draft = kept.world.change(ref).draft
    control.open(replace(draft, correlation_id="tiergate-memory-0123456789abcdef-1-r1"))
    control.open(replace(draft, correlation_id="tiergate-other-0123456789abcdef-1-r1"))
    control.open(replace(draft, correlation_id=""))
    told = [one.what for one in found(kept).differences]
    assert len(told) == 3
    assert any("no handling knows its key" in what for what in told)
    assert any("another installation" in what for what in told)
    assert any("without any key" in what for what in told)


def test_a_change_on_record_that_is_gone_is_told(kept: Chains) -> None:
    ref = kept.approved()
    logged(kept)
    kept.world.changes.delete(kept.world.change_ref(ref))
    result = found(kept)
    assert sides(result) == [("untraced", "desk")]
    assert "does not show it" in result.differences[0].what


def test_an_erased_ticket_is_compared_by_time_alone_and_said_so(kept: Chains) -> None:
    ref = kept.approved()
    logged(kept)
    kept.store.erase(
        f"{ref.system}:{ref.id}", at=kept.world.clock.now(), actor="officer", why="asked"
    )
    result = found(kept)
    assert result.differences == []
    assert any("compared by time alone" in line for line in result.unread)


def test_what_waits_for_approval_is_no_difference(kept: Chains) -> None:
    kept.world.ask(JOIN)
    kept.world.run()
    kept.world.directory.log = []
    assert found(kept).differences == []


def test_the_document_is_plain_json(kept: Chains) -> None:
    kept.approved()
    logged(kept, group="domain-admins")
    document = json.loads(json.dumps(found(kept).document()))
    assert set(document) == {"since", "compared", "differences", "unread"}
    assert {one["side"] for one in document["differences"]} == {"unrecorded", "untraced"}


def test_the_beginning_is_read_as_an_instant_in_the_past() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert instant(None, now=now) == now - LOOKBACK
    assert instant("2026-11-19", now=now) == datetime(2026, 11, 19, tzinfo=UTC)
    assert instant("2026-11-19T12:00:00+02:00", now=now).hour == 12
    for wrong in ("yesterday", "2027-01-01"):
        with pytest.raises(ConfigurationError, match="--since"):
            instant(wrong, now=now)
