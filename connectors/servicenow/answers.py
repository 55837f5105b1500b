"""What ServiceNow answers: checked, then read into records of stored and displayed values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import requests

from connectors.http import is_read
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    OutcomeUnknownError,
    TransientError,
)


@dataclass(frozen=True, slots=True)
class Value:
    """One field as read with display values: the stored value, and what people see."""

    value: str
    display: str


Record = Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One page of a table: what was shown, what was counted (blind to access rules), and when."""

    records: tuple[Record, ...]
    total: int
    server_now: datetime


EMPTY = Value("", "")


def text(record: Record, name: str) -> str:
    """Return a field's stored value; "" where the record has no such field."""
    return record.get(name, EMPTY).value


def shown(record: Record, name: str) -> str:
    """Return a field as people see it."""
    return record.get(name, EMPTY).display


def require_columns(what: str, record: Record, names: Iterable[str]) -> None:
    """Return only if the record shows these columns, be they empty.

    ServiceNow leaves a column out that the account may not read (or that the table lacks), and a
    missing one reads like an empty one: nobody assigned, not on hold, no end of the window.

    Raises:
        MissingRightError: It does not; the message names the columns.
    """
    if absent := sorted(name for name in names if name not in record):
        raise MissingRightError(f"{what}: our account cannot read {', '.join(absent)}")


def read_value(raw: object) -> Value:
    """Return one field of an answer, with or without display values.

    Raises:
        InvalidAnswerError: It is neither a text nor a value with its display.
    """
    if isinstance(raw, str):
        return Value(raw, raw)
    if raw is None:
        return EMPTY
    if isinstance(raw, dict):
        pair = cast("dict[str, object]", raw)
        stored, display = pair.get("value"), pair.get("display_value")
        if all(part is None or isinstance(part, str) for part in (stored, display)) and (
            "value" in pair
        ):
            return Value(str(stored or ""), str(display or ""))
    raise InvalidAnswerError("a field of the answer is neither text nor value with display value")


def read_record(raw: object) -> Record:
    """Return one record of an answer.

    Raises:
        InvalidAnswerError: It is no object, or a field cannot be read. ServiceNow was seen to put
            texts and broken records into lists.
    """
    if not isinstance(raw, dict):
        raise InvalidAnswerError("a record of the answer is no object")
    return {str(name): read_value(field) for name, field in cast("dict[str, object]", raw).items()}


def inspect_answer(what: str, response: requests.Response) -> None:
    """Return only if the answer is a whole ServiceNow answer.

    A list that hits a transaction quota comes as 200 with some rows and an `error` beside them
    (vendor article KB0778443).

    Raises:
        AuthenticationError: It was made for an anonymous session.
        TransientError, OutcomeUnknownError: It is cut off or carries an error, after a read or a
            write.
    """
    unclear = TransientError if is_read(response.request.method) else OutcomeUnknownError
    if response.headers.get("X-Is-Logged-In", "true").lower() == "false":
        raise AuthenticationError(f"{what}: answered as to an anonymous session")
    if response.status_code == requests.codes.no_content:
        return
    try:
        body: object = response.json()
    except ValueError:
        raise unclear(f"{what}: the answer is no JSON, or cut off") from None
    if not isinstance(body, dict):
        raise unclear(f"{what}: the answer is no JSON object")
    if "error" in body or body.get("status") == "failure":
        raise unclear(f"{what}: the answer carries an error beside its result (cut off by a quota)")
    if "result" not in body:
        raise unclear(f"{what}: the answer has no result")


def explain_refusal(response: requests.Response) -> str:
    """Return ServiceNow's own sentence for a refusal: names of rules and fields, no record text."""
    try:
        error = response.json()["error"]
        parts = (error.get("message"), error.get("detail"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return "; ".join(str(part).partition("\n")[0] for part in parts if part)
