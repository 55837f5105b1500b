"""Parameters as a text words them: groups and dates, in English and German; nothing is guessed."""

import re
from collections.abc import Callable, Mapping
from datetime import date

from engine.ai.features import group_names
from engine.ai.lexicon import lowered
from engine.ai.people import after_group, is_name
from engine.domain.action import ParameterKind
from engine.domain.classification import Guess

_SURE = 0.99
_LIKELY = 0.96
_MAYBE = 0.9
_UNSURE = 0.6

_QUOTED = re.compile(
    r"\b(?:groups?|gruppen?|verteiler)\b[^\n\"'„“«»]{0,20}[\"'„“«]([^\n\"'”“»]{2,80})[\"'”“»]",
    re.IGNORECASE,
)
_AFTER_WORD = re.compile(
    r"\b(ad[- ]|active directory |security |distribution |sicherheits)?"
    r"(?:group|gruppe|verteiler|distribution list)\s+(?:named |called |namens |mit dem namen )?"
    r"([A-Za-zÄÖÜäöü][\w.]{2,})",
    re.IGNORECASE,
)

_MONTHS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar jänner",
            "february feb februar",
            "march mar märz maerz",
            "april apr",
            "may mai",
            "june jun juni",
            "july jul juli",
            "august aug",
            "september sep sept",
            "october oct oktober okt",
            "november nov",
            "december dec dezember dez",
        ),
        start=1,
    )
    for name in names.split()
}
# "Through" leads to a thing (a VPN) as often as to a day, so it counts before a word of time alone.
_TIMELY = (
    r"\s+(?:the\s+)?(?:\d|end\b|next\b|this\b|today|tomorrow|mon|tue|wed|thu|fri|sat|sun|christmas"
    r"|new year|easter|" + "|".join(sorted(name[:3] for name in _MONTHS)) + ")"
)
_UNTIL = re.compile(
    r"\b(?:until|till|through(?=" + _TIMELY + r")|ending|ends on|expires on|up to and including"
    r"|bis(?: zum| einschließlich)?|befristet (?:bis|auf)|endet am)\s+"
    r"(?:the |zum |den |am |end of |ende )?",
    re.IGNORECASE,
)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})\b")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:\.|st|nd|rd|th)?\s+(?:of )?([A-Za-zäöü]{3,9})\.?,?\s+(\d{4})\b"
)
_MONTH_DAY = re.compile(r"([A-Za-z]{3,9})\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")
_WORDS = re.compile(r"[^\n.!?;,]{1,30}")
_LONGEST = 60


def groups_in(text: str) -> tuple[Guess, ...]:
    """Return the distinct groups that a text names, the surest first."""
    found: dict[str, Guess] = {}

    def note(name: str, confidence: float) -> None:
        clean = name.strip().rstrip(".,;:!?")
        if clean and lowered(clean) not in found:
            found[lowered(clean)] = Guess(value=clean, confidence=confidence, evidence=(clean,))

    for match in _QUOTED.finditer(text):
        note(match[1], _SURE)
    for match in group_names(text):
        note(match.group(), _SURE)
    if not found:
        for match in _AFTER_WORD.finditer(text):
            if lowered(match[2]) not in after_group() and is_name(match[2]):
                note(match[2], _LIKELY if match[1] else _MAYBE)
    return tuple(found.values())


def end_in(text: str) -> Guess | None:
    """Return the date until which something is asked for, as ISO text.

    A date that cannot be read without guessing (`until Friday`, `bis 03/04/27`) comes as its own
    words with little confidence, so that nothing is granted for longer than it was asked for.
    """
    match = _UNTIL.search(text)
    if match is None:
        return None
    rest = text[match.end() : match.end() + _LONGEST]
    for pattern, order in _DATES:
        dated = pattern.match(rest)
        if dated and (day := order(dated)) is not None:
            evidence = text[match.start() : match.end()] + dated.group()
            return Guess(value=day.isoformat(), confidence=_SURE, evidence=(evidence,))
    words = _WORDS.match(rest)
    literal = (words.group() if words else rest).strip()
    evidence = (text[match.start() : match.end()] + literal).strip()
    return Guess(value=literal or evidence, confidence=_UNSURE, evidence=(evidence,))


def read_date(text: str) -> str:
    """Return a form's answer as an ISO date where it is one beyond doubt, else as it was given."""
    for pattern, order in _DATES:
        match = pattern.match(text.strip())
        if match and (day := order(match)) is not None:
            return day.isoformat()
    return text.strip()


def _date(year: str, month: int | None, day: str) -> date | None:
    try:
        return None if month is None else date(int(year), month, int(day))
    except ValueError:
        return None


def _month(name: str) -> int | None:
    return _MONTHS.get(lowered(name))


_DATES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], date | None]], ...] = (
    (_ISO, lambda m: _date(m[1], int(m[2]), m[3])),
    (_DOTTED, lambda m: _date(m[3], int(m[2]), m[1])),
    (_DAY_MONTH, lambda m: _date(m[3], _month(m[2]), m[1])),
    (_MONTH_DAY, lambda m: _date(m[3], _month(m[1]), m[2])),
)

EXTRACTED = frozenset({ParameterKind.GROUP, ParameterKind.DATE})
"""Kinds of parameters that are read from text; others come from forms only."""
