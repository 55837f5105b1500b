"""Blackouts, maintenance schedules and conflicts of an instance, over sockets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from engine.domain.decision import ChangeKind, Window
from engine.domain.plan import ChangeDraft, PlanText
from engine.domain.refs import ChangeRef, TicketKind, TicketRef
from engine.domain.schedule import ObstacleKind
from engine.ports.findings import Severity
from tests.integration.servicenow.conftest import Call, Connect

TABLE = "/api/now/table"
CAB = "b85d44954a3623120004689b2d5dd60a"
DATABASE = "53fdbd6437201000deeabfc8bcbe5d0f"
HOUR = timedelta(hours=1)
Seed = Callable[..., str]


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect()


@pytest.fixture
def now(sandbox: ServiceNowSandbox) -> datetime:
    return sandbox.clock.now().astimezone(UTC)


def compact(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


@pytest.fixture
def blackout(call: Call) -> Seed:
    """Let an admin make a blackout schedule with one entry; return the entry's id."""

    def make(begins: datetime, ends: datetime, *, name: str = "Audit", **values: str) -> str:
        schedule = call(
            "POST",
            f"{TABLE}/cmn_schedule_blackout",
            json={"name": name, "time_zone": "Europe/Berlin", **values},
        )
        entry = call(
            "POST",
            f"{TABLE}/cmn_schedule_span",
            json={
                "schedule": schedule["sys_id"],
                "type": "blackout",
                "start_date_time": compact(begins),
                "end_date_time": compact(ends),
            },
        )
        return str(entry["sys_id"])

    return make


@pytest.fixture
def item(call: Call) -> str:
    """A database server with a maintenance schedule of its own: an hour tomorrow."""
    made = call("POST", f"{TABLE}/cmdb_ci_server", json={"name": "DB-9", "environment": "Test"})
    return str(made["sys_id"])


@pytest.fixture
def open_change(call: Call, snow: ServiceNowAdapters) -> Callable[..., ChangeRef]:
    made = call("POST", f"{TABLE}/incident", by="abel.tuter", json={"short_description": "help"})
    key = made["number"]
    ticket = TicketRef(system="snow", kind=TicketKind.INCIDENT, id=made["sys_id"], key=key)
    text = PlanText(
        short_description="s", description="d", justification="j", risk_and_impact="r",
        implementation="i", test="t", backout="b",
    )  # fmt: skip

    def make(window: Window | None = None, **native: str) -> ChangeRef:
        draft = ChangeDraft(
            correlation_id=f"tg:{key}:1-r1",
            plan_digest="sha256:" + "5b" * 32,
            text=text,
            kind=ChangeKind.NORMAL,
            window=window or Window(),
            ticket=ticket,
            requested_by=None,
            authority_group=CAB,
            native=native,
        )
        return snow.changes.open(draft)

    return make


def test_a_blackout_that_has_begun_is_in_the_snapshot_with_its_end(
    snow: ServiceNowAdapters, open_change: Callable[..., ChangeRef], blackout: Seed, now: datetime
) -> None:
    ref = open_change()
    assert snow.changes.snapshot(ref).schedule.obstacles == ()
    ends = (now + 5 * HOUR).replace(microsecond=0)
    blackout(now - HOUR, ends)
    (found,) = snow.changes.snapshot(ref).schedule.obstacles
    assert (found.kind, found.name, found.is_binding) == (ObstacleKind.BLACKOUT, "Audit", True)
    assert found.ends_at == ends
    assert found.covers(now)


