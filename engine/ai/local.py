"""The local classifier: trained at start from the tier map's phrases; no network, no files kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sklearn.model_selection import StratifiedKFold

from engine.ai import doubts
from engine.ai.calibration import Curve, learn_curve
from engine.ai.cues import Cues, learn_cues
from engine.ai.lexicon import shipped_negatives, shipped_parts
from engine.ai.model import NONE, Scored, TextModel, fingerprint
from engine.ai.objects import learn_words
from engine.ai.parameters import end_in, groups_in, read_date
from engine.ai.people import people_in, speaks_of_self, stands_beside
from engine.ai.quotes import evidence_of
from engine.ai.routing import Router
from engine.domain.action import ParameterKind
from engine.domain.classification import AbstainReason, Classification, ClassifierInput, Guess
from engine.ports.training import ActionExamples, CatalogForm, TrainingSet

SUBJECT = "subject"
"""The parameter that names whose account it is; absent: the requester's own."""

DEFAULT_THRESHOLD = 0.9
DEFAULT_NOVELTY = 0.05
_NAMED, _UNNAMED = 0.99, 0.5
_FOLDS = 5


@dataclass(slots=True)
class _Answer:
    """An answer in the making; the first doubt decides."""

    text: str
    candidate: str = ""
    confidence: float = 0.0
    parameters: dict[str, Guess] = field(default_factory=dict[str, Guess])
    fields: Mapping[str, Guess] = field(default_factory=dict[str, Guess])
    evidence: tuple[str, ...] = ()


