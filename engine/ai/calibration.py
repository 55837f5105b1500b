"""Confidence that means something: how often decisions this sure were right, out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.isotonic import IsotonicRegression


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A rising step function from the model's score to the share of right decisions.

    Every step is smoothed by the rule of succession, (right + 1) / (all + 2): a hundred phrases
    without an error never promise more than 0.99, and few phrases promise little.
    """

    steps: tuple[tuple[float, float], ...]

    def confidence(self, score: float) -> float:
        """Return the confidence of a decision with this score; below all phrases, the least."""
        reached = [value for least, value in self.steps if score >= least]
        return max(reached, default=min(score, self.steps[0][1]) if self.steps else 0.0)


def learn_curve(decisions: Sequence[tuple[float, bool]]) -> Curve:
    """Return the curve of decisions (score, whether right), by isotonic regression."""
    if not decisions:
        return Curve(steps=())
    ordered = sorted(decisions)
    scores = [score for score, _ in ordered]
    rights = [float(is_right) for _, is_right in ordered]
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(scores, rights).predict(scores)
    blocks: dict[float, list[tuple[float, float]]] = {}
    for score, right, value in zip(scores, rights, fitted, strict=True):
        blocks.setdefault(round(float(value), 9), []).append((score, right))
    steps: list[tuple[float, float]] = []
    highest = 0.0
    for members in blocks.values():
        right = sum(one for _, one in members)
        highest = max(highest, (right + 1) / (len(members) + 2))
        steps.append((members[0][0], round(highest, 6)))
    return Curve(steps=tuple(steps))
