"""Whatever happens while we poll, a sweep loses nothing that it may see.

A model of an instance evaluates the queries that the sweep really sends; rows are written, updated,
committed late, hidden and shown between any two pages.
"""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.servicenow.answers import Record, Rows, read_record
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.sweep import Position, open_window, position_of, read_page
from engine.ports.paging import Cursor
from tests.unit.servicenow.conftest import record

START = datetime(2026, 11, 20, 10, tzinfo=UTC)
LAG = timedelta(seconds=3)
OVERLAP = timedelta(seconds=20)
FORM = "%Y-%m-%d %H:%M:%S"
COMPARE: dict[str, Callable[[str, str], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "=": operator.eq,
}
TERM = re.compile(r"([a-z_]+)(>=|<=|>|=)(.*)")


@dataclass(slots=True)
class Row:
    sys_id: str
    updated_at: datetime
    visible_at: datetime
    version: int = 0
    is_hidden: bool = False


class ModelInstance(ServiceNowClient):
    """The one read that a sweep makes, over rows in memory; page cut first, hidden rows after."""

    def __init__(self) -> None:
        self.name = "model"
        self.now = START
        self.table: dict[str, Row] = {}

    def write(self, sys_id: str, *, delay: int = 0) -> None:
        now = self.now.replace(microsecond=0)
        old = self.table.get(sys_id)
        self.table[sys_id] = Row(
            sys_id=sys_id,
            updated_at=now,
            # An update that is not committed yet would show the old row; only new rows come late.
            visible_at=now + timedelta(seconds=delay) if old is None else old.visible_at,
            version=0 if old is None else old.version + 1,
            is_hidden=old.is_hidden if old else False,
        )

    def rows(
        self, table: str, query: str, *, fields: Sequence[str], limit: int = 1000, offset: int = 0
    ) -> Rows:
        del table, fields
        body = query.split("^ORDERBY", maxsplit=1)[0]
        there = [row for row in self.table.values() if row.visible_at <= self.now]
        found = [row for row in there if any(_fits(row, part) for part in body.split("^NQ"))]
        found.sort(key=lambda row: (row.updated_at, row.sys_id))
        page = found[offset : offset + limit]
        shown = tuple(_record(row) for row in page if not row.is_hidden)
        return Rows(records=shown, total=len(found), server_now=self.now)


def _fits(row: Row, conjunction: str) -> bool:
    values = {"sys_updated_on": row.updated_at.strftime(FORM), "sys_id": row.sys_id}
    for term in conjunction.split("^"):
        match = TERM.fullmatch(term)
        assert match is not None, term
        if not COMPARE[match[2]](values[match[1]], match[3]):
            return False
    return True


def _record(row: Row) -> Record:
    stamp = row.updated_at.strftime(FORM)
    return read_record(
        record(
            sys_id=row.sys_id,
            sys_updated_on=stamp,
            sys_created_on=stamp,
            sys_mod_count=str(row.version),
        )
    )


@dataclass(slots=True)
class Poller:
    """A caller as intake is: it stores the cursor with what came."""

    instance: ModelInstance
    cursor: Cursor
    limit: int
    seen: set[tuple[str, str]]

    def page(self) -> bool:
        position = position_of(self.cursor)
        window = open_window(self.cursor, position, self.instance.now, lag=LAG, overlap=OVERLAP)
        if window.is_empty:
            return True
        page = read_page(
            self.instance, table="incident", base="", window=window, fields=(), limit=self.limit
        )
        self.seen |= {(one["sys_id"].value, one["sys_mod_count"].value) for one in page.records}
        if page.is_last:
            self.cursor = Cursor(at=window.horizon)
            return True
        self.cursor = Cursor(
            at=page.at,
            id=page.id,
            horizon=window.horizon,
            opaque=Position(begun=window.begun).encoded(),
        )
        return False


names = st.sampled_from([f"{number:02d}" for number in range(12)])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), names, st.integers(0, 20)),
        st.tuples(st.just("advance"), names, st.integers(0, 15)),
        st.tuples(st.just("hide"), names, st.integers(0, 1)),
        st.tuples(st.just("page"), names, st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(steps=steps, limit=st.integers(1, 4))
def test_every_visible_row_comes_in_its_last_version(
    steps: list[tuple[str, str, int]], limit: int
) -> None:
    instance = ModelInstance()
    poller = Poller(instance, Cursor(at=START), limit, set())
    ever_hidden: set[str] = set()
    for step, name, size in steps:
        match step:
            case "write":
                instance.write(name, delay=size)
            case "advance":
                instance.now += timedelta(seconds=size)
            case "hide":
                if name in instance.table:
                    instance.table[name].is_hidden = bool(size)
                    ever_hidden.add(name)
            case _:
                poller.page()
    for _ in range(3):
        instance.now += timedelta(seconds=25)
        for _ in range(200):
            if poller.page():
                break
        else:
            raise AssertionError("a sweep over a resting instance does not end")
    # A row that was hidden when its window passed may be missed until it changes again.
    expected = {
        (row.sys_id, str(row.version))
        for row in instance.table.values()
        if not row.is_hidden and row.sys_id not in ever_hidden
    }
    assert expected <= poller.seen
