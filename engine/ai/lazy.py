"""A classifier that is trained when it is first asked, once, whoever asks."""

import threading
from collections.abc import Callable, Sequence

from engine.domain.classification import Classification, ClassifierInput
from engine.ports.brains import Classifier


class LazyClassifier:
    """The Classifier port over one that takes seconds to train; who never asks never waits."""

    def __init__(self, train: Callable[[], Classifier]) -> None:
        """Take what trains; nothing is trained yet."""
        self._train = train
        self._lock = threading.Lock()
        self._trained: Classifier | None = None

    @property
    def model(self) -> str:
        """A digest of model, training phrases and code version."""
        return self._ready().model

    def classify(self, texts: Sequence[ClassifierInput]) -> tuple[Classification, ...]:
        """Return one classification per text, in order."""
        return self._ready().classify(texts)

    def _ready(self) -> Classifier:
        with self._lock:
            if self._trained is None:
                self._trained = self._train()
            return self._trained
