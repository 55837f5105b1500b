"""Risk floors, windows and freezes: how much approval is needed, and when it counts."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.action import RiskScores, Tier
from engine.domain.decision import Freeze, Window

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("scores", "floor"),
    [
        ((0, 0, 0), Tier.ONE),
        ((1, 0, 0), Tier.ONE),
        ((0, 0, 1), Tier.ONE),
        ((1, 1, 0), Tier.TWO),
        ((2, 0, 0), Tier.TWO),
        ((1, 1, 1), Tier.TWO),
        ((2, 1, 0), Tier.TWO),
        ((2, 2, 0), Tier.THREE),
        ((2, 1, 1), Tier.THREE),
        ((3, 0, 0), Tier.THREE),
        ((0, 3, 0), Tier.THREE),
        ((0, 0, 3), Tier.THREE),
        ((3, 3, 3), Tier.THREE),
    ],
)
def test_the_floor_follows_from_sum_and_peak(scores: tuple[int, int, int], floor: Tier) -> None:
    blast, irreversibility, regulatory = scores
    found = RiskScores(
        blast_radius=blast, irreversibility=irreversibility, regulatory=regulatory
    ).floor
    assert found is floor


SCORES = [
    RiskScores(blast_radius=a, irreversibility=b, regulatory=c)
    for a, b, c in itertools.product(range(4), repeat=3)
]


def test_raising_a_score_never_lowers_the_floor() -> None:
    for one, other in itertools.product(SCORES, repeat=2):
        if other.is_at_least(one):
            assert other.floor >= one.floor


def test_at_least_compares_each_score_alone() -> None:
    one = RiskScores(blast_radius=1, irreversibility=1, regulatory=1)
    assert one.is_at_least(one)
    for name in ("blast_radius", "irreversibility", "regulatory"):
        parts = {"blast_radius": 3, "irreversibility": 3, "regulatory": 3, name: 0}
        assert not RiskScores(**parts).is_at_least(one)


@pytest.mark.parametrize("wrong", [-1, 4, 99])
@pytest.mark.parametrize("name", ["blast_radius", "irreversibility", "regulatory"])
def test_a_score_off_the_scale_is_refused(name: str, wrong: int) -> None:
    parts = {"blast_radius": 0, "irreversibility": 0, "regulatory": 0, name: wrong}
    with pytest.raises(ValueError, match=name):
        RiskScores(**parts)


def test_higher_tiers_win() -> None:
    assert max(Tier) is Tier.THREE
    assert max(Tier.ONE, Tier.TWO) is Tier.TWO


@pytest.mark.parametrize(
    ("earliest", "latest", "offset", "expected"),
    [
        (None, None, 0, True),
        (NOW, None, -1, False),
        (NOW, None, 0, True),
        (None, NOW, -1, True),
        (None, NOW, 0, False),
        (NOW, NOW, 0, False),
    ],
)
def test_a_window_holds_its_beginning_and_not_its_end(
    earliest: datetime | None, latest: datetime | None, offset: int, *, expected: bool
) -> None:
    window = Window(earliest=earliest, latest=latest)
    assert window.contains(NOW + offset * SECOND) is expected


@given(st.integers(-3, 3), st.integers(0, 3))
def test_a_freeze_covers_its_beginning_and_not_its_end(offset: int, length: int) -> None:
    freeze = Freeze(name="year end", begins_at=NOW, ends_at=NOW + length * SECOND)
    assert freeze.covers(NOW + offset * SECOND) == (0 <= offset < length)
