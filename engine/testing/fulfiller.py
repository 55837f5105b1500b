"""MemoryFulfiller: a small directory whose every effect is counted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from engine.domain.action import (
    ActionSpec,
    Backout,
    BoundAction,
    BoundTarget,
    Catalogue,
    ParameterKind,
    ParameterSpec,
    RiskScores,
)
from engine.domain.effect import Evidence
from engine.domain.refs import Person
from engine.errors import OutcomeUnknownError, PreconditionError, ProtectedSubjectError
from engine.ports.clock import Clock
from engine.ports.findings import Finding, Severity
from engine.ports.fulfilment import ForeignChange, Secret

_GROUP = ParameterSpec(name="group", kind=ParameterKind.GROUP, is_required=True, does="The group")
_UNTIL = ParameterSpec(name="until", kind=ParameterKind.DATE, is_required=False, does="Its end")


def _spec(
    name: str,
    *,
    risk: tuple[int, int, int],
    parameters: tuple[ParameterSpec, ...] = (),
    backout: Backout = Backout.INVERSE,
    may_repeat: bool = True,
    inverse: str = "",
) -> ActionSpec:
    blast, irreversible, regulatory = risk
    return ActionSpec(
        name=name,
        version=1,
        does=name.replace("_", " "),
        parameters=parameters,
        least_risk=RiskScores(
            blast_radius=blast, irreversibility=irreversible, regulatory=regulatory
        ),
        backout=backout,
        may_repeat=may_repeat,
        inverse=inverse,
        verification="read back",
    )


CATALOGUE: Catalogue = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _spec("reset_password", risk=(0, 1, 0), backout=Backout.CANNOT_BE_UNDONE),
            _spec(
                "add_group_member",
                risk=(1, 0, 1),
                parameters=(_GROUP, _UNTIL),
                inverse="remove_group_member",
            ),
            _spec(
                "remove_group_member",
                risk=(1, 0, 1),
                parameters=(_GROUP,),
                inverse="add_group_member",
            ),
            _spec("open_door", risk=(0, 0, 0), may_repeat=False),
        )
    }
)


@dataclass(slots=True, kw_only=True)
class Call:
    """One call that changed, or tried to change, the directory."""

    action: str
    subject: str
    key: str
    is_backout: bool = False


@dataclass(slots=True)
class MemoryFulfiller:
    """The Fulfiller port over groups and passwords in memory.

    Attributes:
        calls: Every implement and back_out that began to change something, in order.
        fails_verification: Subjects whose change goes wrong in a way that verification sees.
        loses_answer: Subjects whose next implement takes effect and gets no answer.
        loses_call: Subjects whose next implement takes no effect and gets no answer.
        log: What the directory's own log ascribes to us; None: it keeps none.
        newest: What the entries' own stamps say; None: they say nothing.
    """

    system: str
    clock: Clock
    groups: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    passwords: dict[str, str] = field(default_factory=dict[str, str])
    doors: dict[str, int] = field(default_factory=dict[str, int])
    addresses: dict[str, str] = field(default_factory=dict[str, str])
    protected: set[str] = field(default_factory=set[str])
    calls: list[Call] = field(default_factory=list[Call])
    fails_verification: set[str] = field(default_factory=set[str])
    loses_answer: set[str] = field(default_factory=set[str])
    loses_call: set[str] = field(default_factory=set[str])
    log: list[ForeignChange] | None = None
    newest: list[ForeignChange] | None = None

    def catalogue(self) -> Catalogue:
        """Return the actions."""
        return CATALOGUE

    def bind(self, action: str, *, subject: Person, parameters: Mapping[str, str]) -> BoundAction:
        """Resolve subject and group to stable ids."""
        if subject.directory_id in self.protected:
            raise ProtectedSubjectError(f"{subject.name} is protected")
        targets: dict[str, BoundTarget] = {}
        values: dict[str, str] = {}
        for name, text in parameters.items():
            if name == _GROUP.name:
                if text not in self.groups:
                    raise PreconditionError(f"no group {text!r}")
                targets[name] = self._group(text)
            else:
                values[name] = text
        return BoundAction(
            action=action,
            version=CATALOGUE[action].version,
            system=self.system,
            subject=BoundTarget(
                kind=ParameterKind.PERSON, id=subject.directory_id, name=subject.name
            ),
            targets=targets,
            values=values,
        )

    def _group(self, name: str) -> BoundTarget:
        facts = {"members": str(len(self.groups[name])), "ordinary": "true"}
        return BoundTarget(kind=ParameterKind.GROUP, id=name, name=name, facts=facts)

    def baseline(self, bound: BoundAction) -> Mapping[str, str]:
        """Return what is there before."""
        who = bound.subject.id
        found = {
            "password": hashlib.sha256(self.passwords.get(who, "").encode()).hexdigest(),
            "doors": str(self.doors.get(who, 0)),
        }
        if _GROUP.name in bound.targets:
            found["members"] = ",".join(sorted(self.groups[bound.targets[_GROUP.name].id]))
        return found

    def implement(
        self, bound: BoundAction, *, key: str, baseline: Mapping[str, str], deadline: datetime
    ) -> None:
        """Carry the action out."""
        del baseline  # this target needs none to act
        who = bound.subject.id
        if self.clock.now() >= deadline:
            raise PreconditionError("the deadline has passed")
        if who in self.protected:
            raise ProtectedSubjectError(f"{bound.subject.name} is protected")
        if who in self.loses_call:
            self.loses_call.remove(who)
            raise OutcomeUnknownError("the directory did not answer")
        self.calls.append(Call(action=bound.action, subject=who, key=key))
        if bound.action == "reset_password":
            self.passwords[who] = _derived(key)
        elif bound.action == "open_door":
            self.doors[who] = self.doors.get(who, 0) + 1
        elif who in self.fails_verification:
            self.groups[bound.targets[_GROUP.name].id].add("entry-somebody-else")
        else:
            self._set_member(bound, is_member=bound.action == "add_group_member")
        if who in self.loses_answer:
            self.loses_answer.remove(who)
            raise OutcomeUnknownError("the directory's answer was lost")

    def _set_member(self, bound: BoundAction, *, is_member: bool) -> None:
        group = self.groups[bound.targets[_GROUP.name].id]
        if is_member:
            group.add(bound.subject.id)
        else:
            group.discard(bound.subject.id)

    def verify(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:
        """Say whether it is as planned and nothing else changed."""
        who = bound.subject.id
        if bound.action == "reset_password":
            is_set = self.passwords.get(who) == _derived(key)
            return Evidence(is_as_planned=is_set, facts={"password_set": str(is_set)})
        if bound.action == "open_door":
            opened = self.doors.get(who, 0) == int(baseline["doors"]) + 1
            return Evidence(is_as_planned=opened, facts={"opened": str(opened)})
        before = set(filter(None, baseline["members"].split(",")))
        is_member = bound.action == "add_group_member"
        wanted = before | {who} if is_member else before - {who}
        now = self.groups[bound.targets[_GROUP.name].id]
        as_planned = now == wanted
        because = "" if as_planned else "the group's members are not as planned"
        return Evidence(is_as_planned=as_planned, facts={"members": str(len(now))}, because=because)

    def back_out(self, bound: BoundAction, *, key: str, baseline: Mapping[str, str]) -> Evidence:
        """Restore what was there before."""
        if CATALOGUE[bound.action].backout is Backout.CANNOT_BE_UNDONE:
            raise PreconditionError(f"{bound.action} cannot be undone")
        self.calls.append(
            Call(action=bound.action, subject=bound.subject.id, key=key, is_backout=True)
        )
        if bound.action == "open_door":
            self.doors[bound.subject.id] = int(baseline["doors"])
            return Evidence(is_as_planned=True, facts={"doors": baseline["doors"]})
        before = set(filter(None, baseline["members"].split(",")))
        self.groups[bound.targets[_GROUP.name].id] = before
        return Evidence(is_as_planned=True, facts={"members": str(len(before))})

    def secret(self, bound: BoundAction, *, key: str) -> Secret | None:
        """Return the password derived from the key."""
        return Secret(value=_derived(key)) if bound.action == "reset_password" else None

    def delivery_address(
        self, person: Person, *, attribute: str, or_manager: bool, at: datetime
    ) -> str:
        """Return the private address on file."""
        del attribute, or_manager, at  # one address a person here
        found = self.addresses.get(person.directory_id)
        if found is None:
            raise PreconditionError(f"{person.name} has no out-of-band address")
        return found

    def describe(self, bound: BoundAction) -> Mapping[str, BoundTarget]:
        """Return subject and targets with fresh facts."""
        fresh = {name: self._group(target.id) for name, target in bound.targets.items()}
        return {"subject": bound.subject, **fresh}

    def changes_by_us(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return what a test wrote into `log`; None where it made this directory keep none."""
        if self.log is None:
            return None
        return tuple(one for one in self.log if one.at >= since)

    def newest_changes(self, since: datetime) -> tuple[ForeignChange, ...] | None:
        """Return what a test wrote into `newest`; None where entries carry no stamps."""
        if self.newest is None:
            return None
        return tuple(one for one in self.newest if one.at >= since)

    def check(self) -> tuple[Finding, ...]:
        """Return that all is well."""
        return (Finding(severity=Severity.OK, code="reachable", system=self.system, seen="here"),)


def _derived(key: str) -> str:
    return "pw-" + hashlib.sha256(f"derived {key}".encode()).hexdigest()[:16]
