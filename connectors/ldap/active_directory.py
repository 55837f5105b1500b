"""Active Directory: unicodePwd over TLS, pwdLastSet, lockoutTime, userAccountControl, member.

Facts are from Microsoft's Open Specifications ([MS-ADTS], named beside each) and were tried on a
Samba domain controller.
"""

import re
import struct
import uuid
from datetime import datetime, timedelta

import ldap3

from connectors.ldap.answers import (
    ATTRIBUTE_OR_VALUE_EXISTS,
    ENTRY_ALREADY_EXISTS,
    INVALID_CREDENTIALS,
    NO_SUCH_ATTRIBUTE,
    SUCCESS,
    UNWILLING_TO_PERFORM,
)
from connectors.ldap.dialect import LoginState, Names, PasswordJudgement
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import FILETIME_EPOCH, Entry
from connectors.ldap.settings import LDAPSettings
from engine.errors import (
    InvalidAnswerError,
    MissingRightError,
    PreconditionError,
    ProtectedSubjectError,
    RecordNotFoundError,
)
from engine.ports.fulfilment import Secret

# [MS-ADTS] 2.2.16, userAccountControl
_ACCOUNT_DISABLED = 0x2
_LOCKED = 0x10
_NEVER_EXPIRES = 0x10000
_SMARTCARD_REQUIRED = 0x40000
_NOT_NORMAL = 0x100 | 0x800 | 0x1000 | 0x2000  # duplicate, trust, workstation, server accounts
# [MS-DTYP] 2.4.2.4, well-known groups by the last part of their SID
_PRIVILEGED_DOMAIN = frozenset({498, 500, 502, 512, 516, 517, 518, 519, 520, 521, 526, 527})
_PRIVILEGED_BUILTIN = frozenset({544, 548, 549, 550, 551, 552})
_BUILTIN = "S-1-5-32-"
_SERVICE_CLASSES = (
    "computer",
    "msDS-ManagedServiceAccount",
    "msDS-GroupManagedServiceAccount",
    "msDS-DelegatedManagedServiceAccount",
)
# A failed bind says why only in its diagnostic message: `data` and a Windows error code
# ([MS-ADTS] 5.1.1.5 answers every refusal with 49; the codes are those of [MS-ERREF] 2.2).
_DATA = re.compile(r"\bdata ([0-9a-f]{1,8})\b", re.IGNORECASE)
_MUST_CHANGE = "773"
_REFUSALS = {
    "52e": "the password is another one",
    "525": "no such account",
    "530": "not at this time",
    "531": "not from here",
    "532": "the password expired",
    "533": "the account is disabled",
    "701": "the account expired",
    "775": "the account is locked",
}
_LINKS = frozenset({"manager", "member"})
_HEAD, _RECORD = 16, 48
# What a reset or an unlock writes, by [MS-DRSR] 5.16.4: 1.2.840.113556.1.4.N is 0x90000 + N.
_PASSWORD_ATTRIBUTES = frozenset(
    0x90000 + number
    # userAccountControl, badPwdCount, badPasswordTime, dBCSPwd, unicodePwd, ntPwdHistory,
    # pwdLastSet, supplementalCredentials, lmPwdHistory, lockoutTime
    for number in (8, 12, 49, 55, 90, 94, 96, 125, 160, 662)
)
_METADATA = re.compile(
    r"<pszAttributeName>([^<]+)</pszAttributeName>.*?"
    r"<ftimeLastOriginatingChange>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)</ftimeLastOriginatingChange>",
    re.DOTALL,
)


