"""What no cycle saw is found by the slow look at all waiting changes, over sockets."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.servicenow.factory import ServiceNowAdapters
from connectors.servicenow.sandbox.server import ServiceNowSandbox
from connectors.servicenow.sweep import position_of
from engine.domain.refs import ChangeRef
from engine.ports.paging import Cursor
from tests.integration.servicenow.conftest import Call, Connect

TABLE = "/api/now/table"
MINUTES = timedelta(minutes=3)


@pytest.fixture
def snow(connect: Connect) -> ServiceNowAdapters:
    return connect(lag="1s", overlap="2s")


@pytest.fixture
def waiting(call: Call) -> tuple[ChangeRef, ...]:
    """Sixty changes of ours: more than one look takes."""
    refs: list[ChangeRef] = []
    for number in range(60):
        body = {"short_description": f"change {number}", "correlation_display": "Tiergate"}
        made = call("POST", f"{TABLE}/change_request", json=body)
        refs.append(ChangeRef(system="snow", id=made["sys_id"], number=made["number"], url=""))
    return tuple(refs)


class Cycles:
    """The daemon's sync, cycle by cycle, with what each found and what it cost."""

    def __init__(
        self, snow: ServiceNowAdapters, sandbox: ServiceNowSandbox, refs: tuple[ChangeRef, ...]
    ) -> None:
        self.snow, self.sandbox, self.refs = snow, sandbox, refs
        sandbox.clock.advance(MINUTES)
        self.cursor = snow.changes.first_cursor()
        self.run(MINUTES)

    def run(self, step: timedelta) -> set[str]:
        self.sandbox.clock.advance(step)
        found: set[str] = set()
        while True:
            page = self.snow.changes.changed_since(self.cursor, self.refs)
            found |= {ref.id for ref in page.items}
            self.cursor = page.cursor
            if page.is_last:
                return found

    def miss_everything_until_now(self) -> None:
        """Move the cursor past what was just written, as if it had become visible too late."""
        self.sandbox.clock.advance(timedelta(seconds=30))
        opaque = position_of(self.cursor)
        now = self.snow.changes.first_cursor().at
        self.cursor = Cursor(at=now, opaque=opaque.between().encoded())

    def turn(self) -> set[str]:
        """As many looks as a whole turn over sixty changes takes, and one more."""
        return set().union(*(self.run(MINUTES) for _ in range(3)))


@pytest.fixture
def cycles(
    snow: ServiceNowAdapters, sandbox: ServiceNowSandbox, waiting: tuple[ChangeRef, ...]
) -> Cycles:
    return Cycles(snow, sandbox, waiting)


def test_nothing_is_found_where_nothing_was_missed(cycles: Cycles) -> None:
    assert cycles.turn() == set()
    assert cycles.turn() == set()


@pytest.mark.parametrize("number", [0, 59])
def test_a_change_whose_update_no_cycle_saw_is_found_within_a_turn(
    cycles: Cycles, call: Call, number: int
) -> None:
    ref = cycles.refs[number]
    call("PATCH", f"{TABLE}/change_request/{ref.id}", json={"impact": "1"})
    cycles.miss_everything_until_now()
    assert cycles.turn() == {ref.id}


def test_an_approval_row_that_no_cycle_saw_is_found(cycles: Cycles, call: Call) -> None:
    ref = cycles.refs[30]
    body = {"sysapproval": ref.id, "approver": "6816f79cc0a8016401c5a33be04be441"}
    call("POST", f"{TABLE}/sysapproval_approver", json={**body, "state": "requested"})
    cycles.miss_everything_until_now()
    assert ref.id in cycles.turn()


def test_a_deleted_change_is_found(cycles: Cycles, call: Call) -> None:
    ref = cycles.refs[10]
    call("DELETE", f"{TABLE}/change_request/{ref.id}")
    assert ref.id in cycles.turn()


def test_a_cycle_costs_four_requests_and_two_more_with_a_look(cycles: Cycles) -> None:
    log = cycles.sandbox.log

    def cost(step: timedelta) -> int:
        before = max(entry.id for entry in log.entries())
        cycles.run(step)
        return len(log.entries(since=before))

    assert cost(MINUTES) == 6
    assert cost(timedelta(seconds=30)) == 4
    cycles.refs = tuple(replace(cycles.refs[0], id=f"{number:032x}") for number in range(2000))
    cycles.run(MINUTES)  # the end of a turn that the old ones began
    assert cost(MINUTES) == 6


def test_a_cursor_of_an_older_version_goes_on(cycles: Cycles) -> None:
    cycles.cursor = Cursor(at=cycles.cursor.at)
    assert cycles.run(MINUTES) == set()
    assert position_of(cycles.cursor).looked_at is not None
