"""What a request is about, word by word: an account's own words are known, any other is a doubt.

"My Adobe password", "the premium feature", "Konto beim Onlinebanking": lists of foreign things are
never complete. So whatever qualifies a password or an account, or stands as the object of `unlock`
or `zurücksetzen`, has to consist of words that the phrases themselves, or a short list, know.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ruamel.yaml import YAML

from engine.ai.features import masked, without_names
from engine.ai.lexicon import DATA, lowered, shipped_lexicon
from engine.ai.people import people_in

_WORD = r"[\w'\u2019-]+"
_THING = (
    r"passwords?|pasword|pw|pwd|accounts?|acct|log-?ins?|user|profile"
    r"|passwort|passworts|kennwort|kennworts|konto|kontos|account|zugang|benutzer|benutzerkonto"
)
_BEFORE = re.compile(rf"\b({_WORD})[ ](?={_THING}\b)(?:{_THING})\b")
_COMPOUND = re.compile(
    r"\b([a-zäöüß]{3,}?)s?-?(?:passwort|kennwort|konto|zugang|account|login)s?\b"
)
_HEADED = re.compile(rf"([\w-]*?)s?-?(?:{_THING})s?")
_AFTER = re.compile(
    rf"\b(?:{_THING})(?:[ -]reset)?[ ]"
    r"(?:for|of|to|on|in|at|from|with|für|fürs|von|vom|zu|zum|zur|bei|beim"
    r"|im|am|an|auf|der|des|meines|meiner)[ ]"
    rf"(?:(?:my|the|our|an?|this|mein\w*|unser\w*|de[nrms]|das|die)[ ])?({_WORD})"
)
_OWNER = re.compile(
    rf"\b(?:my|our|mein\w*|unser\w*)[ ]({_WORD})[ ](?:forgot|has|is|was|got|cannot|can't|needs|lost"
    r"|keeps|stays|hat|ist|wurde|wird|braucht|kann|bleibt|weiß)\b"
)
_OBJECT = re.compile(
    r"\b(?:unlock|unblock|reset|disable|deactivate|suspend|release|restore)"
    rf"[ ](?:my|the|our|this|that|his|her|an?)[ ]({_WORD}(?:[ ]{_WORD}){{0,3}})"
    rf"|\b(?:unlock|unblock|disable|deactivate|suspend|switch off|turn off)[ ](?:please[ ])?"
    rf"(?:[\w-]+\.[\w-]+'s[ ])?(?!(?:my|the|our|this|that|his|her|an?)[ ])"
    rf"({_WORD}(?:[ ]{_WORD}){{0,2}})[ ](?:for|of|on|in|at)[ ]"
    r"|\b(?:entsperrt?|deaktiviert?|setzt?|schaltet?)[ ](?:bitte[ ]|sie[ ]|mir[ ])*"
    rf"(?:mein\w*|unser\w*|den|das|die|diese\w*)[ ]({_WORD}(?:[ ]{_WORD}){{0,2}})"
    rf"|\b(?:mein\w*|unser\w*|den|das|die|diese\w*)[ ]({_WORD})[ ](?:bitte[ ])?"
    r"(?:entsperren|zurücksetzen|deaktivieren|abschalten|freischalten)\b"
)
_BLOTTED = re.compile(
    r"\b(?:unlock|disable|deactivate|suspend|entsperrt?|deaktiviert?)[ ](?:bitte[ ]|please[ ])?"
    r"(?:my|the|our|mein\w*|unser\w*|den|das|die)[ ](·+)"
)
_STOP = re.compile(
    r"\b(?:for|of|on|in|at|and|please|because|so|since|für|von|auf|und|bitte|weil|da)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWords:
    """The words with which accounts and passwords are spoken of."""

    words: frozenset[str]

    def stranger(self, text: str) -> str:
        """Return the first word that makes it another thing's password or account, else ""."""
        low = lowered(without_names(text))
        names = {
            part
            for person in people_in(text)
            for part in re.split(r"[\s.@]+", lowered(person.text))
        }
        for word in _qualifiers(low):
            if not self._knows(word) and word not in names:
                return word
        blotted = _BLOTTED.search(low)
        if blotted:  # "die Zwei-Faktor-Anmeldung": joined up as groups' names are
            return text[blotted.start(1) : blotted.end(1)]
        for words in _objects(low):
            if not shipped_lexicon().found(words) and not ({*words.split()} & (_PRONOUNS | names)):
                return words
        return ""

    def _knows(self, word: str) -> bool:
        bare = word.removesuffix("'s").removesuffix("\u2019s").strip("-'\u2019")
        if not bare or bare in self.words or "·" in word or bare.isdigit():
            return True
        compound = _HEADED.fullmatch(bare)
        head = compound[1].rstrip("-") if compound else bare
        return head in {*self.words, ""} or f"{head}s" in self.words


_PRONOUNS = frozenset(("it", "me", "him", "her", "them", "us", "one", "lock", "mich", "sperre"))


def _qualifiers(low: str) -> Iterator[str]:
    for pattern in (_BEFORE, _COMPOUND, _AFTER, _OWNER):
        for match in pattern.finditer(low):
            yield match[1]


def _objects(low: str) -> Iterator[str]:
    for match in _OBJECT.finditer(low):
        words = next(group for group in match.groups() if group)
        first = _STOP.split(words, maxsplit=1)[0].strip()
        if first:
            yield first


def learn_words(phrases: Mapping[str, Sequence[str]]) -> KnownWords:
    """Return the words of all phrases, with the shipped ones."""
    learned = {
        word
        for texts in phrases.values()
        for text in texts
        for word in re.findall(_WORD, masked(text))
    }
    return KnownWords(words=frozenset(learned) | _shipped())


@cache
def _shipped() -> frozenset[str]:
    raw = YAML(typ="safe", pure=True).load((DATA / "words.yaml").read_text("utf-8"))
    return frozenset(raw["plain"].split())
