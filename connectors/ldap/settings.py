"""What the configuration says of one directory: `directories: NAME: {kind: ldap, ...}`."""

import ipaddress
import re
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from connectors.durations import Duration

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
MAILBOX_ATTRIBUTES = frozenset(
    {"mail", "proxyaddresses", "userprincipalname", "mailalternateaddress", "targetaddress"}
)
"""Attributes that name mailboxes which the account itself opens; lower case."""


class Flavour(StrEnum):
    """Which directory server stands behind the URL."""

    OPENLDAP = "openldap"
    ACTIVE_DIRECTORY = "active-directory"


class BindSettings(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """The account that we are at the directory."""

    dn: str = Field(min_length=3)
    password: SecretStr

    @field_validator("password")
    @classmethod
    def _not_empty(cls, value: SecretStr) -> SecretStr:
        # RFC 4513, 5.1.2: a bind with a name and no password succeeds as anonymous.
        if not value.get_secret_value():
            raise ValueError("a bind password must not be empty")
        return value


class MarkSettings(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """What marks an entry: an attribute and the values, compared without case, that count."""

    attribute: str
    values: tuple[str, ...]


class AttributeSettings(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """Names of attributes where a directory differs from the flavour's habit."""

    uid: str = ""
    """The name people log in with; by default `uid`, in Active Directory `sAMAccountName`."""
    department: str = ""
    """By default `departmentNumber`, in Active Directory `department`."""
    mail: str = "mail"
    manager: str = "manager"

    @field_validator("*")
    @classmethod
    def _named(cls, value: str) -> str:
        if value and not _ATTRIBUTE.fullmatch(value):
            raise ValueError("an attribute is named by letters, digits and hyphens")
        return value


class LDAPSettings(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """One directory.

    `base` is read from the server where it is left out; `people` and `groups` default to it.
    `protected` names accounts and groups (by login name, distinguished name or stable id) that no
    action ever touches; `protected_groups` names groups whose members, nested ones included, are
    protected too. `ordinary` lists the groups that count as ordinary for the tier map.
    `accounts` says for a system whose accounts carry no join key which attribute their value (an
    e-mail address, say) is looked up by. `changes_log` is the base of an OpenLDAP access log, which
    tells when a delivery address changed; without it the entry's own time stamp is used, which is
    never younger than the truth.
    """

    kind: Literal["ldap"] = "ldap"
    flavour: Flavour
    url: str
    bind: BindSettings
    base: str = ""
    people: str = ""
    groups: str = ""
    attributes: AttributeSettings = AttributeSettings()
    join_on: str = "employeeNumber"
    accounts: dict[str, str] = Field(default_factory=dict)
    private_mail: str = "privateMail"
    mail_domains: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    protected_groups: tuple[str, ...] = ()
    ordinary: tuple[str, ...] = ()
    vip: MarkSettings = MarkSettings(attribute="employeeType", values=("vip", "executive"))
    service: MarkSettings = MarkSettings(attribute="employeeType", values=("service",))
    lookback: Duration = timedelta(days=7)
    changes_log: str = ""
    start_tls: bool = False
    ca_file: str = ""
    tls_name: str = ""
    """The name in the server's certificate, where it is not the host of the URL."""
    timeout: Duration = timedelta(seconds=10)

    @field_validator("join_on", "private_mail")
    @classmethod
    def _attribute(cls, value: str) -> str:
        if not _ATTRIBUTE.fullmatch(value):
            raise ValueError("an attribute is named by letters, digits and hyphens")
        return value

    @field_validator("private_mail")
    @classmethod
    def _out_of_band(cls, value: str) -> str:
        if value.lower() in MAILBOX_ATTRIBUTES:
            raise ValueError("names a mailbox that the account itself opens")
        return value

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(minutes=2):
            raise ValueError("lies between 1s and 2m")
        return value

    @field_validator("lookback")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta(days=1):
            raise ValueError("is at least 1d: a fresh address is how accounts are stolen")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("url reads ldaps://host[:port] or ldap://host[:port]")
        if parts.scheme == "ldaps":
            if self.start_tls:
                raise ValueError("start_tls goes with an ldap:// url")
            return self
        if not self.start_tls and not _is_loopback(parts.hostname):
            raise ValueError("passwords cross the network: use ldaps:// or start_tls")
        if not self.start_tls and self.flavour is Flavour.ACTIVE_DIRECTORY:
            raise ValueError("Active Directory sets passwords over ldaps:// or start_tls only")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
