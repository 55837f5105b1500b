"""What each action does at the directory: before, firing, proof, and the way back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from connectors.ldap.dialect import Dialect
from connectors.ldap.entry import Entry, dn_key
from engine.domain.effect import Evidence
from engine.errors import PreconditionError
from engine.ports.fulfilment import Secret

YES, NO = "yes", "no"
NO_SECRET = Secret(value="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Subject and target, read a moment ago; `secret` is empty for actions that set none."""

    person: Entry
    group: Entry | None = None
    secret: Secret = NO_SECRET

    @property
    def group_dn(self) -> str:
        """The group's present name.

        Raises:
            PreconditionError: The action was bound without a group.
        """
        if self.group is None:
            raise PreconditionError("the action was bound without a group")
        return self.group.dn


class Operation(Protocol):
    """One action at a directory."""

    def obstacle(self, scene: Scene) -> str:
        """Return why the action does not fit the present state, "" when it does."""
        ...

    def baseline(self, scene: Scene) -> Mapping[str, str]:
        """Return the state before, as far as proof and way back need it."""
        ...

    def fire(self, scene: Scene, baseline: Mapping[str, str]) -> None:
        """Do it; what an earlier attempt of this very effect did already is left as it is.

        Raises:
            PreconditionError: The state does not fit; nothing was done.
        """
        ...

    def judge(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Say whether the target is as planned."""
        ...

    def take_back(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Take back what this effect changed, and only that.

        Raises:
            PreconditionError: It cannot be undone.
        """
        ...


class ResetPassword:
    """Sets the temporary password."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def obstacle(self, scene: Scene) -> str:
        """A disabled account gets no password: setting one could enable it again (OpenLDAP)."""
        if self._dialect.login_state(scene.person).is_disabled:
            return "the account is disabled"
        return self._dialect.refuses_reset(scene.person)

    def baseline(self, scene: Scene) -> Mapping[str, str]:
        """Keep what moves when a password is set."""
        return {"password_mark": self._dialect.password_mark(scene.person)}

    def fire(self, scene: Scene, baseline: Mapping[str, str]) -> None:  # noqa: ARG002  the port's signature
        """Set the derived password; the same one again leaves things as once would."""
        _refuse(self.obstacle(scene))
        self._dialect.set_temporary_password(scene.person, scene.secret)

    def judge(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Ask the directory, and try the password where that costs nothing."""
        judged = self._dialect.judge_password(
            scene.person, scene.secret, baseline.get("password_mark", "")
        )
        return Evidence(
            is_as_planned=judged.is_as_planned,
            facts=judged.facts,
            because=judged.because,
            is_partly_ours=judged.is_partly_ours,
        )

    def take_back(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:  # noqa: ARG002  the port's signature
        """Refuse: the former password is known to nobody."""
        raise PreconditionError("a password reset cannot be undone; a new reset is the way on")


class UnlockAccount:
    """Lifts a lock by failed logins."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def obstacle(self, scene: Scene) -> str:
        """Only a lock by failed logins is lifted."""
        state = self._dialect.login_state(scene.person)
        if state.is_disabled:
            return "the account is disabled, not locked"
        return "" if state.is_locked else "the account is not locked"

    def baseline(self, scene: Scene) -> Mapping[str, str]:
        """Keep whether and since when it is locked."""
        state = self._dialect.login_state(scene.person)
        return {"locked": YES if state.is_locked else NO, "mark": state.mark}

    def fire(self, scene: Scene, baseline: Mapping[str, str]) -> None:
        """Lift the lock that is there now."""
        state = self._dialect.login_state(scene.person)
        if baseline.get("locked") == YES and not state.is_locked and not state.is_disabled:
            return
        _refuse(self.obstacle(scene))
        self._dialect.unlock(scene.person)

    def judge(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Say whether the account is open."""
        state = self._dialect.login_state(scene.person)
        facts = {"locked before": baseline.get("locked", ""), "locked": _word(state.is_locked)}
        if state.is_disabled:
            return Evidence(is_as_planned=False, facts=facts, because="the account is disabled")
        because = "the account is still locked, or locked again" if state.is_locked else ""
        return Evidence(is_as_planned=not state.is_locked, facts=facts, because=because)

    def take_back(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:  # noqa: ARG002  the port's signature
        """Refuse: a lock by failed logins is nothing to put back."""
        raise PreconditionError("lifting a lock cannot be undone, and leaves nothing to undo")


class DisableAccount:
    """Disables an account."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def obstacle(self, scene: Scene) -> str:
        """An account is disabled once."""
        is_disabled = self._dialect.login_state(scene.person).is_disabled
        return "the account is disabled already" if is_disabled else ""

    def baseline(self, scene: Scene) -> Mapping[str, str]:
        """Keep the native state, to put it back."""
        state = self._dialect.login_state(scene.person)
        return {
            "disabled": _word(state.is_disabled),
            "locked": _word(state.is_locked),
            "mark": state.mark,
        }

    def fire(self, scene: Scene, baseline: Mapping[str, str]) -> None:
        """Disable from the state that is there now."""
        state = self._dialect.login_state(scene.person)
        if state.is_disabled and baseline.get("disabled") == NO:
            return
        _refuse(self.obstacle(scene))
        self._dialect.disable(scene.person, state)

    def judge(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Say whether the account is disabled."""
        state = self._dialect.login_state(scene.person)
        facts = {
            "disabled before": baseline.get("disabled", ""),
            "disabled": _word(state.is_disabled),
        }
        because = "" if state.is_disabled else "the account is not disabled"
        return Evidence(is_as_planned=state.is_disabled, facts=facts, because=because)

    def take_back(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Put the native state back, if it was enabled before and is disabled now."""
        if baseline.get("disabled") != NO:
            because = "it was disabled before, so it is left as it is"
            return Evidence(is_as_planned=True, facts={"disabled before": YES}, because=because)
        if self._dialect.login_state(scene.person).is_disabled:
            self._dialect.enable(scene.person, baseline["mark"])
            # Active Directory lifts a lock by failed logins with this write: said, not hidden.
            facts = {"taken back": YES, "locked before": baseline.get("locked", "")}
            return Evidence(is_as_planned=True, facts=facts)
        return Evidence(is_as_planned=True, facts={"taken back": NO}, because="it is enabled")


class ChangeMembership:
    """Adds a member to a group, or removes one."""

    def __init__(self, dialect: Dialect, *, adds: bool) -> None:
        self._dialect = dialect
        self._adds = adds

    def obstacle(self, scene: Scene) -> str:
        """Adding needs that there is no membership, removing that there is one."""
        is_member, _others = self._members(scene)
        if is_member and self._adds:
            return f"the subject is already a member of {scene.group_dn}"
        if not is_member and not self._adds:
            return f"the subject is no member of {scene.group_dn}"
        return ""

    def baseline(self, scene: Scene) -> Mapping[str, str]:
        """Keep whether the subject was a member, and who else was, as a digest."""
        is_member, others = self._members(scene)
        return {"member": _word(is_member), "others": _digest(others), "count": str(len(others))}

    def fire(self, scene: Scene, baseline: Mapping[str, str]) -> None:
        """Change the membership, unless an earlier attempt of this effect did."""
        before = baseline.get("member") == YES
        if before == self._adds:
            raise PreconditionError(self.obstacle(scene) or "the membership was there before")
        is_member, _others = self._members(scene)
        if is_member != self._adds:
            self._set(scene, is_member=self._adds)

    def judge(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Say whether the membership is as planned and nobody else's changed."""
        is_member, others = self._members(scene)
        facts = {
            "group": scene.group_dn,
            "member": _word(is_member),
            "other members": str(len(others)),
            "other members before": baseline.get("count", ""),
        }
        if is_member != self._adds:
            because = f"the subject is {'no' if self._adds else 'still a'} member"
            return Evidence(is_as_planned=False, facts=facts, because=because)
        if _digest(others) != baseline.get("others"):
            because = "other members of the group changed meanwhile"
            return Evidence(is_as_planned=False, facts=facts, because=because)
        return Evidence(is_as_planned=True, facts=facts)

    def take_back(self, scene: Scene, baseline: Mapping[str, str]) -> Evidence:
        """Put the membership back to what it was, if this effect may have changed it."""
        before = baseline.get("member") == YES
        if before == self._adds:
            because = "the membership was like this before, so it is left as it is"
            return Evidence(is_as_planned=True, facts={"member": _word(before)}, because=because)
        is_member, _others = self._members(scene)
        if is_member != before:
            self._set(scene, is_member=before)
            is_member, _others = self._members(scene)
        return Evidence(
            is_as_planned=is_member == before,
            facts={"group": scene.group_dn, "member": _word(is_member)},
            because="" if is_member == before else "the membership is not as it was before",
        )

    def _set(self, scene: Scene, *, is_member: bool) -> None:
        if is_member:
            self._dialect.add_member(scene.group_dn, scene.person.dn)
        else:
            self._dialect.remove_member(scene.group_dn, scene.person.dn)

    def _members(self, scene: Scene) -> tuple[bool, frozenset[str]]:
        members = {dn_key(dn) for dn in self._dialect.members(scene.group_dn)}
        own = dn_key(scene.person.dn)
        return own in members, frozenset(members - {own})


def operations(dialect: Dialect) -> Mapping[str, Operation]:
    """Return the operation of every action in the catalogue."""
    return {
        "reset_password": ResetPassword(dialect),
        "unlock_account": UnlockAccount(dialect),
        "add_group_member": ChangeMembership(dialect, adds=True),
        "remove_group_member": ChangeMembership(dialect, adds=False),
        "disable_account": DisableAccount(dialect),
    }


def _refuse(obstacle: str) -> None:
    if obstacle:
        raise PreconditionError(obstacle)


def _word(value: bool) -> str:  # noqa: FBT001  a word for a truth
    return YES if value else NO


def _digest(names: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()
