"""Which concepts speak for which action: learned from the phrases, agreed with before it runs.

An action's *cues* are doings that its phrases name and other actions' hardly do; its *anchors* are
the things that most of its phrases talk about. The model must agree with them, and they show
a second intent in another clause. An action whose phrases use no concept has neither: the model
stands alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from engine.ai.features import clauses, concepts_of, without_names
from engine.ai.lexicon import lowered, shipped_lexicon

_OFTEN = 0.12
_MOSTLY = 0.6
_PRECISE = 0.6
_QUESTION = re.compile(r"[^.!?\n]+\?")
_REQUEST = re.compile(
    r"\b(?:please|pls|plz|kindly|bitte|you|somebody|someone|anyone|may i|can i|could i|mind|help"
    r"|k(?:ö|oe)nnt\w*|kannst|kann jemand|w(?:ü|ue)rdet|w(?:ü|ue)rden sie"
    r"|darf ich|d(?:ü|ue)rfte ich|ihr|hilfe)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cues:
    """Cues and anchors by action."""

    speaks_for: Mapping[str, frozenset[str]]
    anchors: Mapping[str, frozenset[str]]

    def agree(self, action: str, text: str) -> bool:
        """Whether the text's concepts speak for `action`, all anchors of a cue considered."""
        return not self.speaks_for[action] or action in self.wanted(concepts_of(text))

    def concepts_for(self, action: str) -> frozenset[str]:
        """Return the concepts that an answer for `action` rests on."""
        return self.speaks_for[action] | self.anchors[action]

    def wanted(self, concepts: frozenset[str]) -> frozenset[str]:
        """Return the actions that these concepts speak for."""
        return frozenset(
            action
            for action, cues in self.speaks_for.items()
            if cues & concepts and (not self.anchors[action] or self.anchors[action] & concepts)
        )

    def second(self, action: str, text: str) -> str:
        """Return a clause that wants another action or another thing altogether, else ""."""
        everything = concepts_of(text)
        parts = [(clause, concepts_of(clause)) for clause in clauses(text)]
        if not any(action in self._in_clause(found, everything) for _, found in parts):
            parts = [(text, everything)]
        for clause, found in parts:
            wanted = self._in_clause(found, everything)
            if wanted and action not in wanted:
                return clause
        return _other_matter(text)

    def _in_clause(self, found: frozenset[str], everything: frozenset[str]) -> frozenset[str]:
        """Return what a clause wants; what it is about may stand in its neighbour."""
        wanted = self.wanted(found)
        if wanted:
            return wanted
        return frozenset(
            action
            for action, cues in self.speaks_for.items()
            if cues & found and self.anchors[action] & everything
        )


def learn_cues(phrases: Mapping[str, Sequence[str]]) -> Cues:
    """Return the cues and anchors of every action, learned from its phrases."""
    shares = {
        action: _shares([concepts_of(text) for text in texts]) for action, texts in phrases.items()
    }
    lexicon = shipped_lexicon()
    doings = sorted(set(lexicon.concepts) - lexicon.things)
    speaks_for: dict[str, frozenset[str]] = {}
    anchors: dict[str, frozenset[str]] = {}
    for action in sorted(phrases):
        mine = shares[action]
        total = {name: sum(other[name] for other in shares.values()) for name in doings}
        speaks_for[action] = frozenset(
            name for name in doings if mine[name] >= _OFTEN and mine[name] / total[name] >= _PRECISE
        )
        anchors[action] = frozenset(name for name in lexicon.things if mine[name] >= _MOSTLY)
    return Cues(speaks_for=MappingProxyType(speaks_for), anchors=MappingProxyType(anchors))


def _shares(found: Sequence[frozenset[str]]) -> dict[str, float]:
    names = sorted(shipped_lexicon().concepts)
    return {name: sum(name in one for one in found) / max(1, len(found)) for name in names}


def is_negated(text: str) -> str:
    """Return the words that take the request back, else ""."""
    return _words(shipped_lexicon().negations, text)


def is_question(text: str) -> str:
    """Return the words that make the text a question about something, else ""."""
    return _words(shipped_lexicon().questions, text) or _bare_question(text)


def _bare_question(text: str) -> str:
    """Return a question that asks nobody to do anything ("Is my account locked?"), else ""."""
    for match in _QUESTION.finditer(text):
        if not _REQUEST.search(lowered(match.group())):
            return match.group().strip()
    return ""


def is_elsewhere(text: str) -> str:
    """Return the words that ask for an inverse or neighbouring thing, else ""."""
    return _words(shipped_lexicon().elsewhere, text)


def is_foreign(text: str) -> str:
    """Return the words that name a thing whose password, lock or group is not the directory's."""
    return _words(shipped_lexicon().foreign, text)


def _words(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(lowered(without_names(text)))
    return text[match.start() : match.end()] if match else ""


def _other_matter(text: str) -> str:
    """Return a clause with a trouble of its own (a printer that jams), else ""."""
    trouble = shipped_lexicon().trouble
    return next(
        (clause for clause in clauses(text) if _words(trouble, clause) and is_foreign(clause)), ""
    )
