"""Accounts and groups of one instance: by id, user name and join key, read afresh each time."""

from collections.abc import Iterable, Mapping

from connectors.servicenow import query as q
from connectors.servicenow.answers import Record, text
from connectors.servicenow.client import ServiceNowClient
from connectors.servicenow.mapping import account_of, required_instant
from engine.domain.change import Membership
from engine.domain.refs import Account
from engine.errors import RecordNotFoundError, UnmappedValueError

_USER = ("sys_id", "user_name", "employee_number", "email", "active")


class Accounts:
    """Who is who in one instance."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client

    def by_user_name(self, names: Iterable[str]) -> Mapping[str, Account]:
        """Return accounts by user name; an unknown or ambiguous name is left out."""
        wanted = {name for name in names if name and _is_plain(name)}
        if not wanted:
            return {}
        rows, _ = self._client.rows_of(
            "sys_user", "user_name", wanted, fields=("sys_id", "user_name")
        )
        found: dict[str, Account] = {}
        twice: set[str] = set()
        for row in rows:
            name = text(row, "user_name")
            if name in found:
                twice.add(name)
            found[name] = self._account(row)
        return {name: account for name, account in found.items() if name not in twice}

    def user_names(self, ids: Iterable[str]) -> Mapping[str, str]:
        """Return user names by account id; unknown ids are left out."""
        wanted = {one for one in ids if q.is_sys_id(one)}
        if not wanted:
            return {}
        rows, _ = self._client.rows_of("sys_user", "sys_id", wanted, fields=("user_name",))
        return {text(row, "sys_id"): text(row, "user_name") for row in rows}

    def account_key(self, account: Account) -> str:
        """Return the employee number of an account, read afresh; "" where it has none.

        Raises:
            RecordNotFoundError: No such account, or hidden from ours.
        """
        if not q.is_sys_id(account.id):
            raise RecordNotFoundError(f"{self._client.name}: {account.id!r} is no sys_user")
        return text(self._client.read("sys_user", account.id, fields=_USER), "employee_number")

    def accounts_with_key(self, key: str) -> tuple[Account, ...]:
        """Return every active account that carries this employee number."""
        return self._where("employee_number", key)

    def accounts_named(self, name: str) -> tuple[Account, ...]:
        """Return every active account with this user name or mail address."""
        found = {account.id: account for account in self._where("user_name", name)}
        found |= {account.id: account for account in self._where("email", name)}
        return tuple(found.values())

    def _where(self, field: str, wanted: str) -> tuple[Account, ...]:
        if not wanted or not _is_plain(wanted):
            return ()
        rows, _ = self._client.all_rows("sys_user", q.equals(field, wanted), fields=_USER)
        return tuple(
            self._account(row)
            for row in rows
            # The server compares without regard to case, and drops terms it does not know.
            if text(row, field).casefold() == wanted.casefold() and text(row, "active") == "true"
        )

    def _account(self, row: Record) -> Account:
        return Account(
            system=self._client.name, id=text(row, "sys_id"), name=text(row, "user_name")
        )

    def members(self, group_id: str) -> tuple[Membership, ...] | None:
        """Return a group's members by the group's own id; None when they cannot all be read.

        Each belongs to it since his row was made or changed last, whichever is later.
        """
        if not q.is_sys_id(group_id):
            return None
        try:
            group = self._client.read("sys_user_group", group_id, fields=("sys_id", "active"))
        except RecordNotFoundError:
            return None
        if text(group, "active") == "false":
            return None
        rows, hidden = self._client.all_rows(
            "sys_user_grmember",
            q.equals("group", group_id),
            fields=("user", "group", "sys_created_on", "sys_updated_on"),
        )
        if hidden or any(text(row, "group") != group_id for row in rows):
            return None
        found: list[Membership] = []
        for row in rows:
            account = account_of(self._client.name, row, "user")
            if account is not None:
                # An old row can be given another user: he belongs to the group since then.
                since = max(
                    required_instant(row, name) for name in ("sys_created_on", "sys_updated_on")
                )
                found.append(Membership(account=account, since=since))
        return tuple(found)

    def group_id(self, wanted: str) -> str:
        """Return the id of the one active group that `wanted` names by id or name.

        Raises:
            UnmappedValueError: None, or more than one.
        """
        if q.is_sys_id(wanted):
            return wanted
        if not _is_plain(wanted):
            raise UnmappedValueError("assignment_group", wanted)
        rows, _ = self._client.all_rows(
            "sys_user_group", q.equals("name", wanted), fields=("name", "active")
        )
        found = [
            text(row, "sys_id")
            for row in rows
            if text(row, "name").casefold() == wanted.casefold() and text(row, "active") != "false"
        ]
        if len(found) != 1:
            raise UnmappedValueError("assignment_group", wanted)
        return found[0]


def _is_plain(name: str) -> bool:
    try:
        q.one_of("user_name", [name])
    except q.UnsafeValueError:
        return False
    return True
