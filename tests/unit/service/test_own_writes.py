from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.stage import Stage
from engine.ports.trail import OwnWrite, WriteKind
from engine.service.own_writes import Spell, ToldFault, Way, unexplained, unmoved
from engine.service.reconcile import SLACK

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPELLS = (
    (Stage.INGESTED, 0),
    (Stage.DRAFTED, 1),
    (Stage.OPENED, 2),
    (Stage.AWAITING, 10),
    (Stage.APPROVED, 60),
    (Stage.IMPLEMENTING, 70),
    (Stage.REPORTING, 71),
    (Stage.FULFILLED, 75),
)


def way(*, until: int = len(SPELLS)) -> Way:
    kept = SPELLS[:until]
    ends = [NOON + minute * MINUTE for _, minute in kept[1:]]
    return Way(
        handling="h",
        ticket="sn:INC1",
        records=frozenset({"ticket", "change"}),
        change="change",
        system="sn",
        spells=tuple(
            Spell(stage=stage, begins_at=NOON + minute * MINUTE, ends_at=end)
            for (stage, minute), end in zip(kept, [*ends, None], strict=True)
        ),
    )


def write(minute: float, kind: WriteKind, record: str = "change", key: str = "") -> OwnWrite:
    at = NOON + minute * MINUTE
    return OwnWrite(at=at, record=record, owners=(record,), kind=kind, what=("x",), key=key)


@pytest.mark.parametrize(
    ("minute", "kind", "why"),
    [
        (2, WriteKind.CREATE, ""),
        (5, WriteKind.FIELD, ""),
        (40, WriteKind.NOTE, ""),
        (40, WriteKind.FIELD, "do not write this"),
        (40, WriteKind.MOVE, "do not write this"),
        (40, WriteKind.FILE, "do not write this"),
        (65, WriteKind.MOVE, "do not write this"),
        (70.5, WriteKind.MOVE, ""),
        (76, WriteKind.NOTE, ""),
        (90, WriteKind.NOTE, "do not write this"),
        (-5, WriteKind.NOTE, "do not write this"),
        (2, WriteKind.APPROVAL, "decided an approval"),
        (70.5, WriteKind.APPROVAL, "decided an approval"),
    ],
)
def test_a_write_is_explained_where_the_handling_stood_then(
    minute: float, kind: WriteKind, why: str
) -> None:
    found = unexplained([write(minute, kind)], [way()], {})
    assert [one.why for one in found] == ([] if not why else [found[0].why])
    assert all(why in one.why for one in found)


def test_while_it_lives_the_last_stage_has_no_end() -> None:
    waiting = way(until=4)
    assert unexplained([write(9000, WriteKind.NOTE)], [waiting], {}) == ()
    assert len(unexplained([write(9000, WriteKind.FIELD)], [waiting], {})) == 1


def test_a_record_of_nobody_is_named_once_for_what_was_written_at_once() -> None:
    other = [write(3, WriteKind.FIELD, "other"), write(3, WriteKind.MOVE, "other")]
    (found,) = unexplained(other, [way()], {})
    assert "no handling of ours" in found.why
    assert found.record == "other"


def test_the_incident_of_a_fault_is_explained_while_the_fault_stood() -> None:
    told = {"tg-1": [ToldFault(begins_at=NOON, ends_at=NOON + 10 * MINUTE)]}
    mine = [write(1, WriteKind.CREATE, "fault", "tg-1"), write(11, WriteKind.MOVE, "fault", "tg-1")]
    assert unexplained(mine, [], told) == ()
    late = write(300, WriteKind.MOVE, "fault", "tg-1")
    other = write(1, WriteKind.CREATE, "fault", "tg-2")
    assert len(unexplained([late, other], [], told)) == 2


def test_a_change_that_was_carried_out_and_never_moved_is_missed() -> None:
    moved = [write(70.5, WriteKind.MOVE)]
    assert unmoved(moved, [way()], NOON) == ()
    assert unmoved([write(5, WriteKind.MOVE)], [way()], NOON) == (way(),)
    assert unmoved([], [way(until=6)], NOON) == ()
    assert unmoved([], [way()], NOON + timedelta(days=1) + SLACK) == ()