class ActiveDirectoryDialect:
    """Speaks to a domain controller."""

    person_filter = "(&(objectCategory=person)(objectClass=user))"
    group_filter = "(objectClass=group)"
    group_attributes: tuple[str, ...] = (
        *("cn", "sAMAccountName", "description", "objectGUID", "objectSid", "objectClass"),
        *("adminCount", "groupType", "memberOf", "whenChanged"),
    )

    def __init__(self, settings: LDAPSettings, directory: Directory) -> None:
        self._directory = directory
        self._transport = directory.transport
        self.names = Names.of(settings, uid="sAMAccountName", department="department")
        self.person_attributes: tuple[str, ...] = (
            *self.names.all(),
            *("cn", "displayName", "objectClass", "userPrincipalName", "proxyAddresses"),
            *("objectGUID", "objectSid", "adminCount", "servicePrincipalName", "memberOf"),
            *("userAccountControl", "msDS-User-Account-Control-Computed", "lockoutTime"),
            *("pwdLastSet", "primaryGroupID", "whenCreated", "whenChanged"),
        )

    def stable_id(self, entry: Entry) -> str:
        """Return the objectGUID, whose first three parts are little-endian on the wire."""
        raw = entry.raw("objectGUID")
        if len(raw) != 1:
            raise InvalidAnswerError(f"{entry.dn} shows no objectGUID")
        return str(uuid.UUID(bytes_le=raw[0]))

    def by_id(self, stable_id: str) -> str:
        """Return the filter for an objectGUID."""
        try:
            return equals("objectGUID", uuid.UUID(stable_id).bytes_le)
        except ValueError as error:
            raise PreconditionError("the stable id is no GUID") from error

    def login_state(self, person: Entry) -> LoginState:
        """Read userAccountControl, and the computed lock, which knows how long locks last."""
        flags = _flags(person)
        is_locked = bool(person.number("msDS-User-Account-Control-Computed") & _LOCKED)
        return LoginState(
            is_locked=is_locked,
            is_disabled=bool(flags & _ACCOUNT_DISABLED),
            mark=str(flags),
        )

    def privilege(self, entry: Entry) -> str:
        """Judge by adminCount, by the entry's own SID, and by tokenGroups (nested, and primary).

        adminCount follows a membership only after up to an hour ([MS-ADTS] 3.1.1.6.1), tokenGroups
        ([MS-ADTS] 3.1.1.4.5.19) at once. tokenGroups that cannot be read protect the entry.

        Raises:
            ProtectedSubjectError: The groups cannot be read.
        """
        if entry.number("adminCount") > 0:
            return "adminCount is set"
        sids = [_sid(raw) for raw in entry.raw("objectSid")]
        sids += self._sids_of_groups(entry)
        if any(_is_privileged(sid) for sid in sids):
            return "it belongs to a built-in group of administrators or operators"
        return ""

    def _sids_of_groups(self, entry: Entry) -> list[str]:
        if entry.raw("groupType"):
            above = self._directory.groups_above(entry.dn, self.group_filter, ["objectSid"])
            return [_sid(raw) for group in above for raw in group.raw("objectSid")]
        token = self._directory.read(entry.dn, ["tokenGroups"])
        if token is None or not token.raw("tokenGroups"):
            raise ProtectedSubjectError(f"the groups of {entry.dn} cannot be read (tokenGroups)")
        return [_sid(raw) for raw in token.raw("tokenGroups")]

    def service_because(self, person: Entry) -> str:
        """Return why an account is no person's: its class, its kind, or a service name."""
        if person.has("objectClass", _SERVICE_CLASSES):
            return "its object class is that of a service or computer"
        if _flags(person) & _NOT_NORMAL:
            return "it is no ordinary user account"
        return "services log in with it" if person.raw("servicePrincipalName") else ""

    def group_dns(self, person: Entry) -> tuple[str, ...]:
        """Return memberOf, which the domain controller keeps itself."""
        return person.texts("memberOf")

    def unlisted_groups(self, person: Entry) -> tuple[Entry, ...]:
        """Return the primary group, whose `member` does not list those whose primary group it is.

        Its SID is the person's own with primaryGroupID in the place of the last part.

        Raises:
            ProtectedSubjectError: It cannot be told which that is.
        """
        sid, rid = person.raw("objectSid"), person.number("primaryGroupID")
        if len(sid) != 1 or not rid:
            raise ProtectedSubjectError(f"the primary group of {person.dn} cannot be read")
        wanted = equals("objectSid", sid[0][:-4] + rid.to_bytes(4, "little"))
        return self._transport.search(
            self._directory.base, f"(&{self.group_filter}{wanted})", self.group_attributes
        )

    def refuses_reset(self, person: Entry) -> str:
        """Return why a password that must be changed would not have to be, or could not be used."""
        flags = _flags(person)
        if flags & _NEVER_EXPIRES:
            return "its password never expires, so that no change would be demanded"
        return "it logs in by smart card only" if flags & _SMARTCARD_REQUIRED else ""

    def password_mark(self, person: Entry) -> str:
        """Return pwdLastSet."""
        return person.text("pwdLastSet")

    def set_temporary_password(self, person: Entry, secret: Secret) -> None:
        """Set unicodePwd, pwdLastSet 0 (change at next logon) and, if locked, lockoutTime 0.

        One modify, so all or nothing ([MS-ADTS] 3.1.1.3.1.5.1 for the quoted UTF-16 form).
        """
        changes = {
            "unicodePwd": [(ldap3.MODIFY_REPLACE, [f'"{secret.value}"'.encode("utf-16-le")])],
            "pwdLastSet": [(ldap3.MODIFY_REPLACE, [b"0"])],
        }
        if person.number("lockoutTime"):
            changes["lockoutTime"] = [(ldap3.MODIFY_REPLACE, [b"0"])]
        self._transport.modify(person.dn, changes)

    def judge_password(self, person: Entry, secret: Secret, mark: str) -> PasswordJudgement:
        """Judge by pwdLastSet 0, and by a bind that is refused with "must change" and nothing else.

        A right password that must be changed is told from a wrong one by the domain controller
        (773 against 52e), so the bind proves which password is set.
        """
        facts = {"pwdLastSet": person.text("pwdLastSet"), "pwdLastSet before": mark}
        if person.text("pwdLastSet") != "0":
            return PasswordJudgement(
                is_as_planned=False, facts=facts, because="nothing demands that it is changed"
            )
        reply = self._transport.try_password(person.dn, secret.value)
        code = next(iter(_DATA.findall(reply.diagnostic)), "").lower()
        if reply.code == INVALID_CREDENTIALS and code == _MUST_CHANGE:
            facts["bind"] = "the password must be changed"
            return PasswordJudgement(is_as_planned=True, facts=facts)
        seen = _REFUSALS.get(code, f"answered {reply.code} {code}".strip())
        facts["bind"] = seen
        return PasswordJudgement(is_as_planned=False, facts=facts, because=f"the bind: {seen}")

    def unlock(self, person: Entry) -> None:
        """Set lockoutTime 0 ([MS-ADTS] 3.1.1.3.1.5.4: the only value that may be written)."""
        self._transport.modify(person.dn, {"lockoutTime": [(ldap3.MODIFY_REPLACE, [b"0"])]})

    def disable(self, person: Entry, state: LoginState) -> None:
        """Set the disabled bit, if the flags are still those that were read."""
        self._change_flags(person, old=int(state.mark), new=int(state.mark) | _ACCOUNT_DISABLED)

    def enable(self, person: Entry, mark: str) -> None:
        """Put the former flags back, if they are still those that `disable` left."""
        self._change_flags(person, old=int(mark) | _ACCOUNT_DISABLED, new=int(mark))

    def _change_flags(self, person: Entry, *, old: int, new: int) -> None:
        # Deleting the old value by name makes the modify fail when somebody was quicker.
        self._transport.modify(
            person.dn,
            {
                "userAccountControl": [
                    (ldap3.MODIFY_DELETE, [str(old).encode()]),
                    (ldap3.MODIFY_ADD, [str(new).encode()]),
                ]
            },
        )

    def members(self, group_dn: str) -> tuple[str, ...]:
        """Return all members, in the ranges of 1,500 that a domain controller shows at once.

        ([MS-ADTS] 3.1.1.3.1.3.3, range retrieval.)
        """
        found: list[str] = []
        start = 0
        while True:
            group = self._directory.read(group_dn, [f"member;range={start}-*"])
            if group is None:
                raise RecordNotFoundError(f"{group_dn} is not in the directory")
            name = next((key for key in group.values if key.startswith("member;range=")), "member")
            found += group.texts(name)
            if name == "member" or name.endswith("-*"):
                return tuple(found)
            start = int(name.rpartition("-")[2]) + 1

    def add_member(self, group_dn: str, person_dn: str) -> None:
        """Add a value of `member`; a second time is answered by entryAlreadyExists."""
        self._transport.modify(
            group_dn,
            {"member": [(ldap3.MODIFY_ADD, [person_dn.encode()])]},
            also=frozenset({SUCCESS, ATTRIBUTE_OR_VALUE_EXISTS, ENTRY_ALREADY_EXISTS}),
        )

    def remove_member(self, group_dn: str, person_dn: str) -> None:
        """Delete a value of `member`; a second time is answered by unwillingToPerform."""
        code = self._transport.modify(
            group_dn,
            {"member": [(ldap3.MODIFY_DELETE, [person_dn.encode()])]},
            also=frozenset({SUCCESS, NO_SUCH_ATTRIBUTE, UNWILLING_TO_PERFORM}),
        )
        if code == UNWILLING_TO_PERFORM and person_dn in self.members(group_dn):
            raise PreconditionError(f"the directory refuses to remove a member of {group_dn}")

    def changed_at(self, entry: Entry, attribute: str, since: datetime) -> datetime:  # noqa: ARG002  the port's signature
        """Return when the attribute itself changed, by the replication metadata.

        `manager` is a link, whose times stand with its values ([MS-ADTS] 3.1.1.4.5.17 and 20). A
        server without these attributes (Samba) has the raw metadata, in which everything but
        passwords and locks counts as this attribute, and which knows nothing of links.

        Raises:
            PreconditionError: The directory does not tell.
        """
        metadata = self._directory.read(
            entry.dn,
            ["msDS-ReplAttributeMetaData", "msDS-ReplValueMetaData", "replPropertyMetaData"],
        )
        if metadata is not None:
            known = metadata_times(metadata)
            times = [known[attribute.lower()]] if attribute.lower() in known else []
            raw = metadata.raw("replPropertyMetaData")
            if not times and raw and attribute.lower() not in _LINKS:
                times = _raw_times(raw[0])
            if times:
                return max(times)
        raise PreconditionError(f"the directory does not tell when {attribute} changed")

    def clock(self) -> datetime | None:
        """Return the root entry's currentTime ([MS-ADTS] 3.1.1.3.2.3)."""
        return self._directory.root().instant("currentTime")

    def server_name(self) -> str:
        """Return the domain controller's own name."""
        return self._directory.root().text("dnsHostName").lower()