@pytest.mark.parametrize(
    ("values", "applies"),
    [
        ({}, True),
        ({"applies_to": "change_request"}, True),
        ({"applies_to": "change_request", "condition": "type=normal"}, True),
        ({"applies_to": "change_request", "condition": "type=emergency"}, False),
        ({"applies_to": "change_request", "condition": "type=emergency^NQrisk=3^ORrisk=4"}, True),
        ({"applies_to": "change_request", "condition": "type=emergency^NQimpact=1^EQ"}, False),
        ({"applies_to": "cmdb_ci_server", "condition": "environment=Test"}, True),
        ({"applies_to": "cmdb_ci_server", "condition": "environment=Production"}, False),
        ({"applies_to": "cmdb_ci_service"}, False),
    ],
)
def test_the_instance_itself_says_whom_a_blackout_is_about(
    snow: ServiceNowAdapters,
    open_change: Callable[..., ChangeRef],
    blackout: Seed,
    item: str,
    now: datetime,
    values: dict[str, str],
    applies: bool,  # noqa: FBT001  a parameter of the table above
) -> None:
    ref = open_change(cmdb_ci=item, risk="4", impact="3")
    blackout(now - HOUR, now + HOUR, **values)
    assert bool(snow.changes.snapshot(ref).schedule.obstacles) is applies


def test_a_blackout_about_a_table_that_is_no_item_shuts_the_gate(
    snow: ServiceNowAdapters, open_change: Callable[..., ChangeRef], blackout: Seed, now: datetime
) -> None:
    ref = open_change()
    blackout(now + HOUR, now + 2 * HOUR, applies_to="sys_user")
    schedule = snow.changes.snapshot(ref).schedule
    assert "sys_user" in schedule.unreadable
    assert schedule.binding([now]) is None


def test_an_entry_that_repeats_in_an_unknown_way_shuts_the_gate_and_check_says_so(
    call: Call,
    snow: ServiceNowAdapters,
    open_change: Callable[..., ChangeRef],
    blackout: Seed,
    now: datetime,
) -> None:
    ref = open_change()
    entry = blackout(now + 50 * HOUR, now + 51 * HOUR)
    call(
        "PATCH",
        f"{TABLE}/cmn_schedule_span/{entry}",
        json={"repeat_type": "yearly", "yearly_type": "float"},
    )
    assert "yearly_type" in snow.changes.snapshot(ref).schedule.unreadable
    (found,) = [one for one in snow.changes.check() if one.code == "schedule:unreadable"]
    assert found.severity is Severity.UNSAFE


def test_what_has_a_maintenance_schedule_is_changed_inside_of_it_only(
    call: Call,
    snow: ServiceNowAdapters,
    open_change: Callable[..., ChangeRef],
    item: str,
    sandbox: ServiceNowSandbox,
    now: datetime,
) -> None:
    opens = (now + 2 * HOUR).replace(microsecond=0)
    schedule = call("POST", f"{TABLE}/cmn_schedule", json={"name": "DB", "time_zone": "GMT"})
    call(
        "POST",
        f"{TABLE}/cmn_schedule_span",
        json={
            "schedule": schedule["sys_id"],
            "type": "maintenance",
            "start_date_time": compact(opens),
            "end_date_time": compact(opens + 4 * HOUR),
        },
    )
    call(
        "PATCH",
        f"{TABLE}/cmdb_ci_server/{item}",
        json={"maintenance_schedule": schedule["sys_id"]},
    )
    ref = open_change(cmdb_ci=item)
    (shut, *_) = snow.changes.snapshot(ref).schedule.obstacles
    assert (shut.kind, shut.ends_at) == (ObstacleKind.OUTSIDE_MAINTENANCE, opens)
    sandbox.clock.advance(timedelta(hours=3))
    inside = sandbox.clock.now().astimezone(UTC)
    assert snow.changes.snapshot(ref).schedule.binding([inside]) is None
    sandbox.clock.advance(timedelta(hours=4))
    after = sandbox.clock.now().astimezone(UTC)
    assert snow.changes.snapshot(ref).schedule.binding([after]) is not None


