"""The temporary password: the same for one effect, fit for every policy, never shown."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ldap.derivation import require_installation_key, temporary_password
from engine.errors import ConfigurationError

KEY = b"0123456789abcdef0123456789abcdef"


@given(key=st.text(max_size=80), installation=st.binary(min_size=32, max_size=64))
def test_every_password_fits_the_usual_policies(key: str, installation: bytes) -> None:
    password = temporary_password(installation, key).value
    assert len(password) == 23
    assert set(password) & set(string.ascii_uppercase)
    assert set(password) & set(string.ascii_lowercase)
    assert set(password) & set(string.digits)
    assert set(password) <= set(string.ascii_letters + string.digits + "-") - set("0Oo1lI")
    assert all(len(run) <= 2 for run in re.split("-", password))


@given(key=st.text(max_size=80))
def test_the_same_effect_gets_the_same_password_and_another_effect_another(key: str) -> None:
    assert temporary_password(KEY, key) == temporary_password(KEY, key)
    assert temporary_password(KEY, key) != temporary_password(KEY, key + "x")
    assert temporary_password(KEY, key) != temporary_password(KEY[::-1], key)


def test_the_derivation_never_changes_because_a_delivery_may_be_repeated_by_a_newer_version() -> (
    None
):
    assert temporary_password(KEY, "effect").value == "S3-a3-ZQ-jC-TJ-hq-Sm-3y"


def test_no_character_is_favoured() -> None:
    counts: dict[str, int] = {}
    for number in range(2000):
        for letter in temporary_password(KEY, str(number)).value[6:].replace("-", ""):
            counts[letter] = counts.get(letter, 0) + 1
    mean = sum(counts.values()) / len(counts)
    assert len(counts) == 56
    assert all(0.75 * mean < count < 1.25 * mean for count in counts.values())


def test_a_secret_says_nothing_of_itself() -> None:
    secret = temporary_password(KEY, "effect")
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}"):
        assert secret.value not in text


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        require_installation_key(b"x" * 31)
    assert require_installation_key(KEY) == KEY
