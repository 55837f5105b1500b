"""Intake's rows, operations' rows, and texts that want to break a database."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.domain.ticket import NativeApproval
from engine.errors import InvalidAnswerError, RecordNotFoundError
from engine.ports.paging import Cursor
from engine.ports.store import Pause, PollHealth
from engine.store.store import SQLStore, open_store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = "'; DROP TABLE ticket; -- \0 \ud800 \U0001f4a3 \u202e %s :name {x}"


def test_cursor_and_tickets_become_true_together_or_not_at_all(store: SQLStore, make: Any) -> None:
    cursor = Cursor(at=NOW, id="sys1", horizon=NOW + timedelta(microseconds=1), opaque="p2")

    def intake() -> None:
        with store.begin() as unit:
            unit.save_ticket(make.ticket(), seen_at=NOW)
            unit.save_cursor("servicenow/incidents", cursor)
            raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        intake()
    with store.begin() as unit:
        assert unit.cursor("servicenow/incidents") is None
        assert unit.ticket(make.ref()) is None
        unit.save_ticket(make.ticket(), seen_at=NOW)
        unit.save_cursor("servicenow/incidents", Cursor(at=NOW))
        unit.save_cursor("servicenow/incidents", cursor)
    with store.begin() as unit:
        assert unit.cursor("servicenow/incidents") == cursor
        assert unit.ticket(make.ref()) == make.ticket()


def test_a_version_is_news_once_and_an_older_copy_never_wins(store: SQLStore, make: Any) -> None:
    newer = make.ticket(version="2", updated_at=NOW + timedelta(seconds=1), description="more")
    approved = make.ticket(
        version="2",
        updated_at=NOW + timedelta(seconds=1),
        description="more",
        native_approval=NativeApproval.APPROVED,
    )
    with store.begin() as unit:
        news = [
            unit.save_ticket(ticket, seen_at=NOW)
            for ticket in (make.ticket(), make.ticket(), newer, make.ticket(), newer, approved)
        ]
        assert news == [True, False, True, False, False, True]
        assert unit.ticket(make.ref()) == approved


def test_hostile_text_comes_back_as_it_was(store: SQLStore, make: Any) -> None:
    ticket = make.ticket(
        short_description=HOSTILE, description=HOSTILE * 100, variables={HOSTILE: HOSTILE}
    )
    with store.begin() as unit:
        unit.save_ticket(ticket, seen_at=NOW)
        unit.start(make.ref(), at=NOW, actor="tiergate")
    with store.begin() as unit:
        assert unit.ticket(make.ref()) == ticket
        assert unit.private("servicenow:sys1")[1]["short_description"] == HOSTILE
    assert store.verify() is None


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_an_id_that_postgresql_cannot_hold_is_refused_on_both(
    store: SQLStore, make: Any, name: str
) -> None:
    with pytest.raises(InvalidAnswerError), store.begin() as unit:
        unit.save_ticket(make.ticket(name), seen_at=NOW)


def test_a_ticket_is_found_by_the_name_that_people_use(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        unit.save_ticket(make.ticket("1"), seen_at=NOW)
        unit.save_ticket(make.ticket("2"), seen_at=NOW)
        unit.save_ticket(make.ticket("2", system="jira"), seen_at=NOW)
        assert unit.find_ticket("INC0001") == make.ref("1")
        assert unit.find_ticket("inc0001") == make.ref("1")
        assert unit.find_ticket("jira:INC0002") == make.ref("2", "jira")
        with pytest.raises(RecordNotFoundError, match="several"):
            unit.find_ticket("INC0002")
        for unknown in ("INC9", "jira:INC0001", "", ":"):
            with pytest.raises(RecordNotFoundError):
                unit.find_ticket(unknown)


def test_a_broken_record_is_news_once_per_reason_and_again_after_it_was_mended(
    store: SQLStore, make: Any
) -> None:
    with store.begin() as unit:
        source = "servicenow/incidents"
        assert unit.save_broken(source, "sys1", "state 99", at=NOW)
        assert not unit.save_broken(source, "sys1", "state 99", at=NOW)
        assert unit.save_broken(source, "sys1", "state 98", at=NOW)
        assert unit.broken(source) == {"sys1": "state 98"}
        unit.save_ticket(make.ticket(), seen_at=NOW)
        assert unit.broken(source) == {}
        assert unit.save_broken(source, "sys1", "state 98", at=NOW)
        unit.save_broken("jira/requests", "sys1", "state 98", at=NOW)
        unit.forget_broken(source, ["sys1", "nobody"])
        assert unit.broken(source) == {}
        assert unit.broken("jira/requests") == {"sys1": "state 98"}


def test_a_pause_stands_until_it_is_lifted_and_both_are_audited(store: SQLStore) -> None:
    whole = Pause(action=None, system=None, by="ada", at=NOW, reason="audit")
    one = Pause(action="reset_password", system=None, by="ada", at=NOW)
    with store.begin() as unit:
        unit.pause(whole)
        unit.pause(whole)
        unit.pause(one)
    with store.begin() as unit:
        assert unit.pauses() == (whole, one)
        assert unit.resume(action=None, system=None, by="bob", at=NOW)
        assert not unit.resume(action=None, system=None, by="bob", at=NOW)
        assert unit.pauses() == (one,)
        events = [(row.event, row.actor) for row in unit.audit("installation")]
    assert events == [("paused", "ada"), ("paused", "ada"), ("resumed", "bob")]
    assert store.verify() is None


def test_health_and_settings_keep_the_latest(store: SQLStore) -> None:
    bad = PollHealth(
        source="a", last_good_at=None, last_error="no", errors_in_row=1, seen=0, hidden=0
    )
    good = PollHealth(
        source="a", last_good_at=NOW, last_error="", errors_in_row=0, seen=5, hidden=1
    )
    with store.begin() as unit:
        unit.save_health(bad)
        unit.save_health(good)
        assert unit.health() == (good,)
        assert unit.setting("installation") is None
        unit.save_setting("installation", "one")
        unit.save_setting("installation", "two")
        assert unit.setting("installation") == "two"


def test_a_view_sees_what_was_committed_and_holds_off_no_writer(store: SQLStore, make: Any) -> None:
    with store.begin() as unit:
        make.started(unit)
    with store.read() as view:
        assert len(view.chains()) == 1
        with store.begin() as unit:
            make.started(unit, "2")
        assert len(view.chains()) == 1, "one instant, not a moving target"
    with store.read() as view:
        assert len(view.chains()) == 2


def test_a_transaction_inside_a_transaction_is_refused_at_once(store: SQLStore) -> None:
    with store.begin():
        inner = store.begin()
        with pytest.raises(RuntimeError, match="itself"), inner:
            pytest.fail("it would wait for the lock that it holds")
    with store.begin() as unit:
        assert unit.chains() == ()


def test_what_sqlite_writes_is_readable_by_its_owner_alone(make: Any, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/db/tiergate.db", data_dir=tmp_path / "data")
    with store.begin() as unit:
        make.started(unit)
    store.seal(NOW)
    files = {path.name: path for folder in ("db", "data") for path in (tmp_path / folder).iterdir()}
    store.close()
    assert set(files) == {
        "tiergate.db",
        "tiergate.db-wal",
        "tiergate.db-shm",
        "audit-key.pem",
        "audit-seals.jsonl",
    }
    assert not (tmp_path / "db" / "tiergate.db-wal").exists(), "closing folds the log in"
    for name in ("tiergate.db", "audit-key.pem", "audit-seals.jsonl"):
        assert stat.S_IMODE(files[name].stat().st_mode) == 0o600
