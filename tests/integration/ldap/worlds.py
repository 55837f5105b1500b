"""The three directories that one suite runs against, behind one small steering wheel.

Every test makes its own people and groups, so that a server can serve the whole session. The clock
of the adapters runs eight days ahead: what was made a moment ago counts as settled.
"""

import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import ldap3

from connectors.ldap.factory import LDAPAdapters, build
from connectors.ldap.sandbox.seed import ACCESS_LOG, FULFILMENT, GROUPS, PEOPLE, ROOT, SUFFIX
from connectors.ldap.sandbox.server import DirectorySandbox
from connectors.ldap.settings import LDAPSettings
from engine.domain.refs import Account, Person
from engine.errors import RecordNotFoundError
from tests.integration.ldap import samba_seed
from tests.integration.ldap.seeds import write_ldif

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "servers"
KEY = b"an installation key of 32 bytes!"
SETTLED = timedelta(days=8)
_numbers = itertools.count(50_001)


class ShiftedClock:
    """The real time, shifted."""

    def __init__(self, shift: timedelta = SETTLED) -> None:
        self.shift = shift

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), tz=UTC) + self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """A person made for one test."""

    uid: str
    dn: str
    number: str
    password: str


class World:
    """One directory server, steered by its administrator's own connection."""

    name = ""
    is_windows = False

    def __init__(self, admin: Any, settings: Mapping[str, object]) -> None:
        self.admin = admin
        self.base_settings = settings
        self.clock = ShiftedClock()
        self._open: list[LDAPAdapters] = []

    # --- what differs
    people = PEOPLE
    groups = GROUPS
    private_mail = "privateMail"
    own_dn = FULFILMENT

    def entry_of(self, uid: str, number: str) -> tuple[str, list[str], dict[str, object]]:
        return (
            f"uid={uid},{PEOPLE}",
            ["inetOrgPerson", "tiergatePerson"],
            {
                "uid": uid,
                "cn": f"Test Person {number}",
                "displayName": f"Test Person {number}",
                "sn": number,
                "mail": f"{uid}@example.com",
                "employeeNumber": number,
                "employeeType": "person",
                "departmentNumber": "Engineering",
                "userPassword": f"{uid}-pw",
            },
        )

    def group_entry(self, name: str) -> tuple[str, list[str], dict[str, object]]:
        return f"cn={name},{GROUPS}", ["groupOfNames"], {"cn": name, "description": f"The {name}"}

    # --- the wheel
    def adapters(self, **changes: object) -> LDAPAdapters:
        settings = LDAPSettings.model_validate({**self.base_settings, **changes})
        made = build(
            "corporate-directory",
            settings,
            installation_key=KEY,
            clock=self.clock,
            account_facts={
                "servicenow": lambda account: account.id,
                "nowhere": lambda _: "",
                "deleted": _deleted,
            },
        )
        self._open.append(made)
        return made

    def close(self) -> None:
        for adapters in self._open:
            adapters.close()
        self._open.clear()

    def someone(self, **attributes: object) -> Someone:
        number = str(next(_numbers))
        uid = f"test.person.{number}"
        dn, kinds, values = self.entry_of(uid, number)
        values |= {self.private_mail: f"{uid}@private.test"}
        values |= attributes
        password = str(values.get("userPassword") or samba_seed.password_of(uid))
        self._require(self.admin.add(dn, kinds, {n: v for n, v in values.items() if v}))
        self.activate(dn, uid)
        return Someone(uid=uid, dn=dn, number=number, password=password)

    def activate(self, dn: str, uid: str) -> None:
        """Let a new account log in; OpenLDAP's may at once."""

    def group(self, *members: Someone, also: tuple[str, ...] = ()) -> str:
        name = f"test-group-{next(_numbers)}"
        dn, kinds, values = self.group_entry(name)
        dns = [one.dn for one in members] + list(also)
        self._require(self.admin.add(dn, kinds, {**values, **({"member": dns} if dns else {})}))
        return name

    def group_dn(self, name: str) -> str:
        return self.group_entry(name)[0]

    def members(self, name: str) -> set[str]:
        found = self.read(self.group_dn(name), "member")
        return {one.decode().lower() for one in found}

    def read(self, dn: str, attribute: str) -> list[bytes]:
        self.admin.search(dn, "(objectClass=*)", "BASE", attributes=[attribute])
        assert self.admin.response is not None
        raw = self.admin.response[0]["raw_attributes"]
        return [bytes(value) for name, values in raw.items() for value in values if name]

    def change(self, dn: str, attribute: str, *values: str) -> None:
        changes = {attribute: [(ldap3.MODIFY_REPLACE, list(values))]}
        self._require(self.admin.modify(dn, changes))

    def rename(self, dn: str, first: str) -> None:
        self._require(self.admin.modify_dn(dn, first))

    def delete(self, dn: str) -> None:
        self._require(self.admin.delete(dn))

    def bind_code(self, dn: str, password: str) -> tuple[int, str]:
        """Return result code and diagnostic of a bind."""
        connection = ldap3.Connection(self.admin.server, dn, password)
        connection.bind()
        code, message = connection.result["result"], connection.result["message"]
        connection.unbind()
        return int(code), str(message)

    def lock(self, someone: Someone) -> None:
        for _attempt in range(3):
            assert self.bind_code(someone.dn, "Not-The-Password-1")[0] == 49

    def person(self, adapters: LDAPAdapters, someone: Someone) -> Person:
        account = Account(system="servicenow", id=someone.number, name=someone.uid)
        return adapters.people.person(account)

    def _require(self, done: object) -> None:
        assert done, self.admin.result


