"""Accounts, groups and roles, and what they permit."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from connectors.jira.sandbox.definition import Definition
from connectors.jira.sandbox.storage import Store
from connectors.jira.sandbox.wire import Row


class Flavour(StrEnum):
    """Which product the sandbox plays."""

    CLOUD = "cloud"
    DATA_CENTER = "datacenter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of the site; `id` is the accountId on Cloud and the key on Data Center."""

    id: str
    name: str
    email: str
    display: str
    active: bool
    zone: ZoneInfo
    kind: str
    locale: str


Caller: TypeAlias = Account | None
"""Who sent a request; None is anonymous."""

GLOBAL_PERMISSIONS = (
    "MANAGE_GROUP_FILTER_SUBSCRIPTIONS",
    "ADMINISTER",
    "SYSTEM_ADMIN",
    "USER_PICKER",
    "BULK_CHANGE",
    "CREATE_SHARED_OBJECTS",
)
ADMINISTRATORS = "jira-administrators"
AVATAR_SIZES = ("48x48", "24x24", "16x16", "32x32")


class People:
    """Questions about accounts, answered from the store."""

    def __init__(self, store: Store, definition: Definition, flavour: Flavour) -> None:
        self._store = store
        self._definition = definition
        self._flavour = flavour

    def by_id(self, key: str | None) -> Caller:
        """Return the account with this accountId (Cloud) or key (Data Center)."""
        if key is None:
            return None
        return _account(self._store.row("SELECT * FROM account WHERE id=?", key))

    def by_name(self, name: str) -> Caller:
        """Return the account with this login name."""
        return _account(self._store.row("SELECT * FROM account WHERE name=? COLLATE NOCASE", name))

    def named(self, text: str) -> Caller:
        """Return the account that a query language value or a user reference names."""
        found = self.by_id(text)
        if found is not None:
            return found
        if self._flavour is Flavour.DATA_CENTER:
            return self.by_name(text)
        row = self._store.row(
            "SELECT * FROM account WHERE email=? COLLATE NOCASE OR display=? COLLATE NOCASE",
            text,
            text,
        )
        return _account(row)

    def login(self, name: str, password: str) -> Caller:
        """Return the account that a name (e-mail on Cloud) and a password or token open."""
        column = "email" if self._flavour is Flavour.CLOUD else "name"
        row = self._store.row(
            f"SELECT * FROM account WHERE {column}=? COLLATE NOCASE",  # noqa: S608 - one of two words
            name,
        )
        if row is None or not row["active"] or row["password"] != password:
            return None
        return _account(row)

    def bearer(self, token: str, now: int) -> Caller:
        """Return the account of a personal access token."""
        row = self._store.row("SELECT * FROM token WHERE token=?", token)
        if row is None or (row["expires"] is not None and row["expires"] <= now):
            return None
        found = self.by_id(row["account"])
        return found if found is not None and found.active else None

    def search(self, text: str) -> list[Account]:
        """Return active accounts whose name, display name or e-mail begins a word with `text`."""
        wanted = text.casefold()
        found: list[Account] = []
        for row in self._store.rows("SELECT * FROM account WHERE active=1 ORDER BY display, id"):
            words = [row["name"], row["email"], *row["display"].split(), row["display"], row["id"]]
            if any(word.casefold().startswith(wanted) for word in words):
                account = _account(row)
                if account is not None:
                    found.append(account)
        return found

    def all(self) -> list[Account]:
        """Return every account."""
        rows = self._store.rows("SELECT * FROM account ORDER BY display, id")
        return [account for row in rows if (account := _account(row)) is not None]

    def group(self, key: str) -> Row | None:
        """Return the group with this id or name."""
        return self._store.row(
            "SELECT * FROM cluster WHERE id=? OR name=? COLLATE NOCASE", key, key
        )

    def groups(self) -> list[Row]:
        """Return all groups."""
        return self._store.rows("SELECT * FROM cluster ORDER BY name")

    def groups_of(self, account: Account) -> list[Row]:
        """Return the groups of an account."""
        return self._store.rows(
            "SELECT g.* FROM cluster g JOIN membership m ON m.grp=g.id"
            " WHERE m.account=? ORDER BY g.name",
            account.id,
        )

    def members(self, group_id: str) -> list[Account]:
        """Return the members of a group in the order of their names."""
        rows = self._store.rows(
            "SELECT a.* FROM account a JOIN membership m ON m.account=a.id"
            " WHERE m.grp=? ORDER BY a.display",
            group_id,
        )
        return [account for row in rows if (account := _account(row)) is not None]

    def is_in(self, account: Account, names: Iterable[str]) -> bool:
        """Say whether an account is a member of one of these groups."""
        held = {row["name"] for row in self.groups_of(account)}
        return bool(held & set(names))

    def is_admin(self, caller: Caller) -> bool:
        """Say whether the caller administers the site."""
        return caller is not None and self.is_in(caller, (ADMINISTRATORS,))

    def roles_in(self, account: Account, project: int) -> set[str]:
        """Return the names of the project roles that an account holds."""
        rows = self._store.rows(
            "SELECT DISTINCT r.role FROM project_role r WHERE r.project=? AND ("
            " (r.kind='user' AND r.holder=?) OR (r.kind='group' AND r.holder IN"
            " (SELECT grp FROM membership WHERE account=?)))",
            project,
            account.id,
            account.id,
        )
        return {row["role"] for row in rows}

    def may(self, caller: Caller, permission: str, project: int) -> bool:
        """Say whether the caller holds a project permission."""
        if caller is None or not caller.active:
            return False
        held = self._definition.permissions
        return any(permission in held.get(role, ()) for role in self.roles_in(caller, project))

    def may_globally(self, caller: Caller, permission: str) -> bool:
        """Say whether the caller holds a global permission."""
        if caller is None:
            return False
        return permission in {"USER_PICKER", "CREATE_SHARED_OBJECTS"} or self.is_admin(caller)

    def projects_with(self, caller: Caller, permission: str) -> list[int]:
        """Return the ids of the projects in which the caller holds a permission."""
        rows = self._store.rows("SELECT id FROM project ORDER BY id")
        return [row["id"] for row in rows if self.may(caller, permission, row["id"])]

    def assignable(self, project: int) -> list[Account]:
        """Return the accounts to whom issues of a project can be assigned."""
        return [
            one for one in self.all() if one.active and self.may(one, "ASSIGNABLE_USER", project)
        ]


def _account(row: Row | None) -> Caller:
    if row is None:
        return None
    return Account(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        display=row["display"],
        active=bool(row["active"]),
        zone=ZoneInfo(row["zone"]),
        kind=row["kind"],
        locale=row["locale"],
    )
