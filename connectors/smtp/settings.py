"""What the configuration says of outgoing mail: `mail: {host: ..., from: ...}`."""

import ipaddress
import re
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from connectors.durations import Duration

ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
"""One plain address (RFC 5321 without quoting, comments and national characters)."""


class Security(StrEnum):
    """How the connection is encrypted."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


class SMTPSettings(
    BaseModel, extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
):
    """The mail server.

    Mails carry temporary passwords, so a connection is encrypted unless it stays on this machine.
    `security` is `starttls` by default, and `none` where the host is this machine.
    """

    kind: Literal["smtp"] = "smtp"
    host: str = Field(min_length=1, pattern=r"\A[A-Za-z0-9.:-]+\z")
    port: int | None = Field(default=None, ge=1, le=65535)
    sender: str = Field(alias="from")
    security: Security | None = None
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_file: str = ""
    timeout: Duration = timedelta(seconds=15)

    @property
    def chosen_security(self) -> Security:
        """The configured security, else what fits the host."""
        if self.security is not None:
            return self.security
        return Security.NONE if _is_this_machine(self.host) else Security.STARTTLS

    @property
    def chosen_port(self) -> int:
        """The configured port, else the usual one."""
        return self.port or _PORTS[self.chosen_security]

    @field_validator("sender")
    @classmethod
    def _address(cls, value: str) -> str:
        if not ADDRESS.fullmatch(value):
            raise ValueError("expected one plain mail address")
        return value

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(minutes=2):
            raise ValueError("lies between 1s and 2m")
        return value

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.chosen_security is Security.NONE and not _is_this_machine(self.host):
            raise ValueError("passwords cross the network: use security: starttls or tls")
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password belong together")
        if self.username and self.chosen_security is Security.NONE:
            raise ValueError("a login needs security: starttls or tls")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
