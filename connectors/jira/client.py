"""The jira library on our transport: it builds the addresses and reads the JSON, we do the rest.

The library is good at talking and bad at being a daemon: its own session retries writes that may
have taken effect, waits for minutes, has three families of errors, searches that cut off silently
and helpers that guess. So it gets `HTTPSession` for its session, no retry, raw JSON; and one object
per thread, because its caches are unguarded. All threads share one pacer.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.http import HTTPLimits, HTTPSession
from connectors.jira.settings import Flavour, JiraSettings
from connectors.jira.transport import JiraSession, credentials
from connectors.jira.values import Payload, account, listing, mapping
from connectors.retry import with_retry
from engine.domain.refs import Account
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    OutcomeUnknownError,
    RecordNotFoundError,
    TiergateError,
    TransientError,
)
from engine.ports.clock import Clock

T = TypeVar("T")
_API = "rest/api/2"
_DESK = "rest/servicedeskapi"
_DESK_PAGE = 50
_PAGES_MOST = 200


class _Talker(JIRA):
    """The library with our transport in the place of its own."""

    def __init__(self, base: str, session: HTTPSession) -> None:
        super().__init__(
            server=base,
            options={"rest_api_version": "2", "headers": {}},
            get_server_info=False,
            validate=False,
            max_retries=0,
            logging=False,
        )
        session.headers.update(
            {
                "Accept": "application/json",
                "Content-Type": "application/json",
                "X-Atlassian-Token": "no-check",
                # Approvals are experimental on Data Center; Cloud takes no notice.
                "X-ExperimentalApi": "opt-in",
            }
        )
        self._session.close()
        self._session = session  # type: ignore[assignment]  # our session takes its place  # pyright: ignore[reportAttributeAccessIssue]

    def read_json(self, path: str, params: Mapping[str, Any] | None = None) -> object:
        """Return the decoded answer of a platform read."""
        return self._get_json(path, params=dict(params or {}))


class JiraClient:
    """One site: raw calls that end in JSON or an error of the engine.

    Safe to share between threads. The constructor does no I/O.
    """

    def __init__(self, name: str, settings: JiraSettings, clock: Clock) -> None:
        """Keep what is needed; connections are made on first use."""
        self.name = name
        self.settings = settings
        self.limits = HTTPLimits(
            read=settings.timeout.total_seconds(),
            deadline=settings.timeout.total_seconds() * 1.5,
            concurrency=settings.concurrency,
            attempts=settings.attempts,
        )
        self._clock = clock
        self._local = threading.local()
        self._lock = threading.Lock()
        self._first = self._new_session()
        self._is_cloud: bool | None = _FLAVOURS[settings.flavour]
        self._me: Account | None = None

    # --- who and when

    @property
    def is_cloud(self) -> bool:
        """Whether this is Jira Cloud; asked once where it is not configured."""
        known = self._is_cloud
        if known is None:
            info = mapping(self.get("serverInfo"), "serverInfo")
            known = self._is_cloud = info.get("deploymentType") == "Cloud"
        return known

    def verify_session(self) -> Account:
        """Return who we are, asked now.

        Raises:
            AuthenticationError: The credentials are wrong or expired.
        """
        bean = self.get("myself")
        found = account(self.name, bean, is_cloud=self.is_cloud)
        if found is None:
            raise AuthenticationError(f"{self.name}: myself names no account")
        with self._lock:
            self._me = found
        return found

    def me(self) -> Account:
        """Return who we are, as last asked."""
        return self._me or self.verify_session()

    def server_now(self) -> datetime:
        """Return the site's own clock, from the newest answer of this thread."""
        session = self._session()
        if session.server_now is None:
            self.verify_session()
        return session.server_now or self._clock.now()

    def account(self, bean: object) -> Account | None:
        """Return the account of a user object; None where there is none."""
        return account(self.name, bean, is_cloud=self.is_cloud)

    # --- platform

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> object:
        """Return the answer of a platform read (`/rest/api/2/…`), tried again where that helps."""
        what = f"{self.name} GET {path.partition('?')[0]}"

        def read() -> object:
            return self._decoded(what, lambda: self._talker().read_json(path, params))

        return with_retry(read, limits=self.limits, is_repeatable=True)

    def find(self, path: str, params: Mapping[str, Any] | None = None) -> object | None:
        """Return the answer of a platform read, None where there is no such record."""
        try:
            return self.get(path, params)
        except RecordNotFoundError:
            return None

    def write(
        self, method: str, path: str, body: object, *, is_repeatable: bool
    ) -> requests.Response:
        """Send a platform write (`/rest/api/2/…`).

        Args:
            method: The HTTP verb.
            path: Below the API's root.
            body: JSON; None sends none.
            is_repeatable: Whether the same write twice is the same as once, or is found again.

        Raises:
            OutcomeUnknownError: It got no answer, and may not be repeated or was in vain.
            RefusedError: Jira refused the content.
            ConflictError: Somebody else wrote in the same moment.
        """
        return self._send(method, f"{_API}/{path}", body, is_repeatable=is_repeatable)

    def upload(self, path: str, name: str, content: bytes, content_type: str) -> None:
        """Attach one file. Not repeatable: the same name twice is two attachments."""
        session = self._session()
        url = f"{self.settings.base}/{_API}/{path}"

        def send() -> requests.Response:
            # Built apart from the session, whose own Content-Type would hide the boundary.
            form = requests.Request(
                "POST", url, files={"file": (name, content, content_type)}
            ).prepare()
            kind = {"Content-Type": form.headers["Content-Type"]}
            return session.request("POST", url, data=form.body, headers=kind)

        with_retry(send, limits=self.limits, is_repeatable=False)

    def pages(self, path: str, key: str, params: Mapping[str, Any]) -> Iterator[Payload]:
        """Yield the items of a platform list in pages of startAt and maxResults.

        Raises:
            InvalidAnswerError: The list ends short of the count that it announces.
        """
        start = 0
        for _ in range(_PAGES_MOST):
            page = mapping(self.get(path, {**params, "startAt": start}), path)
            items = listing(page.get(key), f"{path}.{key}")
            yield from items
            start += len(items)
            total = page.get("total")
            is_over = start >= total if isinstance(total, int) else page.get("isLast") is True
            if is_over:
                return
            if not items:
                raise InvalidAnswerError(f"{self.name} {path}: ends at {start} of {total}")
        raise InvalidAnswerError(f"{self.name} {path}: more than {_PAGES_MOST} pages")

    # --- Jira Service Management

    def desk_get(self, path: str, params: Mapping[str, Any] | None = None) -> Payload:
        """Return the answer of a service desk read (`/rest/servicedeskapi/…`)."""
        what = f"{self.name} GET servicedeskapi/{path}"

        def read() -> object:
            return self._decoded(
                what,
                lambda: (
                    self._session()
                    .get(f"{self.settings.base}/{_DESK}/{path}", params=dict(params or {}))
                    .json()
                ),
            )

        return mapping(with_retry(read, limits=self.limits, is_repeatable=True), what)

    def desk_pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Payload]:
        """Yield the values of a service desk list, page by page, until it says it was the last.

        Raises:
            InvalidAnswerError: An empty page that is not the last one.
        """
        start = 0
        for _ in range(_PAGES_MOST):
            page = self.desk_get(path, {**(params or {}), "start": start, "limit": _DESK_PAGE})
            values = listing(page.get("values"), f"{path}.values")
            yield from values
            if page.get("isLastPage") is True:
                return
            if not values or page.get("isLastPage") is not False:
                raise InvalidAnswerError(f"{self.name} {path}: a list without an end")
            start += len(values)
        raise InvalidAnswerError(f"{self.name} {path}: more than {_PAGES_MOST} pages")

    def desk_post(self, path: str, body: object) -> Payload:
        """Send a service desk create, never repeated, and return its answer."""
        response = self._send("POST", f"{_DESK}/{path}", body, is_repeatable=False)
        return mapping(self.body(response), path)

    # --- searching

    def search(self, params: Mapping[str, Any]) -> Payload:
        """Return one raw page of a search: token pages on Cloud, offset pages on Data Center."""
        path = "search/jql" if self.is_cloud else "search"
        return mapping(self.get(path, params), path)

    def search_all(self, jql: str, fields: Sequence[str], *, most: int) -> list[Payload]:
        """Return every hit of a small search.

        Raises:
            InvalidAnswerError: More than `most` hits, or pages that do not end.
        """
        found: list[Payload] = []
        params: dict[str, Any] = {"jql": jql, "fields": ",".join(fields), "maxResults": 50}
        while True:
            page = self.search(params)
            hits = listing(page.get("issues"), "search.issues")
            found.extend(hits)
            if len(found) > most:
                raise InvalidAnswerError(f"{self.name} search: more than {most} hits")
            following = self._following(page, len(found))
            if not following:
                return found
            if not hits or following.items() <= params.items():
                raise InvalidAnswerError(f"{self.name} search: does not go on after {len(found)}")
            params.update(following)

    def _following(self, page: Payload, count: int) -> Mapping[str, Any]:
        """Return the parameters of the next page; empty after the last.

        Raises:
            InvalidAnswerError: The page does not say whether it is the last.
        """
        if self.is_cloud:
            token = page.get("nextPageToken")
            if token is None and page.get("isLast", True) is not True:
                raise InvalidAnswerError(f"{self.name} search: cut off after {count} hits")
            return {} if token is None else {"nextPageToken": token}
        total = page.get("total")
        if not isinstance(total, int):
            raise InvalidAnswerError(f"{self.name} search: no total")
        return {"startAt": count} if count < total else {}

    # --- inside

    def body(self, response: requests.Response) -> object:
        """Return the JSON of a write's answer.

        Raises:
            OutcomeUnknownError: It has none: what the write did must be looked up.
        """
        try:
            return response.json()
        except ValueError:
            method = response.request.method
            raise OutcomeUnknownError(f"{self.name} {method}: an answer that is no JSON") from None

    def _send(
        self, method: str, path: str, body: object, *, is_repeatable: bool
    ) -> requests.Response:
        url = f"{self.settings.base}/{path}"

        def send() -> requests.Response:
            return self._session().request(method, url, json=body)

        return with_retry(send, limits=self.limits, is_repeatable=is_repeatable)

    def _decoded(self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except TiergateError:
            raise
        except (JIRAError, requests.RequestException, ValueError, KeyError) as error:
            # Not chained: the text of a JIRAError carries headers and the whole body.
            raise TransientError(f"{what}: unreadable ({type(error).__name__})") from None

    def _new_session(self) -> JiraSession:
        return JiraSession(
            self.name,
            clock=self._clock,
            limits=self.limits,
            auth=credentials(self.settings),
            verify=self.settings.ca_file or True,
        )

    def _session(self) -> JiraSession:
        session: JiraSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._new_session()
            session.pacer = self._first.pacer
            self._local.session = session
        return session

    def _talker(self) -> _Talker:
        talker: _Talker | None = getattr(self._local, "talker", None)
        if talker is None:
            talker = _Talker(self.settings.base, self._session())
            self._local.talker = talker
        return talker


_FLAVOURS: Mapping[Flavour, bool | None] = {
    Flavour.AUTO: None,
    Flavour.CLOUD: True,
    Flavour.DATACENTER: False,
}
