"""OpenLDAP and what speaks like it: password modify (RFC 3062), ppolicy, groupOfNames.

The operational attributes are those of draft-behera-ldap-password-policy-10 as slapo-ppolicy(5)
implements it. An account that an administrator disabled carries the lock time 000001010000Z, which
no failed login sets and which no waiting lifts.
"""

import uuid
from datetime import datetime, timedelta

import ldap3

from connectors.ldap.answers import (
    ATTRIBUTE_OR_VALUE_EXISTS,
    INVALID_CREDENTIALS,
    NO_SUCH_ATTRIBUTE,
    SUCCESS,
)
from connectors.ldap.dialect import LoginState, Names, PasswordJudgement
from connectors.ldap.directory import Directory, equals
from connectors.ldap.entry import Entry, as_generalized_time, dn_key
from connectors.ldap.settings import LDAPSettings
from engine.errors import (
    InvalidAnswerError,
    OutcomeUnknownError,
    PreconditionError,
    RecordNotFoundError,
    TiergateError,
)
from engine.ports.fulfilment import Secret

DISABLED_MARK = "000001010000Z"
_RESET_TAKES = timedelta(minutes=1)


class OpenLDAPDialect:
    """Speaks to OpenLDAP."""

    person_filter = "(objectClass=inetOrgPerson)"
    group_filter = "(objectClass=groupOfNames)"
    group_attributes: tuple[str, ...] = (
        "cn",
        "description",
        "entryUUID",
        "objectClass",
        "modifyTimestamp",
    )

    def __init__(self, settings: LDAPSettings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._transport = directory.transport
        self.names = Names.of(settings, uid="uid", department="departmentNumber")
        self.person_attributes: tuple[str, ...] = (
            *self.names.all(),
            *("cn", "displayName", "objectClass", "mailAlternateAddress", "entryUUID"),
            *("createTimestamp", "modifyTimestamp", "modifiersName"),
            *("pwdAccountLockedTime", "pwdReset", "pwdChangedTime", "pwdFailureTime"),
        )

    def stable_id(self, entry: Entry) -> str:
        """Return the entryUUID (RFC 4530)."""
        text = entry.text("entryUUID")
        if not text:
            raise InvalidAnswerError(f"{entry.dn} shows no entryUUID")
        return text.lower()

    def by_id(self, stable_id: str) -> str:
        """Return the filter for an entryUUID."""
        try:
            return equals("entryUUID", str(uuid.UUID(stable_id)))
        except ValueError as error:
            raise PreconditionError("the stable id is no UUID") from error

    def login_state(self, person: Entry) -> LoginState:
        """Read pwdAccountLockedTime."""
        mark = person.text("pwdAccountLockedTime")
        is_disabled = mark == DISABLED_MARK
        return LoginState(
            is_locked=bool(mark) and not is_disabled, is_disabled=is_disabled, mark=mark
        )

    def privilege(self, entry: Entry) -> str:  # noqa: ARG002  the port's signature
        """Return "": OpenLDAP has no measure of its own; `protected_groups` names them."""
        return ""

    def service_because(self, person: Entry) -> str:
        """Return why an entry is no person: simpleSecurityObject is how service accounts look."""
        if person.has("objectClass", ("simpleSecurityObject", "applicationProcess")):
            return "its object class is that of a service"
        return ""

    def group_dns(self, person: Entry) -> tuple[str, ...]:
        """Search the groups: memberOf is there only with its overlay, and may lag."""
        found = self._transport.search(
            self._directory.groups, f"(&{self.group_filter}{equals('member', person.dn)})", ["cn"]
        )
        return tuple(group.dn for group in found)

    def unlisted_groups(self, person: Entry) -> tuple[Entry, ...]:  # noqa: ARG002  the port's signature
        """Return none: whoever is in a group is its `member`."""
        return ()

    def refuses_reset(self, person: Entry) -> str:  # noqa: ARG002  the port's signature
        """Return "": pwdReset is enforced for every account below a policy."""
        return ""

    def password_mark(self, person: Entry) -> str:
        """Return pwdChangedTime."""
        return person.text("pwdChangedTime")

    def set_temporary_password(self, person: Entry, secret: Secret) -> None:
        """Set it by the extended operation, then demand the change.

        The overlay drops pwdReset when a password is set, so the order cannot be another one. It
        lifts the lock by itself.

        Raises:
            OutcomeUnknownError: No answer, or the password is set and the demand is not.
        """
        self._transport.set_password(person.dn, secret.value)
        try:
            self._transport.modify(person.dn, {"pwdReset": [(ldap3.MODIFY_REPLACE, [b"TRUE"])]})
        except TiergateError as error:
            raise OutcomeUnknownError(
                f"the password of {person.dn} is set, that it must be changed is not: {error}"
            ) from error

    def judge_password(self, person: Entry, secret: Secret, mark: str) -> PasswordJudgement:
        """Judge by pwdReset, by a bind, and by whether pwdChangedTime moved.

        The bind is tried only where pwdReset is TRUE or the password changed meanwhile: a wrong one
        counts as a failed login. A password of ours without the demand is a call that was cut off.
        It proves which password is set, also within the second to which pwdChangedTime is kept.
        Where the server forbids the bind for another reason, the two attributes decide.
        """
        moved = self.password_mark(person) not in {"", mark}
        facts = {
            "pwdChangedTime": self.password_mark(person),
            "pwdReset": person.text("pwdReset") or "absent",
        }
        if person.text("pwdReset") != "TRUE":
            because = "nothing demands that it is changed" if moved else "the password was not set"
            is_ours = (
                moved and self._transport.try_password(person.dn, secret.value).code == SUCCESS
            )
            return PasswordJudgement(
                is_as_planned=False, facts=facts, because=because, is_partly_ours=is_ours
            )
        code = self._transport.try_password(person.dn, secret.value).code
        facts["bind"] = {SUCCESS: "accepted", INVALID_CREDENTIALS: "refused"}.get(
            code, f"not possible ({code})"
        )
        if code == SUCCESS or (code != INVALID_CREDENTIALS and moved):
            return PasswordJudgement(is_as_planned=True, facts=facts)
        because = "another password is set" if moved else "the password was not set"
        return PasswordJudgement(is_as_planned=False, facts=facts, because=because)

    def unlock(self, person: Entry) -> None:
        """Delete the very lock time that was read, so that a lock by an administrator stays."""
        mark = person.text("pwdAccountLockedTime")
        if mark:
            self._transport.modify(
                person.dn,
                {"pwdAccountLockedTime": [(ldap3.MODIFY_DELETE, [mark.encode()])]},
                also=frozenset({SUCCESS, NO_SUCH_ATTRIBUTE}),
            )

    def disable(self, person: Entry, state: LoginState) -> None:
        """Replace the lock time that was read by the one that means disabled."""
        self._change_lock(person, old=state.mark, new=DISABLED_MARK)

    def enable(self, person: Entry, mark: str) -> None:
        """Put the former lock time back, if the account is still disabled."""
        self._change_lock(person, old=DISABLED_MARK, new=mark)

    def _change_lock(self, person: Entry, *, old: str, new: str) -> None:
        operations: list[tuple[str, list[bytes]]] = []
        if old:
            operations.append((ldap3.MODIFY_DELETE, [old.encode()]))
        if new:
            operations.append((ldap3.MODIFY_ADD, [new.encode()]))
        # Deleting the old value by name makes the modify fail when somebody was quicker.
        self._transport.modify(person.dn, {"pwdAccountLockedTime": operations})

    def members(self, group_dn: str) -> tuple[str, ...]:
        """Return the values of `member`; OpenLDAP shows all of them at once."""
        group = self._directory.read(group_dn, ["member"])
        if group is None:
            raise RecordNotFoundError(f"{group_dn} is not in the directory")
        return group.texts("member")

    def add_member(self, group_dn: str, person_dn: str) -> None:
        """Add a value of `member`."""
        self._transport.modify(
            group_dn,
            {"member": [(ldap3.MODIFY_ADD, [person_dn.encode()])]},
            also=frozenset({SUCCESS, ATTRIBUTE_OR_VALUE_EXISTS}),
        )

    def remove_member(self, group_dn: str, person_dn: str) -> None:
        """Delete a value of `member`."""
        self._transport.modify(
            group_dn,
            {"member": [(ldap3.MODIFY_DELETE, [person_dn.encode()])]},
            also=frozenset({SUCCESS, NO_SUCH_ATTRIBUTE}),
        )

    def changed_at(self, entry: Entry, attribute: str, since: datetime) -> datetime:
        """Return modifyTimestamp, or what a configured access log tells more exactly.

        modifyTimestamp moves with any change of the entry, so it is never before the attribute's;
        the one change that is looked through is our own reset, or no password could be delivered
        again after a crash.

        The log counts only where it reaches back to `since`. Only the time of a record is read, and
        the change itself is named in the filter: our account needs no right to read the log's
        values, which hold password hashes.

        Raises:
            InvalidAnswerError: The entry shows no time of its last change.
        """
        changed = entry.instant("modifyTimestamp") or entry.instant("createTimestamp")
        if changed is None:
            raise InvalidAnswerError(f"{entry.dn} shows no modifyTimestamp")
        created = entry.instant("createTimestamp")
        if changed < since or created is None or created >= since:
            return changed
        log = self._settings.changes_log
        if log and self._log_reaches_back(log, since):
            return self._logged(entry, attribute, since) or created
        return created if self._is_our_reset(entry, changed) else changed

    def _is_our_reset(self, entry: Entry, changed: datetime) -> bool:
        """Whether the last change is a reset of ours, which fires only on a settled address."""
        password_set = entry.instant("pwdChangedTime")
        return (
            dn_key(entry.text("modifiersName")) == dn_key(self._settings.bind.dn)
            and entry.text("pwdReset") == "TRUE"
            and password_set is not None
            and abs(changed - password_set) <= _RESET_TAKES
        )

    def _logged(self, entry: Entry, attribute: str, since: datetime) -> datetime | None:
        spelled = entry.spelling.get(attribute.lower(), attribute)
        after = f"(reqStart>={as_generalized_time(since)})"
        records = self._transport.search(
            self._settings.changes_log,
            f"(&(objectClass=auditModify){equals('reqDN', entry.dn)}{after}(reqMod={spelled}:*))",
            ["reqStart"],
        )
        return max((_started(record) for record in records), default=None)

    def _log_reaches_back(self, log: str, since: datetime) -> bool:
        if self._directory.read(log, ["objectClass"]) is None:
            return False
        before = f"(reqStart<={as_generalized_time(since)})"
        return bool(
            self._transport.search(log, f"(&(objectClass=auditObject){before})", ["reqStart"])
        )

    def clock(self) -> datetime | None:
        """Read cn=Current,cn=Time of back-monitor, where our account may."""
        current = self._directory.read("cn=Current,cn=Time,cn=Monitor", ["monitorTimestamp"])
        return current.instant("monitorTimestamp") if current else None

    def server_name(self) -> str:
        """Return "": the URL names one server."""
        return ""


def _started(record: Entry) -> datetime:
    started = record.instant("reqStart")
    if started is None:
        raise InvalidAnswerError(f"{record.dn} shows no reqStart")
    return started
