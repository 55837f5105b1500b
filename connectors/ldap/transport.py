"""The one connection to one directory server: encrypted, with limits, every failure in our words.

ldap3 facts that this module rests on (2.9.1): SAFE_SYNC returns its results instead of keeping
them on the connection; its own host name check fails on IP addresses from Python 3.12 on, so the
standard library's is used; a socket that failed to open stays open unless it is closed.
"""

import contextlib
import ssl
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import (
    LDAPCommunicationError,
    LDAPConfigurationError,
    LDAPException,
    LDAPResponseTimeoutError,
)
from ldap3.protocol.rfc3062 import PasswdModifyRequestValue
from pyasn1.error import PyAsn1Error

from connectors.ldap.answers import (
    ERRORS,
    NO_SUCH_OBJECT,
    SUCCESS,
    Certificate,
    Reply,
    entry_of,
    next_cookie,
)
from connectors.ldap.entry import Entry
from connectors.ldap.settings import LDAPSettings
from connectors.ldap.tls import VerifiedTls
from engine.errors import (
    InvalidAnswerError,
    OutcomeUnknownError,
    PermanentError,
    TiergateError,
    TransientError,
)

_BROKEN = (LDAPException, PyAsn1Error, OSError, LookupError, ValueError)
"""What ldap3 raises when a conversation breaks; the last three come from bytes that are no LDAP."""


