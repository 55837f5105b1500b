"""Triage fields: an action's own route, or that of the routing examples a text is like."""

from collections.abc import Mapping, Sequence

from engine.ai.model import NONE, TextModel
from engine.ai.quotes import evidence_of
from engine.domain.classification import Guess
from engine.ports.training import TrainingSet

_LEAST = 2
_NOVELTY = 0.1


class Router:
    """Guesses triage fields; a text like no route gets none."""

    def __init__(self, training: TrainingSet, phrases: Mapping[str, Sequence[str]]) -> None:
        """Train on the routing examples, against everything else that is known."""
        self._by_action = {action.name: dict(action.route) for action in training.actions}
        self._routes = {
            f"route {number}": dict(route.route)
            for number, route in enumerate(training.routes)
            if len(set(route.phrases)) >= _LEAST
        }
        classes: dict[str, Sequence[str]] = {
            f"route {number}": route.phrases
            for number, route in enumerate(training.routes)
            if f"route {number}" in self._routes
        }
        routed = {phrase for texts in classes.values() for phrase in texts}
        others = {text for texts in phrases.values() for text in texts} - routed
        self._model = (
            TextModel(
                {**classes, NONE: tuple(sorted(others))}, seed=training.seed, novelty=_NOVELTY
            )
            if classes and len(others) >= _LEAST
            else None
        )

    def fields(self, text: str, action: str, confidence: float) -> Mapping[str, Guess]:
        """Return triage field to guess: the action's route when there is one, else by likeness."""
        route = self._by_action.get(action, {})
        if route:
            return _guesses(route, confidence, evidence_of(text, ()))
        if self._model is None or not text:
            return {}
        (scored,) = self._model.score([text])
        name, probability = scored.best()
        if scored.is_novel or probability <= scored.probabilities[NONE]:
            return {}
        return _guesses(self._routes[name], round(probability, 4), evidence_of(text, ()))


def _guesses(
    route: Mapping[str, str], confidence: float, evidence: tuple[str, ...]
) -> Mapping[str, Guess]:
    return {
        name: Guess(value=value, confidence=confidence, evidence=evidence)
        for name, value in route.items()
    }
