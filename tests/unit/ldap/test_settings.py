"""A directory's settings: what is refused before anything is asked."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from pydantic import ValidationError

from connectors.ldap.settings import Flavour, LDAPSettings

GOOD: Mapping[str, object] = {
    "kind": "ldap",
    "flavour": "active-directory",
    "url": "ldaps://dc1.corp.example.test",
    "bind": {"dn": "tiergate@corp.example.test", "password": "a-bind-password"},
}


def test_the_example_of_the_documents_is_enough() -> None:
    settings = LDAPSettings.model_validate(GOOD)
    assert settings.flavour is Flavour.ACTIVE_DIRECTORY
    assert settings.lookback == timedelta(days=7)
    assert settings.join_on == "employeeNumber"
    assert "a-bind-password" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "ldap://dc1.corp.example.test"}, "passwords cross the network"),
        ({"url": "ldap://127.0.0.1"}, "ldaps:// or start_tls only"),
        ({"url": "ldap://dc1.corp.example.test", "flavour": "openldap"}, "passwords cross"),
        ({"url": "https://dc1.corp.example.test"}, "url reads"),
        ({"url": "ldaps://"}, "url reads"),
        ({"url": "ldaps://host/dc=x"}, "url reads"),
        ({"start_tls": True}, "start_tls goes with"),
        ({"bind": {"dn": "cn=x", "password": ""}}, "must not be empty"),
        ({"flavour": "novell"}, "flavour"),
        ({"lookback": "1h"}, "at least 1d"),
        ({"timeout": "1h"}, "between"),
        ({"timeout": "soon"}, "no duration"),
        ({"join_on": "employee)(number"}, "letters, digits"),
        ({"attributes": {"uid": "u*d"}}, "letters, digits"),
        ({"private_mail": "mail"}, "mailbox"),
        ({"private_mail": "proxyAddresses"}, "mailbox"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_would_be_unsafe_or_unknown_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        LDAPSettings.model_validate({**GOOD, **change})
    assert "a-bind-password" not in str(caught.value)


def test_plain_ldap_is_for_this_machine_only() -> None:
    for host in ("127.0.0.1", "[::1]", "localhost", "127.8.9.1"):
        LDAPSettings.model_validate({**GOOD, "flavour": "openldap", "url": f"ldap://{host}:3389"})
    LDAPSettings.model_validate(
        {**GOOD, "flavour": "openldap", "url": "ldap://ldap.example.test", "start_tls": True}
    )
