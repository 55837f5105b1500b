"""Whose account a text is about: names, logins, addresses, and people without a name.

Seeing too many people only hands a ticket over; missing one would touch the wrong account. So every
pair of capitalised words counts as a name unless it is made of known words, and "my colleague" or
"him" counts as somebody else although nobody can be found by it.
"""

import re
from dataclasses import dataclass
from functools import cache

from ruamel.yaml import YAML

from engine.ai.lexicon import DATA, lowered, shipped_lexicon, shipped_negatives

_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_LOGIN = re.compile(r"(?<![\w@.-])[a-z]{2,}\.[a-z][a-z-]+(?![\w@.-]*@)(?!\.\w)\b")
_APOSTROPHES = "'\u2019"
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\b")
_LOWER = rf"[a-zß-ÿ{_APOSTROPHES}]"
_WORD = rf"[A-ZÄÖÜÀ-Þ](?:[{_APOSTROPHES}][A-ZÄÖÜÀ-Þ])?{_LOWER}+"
_NAME = rf"{_WORD}(?:-{_WORD})?"
_PAIR = re.compile(rf"(?=\b({_NAME}) ((?:(?:von|van|de|der|zu|di|al|el) )?{_NAME})\b)")
_TITLED = re.compile(rf"\b(?:(?:Herrn?|Frau|Mr|Mrs|Ms|Dr|Prof)\.? )+((?:{_NAME} )?{_NAME})\b")
_AFTER_VERB = re.compile(
    r"\b(?:[Aa]dd|[Rr]emove|[Tt]ake|[Pp]ut|[Gg]ive|[Gg]rant|[Ee]nrol|[Dd]isable|[Dd]eactivate"
    r"|[Ss]uspend|[Uu]nlock|[Ff]ügt?|[Ff]ügen|[Nn]ehmt|[Nn]immt?|[Nn]ehmen|[Ee]ntfernt?"
    r"|[Ee]ntfernen|[Dd]eaktiviert?|[Ee]ntsperrt?|[Bb]itte|for|für)"
    rf" (?:(?:Sie|bitte|please) )*({_NAME})(?= |[.,:;!?]|$)"
)
_UNNAMED = re.compile(
    r"\b(?:my|our|his|her|their|the|an?|this|mein\w{0,2}|unser\w{0,2}|seine?\w?|ihr\w{0,2}"
    r"|eine?\w?|de[rnm]|die|des)(?: \w+)? ((?:\w+-)?"
    r"(?:colleagues?|boss|manager|supervisor|co-?workers?|employees?|interns?|trainees?"
    r"|contractors?|assistants?|wife|husband|friend|son|daughter|leaver|joiner|predecessor"
    r"|successor|deputy|director|ceo|cfo|clients?|customers?|guests?|vendors?|partner"
    r"|kund\w+|gast|kolleg\w+|chefs?|chefin|vorgesetzt\w+|mitarbeiter\w*|praktikant\w*|azubis?"
    r"|auszubildend\w+|dienstleisters?|externe\w*|vorg(?:ä|ae)nger\w*|nachfolger\w*|extern\w*"
    r"|assistent\w*|frau|mann|sohn|tochter|freund\w*|gesch(?:ä|ae)ftsf(?:ü|ue)hrer\w*))\b"
)
_OTHERS = re.compile(
    r"\b(?:for|of|für|von) (?:an? |the |our |der |einen? |unseren? )?(?:\w+ )?"
    r"(?:clients?|customers?|users|colleagues?|employees?|guests?|vendors?|contractors?"
    r"|kolleg\w+|kund\w+)\b"
    r"|\b(?:the|this|that|an?|another|some) (?:\w+ )?(?:user|person)\b(?! (?:account|profile))"
    r"|(?<!my )\b(?:colleague|user|client|customer|employee)s? (?:can|cannot|can't|has|have|had|is"
    r"|are|was|forgot|needs?|called|wants?|lost|received|reports?|please)\b"
)
_PRONOUN = re.compile(
    r"\b(?:he|him|his|she|hers?|they|them|their|somebody else|someone else)(?:'s|'re)?\b"
    r"|\b(?:er|ihm|ihn|seine[mnrs]?|sein (?:konto|account|benutzer\w*|kennwort|passwort|zugang)"
    r"|(?:jemand|wen) anders?|jemanden anders?)\b"
)
_LOWER_CASE = re.compile(
    r"\b(?:add|remove|put|take|grant|give|enrol|disable|deactivate|suspend|unlock)"
    r" (?:please )?([a-zß-ÿ-]{2,})"
    r" (?:to|into|in|from|out|off|access|membership|please|pls|asap|as)\b"
    r"|\b(?:füge?n?|nehmt|nimm|entfernt?|entferne|entfernen|deaktiviert?|entsperrt?|bitte)"
    r" (?:sie |bitte )*([a-zäöüß-]{2,}) (?:zu|zur|in|aus|der|hinzu|bitte)\b"
)
_SELF = re.compile(
    r"\b(?:i|me|my|mine|myself|ich|mich|mir|mein(?:e|en|em|er|es)?)\b|\bi'(?:m|ve|d|ll)\b"
)
_SELF_AS_SUBJECT = re.compile(
    r"\b(?:add|remove|put|take|enrol|include|drop|delete|get|make|give|grant|move)(?: please)? me\b"
    r"|\bi (?:need|want|have|would like|wish|should|must|am supposed) (?:to )?"
    r"(?:be|become|join|leave)\b"
    r"|\bmy (?:own )?(?:account|login|profile|membership)\b"
    r"|(?<!melde )(?<!bedanke )(?<!freue )(?<!wende )(?<!beziehe )\bmich\b"
    r"|\bmein(?:en|em|es|e)? (?:eigene\w* )?"
    r"(?:konto|account|zugang|login|benutzerkonto|mitgliedschaft)\b"
)
_BESIDE = (
    r"(?:\b(?:like|same as|just as|wie|analog zu)"
    r"|\b(?:approved|authori[sz]ed|agreed|confirmed|allowed|granted|genehmigt|freigegeben|best(?:ä|ae)tigt"
    r"|abgesprochen|abgestimmt|erlaubt)(?: \w+){0,2}? (?:by|with|from|von|durch|mit)) "
)
_INTRODUCED = (
    r"(?:\b(?:this is|i am|i'm|my name is|hier ist|hier spricht|ich bin|ich hei(?:ß|ss)e"
    r"|mein name ist|me|mich|(?:my|mein\w*) (?:account|login|profile|konto|zugang|benutzerkonto))"
    r"(?: is| ist|:)? ?\(?)"
)
_SIGNATURE = re.compile(
    r"(?:^|\n)\s*(?:(?:best|kind|many|warm)\s+)?"
    r"(?:regards|cheers|sincerely|thanks|thank you|best)\b[ ,.!]*(?:\n|$)[\s\S]*$"
    r"|(?:^|\n)\s*(?:(?:viele|beste|liebe|mit freundlichen|freundliche|sch(?:ö|oe)ne)\s+)?"
    r"(?:gr(?:ü|ue)(?:ß|ss)en?|gru(?:ß|ss)|mfg|vg|lg|danke|vielen dank)\b[ ,.!]*(?:\n|$)[\s\S]*$",
    re.IGNORECASE,
)

