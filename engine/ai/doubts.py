"""Reasons to leave a text to a person, whatever the model thinks of it."""

import unicodedata

from engine.ai.cues import Cues, is_elsewhere, is_foreign, is_negated, is_question
from engine.ai.features import clauses, concepts_of
from engine.ai.objects import KnownWords
from engine.domain.classification import AbstainReason, ClassifierInput

Doubt = tuple[AbstainReason, str]

_LONGEST = 6000
_QUOTED_AT_MOST = 80


def body_of(given: ClassifierInput) -> str:
    """Return the text that is classified; a description that says the same again counts once."""
    short, long = given.short_description.strip(), given.description.strip()
    if not long or long == short:
        return short
    return f"{short}\n{long}".strip()


def wording(text: str) -> Doubt | None:
    """Return why the way it is written forbids acting on it, None when it does not."""
    if len(text) > _LONGEST:
        return AbstainReason.LOW_CONFIDENCE, "It is too long to be one clear request"
    if any(_is_hidden(character) for character in text):
        return AbstainReason.NOVEL, "It holds invisible characters"
    taken = taken_back(text)
    if taken is not None:
        return taken
    for words, because in (
        (is_question(text), "It asks about something"),
        (is_elsewhere(text), "It asks for something that no action does"),
    ):
        if words:
            return AbstainReason.LOW_CONFIDENCE, f"{because}: {_short(words)}"
    return None


def taken_back(text: str) -> Doubt | None:
    """Return the doubt that a request is negated, done already or withdrawn."""
    words = is_negated(text)
    return (AbstainReason.NEGATED, f"It takes it back: {_short(words)}") if words else None


def matter(text: str, action: str, cues: Cues, words: KnownWords) -> Doubt | None:
    """Return the doubt that it is about something else too, or about another kind of thing."""
    doubt = second(text, action, cues)
    if doubt is not None:
        return doubt
    if "group" in cues.anchors[action] or not cues.speaks_for[action]:
        return None
    stranger = words.stranger(text)
    if stranger:
        because = f"It is about another thing than a directory account: {_short(stranger)}"
        return AbstainReason.LOW_CONFIDENCE, because
    about = cues.speaks_for[action] | cues.anchors[action]
    for clause in clauses(text):
        thing = is_foreign(clause)
        if thing and about & concepts_of(clause):
            because = f"It is about another thing than a directory account: {_short(thing)}"
            return AbstainReason.LOW_CONFIDENCE, because
    return None


def second(text: str, action: str, cues: Cues) -> Doubt | None:
    """Return the doubt that one ticket asks for two things."""
    clause = cues.second(action, text)
    return (AbstainReason.SECOND_INTENT, f"It also says: {_short(clause)}") if clause else None


def _short(words: str) -> str:
    one_line = " ".join(words.split())
    cut = one_line if len(one_line) <= _QUOTED_AT_MOST else one_line[:_QUOTED_AT_MOST] + "…"
    return f'"{cut}"'


def _is_hidden(character: str) -> bool:
    return character not in "\n\r\t\u00ad" and unicodedata.category(character) in {"Cc", "Cf", "Co"}
