"""Result codes in our words: every one that we know, and an error for every other."""

import pytest

from connectors.ldap.answers import ERRORS, entry_of, next_cookie
from connectors.ldap.entry import Entry
from connectors.ldap.settings import LDAPSettings
from connectors.ldap.transport import Transport
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    MissingRightError,
    PreconditionError,
    RecordNotFoundError,
    TiergateError,
    TransientError,
)


def require(code: int) -> None:
    settings = LDAPSettings.model_validate(
        {"flavour": "openldap", "url": "ldaps://x.test", "bind": {"dn": "cn=x", "password": "y"}}
    )
    result = {"result": code, "description": "aWord", "message": "who knows what"}
    Transport("directory", settings)._require(result, "modify cn=a")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (3, TransientError),
        (4, InvalidAnswerError),
        (19, PreconditionError),
        (32, RecordNotFoundError),
        (49, AuthenticationError),
        (50, MissingRightError),
        (51, TransientError),
        (52, TransientError),
        (53, PreconditionError),
        (65, PreconditionError),
    ],
)
def test_a_known_code_says_what_to_do_next(code: int, kind: type[TiergateError]) -> None:
    with pytest.raises(kind, match=f"directory: modify cn=a: aWord \\({code}\\)") as caught:
        require(code)
    assert "who knows what" not in str(caught.value)


def test_success_alone_is_no_error() -> None:
    require(0)


@pytest.mark.parametrize("code", [1, 2, 10, 80, 122, 16654, -1])
def test_an_unknown_code_is_an_error_and_never_a_default(code: int) -> None:
    assert code not in ERRORS
    with pytest.raises(InvalidAnswerError):
        require(code)


def test_rows_become_entries_and_cookies_pages() -> None:
    row = {"dn": "cn=a", "raw_attributes": {"privateMail": [b"x@y"], "cn": [b"a", b"b"]}}
    entry = entry_of(row)
    assert entry == Entry(
        dn="cn=a",
        values={"privatemail": (b"x@y",), "cn": (b"a", b"b")},
        spelling={"privatemail": "privateMail", "cn": "cn"},
    )
    assert next_cookie({}) is None
    assert next_cookie({"controls": {}}) is None
    controls = {"1.2.840.113556.1.4.319": {"value": {"cookie": b"more"}}}
    assert next_cookie({"controls": controls}) == b"more"
