"""The sandbox directory as one object: start it, bind at `url`, steer it through `admin_url`."""

import functools
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

from connectors.ldap.sandbox.conversation import Conversation
from connectors.ldap.sandbox.directory import SandboxDirectory
from connectors.ldap.sandbox.seed import (
    ACCESS_LOG,
    FULFILMENT,
    GROUPS,
    PEOPLE,
    ROOT,
    SUFFIX,
    group_dn,
    person_dn,
    plant,
)
from connectors.ldap.sandbox.tree import Tree, stamp
from connectors.sandboxkit.admin import AdminApi
from connectors.sandboxkit.clock import SandboxClock
from connectors.sandboxkit.faults import FaultBoard
from connectors.sandboxkit.log import RequestLog
from connectors.sandboxkit.organisation import load_organisation
from connectors.sandboxkit.server import SandboxServer
from connectors.sandboxkit.tls import TlsFiles

_STOP_SECONDS = 10.0


class DirectorySandbox:
    """An OpenLDAP-like directory of Example Corp on loopback.

    `data` is the folder of its file (kept over restarts), or None for one that ends with the
    object. `seed` is `demo` (everybody) or `empty` (containers and the server's accounts). With
    `tls` the port speaks ldaps; StartTLS is not offered. `port` 0 picks a free one; the
    socket listens from when the object is made.
    """

    suffix = SUFFIX
    people = PEOPLE
    groups = GROUPS
    changes_log = ACCESS_LOG

    def __init__(
        self,
        data: Path | None = None,
        seed: Literal["demo", "empty"] = "demo",
        port: int = 0,
        *,
        admin_port: int = 0,
        tls: TlsFiles | None = None,
    ) -> None:
        self.clock = SandboxClock()
        self.faults = FaultBoard()
        self.log = RequestLog(self.clock.now)
        self._tree = Tree(None if data is None else data / "directory.json")
        if not self._tree.load():
            plant(self._tree, self.clock.now(), seed=seed)
            self._tree.save()
        self._directory = SandboxDirectory(self._tree, self.clock.now)
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls.certificate, tls.key)
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        scheme, host = ("ldaps", "localhost") if tls else ("ldap", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self.port}"
        self._conversations: set[Conversation] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        api = AdminApi(clock=self.clock, faults=self.faults, log=self.log, seeder=self._seed)
        self._admin = SandboxServer(api.app(), port=admin_port)
        self.admin_url = self._admin.url
        self.accounts: Mapping[str, Mapping[str, str]] = _accounts()
        """Bind name and password by role; `integration` is the fulfilment account."""

    def start(self) -> Self:
        """Serve both ports from threads; returns when requests are answered."""
        self._spawn(self._accept, f"directory-{self.port}")
        self._admin.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection.

        Raises:
            RuntimeError: A thread did not end.
        """
        self._stopping.set()
        # accept() is woken by a connection of our own: closing a socket does not wake it.
        with socket.socket() as knock:
            knock.connect(("127.0.0.1", self.port))
        with self._lock:
            for conversation in self._conversations:
                conversation.hang_up()
            threads = list(self._threads)
        for thread in threads:
            thread.join(_STOP_SECONDS)
            if thread.is_alive():
                raise RuntimeError(f"the sandbox directory at {self.url} did not stop")
        self._socket.close()
        self._admin.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_failure: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while True:
            connection, _address = self._socket.accept()
            if self._stopping.is_set():
                connection.close()
                return
            self._spawn(functools.partial(self._converse, connection), "directory-client")

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
        except OSError:  # a client that does not trust us, or that left
            connection.close()
            return
        conversation = Conversation(connection, self._directory, faults=self.faults, log=self.log)
        with self._lock:
            self._conversations.add(conversation)
        try:
            if not self._stopping.is_set():
                conversation.run()
        finally:
            conversation.close()
            with self._lock:
                self._conversations.discard(conversation)

    def _seed(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Carry out POST /seed.

        `{"lock": [uid, ...]}` locks people as three bad binds would; `{"companion": {group: uid}}`
        lets that person come and go with every other member, as a broken synchronisation would.
        """
        uids, companions = body.get("lock", []), body.get("companion", {})
        is_known = not set(body) - {"lock", "companion"}
        if not is_known or not isinstance(uids, list) or not isinstance(companions, dict):
            raise ValueError('a seed reads {"lock": [uid, ...], "companion": {group: uid}}')
        with self._tree.lock:
            for group, uid in companions.items():
                self._directory.companions[group_dn(str(group)).lower()] = person_dn(
                    str(uid)
                ).encode()
            for uid in map(str, uids):
                entry = self._tree.get(person_dn(uid))
                if entry is None:
                    raise ValueError(f"nobody has the uid {uid!r}")
                entry.put("pwdAccountLockedTime", stamp(self.clock.now()))
            self._tree.save()
        return {"locked": len(uids), "companions": len(companions)}


def _accounts() -> Mapping[str, Mapping[str, str]]:
    organisation = load_organisation()
    agent = next(person for person in organisation.people if person.agent)
    approvers = [person for person in organisation.people if person.approver]
    people = {
        "agent": agent,
        "requester": organisation.people[0],
        "approver1": approvers[0],
        "approver2": approvers[1],
    }
    servers = {"admin": (ROOT, "admin"), "integration": (FULFILMENT, "integration")}
    return {
        **{
            role: {"username": dn, "password": organisation.account(kind).password}
            for role, (dn, kind) in servers.items()
        },
        **{
            role: {"username": person_dn(person.uid), "password": person.password}
            for role, person in people.items()
        },
    }
