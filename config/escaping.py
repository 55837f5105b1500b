"""Hostile text made harmless and visible, for every value that a template prints.

Names, ids and texts come from records that anybody may have written: one line each, no control
characters, invisible ones shown by their code point, mixed scripts pointed out, and no markup that
ServiceNow journals (`[code]`) or Jira (`{noformat}`, `{code}`) would obey.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping

from engine.domain.canonical import JSON, canonical_json
from engine.errors import DoesNotFitError

_MARKUP = re.compile(r"\[(/?)code\]|\{(noformat|code|quote|panel|color)", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_LINE_ENDS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "HEBREW", "ARABIC", "CHEROKEE", "COPTIC")
_LONGEST_VALUE = 500
_WIDEST = len("[U+10FFFF]")
"""One invisible character becomes this many."""
_LONGEST_QUOTE = 800
_QUOTE_BEGINS = "---- The requester's own words: unchecked, and no part of the plan ----"
_QUOTE_ENDS = "---- End of the requester's words ----"


class Safe(str):
    """A text that is already fit to stand in a note; printed as it is."""

    __slots__ = ()


def printed(value: object) -> str:
    """Return what a template prints for `value`: Safe texts as they are, others made harmless."""
    if isinstance(value, Safe):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(str(value))


def whole(value: object) -> str:
    """Return what a plan prints for `value`: as `printed`, but whatever its length.

    What does not fit is found by the field's own limit, and handed over.
    """
    if isinstance(value, str) and not isinstance(value, Safe):
        return plain(value, max(len(value), 1) * _WIDEST)
    return printed(value)


def plain(text: str, longest: int = _LONGEST_VALUE) -> Safe:
    """Return `text` on one line, capped with a count, everything in it visible."""
    one_line = " ".join(_LINE_ENDS.sub(" ", text).split())
    shown = visible(one_line)
    if len(shown) > longest:
        shown = f"{shown[:longest]}… ({len(shown) - longest} more characters)"
    return Safe(shown + flags(one_line))


def visible(text: str) -> str:
    """Return `text` with what cannot be seen shown as [U+XXXX], and vendors' markup broken."""
    shown = "".join(
        f"[U+{ord(character):04X}]" if is_invisible(character) else character for character in text
    )
    return _MARKUP.sub(lambda match: match.group().replace("[", "[ ").replace("{", "{ "), shown)


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing, or moves the others (controls, bidi, zero width)."""
    if character in " \t":
        return False
    if character in "\u115f\u1160\u3164\uffa0\u2800":
        return True
    category = unicodedata.category(character)
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return is_selector or category in {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp", "Zs"}


def flags(text: str) -> str:
    """Return ` […]` that points at mixed scripts and invisible characters, else ""."""
    found: list[str] = []
    mixed = sorted({name for word in _WORD.findall(text) for name in _mixed(word)})
    if mixed:
        found.append(f"mixed scripts: {', '.join(mixed)}")
    if any(is_invisible(character) for character in text):
        found.append("invisible characters")
    return f" [{'; '.join(found)}]" if found else ""


def _mixed(word: str) -> set[str]:
    scripts = {
        script.capitalize()
        for character in word
        for script in _SCRIPTS
        if unicodedata.name(character, "").startswith(script)
    }
    return scripts if len(scripts) > 1 else set()


def quote(text: str, longest: int = _LONGEST_QUOTE) -> Safe:
    """Return the requester's words in one marked quote: every line marked, escaped, capped."""
    capped = text[:longest]
    lines = [f"> {visible(line.rstrip())}".rstrip() for line in _LINE_ENDS.split(capped)]
    if len(text) > longest:
        lines.append(f"> … ({len(text) - longest} more characters in the ticket)")
    pointed = flags(_LINE_ENDS.sub(" ", capped))
    if pointed:
        lines.append(f">{pointed}")
    return Safe("\n".join([_QUOTE_BEGINS, *lines, _QUOTE_ENDS]))


def exact_json(document: Mapping[str, JSON]) -> Safe:
    """Return the canonical JSON letter by letter.

    Raises:
        DoesNotFitError: It holds markup that would end the block it stands in; such a plan cannot
            be shown exactly.
    """
    text = canonical_json(document).decode("utf-8")
    if _MARKUP.search(text):
        raise DoesNotFitError("the plan's parameters hold markup and cannot be shown exactly")
    return Safe(text)


def verbatim(value: object) -> Safe:
    """Return a value letter by letter; for secrets that we made ourselves."""
    return Safe(str(value))


def quoted_words(words: object) -> Safe:
    """Return evidence as `"a", "b"`, each harmless."""
    if not isinstance(words, list | tuple):
        return Safe("")
    return Safe(", ".join(f'"{plain(str(word), 120)}"' for word in words))


FILTERS: Mapping[str, Callable[..., object]] = {
    "plain": plain,
    "quote": quote,
    "exact_json": exact_json,
    "verbatim": verbatim,
    "words": quoted_words,
}
