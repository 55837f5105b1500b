"""What the directory's own log says that our account changed (slapo-accesslog(5)).

Only who, when, where and which attribute is asked; what was written is never read, because the log
holds password hashes. Which attribute was touched is told by a filter on `reqMod`, for which the
right to search suffices. Active Directory keeps its trail in the event log of the domain
controllers, which no LDAP client reads.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import Entry, as_generalized_time, dn_key
from connectors.ldap.settings import Flavour, LDAPSettings
from engine.errors import InvalidAnswerError, PreconditionError
from engine.ports.fulfilment import ForeignChange

_WRITES = "(|(reqType=modify)(reqType=add)(reqType=delete)(reqType=modrdn))"
TRACES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "reset_password": frozenset({"userPassword", "pwdReset", "pwdAccountLockedTime"}),
        "unlock_account": frozenset({"pwdAccountLockedTime"}),
        "disable_account": frozenset({"pwdAccountLockedTime"}),
        "add_group_member": frozenset({"member"}),
        "remove_group_member": frozenset({"member"}),
    }
)
"""Which attributes each action, and its way back, may write."""
WATCHED = tuple(sorted(frozenset().union(*TRACES.values())))


class Trail:
    """Reads the access log of one directory."""

    def __init__(self, settings: LDAPSettings, directory: Directory, dialect: Dialect) -> None:
        self._settings = settings
        self._directory = directory
        self._dialect = dialect
        self._log = settings.changes_log

    def changes(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return our writes since then, oldest first; None where no log can be read.

        Raises:
            PreconditionError: The log begins later than `since`.
        """
        if self._settings.flavour is not Flavour.OPENLDAP or not self._log:
            return None
        if self._directory.read(self._log, ["objectClass"]) is None:
            return None
        before = self._search(f"(reqStart<={as_generalized_time(since)})", most=1)
        if not before:
            raise PreconditionError(
                f"{self._log} begins after {since.isoformat(timespec='seconds')}:"
                " what was before is not kept; name a later --since"
            )
        after = f"(reqStart>={as_generalized_time(since)})"
        if self._search(after, most=1) and not self._search(f"{after}(reqAuthzID=*)", most=1):
            return None  # who wrote is hidden from us: an empty answer would be no answer
        ours = f"{after}{equals('reqAuthzID', self._settings.bind.dn)}(reqResult=0)"
        touched = {
            name: {dn_key(one.dn) for one in self._search(f"{ours}(reqMod={name}:*)")}
            for name in WATCHED
        }
        ids: dict[str, str] = {}
        found = [self._change(one, touched, ids) for one in self._search(ours)]
        return tuple(sorted(found, key=lambda one: one.at))

    def _change(
        self, record: Entry, touched: Mapping[str, set[str]], ids: dict[str, str]
    ) -> ForeignChange:
        at, target = record.instant("reqStart"), record.text("reqDN")
        if at is None or not target:
            raise InvalidAnswerError(f"{record.dn} shows no reqStart or reqDN")
        key = dn_key(target)
        if key not in ids:
            ids[key] = self._id_of(target)
        what = tuple(name for name in WATCHED if dn_key(record.dn) in touched[name])
        is_modify = record.text("reqType") == "modify"
        return ForeignChange(
            at=at,
            target_id=ids[key],
            target_name=target,
            what=what or (record.text("reqType"),),
            actions=frozenset(
                action
                for action, may in TRACES.items()
                if is_modify and what and may.issuperset(what)
            ),
        )

    def _id_of(self, dn: str) -> str:
        entry = self._directory.read(dn, self._dialect.group_attributes)
        return self._dialect.stable_id(entry) if entry else ""

    def _search(self, terms: str, *, most: int | None = None) -> tuple[Entry, ...]:
        return self._directory.transport.search(
            self._log, f"(&{_WRITES}{terms})", ["reqStart", "reqDN", "reqType"], most=most
        )
