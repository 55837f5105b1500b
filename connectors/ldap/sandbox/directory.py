"""What the sandbox directory does with a request: bind, search, modify, and the password policy.

The policy follows slapo-ppolicy(5): three failed binds set pwdAccountLockedTime, a password that is
set drops it with pwdFailureTime and pwdReset, and a session with pwdReset TRUE may do nothing but
change its password.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.ldap.sandbox.passwords import hashed, is_right
from connectors.ldap.sandbox.rights import is_root, may_ask, may_read, may_search, may_write
from connectors.ldap.sandbox.schema import SCHEMA, dn_key, fold, split_dn
from connectors.ldap.sandbox.seed import ACCESS_LOG, GROUPS, MONITOR, SUFFIX
from connectors.ldap.sandbox.tree import Entry, Tree, spelled, stamp

_MOST_FAILURES = 3
_LEAST_LENGTH = 8
_ADD, _DELETE, _REPLACE = 0, 1, 2

Change = tuple[int, str, list[bytes]]
"""Operation (RFC 4511, 4.6), attribute name, values."""


class Refusal(Exception):  # noqa: N818  the answer with a result code, no failure of ours
    """The request is answered with a result code other than success."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Session:
    """One connection: who is bound, and whether only a password change is allowed."""

    who: str = ""
    must_change: bool = False


