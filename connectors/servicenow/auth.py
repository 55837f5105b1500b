"""Who we are to ServiceNow: OAuth tokens, an API key, or user and password.

pysnow's own OAuth client knows only the password grant and shares no token between threads, so the
token is ours and the session carries it (reference: ServiceNow docs, "OAuth inbound").
"""

import threading
import time

import requests
from pydantic import SecretStr
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.http import HTTPSession, RenewableAuth
from connectors.servicenow.settings import AuthSettings
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    OutcomeUnknownError,
    PermanentError,
    TransientError,
)

_EARLY_SECONDS = 60.0


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


class BasicAuth(AuthBase):
    """User and password on every request."""

    def __init__(self, settings: AuthSettings) -> None:
        self._inner = HTTPBasicAuth(
            _text(settings.user).encode(), _text(settings.password).encode()
        )

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request."""
        signed: requests.PreparedRequest = self._inner(r)
        return signed


class APIKeyAuth(AuthBase):
    """An API key on every request."""

    def __init__(self, settings: AuthSettings) -> None:
        self._key = _text(settings.api_key)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request."""
        r.headers["x-sn-apikey"] = self._key
        return r


class OAuthToken(RenewableAuth):
    """A bearer token, fetched when first needed, renewed before it expires or when refused.

    One token for all threads. A refresh token is used where the server gave one; else the grant is
    repeated.
    """

    def __init__(self, url: str, settings: AuthSettings, session: HTTPSession) -> None:
        self._url = f"{url}/oauth_token.do"
        self._settings = settings
        self._session = session
        self._lock = threading.Lock()
        self._token = ""
        self._refresh = ""
        self._good_until = 0.0

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign one request with a token that is still good.

        Raises:
            AuthenticationError: The grant was refused.
            TransientError: No token came; nothing was sent.
        """
        with self._lock:
            if not self._token or time.monotonic() >= self._good_until:
                self._fetch()
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r

    def renew(self, request: requests.PreparedRequest) -> bool:
        """Replace a token that the server called expired; another thread may have done so already.

        Raises:
            AuthenticationError: The grant was refused.
        """
        refused = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
        with self._lock:
            if refused == self._token:
                self._token = ""
                self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
        return True

    def _fetch(self) -> None:
        """Fetch a token; the caller holds the lock."""
        if self._refresh:
            form = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            self._refresh = ""
            try:
                self._accept(self._ask(form))
            except PermanentError:  # the refresh token is spent; the grant itself may still be good
                pass
            else:
                return
        form = {"grant_type": str(self._settings.oauth)}
        if self._settings.oauth == "password":
            form |= {
                "username": _text(self._settings.user),
                "password": _text(self._settings.password),
            }
        self._accept(self._ask(form))

    def _ask(self, form: dict[str, str]) -> requests.Response:
        client = {
            "client_id": _text(self._settings.client_id),
            "client_secret": _text(self._settings.client_secret),
        }
        try:
            return self._session.post(self._url, data={**form, **client})
        except AuthenticationError:
            # ServiceNow gives one answer for a wrong secret, a wrong user and a disabled grant.
            raise AuthenticationError(
                f"{self._session.name}: OAuth refused ({form['grant_type']}): client secret, user, "
                "or the grant type is not enabled on the instance"
            ) from None
        except OutcomeUnknownError as lost:
            # A token too many is nothing; the request that it was for has not been sent.
            raise TransientError(str(lost)) from None

    def _accept(self, response: requests.Response) -> None:
        try:
            answer = response.json()
            token, lifetime = str(answer["access_token"]), float(answer["expires_in"])
        except (ValueError, KeyError, TypeError):
            raise InvalidAnswerError(
                f"{self._session.name}: the OAuth answer holds no token"
            ) from None
        if not token:
            raise InvalidAnswerError(f"{self._session.name}: the OAuth answer holds no token")
        self._token = token
        self._refresh = str(answer.get("refresh_token") or "")
        self._good_until = time.monotonic() + max(lifetime - _EARLY_SECONDS, lifetime / 2)


def build_auth(url: str, settings: AuthSettings, session: HTTPSession) -> AuthBase:
    """Return the configured way; `session` fetches tokens and carries no credentials itself."""
    if settings.oauth is not None:
        return OAuthToken(url, settings, session)
    if settings.api_key is not None:
        return APIKeyAuth(settings)
    return BasicAuth(settings)
