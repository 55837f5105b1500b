"""The sweep over recorded pages: hidden rows, dropped terms, ties, the server's clock."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sweep import Position, open_window, position_of
from engine.errors import InvalidAnswerError, TransientError
from engine.ports.paging import Cursor
from tests.unit.servicenow.conftest import NOW, Instance, incident

FLOOR = datetime(2026, 1, 1, tzinfo=UTC)
CURSOR = Cursor(at=datetime(2026, 11, 20, 9, tzinfo=UTC), opaque=Position(floor=FLOOR).encoded())


def offsets(instance: Instance) -> list[str]:
    found: list[str] = []
    for call in instance.mock.calls:
        parts = urlsplit(call.request.url or "")
        if parts.path.endswith("/table/incident"):
            found += parse_qs(parts.query)["sysparm_offset"]
    return found


def test_the_window_ends_behind_the_servers_clock_and_begins_with_an_overlap(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [])
    page = snow.desk.changed_since("incident", CURSOR)
    assert page.is_last
    assert page.cursor.at == NOW - timedelta(seconds=3)
    assert page.server_now == NOW
    (query,) = instance.queries("incident")
    assert query == (
        "active=true^sys_created_on>=2026-01-01 00:00:00^sys_updated_on>=2026-11-20 08:58:00"
        "^sys_updated_on<=2026-11-20 10:42:04^ORDERBYsys_updated_on^ORDERBYsys_id"
    )


def test_ties_are_told_apart_by_the_id_with_the_base_in_both_halves(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [incident(n) for n in (1, 2, 3)], total=5)
    instance.rows("incident", [incident(n) for n in (4, 5)], total=2)
    first = snow.desk.changed_since("incident", CURSOR)
    assert not first.is_last
    second = snow.desk.changed_since("incident", first.cursor)
    assert second.is_last
    base = "active=true^sys_created_on>=2026-01-01 00:00:00"
    assert instance.queries("incident")[1] == (
        f"{base}^sys_updated_on>2026-11-20 10:00:00^sys_updated_on<=2026-11-20 10:42:04"
        f"^NQ{base}^sys_updated_on=2026-11-20 10:00:00^sys_id>{3:032x}"
        "^ORDERBYsys_updated_on^ORDERBYsys_id"
    )


def test_a_page_that_hides_everything_is_stepped_over(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [], total=8)
    instance.rows("incident", [], total=8)
    instance.rows("incident", [incident(8)], total=8)
    page = snow.desk.changed_since("incident", CURSOR)
    assert [ticket.ref.key for ticket in page.items] == ["INC0000008"]
    assert page.is_last
    assert page.hidden == 7
    assert offsets(instance) == ["0", "3", "6"]


def test_a_short_page_with_more_behind_it_is_not_the_end(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [incident(1)], total=9)
    page = snow.desk.changed_since("incident", CURSOR)
    assert not page.is_last
    assert page.hidden == 2
    assert page.cursor.id == f"{1:032x}"


def test_rows_that_move_while_hidden_ones_are_skipped_restart_the_skipping(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [], total=8)
    instance.rows("incident", [], total=7)  # one left the window: what was at 6 is at 5 now
    instance.rows("incident", [], total=7)
    instance.rows("incident", [incident(4)], total=7)
    page = snow.desk.changed_since("incident", CURSOR)
    assert [ticket.ref.key for ticket in page.items] == ["INC0000004"]
    assert offsets(instance) == ["0", "3", "0", "3"]


def test_a_window_that_never_rests_is_a_transient_error(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    for total in range(30, 0, -1):
        instance.rows("incident", [], total=total)
    with pytest.raises(TransientError, match="moving"):
        snow.desk.changed_since("incident", CURSOR)


@pytest.mark.parametrize(
    ("at", "created"),
    [
        ("2026-11-20 08:00:00", "2026-11-20 08:00:00"),  # before the window
        ("2026-11-20 10:42:06", "2026-11-20 10:00:00"),  # behind the horizon
        ("2026-11-20 10:00:00", "2025-11-20 10:00:00"),  # older than the source's start
    ],
)
def test_a_dropped_term_is_noticed_by_the_rows_it_lets_through(
    instance: Instance, snow: ServiceNowAdapters, at: str, created: str
) -> None:
    instance.rows("incident", [incident(1, at=at, sys_created_on=created)])
    with pytest.raises(InvalidAnswerError, match="dropped a term"):
        snow.desk.changed_since("incident", CURSOR)


def test_a_broken_record_is_named_and_the_rest_comes(
    instance: Instance, snow: ServiceNowAdapters
) -> None:
    instance.rows("incident", [incident(1, state=("99", "Parked")), incident(2)])
    page = snow.desk.changed_since("incident", CURSOR)
    assert [ticket.ref.key for ticket in page.items] == ["INC0000002"]
    ((record_id, why),) = page.broken
    assert record_id == f"{1:032x}"
    assert "INC0000001" in why
    assert "'99'" in why


def test_a_clock_set_back_does_not_stop_the_sweep() -> None:
    ahead = Cursor(at=NOW + timedelta(days=1))
    window = open_window(
        ahead, Position(), NOW, lag=timedelta(seconds=3), overlap=timedelta(seconds=120)
    )
    assert not window.is_empty
    assert window.horizon == NOW - timedelta(seconds=3)
    assert window.begun == window.horizon - timedelta(seconds=120)


def test_the_overlap_never_reaches_behind_the_start() -> None:
    start = NOW - timedelta(seconds=10)
    window = open_window(
        Cursor(at=start),
        Position(floor=start),
        NOW,
        lag=timedelta(seconds=3),
        overlap=timedelta(seconds=120),
    )
    assert window.begun == start


def test_a_position_survives_its_cursor() -> None:
    position = Position(floor=FLOOR, begun=NOW, phase="tasks")
    assert position_of(Cursor(at=NOW, opaque=position.encoded())) == position
    with pytest.raises(InvalidAnswerError):
        position_of(Cursor(at=NOW, opaque="floor=yesterday"))
