"""Names, times and filters: what a directory sends, and what hostile text would like to send."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter

from connectors.ldap.directory import equals
from connectors.ldap.entry import (
    Entry,
    as_generalized_time,
    dn_key,
    first_name,
    generalized_time,
    is_below,
)
from engine.errors import InvalidAnswerError


def test_names_are_compared_without_case_and_blanks() -> None:
    assert dn_key("CN=Bob Miller, OU=People,DC=Example") == dn_key(
        "cn=bob miller,ou=people,dc=example"
    )
    assert dn_key("cn=a,ou=b") != dn_key("cn=a,ou=c")
    assert dn_key("cn=Miller\\, Bob,dc=x") != dn_key("cn=Miller,dc=x")
    assert dn_key("no name at all") == "no name at all"


def test_the_first_part_of_a_name_is_shown_as_people_write_it() -> None:
    assert first_name("CN=Miller\\, Bob,OU=People,DC=x") == "Miller, Bob"
    assert first_name("cn=J\\C3\\BCrgen,dc=x") == "Jürgen"
    assert first_name("cn=git-users,ou=groups,dc=x") == "git-users"
    assert first_name("no name") == "no name"


def test_an_entry_is_below_its_base_by_whole_parts() -> None:
    assert is_below("cn=a,ou=people,dc=x", "OU=People, DC=x")
    assert is_below("ou=people,dc=x", "ou=people,dc=x")
    assert not is_below("cn=a,ou=otherpeople,dc=x", "ou=people,dc=x")


@pytest.mark.parametrize(
    "text", ["20261120124300Z", "20261120124300.0Z", "20261120124300.123456Z", "20261120124300,5Z"]
)
def test_a_generalized_time_is_an_instant_in_utc(text: str) -> None:
    moment = datetime(2026, 11, 20, 12, 43, tzinfo=UTC)
    assert generalized_time(text, "x") == moment
    assert as_generalized_time(moment) == "20261120124300Z"


@pytest.mark.parametrize("text", ["", "20261120", "20261320124300Z", "20261120124300+0100", "now"])
def test_what_is_no_time_is_an_error_and_never_a_default(text: str) -> None:
    with pytest.raises(InvalidAnswerError):
        generalized_time(text, "x")


def test_numbers_and_texts_that_are_none_are_errors() -> None:
    entry = Entry(dn="cn=x", values={"uac": (b"abc",), "cn": (b"\xff",)})
    with pytest.raises(InvalidAnswerError):
        entry.number("uac")
    with pytest.raises(InvalidAnswerError):
        entry.texts("cn")
    assert entry.number("absent") == 0
    assert entry.text("absent") == ""
    assert entry.instant("absent") is None


def as_sent(assertion: str, name: str) -> bytes:
    """Return the value that goes over the wire, if it stayed one value of one filter."""
    text = f"(&(objectClass=person){assertion})"
    parse, compiled = cast("Any", parse_filter), cast("Any", compile_filter)
    root = parse(text, None, True, True, None, False)  # noqa: FBT003  the library's signature
    conjunction = compiled(root.elements[0])["and"]
    assert len(conjunction) == 2
    equality = conjunction[1]["equalityMatch"]
    assert str(equality["attributeDesc"]) == name
    return bytes(equality["assertionValue"])


@given(value=st.text(max_size=60))
@example(value="*")
@example(value="\x00")
@example(value=")(uid=*")
@example(value="\\2a")
def test_no_text_breaks_out_of_its_filter(value: str) -> None:
    assert as_sent(equals("uid", value), "uid") == value.encode()


@given(value=st.binary(min_size=1, max_size=16))
def test_bytes_stand_in_a_filter_as_they_are(value: bytes) -> None:
    assert as_sent(equals("objectGUID", value), "objectGUID") == value