class SandboxDirectory:
    """Entries, rights and policy; every method is safe from any thread."""

    def __init__(self, tree: Tree, now: Callable[[], datetime]) -> None:
        self._tree = tree
        self._now = now
        self._logged = 0
        self.companions: dict[str, bytes] = {}
        """Group (lower case) to a member that comes and goes with every other: a broken sync."""

    # --- bind
    def bind(self, session: Session, dn: str, password: bytes) -> None:
        """Bind a session, or refuse with 49 whatever was wrong.

        Raises:
            Refusal: invalidCredentials, or unwillingToPerform for a name without a password.
        """
        session.who, session.must_change = "", False
        if not dn:
            return
        if not password:
            raise Refusal(53, "unauthenticated bind (DN with no password) disallowed")
        with self._tree.lock:
            entry = self._tree.get(dn)
            if entry is None or entry.text("pwdAccountLockedTime"):
                raise Refusal(49)
            if not any(is_right(password, stored) for stored in entry.get("userPassword")):
                self._count_failure(entry)
                raise Refusal(49)
            if entry.get("pwdFailureTime"):
                entry.put("pwdFailureTime")
                self._tree.save()
            session.who = entry.dn
            session.must_change = entry.text("pwdReset") == "TRUE"

    def _count_failure(self, entry: Entry) -> None:
        if is_root(entry.dn):
            return
        moment = self._now()
        text = moment.strftime("%Y%m%d%H%M%S.%fZ").encode()
        entry.values.setdefault("pwdfailuretime", []).append(text)
        if len(entry.get("pwdFailureTime")) >= _MOST_FAILURES:
            entry.put("pwdAccountLockedTime", stamp(moment))
        self._tree.save()

    def _require_free(self, session: Session) -> None:
        if session.must_change:
            raise Refusal(
                50, "Operations are restricted to bind/unbind/abandon/StartTLS/modify password"
            )

    # --- read
    def search(
        self,
        session: Session,
        base: str,
        scope: int,
        fits: Callable[[Entry], bool],
        wanted: Sequence[str],
    ) -> list[tuple[str, list[tuple[str, list[bytes]]]]]:
        """Return name and shown attributes of every entry in scope that fits.

        Raises:
            Refusal: noSuchObject, or insufficientAccessRights before a due password change.
        """
        if not base and scope == 0:
            root = self._root()
            return [(root.dn, _shown("", root, wanted))] if fits(root) else []
        self._require_free(session)
        with self._tree.lock:
            if dn_key(base).endswith(dn_key(MONITOR)):
                found = [self._current_time()]
            elif self._tree.get(base) is None:
                raise Refusal(32)
            else:
                found = list(self._tree.below(base, scope))
            groups = self._memberships()
            return [
                (entry.dn, _shown(session.who, entry, wanted))
                for entry in (_complete(one, groups) for one in found)
                if may_search(session.who, entry) and fits(_askable(session.who, entry))
            ]

    def compare(self, session: Session, dn: str, name: str, value: bytes) -> bool:
        """Whether an entry has a value.

        Raises:
            Refusal: noSuchObject, insufficientAccessRights.
        """
        self._require_free(session)
        with self._tree.lock:
            entry = self._tree.get(dn)
            if entry is None or not may_search(session.who, entry):
                raise Refusal(32)
            if not may_read(session.who, entry, name.lower()):
                raise Refusal(50)
            return entry.holds(name, value)

    def _root(self) -> Entry:
        root = Entry(dn="")
        root.put("objectClass", "top", "OpenLDAProotDSE")
        root.put("namingContexts", SUFFIX, ACCESS_LOG)
        root.put("supportedLDAPVersion", "3")
        root.put("supportedExtension", "1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.4203.1.11.3")
        return root

    def _current_time(self) -> Entry:
        entry = Entry(dn=f"cn=Current,cn=Time,{MONITOR}")
        entry.put("objectClass", "monitoredObject")
        entry.put("cn", "Current")
        entry.put("monitorTimestamp", stamp(self._now()))
        return entry

    def _memberships(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for group in self._tree.below(GROUPS, 1):
            for member in group.get("member"):
                found.setdefault(dn_key(member.decode("utf-8")), []).append(group.dn)
        return found

    # --- write
    def modify(self, session: Session, dn: str, changes: Sequence[Change]) -> None:
        """Apply all changes to an entry, or none of them.

        Raises:
            Refusal: What slapd answers, rights before values.
        """
        self._require_free(session)
        with self._tree.lock:
            entry = self._tree.get(dn)
            if entry is None:
                raise Refusal(32)
            for _operation, name, _values in changes:
                if name.lower() not in SCHEMA:
                    raise Refusal(17, f"{name}: attribute type undefined")
                if not may_write(session.who, entry, name.lower()):
                    raise Refusal(50)
            draft = entry.copy()
            for operation, name, values in changes:
                self._apply(draft, operation, name.lower(), values)
                self._bring_companion(draft, operation, name.lower())
            self._commit(session, draft, [_logged(change) for change in changes])

    def _bring_companion(self, draft: Entry, operation: int, name: str) -> None:
        companion = self.companions.get(draft.dn.lower())
        if companion is None or name != "member":
            return
        if operation == _ADD and not draft.holds(name, companion):
            draft.values[name].append(companion)
        elif operation == _DELETE and draft.holds(name, companion):
            _delete(draft, name, companion)

    def _apply(self, draft: Entry, operation: int, name: str, values: list[bytes]) -> None:
        attribute = SCHEMA[name]
        if attribute.is_read_only:
            raise Refusal(19, f"{attribute.name}: no user modification allowed")
        if name == "userpassword" and operation != _DELETE:
            for value in values:
                self._set_password(draft, value)
            return
        if operation == _REPLACE:
            draft.values[name] = []
            operation = _ADD
        for value in values:
            if operation == _DELETE:
                _delete(draft, name, value)
            elif draft.holds(name, value):
                raise Refusal(20, f"modify/add: {attribute.name}: value #0 already exists")
            else:
                draft.values.setdefault(name, []).append(value)
        if operation == _DELETE and not values and draft.values.pop(name, None) is None:
            raise Refusal(16, f"modify/delete: {attribute.name}: no such attribute")
        if attribute.is_single and len(draft.get(name)) > 1:
            raise Refusal(19, f"attribute '{attribute.name}' cannot have multiple values")
        _drop_empty(draft)

    def set_password(self, session: Session, dn: str, old: bytes | None, new: bytes) -> None:
        """Set a password by the extended operation; without a name, the session's own.

        Raises:
            Refusal: invalidCredentials for a wrong old password, constraintViolation by policy.
        """
        with self._tree.lock:
            entry = self._tree.get(dn or session.who)
            is_own = bool(session.who) and entry is not None and entry.dn == session.who
            if session.must_change and not is_own:
                raise Refusal(50)
            if entry is None:
                raise Refusal(32)
            if not may_write(session.who, entry, "userpassword"):
                raise Refusal(50)
            if old is not None and not any(is_right(old, one) for one in entry.get("userPassword")):
                raise Refusal(53, "unwilling to verify old password")
            draft = entry.copy()
            self._set_password(draft, new)
            self._commit(session, draft, ["userPassword:="])
            if is_own:
                session.must_change = False

    def _set_password(self, draft: Entry, new: bytes) -> None:
        if len(new) < _LEAST_LENGTH:
            raise Refusal(19, "Password fails quality checking policy")
        draft.put("userPassword", hashed(new.decode("utf-8")))
        draft.put("pwdChangedTime", stamp(self._now()))
        for name in ("pwdFailureTime", "pwdAccountLockedTime", "pwdReset"):
            draft.put(name)

    def _commit(self, session: Session, draft: Entry, log: Sequence[str]) -> None:
        if draft.holds("objectClass", b"groupOfNames") and not draft.get("member"):
            raise Refusal(65, "object class 'groupOfNames' requires attribute 'member'")
        draft.put("modifyTimestamp", stamp(self._now()))
        draft.put("modifiersName", session.who)
        self._tree.put(draft)
        self._write_log("modify", draft.dn, session.who, log)
        self._tree.save()

    def add(self, session: Session, dn: str, values: dict[str, list[bytes]]) -> None:
        """Add an entry.

        Raises:
            Refusal: insufficientAccessRights, noSuchObject (its parent), entryAlreadyExists.
        """
        if not is_root(session.who):
            raise Refusal(50)
        with self._tree.lock:
            if self._tree.get(dn) is not None:
                raise Refusal(68)
            if self._tree.get(",".join(split_dn(dn)[1:])) is None:
                raise Refusal(32)
            texts = {name: [one.decode() for one in vals] for name, vals in values.items()}
            passwords = texts.pop("userPassword", [])
            entry = self._tree.create(dn, self._now(), session.who, texts)
            for password in passwords:
                self._set_password(entry, password.encode())
            self._write_log("add", dn, session.who, [])
            self._tree.save()

    def delete(self, session: Session, dn: str) -> None:
        """Delete a leaf.

        Raises:
            Refusal: insufficientAccessRights, noSuchObject, notAllowedOnNonLeaf.
        """
        if not is_root(session.who):
            raise Refusal(50)
        with self._tree.lock:
            if self._tree.get(dn) is None:
                raise Refusal(32)
            if list(self._tree.below(dn, 1)):
                raise Refusal(66)
            self._tree.remove(dn)
            self._write_log("delete", dn, session.who, [])
            self._tree.save()

    def rename(self, session: Session, dn: str, first: str) -> None:
        """Give a leaf another first part; references to it are left, as slapd leaves them.

        Raises:
            Refusal: insufficientAccessRights, noSuchObject, notAllowedOnNonLeaf.
        """
        if not is_root(session.who):
            raise Refusal(50)
        with self._tree.lock:
            entry = self._tree.get(dn)
            if entry is None:
                raise Refusal(32)
            if list(self._tree.below(dn, 1)):
                raise Refusal(66)
            name, _, value = first.partition("=")
            self._tree.remove(dn)
            entry.dn = ",".join([first, *split_dn(dn)[1:]])
            entry.put(name.strip(), value.strip())
            entry.put("modifyTimestamp", stamp(self._now()))
            self._tree.put(entry)
            self._write_log("modrdn", dn, session.who, [])
            self._tree.save()

    def _write_log(self, kind: str, dn: str, who: str, changes: Sequence[str]) -> None:
        self._logged += 1
        moment = self._now()
        start = f"{moment:%Y%m%d%H%M%S}.{self._logged % 1_000_000:06d}Z"
        name = {"modify": "auditModify", "add": "auditAdd", "delete": "auditDelete"}.get(
            kind, "auditModRDN"
        )
        self._tree.create(
            f"reqStart={start},{ACCESS_LOG}",
            moment,
            ACCESS_LOG,
            {
                "objectClass": [name, "auditWriteObject", "auditObject"],
                "reqStart": [start],
                "reqType": [kind],
                "reqSession": ["1"],
                "reqDN": [dn],
                "reqAuthzID": [who],
                "reqMod": list(changes),
                "reqResult": ["0"],
            },
        )


def _delete(draft: Entry, name: str, value: bytes) -> None:
    wanted = fold(name, value)
    rest = [one for one in draft.get(name) if fold(name, one) != wanted]
    if len(rest) == len(draft.get(name)):
        raise Refusal(16, f"modify/delete: {SCHEMA[name].name}: no such value")
    draft.values[name] = rest


def _drop_empty(draft: Entry) -> None:
    draft.values = {name: values for name, values in draft.values.items() if values}


def _logged(change: Change) -> str:
    # Values are left out: the real log holds them, and is guarded accordingly.
    operation, name, _values = change
    return f"{spelled(name)}:{'+-='[operation]}"


def _complete(entry: Entry, groups: dict[str, list[str]]) -> Entry:
    """Return the entry with what the server works out itself."""
    whole = Entry(dn=entry.dn, values=dict(entry.values))
    whole.put("entryDN", entry.dn)
    whole.put("memberOf", *groups.get(dn_key(entry.dn), []))
    return whole


def _askable(who: str, entry: Entry) -> Entry:
    """Return the entry with the attributes that an account may use in a filter."""
    hidden = {name for name in entry.values if not may_ask(who, entry, name)}
    if not hidden:
        return entry
    known = {name: vals for name, vals in entry.values.items() if name not in hidden}
    return Entry(dn=entry.dn, values=known)


def _shown(who: str, entry: Entry, wanted: Sequence[str]) -> list[tuple[str, list[bytes]]]:
    names = {name.lower() for name in wanted}
    has_all = not names or "*" in names
    shown: list[tuple[str, list[bytes]]] = []
    for name, values in entry.values.items():
        attribute: Any = SCHEMA.get(name)
        is_operational = bool(attribute and attribute.is_operational)
        is_wanted = name in names or ("+" in names if is_operational else has_all)
        if values and is_wanted and (not entry.dn or may_read(who, entry, name)):
            shown.append((spelled(name), values))
    return shown
