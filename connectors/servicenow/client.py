"""Tables of one ServiceNow instance: pysnow does the talking, our own session the transport.

What pysnow leaves undone is done here: a fresh `Resource` per call (its parameters are shared
between calls and threads), one page at a time with the announced count, answers checked before
pysnow reads them (it ignores an `error` beside a `result`), writes by PATCH with the whole reply.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pysnow
import pysnow.exceptions
import requests

from connectors.http import USER_AGENT, HTTPLimits, HTTPSession, server_time
from connectors.retry import with_retry
from connectors.servicenow import query as q
from connectors.servicenow.answers import (
    Record,
    Rows,
    explain_refusal,
    inspect_answer,
    read_record,
    text,
)
from connectors.servicenow.auth import build_auth
from connectors.servicenow.settings import ServiceNowSettings
from engine.domain.refs import Account
from engine.errors import (
    AuthenticationError,
    InvalidAnswerError,
    PermanentError,
    RecordNotFoundError,
)
from engine.ports.clock import Clock

T = TypeVar("T")
ID_CHUNK = 50  # ids in one IN: the URL stays below 2 kB, which every instance takes


class ServiceNowClient:
    """Reads and writes tables of one instance. Safe for threads; no I/O in the constructor."""

    def __init__(self, name: str, settings: ServiceNowSettings, clock: Clock) -> None:
        self.name = name
        self.url = settings.url
        self.limits = HTTPLimits(
            concurrency=settings.concurrency,
            attempts=settings.attempts,
            patience=settings.patience,
        )
        verify: bool | str = settings.ca_file or True
        tokens = HTTPSession(name, clock=clock, limits=self.limits, verify=verify)
        self.session = HTTPSession(
            name,
            clock=clock,
            limits=self.limits,
            auth=build_auth(settings.url, settings.auth, tokens),
            verify=verify,
            inspect=inspect_answer,
            explain=explain_refusal,
        )
        parts = urlsplit(settings.url)
        self._pysnow = pysnow.Client(
            host=parts.netloc, use_ssl=parts.scheme == "https", session=self.session
        )
        # pysnow has just overwritten the headers of the session it was given.
        self.session.headers["User-Agent"] = USER_AGENT
        self._account: Account | None = None
        self._account_lock = threading.Lock()

    def retry(self, call: Callable[[], T], *, is_repeatable: bool = True) -> T:
        """Call with this system's retry policy; see `connectors.retry.with_retry`."""
        return with_retry(call, limits=self.limits, is_repeatable=is_repeatable)

    def _resource(self, path: str, base: str = "/api/now") -> Any:  # noqa: ANN401  pysnow has no types
        return self._pysnow.resource(api_path=path, base_path=base)

    def rows(
        self,
        table: str,
        query: str,
        *,
        fields: Sequence[str],
        limit: int = 1000,
        offset: int = 0,
    ) -> Rows:
        """Return one page of a table with stored and display values.

        Raises:
            InvalidAnswerError: The count is missing, or more rows came than were asked for.
        """

        def read() -> Rows:
            response = self._resource(f"/table/{table}").get(
                query=query,
                fields=list(fields),
                limit=limit,
                offset=offset,
                display_value="all",
                exclude_reference_link=True,
            )
            return self._rows(f"{self.name} GET {table}", response, limit)

        return self.retry(lambda: self._guarded(f"{self.name} GET {table}", read))

    def _rows(self, what: str, response: Any, limit: int) -> Rows:  # noqa: ANN401  pysnow has no types
        try:
            total = int(response.headers["X-Total-Count"])
        except (KeyError, ValueError):
            raise InvalidAnswerError(f"{what}: the answer announces no count") from None
        raw: list[object] = list(response.all())
        if len(raw) > limit:
            raise InvalidAnswerError(f"{what}: more rows than asked for")
        return Rows(
            records=tuple(read_record(one) for one in raw),
            total=max(total, len(raw)),
            server_now=_now_of(what, response.headers),
        )

    def all_rows(
        self, table: str, query: str, *, fields: Sequence[str], page: int = 500
    ) -> tuple[tuple[Record, ...], int]:
        """Return every visible row of a small result by id, and how many were hidden.

        The order is by sys_id, so that a moving row cannot shift the pages.
        """
        found: list[Record] = []
        hidden = 0
        last = ""
        while True:
            # A term behind a union would bind to its last part only.
            parts = (q.both(part, q.after_id(last) if last else "") for part in query.split("^NQ"))
            full = "^".join(part for part in (q.either(*parts), "ORDERBYsys_id") if part)
            rows = self.rows(table, full, fields=["sys_id", *fields], limit=page)
            found += rows.records
            if rows.total <= page:
                return tuple(found), hidden + rows.total - len(rows.records)
            if not rows.records:
                # Everything on this page is hidden; what lies behind cannot be reached by id.
                return tuple(found), hidden + rows.total
            hidden += min(page, rows.total) - len(rows.records)
            if text(rows.records[-1], "sys_id") == last:
                raise InvalidAnswerError(f"{self.name} GET {table}: a page came twice")
            last = text(rows.records[-1], "sys_id")

    def rows_of(
        self, table: str, key: str, keys: Iterable[str], *, fields: Sequence[str], base: str = ""
    ) -> tuple[tuple[Record, ...], int]:
        """Return all rows whose `key` is one of `keys`, in as many requests as the URL needs."""
        wanted = sorted(set(keys))
        found: list[Record] = []
        hidden = 0
        for start in range(0, len(wanted), ID_CHUNK):
            term = q.one_of(key, wanted[start : start + ID_CHUNK])
            rows, missing = self.all_rows(table, q.both(base, term), fields=fields)
            found += rows
            hidden += missing
        return tuple(found), hidden

    def read(self, table: str, sys_id: str, *, fields: Sequence[str]) -> Record:
        """Return one record by id.

        Raises:
            RecordNotFoundError: Deleted, or hidden from our account.
        """

        def get() -> Record:
            resource = self._resource(f"/table/{table}")
            resource.parameters.display_value = "all"
            resource.parameters.exclude_reference_link = True
            resource.parameters.fields = list(fields)
            response = resource.request("GET", path_append=f"/{sys_id}")
            record = read_record(response.one())
            if "sys_id" in record and text(record, "sys_id") != sys_id:
                raise InvalidAnswerError(f"{self.name} GET {table}: another record came")
            return record

        return self.retry(lambda: self._guarded(f"{self.name} GET {table}/{sys_id}", get))

    def create(
        self,
        table: str,
        values: Mapping[str, str],
        *,
        fields: Sequence[str],
        is_repeatable: bool = False,
    ) -> Record:
        """Create a record and return it as the reply shows it.

        Raises:
            OutcomeUnknownError: The record may or may not be there now.
        """

        def post() -> Record:
            resource = self._shaped(table, fields)
            return read_record(resource.request("POST", data=json.dumps(dict(values))).one())

        what = f"{self.name} POST {table}"
        return self.retry(lambda: self._guarded(what, post), is_repeatable=is_repeatable)

    def create_standard(self, template: str, values: Mapping[str, str]) -> str:
        """Make a standard change from a template and return its sys_id.

        The Change Management API answers 200 with typed values (numbers, objects), so nothing but
        the sys_id is taken from the reply; the record is read back by the Table API.

        Raises:
            OutcomeUnknownError: The change may or may not be there now.
            InvalidAnswerError: The reply names no record.
        """
        what = f"{self.name} POST change/standard"

        def post() -> str:
            resource = self._resource(f"/change/standard/{template}", "/api/sn_chg_rest")
            raw = resource.request("POST", data=json.dumps(dict(values))).one()
            found: object = raw.get("sys_id") if isinstance(raw, dict) else None
            if isinstance(found, dict):
                found = found.get("value")
            if not isinstance(found, str) or not q.is_sys_id(found):
                raise InvalidAnswerError(f"{what}: the answer names no record")
            return found

        return self.retry(lambda: self._guarded(what, post), is_repeatable=False)

    def update(
        self,
        table: str,
        sys_id: str,
        values: Mapping[str, str],
        *,
        fields: Sequence[str],
        is_repeatable: bool = True,
    ) -> Record:
        """Set fields of a record and return it as the reply shows it: a 200 alone proves nothing.

        Setting the same values again mostly does no harm, so a lost answer is answered by a second
        try; not so a move, behind which a flow may have gone on. Journal fields are not written by
        this method.

        Raises:
            OutcomeUnknownError: Not repeatable, and the values may or may not be there now.
        """

        def patch() -> Record:
            resource = self._shaped(table, fields)
            body = json.dumps(dict(values))
            return read_record(resource.request("PATCH", path_append=f"/{sys_id}", data=body).one())

        what = f"{self.name} PATCH {table}/{sys_id}"
        return self.retry(lambda: self._guarded(what, patch), is_repeatable=is_repeatable)

    def append(self, table: str, sys_id: str, element: str, entry: str) -> None:
        """Append one journal entry, once per call; the caller looks for it before calling again.

        Raises:
            OutcomeUnknownError: The entry may or may not be there now.
        """

        def patch() -> None:
            resource = self._shaped(table, ["sys_id"])
            body = json.dumps({element: entry})
            resource.request("PATCH", path_append=f"/{sys_id}", data=body).one()

        self.retry(
            lambda: self._guarded(f"{self.name} PATCH {table}/{sys_id}", patch),
            is_repeatable=False,
        )

    def upload(self, query: Mapping[str, str], content: bytes, content_type: str) -> None:
        """Attach a file to a record, once per call; the caller looks for it before calling again.

        Raises:
            OutcomeUnknownError: The file may or may not be there now.
        """

        def post() -> None:
            resource = self._resource("/attachment/file")
            resource.parameters.add_custom(dict(query))
            headers = {"Content-Type": content_type}
            resource.request("POST", headers=headers, data=content).one()

        what = f"{self.name} POST attachment"
        self.retry(lambda: self._guarded(what, post), is_repeatable=False)

    def attachments(self, query: str) -> tuple[str, ...]:
        """Return the names of the files that match."""

        def get() -> tuple[str, ...]:
            response = self._resource("/attachment").get(query=query, limit=1000)
            return tuple(text(read_record(one), "file_name") for one in response.all())

        return self.retry(lambda: self._guarded(f"{self.name} GET attachment", get))

    def account(self) -> Account:
        """Return our own account as the instance knows this session; read once.

        Raises:
            AuthenticationError: The session is nobody's.
        """
        with self._account_lock:
            if self._account is None:
                rows = self.rows(
                    "sys_user",
                    "sys_id=javascript:gs.getUserID()",
                    fields=["sys_id", "user_name"],
                    limit=2,
                )
                if len(rows.records) != 1:
                    raise AuthenticationError(
                        f"{self.name}: cannot read our own sys_user record (rows: {rows.total})"
                    )
                record = rows.records[0]
                self._account = Account(
                    system=self.name, id=text(record, "sys_id"), name=text(record, "user_name")
                )
            return self._account

    def server_now(self) -> datetime:
        """Return the instance's clock, from the Date header of a read of our own record."""
        own = self.account()
        return self.rows("sys_user", f"sys_id={own.id}", fields=["sys_id"], limit=1).server_now

    def _shaped(self, table: str, fields: Sequence[str]) -> Any:  # noqa: ANN401  pysnow has no types
        """Return a resource whose write replies show `fields` with display values."""
        resource = self._resource(f"/table/{table}")
        resource.parameters.display_value = "all"
        resource.parameters.exclude_reference_link = True
        resource.parameters.fields = list(fields)
        return resource

    def _guarded(self, what: str, call: Callable[[], T]) -> T:
        """Return the call's result; pysnow's own errors become ours."""
        try:
            return call()
        except pysnow.exceptions.NoResults:
            raise RecordNotFoundError(f"{what}: no record in the answer") from None
        except pysnow.exceptions.PysnowException as error:
            raise InvalidAnswerError(f"{what}: {type(error).__name__}") from None
        except requests.RequestException as error:
            raise PermanentError(f"{what}: {type(error).__name__}") from None


def _now_of(what: str, headers: Mapping[str, str]) -> datetime:
    moment = server_time(headers)
    if moment is None:
        raise InvalidAnswerError(
            f"{what}: the answer carries no Date, so the server's clock is unknown"
        )
    return moment
