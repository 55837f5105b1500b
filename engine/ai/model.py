"""The text model: trained at start, calibrated, with a sense of what it has never seen.

Nothing is pickled: the phrases are the model, and the same phrases and seed give the same one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from engine.ai.features import vectoriser
from engine.errors import ConfigurationError

NONE = ""
"""The class of texts that ask for no action; sorts before every name."""

_FOLDS = 5
_NEIGHBOURS = 3
_MATTERS = 2
_ONE_MODEL: Any = False  # scikit-learn: a bool or "auto", which its own annotation leaves out


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What the model says of one text: probabilities by class, and similarity to the best class."""

    probabilities: Mapping[str, float]
    similarity: float
    usual: float

    def best(self) -> tuple[str, float]:
        """Return the likeliest class that is an action, and its probability."""
        actions = [(p, name) for name, p in self.probabilities.items() if name != NONE]
        probability, name = max(actions, key=lambda item: (item[0], item[1]))
        return name, probability

    @property
    def is_novel(self) -> bool:
        """Whether the text is less like its class than that class's phrases are to each other."""
        return self.similarity < self.usual


class TextModel:
    """A calibrated classifier over phrases, with a similarity floor per class."""

    def __init__(self, phrases: Mapping[str, Sequence[str]], *, seed: int, novelty: float) -> None:
        """Train.

        Args:
            phrases: Class to phrases; `NONE` for texts that ask for nothing.
            seed: Fixes the folds; the same seed gives the same model.
            novelty: The quantile of the phrases' own similarities that a text has to reach.

        Raises:
            ConfigurationError: Fewer than two classes, or a class with fewer than two phrases.
        """
        pairs = sorted({(name, text) for name, texts in phrases.items() for text in texts})
        labels = np.array([name for name, _ in pairs])
        texts = [text for _, text in pairs]
        counts = {name: int((labels == name).sum()) for name in sorted(phrases)}
        thin = [name or "none" for name, count in counts.items() if count < _MATTERS]
        if len(counts) < _MATTERS or thin:
            raise ConfigurationError(
                "the classifier needs two phrases or more for each of two classes or more;"
                f" too few for: {', '.join(thin) or 'everything'}"
            )
        self._features = vectoriser()
        matrix = normalize(self._features.fit_transform(texts))
        folds = StratifiedKFold(min(_FOLDS, *counts.values()), shuffle=True, random_state=seed)
        self._classifier = CalibratedClassifierCV(
            LinearSVC(C=1.0, class_weight="balanced", random_state=seed),
            method="sigmoid",
            cv=folds,
            ensemble=_ONE_MODEL,
        )
        self._classifier.fit(matrix, labels)
        self._matrix: Any = matrix
        self._rows = {name: np.flatnonzero(labels == name) for name in counts}
        self._usual = {name: self._floor(rows, novelty) for name, rows in self._rows.items()}

    def _floor(self, rows: NDArray[np.int64], novelty: float) -> float:
        """Return the similarity that all but the `novelty` share of a class's own phrases reach."""
        own = self._matrix[rows]
        similarities = (own @ own.T).toarray()
        np.fill_diagonal(similarities, -1.0)
        return float(np.quantile(_nearest(similarities, len(rows) - 1), novelty))

    def score(self, texts: Sequence[str]) -> tuple[Scored, ...]:
        """Return one answer per text; a text's answer does not depend on its company."""
        if not texts:
            return ()
        matrix = normalize(self._features.transform(texts))
        names = [str(name) for name in cast("Any", self._classifier.classes_)]
        answers: list[Scored] = []
        for number, row in enumerate(self._classifier.predict_proba(matrix)):
            probabilities = {name: round(float(p), 6) for name, p in zip(names, row, strict=True)}
            best, _ = Scored(probabilities=probabilities, similarity=0, usual=0).best()
            rows = self._rows[best]
            nearest = _nearest((matrix[number] @ self._matrix[rows].T).toarray(), len(rows))
            answers.append(
                Scored(
                    probabilities=probabilities,
                    similarity=round(float(nearest[0]), 6),
                    usual=round(self._usual[best], 6),
                )
            )
        return tuple(answers)


def _nearest(similarities: NDArray[np.float64], known: int) -> NDArray[np.float64]:
    """Return each row's mean similarity to its nearest neighbours."""
    count = max(1, min(_NEIGHBOURS, known))
    ordered = np.sort(similarities, axis=1)[:, -count:]
    return np.asarray(ordered.mean(axis=1))


def fingerprint(content: object) -> str:
    """Return a short digest of everything a model is made of."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
