"""The attributes that the sandbox directory knows, and how their values compare."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Syntax(StrEnum):
    """How values of an attribute compare."""

    TEXT = "text"
    """Without case, runs of blanks as one (caseIgnoreMatch)."""
    NAME = "name"
    """Distinguished names."""
    EXACT = "exact"
    """Byte by byte: passwords, times, booleans, numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute type; operational ones are shown only when asked for."""

    name: str
    syntax: Syntax = Syntax.TEXT
    is_single: bool = False
    is_operational: bool = False
    is_read_only: bool = False


def _user(name: str, syntax: Syntax = Syntax.TEXT, *, single: bool = False) -> Attribute:
    return Attribute(name=name, syntax=syntax, is_single=single)


def _system(
    name: str, syntax: Syntax = Syntax.EXACT, *, single: bool = True, fixed: bool = True
) -> Attribute:
    return Attribute(
        name=name, syntax=syntax, is_single=single, is_operational=True, is_read_only=fixed
    )


_LOG = ("reqStart", "reqMod", "reqType", "reqResult", "reqSession")
_ALL = (
    *(
        _user(name)
        for name in ("objectClass", "cn", "sn", "givenName", "uid", "o", "ou", "dc", "mail")
    ),
    *(_user(name) for name in ("title", "description", "departmentNumber", "employeeType")),
    _user("displayName", single=True),
    _user("employeeNumber", single=True),
    _user("privateMail"),
    _user("telephoneNumber"),
    _user("manager", Syntax.NAME),
    _user("member", Syntax.NAME),
    _user("userPassword", Syntax.EXACT),
    *(_user(name, Syntax.EXACT) for name in _LOG),
    _user("reqDN", Syntax.NAME),
    _user("reqAuthzID", Syntax.NAME),
    _system("monitorTimestamp"),
    _system("entryUUID", Syntax.TEXT),
    _system("entryDN", Syntax.NAME),
    _system("createTimestamp"),
    _system("modifyTimestamp"),
    _system("creatorsName", Syntax.NAME),
    _system("modifiersName", Syntax.NAME),
    _system("structuralObjectClass", Syntax.TEXT),
    _system("memberOf", Syntax.NAME, single=False),
    _system("pwdChangedTime"),
    _system("pwdAccountLockedTime", fixed=False),
    _system("pwdFailureTime", single=False, fixed=False),
    _system("pwdReset", fixed=False),
    *(
        _system(name, Syntax.TEXT, single=False)
        for name in ("namingContexts", "supportedExtension", "supportedLDAPVersion", "vendorName")
    ),
)

SCHEMA: Mapping[str, Attribute] = {attribute.name.lower(): attribute for attribute in _ALL}
"""Lower-case name to attribute type."""


@functools.lru_cache(maxsize=65536)
def dn_key(dn: str) -> str:
    """Return the one form in which two names are compared."""
    return ",".join(part.strip().casefold() for part in split_dn(dn))


def split_dn(dn: str) -> list[str]:
    """Split a name at its unescaped commas; blanks around `=` and `,` are dropped."""
    parts: list[str] = []
    current = ""
    escaped = False
    for letter in dn:
        if letter == "," and not escaped:
            parts.append(current)
            current = ""
            continue
        escaped = letter == "\\" and not escaped
        current += letter
    if current or parts:
        parts.append(current)
    return ["=".join(piece.strip() for piece in part.split("=", 1)) for part in parts]


@functools.lru_cache(maxsize=65536)
def fold(name: str, value: bytes) -> bytes:
    """Return a value in the form in which its attribute compares it."""
    attribute = SCHEMA.get(name.lower())
    if attribute is None or attribute.syntax is Syntax.EXACT:
        return value
    text = value.decode("utf-8", "replace")
    if attribute.syntax is Syntax.NAME:
        return dn_key(text).encode()
    return " ".join(text.split()).casefold().encode()
