"""What a directory answers: result codes in our words, entries, pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from connectors.ldap.entry import Entry
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    PermanentError,
    PreconditionError,
    RecordNotFoundError,
    TiergateError,
    TransientError,
)

SUCCESS = 0
NO_SUCH_ATTRIBUTE = 16
CONSTRAINT_VIOLATION = 19
ATTRIBUTE_OR_VALUE_EXISTS = 20
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
INSUFFICIENT_ACCESS_RIGHTS = 50
UNWILLING_TO_PERFORM = 53
ENTRY_ALREADY_EXISTS = 68

ERRORS: Mapping[int, type[TiergateError]] = MappingProxyType(
    {
        3: TransientError,  # timeLimitExceeded
        4: InvalidAnswerError,  # sizeLimitExceeded: a part of the answer is no answer
        8: PermanentError,  # strongerAuthRequired: encryption is asked for
        11: TransientError,  # adminLimitExceeded
        13: PermanentError,  # confidentialityRequired
        16: PreconditionError,  # noSuchAttribute
        19: PreconditionError,  # constraintViolation: the password policy, mostly
        20: PreconditionError,  # attributeOrValueExists
        32: RecordNotFoundError,
        49: AuthenticationError,
        50: MissingRightError,
        51: TransientError,  # busy
        52: TransientError,  # unavailable
        53: PreconditionError,  # unwillingToPerform
        65: PreconditionError,  # objectClassViolation: the last member of a groupOfNames
        68: PreconditionError,  # entryAlreadyExists: Active Directory's word for a second member
    }
)
"""Result code (RFC 4511, appendix A) to error; any other code is an answer we do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A result code, its name and the server's diagnostic message (which may quote a name)."""

    code: int
    name: str
    diagnostic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the server's certificate says of its own end."""

    ends_at: datetime


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return an entry from a row as ldap3 decodes it."""
    raw: Mapping[str, Sequence[bytes]] = row["raw_attributes"]
    return Entry(
        dn=str(row["dn"]),
        values={str(name).lower(): tuple(bytes(v) for v in vals) for name, vals in raw.items()},
        spelling={str(name).lower(): str(name) for name in raw},
    )


def next_cookie(result: Mapping[str, Any]) -> bytes | None:
    """Return where the next page begins (RFC 2696), None or empty after the last one."""
    controls: Mapping[str, Any] = result.get("controls") or {}
    paged = controls.get("1.2.840.113556.1.4.319")
    return bytes(paged["value"]["cookie"]) if paged else None