class SambaWorld(World):
    """A Samba domain controller."""

    name = "samba"
    is_windows = True
    people = samba_seed.PEOPLE
    groups = samba_seed.GROUPS
    private_mail = "otherMailbox"
    own_dn = samba_seed.FULFILMENT

    def entry_of(self, uid: str, number: str) -> tuple[str, list[str], dict[str, object]]:
        return (
            f"CN=Test Person {number},{self.people}",
            ["user"],
            {
                "sAMAccountName": uid,
                "displayName": f"Test Person {number}",
                "mail": f"{uid}@example.com",
                "employeeNumber": number,
                "employeeType": "person",
                "department": "Engineering",
                "userPrincipalName": f"{uid}@corp.example.test",
            },
        )

    def group_entry(self, name: str) -> tuple[str, list[str], dict[str, object]]:
        values: dict[str, object] = {"sAMAccountName": name, "description": f"The {name}"}
        return f"CN={name},{self.groups}", ["group"], values

    def activate(self, dn: str, uid: str) -> None:
        quoted = f'"{samba_seed.password_of(uid)}"'.encode("utf-16-le")
        changes = {
            "unicodePwd": [(ldap3.MODIFY_REPLACE, [quoted])],
            "userAccountControl": [(ldap3.MODIFY_REPLACE, ["512"])],
        }
        self._require(self.admin.modify(dn, changes))


def _deleted(_account: Account) -> str:
    raise RecordNotFoundError("no such account")


Lacking = Callable[[str], NoReturn]


@contextmanager
def sandbox_world() -> Generator[World]:
    """The sandbox directory of the demo."""
    with DirectorySandbox() as sandbox:
        account = sandbox.accounts["integration"]
        server = ldap3.Server("127.0.0.1", port=sandbox.port, get_info=ldap3.NONE)
        admin = ldap3.Connection(
            server, ROOT, sandbox.accounts["admin"]["password"], auto_bind=True
        )
        world = World(
            admin,
            {
                "flavour": "openldap",
                "url": sandbox.url,
                "bind": {"dn": account["username"], "password": account["password"]},
                "people": PEOPLE,
                "groups": GROUPS,
                "changes_log": ACCESS_LOG,
                "ordinary": ["git-users", "ci-users", "vpn-staff"],
            },
        )
        world.name = "sandbox"
        yield world
        world.close()
        admin.unbind()


@contextmanager
def slapd_world(folder: Path, lacking: Lacking) -> Generator[World]:
    """A real OpenLDAP, over StartTLS, with the entries of the sandbox."""
    if not Path("/usr/sbin/slapd").exists():
        lacking("OpenLDAP's slapd is not installed")
    seed = folder / "seed.ldif"
    write_ldif(seed, ShiftedClock(timedelta(0)).now())
    data = folder / "data"
    plain, encrypted = _free_port(), _free_port()
    script = str(SCRIPTS / "slapd.sh")
    _opened_to_nobody(folder)
    subprocess.run([script, "start", str(data), str(plain), str(encrypted), str(seed)], check=True)
    try:
        server = ldap3.Server("127.0.0.1", port=plain, get_info=ldap3.NONE)
        admin = ldap3.Connection(server, ROOT, "admin-pw", auto_bind=True)
        world = World(
            admin,
            {
                "flavour": "openldap",
                "url": f"ldap://localhost:{plain}",
                "start_tls": True,
                "ca_file": str(data / "cert.pem"),
                "bind": {"dn": FULFILMENT, "password": "tiergate-pw"},
                "base": SUFFIX,
                "people": PEOPLE,
                "groups": GROUPS,
                "changes_log": ACCESS_LOG,
                "ordinary": ["git-users", "ci-users", "vpn-staff"],
            },
        )
        world.name = "slapd"
        yield world
        world.close()
        admin.unbind()
    finally:
        subprocess.run([script, "stop", str(data)], check=True)


@contextmanager
def samba_world(folder: Path, lacking: Lacking) -> Generator[World]:
    """A real Samba domain controller, over ldaps."""
    if shutil.which("samba-tool") is None or shutil.which("samba") is None:
        lacking("the Samba domain controller is not installed")
    if os.geteuid() != 0:
        lacking("a Samba domain controller needs root")
    data, address = folder / "dc", f"127.0.77.{os.getpid() % 250 + 2}"
    script = str(SCRIPTS / "samba.sh")
    subprocess.run([script, "start", str(data), address], check=True)
    try:
        server = ldap3.Server(address, port=636, use_ssl=True, get_info=ldap3.NONE)
        admin = ldap3.Connection(
            server, "administrator@corp.example.test", "Adm1n-Passw0rd!", auto_bind=True
        )
        samba_seed.plant(admin)
        subprocess.run([script, "grant", str(data)], check=True)
        yield (
            world := SambaWorld(
                admin,
                {
                    "flavour": "active-directory",
                    "url": f"ldaps://{address}",
                    "tls_name": "dc1.corp.example.test",
                    "ca_file": str(data / "private" / "tls" / "ca.pem"),
                    "bind": {
                        "dn": samba_seed.FULFILMENT,
                        "password": samba_seed.password_of("tiergate"),
                    },
                    "people": samba_seed.PEOPLE,
                    "groups": samba_seed.GROUPS,
                    "private_mail": "otherMailbox",
                    "ordinary": ["git-users", "ci-users", "vpn-staff"],
                },
            )
        )
        world.close()
        admin.unbind()
    finally:
        subprocess.run([script, "stop", str(data)], check=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _opened_to_nobody(folder: Path) -> None:
    # slapd runs as nobody, and pytest's folders are closed to everybody else.
    if os.geteuid() == 0:
        for one in (folder, *folder.parents[:3]):
            one.chmod(one.stat().st_mode | 0o011)