class Transport:
    """One bound connection, opened when first needed and again after it broke.

    Calls are made one at a time, from any thread: all of them meet the same server, which matters
    where a name stands for many of them (what was written is read back where it was written).
    """

    def __init__(self, system: str, settings: LDAPSettings) -> None:
        self._system = system
        self._settings = settings
        self._lock = threading.RLock()
        self._connection: ldap3.Connection | None = None
        parts = urlsplit(settings.url)
        self._host = str(parts.hostname)
        self._is_ldaps = parts.scheme == "ldaps"
        self._port = parts.port or (636 if self._is_ldaps else 389)

    # --- reading
    def search(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        *,
        scope: str = "SUBTREE",
        most: int | None = None,
    ) -> tuple[Entry, ...]:
        """Return every entry that matches, in pages where the server has many, or the first `most`.

        A broken connection is opened again once.

        Raises:
            TransientError: No answer.
            InvalidAnswerError: The server cut the answer short, or does not show the base.
        """
        with self._lock:
            was_open = self._connection is not None
            try:
                return self._search(base, filter_text, attributes, scope, most)
            except TransientError:
                if not was_open or self._connection is not None:
                    raise  # a new connection would fare no better
                return self._search(base, filter_text, attributes, scope, most)

    def _search(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        scope: str,
        most: int | None,
    ) -> tuple[Entry, ...]:
        found: list[Entry] = []
        cookie: bytes | None = None
        while True:
            result, rows = self._page(base, filter_text, attributes, scope, cookie)
            if result["result"] == NO_SUCH_OBJECT:
                if scope == "BASE":
                    return ()
                # Nothing below a base that we do not see is no answer: nobody would be anybody.
                raise InvalidAnswerError(
                    f"{self._system}: {base} is not there, or hidden from our account"
                )
            self._require(result, f"search below {base or 'the root'}")
            found += [entry_of(row) for row in rows if row.get("type") == "searchResEntry"]
            cookie = next_cookie(result)
            if not cookie or (most is not None and len(found) >= most):
                return tuple(found[:most])

    def _page(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        scope: str,
        cookie: bytes | None,
    ) -> tuple[dict[str, Any], Sequence[dict[str, Any]]]:
        connection = self._open()
        try:
            _status, result, rows, _request = connection.search(
                base,
                filter_text,
                search_scope=scope,  # type: ignore[arg-type]  # one of BASE, LEVEL, SUBTREE
                attributes=list(attributes),
                paged_size=500 if scope == "SUBTREE" else None,
                paged_cookie=cookie,
            )
        except _BROKEN as error:
            raise self._lost("search", error) from error
        return result, rows or ()

    # --- writing
    def modify(
        self,
        dn: str,
        changes: Mapping[str, Sequence[tuple[str, Sequence[bytes]]]],
        *,
        also: frozenset[int] = frozenset(),
    ) -> int:
        """Modify one entry and return the result code: 0, or one of `also`.

        Raises:
            OutcomeUnknownError: The request was sent and no answer came.
            PreconditionError: The directory refused the values.
            MissingRightError: Our account may not.
        """
        with self._lock:
            connection = self._open()
            try:
                _status, result, _rows, _request = connection.modify(  # type: ignore[no-untyped-call]  # types-ldap3 leaves it out
                    dn, {name: list(ops) for name, ops in changes.items()}
                )
            except _BROKEN as error:
                raise self._unknown(f"modify {dn}", error) from None  # it may quote values
        if result["result"] not in also:
            self._require(result, f"modify {', '.join(changes)} of {dn}")
        return int(result["result"])

    def set_password(self, dn: str, password: str) -> None:
        """Set a password by the password modify extended operation (RFC 3062).

        Raises:
            OutcomeUnknownError: The request was sent and no answer came.
            PreconditionError: The password policy refused it.
            MissingRightError: Our account may not.
        """
        request = _password_modify(dn, password)
        with self._lock:
            connection = self._open()
            try:
                _status, result, _rows, _request = connection.extended(
                    "1.3.6.1.4.1.4203.1.11.1", request
                )
            except _BROKEN as error:
                raise self._unknown(f"set the password of {dn}", error) from None  # as above
        self._require(result, f"set the password of {dn}")

    def probe(self, dn: str, attribute: str, value: bytes) -> int:
        """Return the code of deleting a value that is not there: 16 where we could write, else 50.

        Rights are judged before values are (seen in OpenLDAP 2.5), and nothing is changed by
        deleting what does not exist.
        """
        with self._lock:
            connection = self._open()
            try:
                _status, result, _rows, _request = connection.modify(  # type: ignore[no-untyped-call]  # as above
                    dn, {attribute: [(ldap3.MODIFY_DELETE, [value])]}
                )
            except _BROKEN as error:
                raise self._lost(f"probe {dn}", error) from error
        return int(result["result"])

    # --- binding
    def try_password(self, name: str, password: str) -> Reply:
        """Bind as somebody, on a connection of its own to the same server, and return the reply.

        One wrong attempt counts against that account: ask only when the password should be right.

        Raises:
            TransientError: No answer.
        """
        with self._lock:
            # The very server that was written to, where one name stands for many of them.
            address = self._open().server.current_address
        connection = ldap3.Connection(
            self._server(str(address[4][0]) if address else ""),
            user=name,
            password=password,
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            receive_timeout=self._seconds,
            raise_exceptions=False,
        )
        try:
            self._prepare(connection)
            _status, result, _rows, _request = connection.bind()
        except _BROKEN as error:
            raise self._lost("bind", error) from None  # it may quote values
        finally:
            _drop(connection)
        return Reply(
            code=int(result["result"]),
            name=str(result.get("description", "")),
            diagnostic=str(result.get("message", "")),
        )

    def check_bind(self) -> Certificate | None:
        """Open the connection afresh and return what its certificate says; None without TLS.

        Raises:
            AuthenticationError: The account was refused.
            PermanentError: The certificate does not hold.
            TransientError: No answer.
        """
        with self._lock:
            self.close()
            socket = self._open().socket
            if not isinstance(socket, ssl.SSLSocket):
                return None
            ends = str((socket.getpeercert() or {}).get("notAfter", ""))
        seconds = ssl.cert_time_to_seconds(ends)
        return Certificate(ends_at=datetime.fromtimestamp(seconds, tz=UTC))

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            if self._connection is not None:
                _drop(self._connection)
                self._connection = None

    # --- the connection
    @property
    def _seconds(self) -> int:
        return max(1, int(self._settings.timeout.total_seconds()))

    def _server(self, address: str = "") -> ldap3.Server:
        return ldap3.Server(
            address or self._host,
            port=self._port,
            use_ssl=self._is_ldaps,
            get_info=ldap3.NONE,
            connect_timeout=self._seconds,
            tls=VerifiedTls(self._settings, self._host),
        )

    def _prepare(self, connection: ldap3.Connection) -> None:
        connection.open(read_server_info=False)
        if self._settings.start_tls and not connection.start_tls(read_server_info=False):
            raise PermanentError(f"{self._system}: the server refuses StartTLS")

    def _open(self) -> ldap3.Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        connection = ldap3.Connection(
            self._server(),
            user=self._settings.bind.dn,
            password=self._settings.bind.password.get_secret_value(),
            client_strategy=ldap3.SAFE_SYNC,
            auto_referrals=False,
            auto_range=False,
            return_empty_attributes=False,
            check_names=False,
            receive_timeout=self._seconds,
            raise_exceptions=False,
        )
        try:
            self._prepare(connection)
            _status, result, _rows, _request = connection.bind()
            self._require(result, "bind")
        except _BROKEN as error:
            _drop(connection)
            raise self._unreachable(connection, error) from None  # it may quote values
        except TiergateError:
            _drop(connection)
            raise
        self._connection = connection
        return connection

    def _unreachable(self, connection: ldap3.Connection, error: Exception) -> TiergateError:
        tls: VerifiedTls = connection.server.tls
        if tls.refused:
            return PermanentError(f"{self._system}: {tls.refused}")
        if isinstance(error, LDAPConfigurationError):
            return PermanentError(f"{self._system}: {type(error).__name__}")
        return TransientError(f"{self._system}: cannot be reached ({type(error).__name__})")

    def _lost(self, what: str, error: Exception) -> TiergateError:
        self.close()
        if isinstance(error, LDAPCommunicationError | LDAPResponseTimeoutError | OSError):
            return TransientError(f"{self._system}: {what}: no answer ({type(error).__name__})")
        return InvalidAnswerError(f"{self._system}: {what}: {type(error).__name__}")

    def _unknown(self, what: str, error: Exception) -> TiergateError:
        self.close()
        return OutcomeUnknownError(f"{self._system}: {what}: no answer ({type(error).__name__})")

    def _require(self, result: Mapping[str, Any], what: str) -> None:
        code = int(result["result"])
        if code == SUCCESS:
            return
        kind = ERRORS.get(code, InvalidAnswerError)
        raise kind(f"{self._system}: {what}: {result.get('description', '')} ({code})")


def _password_modify(dn: str, password: str) -> Any:  # noqa: ANN401  a pyasn1 value, untyped
    value = PasswdModifyRequestValue()
    value["userIdentity"] = dn
    value["newPasswd"] = password
    return value


def _drop(connection: ldap3.Connection) -> None:
    socket = connection.socket
    with contextlib.suppress(*_BROKEN):
        connection.unbind()
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.close()