class LocalClassifier:
    """Names an intent from the phrases' catalogue, or abstains with a reason.

    Implements `engine.ports.brains.Classifier`. Deterministic: the same training set gives the same
    answers, and a text's answer does not depend on the texts beside it.
    """

    def __init__(self, training: TrainingSet) -> None:
        """Train on the phrases; takes a second or two.

        Raises:
            ConfigurationError: Too few phrases to learn from.
        """
        self._actions = {action.name: action for action in training.actions if action.phrases}
        self._forms: Mapping[str, tuple[ActionExamples, CatalogForm]] = {
            form.id: (action, form) for action in training.actions for form in action.forms
        }
        threshold, novelty = training.threshold, training.novelty
        self._threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        self._novelty = DEFAULT_NOVELTY if novelty is None else novelty
        phrases: dict[str, tuple[str, ...]] = {
            name: tuple(sorted(set(action.phrases))) for name, action in self._actions.items()
        }
        self._cues: Cues = learn_cues(phrases)
        self._words = learn_words(phrases)
        routed = tuple(phrase for route in training.routes for phrase in route.phrases)
        everything = {**phrases, NONE: tuple(sorted({*shipped_negatives(), *routed}))}
        self._model = TextModel(everything, seed=training.seed, novelty=self._novelty)
        self._curve = self._calibrated(everything, training.seed)
        self._router = Router(training, everything)
        self._name = "local-" + fingerprint(
            [
                training.seed,
                repr(self._threshold),
                repr(self._novelty),
                everything,
                [[form.id, dict(form.variables), form.subject] for _, form in self._forms.values()],
                [[dict(route.route), route.phrases] for route in training.routes],
                shipped_parts(),
            ]
        )

    @property
    def model(self) -> str:
        """A digest of training phrases, terms, shipped words and code."""
        return self._name

    def classify(self, texts: Sequence[ClassifierInput]) -> tuple[Classification, ...]:
        """Return one classification per text, in order."""
        bodies = [doubts.body_of(text) for text in texts]
        scores = self._model.score(bodies)
        return tuple(
            self._one(text, body, scored)
            for text, body, scored in zip(texts, bodies, scores, strict=True)
        )

    def _calibrated(self, phrases: Mapping[str, Sequence[str]], seed: int) -> Curve:
        """Return the curve of those out-of-fold decisions that no doubt would have stopped."""
        pairs = sorted({(name, text) for name, texts in phrases.items() for text in texts})
        labels = [name for name, _ in pairs]
        least = min(labels.count(name) for name in phrases)
        folds = StratifiedKFold(max(2, min(_FOLDS, least)), shuffle=True, random_state=seed)
        decisions: list[tuple[float, bool]] = []
        for learn, test in folds.split(pairs, labels):
            known: dict[str, list[str]] = {name: [] for name in phrases}
            for number in learn:
                known[pairs[number][0]].append(pairs[number][1])
            if min(len(texts) for texts in known.values()) < 2:  # noqa: PLR2004  a pair to compare
                continue
            model = TextModel(known, seed=seed, novelty=self._novelty)
            asked = [pairs[number] for number in test]
            for (name, text), scored in zip(
                asked, model.score([text for _, text in asked]), strict=True
            ):
                best, probability = scored.best()
                if self._doubt(best, text, scored) is None:
                    decisions.append((probability, best == name))
        return learn_curve(decisions)

    def _one(self, given: ClassifierInput, body: str, scored: Scored) -> Classification:
        answer = _Answer(text=body)
        if given.catalog_item in self._forms:
            return self._from_form(given, answer)
        if not any(character.isalpha() for character in body):
            return self._abstain(answer, AbstainReason.EMPTY, "There is no text")
        answer.candidate, score = scored.best()
        answer.confidence = self._confidence(answer.candidate, body, score)
        answer.evidence = evidence_of(body, self._cues.concepts_for(answer.candidate))
        doubt = self._doubt(answer.candidate, body, scored)
        if doubt is None and answer.confidence < self._threshold:
            because = f"Confidence {answer.confidence:.2f} is below {self._threshold:.2f}"
            doubt = AbstainReason.LOW_CONFIDENCE, because
        doubt = doubt or self._extract(answer, self._actions[answer.candidate])
        answer.fields = self._router.fields(
            body, "" if doubt else answer.candidate, answer.confidence
        )
        if doubt is not None:
            return self._abstain(answer, *doubt)
        return self._settled(answer)

    def _confidence(self, candidate: str, text: str, score: float) -> float:
        """Return the calibrated confidence; where the cues disagree, no more than half."""
        calibrated = self._curve.confidence(score)
        return round(
            calibrated if self._cues.agree(candidate, text) else min(calibrated, score, 0.5), 4
        )

    def _doubt(self, candidate: str, text: str, scored: Scored) -> tuple[AbstainReason, str] | None:
        """Return the first reason not to act on a text, None when there is none."""
        doubt = doubts.wording(text)
        if doubt is not None:
            return doubt
        likeliest = max(scored.probabilities, key=lambda name: scored.probabilities[name])
        if likeliest == NONE:
            return AbstainReason.LOW_CONFIDENCE, "It looks like none of the actions"
        doubt = doubts.matter(text, candidate, self._cues, self._words)
        if doubt is not None:
            return doubt
        if not self._cues.agree(candidate, text):
            return AbstainReason.LOW_CONFIDENCE, f"Its words do not speak for {candidate}"
        if scored.is_novel:
            return AbstainReason.NOVEL, f"It is unlike every phrase of {candidate}"
        return None

    def _extract(self, answer: _Answer, action: ActionExamples) -> tuple[AbstainReason, str] | None:
        """Fill in subject and parameters, or return why they are not one clear request."""
        doubt = self._subject(answer, is_named=action.subject_rule == "named")
        if doubt is not None:
            return doubt
        for parameter in action.parameters:
            if parameter.kind is ParameterKind.GROUP:
                groups = groups_in(answer.text)
                if len(groups) > 1:
                    names = ", ".join(group.value for group in groups)
                    return AbstainReason.SECOND_INTENT, f"It names several groups: {names}"
                if groups:
                    answer.parameters[parameter.name] = groups[0]
            elif parameter.kind is ParameterKind.DATE:
                end = end_in(answer.text)
                if end is not None:
                    answer.parameters[parameter.name] = end
        return None

    def _subject(self, answer: _Answer, *, is_named: bool) -> tuple[AbstainReason, str] | None:
        """Fill in whose account it is about; `is_named`: the action may be about anybody's."""
        people = people_in(answer.text)
        if len(people) > 1:
            names = ", ".join(person.text for person in people)
            return AbstainReason.SECOND_INTENT, f"It names several people: {names}"
        if not people:
            is_said = not is_named or speaks_of_self(answer.text)
            because = "It does not say whose account it is about"
            return None if is_said else (AbstainReason.LOW_CONFIDENCE, because)
        person = people[0]
        if is_named and person.is_named and stands_beside(answer.text, person.text):
            because = f"It does not say clearly whether it is about its writer or {person.text}"
            return AbstainReason.LOW_CONFIDENCE, because
        answer.parameters[SUBJECT] = Guess(
            value=person.text,
            confidence=_NAMED if person.is_named else _UNNAMED,
            evidence=(person.text,),
        )
        return None

    def _from_form(self, given: ClassifierInput, answer: _Answer) -> Classification:
        """Answer from a form: its answers are the parameters, its free text may only add doubt."""
        action, form = self._forms[given.catalog_item]
        answer.candidate, answer.confidence = action.name, 1.0
        kinds = {parameter.name: parameter.kind for parameter in action.parameters}
        for variable, parameter in form.variables.items():
            value = given.variables.get(variable, "").strip()
            if value:
                is_date = kinds.get(parameter) is ParameterKind.DATE
                answer.parameters[parameter] = Guess(
                    value=read_date(value) if is_date else value, confidence=1.0, evidence=(value,)
                )
        named = given.variables.get(form.subject, "").strip() if form.subject else ""
        if named:
            answer.parameters[SUBJECT] = Guess(value=named, confidence=1.0, evidence=(named,))
        answer.evidence = tuple(text for text in (given.short_description.strip(),) if text)
        answer.fields = self._router.fields(answer.text, action.name, 1.0)
        if answer.text and action.name in self._actions:
            doubt = doubts.taken_back(answer.text) or doubts.second(
                answer.text, action.name, self._cues
            )
            if doubt is not None:
                return self._abstain(answer, *doubt)
        return self._settled(answer)

    def _settled(self, answer: _Answer) -> Classification:
        return Classification(
            intent=answer.candidate,
            candidate=answer.candidate,
            confidence=answer.confidence,
            evidence=answer.evidence,
            model=self._name,
            parameters=MappingProxyType(dict(answer.parameters)),
            fields=MappingProxyType(dict(answer.fields)),
        )

    def _abstain(self, answer: _Answer, reason: AbstainReason, because: str) -> Classification:
        return replace(
            self._settled(answer),
            intent="",
            parameters=MappingProxyType({}),
            abstained=reason,
            abstained_because=because,
        )
