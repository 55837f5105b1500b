"""OAuth tokens in memory: access tokens that expire, refresh tokens, one per account and client."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.sandboxkit.clock import SandboxClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access or a refresh token."""

    value: str
    user_name: str
    client_id: str
    expires: datetime


class Tokens:
    """Issues and checks tokens against the sandbox's clock."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}

    def access(self, user_name: str, client_id: str, seconds: int) -> Token:
        """Return the account's access token: the same one for as long as it is good."""
        now = self._clock.now()
        for token in self._access.values():
            if (token.user_name, token.client_id) == (user_name, client_id) and token.expires > now:
                return token
        return self._issue(self._access, user_name, client_id, seconds)

    def refresh(self, user_name: str, client_id: str, seconds: int) -> Token:
        """Return the account's refresh token."""
        for token in self._refresh.values():
            if (token.user_name, token.client_id) == (user_name, client_id):
                return token
        return self._issue(self._refresh, user_name, client_id, seconds)

    def _issue(self, kept: dict[str, Token], user_name: str, client_id: str, seconds: int) -> Token:
        token = Token(
            value=secrets.token_urlsafe(48),
            user_name=user_name,
            client_id=client_id,
            expires=self._clock.now() + timedelta(seconds=seconds),
        )
        kept[token.value] = token
        return token

    def user_of(self, value: str) -> str:
        """Return whose good access token this is, or ""."""
        token = self._access.get(value)
        if token is None or token.expires <= self._clock.now():
            return ""
        return token.user_name

    def refreshed(self, value: str, client_id: str) -> Token | None:
        """Return the good refresh token of this value and client, or None."""
        token = self._refresh.get(value)
        if token is None or token.client_id != client_id or token.expires <= self._clock.now():
            return None
        return token

    def revoke_all(self) -> None:
        """Make every token a stranger."""
        self._access.clear()
        self._refresh.clear()
