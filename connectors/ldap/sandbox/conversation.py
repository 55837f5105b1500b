"""One client's conversation with the sandbox directory: bytes in, requests served, bytes out.

ldaptor encodes and decodes the messages; faults of the kit strike between the two.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ldaptor.protocols import pureber, pureldap

from connectors.ldap.sandbox.directory import Refusal, SandboxDirectory, Session
from connectors.ldap.sandbox.filters import matches
from connectors.sandboxkit.faults import FaultBoard, FaultKind
from connectors.sandboxkit.log import RequestLog

_PASSWORD_MODIFY = b"1.3.6.1.4.1.4203.1.11.1"
_WHO_AM_I = b"1.3.6.1.4.1.4203.1.11.3"
_LONGEST = 4 * 1024 * 1024
_CONTEXT = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
        fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
        inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
    )
)

Outcome = tuple[int, str, list[Any]]
"""Result code, message, and what is sent before the final answer."""

Act = Callable[[Any], Outcome]

Answer = Callable[[int, str], Any]
"""Builds the answer to a request from result code and message."""


class _HangUpError(Exception):
    """The connection ends here, by the client's wish or by a fault."""


class Conversation:
    """Serves one connection until the client leaves."""

    def __init__(
        self,
        connection: socket.socket,
        directory: SandboxDirectory,
        *,
        faults: FaultBoard,
        log: RequestLog,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._faults = faults
        self._log = log
        self._session = Session()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Answer one request after the other."""
        buffer = b""
        with contextlib.suppress(OSError, _HangUpError):
            while len(buffer) < _LONGEST:
                received = self._connection.recv(65536)
                if not received:
                    return
                buffer += received
                buffer = self._drain(buffer)

    def hang_up(self) -> None:
        """End the conversation from another thread."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _drain(self, buffer: bytes) -> bytes:
        while buffer:
            try:
                message, used = pureber.berDecodeObject(_CONTEXT, buffer)
            except pureber.BERExceptionInsufficientData:
                return buffer
            except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
                # Bytes that are no LDAP end the session (RFC 4511, 4.1.1).
                raise _HangUpError from None
            if message is None:
                raise _HangUpError
            buffer = buffer[used:]
            self._serve(message)
        return buffer

    def _serve(self, message: Any) -> None:  # noqa: ANN401  ldaptor's messages are untyped
        request = message.value
        if isinstance(request, pureldap.LDAPUnbindRequest):
            raise _HangUpError
        if isinstance(request, pureldap.LDAPAbandonRequest):
            return
        method, target, answer = _describe(request)
        self._strike(FaultKind.DROP_BEFORE, method, target)
        code, text, replies = self._outcome(message, method, target)
        who = self._session.who
        self._log.add(user=who, method=method.upper(), target=target, status=code, body=b"")
        self._strike(FaultKind.DROP_AFTER, method, target)
        late = self._faults.strike(FaultKind.LATENCY, method=method, target=target, user=who)
        if late is not None and self._stopped.wait(late.seconds):
            raise _HangUpError
        for reply in (*replies, answer(code, text)):
            self._send(message.id, reply)

    def _outcome(self, message: Any, method: str, target: str) -> Outcome:  # noqa: ANN401  as above
        who = self._session.who
        if self._faults.strike(FaultKind.SERVER_ERROR, method=method, target=target, user=who):
            return 52, "the sandbox was told to be unavailable", []
        try:
            _require_no_critical(message.controls or ())
            return self._act(message.value)
        except Refusal as refusal:
            return refusal.code, refusal.message, []
        except UnicodeDecodeError:
            return 34, "no UTF-8", []

    def _act(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        acts: Mapping[type[Any], Act] = {
            pureldap.LDAPBindRequest: self._bind,
            pureldap.LDAPSearchRequest: self._search,
            pureldap.LDAPModifyRequest: self._modify,
            pureldap.LDAPAddRequest: self._add,
            pureldap.LDAPDelRequest: self._delete,
            pureldap.LDAPModifyDNRequest: self._rename,
            pureldap.LDAPCompareRequest: self._compare,
        }
        act = acts.get(type(request), self._extended)
        return act(request)

    def _bind(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        if request.sasl:
            raise Refusal(7, "simple binds only")
        self._directory.bind(self._session, request.dn.decode(), request.auth)
        return 0, "", []

    def _modify(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        changes = [_change(one) for one in request.modification]
        self._directory.modify(self._session, request.object.decode(), changes)
        return 0, "", []

    def _add(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        values = {
            name.value.decode(): [one.value for one in vals] for name, vals in request.attributes
        }
        self._directory.add(self._session, request.entry.decode(), values)
        return 0, "", []

    def _delete(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        self._directory.delete(self._session, request.value.decode())
        return 0, "", []

    def _rename(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        if request.newSuperior is not None:
            raise Refusal(53, "entries are renamed, not moved")
        self._directory.rename(self._session, request.entry.decode(), request.newrdn.decode())
        return 0, "", []

    def _compare(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        is_true = self._directory.compare(
            self._session,
            request.entry.decode(),
            request.ava.attributeDesc.value.decode(),
            request.ava.assertionValue.value,
        )
        return (6 if is_true else 5), "", []

    def _search(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        found = self._directory.search(
            self._session,
            request.baseObject.decode(),
            request.scope,
            lambda entry: matches(entry, request.filter),
            [name.decode() for name in request.attributes],
        )
        cut = found[: request.sizeLimit] if request.sizeLimit else found
        replies = [
            pureldap.LDAPSearchResultEntry(
                objectName=dn,
                attributes=[(n, [] if request.typesOnly else v) for n, v in attributes],
            )
            for dn, attributes in cut
        ]
        return (4 if len(cut) < len(found) else 0), "", replies

    def _extended(self, request: Any) -> Outcome:  # noqa: ANN401  as above
        if request.requestName == _PASSWORD_MODIFY:
            who, old, new = _password_modify(request.requestValue or b"")
            if new is None:
                raise Refusal(53, "the sandbox makes up no passwords")
            self._directory.set_password(self._session, who, old, new)
        elif request.requestName != _WHO_AM_I:
            raise Refusal(2, "unsupported extended operation")
        return 0, "", []

    def _strike(self, kind: FaultKind, method: str, target: str) -> None:
        who = self._session.who
        if self._faults.strike(kind, method=method, target=target, user=who) is not None:
            raise _HangUpError

    def _send(self, number: int, reply: Any) -> None:  # noqa: ANN401  as above
        if isinstance(reply, pureldap.LDAPExtendedResponse) and reply.response == _WHO_AM_I:
            reply.response = f"dn:{self._session.who}".encode()
        self._connection.sendall(pureldap.LDAPMessage(reply, id=number).toWire())

    def close(self) -> None:
        """Give the socket back."""
        with contextlib.suppress(OSError):
            self._connection.close()


def _require_no_critical(controls: Any) -> None:  # noqa: ANN401  as above
    for control, is_critical, _value in controls:
        if is_critical:
            raise Refusal(12, f"control {control.decode()} is not known here")


def _describe(request: Any) -> tuple[str, str, Answer]:  # noqa: ANN401  as above
    kind = type(request)
    if isinstance(request, pureldap.LDAPExtendedRequest):
        return _describe_extended(request)
    names: dict[type[Any], tuple[str, str, type[Any]]] = {
        pureldap.LDAPBindRequest: ("Bind", "dn", pureldap.LDAPBindResponse),
        pureldap.LDAPSearchRequest: ("Search", "baseObject", pureldap.LDAPSearchResultDone),
        pureldap.LDAPModifyRequest: ("Modify", "object", pureldap.LDAPModifyResponse),
        pureldap.LDAPAddRequest: ("Add", "entry", pureldap.LDAPAddResponse),
        pureldap.LDAPDelRequest: ("Delete", "value", pureldap.LDAPDelResponse),
        pureldap.LDAPModifyDNRequest: ("ModifyDN", "entry", pureldap.LDAPModifyDNResponse),
        pureldap.LDAPCompareRequest: ("Compare", "entry", pureldap.LDAPCompareResponse),
    }
    if kind not in names:
        raise _HangUpError
    method, place, response = names[kind]
    target = getattr(request, place).decode("utf-8", "replace")
    return method, target, lambda code, text: response(resultCode=code, errorMessage=text)


def _describe_extended(request: Any) -> tuple[str, str, Answer]:  # noqa: ANN401  as above
    name = request.requestName
    method = {
        _PASSWORD_MODIFY: "PasswordModify",
        _WHO_AM_I: "WhoAmI",
    }.get(name, "Extended")
    target = ""
    if name == _PASSWORD_MODIFY:
        target = _password_modify(request.requestValue or b"")[0]
    return (
        method,
        target,
        lambda code, text: pureldap.LDAPExtendedResponse(
            resultCode=code,
            errorMessage=text,
            response=_WHO_AM_I if name == _WHO_AM_I and code == 0 else None,
        ),
    )


def _password_modify(value: bytes) -> tuple[str, bytes | None, bytes | None]:
    """Return user, old and new password of RFC 3062's request."""
    if not value:
        return "", None, None
    context = pureldap.LDAPBERDecoderContext_LDAPPasswordModifyRequest(
        fallback=pureber.BERDecoderContext()
    )
    decoded: Any = pureber.berDecodeObject(
        pureber.BERDecoderContext(fallback=context, inherit=context), value
    )
    parts: Any = decoded[0] or ()
    who, old, new = "", None, None
    part: Any
    for part in parts:
        if isinstance(part, pureldap.LDAPPasswordModifyRequest_userIdentity):
            name: Any = part.value
            who = name.decode("utf-8", "replace")
        elif isinstance(part, pureldap.LDAPPasswordModifyRequest_oldPasswd):
            old = part.value
        elif isinstance(part, pureldap.LDAPPasswordModifyRequest_newPasswd):
            new = part.value
    return who, old, new


def _change(raw: Any) -> tuple[int, str, list[bytes]]:  # noqa: ANN401  as above
    operation, (name, values) = raw
    return operation.value, name.value.decode(), [one.value for one in values]
