"""Words folded into concepts: what the model sees beside letters, and what evidence quotes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from ruamel.yaml import YAML

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """One concept's words, at their place in the text."""

    start: int
    end: int
    concept: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """Compiled concepts and cues; matching is over lower-case text of the same length."""

    concepts: Mapping[str, re.Pattern[str]]
    things: frozenset[str]
    foreign: re.Pattern[str]
    trouble: re.Pattern[str]
    questions: re.Pattern[str]
    negations: re.Pattern[str]
    elsewhere: re.Pattern[str]

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """Return every mention of a concept, in order of the text."""
        low = lowered(text)
        return tuple(
            sorted(
                Mention(match.start(), match.end(), concept)
                for concept, pattern in self.concepts.items()
                for match in pattern.finditer(low)
            )
        )

    def found(self, text: str) -> frozenset[str]:
        """Return the concepts that `text` mentions."""
        low = lowered(text)
        return frozenset(name for name, pattern in self.concepts.items() if pattern.search(low))


def lowered(text: str) -> str:
    """Return `text` in lower case without changing its length, so that places stay literal."""
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


@cache
def shipped_lexicon() -> Lexicon:
    """Return the shipped lexicon."""
    raw = YAML(typ="safe", pure=True).load((DATA / "lexicon.yaml").read_text("utf-8"))
    return Lexicon(
        concepts=MappingProxyType(
            {name: _joined(patterns) for name, patterns in sorted(raw["concepts"].items())}
        ),
        things=frozenset(raw["things"]),
        foreign=_joined(raw["foreign"]),
        trouble=_joined(raw["trouble"]),
        questions=_joined(raw["questions"]),
        negations=_joined(raw["negations"]),
        elsewhere=_joined(raw["elsewhere"]),
    )


@cache
def shipped_negatives() -> tuple[str, ...]:
    """Return the shipped texts that ask for no action."""
    raw = YAML(typ="safe", pure=True).load((DATA / "none_of_these.yaml").read_text("utf-8"))
    return tuple(raw["phrases"])


def shipped_parts() -> dict[str, str]:
    """Return this package's data and code by file: other code is another model, by its digest."""
    files = [*DATA.glob("*.yaml"), *DATA.parent.glob("*.py")]
    return {path.name: path.read_text("utf-8") for path in sorted(files)}


def _joined(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