_CLOSING = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned:
    """Somebody whom a text mentions, literally; `is_named` when that is a name or login."""

    text: str
    is_named: bool


def people_in(text: str) -> tuple[Mentioned, ...]:
    """Return the distinct people that a text mentions, the requester's own signature left out."""
    body = _without_signature(text)
    named = _distinct(_named(body))
    if named:
        return tuple(Mentioned(text=name, is_named=True) for name in named)
    low = lowered(body)
    for pattern in (_UNNAMED, _OTHERS, _PRONOUN):
        match = pattern.search(low)
        if match:
            return (Mentioned(text=body[match.start() : match.end()], is_named=False),)
    for match in _LOWER_CASE.finditer(low):
        number = match.lastindex or 0
        if is_name(match[number]):
            start, end = match.span(number)
            return (Mentioned(text=body[start:end], is_named=False),)
    return ()


def speaks_of_self(text: str) -> bool:
    """Whether the text speaks in the first person: about its writer, as far as nobody is named."""
    return _SELF.search(lowered(text)) is not None


def stands_beside(text: str, name: str) -> bool:
    """Whether a named person may be another than the one it is about.

    "Add me to ci-users, Dan Wolter has it too": the writer names himself, or the name stands where
    one compares with or refers to somebody. A name that he gives as his own is no other person, and
    "dan.wolter to become a member" says whom it is about.
    """
    low = lowered(_without_signature(text))
    literal = re.escape(lowered(name))
    introduced = (
        rf"{_INTRODUCED}{literal}\b|\b{literal} (?:here|hier|to (?:be|become|join))\b"
        rf"|(?:^|\n)\s*{literal}\s*(?:\n|$)"
    )
    if re.search(introduced, low):
        return False
    return bool(_SELF_AS_SUBJECT.search(low) or re.search(_BESIDE + literal, low))


def _without_signature(text: str) -> str:
    """Return the text without its closing lines, if they hold a name and ask for nothing."""
    match = _SIGNATURE.search(text)
    if match is None or len(match.group()) > _CLOSING or shipped_lexicon().found(match.group()):
        return text
    return text[: match.start()]


def _named(text: str) -> list[str]:
    endings = _words()[1]
    text = _POSSESSIVE.sub(" ", text)
    found = [match.group() for match in _MAIL.finditer(text)]
    rest = _MAIL.sub(" ", text)
    found += [
        match.group()
        for match in _LOGIN.finditer(rest)
        if match.group().rpartition(".")[2] not in endings
    ]
    for line in rest.split("\n"):
        found += [
            f"{match[1]} {match[2]}"
            for match in _PAIR.finditer(line)
            if is_name(match[1]) and is_name(match[2].split()[-1])
        ]
        found += [match[1] for match in _TITLED.finditer(line) if is_name(match[1].split()[-1])]
        found += [match[1] for match in _AFTER_VERB.finditer(line) if is_name(match[1])]
    return found


def is_name(word: str) -> bool:
    """Whether a capitalised word may be a name: it is no word that tickets are made of."""
    return lowered(word) not in _words()[0]


def _distinct(names: list[str]) -> list[str]:
    """Return the names without those that only repeat a part of another (`Wolter`)."""
    kept: list[str] = []
    for name in sorted(dict.fromkeys(names), key=lambda text: (-len(_parts(text)), -len(text))):
        if not any(_parts(name) <= _parts(other) for other in kept):
            kept.append(name)
    return kept


def _parts(name: str) -> frozenset[str]:
    local = lowered(name).partition("@")[0]
    for plain, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        local = local.replace(plain, written)
    return frozenset(part for part in re.split(rf"[.\s_{_APOSTROPHES}]+", local) if part)


def after_group() -> frozenset[str]:
    """Return the words that follow "group" without being its name."""
    return _words()[2]


@cache
def _words() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    raw = YAML(typ="safe", pure=True).load((DATA / "words.yaml").read_text("utf-8"))
    everyday = {
        word for phrase in shipped_negatives() for word in re.findall(r"[\w-]+", lowered(phrase))
    }
    return (
        frozenset(raw["common"].split()) | everyday,
        frozenset(raw["endings"].split()),
        frozenset(raw["after_group"].split()),
    )