@pytest.mark.parametrize(("mode", "is_binding"), [("tell", False), ("hold", True)])
def test_a_conflict_that_the_instance_noted_is_told_or_holds(
    call: Call,
    connect: Connect,
    open_change: Callable[..., ChangeRef],
    item: str,
    mode: str,
    is_binding: bool,  # noqa: FBT001  a parameter of the table above
) -> None:
    ref = open_change(cmdb_ci=item)
    other = call("POST", f"{TABLE}/change_request", json={"short_description": "x"})
    call(
        "POST",
        f"{TABLE}/conflict",
        json={
            "change": ref.id,
            "conflicting_change": other["sys_id"],
            "type": "ci_already_scheduled",
        },
    )
    (found,) = connect(schedule={"conflicts": mode}).changes.snapshot(ref).schedule.obstacles
    assert (found.kind, found.name) == (ObstacleKind.CONFLICT, other["number"])
    assert found.is_binding is is_binding


def test_before_the_change_exists_blackouts_and_changes_of_its_item_are_known(
    call: Call, snow: ServiceNowAdapters, blackout: Seed, item: str, now: datetime
) -> None:
    window = Window(earliest=now + HOUR, latest=now + 5 * HOUR)
    assert snow.changes.ahead(window, {"cmdb_ci": item}).obstacles == ()
    blackout(now + 2 * HOUR, now + 3 * HOUR)
    blackout(now + 6 * HOUR, now + 7 * HOUR, name="Later")
    form = "%Y-%m-%d %H:%M:%S"
    other = call(
        "POST",
        f"{TABLE}/change_request",
        json={
            "short_description": "x",
            "cmdb_ci": item,
            "start_date": (now + 4 * HOUR).strftime(form),
            "end_date": (now + 9 * HOUR).strftime(form),
        },
    )
    found = snow.changes.ahead(window, {"cmdb_ci": item})
    assert [(one.kind, one.name) for one in found.obstacles] == [
        (ObstacleKind.BLACKOUT, "Audit"),
        (ObstacleKind.CONFLICT, other["number"]),
    ]
    assert [one.name for one in snow.changes.ahead(window, {}).obstacles] == ["Audit"]


def test_a_change_that_is_planned_into_the_same_time_is_told_though_no_check_ran(
    call: Call,
    snow: ServiceNowAdapters,
    open_change: Callable[..., ChangeRef],
    item: str,
    now: datetime,
) -> None:
    ref = open_change(Window(earliest=now + HOUR, latest=now + 5 * HOUR), cmdb_ci=item)
    assert snow.changes.snapshot(ref).schedule.obstacles == ()
    form = "%Y-%m-%d %H:%M:%S"
    other = call(
        "POST",
        f"{TABLE}/change_request",
        json={
            "short_description": "x",
            "cmdb_ci": item,
            "start_date": (now + 2 * HOUR).strftime(form),
            "end_date": (now + 3 * HOUR).strftime(form),
        },
    )
    (found,) = snow.changes.snapshot(ref).schedule.obstacles
    assert (found.name, found.is_binding) == (other["number"], False)


def test_hidden_schedules_shut_the_gate_and_check_names_the_right(
    snow: ServiceNowAdapters,
    open_change: Callable[..., ChangeRef],
    sandbox: ServiceNowSandbox,
) -> None:
    ref = open_change()
    sandbox.faults.add({"kind": "5xx", "path": "/table/cmn_schedule_blackout", "status": 403})
    assert "cmn_schedule_blackout" in snow.changes.snapshot(ref).schedule.unreadable
    codes = {one.code for one in snow.changes.check() if one.severity is Severity.UNSAFE}
    assert "unreadable:cmn_schedule_blackout" in codes


def test_what_is_switched_off_is_not_asked_and_check_says_that_it_is(connect: Connect) -> None:
    off = {"blackouts": False, "maintenance": False, "conflicts": "off"}
    snow = connect(schedule=off)
    assert snow.changes.ahead(Window(), {}).unreadable == ""
    codes = {one.code for one in snow.changes.check()}
    assert {"schedule:blackouts", "schedule:maintenance", "schedule:conflicts"} <= codes
