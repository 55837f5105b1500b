"""Texts as a model sees them: names masked, words and letters weighted, concepts beside them."""

import re
from typing import Any, cast

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from engine.ai.lexicon import lowered, shipped_lexicon

_GROUP = re.compile(r"\b[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)+\b")
_LOGIN = re.compile(r"\b[a-z]+\.[a-z]+\b|\S+@\S+")
_DATE = re.compile(r"\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b")
_NUMBER = re.compile(r"\d+")
_CLAUSE = re.compile(
    r"[.!?;:](?=\s|$)|\n\s*(?:\d[.)]\s)?|,\s|(?:^|\s)\d[.)]\s|\s[-*]\s"
    r"|\b(?:and|also|besides|furthermore|additionally|instead|plus|und|ausserdem|außerdem|sowie"
    r"|zusätzlich|stattdessen|darüber hinaus|on top of that|as well as)\b",
    re.IGNORECASE,
)
_TOKEN = r"(?u)\b\w\w+\b"  # noqa: S105  a pattern, not a password


def masked(text: str) -> str:
    """Return lower-case text with names, dates and numbers replaced by what they are."""
    shown = _DATE.sub(" datemark ", text)
    shown = _LOGIN.sub(" personmark ", shown)
    shown = _GROUP.sub(_group_mark, shown)
    return _NUMBER.sub(" ", lowered(shown))


def _group_mark(match: re.Match[str]) -> str:
    word = match.group()
    return " groupmark " if looks_like_group(word) else word


_COMPOUND = re.compile(
    r"(gruppe|gruppen|team|konto|account|reset|client|adresse|rechner|boarding|login|kennwort"
    r"|passwort|zugang|benutzer|verdacht|datei|versuch\w*|mail|on|in|out|up|rechte|rücksetzung"
    r"|term|time|day|wide|factor|service|fingered|laufwerk|wlan|problem|fehler|kollegin|kollege)$"
)
_PREFIX = re.compile(r"^(e|ad|pw|pc|it|re|self|single|sign|log|two|long|short|off|on|non|pre)[-_]")


def looks_like_group(word: str) -> bool:
    """Whether a joined-up word reads as a directory group's name and not as ordinary prose."""
    low = lowered(word)
    return not _COMPOUND.search(low) and not _PREFIX.match(low) and not low[0].isdigit()


def clauses(text: str) -> list[str]:
    """Return the clauses of a text, as its punctuation and its `and`s separate them."""
    return [part.strip() for part in _CLAUSE.split(text) if part and part.strip()]


def without_names(text: str) -> str:
    """Return the text with groups' names blotted out at their length: a name says nothing."""
    return _GROUP.sub(_blot, text)


def _blot(match: re.Match[str]) -> str:
    word = match.group()
    return "·" * len(word) if looks_like_group(word) else word


def concepts_of(text: str) -> frozenset[str]:
    """Return the concepts of a text; names of groups and logins are mentions too."""
    found = set(shipped_lexicon().found(without_names(text)))
    if group_names(text):
        found.add("group")
    if _LOGIN.search(text):
        found.add("account")
    return frozenset(found)


def group_names(text: str) -> list[re.Match[str]]:
    """Return the joined-up words that read as groups' names."""
    return [match for match in _GROUP.finditer(text) if looks_like_group(match.group())]


def concept_tokens(text: str) -> list[str]:
    """Return concepts, pairs of them within a clause, and what speaks against a request."""
    lexicon = shipped_lexicon()
    low = lowered(without_names(text))
    tokens = [f"c_{name}" for name in sorted(concepts_of(text))]
    for clause in clauses(text):
        found = sorted(concepts_of(clause))
        tokens.extend(f"p_{one}_{other}" for n, one in enumerate(found) for other in found[n + 1 :])
    for name, pattern in (
        ("foreign", lexicon.foreign),
        ("trouble", lexicon.trouble),
        ("question", lexicon.questions),
        ("negation", lexicon.negations),
        ("elsewhere", lexicon.elsewhere),
    ):
        if pattern.search(low):
            tokens.append(f"x_{name}")
    return tokens or ["x_nothing"]


def vectoriser() -> FeatureUnion:
    """Return the features: words (1-2), letters (3-5) and concepts, each weighted."""
    return FeatureUnion(
        [
            (
                "words",
                TfidfVectorizer(
                    preprocessor=masked, token_pattern=_TOKEN, ngram_range=(1, 2), sublinear_tf=True
                ),
            ),
            (
                "letters",
                TfidfVectorizer(
                    preprocessor=masked, analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True
                ),
            ),
            ("concepts", TfidfVectorizer(analyzer=cast("Any", concept_tokens), sublinear_tf=True)),
        ],
        transformer_weights={"words": 0.6, "letters": 0.6, "concepts": 1.4},
    )
