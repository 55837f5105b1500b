"""One directory entry as it was read, and the texts and times in it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ldap3.core.exceptions import LDAPExceptionError
from ldap3.utils.dn import parse_dn

from engine.errors import InvalidAnswerError

_GENERALIZED = re.compile(r"(\d{14})(?:[.,]\d+)?Z")
FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_ESCAPED = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A distinguished name and its attributes; names are lower case, values raw bytes.

    `spelling` keeps the names as the server wrote them.
    """

    dn: str
    values: Mapping[str, tuple[bytes, ...]]
    spelling: Mapping[str, str] = field(default_factory=dict[str, str])

    def raw(self, name: str) -> tuple[bytes, ...]:
        """Return all values of an attribute as bytes; none where it is absent or hidden."""
        return self.values.get(name.lower(), ())

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of an attribute as text.

        Raises:
            InvalidAnswerError: A value is no UTF-8.
        """
        try:
            return tuple(value.decode("utf-8") for value in self.raw(name))
        except UnicodeDecodeError as error:
            raise InvalidAnswerError(f"{self.dn}: {name} is no text") from error

    def text(self, name: str) -> str:
        """Return the first value as text, "" where there is none."""
        return next(iter(self.texts(name)), "")

    def has(self, name: str, wanted: Iterable[str]) -> bool:
        """Whether the attribute has one of these values, compared without case."""
        values = {value.casefold() for value in self.texts(name)}
        return any(value.casefold() in values for value in wanted)

    def number(self, name: str) -> int:
        """Return a whole number, 0 where the attribute is absent.

        Raises:
            InvalidAnswerError: It is no number.
        """
        text = self.text(name) or "0"
        try:
            return int(text)
        except ValueError as error:
            raise InvalidAnswerError(f"{self.dn}: {name} is no number") from error

    def instant(self, name: str) -> datetime | None:
        """Return a generalized time (RFC 4517, 3.3.13) in UTC; None where it is absent.

        Raises:
            InvalidAnswerError: It is no such time.
        """
        text = self.text(name)
        return generalized_time(text, f"{self.dn}: {name}") if text else None


def generalized_time(text: str, what: str) -> datetime:
    """Return the instant that a generalized time in UTC names, to the second.

    Raises:
        InvalidAnswerError: The text is no such time; `what` names where it stands.
    """
    match = _GENERALIZED.fullmatch(text)
    if match is None:
        raise InvalidAnswerError(f"{what} is no time in UTC")
    try:
        return datetime.strptime(match.group(1), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidAnswerError(f"{what} is no time in UTC") from error


def as_generalized_time(instant: datetime) -> str:
    """Return an instant as a generalized time."""
    return instant.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def dn_key(dn: str) -> str:
    """Return a distinguished name in the one form by which two of them are compared.

    A text that is no distinguished name is folded as it stands.
    """
    try:
        parts = parse_dn(dn, escape=False, strip=True)
    except LDAPExceptionError:
        return dn.strip().casefold()
    return "".join(f"{name}={value}{separator}" for name, value, separator in parts).casefold()


def is_below(dn: str, base: str) -> bool:
    """Whether an entry stands at or below a base."""
    inner, outer = dn_key(dn), dn_key(base)
    return inner == outer or inner.endswith("," + outer) or not outer


def first_name(dn: str) -> str:
    """Return the value of a distinguished name's first part, as people write it.

    A text that is no distinguished name is returned as it stands.
    """
    try:
        parts = parse_dn(dn, escape=False, strip=True)
    except LDAPExceptionError:
        return dn
    return _ESCAPED.sub(_unescaped, parts[0][1]) if parts else dn


def _unescaped(match: re.Match[str]) -> str:
    # RFC 4514, 2.4: a backslash before two hex digits (bytes of UTF-8) or before a character.
    if match.group(1):
        return bytes.fromhex(match.group(1).replace("\\", "")).decode("utf-8", "replace")
    return match.group(2)
