"""Evidence: the ticket's own words, letter by letter, that an answer rests on."""

import re
from collections.abc import Collection

from engine.ai.features import without_names
from engine.ai.lexicon import Mention, shipped_lexicon

_NEAR = 12
_MOST = 3
_LONGEST = 120
_BREAK = re.compile(r"[.!?\n]")


def evidence_of(text: str, concepts: Collection[str]) -> tuple[str, ...]:
    """Return up to three literal quotes for these concepts; the beginning when there are none."""
    merged: list[Mention] = []
    for mention in shipped_lexicon().mentions(without_names(text)):
        if mention.concept not in concepts:
            continue
        last = merged[-1] if merged else None
        between = text[last.end : mention.start] if last else ""
        if last and mention.start <= last.end + _NEAR and not _BREAK.search(between):
            merged[-1] = Mention(last.start, max(last.end, mention.end), last.concept)
        else:
            merged.append(mention)
    quotes = [text[one.start : one.end].strip() for one in merged]
    longest = sorted(dict.fromkeys(quotes), key=lambda quote: (-len(quote), quote))[:_MOST]
    kept = [quote[:_LONGEST] for quote in quotes if quote in longest]
    return tuple(dict.fromkeys(kept)) or _beginning(text)


def _beginning(text: str) -> tuple[str, ...]:
    first = _BREAK.split(text, maxsplit=1)[0].strip()[:_LONGEST]
    return (first,) if first else ()
