"""Rich text: kept as it was written, shown as wiki text on v2 and as a document on v3."""

import re
from dataclasses import dataclass

from connectors.jira.sandbox import adf, wiki
from connectors.jira.sandbox.wire import Json, Row

LONGEST = 32767
_WORD = re.compile(r"[^\W_]+(?:['_.@-][^\W_]+)*|[^\W_]+", re.UNICODE)
_PART = re.compile(r"[^\W_]+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class TextRefusedError(ValueError):
    """A rich text that the API does not take; `reason` is the vendor's sentence."""

    reason: str


def read(value: Json, *, document: bool) -> Row | None:
    """Return what is kept of a rich text given on v3 (`document`) or v2.

    Raises:
        TextRefusedError: the value is not of the form that the version asks for, or too long.
    """
    if value is None or value == "":
        return None
    if document:
        if not adf.is_document(value):
            raise TextRefusedError(
                "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
            )
        if len(adf.to_plain(value)) > LONGEST:
            raise TextRefusedError("CONTENT_LIMIT_EXCEEDED")
        return {"a": value}
    if not isinstance(value, str):
        raise TextRefusedError("Operation value must be a string")
    if len(value) > LONGEST:
        raise TextRefusedError(
            f"The entered text is too long. It exceeds the allowed limit of {LONGEST:,} characters."
        )
    return {"w": value.replace("\r\n", "\n")}


def show(kept: Row | None, *, document: bool) -> Json:
    """Return a kept text as a document, or as wiki text."""
    if kept is None:
        return None
    if document:
        return kept["a"] if "a" in kept else wiki.to_document(kept["w"])
    return wiki_of(kept)


def wiki_of(kept: Row | None) -> str:
    """Return a kept text as wiki text."""
    if kept is None:
        return ""
    return kept["w"] if "w" in kept else adf.to_wiki(kept["a"])


def html_of(kept: Row | None) -> str:
    """Return a kept text as HTML."""
    if kept is None:
        return ""
    return adf.to_html(kept["a"] if "a" in kept else wiki.to_document(kept["w"]))


def plain_of(kept: Row | None) -> str:
    """Return a kept text without markup."""
    if kept is None:
        return ""
    return adf.to_plain(kept["a"]) if "a" in kept else str(kept["w"])


def words_of(text: str) -> str:
    """Return the words of a text for the index: lower case, single spaces, one at each end."""
    found: list[str] = []
    for match in _WORD.finditer(text.casefold()):
        found.append(match[0])
        parts = _PART.findall(match[0])
        if len(parts) > 1:
            found += parts
    return f" {' '.join(found)} "


def terms_of(text: str) -> list[str]:
    """Return the words of a search term in order."""
    return _PART.findall(text.casefold())