def metadata_times(entry: Entry) -> dict[str, datetime]:
    """Return when each attribute of an entry changed last, by its name in lower case.

    Empty where the server shows no readable replication metadata (Samba shows none).
    """
    found = dict[str, datetime]()
    for source in ("msDS-ReplAttributeMetaData", "msDS-ReplValueMetaData"):
        for text in entry.texts(source):
            for name, moment in _METADATA.findall(text):
                at = datetime.fromisoformat(moment)
                found[name.lower()] = max(at, found.get(name.lower(), at))
    return found


def _flags(person: Entry) -> int:
    """Return userAccountControl.

    Raises:
        MissingRightError: It is hidden: without it a disabled account would pass for an open one.
    """
    if not person.raw("userAccountControl"):
        raise MissingRightError(f"{person.dn}: our account cannot read userAccountControl")
    return person.number("userAccountControl")


def _sid(raw: bytes) -> str:
    """Return a security identifier as text ([MS-DTYP] 2.4.2.2)."""
    authority = int.from_bytes(raw[2:8], "big")
    parts = [
        int.from_bytes(raw[start : start + 4], "little") for start in range(8, 8 + 4 * raw[1], 4)
    ]
    return "-".join(["S", str(raw[0]), str(authority), *map(str, parts)])


def _is_privileged(sid: str) -> bool:
    last = int(sid.rpartition("-")[2])
    if sid.startswith(_BUILTIN):
        return last in _PRIVILEGED_BUILTIN
    return sid.startswith("S-1-5-21-") and last in _PRIVILEGED_DOMAIN


def _raw_times(raw: bytes) -> list[datetime]:
    """Return when attributes changed, passwords and locks left out ([MS-DRSR] 5.166)."""
    count = int.from_bytes(raw[8:12], "little")
    if int.from_bytes(raw[:4], "little") != 1 or len(raw) < _HEAD + count * _RECORD:
        raise InvalidAnswerError("replPropertyMetaData is of a version we do not know")
    times: list[datetime] = []
    for start in range(_HEAD, _HEAD + count * _RECORD, _RECORD):
        attribute, _version, seconds = struct.unpack_from("<IIQ", raw, start)
        if attribute not in _PASSWORD_ATTRIBUTES:
            times.append(FILETIME_EPOCH + timedelta(seconds=seconds))
    return times
