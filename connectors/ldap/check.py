"""What `check` asks a directory: who are we there, what may we, and is that too much.

Nothing is changed. Active Directory tells what we may write (allowedAttributesEffective,
[MS-ADTS] 3.1.1.4.5.22); OpenLDAP is asked to delete values that do not exist, which it refuses with
another code where we may not write at all.
"""

import secrets
from collections.abc import Iterator
from datetime import timedelta

from connectors.ldap.answers import NO_SUCH_ATTRIBUTE
from connectors.ldap.dialect import Dialect
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import Entry
from connectors.ldap.protection import Protection
from connectors.ldap.settings import Flavour, LDAPSettings
from engine.errors import AuthenticationError, PermanentError, TiergateError, TransientError
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity

_CLOCK_SLACK = timedelta(seconds=30)
_CERTIFICATE_SLACK = timedelta(days=14)
_SAMPLES = 3
_LOOKED_AT = 50
_AD_WRITTEN = ("pwdLastSet", "lockoutTime", "userAccountControl")
_OPENLDAP_WRITTEN = ("userPassword", "pwdReset", "pwdAccountLockedTime")


class DirectoryCheck:
    """Collects the findings of one directory."""

    def __init__(
        self,
        system: str,
        settings: LDAPSettings,
        directory: Directory,
        dialect: Dialect,
        *,
        protection: Protection,
        clock: Clock,
    ) -> None:
        self._system = system
        self._settings = settings
        self._directory = directory
        self._dialect = dialect
        self._protection = protection
        self._clock = clock

    def findings(self) -> tuple[Finding, ...]:
        """Return every finding; where the directory cannot be asked, that is the only one."""
        try:
            found = [*self._connection(), *self._time(), *self._names(), *self._rights()]
        except AuthenticationError:
            return (
                self._finding(
                    Severity.FAULT,
                    "credentials_refused",
                    "the directory refuses the bind account or its password",
                    "correct `bind` of this directory",
                ),
            )
        except TransientError as error:
            remedy = "correct `url`, or let this machine reach the server"
            return (self._finding(Severity.FAULT, "unreachable", str(error), remedy),)
        except PermanentError as error:
            remedy = "see the settings of this directory: ca_file, tls_name, base"
            return (self._finding(Severity.FAULT, "unusable", str(error), remedy),)
        except TiergateError as error:
            remedy = "let the bind account read people and groups"
            return (self._finding(Severity.FAULT, "unreadable", str(error), remedy),)
        if any(one.severity is not Severity.OK for one in found):
            return tuple(found)
        return (*found, self._finding(Severity.OK, "rights_fit", "enough rights, and no more", ""))

    def _connection(self) -> Iterator[Finding]:
        certificate = self._directory.transport.check_bind()
        seen = f"bound as {self._settings.bind.dn}, base {self._directory.base}"
        yield self._finding(Severity.OK, "reachable", seen, "")
        if certificate is None:
            yield self._finding(
                Severity.WARNING,
                "not_encrypted",
                "the connection is not encrypted (accepted on loopback only)",
                "use ldaps:// or start_tls",
            )
        elif certificate.ends_at - self._clock.now() < _CERTIFICATE_SLACK:
            seen = f"the server's certificate ends {certificate.ends_at:%Y-%m-%d}"
            yield self._finding(Severity.WARNING, "certificate_ends", seen, "renew it")

    def _time(self) -> Iterator[Finding]:
        theirs = self._dialect.clock()
        if theirs is None:
            remedy = "let the bind account read cn=Current,cn=Time,cn=Monitor"
            seen = "the directory does not tell its time, so the clocks are not compared"
            yield self._finding(Severity.WARNING, "clock_unknown", seen, remedy)
            return
        off = theirs - self._clock.now()
        if abs(off) > _CLOCK_SLACK:
            seen = f"the directory's clock is off by {off.total_seconds():+.0f} s"
            yield self._finding(Severity.FAULT, "clock_off", seen, "synchronise both with NTP")

    def _names(self) -> Iterator[Finding]:
        for text, dns in self._protection.protected_group_dns().items():
            if not dns:
                seen = f"protected_groups names {text!r}, which is no group"
                yield self._finding(Severity.UNSAFE, "protects_nothing", seen, "correct the name")
        if self._settings.lookback and self._settings.changes_log:
            log = self._directory.read(self._settings.changes_log, ["objectClass"])
            if log is None:
                seen = "changes_log cannot be read; the entry's time stamp is used"
                yield self._finding(
                    Severity.WARNING, "log_unreadable", seen, "let the bind account search it"
                )

    # --- rights
    def _rights(self) -> Iterator[Finding]:
        people = self._some_people(self._dialect.person_filter, most=_LOOKED_AT)
        ordinary = next(
            (
                one
                for one in people
                if self._is_untouched(one) and not self._protection.person_because(one)
            ),
            None,
        )
        if ordinary is None:
            seen = f"none of the first {len(people)} people is an unprotected, enabled person"
            yield self._finding(Severity.FAULT, "nobody_visible", seen, "correct `people`")
            return
        yield from self._too_much(self._protected_people(), ordinary)
        yield from self._too_little(ordinary)

    def _some_people(self, filter_text: str, *, most: int) -> tuple[Entry, ...]:
        return self._directory.transport.search(
            self._directory.people, filter_text, self._dialect.person_attributes, most=most
        )

    def _protected_people(self) -> list[Entry]:
        """Return samples of who is protected for each of the reasons that can be searched for."""
        service, names = self._settings.service, self._settings.protected
        marks = [equals(service.attribute, value) for value in service.values]
        marks += [equals(self._dialect.names.uid, name) for name in names if "=" not in name]
        if self._settings.flavour is Flavour.ACTIVE_DIRECTORY:
            marks.append("(adminCount=1)")
        filters = [f"(&{self._dialect.person_filter}{mark})" for mark in marks]
        found = [one for text in filters for one in self._some_people(text, most=_SAMPLES)]
        dns = [name for name in names if "=" in name]
        for groups in self._protection.protected_group_dns().values():
            dns += [dn for group in groups for dn in self._dialect.members(group)[:_SAMPLES]]
        read = [self._directory.read(dn, self._dialect.person_attributes) for dn in dns]
        found += [one for one in read if one is not None]
        return [one for one in found if self._protection.person_because(one)]

    def _is_untouched(self, person: Entry) -> bool:
        state = self._dialect.login_state(person)
        return not state.is_locked and not state.is_disabled and not person.text("pwdReset")

    def _too_much(self, protected: list[Entry], ordinary: Entry) -> Iterator[Finding]:
        own = self._directory.read(self._protection.own_dn(), self._dialect.person_attributes)
        if own is not None and self._settings.flavour is Flavour.ACTIVE_DIRECTORY:
            because = self._dialect.privilege(own)
            if because:
                yield self._unsafe("bind_account_privileged", f"our own account: {because}")
        base = self._directory.read(self._directory.base, ["objectClass"])
        if base is not None and self._may_write(base, "description"):
            yield self._unsafe("may_write_base", f"our account may write {base.dn}")
        for entry in protected:
            written = [name for name in self._written if self._may_write(entry, name)]
            if written:
                seen = f"our account may write {', '.join(written)} of {entry.dn}, a protected one"
                yield self._unsafe("may_write_protected", seen)
        names = self._dialect.names
        for attribute in dict.fromkeys((names.join_on, names.private_mail, names.manager)):
            if self._may_write(ordinary, attribute):
                seen = (
                    f"our account may write {attribute} of people, which it must be able to trust"
                )
                yield self._unsafe("may_write_trusted", seen)

    def _too_little(self, ordinary: Entry) -> Iterator[Finding]:
        lacking = [name for name in self._written if not self._may_write(ordinary, name)]
        if lacking:
            yield self._finding(
                Severity.FAULT,
                "lacks_rights",
                f"our account may not write {', '.join(lacking)} of {ordinary.dn}",
                "grant it for people, or take the actions out of the tier map",
            )
        for name in self._settings.ordinary:
            found = self._directory.any_of(
                self._directory.groups,
                self._dialect.group_filter,
                ("cn",),
                name,
                self._dialect.group_attributes,
            )
            if len(found) != 1:
                seen = f"`ordinary` names {name!r}, which means {len(found)} groups"
                yield self._finding(Severity.WARNING, "ordinary_unknown", seen, "correct it")
            elif not self._may_write(found[0], "member"):
                seen = f"our account may not write member of {found[0].dn}"
                yield self._finding(Severity.FAULT, "lacks_rights", seen, "grant it for this group")

    @property
    def _written(self) -> tuple[str, ...]:
        if self._settings.flavour is Flavour.ACTIVE_DIRECTORY:
            return _AD_WRITTEN
        return _OPENLDAP_WRITTEN

    def _may_write(self, entry: Entry, attribute: str) -> bool:
        if self._settings.flavour is Flavour.ACTIVE_DIRECTORY:
            shown = self._directory.read(entry.dn, ["allowedAttributesEffective"])
            return shown is not None and shown.has("allowedAttributesEffective", (attribute,))
        code = self._directory.transport.probe(entry.dn, attribute, _absent(attribute, entry))
        return code == NO_SUCH_ATTRIBUTE

    def _unsafe(self, code: str, seen: str) -> Finding:
        remedy = "take these rights from the bind account; see docs/connectors/ldap.md"
        return self._finding(Severity.UNSAFE, code, seen, remedy)

    def _finding(self, severity: Severity, code: str, seen: str, remedy: str) -> Finding:
        return Finding(severity=severity, code=code, system=self._system, seen=seen, remedy=remedy)


def _absent(attribute: str, entry: Entry) -> bytes:
    """Return a value of the attribute's syntax that the entry surely does not have."""
    random = secrets.token_hex(16)
    if attribute == "pwdReset":
        return b"FALSE" if entry.text(attribute) == "TRUE" else b"TRUE"
    if attribute == "pwdAccountLockedTime":
        return b"19700101000000Z"
    if attribute in {"member", "manager"}:
        return f"cn={random},{entry.dn}".encode()
    return random.encode()
