"""Measures a classifier on written examples: what runs, what is left to people, what is wrong."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.domain.classification import Classification, ClassifierInput
from engine.errors import ConfigurationError
from engine.ports.brains import Classifier

NOBODY = "none"
REQUESTER = "requester"
_SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One text with what it asks for; `action` is `none` where no action may run.

    `subject` is `requester` or the name as written; `kind` and `split` group the figures.
    """

    id: int
    text: ClassifierInput
    action: str
    subject: str
    params: Mapping[str, str]
    language: str
    kind: str
    split: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a tier map asks of an action: whose account, and how sure intent and parameters are."""

    subject_rule: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One example with its answer.

    `runs` says that the intent would be acted on: sure enough for the tier map, and about the
    requester's own account where the action allows no other.
    """

    example: Example
    answer: Classification
    runs: bool

    @property
    def subject(self) -> str:
        """Whose account the answer is about."""
        guess = self.answer.parameters.get(_SUBJECT)
        return guess.value if guess else REQUESTER

    @property
    def params(self) -> Mapping[str, str]:
        """The answer's parameters without the subject."""
        return {
            name: guess.value for name, guess in self.answer.parameters.items() if name != _SUBJECT
        }

    @property
    def is_right(self) -> bool:
        """Whether it runs with the right action, subject and parameters."""
        return (
            self.runs
            and self.answer.intent == self.example.action
            and self.subject == self.example.subject
            and self.params == self.example.params
        )

    @property
    def is_wrong(self) -> bool:
        """Whether it runs with a wrong action, subject or parameter."""
        return self.runs and not self.is_right


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures over some examples."""

    judged: tuple[Judged, ...]

    def only(self, **want: str) -> "Report":
        """Return the report over examples with these values of language, kind, split or action."""
        return Report(
            judged=tuple(
                one
                for one in self.judged
                if all(getattr(one.example, name) == value for name, value in want.items())
            )
        )

    @property
    def should_run(self) -> int:
        """How many examples ask for an action."""
        return sum(one.example.action != NOBODY for one in self.judged)

    @property
    def right(self) -> int:
        """How many of those run as they should."""
        return sum(one.is_right for one in self.judged)

    @property
    def wrong(self) -> tuple[Judged, ...]:
        """Every example that runs and should not, or runs as something else."""
        return tuple(one for one in self.judged if one.is_wrong)

    @property
    def share(self) -> float:
        """The share of examples asking for an action that run as they should."""
        return self.right / self.should_run if self.should_run else 1.0


def load_examples(path: Path) -> tuple[Example, ...]:
    """Read examples from JSON lines.

    Raises:
        ConfigurationError: A line is no example.
    """
    found: list[Example] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            found.append(
                Example(
                    id=row["id"],
                    text=ClassifierInput(
                        short_description=row["short_description"], description=row["description"]
                    ),
                    action=row["action"],
                    subject=row["subject"],
                    params=row["params"],
                    language=row["language"],
                    kind=row["kind"],
                    split=row["split"],
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{path.name}:{number}: is no example ({error})") from error
    return tuple(found)


def evaluate(
    classifier: Classifier, examples: Sequence[Example], terms: Mapping[str, Terms]
) -> Report:
    """Classify every example and judge the answers.

    Args:
        classifier: What is measured.
        examples: The texts and what they ask for.
        terms: What the tier map asks of each action before it runs.
    """
    answers = classifier.classify([example.text for example in examples])
    return Report(
        judged=tuple(
            Judged(example=example, answer=answer, runs=_runs(answer, terms))
            for example, answer in zip(examples, answers, strict=True)
        )
    )


def _runs(answer: Classification, terms: Mapping[str, Terms]) -> bool:
    if not answer.intent:
        return False
    asked = terms[answer.intent]
    least = min((answer.confidence, *(guess.confidence for guess in answer.parameters.values())))
    is_own = asked.subject_rule == "named" or _SUBJECT not in answer.parameters
    return is_own and least >= asked.confidence
