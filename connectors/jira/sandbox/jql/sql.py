"""Fragments of SQL with their values."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.jira.sandbox.wire import Json

_WIDEST = 16


@dataclass(frozen=True, slots=True)
class Sql:
    """A condition and the values of its marks."""

    text: str
    values: tuple[Json, ...] = ()


def condition(text: str) -> Sql:
    """Return a condition without values."""
    return Sql(text)


def empty_set() -> Sql:
    """Return a condition that nothing meets."""
    return Sql("0")


def one_of(column: str, wanted: Sequence[Json]) -> Sql:
    """Return `column IN (wanted)`."""
    if not wanted:
        return empty_set()
    if len(wanted) == 1:
        return Sql(f"{column} = ?", (wanted[0],))
    return Sql(f"{column} IN ({','.join('?' * len(wanted))})", tuple(wanted))


def inverse(inner: Sql) -> Sql:
    """Return the negation of a condition."""
    return Sql(f"NOT ({inner.text})", inner.values)


def both(word: str, parts: Sequence[Sql]) -> Sql:
    """Join conditions with AND or OR, as a balanced tree: SQLite's trees have a greatest depth."""
    if len(parts) == 1:
        return parts[0]
    if len(parts) > _WIDEST:
        middle = len(parts) // 2
        return both(word, [both(word, parts[:middle]), both(word, parts[middle:])])
    text = f" {word} ".join(f"({one.text})" for one in parts)
    return Sql(text, tuple(value for one in parts for value in one.values))
