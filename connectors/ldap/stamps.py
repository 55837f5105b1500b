"""The newest change of each entry, for directories that keep no log of changes for us.

OpenLDAP stamps each entry with who changed it last and when (RFC 4512, 3.4: `modifiersName`,
`modifyTimestamp`). Active Directory stamps when (`whenChanged`), and each attribute in its
replication metadata ([MS-ADTS] 3.1.1.4.5.17 and 20), but never who: that is in the event log of the
domain controllers. Earlier changes are hidden behind later ones, so this proves less than a log.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from connectors.ldap.active_directory import metadata_times
from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory
from connectors.ldap.entry import Entry, as_generalized_time, dn_key
from connectors.ldap.settings import Flavour, LDAPSettings
from connectors.ldap.trail import TRACES
from engine.errors import PreconditionError
from engine.ports.fulfilment import ForeignChange

MOST = 20_000
"""So many entries are read in one go."""
_EVERY = frozenset(TRACES)
_ACTIVE_DIRECTORY: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "unicodepwd": frozenset({"reset_password"}),
        "pwdlastset": frozenset({"reset_password"}),
        "lockouttime": frozenset({"reset_password", "unlock_account"}),
        "useraccountcontrol": frozenset({"disable_account"}),
        "member": frozenset({"add_group_member", "remove_group_member"}),
    }
)
"""Which actions, and their ways back, write an attribute of Active Directory."""


class Stamps:
    """Reads what the entries themselves say of their newest change."""

    def __init__(self, settings: LDAPSettings, directory: Directory, dialect: Dialect) -> None:
        """Keep what is needed; no I/O."""
        self._settings = settings
        self._directory = directory
        self._dialect = dialect

    def newest(self, since: datetime) -> tuple[ForeignChange, ...]:
        """Return the newest change of every person and group since then, oldest first.

        Raises:
            PreconditionError: It is more than is read in one go.
        """
        entries = {
            dn_key(entry.dn): entry
            for base, kind in (
                (self._directory.people, self._dialect.person_filter),
                (self._directory.groups, self._dialect.group_filter),
            )
            for entry in self._changed(base, kind, since)
        }
        found = [one for entry in entries.values() for one in self._told(entry, since)]
        return tuple(sorted(found, key=lambda one: (one.at, one.target_name)))

    @property
    def _is_active_directory(self) -> bool:
        return self._settings.flavour is Flavour.ACTIVE_DIRECTORY

    def _changed(self, base: str, kind: str, since: datetime) -> tuple[Entry, ...]:
        more: tuple[str, ...]
        if self._is_active_directory:
            stamp, more = "whenChanged", ("msDS-ReplAttributeMetaData", "msDS-ReplValueMetaData")
        else:
            stamp, more = "modifyTimestamp", ("modifiersName",)
        at = as_generalized_time(since)
        entries = self._directory.transport.search(
            base,
            f"(&{kind}({stamp}>={at}))",
            [*self._dialect.group_attributes, stamp, *more],
            most=MOST + 1,
        )
        if len(entries) > MOST:
            raise PreconditionError(
                f"more than {MOST} entries below {base} changed since then: name a later --since"
            )
        return entries

    def _told(self, entry: Entry, since: datetime) -> Iterator[ForeignChange]:
        target = self._dialect.stable_id(entry)
        times = metadata_times(entry) if self._is_active_directory else {}
        watched = {name: at for name, at in times.items() if name in _ACTIVE_DIRECTORY}
        for name, at in watched.items():
            if at >= since:
                yield _change(entry, target, at, name, _ACTIVE_DIRECTORY[name], is_ours=False)
        if watched:
            return
        stamp = "whenChanged" if self._is_active_directory else "modifyTimestamp"
        at_all = entry.instant(stamp)
        if at_all is not None and at_all >= since:
            by = dn_key(entry.text("modifiersName")) if entry.text("modifiersName") else ""
            is_ours = by == dn_key(self._settings.bind.dn)
            yield _change(entry, target, at_all, "entry", _EVERY, is_ours=is_ours)


def _change(
    entry: Entry,
    target: str,
    at: datetime,
    what: str,
    actions: frozenset[str],
    *,
    is_ours: bool,
) -> ForeignChange:
    return ForeignChange(
        at=at,
        target_id=target,
        target_name=entry.dn,
        what=(what,),
        actions=actions,
        is_ours=is_ours,
        is_newest=True,
    )
