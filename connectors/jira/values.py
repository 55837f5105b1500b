"""The leaves of Jira's payloads: instants, accounts, texts; pure, and strict about shapes."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from engine.domain.refs import Account
from engine.errors import DoesNotFitError, InvalidAnswerError

Payload = Mapping[str, Any]
TEXT_MOST = 32_767
"""Characters of a text field; Jira's own default (jira.text.field.character.limit)."""
SUMMARY_MOST = 255
_FENCE = "{noformat}"
_BLOCK_MARK = re.compile(r"\{(?:noformat|code)(?::[^{}\n]*)?\}\n?")
_FORMATS = ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z")


def instant(value: object, field: str) -> datetime:
    """Return an aware UTC instant from Jira's text (offset without colon) or epoch milliseconds.

    The offset is that of the requesting account's profile, so the text alone says nothing.

    Raises:
        InvalidAnswerError: Neither form.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000, tz=UTC)
    if isinstance(value, str):
        for form in _FORMATS:
            try:
                return datetime.strptime(value, form).astimezone(UTC)
            except ValueError:
                continue
    raise InvalidAnswerError(f"{field}: not an instant")


def native_instant(value: datetime) -> str:
    """Return the one form that every flavour accepts: three fractional digits, numeric offset."""
    at = value.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def epoch_ms(value: datetime) -> int:
    """Return milliseconds since the epoch: the only JQL literal that no profile zone bends."""
    return int(value.timestamp()) * 1000 + value.microsecond // 1000


def desk_instant(value: object, field: str) -> datetime | None:
    """Return the instant of a Service Management date object; None where there is none."""
    if value is None:
        return None
    bean = mapping(value, field)
    return instant(bean.get("epochMillis"), field)


def mapping(value: object, field: str) -> Payload:
    """Return `value` as an object.

    Raises:
        InvalidAnswerError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise InvalidAnswerError(f"{field}: expected an object")
    return value


def listing(value: object, field: str) -> list[Payload]:
    """Return `value` as a list of objects.

    Raises:
        InvalidAnswerError: It is something else.
    """
    if not isinstance(value, list):
        raise InvalidAnswerError(f"{field}: expected a list")
    return [mapping(one, field) for one in value]


def text_of(value: object) -> str:
    """Return any field value as the text that people see; "" where unset."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return _bean_text(value)
    if isinstance(value, list):
        return ", ".join(filter(None, (text_of(one) for one in value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _bean_text(bean: Payload) -> str:
    if bean.get("type") == "doc":
        return "".join(_document_text(bean)).strip()
    for key in ("value", "name", "displayName", "key"):
        found = bean.get(key)
        if isinstance(found, str):
            child = bean.get("child")
            return f"{found} - {text_of(child)}" if isinstance(child, Mapping) else found
    return ""


def _document_text(node: Payload) -> Iterator[str]:
    """Yield the text of an Atlassian document, which v3 sends in the place of wiki text."""
    if node.get("type") == "hardBreak":
        yield "\n"
    if isinstance(node.get("text"), str):
        yield str(node["text"])
    for child in node.get("content") or ():
        if isinstance(child, Mapping):
            yield from _document_text(child)
    if node.get("type") in {"paragraph", "heading", "codeBlock", "listItem"}:
        yield "\n"


def account(system: str, bean: object, *, is_cloud: bool) -> Account | None:
    """Return the account of a user object; None where there is none or it carries no immutable id.

    Cloud knows users by accountId alone; Data Center by `key`, which survives a rename (`name` does
    not).
    """
    if not isinstance(bean, Mapping):
        return None
    found = bean.get("accountId") if is_cloud else bean.get("key")
    if not isinstance(found, str) or not found:
        return None
    shown = bean.get("displayName") or bean.get("name") or found
    return Account(system=system, id=found, name=str(shown))


def fenced(text: str, field: str) -> str:
    """Return `text` so that Jira keeps it letter by letter: whole, in one noformat block.

    Wiki text does not survive the way to Cloud's document format and back; a noformat block does.

    Raises:
        DoesNotFitError: It holds the end of such a block, or is longer than the field.
    """
    if "{noformat" in text or "{code" in text:
        raise DoesNotFitError(f"{field}: the text holds a block mark of Jira's own markup")
    if not text.strip():
        return ""
    whole = f"{_FENCE}\n{text}\n{_FENCE}"
    if len(whole) > TEXT_MOST:
        raise DoesNotFitError(f"{field}: {len(whole)} characters, the field holds {TEXT_MOST}")
    return whole


def unfenced(value: object) -> str:
    """Return what `fenced` was given, or the native text as it is where it is no such block."""
    text = text_of(value).replace("\r\n", "\n").strip()
    inner = text.removeprefix(_FENCE).removesuffix(_FENCE)
    if len(text) - len(inner) == 2 * len(_FENCE) and "{noformat" not in inner:
        return inner.strip("\n")
    return text


def plain(value: object) -> str:
    """Return what somebody wrote without the block marks of Jira's own markup.

    They say nothing about the request, and a plan that quotes it could not carry them.
    """
    return _BLOCK_MARK.sub("", text_of(value)).strip()


def one_line(text: str, field: str) -> str:
    """Return `text` if a summary can hold it.

    Raises:
        DoesNotFitError: It has several lines, or is too long.
    """
    line = text.strip()
    if "\n" in line or "\r" in line:
        raise DoesNotFitError(f"{field}: a summary has one line")
    if len(line) > SUMMARY_MOST:
        raise DoesNotFitError(f"{field}: {len(line)} characters, the field holds {SUMMARY_MOST}")
    return line


def quoted(value: str) -> str:
    """Return a JQL string literal."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
