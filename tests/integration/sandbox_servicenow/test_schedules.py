"""Freezes, maintenance windows, conflicts and free times of changes, as an instance keeps them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.servicenow.sandbox.rules.schedules import (
    Interval,
    covers,
    merge,
    occurrences,
    overlaps,
)
from tests.integration.sandbox_servicenow.conftest import Api

CHANGE = "/api/sn_chg_rest/change"
SERVER = "53fdbd6437201000deeabfc8bcbe5d0f"
OWN_WINDOW = "0c8c1a0e4710a3000000000000000001"
SHARED_WINDOW = "0c8c1a0e4710a3000000000000000002"
FREEZE = "0c8c1a0e4710a3000000000000000003"
BERLIN = ZoneInfo("Europe/Berlin")


def span(start: str, end: str, repeat: str = "", **more: str) -> dict[str, str]:
    row = dict.fromkeys(
        ("repeat_until", "days_of_week", "monthly_type", "yearly_type", "all_day"), ""
    )
    return {
        **row, "start_date_time": start, "end_date_time": end, "repeat_type": repeat,
        "repeat_count": "1", **more,
    }  # fmt: skip


def days(row: dict[str, str], start: str, end: str, zone: str = "UTC") -> list[str]:
    found = occurrences(row, ZoneInfo(zone), at(start), at(end))
    return [begin.strftime("%m-%d %H:%M") for begin, _ in found]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (span("20260302T100000", "20260302T110000"), ["03-02 10:00"]),
        (span("20260302T100000", "20260302T110000", "daily", repeat_count="10"),
         ["03-02 10:00", "03-12 10:00", "03-22 10:00"]),
        (span("20260302T100000", "20260302T110000", "weekly", repeat_count="2", days_of_week="13"),
         ["03-02 10:00", "03-04 10:00", "03-16 10:00", "03-18 10:00", "03-30 10:00"]),
        (span("20260302T100000", "20260302T110000", "weekly"),
         ["03-02 10:00", "03-09 10:00", "03-16 10:00", "03-23 10:00", "03-30 10:00"]),
        (span("20260327T100000", "20260327T110000", "weekdays"),
         ["03-27 10:00", "03-30 10:00", "03-31 10:00"]),
        (span("20260320T100000", "20260320T110000", "weekends", repeat_until="2026-03-22"),
         ["03-21 10:00", "03-22 10:00"]),
        (span("20260325T100000", "20260325T110000", "weekMWF"),
         ["03-25 10:00", "03-27 10:00", "03-30 10:00"]),
        (span("20260325T100000", "20260325T110000", "weekTT"), ["03-26 10:00", "03-31 10:00"]),
        (span("20260115T100000", "20260115T110000", "monthly"), ["03-15 10:00"]),
        (span("20260131T000000", "20260131T235959", "monthly", monthly_type="ldom"),
         ["03-31 00:00"]),
        (span("20260114T100000", "20260114T110000", "monthly", monthly_type="dow"),
         ["03-11 10:00"]),
        (span("20260130T100000", "20260130T110000", "monthly", monthly_type="ldow"),
         ["03-27 10:00"]),
        (span("20250317T100000", "20250317T110000", "yearly"), ["03-17 10:00"]),
        (span("20250317T100000", "20250317T110000", "yearly", yearly_type="float"),
         ["03-16 10:00"]),
        (span("nonsense", "20250317T110000"), []),
        (span("20250318T100000", "20250317T110000"), []),
    ],
)  # fmt: skip
def test_an_entry_recurs_as_its_form_says(row: dict[str, str], expected: list[str]) -> None:
    assert days(row, "2026-03-01", "2026-04-01") == expected


def test_a_window_keeps_its_wall_clock_time_when_the_clocks_change() -> None:
    row = span("20260321T220000", "20260322T040000", "weekly", days_of_week="6")
    found = list(occurrences(row, BERLIN, at("2026-03-20"), at("2026-04-08")))
    assert [begin.hour for begin, _ in found] == [21, 21, 20]
    # The night of the change is an hour shorter.
    assert [(end - begin).seconds // 3600 for begin, end in found] == [6, 5, 6]


def test_a_moment_with_a_z_is_utc_and_a_whole_day_ends_at_midnight() -> None:
    row = span("20260302T230000Z", "20260303T010000Z")
    assert days(row, "2026-03-01", "2026-04-01", "Europe/Berlin") == ["03-02 23:00"]
    whole = span("20260302T000000", "20260302T235959", all_day="true")
    ((begin, end),) = occurrences(whole, ZoneInfo("UTC"), at("2026-03-01"), at("2026-04-01"))
    assert (end - begin).days == 1


def test_intervals_are_joined_and_compared() -> None:
    first: Interval = (at("2026-03-01"), at("2026-03-02"))
    second: Interval = (at("2026-03-02"), at("2026-03-04"))
    third: Interval = (at("2026-03-05"), at("2026-03-06"))
    joined = merge([third, second, first])
    assert joined == [(at("2026-03-01"), at("2026-03-04")), third]
    assert covers(joined, at("2026-03-01"), at("2026-03-03"))
    assert not covers(joined, at("2026-03-03"), at("2026-03-05 12:00"))
    assert overlaps(joined, at("2026-03-03"), at("2026-03-05"))
    assert not overlaps(joined, at("2026-03-04"), at("2026-03-05"))


def test_time_is_taken_out_of_the_middle_and_an_unknown_zone_counts_as_utc(
    admin: Api, daemon: Api
) -> None:
    item = admin.create("cmdb_ci", name="windowed")["sys_id"]
    for zone in ("", "Nowhere/Land"):
        window = admin.create("cmn_schedule", name=f"window {zone}", time_zone=zone)["sys_id"]
        admin.change("cmdb_ci", item, maintenance_schedule=window)
        for kind, start, end in (
            ("maintenance", "20270301T000000", "20270301T120000"),
            ("maintenance", "20270302T000000", "20270302T120000"),
            ("excluded", "20270301T050000", "20270301T060000"),
        ):
            admin.create("cmn_schedule_span", schedule=window, type=kind,
                         start_date_time=start, end_date_time=end)  # fmt: skip
        for hours, expected in (
            (("02", "04"), "No Conflict"),
            (("04", "07"), "Conflict"),
            (("07", "09"), "No Conflict"),
        ):
            number = planned(
                daemon, f"2027-03-01 {hours[0]}:30:00", f"2027-03-01 {hours[1]}:00:00",
                cmdb_ci=item,
            )  # fmt: skip
            assert conflicts(daemon, number)["status"] == expected, hours
            daemon.change("change_request", number, state="4")
    admin.change("cmdb_ci", item, maintenance_schedule="0" * 32)
    number = planned(daemon, "2027-03-01 01:00:00", "2027-03-01 02:00:00", cmdb_ci=item)
    # A schedule that is gone binds nobody.
    assert conflicts(daemon, number)["status"] == "No Conflict"


def planned(api: Api, start: str, end: str, **values: str) -> str:
    body = {"short_description": "planned", "start_date": start, "end_date": end, **values}
    made = api.post(f"{CHANGE}/normal", body, 200)
    number: str = made["result"]["sys_id"]["value"]
    return number


def conflicts(api: Api, change: str) -> dict[str, Any]:
    api.post(f"{CHANGE}/{change}/conflict", {}, 200)
    found: dict[str, Any] = api.get(f"{CHANGE}/{change}/conflict").json()["result"]
    return found


def kinds(found: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((one["type"]["value"], one["schedule"]["value"]) for one in found["conflicts"])


def test_a_change_in_the_freeze_and_outside_its_windows_conflicts(daemon: Api) -> None:
    number = planned(daemon, "2026-12-30 10:00:00", "2026-12-30 11:00:00", cmdb_ci=SERVER)
    found = conflicts(daemon, number)
    assert found["status"] == "Conflict"
    assert kinds(found) == [
        ("blackout", FREEZE),
        ("not_in_maintenance_window", OWN_WINDOW),
        ("not_in_maintenance_window", SHARED_WINDOW),
    ]
    row = daemon.record("change_request", number)
    assert (row["conflict_status"], row["outside_maintenance_schedule"]) == ("Conflict", "true")


def test_a_change_inside_both_windows_has_no_conflict(daemon: Api) -> None:
    number = planned(daemon, "2027-02-07 00:30:00", "2027-02-07 02:00:00", cmdb_ci=SERVER)
    found = conflicts(daemon, number)
    assert (found["status"], found["conflicts"]) == ("No Conflict", [])
    assert daemon.record("change_request", number)["outside_maintenance_schedule"] == "false"


def test_a_freeze_that_somebody_adds_counts_at_once(admin: Api, daemon: Api) -> None:
    """Its times are written as a person would, and kept in the compact form."""
    number = planned(daemon, "2027-02-14 00:30:00", "2027-02-14 02:00:00", cmdb_ci=SERVER)
    freeze = admin.create(
        "cmn_schedule_blackout", name="Data centre moves", time_zone="GMT",
        applies_to="cmdb_ci_server", condition="name=PROD-DB-03",
    )  # fmt: skip
    assert freeze["type"] == "blackout"
    entry = admin.create(
        "cmn_schedule_span", schedule=freeze["sys_id"], name="Move", type="blackout",
        start_date_time="2027-02-13 18:00:00", end_date_time="2027-02-15 06:00:00",
    )  # fmt: skip
    assert entry["start_date_time"] == "20270213T180000"
    assert kinds(conflicts(daemon, number)) == [("blackout", freeze["sys_id"])]
    daemon.create("cmn_schedule_blackout", 403, name="mine")
    admin.change("cmn_schedule_span", entry["sys_id"], end_date_time="2027-02-14 00:15:00")
    assert conflicts(daemon, number)["conflicts"] == []
    shown = daemon.record("cmn_schedule_span", entry["sys_id"], sysparm_display_value="true")
    assert shown["start_date_time"] == "2027-02-13 18:00:00"
    excluded = admin.create(
        "cmn_schedule_span", schedule=freeze["sys_id"], name="Not now", type="excluded",
        start_date_time="20270213T200000", end_date_time="20270216T200000",
    )  # fmt: skip
    admin.change("cmn_schedule_span", entry["sys_id"], end_date_time="2027-02-15 06:00:00")
    assert conflicts(daemon, number)["conflicts"] == []
    admin.session.delete(f"{admin.url}/api/now/table/cmn_schedule_span/{excluded['sys_id']}")
    assert len(conflicts(daemon, number)["conflicts"]) == 1
    answer = admin.session.delete(
        f"{admin.url}/api/now/table/cmn_schedule_blackout/{freeze['sys_id']}", timeout=20
    )
    assert answer.status_code == 204


def test_a_free_time_lies_inside_the_windows_and_outside_the_freeze(daemon: Api) -> None:
    number = planned(daemon, "2026-12-30 10:00:00", "2026-12-30 11:00:00", cmdb_ci=SERVER)
    spans = daemon.spans(f"{CHANGE}/{number}/schedule")
    assert spans
    for one in spans:
        start, end = at(one["start"]["value"]), at(one["end"]["value"])
        assert (start.isoweekday(), (end - start).seconds) == (7, 3600)
        assert start.hour < 3
        assert not (at("2026-12-19 23:00") < end and start < at("2027-01-05 23:00"))
    answer = daemon.session.patch(
        f"{daemon.url}{CHANGE}/{number}/schedule/first_available",
        json={"duration_in_seconds": "3600"},
        timeout=20,
    )
    assert answer.status_code == 202
    notes = daemon.worked(answer.json())["messages"]["infoMessages"]
    assert notes == ["Change has been updated"]
    row = daemon.record("change_request", number)
    assert row["start_date"] == spans[0]["start"]["value"]
    assert conflicts(daemon, number)["status"] == "No Conflict"


def test_relatives_assignees_and_neighbours_count_where_the_properties_say_so(
    admin: Api, daemon: Api
) -> None:
    parent = admin.create("cmdb_ci", name="parent of all")["sys_id"]
    child = admin.create("cmdb_ci", name="child of all")["sys_id"]
    admin.create("cmdb_rel_ci", parent=parent, child=child)
    times = ("2027-03-03 10:00:00", "2027-03-03 11:00:00")
    other = planned(daemon, *times, cmdb_ci=child, assigned_to="luke.wilson")
    number = planned(daemon, *times, cmdb_ci=parent, assigned_to="luke.wilson")
    assert conflicts(daemon, number)["status"] == "No Conflict"
    properties = {
        one["name"].removeprefix("change.conflict."): one["sys_id"]
        for one in admin.records("sys_properties", "nameSTARTSWITHchange.conflict.")
    }

    def switch(name: str, value: str) -> None:
        admin.change("sys_properties", properties[name], value=value)

    switch("relatedchildwindow", "true")
    switch("assigned_to", "true")
    found = conflicts(daemon, number)["conflicts"]
    assert [one["type"]["value"] for one in found] == [
        "child_ci_already_scheduled", "assigned_to_already_scheduled",
    ]  # fmt: skip
    assert found[0]["related_configuration_item"]["value"] == child
    assert {one["conflicting_change"]["value"] for one in found} == {other}
    switch("relatedchildwindow", "false")
    switch("assigned_to", "false")
    switch("mode", "advanced")
    body = {"cmdb_ci_sys_ids": child, "association_type": "affected"}
    daemon.post(f"{CHANGE}/{number}/ci", body, 202)
    assert kinds(conflicts(daemon, number)) == [("ci_already_scheduled", "")]
    switch("mode", "basic")
    behind = planned(daemon, "2027-03-03 11:00:00", "2027-03-03 12:00:00", cmdb_ci=child)
    assert conflicts(daemon, behind)["status"] == "No Conflict"
    switch("allow_contiguous_changes", "false")
    assert kinds(conflicts(daemon, behind)) == [("ci_already_scheduled", "")]
    switch("allow_contiguous_changes", "true")
    for name in ("currentci", "currentwindow", "blackout"):
        switch(name, "false")
    frozen = planned(daemon, "2026-12-30 10:00:00", "2026-12-30 11:00:00", cmdb_ci=SERVER)
    assert conflicts(daemon, frozen)["status"] == "No Conflict"
    assert daemon.spans(f"{CHANGE}/{frozen}/schedule")
    for name in ("currentci", "currentwindow", "blackout"):
        switch(name, "true")
