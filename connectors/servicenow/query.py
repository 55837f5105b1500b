"""Encoded queries, built so that no value can add a term.

ServiceNow knows no escape for `^` in a value, drops a term whose field it does not know (the query
then matches more), and evaluates values that begin with `javascript:`
(ServiceNow docs, "Operators available for filters and queries").
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from engine.errors import InvalidAnswerError, PermanentError

_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_SYS_ID = re.compile(r"[0-9a-fA-F]{32}")
_FORMAT = "%Y-%m-%d %H:%M:%S"


class UnsafeValueError(PermanentError):
    """A value that cannot stand in an encoded query."""


def value(text: str) -> str:
    """Return `text` if it can stand as a value.

    Raises:
        UnsafeValueError: It holds `^` or a control character, or begins like a script.
    """
    if "^" in text or any(ord(character) < 32 for character in text):  # noqa: PLR2004  control codes
        raise UnsafeValueError("a query value must not hold ^, line breaks or control characters")
    if text.lstrip().lower().startswith("javascript:"):
        raise UnsafeValueError("a query value must not begin with javascript:")
    return text


def _field(name: str) -> str:
    if not _FIELD.fullmatch(name):
        raise UnsafeValueError(f"{name!r} is no field name")
    return name


def is_sys_id(text: str) -> bool:
    """Whether `text` has the form of a record id."""
    return bool(_SYS_ID.fullmatch(text))


def equals(name: str, text: str) -> str:
    """Return a term; the server compares without regard to case, so compare again what comes."""
    return f"{_field(name)}={value(text)}"


def differs(name: str, text: str) -> str:
    """Return a term."""
    return f"{_field(name)}!={value(text)}"


def contains(name: str, text: str) -> str:
    """Return a term that looks for a part of a text."""
    return f"{_field(name)}LIKE{value(text)}"


def one_of(name: str, texts: Iterable[str]) -> str:
    """Return a term over a list; a value with a comma cannot stand in one.

    Raises:
        UnsafeValueError: A value holds a comma, or there is none.
    """
    listed = [value(text) for text in texts]
    if not listed or any("," in text for text in listed):
        raise UnsafeValueError("a list needs values, none with a comma")
    return f"{_field(name)}IN{','.join(listed)}"


def instant(moment: datetime) -> str:
    """Return an instant as the server writes it: UTC, whole seconds.

    The account's time zone must be GMT: sources differ on whether literals follow it.
    """
    return moment.astimezone(UTC).strftime(_FORMAT)


def at(name: str, operator: str, moment: datetime) -> str:
    """Return a comparison with an instant; `operator` is one of = > >= < <=."""
    if operator not in {"=", ">", ">=", "<", "<="}:
        raise UnsafeValueError(f"{operator!r} is no comparison")
    return f"{_field(name)}{operator}{instant(moment)}"


def after_id(sys_id: str) -> str:
    """Return the term for ids behind this one."""
    return f"sys_id>{value(sys_id)}"


def both(*terms: str) -> str:
    """Return the conjunction of terms; empty ones are left out."""
    return "^".join(term for term in terms if term)


def either(*queries: str) -> str:
    """Return the union of whole conjunctions (`^NQ`)."""
    return "^NQ".join(queries)


def ordered(query: str, *names: str) -> str:
    """Return the query with an ascending order."""
    return "^".join([query, *(f"ORDERBY{_field(name)}" for name in names)])


def through(reference: str, base: str) -> str:
    """Return a filter on the record that a reference leads to."""
    walk = f"{_field(reference)}."
    return re.sub(r"(^|\^OR|\^)(?=[a-z])", lambda match: match[1] + walk, base)


def require_base_filter(text: str) -> str:
    """Return an admin's filter if terms can be added behind it.

    Raises:
        ValueError: It holds a union, an order or an end, behind which added terms bind wrongly.
    """
    text = text.strip().strip("^")
    for mark in ("^NQ", "ORDERBY", "^EQ", "\n", "\r"):
        if mark in text:
            raise ValueError(
                f"the filter must not hold {mark!r}; make two sources instead of a union"
            )
    return text


def parse_instant(text: str) -> datetime | None:
    """Return an instant as the server sends it (raw value, UTC); None for an empty text.

    Raises:
        InvalidAnswerError: The text is no instant.
    """
    if not text:
        return None
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise InvalidAnswerError("an instant of the answer has another form than UTC") from None
