"""Who asks: accounts with their roles, groups, time zone and formats; passwords."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.servicenow.sandbox.schema import Schema
from connectors.servicenow.sandbox.store import Row, Store

# What a role carries with it.
_CONTAINS: dict[str, tuple[str, ...]] = {
    "itil": ("sn_incident_read", "sn_incident_write", "sn_change_read", "sn_change_write",
             "sn_problem_read", "sn_request_read", "itil_base"),
    "change_manager": ("itil", "sn_change_read", "sn_change_write"),
    "itil_admin": ("itil",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An account at the moment of a request."""

    sys_id: str
    user_name: str
    name: str
    roles: frozenset[str]
    groups: frozenset[str]
    """sys_ids of the groups."""
    zone: ZoneInfo
    date_format: str = "yyyy-MM-dd"
    time_format: str = "HH:mm:ss"

    @property
    def is_admin(self) -> bool:
        """Say whether every access rule lets this account pass."""
        return "admin" in self.roles

    def has(self, *roles: str) -> bool:
        """Say whether the account has one of the roles, or admin."""
        return self.is_admin or not self.roles.isdisjoint(roles)


SYSTEM = Actor(
    sys_id="system",
    user_name="system",
    name="System",
    roles=frozenset({"admin"}),
    groups=frozenset(),
    zone=ZoneInfo("UTC"),
)
GUEST = Actor(
    sys_id="", user_name="", name="", roles=frozenset(), groups=frozenset(), zone=ZoneInfo("UTC")
)


def hash_password(password: str) -> str:
    """Return a salted hash (fast: these are throw-away accounts, checked on every request)."""
    salt = secrets.token_hex(8)
    return f"{salt}${hashlib.sha256((salt + password).encode()).hexdigest()}"


def password_fits(password: str, kept: str) -> bool:
    """Compare a password with its kept hash."""
    salt, separator, digest = kept.partition("$")
    found = hashlib.sha256((salt + password).encode()).hexdigest()
    return bool(separator) and hmac.compare_digest(found, digest)


class Accounts:
    """Accounts by user name and by password; what it knows is forgotten when the tables change."""

    def __init__(self, store: Store, schema: Schema) -> None:
        self._store = store
        self._schema = schema
        self._actors: dict[str, Actor | None] = {}
        self._passwords: dict[tuple[str, str], bool] = {}
        self._mark: object = None

    def _fresh(self) -> None:
        roots = ("sys_user", "sys_user_has_role", "sys_user_grmember", "sys_group_has_role")
        mark = tuple(self._store.version(root) for root in roots)
        if mark != self._mark:
            self._actors.clear()
            self._passwords.clear()
            self._mark = mark

    def by_name(self, user_name: str) -> Actor | None:
        """Return the active account of this name, or None."""
        self._fresh()
        if user_name not in self._actors:
            found = self._store.find(self._schema.tables["sys_user"], "user_name = ?", (user_name,))
            active = [row for row in found if row["active"] == "true"]
            self._actors[user_name] = self._actor(active[0]) if active else None
        return self._actors[user_name]

    def by_id(self, sys_id: str) -> Actor | None:
        """Return the active account of this sys_id, or None."""
        row = self._store.read(self._schema.tables["sys_user"], sys_id)
        return None if row is None else self.by_name(row["user_name"])

    def by_password(self, user_name: str, password: str) -> Actor | None:
        """Return the account if the password is its own and it is neither locked nor inactive."""
        actor = self.by_name(user_name)
        if actor is None:
            return None
        key = (user_name, password)
        if key not in self._passwords:
            row = self._store.read(self._schema.tables["sys_user"], actor.sys_id)
            self._passwords[key] = (
                row is not None
                and row["locked_out"] != "true"
                and password_fits(password, row["user_password"])
            )
        return actor if self._passwords[key] else None

    def _actor(self, row: Row) -> Actor:
        member = self._store.find(
            self._schema.tables["sys_user_grmember"], '"user" = ?', (row["sys_id"],)
        )
        groups = frozenset(one["group"] for one in member)
        try:
            zone = ZoneInfo(row["time_zone"] or "US/Pacific")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            zone = ZoneInfo("UTC")
        return Actor(
            sys_id=row["sys_id"],
            user_name=row["user_name"],
            name=row["name"],
            roles=self._roles(row["sys_id"], groups),
            groups=groups,
            zone=zone,
            date_format=row["date_format"] or "yyyy-MM-dd",
            time_format=row["time_format"] or "HH:mm:ss",
        )

    def _roles(self, sys_id: str, groups: frozenset[str]) -> frozenset[str]:
        given = self._store.rows(
            "SELECT r.name FROM sys_user_has_role h JOIN sys_user_role r ON r.sys_id = h.role "
            "WHERE h.user = ? AND coalesce(h.state, 'active') = 'active'",
            (sys_id,),
        )
        for group in groups:
            given += self._store.rows(
                "SELECT r.name FROM sys_group_has_role h JOIN sys_user_role r ON r.sys_id = h.role "
                'WHERE h."group" = ?',
                (group,),
            )
        roles: set[str] = set()
        waiting = [str(name) for (name,) in given]
        while waiting:
            role = waiting.pop()
            if role not in roles:
                roles.add(role)
                waiting.extend(_CONTAINS.get(role, ()))
        return frozenset(roles)
