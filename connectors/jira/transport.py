"""The transport of Jira: our session, with what only Jira does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.http import HTTPSession, is_read, parse_retry_after, server_time
from connectors.jira.settings import JiraSettings
from connectors.retry import ConflictError
from engine.errors import AuthenticationError, PermanentError, RateLimitedError


class RefusedError(PermanentError):
    """Jira said no to the content of a request; `fields` are the fields that it named."""

    def __init__(self, what: str, *, messages: tuple[str, ...], fields: tuple[str, ...]) -> None:
        """Keep what was named; of the messages, only the first words stand in the text."""
        named = f" ({', '.join(fields)})" if fields else ""
        said = "; ".join(message[:160] for message in messages[:3])
        super().__init__(f"{what}: refused{named}: {said}" if said else f"{what}: refused{named}")
        self.messages = messages
        self.fields = fields


class _BearerAuth(AuthBase):
    """A personal access token, or an OAuth token of a service account."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def credentials(settings: JiraSettings) -> AuthBase:
    """Return how requests of this site authenticate."""
    auth = settings.auth
    if auth.token is not None:
        return HTTPBasicAuth(auth.email, auth.token.get_secret_value())
    if auth.password is not None:
        # Cloud's e-mail and Data Center's user name may hold letters outside Latin-1.
        return HTTPBasicAuth(auth.username.encode(), auth.password.get_secret_value().encode())
    return _BearerAuth(auth.pat.get_secret_value() if auth.pat is not None else "")


def error_body(response: requests.Response) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the messages and the named fields of an error answer, platform or service desk."""
    try:
        body: object = response.json()
    except ValueError:
        return (), ()
    if not isinstance(body, Mapping):
        return (), ()
    errors = body.get("errors")
    named: Mapping[str, Any] = errors if isinstance(errors, Mapping) else {}
    plain = body.get("errorMessages")
    messages = [str(one) for one in plain] if isinstance(plain, list) else []
    messages += [f"{field}: {text}" for field, text in named.items()]
    if isinstance(body.get("errorMessage"), str):
        messages.append(body["errorMessage"])
    return tuple(messages), tuple(str(field) for field in named)


class JiraSession(HTTPSession):
    """Our session, with what only Jira does: 200 for strangers, errors in bodies, conflicts."""

    server_now: datetime | None = None

    def may_be_empty(self, request: requests.PreparedRequest) -> bool:
        """Whether Jira answers with a status alone: entity properties and issue links."""
        path = urlsplit(request.url or "").path
        return request.method != "GET" and ("/properties/" in path or path.endswith("/issueLink"))

    def _exchange(
        self, what: str, request: requests.PreparedRequest, kwargs: dict[str, Any]
    ) -> requests.Response:
        response = super()._exchange(what, request, kwargs)
        self.server_now = server_time(response.headers) or self.server_now
        self._refuse_strangers(what, response)
        if response.status_code == requests.codes.bad_request:
            messages, fields = error_body(response)
            raise RefusedError(what, messages=messages, fields=fields)
        wait = response.headers.get("Retry-After")
        if (
            response.status_code == requests.codes.service_unavailable
            and wait
            and is_read(request.method)
        ):
            now = server_time(response.headers) or self._now()
            raise RateLimitedError(what, retry_after=parse_retry_after(wait, now=now))
        if response.status_code == requests.codes.conflict:
            raise ConflictError(f"{what}: somebody else changed the record in the same moment")
        return response

    @staticmethod
    def _refuse_strangers(what: str, response: requests.Response) -> None:
        """Refuse an answer that was not given to us.

        With an expired token, endpoints that anonymous users may call answer 200, and a search is
        empty. The header is the only sign.
        """
        reason = response.headers.get("x-seraph-loginreason", "").upper()
        if "AUTHENTICATED_FAILED" in reason or "AUTHENTICATION_DENIED" in reason:
            raise AuthenticationError(f"{what}: answered as to an anonymous session ({reason})")
        if response.headers.get("x-ausername", "").casefold() == "anonymous":
            raise AuthenticationError(f"{what}: answered as to an anonymous session")
